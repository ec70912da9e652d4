"""PROTOCOL items 20 and 68 to 74: users and their passwords; the file of --users, and --hash."""

import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time
import unittest

from wire import (FAILURE5, PATIENCE, SOCKSIFYD, Case, Peer, Server, Settings, drip, needs_netns,
                  read_reply4, read_reply5, recv_all, recv_exact, socks4, socks4a, socks5, until)

TIOCGPTN = 0x80045430  # Linux; Python's termios has it from 3.13 on
GREETING2 = b"\x05\x01\x02"
RIGHT = "open sesame"


def hash_line(name, password):
    """What socksifyd --hash makes of them."""
    done = subprocess.run([SOCKSIFYD, "--hash", name], input=password + b"\n", capture_output=True,
                          timeout=PATIENCE, check=True)
    return done.stdout.decode()


def userpass(user, password, version=1):
    user = user if isinstance(user, bytes) else user.encode()
    password = password if isinstance(password, bytes) else password.encode()
    return bytes([version, len(user)]) + user + bytes([len(password)]) + password


class UsersCase(Case):
    LINES = {"sesame": RIGHT.encode()}

    @classmethod
    def setUpClass(cls):
        text = "# who may come\n\n" + "".join(hash_line(*one) for one in cls.LINES.items())
        cls.users = Settings(text)
        cls.server = Server("--users", cls.users.name, hosts="127.0.0.1 one.test\n")

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.users.file.close()

    def log_in(self, sock, user="sesame", password=RIGHT):
        """The status."""
        sock.sendall(GREETING2)
        self.assertEqual(recv_exact(sock, 2), b"\x05\x02")
        sock.sendall(userpass(user, password))
        return recv_exact(sock, 2)

    def clear(self):
        """A login that is right, so that what others did wrong slows nobody."""
        with self.server.connect() as c:
            self.assertEqual(self.log_in(c), b"\x01\x00")


