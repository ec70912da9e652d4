"""Processes that hand things on: resolve, exec, connect; daemons; programs that close every descriptor first."""

import os
import select

from harness import Failed, story

WANT = "you asked web.test for /chain\n"


def told_through_fifo(cell, mode):
    """The program's descriptors may all be gone, so it tells by a file of its own."""
    fifo = cell.path("told")
    os.mkfifo(fifo, 0o622)
    os.chmod(fifo, 0o622)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    keeper = os.open(fifo, os.O_WRONLY)
    try:
        cell.run([cell.kit.programs + "/chain", mode, "web.test", "80", fifo], status="any")
        # The program has the end marker from here: it writes one "." as its last word, well or not.
        text = b""
        # Only a daemon may still be at it; a program that died has no last word.
        patience = 10 * cell.kit.patience if mode == "daemon" else 0
        while not text.endswith(b".") and select.select([reader], [], [], patience)[0]:
            text += os.read(reader, 4096)
    finally:
        os.close(reader)
        os.close(keeper)
    if text.decode() != WANT + ".":
        raise Failed(f"the program told {text!r}")


@story()
def resolve_exec_connect(cell):
    told_through_fifo(cell, "exec")


@story()
def daemonize_then_resolve(cell):
    told_through_fifo(cell, "daemon")


@story()
def close_all_then_resolve_and_connect(cell):
    told_through_fifo(cell, "closeall")


@story()
def fork_then_both_resolve(cell):
    told_through_fifo(cell, "fork")


@story()
def wiped_environment_changes_nothing(cell):
    told_through_fifo(cell, "wipe")


@story(needs=["sh", "curl"])
def shell_pipeline(cell):
    script = "for n in 1 2 3; do curl -sS http://web.test/$n | cat; done; (curl -sS http://v4only.test/4) & wait"
    want = (
        "".join(f"you asked web.test for /{n}\n" for n in (1, 2, 3))
        + "you asked v4only.test for /4\n"
    )
    cell.run(["sh", "-c", script], out=want)
