#!/usr/bin/env python3
"""
The wire tests: run.py [SOCKSIFYD] [unittest's arguments]. They run in a network namespace of their
own; where none can be made, the tests that need one are skipped, with the reason.
"""

import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True


def enter_namespace():
    """Run this script again inside one, or say why not in WIRE_NETNS."""
    if "WIRE_NETNS" in os.environ:
        return
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    try:
        probe = subprocess.run([*unshare, "ip", "link", "set", "lo", "up"], capture_output=True,
                               text=True, check=False)
        why = probe.stderr.strip() if probe.returncode else ""
    except OSError as e:
        why = str(e)
    if why:
        os.environ["WIRE_NETNS"] = f"no network namespace: {why}"
        return
    os.environ["WIRE_NETNS"] = "yes"
    script = 'ip link set lo up && exec "$@"'
    os.execvp(unshare[0], [*unshare, "sh", "-c", script, "sh", sys.executable,
                           os.path.join(HERE, "run.py"), *sys.argv[1:]])


def main():
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-") and os.path.isfile(sys.argv[1]):
        os.environ["SOCKSIFYD"] = os.path.abspath(sys.argv.pop(1))
    enter_namespace()
    os.chdir(HERE)
    sys.path.insert(0, HERE)
    if len(sys.argv) > 1:
        unittest.main(module=None, verbosity=2)
        return
    suite = unittest.defaultTestLoader.discover(HERE, pattern="test_*.py")
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