class Login(UsersCase):
    def setUp(self):
        self.clear()

    def test_20_users_are_demanded(self):
        for methods in (b"\x02", b"\x00\x02", b"\x02\x00", b"\x01\x00\x02\x80"):
            with self.server.connect() as c:
                c.sendall(bytes([5, len(methods)]) + methods)
                self.assertEqual(recv_exact(c, 2), b"\x05\x02")

    def test_20_without_the_offer_none_is_acceptable(self):
        for methods in (b"\x00", b"\x01", b"\x00\x01\x80"):
            with self.server.connect() as c:
                c.sendall(bytes([5, len(methods)]) + methods)
                self.assertEqual(recv_exact(c, 2), b"\x05\xff")
                self.assert_eof(c)

    def test_the_right_password_opens_a_tunnel(self):
        with Peer() as peer:
            for _ in range(3):
                with self.server.connect() as c:
                    self.assertEqual(self.log_in(c), b"\x01\x00")
                    c.sendall(socks5(b"one.test", peer.port))
                    self.assertEqual(read_reply5(c)[0], 0)
                    with peer.accept() as p:
                        self.assert_carries(c, p)
        self.server.line(r"^open id=\d+ client=\S+ version=5 user=sesame target=one\.test:")

    def test_68_wrong_user_and_wrong_password_are_alike(self):
        for user, password in (("sesame", "wrong"), ("nobody", RIGHT), ("nobody", "wrong"),
                               ("sesame", RIGHT + "x"), ("sesame", RIGHT[:-1]),
                               ("sesame", RIGHT + "\0"), ("Sesame", RIGHT), ("sesame\0", RIGHT)):
            with self.server.connect() as c:
                self.assertEqual(self.log_in(c, user, password), b"\x01\x01", (user, password))
                self.assert_eof(c)
            self.clear()

    def test_69_another_version_is_a_failure(self):
        for version in (0, 2, 5, 255):
            with self.server.connect() as c:
                c.sendall(GREETING2 + userpass("sesame", RIGHT, version))
                self.assertEqual(recv_all(c), b"\x05\x02\x01\x01")
            self.clear()

    def test_70_nothing_is_no_user_and_no_password(self):
        for user, password in (("", RIGHT), ("sesame", ""), ("", "")):
            with self.server.connect() as c:
                self.assertEqual(self.log_in(c, user, password), b"\x01\x01")
                self.assert_eof(c)
            self.clear()

    def test_72_a_request_behind_wrong_credentials_is_never_executed(self):
        with Peer() as peer:
            for user, password in (("sesame", "wrong"), ("nobody", RIGHT), ("", "")):
                with self.server.connect() as c:
                    c.sendall(GREETING2 + userpass(user, password) +
                              socks5("127.0.0.1", peer.port) + b"data")
                    self.assertEqual(recv_all(c), b"\x05\x02\x01\x01")
                self.clear()
            peer.sock.setblocking(False)
            self.assertRaises(BlockingIOError, peer.accept)

    def test_73_all_in_one_segment(self):
        # The second time the credentials are remembered.
        self.server.signal(signal.SIGHUP)
        with Peer() as peer:
            for early in (b"", b"data", b"data" * 5000):
                with self.server.connect() as c:
                    c.sendall(GREETING2 + userpass("sesame", RIGHT) +
                              socks5(b"one.test", peer.port) + early)
                    self.assertEqual(recv_exact(c, 4), b"\x05\x02\x01\x00")
                    self.assertEqual(read_reply5(c)[0], 0)
                    with peer.accept() as p:
                        self.assertEqual(recv_exact(p, len(early)), early)
                        self.assert_carries(c, p)

    def test_41_an_octet_at_a_time(self):
        with Peer() as peer, self.server.connect() as c:
            drip(c, GREETING2 + userpass("sesame", RIGHT) + socks5("127.0.0.1", peer.port) + b"x")
            self.assertEqual(recv_exact(c, 4), b"\x05\x02\x01\x00")
            self.assertEqual(read_reply5(c)[0], 0)
            with peer.accept() as p:
                self.assertEqual(recv_exact(p, 1), b"x")

    def test_a_request_may_fail_after_the_login(self):
        with self.server.connect() as c:
            self.assertEqual(self.log_in(c), b"\x01\x00")
            c.sendall(socks5("127.0.0.1", 0))
            self.assertEqual(read_reply5(c), (1, *FAILURE5))
            self.assert_eof(c)
        self.server.line("^failed .*user=sesame stage=handshake reply=01 ")

    def test_socks4_has_no_password_and_gets_5b(self):
        with Peer() as peer:
            for message in (socks4("127.0.0.1", peer.port), socks4a("one.test", peer.port),
                            socks4("127.0.0.1", peer.port, b"sesame")):
                with self.server.connect() as c:
                    c.sendall(message)
                    self.assertEqual(read_reply4(c)[0], 0x5b)
                    self.assert_eof(c)
            peer.sock.setblocking(False)
            self.assertRaises(BlockingIOError, peer.accept)

    def test_a_client_may_leave_while_it_is_judged(self):
        for _ in range(4):
            with self.server.connect() as c:
                c.sendall(GREETING2 + userpass("nobody", "wrong"))
                c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.clear()


class AnyOctets(UsersCase):
    EVERY = bytes(range(1, 256))
    LINES = {"sesame": RIGHT.encode(), "p" * 255: EVERY.replace(b"\n", b"\r")}

    def test_71_255_octets_of_both(self):
        long = self.EVERY.replace(b"\n", b"\r")
        with self.server.connect() as c:
            self.assertEqual(self.log_in(c, "p" * 255, long), b"\x01\x00")
        for user, password in (("p" * 254, long), ("p" * 255, long[:-1]),
                               ("p" * 255, long[:-1] + b"!")):
            with self.server.connect() as c:
                self.assertEqual(self.log_in(c, user, password), b"\x01\x01")

    def test_71_any_octet_in_a_name(self):
        for name in (self.EVERY, bytes(range(254, -1, -1)), b"#\\x41: "):
            written = "".join(f"\\x{octet:02X}" for octet in name)
            line = written + ":" + hash_line("x", b"pass").split(":", 1)[1]
            with Settings(line) as users, Server("--users", users.name) as server:
                with server.connect() as c:
                    self.assertEqual(self.log_in(c, name, "pass"), b"\x01\x00")

    def test_71_a_name_comes_back_as_it_was_given(self):
        name = "#ü\\ :x "
        with Settings(hash_line(name, b"pass")) as users, Server("--users", users.name) as server:
            with server.connect() as c:
                self.assertEqual(self.log_in(c, name, "pass"), b"\x01\x00")


