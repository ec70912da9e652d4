"""PROTOCOL items 44 and 45, and many tunnels at once."""

import asyncio
import fcntl
import hashlib
import os
import resource
import socket
import struct
import termios
import threading
import time
import unittest

from wire import (Case, Peer, PATIENCE, Server, greet, read_reply5, recv_all, recv_exact, request5,
                  reset, socks5, until)

BIG = bytes(os.urandom(1 << 20)) * 8


def small_buffers(sock):
    """Small, but above the 64 KiB segments of loopback, which crawl through less."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 << 10)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 128 << 10)


def unsent(sock):
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0\0\0\0"))[0]


def in_background(call, *args):
    thread = threading.Thread(target=call, args=args, daemon=True)
    thread.start()
    return thread


class Relay(Case):
    def test_44_half_close_both_ways(self):
        late = os.urandom(256 << 10)
        for a, b in self.both():
            a.sendall(b"question")
            a.shutdown(socket.SHUT_WR)
            self.assertEqual(recv_all(b), b"question")
            sender = in_background(b.sendall, late)
            self.assertEqual(recv_exact(a, len(late)), late)
            sender.join()
            b.sendall(b"later still")
            b.close()
            self.assertEqual(recv_all(a), b"later still")

    def test_44_half_close_with_octets_in_flight(self):
        for a, b in self.both():
            small_buffers(b)
            sender = in_background(lambda a=a: (a.sendall(BIG), a.shutdown(socket.SHUT_WR)))
            self.assertEqual(hashlib.sha256(recv_all(b)).digest(), hashlib.sha256(BIG).digest())
            sender.join()
            b.sendall(b"answer")
            self.assertEqual(recv_exact(a, 6), b"answer")

    def test_44_reset_goes_through_as_reset(self):
        for a, b in self.both():
            self.assert_carries(a, b)
            reset(a)
            self.assertRaises(ConnectionResetError, b.recv, 1)

    def test_44_reset_after_half_close(self):
        for a, b in self.both():
            a.shutdown(socket.SHUT_WR)
            self.assert_eof(b)
            reset(a)
            # No FIN can come any more; a write meets the reset.
            self.assertRaises(ConnectionError, lambda b=b: [b.sendall(b"x") or b.recv(0)
                                                            for _ in iter(int, 1)])

    def test_44_reset_while_the_other_does_not_read(self):
        for a, b in self.both():
            small_buffers(b)
            a.setblocking(False)
            sent = 0
            try:
                while True:
                    sent += a.send(BIG[:65536])
            except BlockingIOError:
                pass
            before = self.server.cpu_seconds()
            reset(a)
            # The dead side's hang-up stays up all the while, and costs nothing.
            time.sleep(0.5)
            self.assertLess(self.server.cpu_seconds() - before, 0.25)
            # What reached the server before the reset is delivered, the reset comes behind it.
            with self.assertRaises(ConnectionResetError):
                while b.recv(65536):
                    pass

    def lagging(self):
        """(server, speaker, listener, what it said): all is in the server's kernel, nobody reads."""
        for mirrored in (False, True):
            with Server() as server, Peer() as peer:
                small_buffers(peer.sock)
                c = socket.socket()
                small_buffers(c)
                c.settimeout(PATIENCE)
                c.connect(("127.0.0.1", server.port))
                self.assertEqual(request5(c, "127.0.0.1", peer.port)[0], 0)
                with c, peer.accept() as p:
                    a, b = (p, c) if mirrored else (c, p)
                    said = BIG[:900000]
                    a.sendall(said)
                    until(lambda s=server, a=a: not unsent(a) and not s.input_waiting(),
                          "all is read")
                    fds = server.fds()
                    reset(a)
                    until(lambda s=server, n=fds: s.fds() == n - 1, "the reset is seen")
                    yield server, b, said

    def assert_all_then_reset(self, sock, said):
        got = recv_exact(sock, len(said))
        self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(said).digest())
        self.assertRaises(ConnectionResetError, sock.recv, 1)

    def test_45_a_reset_waits_for_a_reader_that_lags(self):
        for server, b, said in self.lagging():
            server.turn()
            self.assert_all_then_reset(b, said)

    def test_45_a_reset_waits_also_where_the_reader_talks(self):
        for server, b, said in self.lagging():
            for _ in range(20):
                b.sendall(b"and another thing")
                server.turn()
            before = server.cpu_seconds()
            time.sleep(0.5)
            self.assertLess(server.cpu_seconds() - before, 0.25)
            self.assert_all_then_reset(b, said)

    def test_45_nothing_is_lost_when_a_side_closes(self):
        want = hashlib.sha256(BIG).digest()
        for a, b in self.both():
            sender = in_background(lambda a=a: (a.sendall(BIG), a.close()))
            self.assertEqual(hashlib.sha256(recv_all(b)).digest(), want)
            sender.join()

    def test_45_what_came_before_a_reset_is_delivered(self):
        for a, b in self.both():
            for n in (1, 1000, 60000):
                a.sendall(BIG[:n])
                self.assertEqual(recv_exact(b, n), BIG[:n])
            a.sendall(BIG[:30000])
            # Octets that nobody read make a reset of this close.
            b.sendall(b"unread")
            a.recv(1, socket.MSG_PEEK)
            a.close()
            self.assertEqual(recv_exact(b, 30000), BIG[:30000])
            self.assertRaises(ConnectionResetError, b.recv, 1)

    def test_45_first_words_of_the_peer_right_after_accept(self):
        with Peer() as peer, self.server.connect() as c:
            greet(c)
            c.sendall(socks5("127.0.0.1", peer.port))
            with peer.accept() as p:
                p.sendall(b"banner")
            self.assertEqual(read_reply5(c)[0], 0)
            self.assertEqual(recv_all(c), b"banner")

    def test_nodelay_and_keepalive_on_both_sides(self):
        with Peer() as peer:
            c, p = self.tunnel(peer)
            with c, p:
                found = 0
                for sock in self.server.sockets():
                    with sock:
                        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 0:
                            found += 1
                            for level, option, value in (
                                    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
                                    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
                                    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 300)):
                                self.assertEqual(sock.getsockopt(level, option), value)
                self.assertEqual(found, 2)

    def test_idle_tunnel_costs_no_cpu_when_one_side_is_shut(self):
        with Peer() as peer:
            c, p = self.tunnel(peer)
            with c, p:
                small_buffers(p)
                c.setblocking(False)
                try:
                    while True:
                        c.send(BIG[:65536])
                except BlockingIOError:
                    pass
                c.shutdown(socket.SHUT_WR)
                c.settimeout(0.5)
                before = self.server.cpu_seconds()
                self.assertRaises(socket.timeout, c.recv, 1)
                self.assertLess(self.server.cpu_seconds() - before, 0.25)

    def test_log_tells_who_where_and_how_much(self):
        with Peer() as peer:
            c, p = self.tunnel(peer)
            with c, p:
                client = "%s:%d" % c.getsockname()
                c.sendall(b"12345")
                recv_exact(p, 5)
                p.sendall(b"123")
                p.close()
                self.assertEqual(recv_all(c), b"123")
        target = f"127.0.0.1:{peer.port}"
        self.server.line(rf"^open id=\d+ client={client} version=5 target={target} "
                         rf"address={target} ms=\d+$")
        self.server.line(rf"^close id=\d+ client={client} target={target} sent=5 received=3 "
                         r"result=done ms=\d+$")


class Many(Case):
    N = 500

    async def echo(self, reader, writer):
        while True:
            data = await reader.read(65536)
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.close()

    async def client(self, n, port):
        data = hashlib.sha256(b"%d" % n).digest() * (50 + n * 5)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        writer.write(b"\x05\x01\x00" + socks5("127.0.0.1", port) + data)
        writer.write_eof()
        reply = await reader.readexactly(12)
        self.assertEqual(reply[:4], b"\x05\x00\x05\x00")
        self.assertEqual(await reader.read(-1), data)
        writer.close()

    async def all(self):
        peer = await asyncio.start_server(self.echo, "127.0.0.1", 0, backlog=1024)
        port = peer.sockets[0].getsockname()[1]
        await asyncio.wait_for(asyncio.gather(*(self.client(n, port) for n in range(self.N))),
                               6 * PATIENCE)
        peer.close()

    def test_500_tunnels_at_once_every_octet_checked(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 4 * self.N:
            self.skipTest(f"RLIMIT_NOFILE is {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        before = self.server.fds()
        asyncio.run(self.all())
        self.server.line("^close ", self.N - 1)
        self.assertEqual(self.server.fds(), before)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


if __name__ == "__main__":
    unittest.main()
