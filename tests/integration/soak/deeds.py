"""What well-behaved clients do. Each deed is one client, or one with its helpers, from its greeting to its end."""

import contextlib
import hashlib
import ipaddress
import socket
import struct

from octets import CHUNK, Other, Reader, exchange, octets
from wire import (atyp, read_reply4, read_reply5, recv_all, recv_exact, reset, socks4, socks4a, socks5)

CONNECT, BIND, UDP, RESOLVE, RESOLVE_PTR = 1, 2, 3, 0xF0, 0xF1
USER, PASSWORD = b"soaked", b"to the bone"
# Names of the hosts file, which every reload leaves, and of the nameserver.
NAMES = (b"four.test", b"six.test", b"both.test", b"dns.test")
MISSING = b"missing.test"


class Client:
    """One that has greeted, and logged in where it must."""

    def __init__(self, world, rng, version=None):
        """version: 4 where the server has no users, 5, or None for either."""
        self.world, self.rng = world, rng
        self.door = rng.choice([d for d in world.doors if not (d.login and version == 4)])
        self.version = version or (5 if self.door.login else rng.choice((4, 5, 5)))
        self.sock = world.come(self.door, rng)
        self.name = "%s:%d" % self.sock.getsockname()
        self.sent = self.received = 0

    def greet(self):
        """What goes before a request, answered as it must be."""
        if self.version == 4:
            return
        self.sock.sendall(b"\x05\x02\x00\x02")
        self.expect(recv_exact(self.sock, 2), b"\x05\x02" if self.door.login else b"\x05\x00", "method")
        if self.door.login:
            self.sock.sendall(bytes([1, len(USER)]) + USER + bytes([len(PASSWORD)]) + PASSWORD)
            self.expect(recv_exact(self.sock, 2), b"\x01\x00", "login")

    @staticmethod
    def expect(got, wanted, what):
        if got != wanted:
            raise Other(f"{what} {got!r}, not {wanted!r}")

    def message(self, cmd, host, port):
        if self.version == 5:
            return socks5(host, port, cmd)
        if isinstance(host, bytes):
            return socks4a(host, port, b"me", cmd)
        return socks4(host, port, b"me", cmd)

    def say(self, data):
        """In one piece, or cut."""
        cut = self.rng.randrange(1, len(data) + 1)
        self.sock.sendall(data[:cut])
        if data[cut:]:
            self.sock.sendall(data[cut:])

    def reply(self):
        """(code, address, port)"""
        if self.version == 5:
            return read_reply5(self.sock)
        code, port, address = read_reply4(self.sock)
        return code - 0x5a, address, port

    def request(self, cmd, host, port, early=b""):
        self.greet()
        self.say(self.message(cmd, host, port) + early)
        self.sent += len(early)
        return self.reply()

    def granted(self, reply):
        if reply[0] != 0:
            raise Other(f"reply {reply}")
        return reply

    def tunnel(self, early=b""):
        """To a target's stream."""
        hosts = ["127.0.0.1", *NAMES] + (["::1"] if self.version == 5 else [])
        self.granted(self.request(CONNECT, self.rng.choice(hosts), self.world.targets.port, early))

    def refused(self, reply, codes):
        if reply[0] not in (codes if self.version == 5 else (1,)):
            raise Other(f"reply {reply}, not one of {codes}")
        if recv_all(self.sock):
            raise Other("octets after a refusal")
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)
        self.sent += len(data)

    def take(self, n):
        self.received += n
        return recv_exact(self.sock, n)

    def done(self):
        """The end of a tunnel that ends well; its octets are known."""
        self.sock.close()
        self.world.ledger.tunnel(self.name, self.sent, self.received)


# Tunnels

def talk(world, rng):
    c = Client(world, rng)
    c.tunnel(b"echo\n" if rng.random() < 0.5 else b"")
    if not c.sent:
        c.send(b"echo\n")
    for _ in range(rng.randrange(1, 30)):
        data = octets(rng.randrange(1 << 20), rng.choice((1, 64, 1000, 20000)))
        c.send(data)
        c.expect(c.take(len(data)), data, "echo")
    c.sock.shutdown(socket.SHUT_WR)
    c.expect(recv_all(c.sock), b"", "end")
    c.done()


def bulk(world, rng):
    """More than fits anywhere, both ways at once."""
    c = Client(world, rng)
    n, at = rng.choice((300_000, 2 << 20, 6 << 20)), rng.randrange(1 << 20)
    reader = Reader(at)
    c.tunnel(b"echo\n")
    exchange(c.sock, at, n, reader, world.patience)
    if reader.n != n:
        raise Other(f"{reader.n} of {n} octets came back")
    c.sent, c.received = c.sent + n, n
    c.done()


