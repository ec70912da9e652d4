"""PROTOCOL items 42, 43, 49, 58, 61, 74 and 86 under floods, with honest clients beside them that must not notice."""

import contextlib
import random
import resource
import signal
import socket
import unittest

from honest import Honest
from test_users import GREETING2, hash_line, userpass
from wire import (GREETING, PATIENCE, SOCKSIFYD, Dns, Server, Settings, atyp, black_hole,
                  closed_port, read_reply5, recv_all, recv_exact, reset, socks4, socks5, until)

# Where a client can stop: before a word, and within each message.
STAGES = (b"", b"\x05", b"\x05\xff" + b"\x02" * 100, GREETING, GREETING + b"\x05\x01\x00",
          GREETING + b"\x05\x01\x00\x03\xff" + b"n" * 200, b"\x04\x01\x00\x50",
          b"\x04\x01\x00\x50\x7f\x00\x00\x01" + b"u" * 200,
          b"\x04\x01\x00\x50\x00\x00\x00\x01u\0" + b"n" * 200, b"GET / HT")
# What one of them may cost: its session, and a message that is not whole. RSS is in pages.
HALF_OPEN_KIB = 4


def is_sanitized():
    """Its allocator keeps what is freed, for a while."""
    with open(SOCKSIFYD, "rb") as f:
        text = f.read()
    return b"__asan_init" in text or b"__tsan_init" in text


def kernel_buffers():
    """Octets that two sockets may have between them which nobody reads."""
    most = 0
    for name in ("tcp_rmem", "tcp_wmem"):
        with open(f"/proc/sys/net/ipv4/{name}", encoding="ascii") as f:
            most += int(f.read().split()[2])
    return most


class FloodCase(unittest.TestCase):
    OPTIONS = ()

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def serve(self, *options, **how):
        self.server = self.stack.enter_context(Server("-q", *self.OPTIONS, *options, **how))
        return self.server

    def honest(self, **how):
        return self.stack.enter_context(Honest(self.server, **how))

    def crowd(self, n):
        """So many connections; all are closed at the end."""
        return [self.stack.enter_context(self.server.connect()) for _ in range(n)]

    @staticmethod
    def is_open(sock, said):
        """Still, after this was said."""
        try:
            sock.send(said)
            return sock.recv(1, socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    @staticmethod
    def swallowed(sock, said):
        """How much the server takes before it stops, or has had enough."""
        octets = 0
        sock.settimeout(0.2)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, socket.timeout):
            while octets < 64 << 20:
                octets += sock.send(said)
                said = b"u" * 65536
        return octets

    def over(self, fds, crowd=()):
        """The flood is over: nothing of it is left, and the server ends without anything to drain."""
        for sock in crowd:
            sock.close()
        until(lambda: self.server.fds() <= fds, "the server's descriptors are as at first")
        self.server.signal(signal.SIGTERM)
        self.assertEqual(self.server.process.wait(PATIENCE), 0)
        self.server.line("^stopped sessions=0$")


