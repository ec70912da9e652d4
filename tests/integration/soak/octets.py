"""Octets of which everyone knows what comes next, so that every one can be checked."""

import os
import select

BLOCK = os.urandom(1 << 20)
TWICE = BLOCK * 2
CHUNK = 1 << 16


def octets(at, n):
    """n of them, at most a block's length, from this place on."""
    at %= len(BLOCK)
    return TWICE[at:at + n]


def send_stream(sock, at, n):
    """For a socket that blocks."""
    end = at + n
    while at < end:
        at += sock.send(octets(at, min(CHUNK, end - at)))


class Other(Exception):
    """Something else came than was sent."""


class Reader:
    """Takes what comes, and compares."""

    def __init__(self, at):
        self.start = self.at = at

    @property
    def n(self):
        return self.at - self.start

    def feed(self, data):
        if data != octets(self.at, len(data)):
            raise Other(f"octets differ within {len(data)} after {self.n}")
        self.at += len(data)


def exchange(sock, out, n, reader, patience):
    """
    Send n octets from "out" on, then the end; read what comes until its end, at once. Returns when both are done.
    """
    at, end, reading = out, out + n, True
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLOUT)
    sock.setblocking(False)
    writing = True
    while reading or writing:
        if not poll.poll(patience * 1000):
            raise TimeoutError(f"stuck: {at - out} of {n} octets are out, {reader.n} are in")
        if writing:
            try:
                if at < end:
                    at += sock.send(octets(at, min(CHUNK, end - at)))
                if at == end:
                    writing = False
                    sock.shutdown(1)
                    poll.modify(sock, select.POLLIN)
            except BlockingIOError:
                pass
        if reading:
            try:
                data = sock.recv(CHUNK)
                if data:
                    reader.feed(data)
                else:
                    reading = False
                    poll.modify(sock, select.POLLOUT)
            except BlockingIOError:
                pass
    sock.setblocking(True)
    sock.settimeout(patience)
