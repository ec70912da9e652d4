#!/usr/bin/env python3
"""
socksify --check: test_check.py SOCKSIFY SOCKSIFYD [unittest's arguments]. Scripted proxies fail in each way that
there is, and what is told is compared whole, but for the times.
"""

import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

sys.dont_write_bytecode = True
SOCKSIFY = os.path.abspath(sys.argv.pop(1))
os.environ["SOCKSIFYD"] = os.path.abspath(sys.argv.pop(1))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "wire"))

from wire import Server  # noqa: E402  (it reads SOCKSIFYD)

FAILED = 125
TIME = re.compile(r" +\d+\.\d\d ms$")
OTHER_PROXY = ("try:         socksify speaks SOCKS alone: is there another port for it? socksifyd, or ssh -D PORT, "
               "make a SOCKS proxy of a machine that you reach")
METHOD_FAILS = "method       failed: "
CREDENTIALS_FAIL = "credentials  failed: "
NO_AUTH, USER_PASSWORD = b"\5\0", b"\5\2"
BND = b"\0\1\177\0\0\1\0\11"


def check(url, *args, before=(), **env):
    """Status and lines; a time at the end of a line is cut off."""
    clean = {k: v for k, v in os.environ.items()
             if "proxy" not in k.lower() and not k.startswith("SOCKSIFY_")}
    done = subprocess.run([*before, SOCKSIFY, "--check", *args], capture_output=True, text=True,
                          env={**clean, "SOCKSIFY_PROXY": url, "SOCKSIFY_TIMEOUT": "20", **env},
                          timeout=60, check=False)
    return done.returncode, [TIME.sub("", line) for line in done.stdout.splitlines()], done.stderr


class Scripted:
    """A proxy that reads and writes by rote: (octets to read, octets to say), ... then it closes."""

    def __init__(self, *steps, family=socket.AF_INET, hold=False):
        self.steps, self.hold, self.got = steps, hold, b""
        self.listener = socket.create_server(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0),
                                             family=family)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                conn, _ = self.listener.accept()
                with conn, contextlib.suppress(OSError):
                    self.talk(conn)

    def talk(self, conn):
        for n, say in self.steps:
            while n > 0:
                octets = conn.recv(n)
                if not octets:
                    return
                self.got += octets
                n -= len(octets)
            conn.sendall(say)
        if self.hold:
            while conn.recv(4096):
                pass
        else:
            # What is unread would turn the close into a reset, which may overtake the answer.
            conn.shutdown(socket.SHUT_WR)
            conn.recv(4096)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


GREETING, GREETING_2 = 3, 4
CREDENTIALS = 3 + len("alice") + len("hunter2")
REQUEST_IP, REQUEST_NAME = 10, 7 + len("a.test")
REQUEST_4, REQUEST_4A = 9, 9 + len("a.test") + 1

