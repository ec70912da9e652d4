"""What others do meanwhile. What they are answered does not matter, so long as the server gets over it."""

import contextlib
import socket

from deeds import USER
from wire import GREETING, reset, socks4, socks5

STAGES = (b"", b"\x05", b"\x05\xff\x02\x02", GREETING, GREETING + b"\x05\x01\x00", b"\x04\x01\x00\x50",
          GREETING + b"\x05\x01\x00\x03\xff" + b"n" * 200, b"\x05\x01\x02\x01\x05", b"GET / HT",
          b"\x04\x01\x00\x50\x00\x00\x00\x01u\0" + b"n" * 200)


def arrive(world, rng, n=1):
    return [world.come(rng.choice(world.doors), rng) for _ in range(n)]


def leave(rng, sock):
    """One way or another."""
    if rng.random() < 0.4:
        reset(sock)
    else:
        sock.close()


def say(sock, data):
    with contextlib.suppress(OSError):
        sock.sendall(data)


def half_open(world, rng):
    """Many that stop within a message."""
    crowd = arrive(world, rng, rng.randrange(20, 200))
    for sock in crowd:
        say(sock, rng.choice(STAGES))
    world.wait(rng.random())
    for sock in crowd:
        leave(rng, sock)


def an_octet_now_and_then(world, rng):
    crowd = arrive(world, rng, 20)
    for _ in range(10):
        for sock in crowd:
            say(sock, b"\x04")
        world.wait(0.1)
    for sock in crowd:
        leave(rng, sock)


def garbage(world, rng):
    for sock in arrive(world, rng, 20):
        start = rng.choice((b"", b"\x04", b"\x05", GREETING, b"\x04\x01\x00\x50\x7f\x00\x00\x01"))
        say(sock, start + rng.randbytes(rng.choice((10, 1000, 10_000))))
        leave(rng, sock)


def user_ids_without_end(world, rng):
    for sock in arrive(world, rng, 5):
        say(sock, socks4("127.0.0.1", 80, b"u" * 70_000))
        leave(rng, sock)


def guesses(world, rng):
    """From few addresses, so that these are slowed."""
    for n in range(4):
        sock = world.come(rng.choice([d for d in world.doors if d.login]), rng, f"127.0.9.{rng.randrange(1, 4)}")
        password = b"guess %d" % rng.randrange(1 << 30)
        say(sock, b"\x05\x01\x02" + bytes([1, len(USER)]) + USER + bytes([len(password)]) + password
            + (socks5("127.0.0.1", world.closed_port) if n % 2 else b""))
        if n % 2:
            with contextlib.suppress(OSError):
                sock.settimeout(0.5)
                sock.recv(10)
        leave(rng, sock)


def resets(world, rng):
    for sock in arrive(world, rng, 40):
        say(sock, rng.choice((*STAGES, GREETING + socks5("127.0.0.1", world.targets.port) + b"echo\nx",
                              GREETING + socks5(b"silent.test", 80), GREETING + socks5("127.0.0.1", 0, 2))))
        reset(sock)


def never_reads(world, rng):
    """A tunnel whose answers nobody takes."""
    sock, = arrive(world, rng)
    say(sock, GREETING + socks5("127.0.0.1", world.targets.port) + b"first 0 8000000\n")
    world.wait(rng.random())
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
    leave(rng, sock)


MISCHIEF = {half_open: 2, an_octet_now_and_then: 1, garbage: 3, user_ids_without_end: 1, guesses: 2, resets: 3,
            never_reads: 2}