def late(world, rng):
    """The answer comes after the client's end."""
    c = Client(world, rng)
    n, at, size = rng.choice((1, 256 << 10, 3 << 20)), rng.randrange(1 << 20), rng.randrange(200_000)
    c.tunnel(b"late %d %d\n" % (at, n))
    sha = hashlib.sha256()
    for start in range(0, size, CHUNK):
        data = octets(start, min(CHUNK, size - start))
        sha.update(data)
        c.send(data)
    c.sock.shutdown(socket.SHUT_WR)
    c.expect(c.take(64), sha.hexdigest().encode(), "sha256")
    receive(c, at, n)
    c.done()


def receive(c, at, n):
    """To the end."""
    reader = Reader(at)
    while data := c.sock.recv(CHUNK):
        reader.feed(data)
    c.received += reader.n
    if reader.n != n:
        raise Other(f"{reader.n} of {n} octets came")


def target_first(world, rng):
    """The target ends its way, and still reads."""
    c = Client(world, rng)
    n, at = rng.choice((0, 100, 1 << 20)), rng.randrange(1 << 20)
    c.tunnel(b"first %d %d\n" % (at, n))
    receive(c, at, n)
    for _ in range(rng.randrange(5)):
        c.send(octets(0, 10000))
    c.done()


def client_resets(world, rng):
    c = Client(world, rng)
    c.tunnel(b"echo\n")
    for _ in range(rng.randrange(4)):
        c.send(octets(0, rng.choice((1, 50_000))))
    reset(c.sock)


def target_resets(world, rng):
    c = Client(world, rng)
    n, at = rng.choice((0, 1000, 1 << 20)), rng.randrange(1 << 20)
    if rng.random() < 0.3:
        c.tunnel(b"drop\n")
    else:
        c.tunnel(b"reset %d %d\n" % (at, n))
        c.expect(c.take(n), b"".join(octets(i, min(CHUNK, at + n - i)) for i in range(at, at + n, CHUNK)), "stream")
        c.send(b"!")
    try:
        data = c.sock.recv(1)
    except ConnectionResetError:
        c.sock.close()
        return
    raise Other(f"a reset came as {data!r}")


# Refusals

def nobody_there(world, rng):
    c = Client(world, rng)
    c.refused(c.request(CONNECT, "127.0.0.1", world.closed_port), (5,))


def no_such_name(world, rng):
    c = Client(world, rng)
    c.refused(c.request(CONNECT, MISSING, 80), (4,))


def forbidden(world, rng):
    """By the rules."""
    c = Client(world, rng)
    c.refused(c.request(CONNECT, b"forbidden.test", world.targets.port), (2,))


def leaves_before_the_name(world, rng):
    """The nameserver says nothing."""
    c = Client(world, rng)
    c.greet()
    c.say(c.message(CONNECT, b"silent.test", 80))
    world.wait(rng.random() / 4)
    reset(c.sock)


# BIND

def call(world, source, bnd):
    family = socket.AF_INET6 if ":" in bnd[0] else socket.AF_INET
    peer = socket.socket(family)
    peer.settimeout(world.patience)
    peer.bind((source, 0))
    peer.connect(bnd)
    return peer


def bind(world, rng):
    c = Client(world, rng)
    source = "127.0.0.1"
    expected = rng.choice((source, "0.0.0.0", b"four.test"))
    early = octets(7, rng.choice((0, 10, 3000)))
    _, address, port = c.granted(c.request(BIND, expected, 0, early))
    if c.version == 5 and expected == source and rng.random() < 0.3:
        with contextlib.suppress(ConnectionResetError), call(world, "127.0.0.77", (address, port)) as stranger:
            c.expect(stranger.recv(1), b"", "what a stranger gets")
    with call(world, source, (address, port)) as peer:
        reply = c.granted(c.reply())
        c.expect(reply[1:], peer.getsockname(), "the peer")
        n = rng.choice((1, 1000, 100_000))
        c.send(octets(7 + len(early), n))
        c.expect(recv_exact(peer, len(early) + n), octets(7, len(early) + n), "what the peer got")
        peer.sendall(octets(9, n))
        c.expect(c.take(n), octets(9, n), "what the peer said")
        first, second = (c.sock, peer) if rng.random() < 0.5 else (peer, c.sock)
        first.shutdown(socket.SHUT_WR)
        c.expect(recv_all(second), b"", "end")
    c.done()


def bind_for_nobody(world, rng):
    """The client leaves, or the wait ends."""
    c = Client(world, rng)
    _, address, port = c.granted(c.request(BIND, "127.0.0.1", 0))
    if rng.random() < 0.8:
        if rng.random() < 0.5:
            reset(c.sock)
        else:
            c.sock.close()
        return
    c.refused(c.reply(), (4, 6))


