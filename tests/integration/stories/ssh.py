"""ssh and scp: a program that closes inherited descriptors, resolves for itself and runs helpers."""

import os

from harness import Failed, story
from targets import pattern
import world


def options(cell):
    # ssh wants a private key that is nobody else's.
    key = cell.path("key")
    with open(os.path.join(cell.kit.scratch, "user_key"), "rb") as f, open(key, "wb") as to:
        to.write(f.read())
    os.chmod(key, 0o600)
    cell.kit.owned(key, cell.user)
    words = [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        f"UserKnownHostsFile={cell.kit.scratch}/known_hosts",
        "GlobalKnownHostsFile=/dev/null",
        "ConnectTimeout=15",
        "GSSAPIAuthentication=no",
    ]
    return ["-F", "none", "-i", key, *(x for w in words for x in ("-o", w))]


@story(needs=["ssh", "sshd"])
def ssh_by_name(cell):
    cell.run(
        ["ssh", *options(cell), "nobody@shell.test", "echo here; cat"],
        stdin=b"and there\n",
        out="here\nand there\n",
    )


@story(needs=["ssh", "sshd"])
def ssh_by_address(cell):
    cell.run(["ssh", *options(cell), f"nobody@{world.SHELL4}", "exit 7"], status=7)


def copies(cell, *mode):
    sent = pattern(300_000)
    with open(cell.path("sent"), "wb") as f:
        f.write(sent)
    os.chmod(cell.path("sent"), 0o644)
    # What sshd's user may write to.
    there = os.path.join(cell.kit.fresh_dir("nobody"), "got")
    cell.run(["scp", *mode, "-q", *options(cell), cell.path("sent"), f"nobody@shell.test:{there}"])
    cell.run(["scp", *mode, "-q", *options(cell), f"nobody@shell.test:{there}", cell.path("back")])
    with open(cell.path("back"), "rb") as f:
        if f.read() != sent:
            raise Failed("the file came back changed")


@story(needs=["scp", "sshd"])
def scp_there_and_back(cell):
    copies(cell)


@story(needs=["scp", "sshd"])
def scp_old_protocol(cell):
    copies(cell, "-O")