class Flood(FloodCase):
    def test_42_half_open_handshakes(self):
        server = self.serve("--handshake-timeout", "1000")
        fds = server.fds()
        with Honest(server) as honest:
            before = server.rss_kib()
            crowd = self.crowd(1000)
            for n, sock in enumerate(crowd):
                sock.sendall(STAGES[n % len(STAGES)])
            until(lambda: server.fds() >= fds + len(crowd), "all of them are let in")
            honest.go_on(8)
            if not is_sanitized():
                self.assertLess(server.rss_kib() - before, len(crowd) * HALF_OPEN_KIB)
        self.over(fds, crowd)

    def test_42_an_octet_now_and_then(self):
        server = self.serve("--handshake-timeout", "1")
        fds = server.fds()
        with Honest(server) as honest:
            crowd = self.crowd(200)
            message = b"\x04\x01\x00\x50\x7f\x00\x00\x01" + b"u" * 255
            alive, at = crowd, 0
            while alive:
                octet = message[at:at + 1]
                alive, at = [sock for sock in alive if self.is_open(sock, octet)], at + 1
                honest.go_on(1)
        self.over(fds, crowd)

    def test_43_garbage(self):
        server = self.serve()
        fds = server.fds()
        rng = random.Random(1)
        with Honest(server) as honest:
            before = server.rss_kib()
            for _ in range(20):
                crowd = self.crowd(25)
                for sock in crowd:
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        sock.sendall(rng.choice((b"", GREETING, b"\x04", b"\x05")) + rng.randbytes(2000))
                for sock in crowd:
                    sock.close()
            # Without an end, each: what is read behind a refusal is bounded, too.
            for said in (b"\x16\x03\x01", b"\x04\x01\x00\x50\x7f\x00\x00\x01", b"GET ", b"\x05\x00",
                         GREETING + b"\x05\x09\x00\x03"):
                sock = server.connect()
                self.assertLess(self.swallowed(sock, said), (8 << 20) + kernel_buffers())
                reset(sock)
            honest.go_on(8)
            if not is_sanitized():
                self.assertLess(server.rss_kib() - before, 2048)
        self.over(fds)

    def test_06_user_ids_without_end(self):
        server = self.serve()
        fds = server.fds()
        with Honest(server) as honest:
            crowd = self.crowd(200)
            for sock in crowd:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    sock.sendall(socks4("127.0.0.1", 80, b"u" * 65536))
            for sock in crowd:
                sock.shutdown(socket.SHUT_WR)
                self.assertEqual(recv_all(sock)[:2], b"\x00\x5b")
            honest.go_on(8)
        self.over(fds, crowd)

    def test_45_connections_that_are_reset(self):
        server = self.serve()
        fds = server.fds()
        with black_hole() as hole, Honest(server) as honest:
            target = socks5("127.0.0.1", hole.port)
            refused = socks5("127.0.0.1", closed_port())
            said = (*STAGES, GREETING + target, GREETING + refused, socks4("127.0.0.1", hole.port),
                    GREETING + socks5("127.0.0.2", honest.target.port) + b"early")
            for n in range(1000):
                sock = server.connect()
                sock.sendall(said[n % len(said)])
                reset(sock)
            honest.go_on(8)
        self.over(fds)

    def test_49_listening_for_nobody(self):
        server = self.serve()
        fds = server.fds()
        with Honest(server) as honest:
            crowd = self.crowd(200)
            for sock in crowd:
                sock.sendall(GREETING + socks5("127.0.0.1", 0, cmd=2))
            for sock in crowd:
                recv_exact(sock, 2)
                self.assertEqual(read_reply5(sock)[0], 0)
            honest.go_on(8)
        self.over(fds, crowd)

    def test_58_datagrams_to_nobody(self):
        server = self.serve()
        fds = server.fds()
        junk = (b"", b"\0\0\0\5", b"\0" * 2000, b"\0\0\3\1" + b"\x7f\0\0\1" * 3,
                b"\0\0\0" + atyp("127.0.0.1") + closed_port().to_bytes(2, "big") + b"d" * 1400)
        with Honest(server) as honest:
            crowd = self.crowd(50)
            relays = []
            for sock in crowd:
                sock.sendall(GREETING + socks5("0.0.0.0", 0, cmd=3))
                recv_exact(sock, 2)
                relays.append(read_reply5(sock)[1:])
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
                flood.bind(("127.0.0.1", 0))
                for _ in range(10):
                    for relay in relays:
                        for datagram in junk:
                            flood.sendto(datagram, relay)
                    honest.go_on(1)
        self.over(fds, crowd)

    def test_61_names_that_nobody_answers(self):
        silent = [(f"{n}.silent.test", kind) for n in range(300) for kind in ("A", "AAAA")]
        zone = {("honest.test", "A"): ["127.0.0.2"]}
        with Dns(zone, silent=silent) as dns:
            server = self.serve(*dns.options)
            # Each thread keeps a socket for questions.
            fds = server.fds() + 2
            with Honest(server, name=b"honest.test") as honest:
                crowd = self.crowd(300)
                for n, sock in enumerate(crowd):
                    sock.sendall(GREETING + socks5(b"%d.silent.test" % n, 80))
                until(lambda: len(dns.held) >= len(crowd), "all of them are asked for")
                honest.go_on(8)
                # Others that are told at once that there is no such name.
                for n in range(300):
                    with server.connect() as sock:
                        sock.sendall(GREETING + socks5(b"%d.none.test" % n, 80))
                        self.assertEqual(recv_exact(sock, 4)[3], 4)
                honest.go_on(8)
                for sock in crowd:
                    reset(sock)
            self.over(fds)

    def test_74_guesses(self):
        with Settings(hash_line("sesame", b"open sesame")) as users:
            server = self.serve("--users", users.name)
            fds = server.fds()
            with Honest(server, login=userpass("sesame", "open sesame")) as honest:
                crowd = self.crowd(100)
                for n, sock in enumerate(crowd):
                    sock.sendall(GREETING2 + userpass("sesame", f"open {n}"))
                honest.go_on(8)
                for sock in crowd:
                    reset(sock)
                honest.go_on(8)
            self.over(fds)