# Steps of the proxy, scheme, what of its lines follows TCP's, and the status.
ANSWERS = [
    ("granted", [(GREETING, NO_AUTH), (REQUEST_NAME, b"\5\0" + BND)], "socks5h", [
        "method       none needed", "request      a.test:443 granted"], 0),
    ("not SOCKS but HTTP", [(GREETING, b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n")], "socks5h", [
        METHOD_FAILS + 'the proxy speaks HTTP, not SOCKS; it says "HTTP/1.1 400 Bad Request"',
        OTHER_PROXY], FAILED),
    ("not SOCKS4 but HTTP", [(REQUEST_4A, b"HTTP/1.1 400 Bad Request\r\n\r\n")], "socks4a", [
        'request      a.test:443 failed: the proxy speaks HTTP, not SOCKS; it says "HTTP/1.1 400 Bad Request"',
        OTHER_PROXY], FAILED),
    ("a TLS port", [(GREETING, b"\x15\3\1\0\2\2\106")], "socks5h", [
        METHOD_FAILS + "the proxy speaks TLS, not SOCKS", OTHER_PROXY], FAILED),
    ("an SSH server", [(0, b"SSH-2.0-OpenSSH_9.2\r\n")], "socks5h", [
        METHOD_FAILS + 'this is an SSH server, not a SOCKS proxy; it says "SSH-2.0-OpenSSH_9.2"',
        "try:         ssh -D 1080 HOST makes a SOCKS proxy of it: then socksify -x 127.0.0.1:1080"],
     FAILED),
    ("a mail server", [(0, b"220 mail.test ESMTP\r\n")], "socks5h", [
        METHOD_FAILS + "the proxy's answer is not SOCKS; it says \"220 mail.test ESMTP\"", OTHER_PROXY],
     FAILED),
    ("octets that are no text", [(GREETING, b"\1\2\377\0")], "socks5h", [
        METHOD_FAILS + "the proxy's answer is not SOCKS; it says 01 02 ff 00", OTHER_PROXY], FAILED),
    ("SOCKS4 only", [(GREETING, b"\0\x5b\0\0\0\0\0\0")], "socks5h", [
        METHOD_FAILS + "the proxy speaks SOCKS4 only",
        "try:         use socks4a://, or socks4:// where that fails"], FAILED),
    ("SOCKS5 only", [(REQUEST_4A, b"\5\xff")], "socks4a", [
        "request      a.test:443 failed: the proxy speaks SOCKS5 only", "try:         use socks5h://"],
     FAILED),
    ("closed at the greeting", [(GREETING, b"")], "socks5h", [
        METHOD_FAILS + "the proxy closed the connection at the greeting",
        "try:         is it SOCKS5? socks4a:// is for SOCKS4, and HTTP proxies close so, too; else it does not "
        "admit this machine: ask whoever runs it"], FAILED),
    ("no method without credentials", [(GREETING, b"\5\xff")], "socks5h", [
        METHOD_FAILS + "the proxy wants credentials, and no user is set",
        "try:         put a user and password into the URL, socks5h://USER:PASSWORD@HOST:PORT, or into "
        "SOCKSIFY_USER and SOCKSIFY_PASSWORD_FILE"], FAILED),
    ("a password wanted", [(GREETING, USER_PASSWORD)], "socks5h", [
        METHOD_FAILS + "the proxy wants a user and password, and none is set",
        "try:         put them into the URL, socks5h://USER:PASSWORD@HOST:PORT, or into "
        "SOCKSIFY_USER and SOCKSIFY_PASSWORD_FILE"], FAILED),
    ("GSSAPI wanted", [(GREETING, b"\5\1")], "socks5h", [
        METHOD_FAILS + "the proxy wants GSSAPI (Kerberos), which was not offered",
        "try:         ask whoever runs the proxy for a user and password"], FAILED),
    ("not allowed", [(GREETING, NO_AUTH), (REQUEST_NAME, b"\5\2" + BND)], "socks5h", [
        "method       none needed",
        "request      a.test:443 failed: not allowed by the proxy's rules (reply 02)",
        "try:         whoever runs the proxy can allow it; NO_PROXY sends it past the proxy"], FAILED),
    ("a code of Tor's", [(GREETING, NO_AUTH), (REQUEST_NAME, b"\5\xf4" + BND)], "socks5h", [
        "method       none needed",
        "request      a.test:443 failed: onion service: client authorization missing (reply f4)",
        "try:         the onion service wants a key: ClientOnionAuthDir in Tor's torrc"], FAILED),
    ("a code that nobody knows", [(GREETING, NO_AUTH), (REQUEST_NAME, b"\5\x63" + BND)], "socks5h", [
        "method       none needed", "request      a.test:443 failed: unknown reply code (reply 63)",
        "try:         the proxy's own log may say more"], FAILED),
    ("closed at the request", [(GREETING, NO_AUTH), (REQUEST_NAME, b"")], "socks5h", [
        "method       none needed",
        "request      a.test:443 failed: the proxy closed the connection at the request",
        "try:         some refuse a destination so; the proxy's own log may say more"], FAILED),
    ("no identd", [(REQUEST_4A, b"\0\x5c\0\0\0\0\0\0")], "socks4a", [
        "request      a.test:443 failed: rejected: the proxy finds no identd on this machine (reply 5c)",
        "try:         run an identd here, or ask whoever runs the proxy to do without"], FAILED),
    ("another user", [(REQUEST_4A, b"\0\x5d\0\0\0\0\0\0")], "socks4a", [
        "request      a.test:443 failed: rejected: identd on this machine names another user (reply 5d)",
        "try:         name the user that identd knows: socks4a://USER@HOST:PORT"], FAILED),
]

# With user alice and password hunter2.
CREDENTIALED = [
    ("accepted", [(GREETING_2, USER_PASSWORD), (CREDENTIALS, b"\1\0"), (REQUEST_NAME, b"\5\0" + BND)], [
        "method       user and password", "credentials  accepted", "request      a.test:443 granted"], 0),
    ("not needed", [(GREETING_2, NO_AUTH), (REQUEST_NAME, b"\5\0" + BND)], [
        "method       none needed", "request      a.test:443 granted"], 0),
    ("refused", [(GREETING_2, USER_PASSWORD), (CREDENTIALS, b"\1\1")], [
        "method       user and password", CREDENTIALS_FAIL + "the proxy refuses this user and password",
        "try:         check both; in a URL, octets such as @ : / and % are written %40 %3A %2F %25"],
     FAILED),
    ("no method", [(GREETING_2, b"\5\xff")], [
        METHOD_FAILS + "the proxy takes neither a user and password nor their absence",
        "try:         without the user and password first; if that fails alike, it wants GSSAPI (Kerberos), or "
        "nobody from this address"], FAILED),
    ("closed", [(GREETING_2, USER_PASSWORD), (CREDENTIALS, b"")], [
        "method       user and password",
        CREDENTIALS_FAIL + "the proxy closed the connection at the credentials",
        "try:         some refuse a user and password so: check both"], FAILED),
    # A server that echoes would have our password in its answer.
    ("echoed", [(GREETING_2, USER_PASSWORD), (CREDENTIALS, b"\0\2\1\5alice\7hunter2")], [
        "method       user and password", CREDENTIALS_FAIL + "the proxy's answer is not SOCKS", OTHER_PROXY],
     FAILED),
]

# Without a destination the proxy is asked for itself.
PROBES = [
    ("granted", b"\5\0", "request      its own 127.0.0.1:{port} granted", None, 0),
    ("not allowed", b"\5\2",
     "request      its own 127.0.0.1:{port} answered: not allowed by the proxy's rules (reply 02)", None, 0),
    ("refused", b"\5\5",
     "request      its own 127.0.0.1:{port} answered: connection refused by the destination (reply 05)",
     None, 0),
    ("no CONNECT", b"\5\7",
     "request      its own 127.0.0.1:{port} failed: the proxy does not support this command (reply 07)",
     "try:         whoever runs the proxy can allow CONNECT", FAILED),
]

SILENCES = [
    ([], METHOD_FAILS + "the proxy did not answer the greeting",
     "try:         is it a SOCKS proxy? SOCKS4 and HTTP proxies may wait in silence: try socks4a://"),
    ([(GREETING_2, USER_PASSWORD)], CREDENTIALS_FAIL + "the proxy did not answer the credentials",
     "try:         the proxy may be asking another machine; its own log may say more"),
    ([(GREETING_2, NO_AUTH)], "request      a.test:443 failed: the proxy did not answer the request",
     "try:         the proxy may still be waiting for the destination, which is down or behind a firewall; "
     "a larger SOCKSIFY_TIMEOUT waits longer"),
]


def closed_port():
    """A port of 127.0.0.1 on which nobody listens, for as long as its socket lives."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock, sock.getsockname()[1]


@contextlib.contextmanager
def hosts(text):
    """Words that put a command into a mount namespace where /etc/hosts says so."""
    with tempfile.NamedTemporaryFile("w", suffix=".hosts") as f:
        f.write(text)
        f.flush()
        os.chmod(f.name, 0o644)
        before = ["unshare", "-nm" if os.geteuid() == 0 else "-rnm", "sh", "-c",
                  'ip link set lo up && mount --bind "$0" /etc/hosts && exec "$@"', f.name]
        try:
            subprocess.run([*before, "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as e:
            raise unittest.SkipTest(f"no mount namespace: {e}") from e
        yield before


class Check(unittest.TestCase):
    maxDiff = None

    def assert_told(self, told, status, lines):
        self.assertEqual(told[1], lines)
        self.assertEqual((told[0], told[2]), (status, ""))
        self.assertNotIn("hunter2", "".join(told[1]) + told[2])

    def test_each_answer_has_its_words(self):
        for name, steps, scheme, lines, status in ANSWERS:
            with self.subTest(name), Scripted(*steps) as proxy:
                at = f"127.0.0.1:{proxy.port}"
                self.assert_told(check(f"{scheme}://{at}", "a.test:443"), status, [
                    f"proxy        {scheme}://{at} (SOCKSIFY_PROXY)", f"TCP          {at} connected", *lines])

    def test_credentials(self):
        for name, steps, lines, status in CREDENTIALED:
            with self.subTest(name), Scripted(*steps) as proxy:
                at = f"127.0.0.1:{proxy.port}"
                self.assert_told(check(f"socks5h://alice:hunter2@{at}", "a.test:443"), status, [
                    f'proxy        socks5h://{at}, user "alice" and a password (SOCKSIFY_PROXY)',
                    f"TCP          {at} connected", *lines])

    def test_without_a_destination_any_reply_will_do(self):
        for name, reply, line, advice, status in PROBES:
            with self.subTest(name), Scripted((GREETING, NO_AUTH), (REQUEST_IP, reply + BND)) as proxy:
                at = f"127.0.0.1:{proxy.port}"
                self.assert_told(check(at), status, [
                    f"proxy        socks5h://{at} (SOCKSIFY_PROXY)", f"TCP          {at} connected",
                    "method       none needed", line.format(port=proxy.port), *filter(None, [advice])])
                self.assertEqual(proxy.got[3:], b"\5\1\0\1\177\0\0\1" + proxy.port.to_bytes(2, "big"))

    def test_silence_ends_at_the_deadline(self):
        for steps, line, advice in SILENCES:
            with self.subTest(line), Scripted(*steps, hold=True) as proxy:
                told = check(f"alice:hunter2@127.0.0.1:{proxy.port}", "a.test:443", SOCKSIFY_TIMEOUT="0.2")
                self.assertEqual((told[0], told[1][-2:]), (FAILED, [line, advice]))

    def test_every_stage_has_its_time(self):
        with Scripted((GREETING_2, USER_PASSWORD), (CREDENTIALS, b"\1\0"), (REQUEST_NAME, b"\5\0" + BND)) as p:
            url = f"socks5h://alice:hunter2@localhost:{p.port}"
            done = subprocess.run([SOCKSIFY, "--check", "a.test:443"], capture_output=True, text=True,
                                  env={**os.environ, "SOCKSIFY_PROXY": url}, timeout=60, check=False)
        timed = [line.split()[0] for line in done.stdout.splitlines() if TIME.search(line)]
        # localhost may be ::1 first, where nobody listens.
        self.assertEqual([t for i, t in enumerate(timed) if t not in timed[:i]],
                         ["name", "TCP", "method", "credentials", "request"], done.stdout)

    def test_nothing_listens(self):
        sock, port = closed_port()
        with sock:
            self.assert_told(check(f"127.0.0.1:{port}"), FAILED, [
                f"proxy        socks5h://127.0.0.1:{port} (SOCKSIFY_PROXY)",
                f"TCP          127.0.0.1:{port} failed: connection refused: nothing listens there",
                "try:         is socksifyd, or whatever the proxy is, running? start it, or name the right one: "
                "socksify -x HOST:PORT"])

    def test_a_proxy_without_an_address(self):
        # In a namespace without a network: the question reaches nobody.
        before = ["unshare", "-n" if os.geteuid() == 0 else "-rn"]
        try:
            subprocess.run([*before, "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as e:
            self.skipTest(f"no network namespace: {e}")
        status, lines, _ = check("proxy.invalid", before=before)
        self.assertEqual(status, FAILED)
        self.assertEqual(lines[0], "proxy        socks5h://proxy.invalid:1080 (SOCKSIFY_PROXY)")
        self.assertRegex(lines[1], r"^name         failed: the proxy's name has no address \(.+\)$")
        self.assertEqual(lines[2:], ["try:         is the name right, and does this machine's DNS know it? an "
                                     "address in its place needs none"])

    def test_the_proxys_addresses_are_tried_in_turn(self):
        addresses = [a[4][0] for a in socket.getaddrinfo("localhost", 1, type=socket.SOCK_STREAM)]
        with Scripted((GREETING, NO_AUTH), (REQUEST_IP, b"\5\0" + BND)) as proxy:
            status, lines, _ = check(f"localhost:{proxy.port}")
        self.assertEqual(status, 0)
        shown = ", ".join(f"[{a}]" if ":" in a else a for a in addresses)
        self.assertEqual(lines[1], f"name         localhost is {shown}")
        self.assertIn(f"TCP          127.0.0.1:{proxy.port} connected", lines)

    def test_addresses_of_both_names_are_tried_in_turn(self):
        # All of it in one namespace: the server, told by its line, and the check.
        script = ('"$1" --listen 127.0.0.9:0 2>"$2/log" & server=$!; '
                  'until port=$(sed -n "s/^listening .*port=//p" "$2/log") && [ "$port" ]; do '
                  'kill -0 "$server" || exit 1; done; '
                  'SOCKSIFY_PROXY=socks5://proxy.test:$port "$0" --check "dst.test:$port"; status=$?; '
                  'kill "$server"; exit "$status"')
        # In the order of RFC 6724: 127.0.0.1 is nearest to the source.
        names = "127.0.0.1 proxy.test dst.test\n127.0.0.9 proxy.test dst.test\n"
        with hosts(names) as before, tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([*before, "sh", "-c", script, SOCKSIFY, os.environ["SOCKSIFYD"], folder],
                                  capture_output=True, text=True, timeout=60, check=False)
        lines = [re.sub(r":\d+", ":PORT", TIME.sub("", line)) for line in done.stdout.splitlines()]
        self.assertEqual(lines, [
            "proxy        socks5://proxy.test:PORT (SOCKSIFY_PROXY)",
            "name         proxy.test is 127.0.0.1, 127.0.0.9",
            "destination  dst.test is 127.0.0.1, 127.0.0.9, by this machine's DNS",
            "TCP          127.0.0.1:PORT failed: connection refused: nothing listens there",
            "TCP          127.0.0.9:PORT connected", "method       none needed",
            "request      127.0.0.1:PORT failed: connection refused by the destination (reply 05)",
            "request      127.0.0.9:PORT granted"], done.stderr)
        self.assertEqual(done.returncode, 0)

    def test_what_the_protocol_cannot_say(self):
        with Scripted(hold=True) as proxy:
            at = f"127.0.0.1:{proxy.port}"
            self.assert_told(check(f"socks4a://{at}", "[2001:db8::1]:80"), FAILED, [
                f"proxy        socks4a://{at} (SOCKSIFY_PROXY)",
                "request      [2001:db8::1]:80 failed: SOCKS4 knows no IPv6 addresses",
                "try:         use socks5:// or socks5h://, if the proxy speaks SOCKS5"])

    def test_names_are_resolved_here_where_the_protocol_says_so(self):
        with Scripted((REQUEST_4, b"\0\x5a\0\0\0\0\0\0")) as proxy:
            at = f"127.0.0.1:{proxy.port}"
            self.assert_told(check(f"socks4://{at}", "localhost:7", SOCKSIFY_LOOPBACK="proxy"), 0, [
                f"proxy        socks4://{at} (SOCKSIFY_PROXY)",
                "destination  localhost is 127.0.0.1, by this machine's DNS",
                f"TCP          {at} connected", "request      127.0.0.1:7 granted"])

    def test_what_programs_reach_past_the_proxy_is_told(self):
        with Scripted((GREETING, NO_AUTH), (REQUEST_NAME, b"\5\0" + BND)) as proxy:
            at = f"127.0.0.1:{proxy.port}"
            self.assert_told(check(at, "a.test:443", NO_PROXY="10.0.0.0/8, .test"), 0, [
                f"proxy        socks5h://{at} (SOCKSIFY_PROXY)", "direct       2 items of NO_PROXY",
                "note         programs reach a.test:443 past the proxy: NO_PROXY has .test",
                f"TCP          {at} connected", "method       none needed", "request      a.test:443 granted"])

    def test_a_destination_that_is_none(self):
        for bad in ("a.test", "a.test:", "a.test:0", "a.test:65536", ":80", ""):
            with self.subTest(bad):
                status, lines, err = check("127.0.0.1:1", bad)
                self.assertEqual((status, lines), (FAILED, []))
                self.assertIn("expected HOST:PORT", err)

    def test_it_is_told_who_named_the_proxy(self):
        with Scripted(*[(GREETING, NO_AUTH), (REQUEST_IP, b"\5\0" + BND)]) as proxy:
            url = f"socks5h://127.0.0.1:{proxy.port}"
            for args, env, origin in (
                (["-x", url], {}, "-x"),
                (["-x", url], {"ALL_PROXY": "socks5://other"}, "-x"),
                ([], {"ALL_PROXY": url}, "ALL_PROXY"),
                ([], {"ALL_PROXY": "http://other", "all_proxy": url}, "all_proxy"),
            ):
                with self.subTest(origin=origin, env=env):
                    # An empty SOCKSIFY_PROXY is one that is not set.
                    status, lines, _ = check("", *args, **env)
                    self.assertEqual((status, lines[0]), (0, f"proxy        {url} ({origin})"))
        _, lines, _ = check("", ALL_PROXY="http://other", SOCKSIFY_TIMEOUT="0.001")
        self.assertEqual(lines[0], "proxy        socks5h://127.0.0.1:1080 (the default)")

    @unittest.skipIf("SANITIZED" in os.environ, "a sanitizer's runtime can't start behind a library")
    def test_another_sessions_proxy_is_not_in_between(self):
        with Scripted((GREETING, NO_AUTH), (REQUEST_NAME, b"\5\0" + BND)) as proxy, Scripted() as outer:
            at = f"127.0.0.1:{proxy.port}"
            self.assert_told(
                check("", "-x", at, "a.test:443", SOCKSIFY_LOOPBACK="proxy",
                      before=[SOCKSIFY, "-x", f"127.0.0.1:{outer.port}", "--timeout", "20"]),
                0, [f"proxy        socks5h://{at} (-x)", f"TCP          {at} connected",
                    "method       none needed", "request      a.test:443 granted"])

    def test_a_real_server(self):
        server = Server()
        self.addCleanup(server.stop)
        at = f"127.0.0.1:{server.port}"
        for scheme in ("socks4", "socks4a", "socks5", "socks5h"):
            with self.subTest(scheme):
                method = ["method       none needed"] if "5" in scheme else []
                self.assert_told(check(f"{scheme}://{at}"), 0, [
                    f"proxy        {scheme}://{at} (SOCKSIFY_PROXY)", f"TCP          {at} connected", *method,
                    f"request      its own {at} granted"])
        sock, port = closed_port()
        with sock:
            told = check(at, f"127.0.0.1:{port}", SOCKSIFY_LOOPBACK="proxy")
        self.assertEqual((told[0], told[1][-2]), (FAILED, f"request      127.0.0.1:{port} failed: "
                         "connection refused by the destination (reply 05)"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
