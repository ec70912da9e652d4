#!/usr/bin/env python3
"""No file of the tree names a place of one person's machine, has loose ends, or C over 100 columns.

Usage: paths.py TREE
"""

import os
import re
import subprocess
import sys

MACHINE = re.compile(r"(?:^|[^\w.-])(/(?:root|work|farm|Users|home/\w+)/[^\s\"']*)", re.M)
COLUMNS = 100  # a tab is eight of them
LOOSE = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")) + r")\b")


def files(tree):
    """What git knows, or would know; without git, all but hidden folders and builds."""
    done = subprocess.run(
        [
            "git",
            "-C",
            tree,
            "-c",
            f"safe.directory={os.path.abspath(tree)}",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ],
        capture_output=True,
        check=False,
    )
    if done.returncode == 0 and done.stdout:
        return sorted({name for name in done.stdout.decode().split("\0") if name})
    found = []
    for folder, dirs, names in os.walk(tree):
        dirs[:] = [d for d in dirs if not d.startswith((".git", "build"))]
        found += [os.path.relpath(os.path.join(folder, n), tree) for n in names]
    return sorted(found)


def main():
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    faults, seen = [], 0
    for path in files(sys.argv[1]):
        try:
            with open(os.path.join(sys.argv[1], path), encoding="utf-8") as f:
                text = f.read()
        except (OSError, UnicodeDecodeError):
            continue  # deleted, or octets such as a fuzzer's seed
        seen += 1
        for number, line in enumerate(text.splitlines(), 1):
            place = MACHINE.search(line)
            if place:
                faults.append(f"{path}:{number}: names {place.group(1)}")
            if path.endswith((".c", ".h", ".def")) and len(line.expandtabs(8)) > COLUMNS:
                faults.append(f"{path}:{number}: {len(line.expandtabs(8))} columns, at most {COLUMNS}")
            if LOOSE.search(line):
                faults.append(f"{path}:{number}: a loose end: {line.strip()[:80]}")
    print(*faults, sep="\n", end="\n" if faults else "")
    return 1 if faults or not seen else 0


if __name__ == "__main__":
    sys.exit(main())