class Slow(UsersCase):
    def wrong_from(self, source, user="mallory"):
        c = self.server.connect(source_address=(source, 0))
        c.sendall(GREETING2 + userpass(user, "guess"))
        return c

    def test_74_eight_wrong_ones_in_a_row_take_a_second(self):
        start = time.monotonic()
        for n in range(8):
            with self.wrong_from("127.0.0.3") as c:
                self.assertEqual(recv_all(c), b"\x05\x02\x01\x01", n)
        self.assertGreaterEqual(time.monotonic() - start, 1)

    def test_74_eight_at_once_gain_nothing_and_hold_up_nobody_else(self):
        start = time.monotonic()
        crowd = [self.wrong_from("127.0.0.4") for _ in range(8)]
        with self.server.connect(source_address=("127.0.0.5", 0)) as c:
            self.assertEqual(self.log_in(c), b"\x01\x00")
        waiting = [c for c in crowd if not select.select([c], [], [], 0)[0] or
                   len(c.recv(4, socket.MSG_PEEK)) < 4]
        self.assertTrue(waiting, "all eight were told before another source's login was")
        for c in crowd:
            with c:
                self.assertEqual(recv_all(c), b"\x05\x02\x01\x01")
        self.assertGreaterEqual(time.monotonic() - start, 1)

    def test_74_a_right_one_wakes_those_that_wait(self):
        crowd = [self.wrong_from("127.0.0.6") for _ in range(3)]
        crowd += [self.server.connect(source_address=("127.0.0.6", 0)) for _ in range(20)]
        for c in crowd[3:]:
            c.sendall(GREETING2 + userpass("sesame", RIGHT))
        for n, c in enumerate(crowd):
            with c:
                self.assertEqual(recv_exact(c, 4), b"\x05\x02\x01" + bytes([n < 3]))

    def test_74_the_log_names_source_and_user_and_no_password(self):
        with self.server.connect(source_address=("127.0.0.7", 0)) as c:
            self.assertEqual(self.log_in(c, 'm "x=\n', "Pa55word"), b"\x01\x01")
        line = self.server.line(r"^failed .*client=127\.0\.0\.7:\d+ .*$").group()
        self.assertRegex(line, r' user="m \\"x=\\x0a" stage=login '
                               r'reason="wrong user or password" ms=\d+$')
        self.assertFalse([one for one in self.server.lines if "Pa55word" in one or RIGHT in one])

    def test_42_one_deadline_for_all_of_it(self):
        with Settings("") as users, Server("--users", users.name, "--handshake-timeout",
                                            "1") as server:
            crowd = []
            for _ in range(9):
                crowd.append(server.connect())
                crowd[-1].sendall(GREETING2 + userpass("nobody", "x"))
            answers = [recv_all(c) for c in crowd]
            self.assertIn(b"\x05\x02", answers)
            server.line("^failed .*user=nobody.* reason=\"the handshake took too long\"")
            for c in crowd:
                c.close()


