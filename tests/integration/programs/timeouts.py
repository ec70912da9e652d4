"""Sockets with time-outs: Python makes them non-blocking, and waits for a connect by poll.

Usage: timeouts.py NAME ADDRESS ADDRESS6-OR-EMPTY
"""

import errno
import http.client
import socket
import sys

failed = []


def expect(what, got, want):
    if got != want:
        failed.append(f"{what}: {got!r}, not {want!r}")


def answer_of(s, host, path):
    s.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
    answer = b""
    while chunk := s.recv(4096):
        answer += chunk
    return answer.decode().partition("\r\n\r\n")[2]


def one_connect(family, host, url_host):
    at = socket.getaddrinfo(host, 80, family, socket.SOCK_STREAM)[0][4]
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(10)
        s.connect(at)
        expect("peer", s.getpeername(), at)
        expect("SO_ERROR", s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
        expect("time-out", s.gettimeout(), 10)
        print(answer_of(s, url_host, "/connect"), end="")
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(10)
        expect("connect_ex", s.connect_ex(at), 0)
        print(answer_of(s, url_host, "/connect_ex"), end="")


def refusals(host):
    # Nobody listens on port 81 of any target.
    with socket.socket() as s:
        s.settimeout(10)
        expect("a closed port", s.connect_ex((host, 81)), errno.ECONNREFUSED)
        s.settimeout(None)
        expect("the same socket again", s.connect_ex((host, 80)), 0)
    default = socket.getdefaulttimeout()
    socket.setdefaulttimeout(10)
    try:
        socket.create_connection((host, 81))
        failed.append("a closed port lets create_connection through")
    except ConnectionRefusedError:
        pass
    except OSError as e:
        failed.append(f"create_connection to a closed port: {e!r}")
    socket.setdefaulttimeout(default)


def reads_time_out(host):
    # A web server that is asked nothing says nothing.
    with socket.create_connection((host, 80), 10) as s:
        s.settimeout(0.05)
        try:
            failed.append(f"a silent server said {s.recv(1)!r}")
        except TimeoutError:
            pass
        s.settimeout(10)
        print(answer_of(s, host, "/after"), end="")


def keeps_alive(host):
    link = http.client.HTTPConnection(host, timeout=10)
    for n in range(3):
        link.request("GET", f"/kept/{n}")
        print(link.getresponse().read().decode(), end="")
    link.close()


def main():
    name, address, address6 = sys.argv[1:]
    one_connect(socket.AF_INET, name, name)
    one_connect(socket.AF_INET, address, address)
    if address6:
        one_connect(socket.AF_INET6, name, name)
        one_connect(socket.AF_INET6, address6, f"[{address6}]")
    for host in (name, address):
        refusals(host)
        reads_time_out(host)
        keeps_alive(host)
    for line in failed:
        print(line, file=sys.stderr)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
