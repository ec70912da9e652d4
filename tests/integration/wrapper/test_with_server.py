#!/usr/bin/env python3
"""--with-server: a server for the life of one program, of which the program notices nothing."""

import http.server
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

import wrapper
from wrapper import BUILD, SOCKSIFY, environment, socksify

# What a program can see of itself; a blocked SIGCHLD would stay pending.
LOOK = """
import os, signal
try:
    os.waitpid(-1, os.WNOHANG)
    print("a child")
except ChildProcessError:
    print("no child")
print(sorted(os.listdir("/proc/self/fd")))
print(os.getpgrp() == os.getpid(), os.getsid(0) == os.getpid())
print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), sorted(signal.sigpending()))
print([signal.getsignal(n) for n in (signal.SIGCHLD, signal.SIGINT, signal.SIGHUP)])
"""


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *args):
        pass


class WithServer(wrapper.Case):
    def start(self):
        """A program that says that it is there, and waits for its input to end."""
        self.mark = wrapper.Marked()
        program = subprocess.Popen(
            [SOCKSIFY, "--with-server", "sh", "-c", 'echo "$SOCKSIFY_PROXY"; read x'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
            env=environment(**self.mark.env))
        self.addCleanup(program.stdout.close)
        self.addCleanup(program.stdin.close)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        url = re.fullmatch(r"socks5h://(\w+):(\w+)@127\.0\.0\.1:(\d+)\n", program.stdout.readline())
        self.assertIsNotNone(url)
        self.user, self.password, self.port = url[1], url[2], int(url[3])
        found = dict(self.mark.pids())
        self.server = [pid for pid, shown in found.items() if shown.startswith(b"socksifyd\0")]
        self.assertEqual(len(self.server), 1, found)
        self.watchers = set(found) - {program.pid, *self.server}
        self.assertEqual(len(self.watchers), 1, found)
        self.pidfds = [os.pidfd_open(pid) for pid in (*self.server, *self.watchers)]
        for pidfd in self.pidfds:
            self.addCleanup(os.close, pidfd)
        return program

    def all_gone(self):
        return all(wrapper.wait_for_end(pidfd) for pidfd in self.pidfds)

    def test_a_program_talks_through_it(self):
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as httpd:
            threading.Thread(target=httpd.serve_forever, daemon=True).start()
            url = f"http://127.0.0.1:{httpd.server_address[1]}/"
            fetch = ["python3", "-c",
                     "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read())", url]
            env = {"SOCKSIFY_LOOPBACK": "proxy"}
            with socket.socket() as closed:
                closed.bind(("127.0.0.1", 0))
                nowhere = f"socks5h://127.0.0.1:{closed.getsockname()[1]}"
                self.assertNotEqual(socksify("-qx", nowhere, *fetch, env=env).returncode, 0)
            done = socksify("--with-server", *fetch, env=env)
            httpd.shutdown()
        self.assertEqual(done.stdout, "b'hello'\n", done.stderr)
        self.assertEqual(done.stderr, "")

    def test_it_ends_with_the_program(self):
        program = self.start()
        program.stdin.close()
        self.assertEqual(program.wait(wrapper.PATIENCE), 1)
        self.assertTrue(self.all_gone())

    def test_it_ends_when_the_program_is_killed(self):
        program = self.start()
        program.kill()
        self.assertEqual(program.wait(wrapper.PATIENCE), -signal.SIGKILL)
        self.assertTrue(self.all_gone())

    def test_it_ends_when_its_watcher_is_killed(self):
        self.start()
        os.kill(self.watchers.pop(), signal.SIGKILL)
        self.assertTrue(self.all_gone())

    def test_ctrl_c_is_the_programs_alone(self):
        program = self.start()
        for pid in (*self.server, *self.watchers):
            self.assertNotEqual(os.getsid(pid), os.getsid(program.pid))
            self.assertNotEqual(os.getpgid(pid), os.getpgid(program.pid))

    def test_its_password_is_in_no_argument_list(self):
        self.start()
        for pid, shown in wrapper.cmdlines():
            self.assertNotIn(self.password.encode(), shown, pid)

    def test_nobody_else_can_use_it(self):
        self.start()
        for greeting, answer in ((b"\5\1\0", b"\5\xff"), (b"\5\1\2", b"\5\2")):
            with socket.create_connection(("127.0.0.1", self.port), wrapper.PATIENCE) as c:
                c.sendall(greeting)
                self.assertEqual(c.recv(2), answer)
                if answer == b"\5\2":
                    c.sendall(b"\1\1x\1y")
                    self.assertNotEqual(c.recv(2)[1:], b"\0")

    def test_a_pipeline_ends_with_the_program(self):
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        done = socksify("--with-server", "echo", "hello", pass_fds=[write])
        os.close(write)
        self.assertEqual((done.stdout, done.stderr), ("hello\n", ""))
        self.assertEqual(os.read(read, 1), b"")

    def test_the_program_sees_nothing_of_it(self):
        def block():
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])

        seen = [socksify(*args, "python3", "-c", LOOK, start_new_session=True,
                         preexec_fn=block).stdout for args in ([], ["--with-server"])]
        self.assertIn("no child", seen[0])
        self.assertEqual(*seen)

    def test_closed_standard_descriptors_stay_closed(self):
        look = "import os; print(sorted(os.listdir('/proc/self/fd')))"
        for closing in ("<&-", "2>&-", "<&- 2>&-"):
            seen = [subprocess.run(
                ["sh", "-c", f'"$@" {closing}', "sh", SOCKSIFY, *args, "python3", "-c", look],
                env=environment(), capture_output=True, text=True, timeout=wrapper.PATIENCE,
                check=False).stdout for args in ([], ["--with-server"])]
            self.assertNotEqual(seen[0], "")
            self.assertEqual(*seen)

    def test_nothing_is_started_for_a_program_that_is_not_there(self):
        mark = wrapper.Marked()
        self.fails(socksify("--with-server", "no-such-program", env=mark.env), 127)
        self.assertEqual(list(mark.pids()), [])

    def test_its_status_is_the_programs(self):
        self.assertEqual(socksify("--with-server", "sh", "-c", "exit 9").returncode, 9)


