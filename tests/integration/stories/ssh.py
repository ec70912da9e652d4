"""ssh and scp: a program that closes inherited descriptors, resolves for itself and runs helpers."""

import os

from daemons import ssh_options
from harness import Failed, story
from targets import pattern
import world


@story(needs=["ssh", "sshd"])
def ssh_by_name(cell):
    cell.run(
        ["ssh", *ssh_options(cell), "nobody@shell.test", "echo here; cat"],
        stdin=b"and there\n",
        out="here\nand there\n",
    )


@story(needs=["ssh", "sshd"])
def ssh_by_address(cell):
    cell.run(["ssh", *ssh_options(cell), f"nobody@{world.SHELL4}", "exit 7"], status=7)


def copies(cell, *mode):
    sent = pattern(300_000)
    with open(cell.path("sent"), "wb") as f:
        f.write(sent)
    os.chmod(cell.path("sent"), 0o644)
    # What sshd's user may write to.
    there = os.path.join(cell.kit.fresh_dir("nobody"), "got")
    cell.run(["scp", *mode, "-q", *ssh_options(cell), cell.path("sent"), f"nobody@shell.test:{there}"])
    cell.run(["scp", *mode, "-q", *ssh_options(cell), f"nobody@shell.test:{there}", cell.path("back")])
    with open(cell.path("back"), "rb") as f:
        if f.read() != sent:
            raise Failed("the file came back changed")


@story(needs=["scp", "sshd"])
def scp_there_and_back(cell):
    copies(cell)


@story(needs=["scp", "sshd"])
def scp_old_protocol(cell):
    copies(cell, "-O")
