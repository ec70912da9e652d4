"""Clients that behave, beside those that don't: from another source address, and none of them may fail."""

import itertools
import os
import socket
import struct
import threading

from wire import PATIENCE, Peer, atyp, read_reply5, recv_all, recv_exact, socks5

SOURCE = "127.0.0.2"
DATA = os.urandom(64 << 10)


class Target:
    """Reads to the end, answers with the octets the other way round; one connection at a time. So with datagrams."""

    def __init__(self):
        self.peer = Peer(SOURCE)
        self.port = self.peer.port
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind((SOURCE, 0))
        self.closing = False
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self._serve, self._mirror)]
        for thread in self.threads:
            thread.start()

    def _serve(self):
        self.peer.sock.settimeout(None)
        while not self.closing:
            try:
                with self.peer.accept() as conn:
                    conn.sendall(recv_all(conn)[::-1])
            except OSError:
                # Who asked tells what went wrong.
                pass

    def _mirror(self):
        while not self.closing:
            data, peer = self.datagrams.recvfrom(65535)
            self.datagrams.sendto(data[::-1], peer)

    def close(self):
        self.closing = True
        socket.create_connection((SOURCE, self.port), PATIENCE).close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.datagrams.getsockname())
            for thread in self.threads:
                thread.join(PATIENCE)
        self.datagrams.close()
        self.peer.sock.close()


class Honest:
    """
    with Honest(server): rounds, one after another: connect by address and by name, BIND, UDP. Each has PATIENCE for
    each of its steps, and the first that fails fails the test.

    name   the target's
    login  what to send after the greeting; then users are demanded
    """

    def __init__(self, server, name=None, login=b""):
        self.server, self.name, self.login = server, name, login
        self.target = Target()
        self.rounds, self.failure = 0, None
        self.news = threading.Condition()
        self.closing = False
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def ask(self, cmd, host, port):
        """A connection that has got its good reply, and where the server is for it."""
        c = socket.create_connection(("127.0.0.1", self.server.port), PATIENCE, (SOURCE, 0))
        try:
            c.sendall(bytes([5, 1, 2 if self.login else 0]))
            if recv_exact(c, 2) != (b"\x05\x02" if self.login else b"\x05\x00"):
                raise AssertionError("the method was refused")
            if self.login:
                c.sendall(self.login)
                if recv_exact(c, 2) != b"\x01\x00":
                    raise AssertionError("the login was refused")
            c.sendall(socks5(host, port, cmd))
            return c, self.good_reply(c)
        except BaseException:
            c.close()
            raise

    @staticmethod
    def good_reply(c):
        rep, *bnd = read_reply5(c)
        if rep != 0:
            raise AssertionError(f"REP {rep:02x}")
        return tuple(bnd)

    def connect(self, host):
        c, _ = self.ask(1, host, self.target.port)
        with c:
            c.sendall(DATA)
            c.shutdown(socket.SHUT_WR)
            self.compare(recv_all(c), DATA[::-1])

    def by_address(self):
        self.connect(SOURCE)

    def by_name(self):
        self.connect(self.name or SOURCE)

    def bind(self):
        c, bnd = self.ask(2, SOURCE, 0)
        with c, socket.create_connection(bnd, PATIENCE, (SOURCE, 0)) as peer:
            self.good_reply(c)
            c.sendall(b"from client")
            self.compare(recv_exact(peer, 11), b"from client")
            peer.sendall(b"from peer")
            peer.close()
            self.compare(recv_all(c), b"from peer")

    def datagrams(self):
        c, bnd = self.ask(3, "0.0.0.0", 0)
        to, port = self.name or SOURCE, self.target.datagrams.getsockname()[1]
        with c, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((SOURCE, 0))
            sock.settimeout(PATIENCE)
            sock.sendto(b"\0\0\0" + atyp(to) + struct.pack("!H", port) + DATA[:9000], bnd)
            header = b"\0\0\0" + atyp(SOURCE) + struct.pack("!H", port)
            self.compare(sock.recv(65535), header + DATA[:9000][::-1])

    @staticmethod
    def compare(got, wanted):
        if got != wanted:
            raise AssertionError(f"{len(got)} octets, other ones than the {len(wanted)} that were to come")

    def _work(self):
        for one in itertools.cycle((self.by_address, self.bind, self.by_name, self.datagrams)):
            if self.closing:
                return
            try:
                one()
            except (OSError, AssertionError) as e:
                self.failure = f"{one.__name__}: {e!r}"
            with self.news:
                self.rounds += 1
                self.news.notify_all()
            if self.failure:
                return

    def go_on(self, rounds=4):
        """So many rounds more."""
        with self.news:
            goal = self.rounds + rounds
            if not self.news.wait_for(lambda: self.failure or self.rounds >= goal, 3 * PATIENCE):
                raise AssertionError("an honest client got stuck")
        self.check()

    def check(self):
        if self.failure:
            raise AssertionError(f"an honest client, round {self.rounds}: {self.failure}")

    def __enter__(self):
        self.go_on(1)
        return self

    def __exit__(self, *exc):
        self.closing = True
        self.thread.join(3 * PATIENCE)
        self.target.close()
        if exc[0] is None:
            self.check()