class Shortage(FloodCase):
    """The descriptors run out, again and again."""

    def test_86_recovers_after_each_flood(self):
        limit = 64
        server = self.serve("--max-clients", "1000", "--handshake-timeout", "1", preexec=lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (limit, limit)))
        fds = server.fds()
        for _ in range(3):
            crowd = self.crowd(2 * limit)
            for sock in crowd[::2]:
                sock.sendall(GREETING)
            until(lambda: server.fds() == limit, "it has no descriptor left")
            before = server.cpu_seconds()
            for sock in crowd:
                sock.close()
            with Honest(server) as honest:
                honest.go_on(8)
            self.assertLess(server.cpu_seconds() - before, 1)
        self.over(fds)


class Seats(FloodCase):
    """Whoever takes every place that there is to be had, others have theirs."""

    def test_86_one_source_takes_its_share(self):
        server = self.serve("--max-clients", "100", "--max-clients-per-source", "30")
        fds = server.fds()
        with Honest(server) as honest:
            crowd = []
            for _ in range(10):
                crowd += self.crowd(50)
                for sock in crowd[-50:]:
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        sock.sendall(GREETING)
                honest.go_on(2)
            # Its own share and no more; an honest one has two descriptors, or three for the moment.
            self.assertLessEqual(server.fds(), fds + 30 + 4)
        self.over(fds, crowd)

    def test_86_silent_ones_of_all_sources_make_room(self):
        server = self.serve("--max-clients", "40")
        fds = server.fds()
        crowd = [self.stack.enter_context(socket.create_connection(
            ("127.0.0.1", server.port), PATIENCE, (f"127.0.5.{n}", 0))) for n in range(1, 61)]
        for n, sock in enumerate(crowd):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                sock.sendall(STAGES[n % len(STAGES)])
        with Honest(server) as honest:
            honest.go_on(8)
        self.over(fds, crowd)

    def test_86_one_user_takes_a_share(self):
        with Settings(hash_line("one", b"1") + hash_line("two", b"2")) as users:
            server = self.serve("--users", users.name, "--max-clients-per-user", "20")
            fds = server.fds()
            with black_hole() as hole, Honest(server, login=userpass("two", "2")) as honest:
                crowd = self.crowd(60)
                for sock in crowd:
                    sock.sendall(GREETING2 + userpass("one", "1") + socks5("127.0.0.1", hole.port))
                honest.go_on(8)
                for sock in crowd:
                    reset(sock)
            self.over(fds)


class Threads(Flood):
    """The floods again, with two loops."""

    OPTIONS = ("--threads", "2")


if __name__ == "__main__":
    unittest.main()