# UDP ASSOCIATE

SIZES = (0, 1, 100, 1472, 9000, 60000)
ADDRESSES = {"127.0.0.1": ("127.0.0.1",), "::1": ("::1",), b"four.test": ("127.0.0.1",), b"six.test": ("::1",),
             b"both.test": ("127.0.0.1", "::1"), b"dns.test": ("127.0.0.1",)}
JUNK = (b"", b"\0", b"\0\0\0\1\x7f", b"\0\0\0\5" + b"x" * 30, b"\0\0\0\1\x7f\0\0\1\0\0zero",
        b"\0\0\0\3\x0eforbidden.test\0\x50x", b"\0\0\0\3\x0cmissing.test\0\x50x",
        b"\0\0\0\3\x0bsilent.test\0\x50x", b"\0\0\x85\1\x7f\0\0\1\0\x50x")


def to(host, port, frag=0):
    return bytes([0, 0, frag]) + atyp(host) + struct.pack("!H", port)


def from_header(data):
    """(address, port, octets)"""
    size = {1: 4, 4: 16}.get(data[3], 0)
    if data[:3] != b"\0\0\0" or not size:
        raise Other(f"a header {data[:24].hex()}")
    address = str(ipaddress.ip_address(data[4:4 + size]))
    return address, struct.unpack_from("!H", data, 4 + size)[0], data[6 + size:]


def associate(world, rng):
    """A client, and its socket for datagrams."""
    c = Client(world, rng, 5)
    _, address, port = c.granted(c.request(UDP, *rng.choice((("0.0.0.0", 0), ("::", 0), (b"0", 7)))))
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((c.sock.getsockname()[0], 0))
    sock.connect((address, port))
    return c, sock


def say_datagram(rng, sock, host, port, data):
    """In one, or in fragments."""
    parts = rng.choice((1, 1, 1, 2, 5))
    step = len(data) // parts + 1
    for n in range(parts):
        frag = 0 if parts == 1 else n + 1 | (0x80 if n + 1 == parts else 0)
        sock.send(to(host, port, frag) + data[n * step:(n + 1) * step])


def ask(world, rng, sock, host, data):
    """What is mirrored. Returns how often it had to be asked: datagrams may be lost."""
    sock.settimeout(world.patience / 5)
    for tries in range(1, 6):
        say_datagram(rng, sock, host, world.targets.udp_port, data)
        try:
            while True:
                address, port, answer = from_header(sock.recv(65535))
                if answer == data[::-1]:
                    break
        except TimeoutError:
            continue
        if address not in ADDRESSES[host] or port != world.targets.udp_port:
            raise Other(f"an answer from {address} port {port}")
        return tries
    raise Other(f"no answer from {host} to {len(data)} octets")


def datagrams(world, rng):
    c, sock = associate(world, rng)
    tries = count = 0
    with sock:
        if rng.random() < 0.3:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.bind(("127.0.8.8", 0))
                stranger.sendto(to("127.0.0.1", world.targets.udp_port) + b"mine", sock.getpeername())
        for count in range(1, rng.randrange(2, 12)):
            if rng.random() < 0.3:
                sock.send(rng.choice(JUNK))
            data = octets(rng.randrange(1 << 20), rng.choice(SIZES))
            tries += ask(world, rng, sock, rng.choice(list(ADDRESSES)), data)
            c.sent, c.received = c.sent + len(data), c.received + len(data)
    for _ in range(tries - count):
        world.ledger.did("datagrams_again", 0)
    if tries == count:
        c.done()
    c.sock.close()


def datagrams_to_nobody(world, rng):
    """ICMP errors come back, and the client does not wait."""
    c, sock = associate(world, rng)
    with sock:
        for _ in range(rng.randrange(50)):
            sock.send(to("127.0.0.1", world.closed_port) + octets(0, rng.choice((1, 1000, 30000))))
    if rng.random() < 0.5:
        reset(c.sock)
    else:
        c.sock.close()


# RESOLVE

def resolve(world, rng):
    c = Client(world, rng, 5)
    if rng.random() < 0.2:
        c.refused(c.request(RESOLVE, MISSING, 0), (4,))
        return
    c.granted(c.request(RESOLVE, b"four.test", 0))
    c.expect(recv_all(c.sock), b"", "end")
    c.sock.close()


DEEDS = {talk: 6, bulk: 3, late: 3, target_first: 2, client_resets: 3, target_resets: 2, nobody_there: 2,
         no_such_name: 2, forbidden: 1, leaves_before_the_name: 1, bind: 4, bind_for_nobody: 2, resolve: 2,
         datagrams: 5, datagrams_to_nobody: 1}
