"""The stories' own programs in other languages: copied for the cell's user, or compiled once."""

import fcntl
import os
import shutil
import subprocess
import tempfile

from harness import Failed, Skipped

HERE = os.path.dirname(os.path.abspath(__file__))


def source(cell, name):
    """The tree itself may be closed to other users."""
    path = cell.path(name)
    shutil.copyfile(os.path.join(HERE, "programs", name), path)
    os.chmod(path, 0o644)
    return path


def built(cell, name, check, command):
    """
    A directory with what the command made; the first cell to ask has it made, among the servers.

    check    a command that shows whether the compiler is usable at all; if not, the cell is skipped
    command  called with the source's path and a directory
    """
    done = os.path.join(cell.kit.scratch, "built-" + name)
    with open(done + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(done):
            probe = subprocess.run(check, capture_output=True, text=True, check=False)
            if probe.returncode != 0:
                raise Skipped(f"{check[0]} does not run: {' '.join(probe.stderr.split())[:200]}")
            work = tempfile.mkdtemp(dir=cell.kit.scratch)
            os.chmod(work, 0o755)
            argv = command(os.path.join(HERE, "programs", name), work)
            made = subprocess.run(argv, capture_output=True, text=True, check=False)
            if made.returncode != 0:
                raise Failed(f"{argv[0]} says:\n{made.stderr}")
            os.rename(work, done)
    return done
