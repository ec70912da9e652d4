"""
PROTOCOL items 44 and 45 where data flows without a pause, through pipes inside the kernel: long
transfers both ways at once, every octet compared, with half-closes and resets among them.

SOCKSIFY_TRANSFERS=N and SOCKSIFY_TRANSFER_MIB=N make more, fewer, longer or shorter ones.
"""

import contextlib
import os
import random
import resource
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor

from wire import PATIENCE, Case, Peer, Server, recv_exact, request5, reset, until

MIB = 1 << 20
TRANSFERS = int(os.environ.get("SOCKSIFY_TRANSFERS", "40"))
LENGTH = int(os.environ.get("SOCKSIFY_TRANSFER_MIB", "64")) * MIB
AT_ONCE = 3
NOBODY = 65534


class Noise:
    """What each stream says: the octets of one long random string, each stream from a place of its own."""

    def __init__(self, length):
        self.octets = os.urandom(length)
        self.view = memoryview(self.octets)

    def place(self, start, at):
        return (start + at) % len(self.octets)

    def piece(self, start, at, n):
        place = self.place(start, at)
        return self.view[place:place + n]

    def holds(self, start, at, got):
        """Is that what the stream says there."""
        place = self.place(start, at)
        n = min(len(got), len(self.octets) - place)
        return self.octets.startswith(got[:n], place) and self.octets.startswith(got[n:])


class Stream:
    """One direction of a transfer. What goes wrong in a thread of its own is kept for the caller."""

    def __init__(self, noise, seed, speaker, listener, length):
        self.noise, self.speaker, self.listener, self.length = noise, speaker, listener, length
        self.random = random.Random(seed)
        self.start = self.random.randrange(len(noise.octets))
        self.blocked = threading.Event()
        self.got = 0
        self.end = None

    def say(self):
        """All of it, without an end: mostly as much as goes, now and then in small pieces."""
        at, small = 0, 0
        while at < self.length:
            if not small and self.random.random() < 0.02:
                small = self.random.randrange(1, 60)
            n = self.random.randrange(1, 3000) if small else self.random.randrange(1, MIB)
            small -= small > 0
            piece = self.noise.piece(self.start, at, min(n, self.length - at))
            try:
                at += self.speaker.send(piece, socket.MSG_DONTWAIT)
            except BlockingIOError:
                self.blocked.set()
                if not select.select([], [self.speaker], [], PATIENCE)[1]:
                    raise AssertionError(f"stuck after {at} of {self.length} octets") from None
        self.blocked.set()

    def hear(self, until_octet=None):
        """To the end, which is kept in ->end; or to that octet. Now and then it is in no hurry."""
        buf = memoryview(bytearray(MIB))
        limit = self.length + 1 if until_octet is None else until_octet
        while self.got < limit:
            if self.random.random() < 0.01:
                self.blocked.clear()
                self.blocked.wait(0.05)
            n = min(self.random.choice((4096, 65536, 200000, MIB)), limit - self.got)
            try:
                n = self.listener.recv_into(buf[:n])
            except ConnectionResetError:
                self.end = "reset"
                return
            if n == 0:
                self.end = "end"
                return
            if not self.noise.holds(self.start, self.got, buf[:n]):
                raise AssertionError(f"not what was said, from octet {self.got} on")
            self.got += n

    def say_and_shut(self):
        self.say()
        self.speaker.shutdown(socket.SHUT_WR)


