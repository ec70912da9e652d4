"""Clients that behave, beside those that don't: from another source address, and none of them may fail."""

import itertools
import os
import socket
import threading

from wire import PATIENCE, Peer, read_reply5, recv_all, recv_exact, socks5

SOURCE = "127.0.0.2"
DATA = os.urandom(64 << 10)


class Target:
    """Reads to the end, answers with the octets the other way round; one connection at a time."""

    def __init__(self):
        self.peer = Peer(SOURCE)
        self.port = self.peer.port
        self.closing = False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        self.peer.sock.settimeout(None)
        while not self.closing:
            try:
                with self.peer.accept() as conn:
                    conn.sendall(recv_all(conn)[::-1])
            except OSError:
                # Who asked tells what went wrong.
                pass

    def close(self):
        self.closing = True
        socket.create_connection((SOURCE, self.port), PATIENCE).close()
        self.thread.join(PATIENCE)
        self.peer.sock.close()


class Honest:
    """
    with Honest(server): rounds of connect, send, half-close, receive, one after another. Each has PATIENCE for each
    of its steps, and the first that fails fails the test.

    name   the target's, asked for in every other round
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

    def round(self, host):
        with socket.create_connection(("127.0.0.1", self.server.port), PATIENCE, (SOURCE, 0)) as c:
            c.sendall(bytes([5, 1, 2 if self.login else 0]))
            if recv_exact(c, 2) != (b"\x05\x02" if self.login else b"\x05\x00"):
                raise AssertionError("the method was refused")
            if self.login:
                c.sendall(self.login)
                if recv_exact(c, 2) != b"\x01\x00":
                    raise AssertionError("the login was refused")
            c.sendall(socks5(host, self.target.port))
            rep = read_reply5(c)[0]
            if rep != 0:
                raise AssertionError(f"REP {rep:02x}")
            c.sendall(DATA)
            c.shutdown(socket.SHUT_WR)
            if recv_all(c) != DATA[::-1]:
                raise AssertionError("other octets came back")

    def _work(self):
        for host in itertools.cycle([SOURCE, self.name or SOURCE]):
            if self.closing:
                return
            try:
                self.round(host)
            except (OSError, AssertionError) as e:
                self.failure = e
            with self.news:
                self.rounds += 1
                self.news.notify_all()
            if self.failure:
                return

    def go_on(self, rounds=4):
        """So many rounds more."""
        with self.news:
            goal = self.rounds + rounds
            if not self.news.wait_for(lambda: self.failure or self.rounds >= goal, 2 * PATIENCE):
                raise AssertionError("an honest client got stuck")
        self.check()

    def check(self):
        if self.failure:
            raise AssertionError(f"an honest client, round {self.rounds}: {self.failure!r}") from self.failure

    def __enter__(self):
        self.go_on(1)
        return self

    def __exit__(self, *exc):
        self.closing = True
        self.thread.join(3 * PATIENCE)
        self.target.close()
        if exc[0] is None:
            self.check()
