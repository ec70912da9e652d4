"""PROTOCOL, SOCKS5 greeting, request and reply: items 19, 21 to 35, 38 to 43; 20 is in test_users.py."""

import os
import random
import socket
import threading
import unittest

from wire import (FAILURE5, GREETING, Case, Peer, closed_port, drip, greet, read_reply5, recv_all,
                  recv_exact, request5, socks4, socks5)

HOSTS = """
127.0.0.1 one.test
::1 six.test
"""


class Greeting(Case):
    def answer(self, octets):
        """What comes until EOF, or two octets."""
        c = self.server.connect()
        c.sendall(octets)
        return c, c.recv(2)

    def test_19_no_authentication(self):
        c, got = self.answer(GREETING)
        with c:
            self.assertEqual(got, b"\x05\x00")

    def test_21_never_a_method_that_was_not_offered(self):
        for method in range(256):
            c, got = self.answer(bytes([5, 1, method]))
            with c:
                self.assertEqual(got, b"\x05" + bytes([0 if method == 0 else 0xff]))

    def test_22_none_acceptable_closes(self):
        for methods in (b"\x02", b"\x01", b"\x80\x03", b"\xff"):
            c, got = self.answer(bytes([5, len(methods)]) + methods)
            with c:
                self.assertEqual(got, b"\x05\xff")
                self.assert_eof(c)

    def test_23_no_methods_at_all_closes(self):
        c, got = self.answer(b"\x05\x00")
        with c:
            self.assertEqual(got, b"\x05\xff")
            self.assert_eof(c)

    def test_24_255_methods_the_right_one_last(self):
        c, got = self.answer(b"\x05\xff" + bytes(range(1, 255)) + b"\x00")
        with c:
            self.assertEqual(got, b"\x05\x00")

    def test_25_duplicates_are_fine(self):
        c, got = self.answer(b"\x05\x06\x02\x02\x00\x00\x00\x02")
        with c:
            self.assertEqual(got, b"\x05\x00")

    def test_26_another_first_octet_closes_without_a_word(self):
        for first in [n for n in range(256) if n not in (4, 5) and n not in b"GPCHODT"]:
            c, got = self.answer(bytes([first]) * 40)
            with c:
                self.assertEqual(got, b"", f"first octet {first:02x}")

    def test_26_http_is_told_what_this_is(self):
        for method in (b"GET / HTTP/1.1", b"POST /", b"CONNECT example.org:443 HTTP/1.1"):
            with self.server.connect() as c:
                c.sendall(method + b"\r\nHost: x\r\n\r\n")
                answer = recv_all(c)
                self.assertRegex(answer, rb"^HTTP/1\.[01] 501 ")
                self.assertIn(b"SOCKS", answer)

    def test_27_the_order_is_the_servers(self):
        for methods in (b"\x01\x02\x00", b"\x00\x02\x01", b"\x02\x00\x01"):
            c, got = self.answer(b"\x05\x03" + methods)
            with c:
                self.assertEqual(got, b"\x05\x00")


