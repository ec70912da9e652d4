"""
What the soak's clients reach through the server. A stream's first line says what is wanted:

echo             what comes, to its end
late AT N        after the end of what comes: its sha256 in hex, then N octets from AT on
first AT N       N octets from AT on, then the end; what comes is read to its end
reset AT N       N octets from AT on; after the next octet that comes, a reset
drop             a reset at once

A datagram comes back with its octets the other way round.
"""

import hashlib
import socket
import threading

from octets import CHUNK, send_stream
from wire import recv_all, reset

PATIENCE = 60


def answer(conn):
    line = b""
    while not line.endswith(b"\n"):
        octet = conn.recv(1)
        if not octet:
            return
        line += octet
    word, *numbers = line.split()
    numbers = list(map(int, numbers))
    if word == b"echo":
        while data := conn.recv(CHUNK):
            conn.sendall(data)
    elif word == b"late":
        sha = hashlib.sha256()
        while data := conn.recv(CHUNK):
            sha.update(data)
        conn.sendall(sha.hexdigest().encode())
        send_stream(conn, *numbers)
    elif word == b"first":
        send_stream(conn, *numbers)
        conn.shutdown(socket.SHUT_WR)
        recv_all(conn)
    elif word == b"reset":
        send_stream(conn, *numbers)
        conn.recv(1)
        reset(conn)
    elif word == b"drop":
        reset(conn)


def serve(conn):
    with conn:
        conn.settimeout(PATIENCE)
        try:
            answer(conn)
        except OSError:
            # The client was to be reset, or it tells what it missed.
            pass


def accept(listener):
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=serve, args=(conn,), daemon=True).start()


def mirror(sock):
    while True:
        try:
            data, peer = sock.recvfrom(65535)
            sock.sendto(data[::-1], peer)
        except OSError:
            # An ICMP error of an answer before.
            pass


class Targets:
    """A process. Its .port and .udp_port are the same in both families."""

    def __init__(self, processes):
        self.port, self.listeners = self.bind(socket.SOCK_STREAM)
        self.udp_port, self.sockets = self.bind(socket.SOCK_DGRAM)
        for sock in self.listeners:
            sock.listen(1024)
        processes.Process(target=self.serve, daemon=True).start()

    def serve(self):
        for sock in self.sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            threading.Thread(target=mirror, args=(sock,), daemon=True).start()
        threads = [threading.Thread(target=accept, args=(sock,), daemon=True) for sock in self.listeners]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    @staticmethod
    def bind(kind):
        while True:
            four, six = socket.socket(socket.AF_INET, kind), socket.socket(socket.AF_INET6, kind)
            six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            four.bind(("127.0.0.1", 0))
            try:
                six.bind(("::1", four.getsockname()[1]))
            except OSError:
                continue
            return four.getsockname()[1], (four, six)
