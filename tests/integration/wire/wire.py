"""Helpers of the wire tests: a server under test, peers behind it, messages, a DNS server."""

import contextlib
import ctypes
import fcntl
import ipaddress
import os
import re
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time
import unittest

SYS_PIDFD_GETFD = 438
SO_RCVBUFFORCE = 33  # Linux; Python's socket doesn't have it
PATIENCE = 10  # seconds: PROTOCOL's "closes", and the bound of every wait
SOCKSIFYD = os.environ.get("SOCKSIFYD", "socksifyd")

# Set by run.py once it lives in a network namespace of its own, else the reason why not.
NETNS = os.environ.get("WIRE_NETNS", "run.py did not start this test")
needs_netns = unittest.skipUnless(NETNS == "yes", NETNS)


def ip(*args):
    subprocess.run(["ip", *args], check=True, capture_output=True)


class Server:
    """socksifyd on a free loopback port; its log lines as they come."""

    def __init__(self, *args, hosts=None, listen=("127.0.0.1:0",), preexec=None, wrapper=(),
                 env=None):
        """wrapper: words before the command, which end in an exec of it."""
        self.files = contextlib.ExitStack()
        argv = [*wrapper, SOCKSIFYD]
        for at in listen:
            argv += ["--listen", at]
        if hosts is not None:
            self.hosts = self.files.enter_context(tempfile.NamedTemporaryFile("w", suffix=".hosts"))
            self.write_hosts(hosts)
            argv += ["--hosts", self.hosts.name]
        self.process = subprocess.Popen(
            [*argv, *args], stderr=subprocess.PIPE, text=True, preexec_fn=preexec,
            env={**os.environ, **(env or {})})
        self.lines = []
        self.news = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.ports = [int(self.line(r"^listening .*port=(\d+)$", n).group(1))
                      for n in range(len(listen))]
        self.port = self.ports[0]

    def _read(self):
        for line in self.process.stderr:
            with self.news:
                self.lines.append(line.rstrip("\n"))
                self.news.notify_all()
        with self.news:
            self.reader = None
            self.news.notify_all()

    def write_hosts(self, text):
        self.hosts.seek(0)
        self.hosts.truncate()
        self.hosts.write(text)
        self.hosts.flush()

    def line(self, pattern, nth=0):
        """Wait for the nth line that matches."""
        def found():
            hits = [m for m in (re.search(pattern, line) for line in self.lines) if m]
            return hits[nth] if len(hits) > nth else None

        with self.news:
            if not self.news.wait_for(lambda: found() or not self.reader, PATIENCE):
                raise AssertionError(f"no line {pattern!r} in {self.lines[-30:]}")
            hit = found()
        if not hit:
            raise AssertionError(f"the server ended without a line {pattern!r}: {self.lines[-30:]}")
        return hit

    def connect(self, **kwargs):
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE, **kwargs)

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+) kB", f.read()).group(1))

    def fd_names(self):
        try:
            return os.listdir(f"/proc/{self.process.pid}/fd")
        except PermissionError:
            # It is not dumpable: its own user may not look.
            raise unittest.SkipTest("not root: the server's descriptors can't be seen") from None

    def fds(self):
        return len(self.fd_names())

    def sockets(self):
        """Duplicates of the server's own TCP sockets, to look at their options."""
        libc = ctypes.CDLL(None, use_errno=True)
        pidfd = os.pidfd_open(self.process.pid)
        try:
            for name in self.fd_names():
                fd = libc.syscall(SYS_PIDFD_GETFD, pidfd, int(name), 0)
                if fd < 0:
                    raise unittest.SkipTest(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
                if not os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
                    os.close(fd)
                    continue
                sock = socket.socket(fileno=fd)
                if sock.family in (socket.AF_INET, socket.AF_INET6):
                    yield sock
                else:
                    sock.close()
        finally:
            os.close(pidfd)

    def input_waiting(self):
        """Octets that came to the server's sockets, and that it has not read."""
        waiting = 0
        for sock in self.sockets():
            with sock:
                if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 0:
                    n = fcntl.ioctl(sock, termios.FIONREAD, b"\0\0\0\0")
                    waiting += struct.unpack("i", n)[0]
        return waiting

    def turn(self):
        """When this returns the server has been once around its loop, and more."""
        for _ in range(20):
            with self.connect() as c:
                greet(c)

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """SIGTERM twice: without draining. Returns the exit status."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(ProcessLookupError):
                self.line("^draining")
                self.signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE)
        reader = self.reader
        if reader:
            reader.join(PATIENCE)
        self.process.stderr.close()
        self.files.close()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        status = self.stop()
        if exc[0] is None and status != 0:
            raise AssertionError(f"exit status {status}: {self.lines[-20:]}")


class Settings:
    """A file that its owner alone can read, and that can be written anew."""

    def __init__(self, text=""):
        self.file = tempfile.NamedTemporaryFile("w", suffix=".settings")
        self.name = self.file.name
        self.write(text)

    def write(self, text):
        self.file.seek(0)
        self.file.truncate()
        self.file.write(text)
        self.file.flush()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.file.close()


class Peer:
    """A listening socket that the test accepts from by hand."""

    def __init__(self, address="127.0.0.1", backlog=64, port=0):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.sock = socket.socket(family)
        self.sock.settimeout(PATIENCE)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.sock.bind((address, port))
        self.sock.listen(backlog)
        self.address = address
        self.port = self.sock.getsockname()[1]

    def accept(self):
        conn, self.last_from = self.sock.accept()
        conn.settimeout(PATIENCE)
        return conn

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()


@contextlib.contextmanager
def black_hole(address="127.0.0.1", port=0):
    """A port that answers no SYN: its queue is full."""
    with Peer(address, backlog=0, port=port) as peer:
        filler = socket.create_connection((address, peer.port), PATIENCE)
        with filler:
            yield peer


def closed_port(address="127.0.0.1"):
    """A port where nobody listens (bound and let go again just now)."""
    with Peer(address) as peer:
        return peer.port


# Octets

def recv_exact(sock, n):
    got = b""
    while len(got) < n:
        more = sock.recv(n - len(got))
        if not more:
            raise AssertionError(f"EOF after {len(got)} of {n} octets: {got[:64].hex()}")
        got += more
    return got


def recv_all(sock):
    got = bytearray()
    while True:
        more = sock.recv(1 << 16)
        if not more:
            return bytes(got)
        got += more


def until(condition, what):
    """Ask again and again; the test fails where it never comes true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never came true: {what}")
        time.sleep(0.01)


def drip(sock, data):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for octet in data:
        sock.sendall(bytes([octet]))


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


# Messages

def socks4(address, port, user=b"", cd=1, name=None):
    tail = b"" if name is None else name + b"\0"
    return (struct.pack("!BBH", 4, cd, port) + ipaddress.IPv4Address(address).packed + user + b"\0"
            + tail)


def socks4a(name, port, user=b"", cd=1):
    name = name if isinstance(name, bytes) else name.encode()
    return socks4("0.0.0.1", port, user, cd, name)


GREETING = bytes.fromhex("050100")


def atyp(address):
    """An address in text, or a name as bytes."""
    if isinstance(address, bytes):
        return bytes([3, len(address)]) + address
    packed = ipaddress.ip_address(address).packed
    return bytes([1 if len(packed) == 4 else 4]) + packed


def socks5(address, port, cmd=1, rsv=0, version=5):
    return bytes([version, cmd, rsv]) + atyp(address) + struct.pack("!H", port)


def read_reply4(sock):
    """(code, port, address)"""
    vn, code, port, packed = struct.unpack("!BBH4s", recv_exact(sock, 8))
    if vn != 0:
        raise AssertionError(f"a reply that starts with {vn:02x}")
    return code, port, str(ipaddress.IPv4Address(packed))


def read_reply5(sock):
    """(rep, address, port)"""
    version, rep, rsv, kind = recv_exact(sock, 4)
    if (version, rsv) != (5, 0) or kind not in (1, 4):
        raise AssertionError(f"a reply {version:02x} {rep:02x} {rsv:02x} {kind:02x}")
    packed = recv_exact(sock, 4 if kind == 1 else 16)
    return rep, str(ipaddress.ip_address(packed)), struct.unpack("!H", recv_exact(sock, 2))[0]


def read_name5(sock):
    """The name in a reply to RESOLVE_PTR."""
    head = recv_exact(sock, 5)
    if head[:4] != b"\x05\0\0\x03":
        raise AssertionError(f"a reply {head.hex()}")
    name = recv_exact(sock, head[4])
    if recv_exact(sock, 2) != b"\0\0":
        raise AssertionError("a name with a port")
    return name


def greet(sock):
    sock.sendall(GREETING)
    if recv_exact(sock, 2) != b"\x05\x00":
        raise AssertionError("method 00 was not taken")


def request5(sock, address, port, **kwargs):
    greet(sock)
    sock.sendall(socks5(address, port, **kwargs))
    return read_reply5(sock)


FAILURE5 = ("0.0.0.0", 0)


# DNS

def reverse(address):
    """The name that a PTR record of the address has."""
    return ipaddress.ip_address(address).reverse_pointer


class Dns:
    """
    A DNS server for one test. zone maps (name, "A" or "AAAA") to a list of addresses, and
    (reverse(address), "PTR") to names; a name that is nowhere in it does not exist. silent holds the (name, type) that get no answer before release().
    """

    TYPES = {1: "A", 12: "PTR", 28: "AAAA"}

    def __init__(self, zone=None, silent=(), at=("127.0.0.1", 0)):
        self.zone = zone or {}
        self.silent = set(silent)
        self.asked = []
        self.held = []
        self.lock = threading.Lock()
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # A thousand questions may come at once, and those that find no room are asked again late.
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 23)
        except PermissionError:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 23)
        self.sock.bind(at)
        self.address, self.port = self.sock.getsockname()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    @property
    def options(self):
        return ("--nameserver", f"127.0.0.1:{self.port}")

    @staticmethod
    def _question(query):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1").lower())
            at += 1 + query[at]
        return ".".join(labels), struct.unpack("!H", query[at + 1:at + 3])[0], query[12:at + 5]

    @staticmethod
    def _labels(name):
        labels = [label.encode("latin-1") for label in name.split(".") if label]
        return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"

    def _answer(self, query):
        name, kind, question = self._question(query)
        addresses = self.zone.get((name, self.TYPES.get(kind)), [])
        exists = any(n == name for n, _ in self.zone)
        out = query[:2] + struct.pack("!HHHHH", 0x8180 if exists else 0x8183, 1, len(addresses),
                                      0, 0)
        out += question
        for answer in addresses:
            data = self._labels(answer) if kind == 12 else ipaddress.ip_address(answer).packed
            out += struct.pack("!HHHIH", 0xc00c, kind, 1, 60, len(data)) + data
        return out

    def _serve(self):
        while True:
            query, who = self.sock.recvfrom(4096)
            if not query:
                return
            name, kind, _ = self._question(query)
            key = name, self.TYPES.get(kind)
            with self.lock:
                self.asked.append(key)
                if key in self.silent:
                    self.held.append((query, who))
                    continue
            self.sock.sendto(self._answer(query), who)

    def release(self):
        with self.lock:
            self.silent.clear()
            held, self.held = self.held, []
        for query, who in held:
            self.sock.sendto(self._answer(query), who)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", (self.address, self.port))
        self.thread.join(PATIENCE)
        self.sock.close()


