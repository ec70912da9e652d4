"""rsync: to its own daemon, and over ssh, which it starts and talks to through pipes."""

import os
import shlex

from daemons import BIG, ssh_options
from harness import Failed, matrix


def same(path, data):
    with open(path, "rb") as f:
        if f.read() != data:
            raise Failed(f"{os.path.basename(path)} differs from what was sent")


@matrix(at="store", needs=["rsync"])
def rsync_daemon(cell, host):
    cell.run(["rsync", "-q", f"rsync://{host}/story/big", "got"])
    same(cell.path("got"), BIG)


@matrix(at="shell", needs=["rsync", "ssh", "sshd"])
def rsync_over_ssh(cell, host):
    with open(cell.path("sent"), "wb") as f:
        f.write(BIG)
    os.chmod(cell.path("sent"), 0o644)
    # What sshd's user may write to.
    there = os.path.join(cell.kit.fresh_dir("nobody"), "got")
    shell = shlex.join(["ssh", *ssh_options(cell)])
    cell.run(["rsync", "-q", "-e", shell, "sent", f"nobody@{host}:{there}"])
    cell.run(["rsync", "-q", "-e", shell, f"nobody@{host}:{there}", "back"])
    same(cell.path("back"), BIG)
