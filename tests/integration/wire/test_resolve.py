"""PROTOCOL, Tor's RESOLVE and RESOLVE_PTR: items 83 and 84."""

import shutil
import subprocess
import unittest

from wire import (PATIENCE, Case, Dns, Server, greet, read_name5, read_reply4, read_reply5,
                  reverse, socks4, socks4a, socks5, until)

RESOLVE, RESOLVE_PTR = 0xf0, 0xf1
ZONE = {
    ("both.test", "AAAA"): ["2001:db8::1", "2001:db8::2"],
    ("both.test", "A"): ["192.0.2.1", "192.0.2.2"],
    ("six.test", "AAAA"): ["2001:db8::6"],
    ("four.test", "A"): ["192.0.2.4"],
    ("late.test", "AAAA"): ["2001:db8::7"],
    ("late.test", "A"): ["192.0.2.7"],
    ("never.test", "A"): [],
    (reverse("192.0.2.1"), "PTR"): ["both.test"],
    (reverse("2001:db8::6"), "PTR"): ["six.test"],
    (reverse("192.0.2.66"), "PTR"): ["no way.test"],
    (reverse("192.0.2.67"), "PTR"): ["back\\slash.test"],
    (reverse("192.0.2.68"), "PTR"): ["longest." + "label." * 40 + "test"],
}
HOSTS = """
192.0.2.99 hosts.test alias.test
2001:db8::99 hosts.test
"""


