"""What is left of a password in the server's memory, once it has been judged or thrown away."""

import secrets
import signal
import unittest

from test_users import GREETING2, hash_line, userpass
from wire import (Peer, Server, Settings, read_reply5, recv_all, recv_exact, reset, socks5, until)

REGION_MAX = 1 << 25  # a sanitizer's shadow is larger, and holds no text


def readable(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as f:
        for line in f:
            at, rights, *_ = line.split()
            start, end = (int(n, 16) for n in at.split("-"))
            # What nobody can have written to is the program.
            if rights.startswith("rw") and end - start <= REGION_MAX:
                yield start, end


def copies(pid, text):
    """How often it is there, whole or but a part of its middle."""
    part, found = text[5:17], 0
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as f:
        for start, end in readable(pid):
            try:
                f.seek(start)
                found += f.read(end - start).count(part)
            except (OSError, ValueError):
                continue
    return found


class Memory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.right = cls.password()
        cls.users = Settings(hash_line("one", cls.right))
        cls.server = Server("--users", cls.users.name, "--handshake-timeout", "1")
        cls.ends = 0
        cls.reloads = 0
        try:
            copies(cls.server.process.pid, cls.right)
        except PermissionError as e:
            cls.tearDownClass()
            raise unittest.SkipTest(f"the server's memory can't be read: {e}")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.users.file.close()

    @staticmethod
    def password():
        return secrets.token_hex(16).encode()

    def copies(self, password):
        return copies(self.server.process.pid, password)

    def assert_gone(self, password, what):
        """Soon: a line may be out a moment before the octets that were read are wiped."""
        until(lambda: self.copies(password) == 0, f"no copy is left of what was {what}")

    def assert_held_once(self, password):
        until(lambda: self.copies(password) == 1, "it is there once")

    def forget(self):
        self.server.signal(signal.SIGHUP)
        self.server.line("^reloaded", type(self).reloads)
        type(self).reloads += 1

    def wait_for_end(self):
        """Of one more session, which is freed before its line is out."""
        self.server.line("^(failed|close) ", type(self).ends)
        type(self).ends += 1

    def test_a_right_one_is_held_once_and_until_sighup(self):
        with Peer() as peer:
            for at_once in (False, True, True):
                with self.server.connect() as c:
                    login = userpass("one", self.right)
                    if at_once:
                        c.sendall(GREETING2 + login + socks5("127.0.0.1", peer.port) + b"early")
                    else:
                        c.sendall(GREETING2)
                        c.sendall(login)
                    self.assertEqual(recv_exact(c, 4), b"\x05\x02\x01\x00")
                    self.assert_held_once(self.right)
                    if not at_once:
                        c.sendall(socks5("127.0.0.1", peer.port))
                    self.assertEqual(read_reply5(c)[0], 0)
                    peer.accept().close()
                    self.assert_held_once(self.right)
                self.wait_for_end()
        self.assert_held_once(self.right)
        self.forget()
        self.assert_gone(self.right, "right")

    def test_one_that_is_judged_while_the_file_is_read(self):
        crowd = []
        for _ in range(3):
            crowd.append(self.server.connect())
            crowd[-1].sendall(GREETING2 + userpass("one", self.right))
            self.forget()
        for c in crowd:
            with c:
                self.assertEqual(recv_exact(c, 4), b"\x05\x02\x01\x00")
            self.wait_for_end()
        self.forget()
        self.assert_gone(self.right, "right")

    def test_what_is_turned_down_leaves_nothing(self):
        short = b"\x01\x03one\xff"
        for what, message in (
                ("wrong", lambda p: GREETING2 + userpass("one", p)),
                ("nobody's", lambda p: GREETING2 + userpass("two", p)),
                ("of another version", lambda p: GREETING2 + userpass("one", p, version=5)),
                ("without a user", lambda p: GREETING2 + b"\x01\x00\x20" + p),
                ("with more behind", lambda p: GREETING2 + userpass("one", p) + p + p),
                ("cut off by the deadline", lambda p: GREETING2 + short + p),
                ("before a method", lambda p: userpass("one", p)),
                ("with a method that is not there", lambda p: b"\x05\x01\x00" + userpass("one", p))):
            password = self.password()
            with self.server.connect() as c:
                c.sendall(message(password))
                try:
                    recv_all(c)
                except ConnectionResetError:
                    pass
            self.wait_for_end()
            self.assert_gone(password, what)

    def test_what_comes_after_a_refusal_is_not_even_copied(self):
        password = self.password()
        with self.server.connect() as c:
            c.sendall(b"\x05\x01\x00")
            self.assertEqual(recv_exact(c, 2), b"\x05\xff")
            c.sendall(userpass("one", password))
            until(lambda: not self.server.input_waiting(), "it is thrown away")
            self.assertEqual(self.copies(password), 0)
        self.wait_for_end()

    def test_who_leaves_leaves_nothing(self):
        short = GREETING2 + b"\x01\x03one\xff"
        for what, message in (("said by half", lambda p: short + p),
                              ("while it is judged", lambda p: GREETING2 + userpass("one", p))):
            for leave in (reset, lambda c: c.close()):
                password = self.password()
                c = self.server.connect()
                c.sendall(message(password))
                recv_exact(c, 2)
                until(lambda: not self.server.input_waiting(), "it is read")
                leave(c)
                self.wait_for_end()
                self.assert_gone(password, what)


if __name__ == "__main__":
    unittest.main()