class Request(Case):
    options = ("--handshake-timeout", "1")
    hosts = HOSTS

    def test_28_every_atyp_and_bnd_is_the_true_local_address(self):
        for to, listen in (("127.0.0.1", "127.0.0.1"), ("::1", "::1"), (b"one.test", "127.0.0.1"),
                           (b"six.test", "::1"), (b"ONE.test.", "127.0.0.1"),
                           (b"localhost", "127.0.0.1"), (b"deep.LocalHost.", "::1")):
            with Peer(listen) as peer, self.server.connect() as c:
                rep, address, port = request5(c, to, peer.port)
                self.assertEqual(rep, 0, to)
                with peer.accept() as p:
                    self.assertEqual((address, port), peer.last_from[:2])
                    self.assert_carries(c, p)

    def test_29_name_that_is_an_address(self):
        for name, listen in ((b"127.0.0.1", "127.0.0.1"), (b"::1", "::1")):
            with Peer(listen) as peer, self.server.connect() as c:
                self.assertEqual(request5(c, name, peer.port)[0], 0)
                with peer.accept() as p:
                    self.assert_carries(c, p)

    def test_30_v4_mapped_is_ipv4(self):
        with Peer() as peer:
            for to in ("::ffff:127.0.0.1", b"::ffff:127.0.0.1"):
                with self.server.connect() as c:
                    self.assertEqual(request5(c, to, peer.port)[:2], (0, "127.0.0.1"))
                    with peer.accept() as p:
                        self.assert_carries(c, p)

    def test_31_impossible_names_are_never_cut(self):
        names = (b"", b"one.test\0", b"\0", b"o\0ne.test", b"n" * 64 + b".test", b"n" * 255,
                 b".".join([b"n" * 63] * 4)[:254], b"a..b")
        for name in names:
            with self.server.connect() as c:
                rep, *bnd = request5(c, name, 80)
                self.assertIn(rep, (1, 4), name)
                self.assertEqual(tuple(bnd), FAILURE5)
                self.assert_eof(c)

    def test_32_port_0(self):
        for to in ("127.0.0.1", "::1", b"one.test"):
            self.refused5(socks5(to, 0), 1)

    def test_33_rsv_is_not_judged(self):
        with Peer() as peer, self.server.connect() as c:
            self.assertEqual(request5(c, "127.0.0.1", peer.port, rsv=0x7f)[0], 0)
            peer.accept().close()

    def test_34_another_version_in_the_request(self):
        for version in (0, 1, 4, 6, 255):
            self.refused5(socks5("127.0.0.1", 80, version=version), 1)

    def test_35_early_data_reaches_the_peer(self):
        with Peer() as peer:
            for early in (b"e", b"early" * 1000, bytes(300000)):
                with self.server.connect() as c:
                    greet(c)
                    sender = threading.Thread(
                        target=c.sendall, args=(socks5("127.0.0.1", peer.port) + early + b"end",))
                    sender.start()
                    with peer.accept() as p:
                        self.assertEqual(recv_exact(p, len(early) + 3), early + b"end")
                    sender.join()
                    self.assertEqual(read_reply5(c)[0], 0)

    def test_38_commands_that_are_not_there_are_07(self):
        for cmd in [n for n in range(256) if n not in (1, 2, 3, 0xf0, 0xf1)]:
            self.refused5(socks5("127.0.0.1", 80, cmd=cmd), 7)

    def test_38_unknown_atyp_is_08_without_waiting_for_more(self):
        for kind in [n for n in range(256) if n not in (1, 3, 4)]:
            self.refused5(bytes([5, 1, 0, kind]), 8)

    def test_39_no_relay_after_a_failure(self):
        with Peer() as peer:
            message = socks5("127.0.0.1", closed_port()) + socks5("127.0.0.1", peer.port)
            self.refused5(message + b"data", 5)
            peer.sock.setblocking(False)
            self.assertRaises(BlockingIOError, peer.accept)

    def test_40_reply_survives_unread_input(self):
        for n in (1, 5000, 1 << 20):
            with self.server.connect() as c:
                greet(c)
                sender = threading.Thread(
                    target=c.sendall, args=(socks5("127.0.0.1", closed_port()) + bytes(n),))
                sender.start()
                sender.join()
                self.assertEqual(read_reply5(c), (5, *FAILURE5))
                self.assert_eof(c)

    def test_41_an_octet_at_a_time(self):
        with Peer() as peer, self.server.connect() as c:
            drip(c, GREETING + socks5(b"one.test", peer.port) + b"tail")
            self.assertEqual(recv_exact(c, 2), b"\x05\x00")
            self.assertEqual(read_reply5(c)[0], 0)
            with peer.accept() as p:
                self.assertEqual(recv_exact(p, 4), b"tail")

    def test_41_all_in_one_segment(self):
        with Peer() as peer, self.server.connect() as c:
            c.sendall(b"\x05\xff" + bytes(255) + socks5(b"one.test", peer.port) + b"tail" * 1000)
            self.assertEqual(recv_exact(c, 2), b"\x05\x00")
            self.assertEqual(read_reply5(c)[0], 0)
            with peer.accept() as p:
                self.assertEqual(recv_exact(p, 4000), b"tail" * 1000)

    def test_41_random_cuts(self):
        seed = int(os.environ.get("WIRE_SEED", random.randrange(1 << 32)))
        dice = random.Random(seed)
        with Peer() as peer:
            for _ in range(100):
                to = dice.choice(("127.0.0.1", b"one.test", b"127.0.0.1", "::ffff:127.0.0.1"))
                message = GREETING + socks5(to, peer.port) + b"tail"
                if dice.random() < 0.3:
                    message = socks4("127.0.0.1", peer.port, b"me") + b"tail"
                cuts = sorted(dice.sample(range(1, len(message)), dice.randrange(0, 6)))
                with self.server.connect() as c, self.subTest(WIRE_SEED=seed):
                    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    for a, b in zip([0, *cuts], [*cuts, len(message)]):
                        c.sendall(message[a:b])
                    with peer.accept() as p:
                        self.assertEqual(recv_exact(p, 4), b"tail")

    def test_42_one_deadline_for_the_whole_handshake(self):
        message = GREETING + socks5(b"n" * 200 + b".test", 80)
        with self.server.connect() as c:
            c.settimeout(0.1)
            answered = b""
            for octet in message:
                try:
                    c.sendall(bytes([octet]))
                    got = c.recv(16)
                except socket.timeout:
                    continue
                except ConnectionError:
                    break
                answered += got
                if not got:
                    break
            else:
                self.fail("the handshake was never ended")
            self.assertEqual(answered, b"\x05\x00")

    def test_43_garbage_is_not_buffered(self):
        junk = os.urandom(1 << 20).replace(b"\0", b"\1")
        before = None
        for round_ in range(40):
            with self.server.connect() as c:
                c.sendall(socks4("127.0.0.1", 80)[:-1])
                # The reply and the close come in the midst of it.
                try:
                    c.sendall(junk)
                    recv_all(c)
                except ConnectionError:
                    pass
            if round_ == 4:
                before = self.server.rss_kib()
        self.assertLess(self.server.rss_kib() - before, 2048)

    def test_43_many_half_handshakes_are_small(self):
        before = self.server.rss_kib()
        idle = [self.server.connect() for _ in range(200)]
        for c in idle:
            c.sendall(b"\x05\xff" + bytes(100))
        # The last one is served after all before it.
        with self.server.connect() as c:
            greet(c)
        self.assertLess(self.server.rss_kib() - before, 200 * 8)
        for c in idle:
            self.assert_eof(c)
            c.close()


if __name__ == "__main__":
    unittest.main()