class Case(unittest.TestCase):
    """One server for the tests of a class."""

    options = ()
    hosts = None

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.options, hosts=cls.hosts)

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        if status != 0:
            raise AssertionError(f"exit status {status}: {cls.server.lines[-20:]}")

    def assert_eof(self, sock):
        self.assertEqual(sock.recv(1), b"")

    def assert_carries(self, client, peer_end):
        """Octets go both ways."""
        client.sendall(b"from client")
        self.assertEqual(recv_exact(peer_end, 11), b"from client")
        peer_end.sendall(b"from peer")
        self.assertEqual(recv_exact(client, 9), b"from peer")

    def tunnel(self, peer):
        c = self.server.connect()
        self.assertEqual(request5(c, "127.0.0.1", peer.port)[0], 0)
        return c, peer.accept()

    def both(self):
        """Ends of a tunnel, (speaker, listener), each way round."""
        for mirrored in (False, True):
            with Peer() as peer:
                c, p = self.tunnel(peer)
                with c, p:
                    yield (p, c) if mirrored else (c, p)

    def refused4(self, message, code=0x5b):
        """The message gets the code, nothing more, and EOF."""
        with self.server.connect() as c:
            c.sendall(message)
            self.assertEqual(read_reply4(c)[0], code)
            self.assert_eof(c)

    def refused5(self, message, rep):
        with self.server.connect() as c:
            greet(c)
            c.sendall(message)
            self.assertEqual(read_reply5(c), (rep, *FAILURE5))
            self.assert_eof(c)
