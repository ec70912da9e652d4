"""Another machine: a namespace behind a veth, whose ports say GREETING and echo datagrams."""

import contextlib
import os
import socket
import subprocess
import sys
import threading

from wire import PATIENCE, ip, until

GREETING = b"elsewhere"
PORT = 7
LINK4, LINK6 = "192.0.2.1", "2001:db8:2::1"  # our own ends of the wire


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def width_of(address):
    return "128" if ":" in address else "32"


def is_routed(address):
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as probe:
        return probe.connect_ex((address, PORT)) == 0


class Elsewhere:
    """
    In the namespace of run.py. addresses are the other machine's; own are added to this one's
    loopback device, for clients and servers that are not on loopback.
    """

    def __init__(self, addresses, own=()):
        self.undo = contextlib.ExitStack()
        with self.undo:
            self._set_up(addresses, own)
            self.undo = self.undo.pop_all()

    def _set_up(self, addresses, own):
        child = subprocess.Popen(["unshare", "-n", sys.executable, __file__, *addresses],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.undo.callback(self._end, child)
        if child.stdout.readline() != "born\n":
            raise AssertionError("no second namespace")
        ip("link", "add", "wire0", "type", "veth", "peer", "name", "wire1", "netns", str(child.pid))
        self.undo.callback(ip, "link", "del", "wire0")
        for address, bits in ((LINK4, "24"), (LINK6, "64")):
            ip("addr", "add", f"{address}/{bits}", "dev", "wire0",
               *(["nodad"] if ":" in address else []))
        ip("link", "set", "wire0", "up")
        child.stdin.write("wired\n")
        child.stdin.flush()
        if child.stdout.readline() != "ready\n":
            raise AssertionError("the other machine is not ready")
        for address in addresses:
            ip("route", "add", f"{address}/{width_of(address)}", "dev", "wire0", "src",
               LINK6 if ":" in address else LINK4)
        for address in own:
            ip("addr", "add", f"{address}/{width_of(address)}", "dev", "lo",
               *(["nodad"] if ":" in address else []))
            self.undo.callback(ip, "addr", "del", f"{address}/{width_of(address)}", "dev", "lo")
        # The kernel routes to a new IPv6 address a moment later.
        for address in own:
            until(lambda to=address: is_routed(to), f"{address} has a route")

    @staticmethod
    def _end(child):
        child.stdin.close()
        child.wait(PATIENCE)
        child.stdout.close()

    def close(self):
        self.undo.close()


def greet_all(listener):
    while True:
        conn, _ = listener.accept()
        with conn, contextlib.suppress(OSError):
            conn.sendall(GREETING)


def echo_all(sock):
    while True:
        data, who = sock.recvfrom(1 << 16)
        sock.sendto(data, who)


def main():
    """The child's."""
    ip("link", "set", "lo", "up")
    print("born", flush=True)
    sys.stdin.readline()
    for address, bits in (("192.0.2.2", "24"), ("2001:db8:2::2", "64")):
        ip("addr", "add", f"{address}/{bits}", "dev", "wire1",
           *(["nodad"] if ":" in address else []))
    ip("link", "set", "wire1", "up")
    for address in sys.argv[1:]:
        ip("addr", "add", f"{address}/{width_of(address)}", "dev", "wire1",
           *(["nodad"] if ":" in address else []))
        for kind, serve in ((socket.SOCK_STREAM, greet_all), (socket.SOCK_DGRAM, echo_all)):
            sock = socket.socket(family_of(address), kind)
            sock.bind((address, PORT))
            if kind == socket.SOCK_STREAM:
                sock.listen(16)
            threading.Thread(target=serve, args=(sock,), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
