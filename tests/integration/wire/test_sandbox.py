"""What the server may do once it listens: its user, capabilities, and the files that it can still read."""

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import tempfile
import unittest

from test_users import GREETING2, hash_line, userpass
from wire import (PATIENCE, SOCKSIFYD, Peer, Server, ip, needs_netns, recv_exact, request5, until)

DYNAMIC = range(61184, 65520)


def maps_more_than_root():
    with open("/proc/self/uid_map", encoding="ascii") as f:
        return any(int(line.split()[2]) > 1 for line in f)


IS_ROOT = os.geteuid() == 0 and maps_more_than_root()
as_root = unittest.skipUnless(IS_ROOT, "not root, or of a user namespace that maps nobody else")


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def children(pid):
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit() and int(status_of(name)["PPid"]) == pid:
                found.append(int(name))
    return found


def helper_of(server):
    """The process that opens files."""
    return children(server.process.pid)[0]


class Case(unittest.TestCase):
    def serve(self, *options, **kwargs):
        server = Server(*options, **kwargs)
        self.addCleanup(server.stop)
        return server

    def folder(self, mode=0o700):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        os.chmod(folder.name, mode)
        return folder.name

    def put(self, path, text, mode=0o600):
        """A file replaced as editors do it."""
        with open(path + ".new", "w", encoding="ascii") as f:
            os.fchmod(f.fileno(), mode)
            f.write(text)
        os.rename(path + ".new", path)

    def log_in(self, server, user, password):
        with server.connect() as c:
            c.sendall(GREETING2)
            self.assertEqual(recv_exact(c, 2), b"\x05\x02")
            c.sendall(userpass(user, password))
            return recv_exact(c, 2) == b"\x01\x00"

    def assert_powerless(self, pid, uid, gid):
        said = status_of(pid)
        self.assertEqual(said["Uid"].split(), [str(uid)] * 4)
        self.assertEqual(said["Gid"].split(), [str(gid)] * 4)
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(said[kind], 16), 0, kind)
        self.assertEqual(said["NoNewPrivs"], "1")
        return said


class Everybody(Case):
    def test_no_new_privileges_and_no_core(self):
        server = self.serve()
        pid = server.process.pid
        said = status_of(pid)
        self.assertEqual(said["NoNewPrivs"], "1")
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(said[kind], 16), 0, kind)
        with open(f"/proc/{pid}/limits", encoding="ascii") as f:
            self.assertRegex(f.read(), r"Max core file size +0 +0 ")

    def test_the_line_says_what_is_on(self):
        server = self.serve()
        said = status_of(server.process.pid)
        line = server.line(r"^sandbox seccomp=(yes|no) landlock=(\d+|no) user=(\d+)$")
        self.assertEqual(line.group(1) == "yes", said["Seccomp"] == "2")
        self.assertEqual(line.group(3), said["Uid"].split()[0])
        # Who waits for "listening" may read one line.
        self.assertTrue(server.lines[0].startswith("listening"), server.lines)
        # Where the kernel has it.
        if os.path.exists("/proc/sys/kernel/seccomp/actions_avail"):
            self.assertEqual(line.group(1), "yes", server.lines)
        self.assertEqual(line.group(2) == "no", any("without landlock" in one
                                                   for one in server.lines))

    def test_no_sandbox(self):
        server = self.serve("--no-sandbox")
        server.line(r"^sandbox seccomp=no landlock=no user=\d+$")
        said = status_of(server.process.pid)
        self.assertEqual(said["Seccomp"], "0")
        self.assertEqual(said["NoNewPrivs"], "1")
        self.assertFalse([one for one in server.lines if "the sandbox" in one])
        with Peer() as peer, server.connect() as c:
            self.assertEqual(request5(c, "127.0.0.1", peer.port)[0], 0)

    def test_threads_are_held_too(self):
        path = os.path.join(self.folder(), "users")
        self.put(path, hash_line("one", b"first"))
        server = self.serve("--users", path)
        self.assertTrue(self.log_in(server, "one", "first"))
        tasks = os.listdir(f"/proc/{server.process.pid}/task")
        self.assertGreater(len(tasks), 1)
        wanted = status_of(server.process.pid)["Seccomp"]
        for task in tasks:
            with open(f"/proc/{server.process.pid}/task/{task}/status", encoding="ascii") as f:
                said = f.read()
            self.assertRegex(said, rf"Seccomp:\t{wanted}\n")
            self.assertRegex(said, r"NoNewPrivs:\t1\n")

    def test_files_that_were_named_are_read_again(self):
        # Replaced by a rename, by a link to elsewhere, and in a folder that took the place of another.
        folder, other = self.folder(), self.folder()
        path = os.path.join(folder, "in", "hosts")
        os.mkdir(os.path.join(folder, "in"))
        self.put(path, "127.0.0.1 one.test\n")
        server = self.serve("--hosts", path)
        with Peer() as peer:
            def ask(name):
                with server.connect() as c:
                    return request5(c, name, peer.port)[0]

            self.assertEqual(ask(b"one.test"), 0)
            self.put(path, "127.0.0.1 two.test\n")
            self.assertEqual(ask(b"two.test"), 0)
            self.put(os.path.join(other, "hosts"), "127.0.0.1 three.test\n")
            os.symlink(os.path.join(other, "hosts"), path + ".new")
            os.rename(path + ".new", path)
            self.assertEqual(ask(b"three.test"), 0)
            os.rename(os.path.dirname(path), os.path.join(folder, "old"))
            os.mkdir(os.path.dirname(path))
            self.put(path, "127.0.0.1 four.test\n")
            self.assertEqual(ask(b"four.test"), 0)
        self.assertFalse([one for one in server.lines if "hosts" in one and
                          one.startswith("warning")])

    def test_what_kills_it_ends_its_log_too(self):
        # As abort() does: the reader of the log is not kept waiting by the helper.
        server = Server(hosts="127.0.0.1 one.test\n")
        server.signal(signal.SIGABRT)
        self.assertEqual(server.process.wait(PATIENCE), -signal.SIGABRT)
        server.stop()

    def test_user_is_roots_to_give(self):
        if os.geteuid() == 0:
            become = ["setpriv", "--reuid", "1000", "--clear-groups"] if IS_ROOT else None
            if not become:
                self.skipTest("root of a namespace without anybody else")
        else:
            become = []
        done = subprocess.run([*become, "cat", SOCKSIFYD], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False)
        if done.returncode:
            self.skipTest("an ordinary user can't read the program")
        done = subprocess.run([*become, SOCKSIFYD, "--user", "nobody", "--listen", "127.0.0.1:0"],
                              capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r'^socksifyd: --user "nobody": only root ')

    def test_a_namespace_without_other_users_is_told(self):
        if IS_ROOT or os.geteuid() != 0:
            self.skipTest("needs a user namespace that maps root alone")
        server = self.serve()
        hits = [line for line in server.lines if "no other user" in line]
        self.assertEqual(len(hits), 1)
        self.assertTrue(hits[0].startswith("warning "))


