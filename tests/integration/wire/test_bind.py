"""PROTOCOL, BIND: items 10 to 12 of SOCKS4, 46 to 52 of SOCKS5."""

import contextlib
import hashlib
import ipaddress
import random
import resource
import socket
import threading
import unittest

from wire import (PATIENCE, Case, Dns, Peer, Server, ip, greet, needs_netns, read_reply4, read_reply5,
                  recv_all, recv_exact, reset, socks4, socks4a, socks5, until)

BIND = 2
ANY4 = "0.0.0.0"
HOSTS = """
127.0.0.7 peer.test
127.0.0.8 peer.test
::1 six.test
127.0.0.7 both.test
::1 both.test
"""


def come(address, port, source=None):
    """The peer; source is the address that it comes from."""
    return socket.create_connection((address, port), PATIENCE, source and (source, 0))


def come_in_vain(address, port, source=None):
    """A stranger: the reset may be there before connect(2) is back."""
    with contextlib.suppress(ConnectionResetError), come(address, port, source) as p:
        p.recv(1)
        raise AssertionError("no reset for a stranger")


def nobody_listens(address, port):
    try:
        come(address, port).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass  # closed just then, with us in its queue: ask again
    return False


class Bind(Case):
    options = ("-v",)
    hosts = HOSTS

    def bind4(self, c, message):
        c.sendall(message)
        code, port, address = read_reply4(c)
        self.assertEqual(code, 0x5a)
        self.assertGreater(port, 0)
        return address, port

    def bind5(self, c, address=ANY4, port=0):
        greet(c)
        c.sendall(socks5(address, port, cmd=BIND))
        rep, address, port = read_reply5(c)
        self.assertEqual(rep, 0)
        self.assertGreater(port, 0)
        self.assertFalse(ipaddress.ip_address(address).is_unspecified)
        return address, port

    def assert_second4(self, c, peer):
        host, port = peer.getsockname()[:2]
        self.assertEqual(read_reply4(c), (0x5a, port, host))

    def assert_second5(self, c, peer):
        self.assertEqual(read_reply5(c), (0, *peer.getsockname()[:2]))

    # SOCKS4

    def test_10_first_reply_names_a_listening_socket(self):
        with self.server.connect() as c:
            at = self.bind4(c, socks4(ANY4, 0, b"me", cd=BIND))
            self.assertEqual(at[0], "127.0.0.1")
            with come(*at):
                pass

    def test_10_address_0_where_it_is_ipv6(self):
        with self.server.connect() as c:
            at = self.bind4(c, socks4a("six.test", 0, cd=BIND))
            self.assertEqual(at[0], ANY4)
            with come("::1", at[1]) as p:
                self.assertEqual(read_reply4(c), (0x5a, p.getsockname()[1], ANY4))
                self.assert_carries(c, p)

    def test_11_second_reply_then_relay(self):
        for message, source in ((socks4(ANY4, 21, cd=BIND), "127.0.0.3"),
                                (socks4("127.0.0.7", 21, cd=BIND), "127.0.0.7"),
                                (socks4a("peer.test", 21, cd=BIND), "127.0.0.8"),
                                (socks4a("0.0.0.0", 21, cd=BIND), "127.0.0.9"),
                                (socks4a("both.test", 0, cd=BIND), "127.0.0.7")):
            with self.server.connect() as c:
                at = self.bind4(c, message)
                with come(*at, source) as p:
                    self.assert_second4(c, p)
                    self.assert_carries(c, p)

    def test_11_another_peer_is_5b_and_closes(self):
        for message in (socks4("127.0.0.7", 0, cd=BIND), socks4a("peer.test", 0, cd=BIND)):
            with self.server.connect() as c:
                at = self.bind4(c, message)
                come_in_vain(*at, "127.0.0.1")
                self.assertEqual(read_reply4(c), (0x5b, 0, ANY4))
                self.assert_eof(c)
                self.assertTrue(nobody_listens(*at))

    def test_12_clients_close_frees_the_port(self):
        with self.server.connect() as c:
            at = self.bind4(c, socks4(ANY4, 0, cd=BIND))
        until(lambda: nobody_listens(*at), "the port is free")

    def test_17_unknown_name_is_5b(self):
        self.refused4(socks4a("no..where", 0, cd=BIND))

    def test_11_name_by_dns(self):
        with Dns({("dns.test", "A"): ["127.0.0.8"], ("dns.test", "AAAA"): ["2001:db8::1"]}) as dns:
            with Server(*dns.options) as server:
                for message in (socks4a("dns.test", 0, cd=BIND), socks4a("dns.test", 9, cd=BIND)):
                    with server.connect() as c:
                        at = self.bind4(c, message)
                        with come(*at, "127.0.0.8") as p:
                            self.assert_second4(c, p)

    # SOCKS5

    def test_46_bnd_is_where_the_peer_can_come(self):
        with self.server.connect() as c:
            at = self.bind5(c, "127.0.0.7")
            with come(*at, "127.0.0.7") as p:
                self.assert_second5(c, p)

    @needs_netns
    def test_46_bnd_is_towards_the_peer_not_the_client(self):
        ip("addr", "add", "192.0.2.46/32", "dev", "lo")
        try:
            with self.server.connect() as c:
                at = self.bind5(c, "192.0.2.46")
                self.assertEqual(at[0], "192.0.2.46")
                with come(*at, "192.0.2.46") as p:
                    self.assert_second5(c, p)
                    self.assert_carries(c, p)
        finally:
            ip("addr", "del", "192.0.2.46/32", "dev", "lo")

    @needs_netns
    def test_46_no_route_to_the_peer_is_03(self):
        self.refused5(socks5("192.0.2.99", 0, cmd=BIND), 3)

    def test_47_second_reply_then_relay_and_the_listener_is_closed(self):
        with self.server.connect() as c:
            at = self.bind5(c)
            with come(*at) as p:
                self.assert_second5(c, p)
                self.assertTrue(nobody_listens(*at))
                self.assert_carries(c, p)
                p.shutdown(socket.SHUT_WR)
                self.assert_eof(c)
                c.sendall(b"still")
                c.shutdown(socket.SHUT_WR)
                self.assertEqual(recv_all(p), b"still")

    def test_47_what_the_peer_says_first_is_behind_the_reply(self):
        with self.server.connect() as c:
            at = self.bind5(c)
            with come(*at) as p:
                p.sendall(b"220 hello\r\n")
                self.assert_second5(c, p)
                self.assertEqual(recv_exact(c, 11), b"220 hello\r\n")

    def test_48_others_are_turned_away_and_the_wait_goes_on(self):
        with self.server.connect() as c:
            at = self.bind5(c, b"peer.test", 4242)
            for stranger in ("127.0.0.1", "127.0.0.9", "127.0.0.70"):
                come_in_vain(*at, stranger)
            self.server.line(r"^stranger .*command=bind .*address=127\.0\.0\.70:")
            with come(*at, "127.0.0.8") as p:
                self.assert_second5(c, p)
                self.assert_carries(c, p)

    def test_48_many_others_at_once(self):
        with self.server.connect() as c, contextlib.ExitStack() as strangers:
            at = self.bind5(c, "127.0.0.7")
            for _ in range(40):
                stranger = strangers.enter_context(socket.socket())
                stranger.setblocking(False)
                stranger.connect_ex(at)
            with come(*at, "127.0.0.7") as p:
                self.assert_second5(c, p)
                self.assert_carries(c, p)

    def test_48_unspecified_is_anybody(self):
        for any_address in (ANY4, "::", b"0.0.0.0"):
            with self.server.connect() as c:
                at = self.bind5(c, any_address)
                with come(*at, "127.0.0.11") as p:
                    self.assert_second5(c, p)

    def test_49_clients_eof_frees_the_port(self):
        with self.server.connect() as c:
            at = self.bind5(c)
            c.shutdown(socket.SHUT_WR)
            until(lambda: nobody_listens(*at), "the port is free after a half-close")
            self.assert_eof(c)

    def test_49_clients_eof_behind_data_frees_the_port(self):
        with self.server.connect() as c:
            at = self.bind5(c)
            c.sendall(b"d" * 300000)
            c.shutdown(socket.SHUT_WR)
            until(lambda: nobody_listens(*at), "the port is free")

    def test_49_clients_reset_frees_the_port(self):
        with self.server.connect() as c:
            at = self.bind5(c)
            reset(c)
            until(lambda: nobody_listens(*at), "the port is free after a reset")

    def test_49_unknown_name_is_04(self):
        self.refused5(socks5(b"unknown..test", 0, cmd=BIND), 1)
        with Server(hosts=HOSTS, *("--nameserver", "127.0.0.1:1")) as server:
            with server.connect() as c:
                greet(c)
                c.sendall(socks5(b"back\\slash.test", 0, cmd=BIND))
                self.assertEqual(read_reply5(c)[0], 4)
                self.assert_eof(c)

    def test_50_ipv6(self):
        with Server(listen=("[::1]:0",), hosts=HOSTS) as server:
            for expected in ("::1", "::", b"six.test", ANY4):
                with socket.create_connection(("::1", server.port), PATIENCE) as c:
                    at = self.bind5(c, expected)
                    self.assertEqual(at[0], "::1")
                    with come(*at) as p:
                        self.assert_second5(c, p)
                        self.assert_carries(c, p)

    def test_50_ipv6_peer_of_an_ipv4_client(self):
        with self.server.connect() as c:
            at = self.bind5(c, b"six.test")
            self.assertEqual(at[0], "::1")
            with come(*at) as p:
                self.assert_second5(c, p)

    def test_50_mapped_peer_is_ipv4(self):
        with self.server.connect() as c:
            at = self.bind5(c, "::ffff:127.0.0.7")
            with come(*at, "127.0.0.7") as p:
                self.assert_second5(c, p)

    def test_52_what_the_client_sends_before_the_peer_came_is_the_peers(self):
        with self.server.connect() as c:
            greet(c)
            c.sendall(socks5(ANY4, 0, cmd=BIND) + b"glued ")
            _, *at = read_reply5(c)
            c.sendall(b"between ")
            until(lambda: self.server.input_waiting() == 0, "the server has read it")
            c.sendall(b"and then")
            with come(*at) as p:
                self.assert_second5(c, p)
                self.assertEqual(recv_exact(p, 22), b"glued between and then")
                self.assert_carries(c, p)

    def test_52_more_than_the_server_holds(self):
        data = random.Random(52).randbytes(3 << 20)
        with self.server.connect() as c:
            at = self.bind5(c)
            sender = threading.Thread(target=c.sendall, args=(data,))
            sender.start()
            # It has taken what it takes, and the rest waits in the kernel.
            until(lambda: self.server.input_waiting() > 0, "the client is held up")
            with come(*at) as p:
                got = hashlib.sha256(recv_exact(p, len(data))).digest()
                sender.join()
                self.assertEqual(got, hashlib.sha256(data).digest())
                self.assert_second5(c, p)
                self.assert_carries(c, p)

    def test_the_log_tells_of_port_and_peer(self):
        with self.server.connect() as c:
            at = self.bind5(c)
            client = "127.0.0.1:%d" % c.getsockname()[1]
            self.server.line(rf"^bound id=\d+ client={client} version=5 command=bind "
                             rf"target=0\.0\.0\.0:0 address=127\.0\.0\.1:{at[1]} ")
            with come(*at) as p:
                self.assert_second5(c, p)
                self.server.line(rf"^open id=\d+ client={client} .*command=bind "
                                 rf".*address=127\.0\.0\.1:{p.getsockname()[1]} ")
        self.server.line(rf"^close id=\d+ client={client} command=bind .*result=done")


