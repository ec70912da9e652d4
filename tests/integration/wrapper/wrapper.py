"""Helpers of the wrapper's tests: the command as a person runs it, in an environment of its own."""

import contextlib
import os
import select
import subprocess
import unittest
import uuid

PATIENCE = 60  # seconds: the bound of every wait
BUILD = os.path.abspath(os.environ.get("BUILD", "."))
SOCKSIFY = os.path.join(BUILD, "src", "wrapper", "socksify")
# A sanitizer's runtime can't start behind a library that is preloaded.
PRELOADABLE = "SANITIZED" not in os.environ
OURS = ("SOCKSIFY_", "LD_PRELOAD", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")


def environment(**more):
    """This one without anything that socksify reads."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
    # After su(1) PATH often names folders of the former user, which are EACCES.
    return {**plain, "PATH": "/usr/local/bin:/usr/bin:/bin", **more}


def socksify(*args, env=None, **kwargs):
    """Run it to its end, and to the end of whatever holds its standard output."""
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(
        [SOCKSIFY, *args], env=environment(**(env or {})), capture_output=True, text=True,
        timeout=PATIENCE, check=False, **kwargs)


def cmdlines():
    """What every user of the machine can read of each process."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                yield int(pid), f.read()
        except OSError:
            continue


class Marked:
    """A variable by which the processes that come of one start can be told."""

    def __init__(self):
        self.value = uuid.uuid4().hex
        self.env = {"MARK": self.value}

    def pids(self):
        """The server doesn't let its environment be seen: it is known by its parent."""
        marked, unseen = {}, {}
        for pid, cmdline in cmdlines():
            try:
                with open(f"/proc/{pid}/environ", "rb") as f:
                    if f"MARK={self.value}".encode() in f.read().split(b"\0"):
                        marked[pid] = cmdline
            except PermissionError:
                unseen[pid] = cmdline
            except OSError:
                continue
        for pid, cmdline in unseen.items():
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
                    if int(f.read().rpartition(")")[2].split()[1]) in marked:
                        marked[pid] = cmdline
        return marked.items()


def wait_for_end(pidfd):
    """A process that is not ours to wait for."""
    ready, _, _ = select.select([pidfd], [], [], PATIENCE)
    return bool(ready)


class Case(unittest.TestCase):
    def fails(self, done, status, *words):
        """One line that says it all; more only where the way to --help is shown."""
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stdout, "")
        lines = [line for line in done.stderr.splitlines() if "Try 'socksify --help'" not in line]
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(lines[0].startswith("socksify: "), lines[0])
        for word in words:
            self.assertIn(word, lines[0])