class Transfer:
    """Two streams over one tunnel; how it ends is one of the methods below."""

    def __init__(self, test, server, noise, seed, length):
        self.test = test
        self.random = random.Random(seed)
        with Peer() as peer:
            client = server.connect()
            if self.random.random() < 0.3:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 << 10)
            test.assertEqual(request5(client, "127.0.0.1", peer.port)[0], 0)
            target = peer.accept()
        self.ends = client, target
        for end in self.ends:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # With Python's own limit, MSG_DONTWAIT would wait.
            end.settimeout(None)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                           struct.pack("ll", 3 * PATIENCE, 0))
        self.there = Stream(noise, seed + "there", client, target, length)
        self.back = Stream(noise, seed + "back", target, client, length)
        if self.random.random() < 0.5:
            self.there, self.back = self.back, self.there

    def run(self, *calls):
        with ThreadPoolExecutor(len(calls)) as threads:
            for done in [threads.submit(call) for call in calls]:
                done.result()

    def expect(self, stream, got, end):
        self.test.assertEqual((stream.got, stream.end), (got, end))

    def both_end(self):
        self.run(self.there.say_and_shut, self.back.say_and_shut, self.there.hear, self.back.hear)
        self.expect(self.there, self.there.length, "end")
        self.expect(self.back, self.back.length, "end")

    def one_ends_early(self):
        self.there.length //= 8
        self.both_end()

    def one_answers_the_end(self):
        def answer():
            self.there.hear()
            self.back.say_and_shut()

        self.run(self.there.say_and_shut, answer, self.back.hear)
        self.expect(self.there, self.there.length, "end")
        self.expect(self.back, self.back.length, "end")

    def the_listener_resets(self):
        """In the middle of what it is told; it has been heard before."""
        def hear_half():
            self.back.hear(self.back.length // 2)
            self.heard.wait(6 * PATIENCE)
            reset(self.back.listener)

        def hear():
            self.there.hear(self.there.length)
            self.heard.set()
            self.there.hear()

        def say():
            try:
                self.back.say()
            except (ConnectionResetError, BrokenPipeError):
                pass

        self.heard = threading.Event()
        self.run(self.there.say, hear, say, hear_half)
        # Where the speaker met the reset first, its listener finds the connection shut.
        self.test.assertEqual(self.there.got, self.there.length)
        self.test.assertIn(self.there.end, ("reset", "end"))

    def the_speaker_resets(self):
        """Behind its last word: what came through is right, and no good end follows it."""
        def say_and_reset():
            self.there.say()
            reset(self.there.speaker)

        self.run(say_and_reset, self.there.hear)
        self.test.assertLessEqual(self.there.got, self.there.length)
        self.test.assertEqual(self.there.end, "reset")

    def a_reset_after_all_was_taken(self):
        """Nothing of it may be lost."""
        def hear():
            self.there.hear(self.there.length)
            self.heard.set()
            self.there.hear()

        def say_and_reset():
            self.there.say()
            self.heard.wait(6 * PATIENCE)
            reset(self.there.speaker)

        self.heard = threading.Event()
        self.run(say_and_reset, hear)
        self.expect(self.there, self.there.length, "reset")

    WAYS = (both_end, one_ends_early, both_end, the_listener_resets, one_answers_the_end, both_end,
            the_speaker_resets, a_reset_after_all_was_taken)

    def close(self):
        for end in self.ends:
            end.close()


def pipes(server):
    """Ends of pipes that it has open, its log apart."""
    where = f"/proc/{server.process.pid}/fd"
    return sum(os.readlink(f"{where}/{fd}").startswith("pipe:")
               for fd in os.listdir(where) if int(fd) > 2)


class Content(unittest.TestCase):
    def transfers(self, server, n, length):
        noise = Noise(length)
        seed = os.environ.get("SOCKSIFY_TEST_SEED", str(random.randrange(1 << 32)))

        def one(number):
            transfer = Transfer(self, server, noise, f"{seed} {number} ", length)
            way = Transfer.WAYS[number % len(Transfer.WAYS)]
            try:
                way(transfer)
            except Exception as e:
                raise AssertionError(f"SOCKSIFY_TEST_SEED={seed}, transfer {number}, "
                                     f"{way.__name__}: {e!r}") from e
            finally:
                transfer.close()

        with ThreadPoolExecutor(AT_ONCE) as threads:
            for done in [threads.submit(one, number) for number in range(n)]:
                done.result()
        server.line("^close ", n - 1)

    def test_45_transfers_through_pipes(self):
        with Server() as server:
            before = server.fds()
            self.transfers(server, TRANSFERS, LENGTH)
            self.assertGreater(pipes(server), 0)
            self.assertEqual(server.fds(), before + pipes(server))

    def test_45_transfers_copied(self):
        with Server("--relay", "copy") as server:
            before = server.fds()
            self.transfers(server, (TRANSFERS + 4) // 5, LENGTH)
            self.assertEqual(server.fds(), before)


class Quota(Content):
    """As an ordinary user whose pipes are used up: the kernel gives him some that are too small."""

    EATER = """
import fcntl, os, sys
if len(sys.argv) > 1:
    os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
size = 1 << 20
while size >= 65536:
    try:
        _, end = os.pipe()
        fcntl.fcntl(end, 1031, 1 << 20)
    except PermissionError:
        pass
    except OSError as e:
        sys.exit(f"no pipes to be had: {e}")
    size = fcntl.fcntl(end, 1032)
print(flush=True)
sys.stdin.read()
"""
    # Its own first argument is the user, or "": who runs this already is an ordinary one.
    DROP = """
import os, sys
if sys.argv[1]:
    os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
os.execv(sys.argv[2], sys.argv[3:])
"""

    def setUp(self):
        self.user = str(NOBODY) if os.geteuid() == 0 else ""
        with open("/proc/sys/fs/pipe-user-pages-soft", encoding="ascii") as f:
            pages = int(f.read())
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if pages == 0 or pages * 4096 // MIB * 2 + 64 > soft:
            self.skipTest(f"a quota of {pages} pages can't be used up with {soft} descriptors")
        # Where the build tree is may be no business of that user.
        self.place = tempfile.TemporaryDirectory()
        self.addCleanup(self.place.cleanup)
        os.chmod(self.place.name, 0o755)
        self.program = shutil.copy(os.environ["SOCKSIFYD"], self.place.name)
        os.chmod(self.program, 0o755)
        eater = subprocess.Popen([sys.executable, "-c", self.EATER, *filter(None, [self.user])],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        self.addCleanup(eater.communicate)
        if eater.stdout.readline() != "\n":
            self.skipTest(eater.stderr.read().strip()[-300:])

    def as_user(self, *args):
        return Server(*args, wrapper=(sys.executable, "-c", self.DROP, self.user, self.program))

    def test_45_transfers_through_pipes(self):
        with self.as_user() as server:
            before = server.fds()
            self.transfers(server, (TRANSFERS + 4) // 5, LENGTH)
            self.assertEqual(server.fds(), before)

    test_45_transfers_copied = None


class Moments(Case):
    """Single moments of a way that splices."""

    def fill(self, sock, noise):
        """Say what the way takes while nobody reads, and return how much that was."""
        said = 0
        sock.setblocking(False)
        while select.select([], [sock], [], 0.2)[1]:
            try:
                said += sock.send(noise.piece(0, said, MIB))
            except BlockingIOError:
                pass
        sock.settimeout(PATIENCE)
        return said

    def hear(self, sock, noise, at, to):
        while at < to:
            got = sock.recv(min(MIB, to - at))
            self.assertTrue(got, f"EOF at {at} of {to}")
            self.assertTrue(noise.holds(0, at, got), f"from octet {at} on")
            at += len(got)

    def test_45_what_follows_a_full_pipe_stays_behind_it(self):
        noise = Noise(64 * MIB)
        for a, b in self.both():
            said = self.fill(a, noise)
            self.assertGreater(pipes(self.server), 0)
            # Little by little: it is read, dries up, and small pieces come behind it.
            heard = 0
            while heard < said:
                step = min(50000, said - heard)
                self.hear(b, noise, heard, heard + step)
                heard += step
                a.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    if heard < 4 * MIB:
                        said += a.send(noise.piece(0, said, 500))
                a.settimeout(PATIENCE)
            for n in (1, 20, 4000):
                a.sendall(noise.piece(0, said, n))
                self.hear(b, noise, said, said + n)
                said += n

    def test_44_half_close_behind_a_full_pipe(self):
        noise = Noise(64 * MIB)
        for a, b in self.both():
            said = self.fill(a, noise)
            a.shutdown(socket.SHUT_WR)
            b.sendall(b"not yet")
            self.assertEqual(recv_exact(a, 7), b"not yet")
            self.hear(b, noise, 0, said)
            self.assert_eof(b)
            b.sendall(b"answer")
            self.assertEqual(recv_exact(a, 6), b"answer")

    def test_44_reset_of_a_listener_with_a_full_pipe(self):
        noise = Noise(64 * MIB)
        for a, b in self.both():
            fds = self.server.fds()
            self.fill(a, noise)
            reset(b)
            self.assertRaises(ConnectionResetError, a.recv, 1)
            # The pipe goes with what is in it.
            until(lambda n=fds: self.server.fds() - pipes(self.server) < n, "both sides are closed")

    def test_35_early_data_goes_before_what_is_spliced(self):
        noise = Noise(64 * MIB)
        with Peer() as peer, self.server.connect() as c:
            c.sendall(bytes.fromhex("05010005010001") + b"\x7f\0\0\x01" +
                      peer.port.to_bytes(2, "big") + noise.octets[:1000])
            with peer.accept() as p:
                recv_exact(c, 12)
                stream = threading.Thread(target=c.sendall, args=(noise.view[1000:20 * MIB],))
                stream.start()
                self.hear(p, noise, 0, 20 * MIB)
                stream.join()

    def test_urgent_octets_hold_nothing_up(self):
        """What is urgent is dropped, as ever; the rest arrives, and nothing spins."""
        noise = Noise(8 * MIB)
        for a, b in self.both():
            said = self.fill(a, noise)
            before = self.server.cpu_seconds()
            reader = threading.Thread(target=self.hear, args=(b, noise, 0, said))
            reader.start()
            a.send(b"!", socket.MSG_OOB)
            a.sendall(noise.piece(0, said, 3000))
            reader.join()
            self.hear(b, noise, said, said + 3000)
            b.settimeout(0.3)
            self.assertRaises(socket.timeout, b.recv, 1)
            self.assertLess(self.server.cpu_seconds() - before, 0.25)


class Idle(Case):
    options = ("--idle-timeout", "0.5")

    def test_what_is_idle_is_reset_on_both_sides(self):
        with Peer() as peer, self.server.connect() as c:
            self.assertEqual(request5(c, "127.0.0.1", peer.port)[0], 0)
            with peer.accept() as p:
                self.assert_carries(c, p)
                self.assertRaises(ConnectionResetError, c.recv, 1)
                self.assertRaises(ConnectionResetError, p.recv, 1)
        self.server.line("^close .* sent=11 received=9 result=idle ")

    def test_what_is_in_use_is_not_idle(self):
        with Peer() as peer, self.server.connect() as c:
            self.assertEqual(request5(c, "127.0.0.1", peer.port)[0], 0)
            with peer.accept() as p:
                # One way alone is use enough; twelve times less than the limit, which is passed.
                p.settimeout(0.1)
                for _ in range(12):
                    c.sendall(b"x")
                    self.assertEqual(recv_exact(p, 1), b"x")
                    self.assertRaises(socket.timeout, p.recv, 1)
                self.assert_carries(c, p)

    def test_a_listener_that_takes_nothing_is_idle(self):
        with Peer() as peer, self.server.connect() as c:
            self.assertEqual(request5(c, "127.0.0.1", peer.port)[0], 0)
            with peer.accept() as p:
                c.settimeout(PATIENCE)
                with self.assertRaises(ConnectionError):
                    while True:
                        c.sendall(bytes(MIB))
                del p


if __name__ == "__main__":
    unittest.main()