class File(unittest.TestCase):
    def log_in(self, server, user, password):
        with server.connect() as c:
            c.sendall(GREETING2 + userpass(user, password))
            return recv_exact(c, 4)[3] == 0

    def test_hup_brings_new_users_and_nobody_is_cut_off(self):
        with Settings(hash_line("old", b"one")) as users, Peer() as peer, \
                Server("--users", users.name) as server, server.connect() as c:
            c.sendall(GREETING2 + userpass("old", "one") + socks5("127.0.0.1", peer.port))
            self.assertEqual(recv_exact(c, 4), b"\x05\x02\x01\x00")
            self.assertEqual(read_reply5(c)[0], 0)
            with peer.accept() as p:
                users.write(hash_line("new", b"two"))
                server.signal(signal.SIGHUP)
                server.line("^reloaded$")
                self.assertFalse(self.log_in(server, "old", "one"))
                self.assertTrue(self.log_in(server, "new", "two"))
                c.sendall(b"still")
                self.assertEqual(recv_exact(p, 5), b"still")

    def test_hup_with_a_bad_file_keeps_the_old_users(self):
        with Settings(hash_line("old", b"one")) as users, Server("--users", users.name) as server:
            users.write("# broken\nnew:secret-in-the-clear\n")
            server.signal(signal.SIGHUP)
            line = server.line("^warning .*old users stay.*$").group()
            self.assertIn(" line=2 ", line)
            self.assertNotIn("secret", line)
            server.line("^reloaded$")
            self.assertTrue(self.log_in(server, "old", "one"))

    def test_what_others_can_read_is_told(self):
        with Settings(hash_line("a", b"b")) as users:
            os.chmod(users.name, 0o644)
            with Server("--users", users.name) as server:
                self.assertIn(users.name, server.line("^warning .*can read the users file.*").group())

    def test_the_end_waits_for_no_hash(self):
        # A hash like this one takes half an hour.
        with Settings("a:$6$rounds=999999999$abc$" + "A" * 86) as users:
            server = Server("--users", users.name)
            with server.connect() as c, server.connect() as other:
                for one in (c, other):
                    one.sendall(GREETING2 + userpass("a", "b"))
                    self.assertEqual(recv_exact(one, 2), b"\x05\x02")
                until(lambda: len(os.listdir(f"/proc/{server.process.pid}/task")) > 1, "a thread")
                self.assertEqual(server.stop(), 0)

    def test_a_malformed_line_is_named_and_never_shown(self):
        good = hash_line("a", b"b").strip().split(":")[1]
        for line, wrong, right in (
                ("nocolon", 'no ":"', "NAME:HASH"), (":" + good, "no name", "NAME:HASH"),
                ("u:", "no hash", "--hash"), ("u:plain", "no hash", "--hash"),
                ("u:" + good[:-1], "not all of it", "--hash"), ("u:!" + good, "no hash", "--hash"),
                ("u:" + good + ":1:2", 'more than one ":"', "nothing more"),
                (" u:" + good, "white space", "\\x20"), ("u\\q:" + good, "backslash", "\\xHH"),
                ("u\t:" + good, "white space", ""), ("u\x01:" + good, "control", "\\xHH"),
                ("n" * 256 + ":" + good, "too long", "255"), ("a:" + good, "before", "one line")):
            with Settings(f"# users\na:{good}\n\n{line}\n") as users:
                done = subprocess.run([SOCKSIFYD, "--listen", "127.0.0.1:0", "--users", users.name],
                                      capture_output=True, text=True, timeout=10, check=False)
                self.assertEqual(done.returncode, 2, line)
                self.assertRegex(done.stderr, rf'^socksifyd: --users "{users.name}": line 4: ')
                self.assertIn(wrong, done.stderr)
                self.assertIn(right, done.stderr)
                self.assertNotIn(good[:20], done.stderr)

    def test_a_file_that_is_none(self):
        with tempfile.TemporaryDirectory() as folder:
            for path in (folder, "/dev/zero", folder + "/gone"):
                done = subprocess.run([SOCKSIFYD, "--listen", "127.0.0.1:0", "--users", path],
                                      capture_output=True, text=True, timeout=10, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn(f'--users "{path}"', done.stderr)

    def test_users_are_enough_to_serve_a_network(self):
        with Settings(hash_line("a", b"b")) as users:
            with Server("--users", users.name, listen=("0.0.0.0:0",)) as server:
                self.assertTrue(self.log_in(server, "a", "b"))

    @needs_netns
    def test_with_allow_both_must_hold(self):
        with Settings(hash_line("a", b"b")) as users:
            with Server("--users", users.name, "--allow", "127.0.0.2", listen=("0.0.0.0:0",)) as server:
                with server.connect(source_address=("127.0.0.2", 0)) as c:
                    c.sendall(GREETING2 + userpass("a", "wrong"))
                    self.assertEqual(recv_all(c), b"\x05\x02\x01\x01")
                with server.connect(source_address=("127.0.0.3", 0)) as c:
                    try:
                        self.assertEqual(recv_all(c), b"")
                    except ConnectionResetError:
                        pass
                server.line("^refused client=127.0.0.3:")


class Hash(unittest.TestCase):
    def run_it(self, data, *args):
        return subprocess.run([SOCKSIFYD, "--hash", *args], input=data, capture_output=True,
                              timeout=10, check=False)

    def test_the_first_line_is_the_password(self):
        for data in (b"pass", b"pass\n", b"pass\nmore\n"):
            done = self.run_it(data, "me")
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            with Settings(done.stdout.decode()) as users, Server("--users", users.name) as server, \
                    server.connect() as c:
                c.sendall(GREETING2 + userpass("me", "pass"))
                self.assertEqual(recv_exact(c, 4), b"\x05\x02\x01\x00")

    def test_without_a_name_it_is_the_hash_alone(self):
        self.assertRegex(self.run_it(b"pass").stdout, rb"^\$y\$[^:]+\n$")
        self.assertRegex(self.run_it(b"pass", "--quiet").stdout, rb"^\$y\$[^:]+\n$")

    def test_what_can_be_no_password_is_told(self):
        for data, cause in ((b"", b"empty"), (b"\n", b"empty"), (b"x" * 256, b"255"),
                            (b"x" * 5000 + b"\n", b"255"), (b"a\0b\n", b"value 0")):
            done = self.run_it(data, "me")
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertTrue(done.stderr.startswith(b"socksifyd: --hash: "))
            self.assertIn(cause, done.stderr)
        self.assertEqual(self.run_it(b"x" * 255).returncode, 0)

    def on_terminal(self):
        """(pid, our end) of a socksifyd --hash on a terminal of its own."""
        pid, fd = pty.fork()
        if pid == 0:
            # Ignored in what a shell runs in its background.
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            os.execl(SOCKSIFYD, SOCKSIFYD, "--hash", "me")
        self.addCleanup(os.close, fd)
        return pid, fd

    def read_until(self, fd, what):
        got = b""
        while what not in got:
            self.assertTrue(select.select([fd], [], [], PATIENCE)[0], got)
            got += os.read(fd, 1024)
        return got

    def echoes(self, fd):
        return bool(termios.tcgetattr(fd)[3] & termios.ECHO)

    def test_on_a_terminal_it_asks_twice_unseen(self):
        for second, status in ((b"geheim\n", 0), (b"anders\n", 1)):
            pid, fd = self.on_terminal()
            got = self.read_until(fd, b"Password: ")
            self.assertFalse(self.echoes(fd))
            os.write(fd, b"geheim\n")
            got += self.read_until(fd, b"Again: ")
            os.write(fd, second)
            got += self.read_until(fd, b"me:$y$" if status == 0 else b"different")
            self.assertNotIn(b"geheim", got)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), status)

    def test_a_signal_brings_the_echo_back(self):
        for key, number in ((b"\x03", signal.SIGINT), (b"\x1c", signal.SIGQUIT),
                            (None, signal.SIGTERM)):
            pid, fd = self.on_terminal()
            # A terminal forgets its settings with its last user.
            keep = self.other_end(fd)
            self.read_until(fd, b"Password: ")
            until(lambda f=keep: not self.echoes(f), "the echo is off")
            if key:
                os.write(fd, key)
            else:
                os.kill(pid, number)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), -number)
            self.assertTrue(self.echoes(keep))

    def other_end(self, fd):
        number, = struct.unpack("I", fcntl.ioctl(fd, TIOCGPTN, b"\0\0\0\0"))
        end = os.open(f"/dev/pts/{number}", os.O_RDWR | os.O_NOCTTY)
        self.addCleanup(os.close, end)
        return end


if __name__ == "__main__":
    unittest.main()