class Wait(unittest.TestCase):
    """--bind-timeout."""

    def test_12_49_nobody_came(self):
        with Server("--bind-timeout", "0.2") as server:
            with server.connect() as c, server.connect() as d:
                c.sendall(socks4(ANY4, 0, cd=BIND))
                _, port, address = read_reply4(c)
                self.assertEqual(read_reply4(c), (0x5b, 0, ANY4))
                self.assertEqual(c.recv(1), b"")
                self.assertTrue(nobody_listens(address, port))
                greet(d)
                d.sendall(socks5(ANY4, 0, cmd=BIND))
                _, *at = read_reply5(d)
                self.assertEqual(read_reply5(d), (6, ANY4, 0))
                self.assertEqual(d.recv(1), b"")
                self.assertTrue(nobody_listens(*at))

    def test_49_only_others_came(self):
        with Server("--bind-timeout", "0.5") as server, server.connect() as c:
            greet(c)
            c.sendall(socks5("127.0.0.7", 0, cmd=BIND))
            _, *at = read_reply5(c)
            come_in_vain(*at)
            self.assertEqual(read_reply5(c), (2, ANY4, 0))
            self.assertEqual(c.recv(1), b"")
            server.line(r"^failed .*stage=bind reply=02 reason=")


class Ports(unittest.TestCase):
    """--bind-ports, --public-address, --commands."""

    def test_51_ports_of_the_range_until_none_is_left(self):
        with Peer() as taken:
            low = min(taken.port, 65532)
            with Server("--bind-ports", f"{low}-{low + 3}") as server:
                got = []
                with contextlib.ExitStack() as clients:
                    for _ in range(5):
                        c = clients.enter_context(server.connect())
                        greet(c)
                        c.sendall(socks5(ANY4, 0, cmd=BIND))
                        rep, _, port = read_reply5(c)
                        got += [port] if rep == 0 else [-rep]
                self.assertEqual(got[-1], -1)
                mine = [port for port in got if port > 0]
                self.assertTrue(set(mine) <= set(range(low, low + 4)) - {taken.port}, got)
                self.assertEqual(len(set(mine)), len(mine))
                # And they come back.
                until(lambda: nobody_listens("127.0.0.1", mine[0]), "the port is free")

    def test_51_a_port_is_had_again_at_once_after_a_tunnel(self):
        with Peer() as p:
            port = p.port
        with Server("--bind-ports", str(port)) as server:
            for _ in range(3):
                with server.connect() as c:
                    greet(c)
                    c.sendall(socks5(ANY4, 0, cmd=BIND))
                    self.assertEqual(read_reply5(c), (0, "127.0.0.1", port))
                    with come("127.0.0.1", port) as peer:
                        self.assertEqual(read_reply5(c)[0], 0)
                        c.shutdown(socket.SHUT_WR)
                        self.assertEqual(peer.recv(1), b"")
                    self.assertEqual(c.recv(1), b"")

    @needs_netns
    def test_51_peers_that_the_guard_closes_are_turned_away(self):
        ip("addr", "add", "192.0.2.51/32", "dev", "lo")
        ip("addr", "add", "192.0.2.52/32", "dev", "lo")
        try:
            with Server("-v", "--allow", "192.0.2.51", "--allow-to", "192.0.2.52",
                        listen=("192.0.2.51:0",)) as server:
                with socket.create_connection(("192.0.2.51", server.port), PATIENCE,
                                              ("192.0.2.51", 0)) as c:
                    greet(c)
                    c.sendall(socks5(ANY4, 0, cmd=BIND))
                    rep, *at = read_reply5(c)
                    self.assertEqual((rep, at[0]), (0, "192.0.2.51"))
                    come_in_vain(*at, "127.0.0.1")
                    server.line("^stranger .*address=127.0.0.1:")
                    with come(*at, "192.0.2.52") as p:
                        self.assertEqual(read_reply5(c), (0, *p.getsockname()))
        finally:
            ip("addr", "del", "192.0.2.51/32", "dev", "lo")
            ip("addr", "del", "192.0.2.52/32", "dev", "lo")

    def test_46_public_address_is_told(self):
        with Server("--public-address", "192.0.2.1", "--public-address=2001:db8::1") as server:
            for expected, told, at in ((ANY4, "192.0.2.1", "127.0.0.1"),
                                       ("127.0.0.1", "192.0.2.1", "127.0.0.2"),
                                       ("::1", "2001:db8::1", "::1")):
                with server.connect() as c:
                    greet(c)
                    c.sendall(socks5(expected, 0, cmd=BIND))
                    rep, address, port = read_reply5(c)
                    self.assertEqual((rep, address), (0, told))
                    with come(at, port) as p:
                        self.assertEqual(read_reply5(c), (0, *p.getsockname()[:2]))

    def test_38_51_commands_that_are_switched_off(self):
        with Server("--commands", "connect,resolve") as server:
            for cmd in (2, 3):
                with server.connect() as c:
                    greet(c)
                    c.sendall(socks5(ANY4, 0, cmd=cmd))
                    self.assertEqual(read_reply5(c), (7, ANY4, 0))
                    self.assertEqual(c.recv(1), b"")
            with server.connect() as c:
                c.sendall(socks4(ANY4, 0, cd=BIND))
                self.assertEqual(read_reply4(c), (0x5b, 0, ANY4))
                self.assertEqual(c.recv(1), b"")
        with Server("--commands", "bind") as server, Peer() as peer, server.connect() as c:
            greet(c)
            c.sendall(socks5("127.0.0.1", peer.port))
            self.assertEqual(read_reply5(c)[0], 7)

    def test_49_no_descriptor_for_the_peer_is_01(self):
        limit = 64
        with Server("--max-clients", "1000", preexec=lambda: resource.setrlimit(
                resource.RLIMIT_NOFILE, (limit, limit))) as server, contextlib.ExitStack() as crowd:
            with server.connect() as c:
                greet(c)
                c.sendall(socks5(ANY4, 0, cmd=BIND))
                rep, *at = read_reply5(c)
                self.assertEqual(rep, 0)
                for _ in range(limit):
                    crowd.enter_context(server.connect())
                until(lambda: server.fds() == limit, "it has no descriptor left")
                # The port is closed with the peer in its queue.
                with contextlib.suppress(ConnectionResetError):
                    come(*at).close()
                self.assertEqual(read_reply5(c), (1, ANY4, 0))
                self.assertEqual(c.recv(1), b"")

    def test_no_descriptor_is_left(self):
        with Server("--bind-timeout", "0.3") as server:
            before = server.fds()
            for ending in ("close", "reset", "half", "peer", "stranger", "timeout"):
                with server.connect() as c:
                    greet(c)
                    c.sendall(socks5("127.0.0.7", 0, cmd=BIND))
                    _, *at = read_reply5(c)
                    if ending == "reset":
                        reset(c)
                    elif ending == "half":
                        c.shutdown(socket.SHUT_WR)
                        c.recv(1)
                    elif ending == "peer":
                        with come(*at, "127.0.0.7"):
                            read_reply5(c)
                    elif ending == "stranger":
                        come_in_vain(*at)
                    elif ending == "timeout":
                        read_reply5(c)
            until(lambda: server.fds() == before, "as many descriptors as before")


if __name__ == "__main__":
    unittest.main()
