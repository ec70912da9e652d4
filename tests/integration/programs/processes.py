"""Four processes of multiprocessing, and names that go from one to another.

Usage: processes.py fork|spawn|forkserver NAME OTHER-NAME ADDRESS

Each child connects to what its parent has resolved, resolves by itself, and hands that to its
parent. An answer that comes to the wrong process shows: each asks for a path of its own.
"""

import multiprocessing
import socket
import sys
import urllib.request


def ask(at, host, path):
    with socket.create_connection(at, 10) as s:
        s.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        answer = b""
        while chunk := s.recv(4096):
            answer += chunk
    return answer.decode().partition("\r\n\r\n")[2]


def resolve(name):
    return socket.getaddrinfo(name, 80, socket.AF_INET, socket.SOCK_STREAM)[0][4]


def child(job):
    n, name, inherited, other, address = job
    with urllib.request.urlopen(f"http://{address}/address/{n}", timeout=10) as answer:
        text = answer.read().decode()
    text += ask(inherited, name, f"/inherited/{n}")
    return text + ask((name, 80), name, f"/own/{n}"), resolve(other)


def main():
    method, name, other, address = sys.argv[1:]
    context = multiprocessing.get_context(method)
    inherited = resolve(name)
    jobs = [(n, name, inherited, other, address) for n in range(8)]
    with context.Pool(4) as pool:
        # One job at a time, so that all four get some.
        for n, (text, found) in enumerate(pool.map(child, jobs, chunksize=1)):
            print(text, end="")
            print(ask(found, other, f"/handed-up/{n}"), end="")


if __name__ == "__main__":
    main()
