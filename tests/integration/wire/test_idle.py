"""PROTOCOL item 85: ten thousand idle tunnels, or as many as there are descriptors for."""

import contextlib
import multiprocessing
import os
import resource
import signal
import socket
import unittest

from test_flood import is_sanitized
from wire import PATIENCE, Server, read_reply5, recv_exact, socks5, until

TUNNELS = 10000
GOAL_KIB = 0.5
AT_ONCE = 100  # handshakes: fewer than a listener's queue has room for


def raise_limit():
    """Of descriptors. Returns how many there may be."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def hold_targets(pipe):
    """In a process of its own, with descriptors of its own: accepts all and keeps them."""
    raise_limit()
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        pipe.send(listener.getsockname()[1])
        held = []
        listener.setblocking(False)
        while not pipe.poll(0.02):
            with contextlib.suppress(BlockingIOError):
                while True:
                    held.append(listener.accept()[0])
        for sock in held:
            sock.close()


def private_kib(server):
    """User memory that is the server's alone."""
    with open(f"/proc/{server.process.pid}/smaps_rollup", encoding="ascii") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("Private_"))


class Idle(unittest.TestCase):
    def open_some(self, server, port, n):
        socks = [server.connect() for _ in range(n)]
        for sock in socks:
            sock.sendall(b"\x05\x01\x00" + socks5("127.0.0.1", port))
        for sock in socks:
            self.assertEqual(recv_exact(sock, 2), b"\x05\x00")
            self.assertEqual(read_reply5(sock)[0], 0)
        return socks

    def test_85_many_idle_tunnels_take_little_memory(self):
        here, there = multiprocessing.Pipe()
        targets = multiprocessing.Process(target=hold_targets, args=(there,), daemon=True)
        targets.start()
        tunnels = min(TUNNELS, raise_limit() // 2 - 200)
        socks = []
        try:
            port = here.recv()
            with Server("-q") as server:
                # What the first ones need is had once.
                socks += self.open_some(server, port, AT_ONCE)
                before = private_kib(server)
                while len(socks) < tunnels:
                    socks += self.open_some(server, port, min(AT_ONCE, tunnels - len(socks)))
                each = (private_kib(server) - before) / (tunnels - AT_ONCE)
                if not is_sanitized():
                    self.assertLessEqual(each, GOAL_KIB)
                # Two descriptors each, and they are alive.
                self.assertLess(server.fds(), 2 * tunnels + 64)
                for sock in socks:
                    sock.close()
                here.send("close")
                targets.join(PATIENCE)
                until(lambda: server.fds() < 64, "all of them are gone")
        finally:
            for sock in socks:
                sock.close()
            if targets.is_alive():
                os.kill(targets.pid, signal.SIGKILL)
            targets.join()


if __name__ == "__main__":
    unittest.main()