@as_root
class Root(Case):
    def test_it_becomes_somebody_that_nobody_is(self):
        server = self.serve(preexec=lambda: os.setgroups([0, 4, 27]))
        uid = int(status_of(server.process.pid)["Uid"].split()[0])
        try:
            own = __import__("pwd").getpwnam("socksifyd").pw_uid
        except KeyError:
            self.assertIn(uid, DYNAMIC)
        else:
            self.assertEqual(uid, own)
        gid = int(status_of(server.process.pid)["Gid"].split()[0])
        said = self.assert_powerless(server.process.pid, uid, gid)
        self.assertEqual(said["Groups"].strip(), "")
        self.assertEqual(int(said["CapBnd"], 16), 0)
        for line in server.lines:
            self.assertFalse(line.startswith("warning"), line)

    def test_user_by_name_and_number(self):
        nobody = __import__("pwd").getpwnam("nobody")
        for said, uid, gid in (("nobody", nobody.pw_uid, nobody.pw_gid),
                               ("61000", 61000, 61000), ("61001:61002", 61001, 61002),
                               (str(nobody.pw_uid), nobody.pw_uid, nobody.pw_gid)):
            server = self.serve("--user", said)
            self.assert_powerless(server.process.pid, uid, gid)
            with Peer() as peer, server.connect() as c:
                self.assertEqual(request5(c, "127.0.0.1", peer.port)[0], 0)

    def test_user_that_makes_no_sense(self):
        for said in ("root", "0", "0:0", "5:0", "0:5", "5:", ":5", "5:x", "-1", "4294967295",
                     "no such user", ""):
            done = subprocess.run([SOCKSIFYD, "--user", said, "--listen", "127.0.0.1:0"],
                                  capture_output=True, text=True, timeout=PATIENCE, check=False)
            self.assertEqual(done.returncode, 2, said)
            self.assertIn(f'--user "{said}": expected ', done.stderr)

    @needs_netns
    def test_a_port_below_1024_is_had_before(self):
        server = self.serve(listen=("127.0.0.1:80",))
        self.assertEqual(server.port, 80)
        self.assertNotEqual(status_of(server.process.pid)["Uid"].split()[0], "0")
        with Peer() as peer, server.connect() as c:
            self.assertEqual(request5(c, "127.0.0.1", peer.port)[0], 0)

    def test_descriptors_are_raised_before(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 4096))

        server = self.serve(preexec=limit)
        with open(f"/proc/{server.process.pid}/limits", encoding="ascii") as f:
            self.assertRegex(f.read(), r"Max open files +4096 +4096 ")

    def test_a_signal_at_the_parents_end_stays(self):
        libc = __import__("ctypes").CDLL(None)
        server = self.serve(preexec=lambda: libc.prctl(1, signal.SIGTERM))
        # Nothing shows it from outside but the end itself, so: a parent that ends.
        script = ("import ctypes, subprocess, sys\n"
                  "p = subprocess.Popen(sys.argv[1:], stderr=subprocess.PIPE, text=True,\n"
                  "                     preexec_fn=lambda: ctypes.CDLL(None).prctl(1, 15))\n"
                  "while not p.stderr.readline().startswith('listening'): pass\n"
                  "print(p.pid, flush=True)\n")
        done = subprocess.run(["python3", "-c", script, SOCKSIFYD, "--listen", "127.0.0.1:0"],
                              capture_output=True, text=True, timeout=PATIENCE, check=True)
        pid = int(done.stdout)
        until(lambda: not os.path.exists(f"/proc/{pid}") or status_of(pid)["State"][0] == "Z",
              "the server goes with its parent")
        self.assertIsNone(server.process.poll())

    def test_a_users_file_of_roots_is_read_again(self):
        path = os.path.join(self.folder(), "users")
        self.put(path, hash_line("one", b"first"))
        server = self.serve("--users", path)
        self.assertTrue(self.log_in(server, "one", "first"))
        self.put(path, hash_line("two", b"second"))
        server.signal(signal.SIGHUP)
        server.line("^reloaded")
        self.assertTrue(self.log_in(server, "two", "second"))
        self.assertFalse(self.log_in(server, "one", "first"))
        os.unlink(path)
        server.signal(signal.SIGHUP)
        server.line("^warning .*the old users stay.* reason=\"No such file")
        self.assertTrue(self.log_in(server, "two", "second"))

    def test_a_hosts_file_of_roots_is_read_again(self):
        for folder in (self.folder(), self.folder(0o755)):
            path = os.path.join(folder, "hosts")
            self.put(path, "127.0.0.1 one.test\n")
            server = self.serve("--hosts", path)
            with Peer() as peer:
                for name in (b"one.test", b"two.test", b"three.test"):
                    with server.connect() as c:
                        self.assertEqual(request5(c, name, peer.port)[0], 0)
                    self.put(path, "127.0.0.1 two.test three.test\n")
            self.assertFalse([line for line in server.lines if line.startswith("warning")])

    def test_a_path_from_a_folder_that_is_roots(self):
        folder = self.folder()
        self.put(os.path.join(folder, "hosts"), "127.0.0.1 one.test\n")
        server = self.serve("--hosts", "hosts", preexec=lambda: os.chdir(folder))
        self.put(os.path.join(folder, "hosts"), "127.0.0.1 two.test\n")
        with Peer() as peer, server.connect() as c:
            self.assertEqual(request5(c, b"two.test", peer.port)[0], 0)

    def test_the_helper_can_read_and_no_more(self):
        server = self.serve(hosts="127.0.0.1 one.test\n")
        pid = helper_of(server)
        said = status_of(pid)
        self.assertEqual(said["Name"], "socksifyd-files")
        self.assertIn(int(said["CapEff"], 16), (0, 4))  # CAP_DAC_READ_SEARCH
        self.assertEqual(int(said["CapBnd"], 16), 0)
        self.assertEqual(said["NoNewPrivs"], "1")
        self.assertEqual(said["Seccomp"], status_of(server.process.pid)["Seccomp"])
        # One socket, and nothing of the log's.
        until(lambda: len(os.listdir(f"/proc/{pid}/fd")) == 1, "the helper has one descriptor")

    def test_the_helper_ends_with_the_server(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            server = Server(hosts="127.0.0.1 one.test\n")
            pid = helper_of(server)
            for taken in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(pid, taken)
            server.signal(number)
            server.process.wait(PATIENCE)
            if number == signal.SIGTERM:
                # No orphan is left to a first process that buries none.
                self.assertFalse(os.path.exists(f"/proc/{pid}"))
            # The log ends with it.
            server.stop()
            until(lambda p=pid: not os.path.exists(f"/proc/{p}") or status_of(p)["State"][0] == "Z",
                  "the helper ends")

    def test_without_the_helper_the_old_contents_stay(self):
        path = os.path.join(self.folder(), "users")
        self.put(path, hash_line("one", b"first"))
        server = self.serve("--users", path)
        os.kill(helper_of(server), signal.SIGKILL)
        for nth in range(2):
            server.signal(signal.SIGHUP)
            server.line("^reloaded", nth)
        self.assertEqual(sum("the process that opens files is lost" in line
                             for line in server.lines), 1)
        self.assertEqual(sum("the old users stay" in line for line in server.lines), 2)
        self.assertTrue(self.log_in(server, "one", "first"))


if __name__ == "__main__":
    unittest.main()