class Resolve(Case):
    hosts = HOSTS

    @classmethod
    def setUpClass(cls):
        cls.dns = Dns(ZONE, silent=[("late.test", "A"), ("never.test", "A"), ("never.test", "AAAA"),
                                    (reverse("192.0.2.70"), "PTR")])
        cls.options = ("-v", *cls.dns.options, "--connect-timeout", "1")
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        with cls.dns:
            pass

    def resolve5(self, name, port=0):
        with self.server.connect() as c:
            greet(c)
            c.sendall(socks5(name, port, cmd=RESOLVE))
            rep, address, told_port = read_reply5(c)
            self.assertEqual((rep, told_port), (0, 0))
            self.assert_eof(c)
            return address

    def resolve4(self, message):
        with self.server.connect() as c:
            c.sendall(message)
            code, port, address = read_reply4(c)
            self.assertEqual((code, port), (0x5a, 0))
            self.assert_eof(c)
            return address

    def reverse5(self, address, port=0):
        with self.server.connect() as c:
            greet(c)
            c.sendall(socks5(address, port, cmd=RESOLVE_PTR))
            name = read_name5(c)
            self.assert_eof(c)
            return name

    def test_83_name_in_first_address_out(self):
        for name, address in ((b"both.test", "192.0.2.1"), (b"four.test", "192.0.2.4"),
                              (b"six.test", "2001:db8::6"), (b"hosts.test", "192.0.2.99"),
                              (b"FOUR.test.", "192.0.2.4"), (b"localhost", "127.0.0.1")):
            self.assertEqual(self.resolve5(name), address)

    def test_83_port_is_ignored(self):
        for port in (0, 1, 80, 0xffff):
            self.assertEqual(self.resolve5(b"four.test", port), "192.0.2.4")

    def test_83_address_answers_itself(self):
        for asked, told in ((b"192.0.2.55", "192.0.2.55"), ("192.0.2.55", "192.0.2.55"),
                            (b"2001:db8::55", "2001:db8::55"), ("2001:db8::55", "2001:db8::55"),
                            (b"::ffff:192.0.2.5", "192.0.2.5")):
            self.assertEqual(self.resolve5(asked, 9), told)

    def test_83_failure_is_04(self):
        for name in (b"unknown.test", b"back\\slash.test"):
            self.refused5(socks5(name, 0, cmd=RESOLVE), 4)

    def test_83_socks4a_form(self):
        for name, address in (("both.test", "192.0.2.1"), ("192.0.2.55", "192.0.2.55"),
                              ("hosts.test", "192.0.2.99")):
            self.assertEqual(self.resolve4(socks4a(name, 1234, b"me", cd=RESOLVE)), address)
        self.assertEqual(self.resolve4(socks4("192.0.2.55", 0, cd=RESOLVE)), "192.0.2.55")

    def test_83_socks4_failure_is_5b(self):
        for name in ("unknown.test", "six.test", "2001:db8::1"):
            self.refused4(socks4a(name, 0, cd=RESOLVE))

    def test_83_ipv6_is_told_where_ipv4_never_answers(self):
        self.assertEqual(self.resolve5(b"late.test"), "2001:db8::7")

    def test_83_silence_is_06_and_5b(self):
        self.refused5(socks5(b"never.test", 0, cmd=RESOLVE), 6)
        self.refused4(socks4a("never.test", 0, cd=RESOLVE))
        self.refused5(socks5("192.0.2.70", 0, cmd=RESOLVE_PTR), 6)

    def test_83_what_comes_behind_goes_nowhere(self):
        with self.server.connect() as c:
            greet(c)
            c.sendall(socks5(b"four.test", 0, cmd=RESOLVE) + b"more" * 1000)
            self.assertEqual(read_reply5(c)[:2], (0, "192.0.2.4"))
            self.assert_eof(c)

    def test_84_address_in_name_out(self):
        for address, name in (("192.0.2.1", b"both.test"), ("2001:db8::6", b"six.test"),
                              ("::ffff:192.0.2.1", b"both.test"), (b"192.0.2.1", b"both.test"),
                              ("192.0.2.68", b"longest." + b"label." * 40 + b"test"),
                              ("192.0.2.99", b"hosts.test"), ("2001:db8::99", b"hosts.test")):
            self.assertEqual(self.reverse5(address, 77), name)

    def test_84_loopback_is_asked_of_nobody(self):
        for address in ("127.0.0.1", "::1", "127.1.2.3"):
            self.assertTrue(self.reverse5(address))
            self.assertNotIn((reverse(address), "PTR"), self.dns.asked)

    def test_84_failure_is_04(self):
        for address in ("192.0.2.200", "2001:db8::200", "192.0.2.66", "192.0.2.67"):
            self.refused5(socks5(address, 0, cmd=RESOLVE_PTR), 4)

    def test_84_a_name_is_no_address(self):
        self.refused5(socks5(b"both.test", 0, cmd=RESOLVE_PTR), 1)

    def test_84_socks4_can_not_be_told_a_name(self):
        self.refused4(socks4("192.0.2.1", 0, cd=RESOLVE_PTR))
        self.refused4(socks4a("both.test", 0, cd=RESOLVE_PTR))

    def test_client_that_leaves_meanwhile(self):
        before = self.server.fds()
        for cmd, dst in ((RESOLVE, b"never.test"), (RESOLVE_PTR, "192.0.2.70")):
            with self.server.connect() as c:
                greet(c)
                c.sendall(socks5(dst, 0, cmd=cmd))
                until(lambda: self.dns.held, "DNS is asked")
        until(lambda: self.server.fds() <= before, "as many descriptors as before")

    def test_the_log_has_question_and_answer(self):
        with self.server.connect() as c:
            client = "127.0.0.1:%d" % c.getsockname()[1]
            greet(c)
            c.sendall(socks5("192.0.2.1", 0, cmd=RESOLVE_PTR))
            read_name5(c)
            self.server.line(rf"^resolved id=\d+ client={client} version=5 command=resolve-ptr "
                             r"target=192\.0\.2\.1:0 answer=both\.test:0 ms=\d+$")

    @unittest.skipUnless(shutil.which("tor-resolve"), "no tor-resolve here")
    def test_83_84_tor_resolve(self):
        proxy = f"127.0.0.1:{self.server.port}"
        for args, told in ((("-5", "both.test"), "192.0.2.1"), (("-4", "both.test"), "192.0.2.1"),
                           (("-5", "six.test"), "2001:db8::6"), (("-x", "192.0.2.1"), "both.test")):
            ran = subprocess.run(["tor-resolve", *args, proxy], capture_output=True, text=True,
                                 timeout=PATIENCE, check=False)
            self.assertEqual((ran.stdout.strip(), ran.returncode), (told, 0), ran.stderr)
        ran = subprocess.run(["tor-resolve", "-5", "unknown.test", proxy], capture_output=True,
                             text=True, timeout=PATIENCE, check=False)
        self.assertNotEqual(ran.returncode, 0)


class System(unittest.TestCase):
    """--resolver system: libc answers."""

    def test_83_84_by_libc(self):
        with Server("--resolver", "system", hosts=HOSTS) as server:
            for address, name in (("192.0.2.99", b"hosts.test"), ("127.0.0.1", None)):
                with server.connect() as c:
                    greet(c)
                    c.sendall(socks5(address, 0, cmd=RESOLVE_PTR))
                    self.assertIn(read_name5(c), (name,) if name else (b"localhost", b"ip4-localhost"))
            with server.connect() as c:
                greet(c)
                c.sendall(socks5(b"localhost", 0, cmd=RESOLVE))
                self.assertEqual(read_reply5(c)[:2], (0, "127.0.0.1"))


if __name__ == "__main__":
    unittest.main()