class Incomplete(wrapper.Case):
    """A tree that was moved, with a server that fails, or none."""

    def setUp(self):
        self.tree = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.tree)
        for name in ("wrapper/socksify", "preload/libsocksify.so"):
            os.makedirs(os.path.join(self.tree, os.path.dirname(name)))
            shutil.copy(os.path.join(BUILD, "src", name), os.path.join(self.tree, name))
        self.wrapper = os.path.join(self.tree, "wrapper", "socksify")

    def run_it(self):
        return subprocess.run(
            [self.wrapper, "--with-server", "true"], env=environment(), capture_output=True,
            text=True, timeout=wrapper.PATIENCE, check=False)

    def put_server(self, text):
        path = os.path.join(self.tree, "server", "socksifyd")
        os.mkdir(os.path.dirname(path))
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(path, 0o755)

    def test_a_moved_tree_keeps_together(self):
        done = subprocess.run([self.wrapper, "printenv", "LD_PRELOAD"], env=environment(),
                              capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.strip(),
                         os.path.realpath(os.path.join(self.tree, "preload/libsocksify.so")))

    def test_a_server_that_fails_is_heard(self):
        self.put_server("#!/bin/sh\necho something broke >&2\nexit 3\n")
        done = self.run_it()
        self.assertEqual(done.returncode, 125)
        self.assertIn("did not start", done.stderr)
        self.assertIn("something broke", done.stderr)

    def test_a_server_that_is_no_program_is_named(self):
        self.put_server("not a program\n")
        os.chmod(os.path.join(self.tree, "server", "socksifyd"), 0o644)
        done = self.run_it()
        self.assertEqual(done.returncode, 125)
        self.assertIn("server/socksifyd", done.stderr)


if __name__ == "__main__":
    unittest.main()
