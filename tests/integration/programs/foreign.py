"""A web client that calls libc itself: foreign.py HOST... fetches a page of each by each way to libc."""

import ctypes
import ctypes.util
import socket
import sys


class Addrinfo(ctypes.Structure):
    pass


Addrinfo._fields_ = [
    ("flags", ctypes.c_int),
    ("family", ctypes.c_int),
    ("type", ctypes.c_int),
    ("protocol", ctypes.c_int),
    ("length", ctypes.c_uint32),
    ("address", ctypes.c_void_p),
    ("name", ctypes.c_char_p),
    ("next", ctypes.c_void_p),
]


def fetch(libc, host, path):
    hints = Addrinfo(type=socket.SOCK_STREAM, family=socket.AF_INET)
    found = ctypes.POINTER(Addrinfo)()
    failed = libc.getaddrinfo(host.encode(), b"80", ctypes.byref(hints), ctypes.byref(found))
    if failed:
        sys.exit(f"{host}: getaddrinfo says {failed}")
    fd = libc.socket(found[0].family, found[0].type, 0)
    if libc.connect(fd, ctypes.c_void_p(found[0].address), found[0].length) < 0:
        sys.exit(f"{host}: errno {ctypes.get_errno()}")
    libc.freeaddrinfo(found)
    with socket.socket(fileno=fd) as s:
        s.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        with s.makefile("rb") as answer:
            print(answer.read().partition(b"\r\n\r\n")[2].decode(), end="", flush=True)


WAYS = {"soname": "libc.so.6", "found": ctypes.util.find_library("c"), "program": None}

for host in sys.argv[1:]:
    for way, name in WAYS.items():
        fetch(ctypes.CDLL(name, use_errno=True), host, f"/{way}")
