#!/usr/bin/env python3
"""socksify --dns-check: what each path would do with a name, told without a question to anybody."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import wrapper  # noqa: E402
from wrapper import SOCKSIFY, socksify  # noqa: E402

LOOK_UPS = "getaddrinfo and gethostbyname: "


def rows(text):
    """[(label, text), ...]; the blank line before each name is ("", "")."""
    return [(line[:12].rstrip(), line[13:]) for line in text.splitlines()]


class DnsCheck(wrapper.Case):
    def told(self, *args, status=0, **env):
        done = socksify(*args, env=env)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stderr, "")
        for line in done.stdout.splitlines():
            self.assertRegex(line, r"^$|^[A-Za-z][A-Za-z0-9, ]{11} \S")
        return rows(done.stdout)

    def of(self, label, *args, status=0, **env):
        return [text for what, text in self.told(*args, status=status, **env) if what == label]

    def test_a_name_that_goes_to_the_proxy(self):
        told = self.told("--dns-check", "example.org")
        self.assertEqual(told[:5], [
            ("proxy", "socks5h://127.0.0.1:1080 (the default)"),
            ("", ""),
            ("name", "example.org"),
            ("verdict", "a placeholder: the proxy is told the name"),
            ("IPv4", LOOK_UPS + "one of 198.18.0.0/15, once it is looked up"),
        ])
        self.assertIn(("IPv6", LOOK_UPS + "one of fd5c:931e:b742::/64, once it is looked up"), told)
        self.assertEqual(told[-1], ("connect", "example.org:443: through the proxy, by name"))
        servers = [text for what, text in told if what == "DNS"]
        self.assertEqual(servers.pop(), "to other servers: through the proxy by TCP, refused by UDP")
        self.assertGreaterEqual(len(servers), 1)
        for text in servers:
            self.assertRegex(text, r"^to [0-9a-f.:%]+: answered in place: the placeholder, and no other records$")

    def test_the_pool_is_the_configured_one(self):
        told = self.of("IPv4", "--dns-check", "a.test", SOCKSIFY_POOL="10.64.0.0/10")
        self.assertEqual(told, [LOOK_UPS + "one of 10.64.0.0/10, once it is looked up"])

    def test_dns_through_the_tunnel(self):
        for text in self.of("DNS", "--dns-check", "example.org", SOCKSIFY_DNS="tunnel")[:-1]:
            self.assertTrue(text.endswith(": asked through the proxy, over TCP"), text)

    def test_rules_are_told_as_written(self):
        told = self.told("-n", "x.test,.example.org,*:22", "--dns-check", "www.example.org")
        self.assertIn(("verdict", "this machine's to resolve: a rule sends it past the proxy"), told)
        self.assertIn(("rule", ".example.org"), told)
        self.assertIn(("IPv4, IPv6", LOOK_UPS + "libc asks, as without socksify"), told)
        self.assertEqual([text for what, text in told if what == "connect"], [
            "www.example.org:443: direct, by the rule .example.org; its addresses are noted"])

    def test_rules_with_a_port_are_told_with_the_connects(self):
        told = self.of("connect", "-n", "a.test:22,b.test:25,*:8080,*:22", "--dns-check", "a.test")
        self.assertEqual(told, [
            "a.test:443: through the proxy, by name",
            "a.test:22: direct, by the rule a.test:22; resolved here then",
            "a.test:8080: direct, by the rule *:8080; resolved here then",
        ])
        told = self.of("connect", "-n", "10.0.0.0/8:22,*:8080", "--dns-check", "10.1.2.3")
        self.assertEqual(told, [
            "10.1.2.3:443: through the proxy, by address",
            "10.1.2.3:22: direct, by the rule 10.0.0.0/8:22",
            "10.1.2.3:8080: direct, by the rule *:8080",
        ])

    def test_schemes_that_leave_names_here(self):
        for scheme in "socks5", "socks4":
            with self.subTest(scheme):
                told = self.told("-x", f"{scheme}://192.0.2.1", "--dns-check", "a.test", "203.0.113.1")
                self.assertIn(("verdict", "this machine's to resolve: the proxy's scheme has no h or a at "
                                          "its end"), told)
                servers = [text for what, text in told if what == "DNS"]
                for text in servers[:-1]:
                    self.assertIn("a name server, and names are resolved here", text)
                self.assertIn(("reverse", "libc asks, as without socksify"), told)

    def test_local_names_and_addresses(self):
        told = self.told("--dns-check", "localhost", "127.0.0.1", "dev.localhost")
        self.assertRegex(dict(told)["verdict"], "^local: ")
        self.assertIn(("connect", "127.0.0.1:443: direct: loopback"), told)
        self.assertTrue(any(what == "IPv4" and "127.0.0.1" in text for what, text in told), told)
        told = self.of("connect", "--dns-check", "127.0.0.1", SOCKSIFY_LOOPBACK="proxy")
        self.assertEqual(told, ["127.0.0.1:443: through the proxy, by address"])

    def test_addresses_are_told_the_other_way_round(self):
        told = self.told("--dns-check", "10.1")
        self.assertEqual(told[2:], [
            ("address", "10.1"),
            ("verdict", "an address: nobody is asked what it means"),
            ("reverse", "asked of the proxy, where it can tell; else no name"),
            ("connect", "10.0.0.1:443: through the proxy, by address"),
        ])
        self.assertEqual(self.of("reverse", "-x", "socks4a://192.0.2.1", "--dns-check", "2001:db8::1"),
                         ["no name: SOCKS4 has no such question"])
        self.assertEqual(self.of("reverse", "-n", "10.0.0.0/8", "--dns-check", "10.0.0.1"),
                         ["libc asks: the address goes direct"])
        for text in "169.254.1.1", "fe80::1", "ff02::1", "240.0.0.1":
            self.assertEqual(self.of("reverse", "--dns-check", text),
                             ["no name: an address of no one machine's in the world"])
        self.assertEqual(self.of("connect", "-x", "192.0.2.1:443", "--dns-check", "192.0.2.1"),
                         ["192.0.2.1:443: direct: the proxy itself"])

    def test_nobodys_names(self):
        for name in "a b", "a..b", "", "h:80", "\x1b[31m", "x" * 64:
            with self.subTest(name):
                done = socksify("--dns-check", "example.org", name)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn("verdict      nobody's name: ", done.stdout)
                self.assertNotIn("\x1b", done.stdout)
                self.assertRegex(done.stdout, "answered in place: no such name")

    def test_output_that_fails(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([SOCKSIFY, "--dns-check", "a.test"], stdout=full, env=wrapper.environment(),
                                  stderr=subprocess.PIPE, check=False, timeout=wrapper.PATIENCE)
        self.assertEqual(done.returncode, 125)

    def test_a_session_gets_no_table_from_it(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "names")
            self.told("--dns-check", "a.test", "198.18.0.1", SOCKSIFY_NAMES=path)
            self.assertEqual(os.listdir(folder), [])

    @unittest.skipUnless(wrapper.PRELOADABLE, "a sanitizer can't be preloaded")
    def test_a_session_shows_the_placeholders_that_it_has(self):
        script = f"getent ahostsv4 Seen.test | head -n1; '{SOCKSIFY}' --dns-check seen.test other.test"
        done = socksify("sh", "-c", script)
        self.assertEqual(done.returncode, 0, done.stderr)
        first, told = done.stdout.split("\n", 1)
        address = first.split()[0]
        self.assertRegex(address, r"^198\.1[89]\.")
        told = rows(told)
        self.assertIn(("IPv4", f"{LOOK_UPS}{address}, as this session has it"), told)
        self.assertTrue(any(what == "IPv6" and re.search(r": fd5c:931e:b742::\S+, as this", text)
                            for what, text in told), told)
        self.assertIn(("IPv4", f"{LOOK_UPS}one of 198.18.0.0/15, once it is looked up"), told)
        script = f"getent ahostsv4 Seen.test | cut -d' ' -f1 | head -n1 | xargs '{SOCKSIFY}' --dns-check"
        told = rows(socksify("sh", "-c", script).stdout)
        self.assertIn(("reverse", "Seen.test, of which it is this session's placeholder"), told)
        self.assertRegex(dict(told)["connect"], r":443: through the proxy, as Seen\.test:443$")

    def test_a_placeholder_that_nobody_has(self):
        told = self.told("--dns-check", "198.18.0.9")
        self.assertIn(("reverse", "no name: a placeholder that no session has given yet"), told)
        self.assertIn("198.18.0.9:443: refused: a placeholder address without a name (no route to host)",
                      dict(told)["connect"])


if __name__ == "__main__":
    unittest.main()
