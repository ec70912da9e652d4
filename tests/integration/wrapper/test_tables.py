#!/usr/bin/env python3
"""Tables of names: the wrapper removes those that no program has any more, and no others."""

import os
import subprocess
import tempfile
import unittest

import wrapper
from wrapper import SOCKSIFY, environment

PYTHON = "/usr/bin/python3"
LOOK_UP = "import socket, sys; socket.getaddrinfo('tables.test', 80); print(flush=True); sys.stdin.read()"
LONG_AGO = (1_000_000, 1_000_000)


@unittest.skipUnless(wrapper.PRELOADABLE, "a sanitizer's runtime can't start behind a library")
class Tables(wrapper.Case):
    def setUp(self):
        self.run_dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.run_dir.cleanup)
        self.folder = os.path.join(self.run_dir.name, "socksify")

    def start(self):
        """A program under the wrapper that has its names and waits. Returns it and its table."""
        before = self.tables()
        child = subprocess.Popen(
            [SOCKSIFY, PYTHON, "-c", LOOK_UP], env=environment(XDG_RUNTIME_DIR=self.run_dir.name),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(child.stdout.close)
        child.stdout.readline()
        new = self.tables() - before
        self.assertEqual(len(new), 1)
        return child, new.pop()

    def end(self, child):
        child.stdin.close()
        self.assertEqual(child.wait(wrapper.PATIENCE), 0)

    def tables(self):
        if not os.path.isdir(self.folder):
            return set()
        return {n for n in os.listdir(self.folder) if n.startswith("names.")}

    def collect_later(self):
        """As if the last look, and all files, were long ago."""
        for name in os.listdir(self.folder):
            path = os.path.join(self.folder, name)
            # The time of access is the mark that a table was found unused before.
            os.utime(path, (os.stat(path).st_atime, LONG_AGO[1]))
        result = subprocess.run(
            [SOCKSIFY, "true"], env=environment(XDG_RUNTIME_DIR=self.run_dir.name), check=False,
            timeout=wrapper.PATIENCE, capture_output=True)
        self.assertEqual((result.returncode, result.stderr), (0, b""))

    def test_tables_that_nobody_maps_are_collected(self):
        done, old = self.start()
        at_work, held = self.start()
        killed, orphan = self.start()
        self.end(done)
        killed.kill()
        killed.wait(wrapper.PATIENCE)
        killed.stdin.close()
        # Not at once: a program may be in the midst of becoming another one.
        self.collect_later()
        self.assertEqual(self.tables(), {old, held, orphan})
        self.collect_later()
        self.assertEqual(self.tables(), {held})
        self.end(at_work)
        self.collect_later()
        self.collect_later()
        self.assertEqual(self.tables(), set())

    def test_a_look_is_not_repeated_at_once(self):
        child, table = self.start()
        self.end(child)
        for _ in range(5):
            self.end(self.start()[0])
        self.assertEqual(len(self.tables()), 6)
        self.assertIn(table, self.tables())


if __name__ == "__main__":
    unittest.main()
