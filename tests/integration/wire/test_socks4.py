"""PROTOCOL, SOCKS4 and 4a: items 1, 2, 6 to 9, 13 to 18."""

import unittest

from wire import (Case, Peer, closed_port, drip, read_reply4, recv_all, recv_exact,
                  socks4, socks4a)

HOSTS = """
127.0.0.1 one.test
::1 six.test
127.0.0.9 two.test
127.0.0.1 two.test
"""


class Socks4(Case):
    options = ("--handshake-timeout", "1")
    hosts = HOSTS

    def opened(self, message, peer):
        c = self.server.connect()
        c.sendall(message)
        self.assertEqual(read_reply4(c)[0], 0x5a)
        return c, peer.accept()

    def test_01_connect_is_granted_then_relayed(self):
        with Peer() as peer:
            c, p = self.opened(socks4("127.0.0.1", peer.port), peer)
            with c, p:
                self.assert_carries(c, p)

    def test_01_reply_names_the_outgoing_address(self):
        with Peer() as peer, self.server.connect() as c:
            c.sendall(socks4("127.0.0.1", peer.port))
            code, port, address = read_reply4(c)
            with peer.accept():
                self.assertEqual((code, address, port), (0x5a, *peer.last_from))

    def test_02_connect_failure_is_5b_and_closes(self):
        self.refused4(socks4("127.0.0.1", closed_port()))

    def test_06_user_id_may_be_empty_or_255_octets(self):
        with Peer() as peer:
            for user in (b"", b"u", b"u" * 255, bytes(range(1, 256))):
                c, p = self.opened(socks4("127.0.0.1", peer.port, user) + b"data", peer)
                with c, p:
                    self.assertEqual(recv_exact(p, 4), b"data")

    def test_06_longer_user_id_is_5b_and_does_not_leak(self):
        with Peer() as peer:
            for n in (256, 2000, 100000):
                self.refused4(socks4("127.0.0.1", peer.port, b"u" * n) + b"data")
            peer.sock.setblocking(False)
            self.assertRaises(BlockingIOError, peer.accept)

    def test_07_request_without_its_end_is_closed_at_the_deadline(self):
        for part in (b"\x04", socks4("127.0.0.1", 80, b"u" * 200)[:-1],
                     socks4a("one.test", 80)[:-1]):
            with self.server.connect() as c:
                c.sendall(part)
                self.assert_eof(c)

    def test_08_other_commands_are_5b(self):
        for cd in [n for n in range(256) if n not in (1, 2, 0xf0)]:
            self.refused4(socks4("127.0.0.1", 80, cd=cd))

    def test_09_data_behind_the_request_reaches_the_peer_in_order(self):
        data = bytes(range(256)) * 200
        with Peer() as peer:
            c, p = self.opened(socks4("127.0.0.1", peer.port, b"me") + data, peer)
            with c, p:
                c.sendall(b"and more")
                self.assertEqual(recv_exact(p, len(data) + 8), data + b"and more")

    def test_13_name_with_ipv6_alone_is_reached(self):
        with Peer("::1") as peer, self.server.connect() as c:
            c.sendall(socks4a("six.test", peer.port))
            code, _, address = read_reply4(c)
            self.assertEqual((code, address), (0x5a, "0.0.0.0"))
            with peer.accept() as p:
                self.assert_carries(c, p)

    def test_14_every_0_0_0_x_means_read_the_name(self):
        with Peer() as peer:
            for x in (1, 2, 127, 255):
                c, p = self.opened(socks4(f"0.0.0.{x}", peer.port, name=b"one.test"), peer)
                with c, p:
                    self.assert_carries(c, p)

    def test_15_0_0_0_0_is_not_4a(self):
        with Peer() as peer:
            self.refused4(socks4("0.0.0.0", peer.port, name=b"one.test"))

    def test_16_name_in_another_segment_or_an_octet_at_a_time(self):
        with Peer() as peer:
            message = socks4a("one.test", peer.port, b"me")
            for cut in range(1, len(message)):
                with self.server.connect() as c:
                    drip(c, message[:1])
                    c.sendall(message[1:cut])
                    c.sendall(message[cut:] + b"x")
                    self.assertEqual(read_reply4(c)[0], 0x5a)
                    with peer.accept() as p:
                        self.assertEqual(recv_exact(p, 1), b"x")
            with self.server.connect() as c:
                drip(c, message)
                self.assertEqual(read_reply4(c)[0], 0x5a)
                with peer.accept() as p:
                    self.assert_carries(c, p)

    def test_17_unknown_empty_or_long_name_is_5b(self):
        for name in (b"", b"n" * 256, b"n" * 5000, b"n" * 64, b"a..b", b"no where", b"back\\slash"):
            self.refused4(socks4a(name, 80) + b"data")

    def test_18_next_address_when_one_fails(self):
        with Peer("127.0.0.1") as peer:
            c, p = self.opened(socks4a("two.test", peer.port), peer)
            with c, p:
                self.assert_carries(c, p)

    def test_41_glued_request_and_end(self):
        with Peer() as peer:
            with self.server.connect() as c:
                c.sendall(socks4("127.0.0.1", peer.port) + b"all that I say")
                c.shutdown(1)
                with peer.accept() as p:
                    self.assertEqual(recv_all(p), b"all that I say")
                    p.sendall(b"answer")
                self.assertEqual(read_reply4(c)[0], 0x5a)
                self.assertEqual(recv_all(c), b"answer")


if __name__ == "__main__":
    unittest.main()
