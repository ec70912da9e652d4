"""Starts itself through the ways that Python has, DEPTH deep; the last one asks a web server.

Usage: chain.py DEPTH ADDRESS-OR-NAME RESOLVED

RESOLVED is the address that the first one was given for the name: it must hold in all of them.
"""

import os
import socket
import subprocess
import sys


def ask(at, host, path):
    with socket.create_connection(at, 10) as s:
        s.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        answer = b""
        while chunk := s.recv(4096):
            answer += chunk
    return answer.decode().partition("\r\n\r\n")[2]


def main():
    depth, host = int(sys.argv[1]), sys.argv[2]
    resolved = sys.argv[3] if len(sys.argv) > 3 else socket.gethostbyname(host)
    print(ask((resolved, 80), host, f"/{depth}"), end="", flush=True)
    argv = [sys.executable, "-I", sys.argv[0], str(depth - 1), host, resolved]
    if depth == 5:
        # By vfork, and with every other descriptor closed.
        print(subprocess.run(argv, capture_output=True, text=True, check=True).stdout, end="")
    elif depth == 4:
        subprocess.run(argv, check=True, start_new_session=True, cwd="/")
    elif depth == 3:
        pid = os.posix_spawn(sys.executable, argv, os.environ)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    elif depth == 2:
        script = '"$0" "$@" | cat'
        subprocess.run(["/bin/sh", "-c", script, *argv], check=True)
    elif depth == 1:
        os.execv(sys.executable, argv)
    else:
        print(ask((host, 80), host, "/by-itself"), end="")


if __name__ == "__main__":
    main()
