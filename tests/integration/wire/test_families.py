"""PROTOCOL item 82: a client of one family reaches a destination of the other (RFC 3089)."""

import socket
import unittest

from wire import PATIENCE, Peer, Server, read_reply4, read_reply5, request5, socks4, socks4a, socks5

HOSTS = "127.0.0.1 four.test\n::1 six.test\n"


class Families(unittest.TestCase):
    """The server has a door in each family."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server(hosts=HOSTS, listen=("127.0.0.1:0", "[::1]:0"))

    @classmethod
    def tearDownClass(cls):
        if cls.server.stop() != 0:
            raise AssertionError(cls.server.lines[-20:])

    def client(self, family):
        at, port = (("127.0.0.1", "::1")[family == 6], self.server.ports[family == 6])
        return socket.create_connection((at, port), PATIENCE)

    def carries(self, client, peer):
        with peer.accept() as end:
            client.sendall(b"there")
            self.assertEqual(end.recv(5), b"there")
            end.sendall(b"back")
            self.assertEqual(client.recv(4), b"back")

    def test_82_socks5_by_name_and_by_address(self):
        for family, address, name in ((4, "::1", b"six.test"), (6, "127.0.0.1", b"four.test")):
            for asked in (name, address):
                with self.subTest(family=family, asked=asked), Peer(address) as peer, \
                        self.client(family) as c:
                    rep, bnd, _ = request5(c, asked, peer.port)
                    # BND is of the outgoing socket's family, not of the client's.
                    self.assertEqual((rep, bnd), (0, address))
                    self.carries(c, peer)

    def test_82_socks4a_reaches_ipv6_by_name(self):
        for family in (4, 6):
            with self.subTest(family=family), Peer("::1") as peer, self.client(family) as c:
                c.sendall(socks4a("six.test", peer.port))
                code, _, bnd = read_reply4(c)
                self.assertEqual((code, bnd), (0x5a, "0.0.0.0"))
                self.carries(c, peer)

    def test_82_socks4_over_ipv6_reaches_ipv4(self):
        with Peer() as peer, self.client(6) as c:
            c.sendall(socks4("127.0.0.1", peer.port))
            self.assertEqual(read_reply4(c)[0], 0x5a)
            self.carries(c, peer)

    def test_82_mapped_is_ipv4(self):
        with Peer() as peer, self.client(6) as c:
            c.sendall(b"\x05\x01\x00" + socks5("::ffff:127.0.0.1", peer.port))
            self.assertEqual(c.recv(2), b"\x05\x00")
            rep, bnd, _ = read_reply5(c)
            self.assertEqual((rep, bnd), (0, "127.0.0.1"))
            self.carries(c, peer)


if __name__ == "__main__":
    unittest.main()
