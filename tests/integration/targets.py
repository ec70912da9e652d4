"""The servers that the stories' programs want to reach: HTTP, HTTPS, git over HTTP, one that answers late, one that
calls back where it is told to (as active FTP does), one that mirrors datagrams.

Also the nameserver that no program under the library may ask. It answers truthfully, so that a program
without the library goes on and is seen to connect.

Says "ready" once all of them listen, and ends when its standard input does.
"""

import hashlib
import http.server
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading

import world

LATE_OCTETS = 256 << 10
LATE_PORT = 7000
CALL_PORT = 7001
MIRROR_PORT = 7002


def pattern(n):
    """Octets in which a lost, doubled or moved block shows."""
    return b"".join(hashlib.sha256(i.to_bytes(8, "big")).digest() for i in range((n + 31) // 32))[
        :n
    ]


class Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path.startswith("/git/"):
            self.git(path[4:], query)
        elif path == "/big":
            self.answer(pattern(1 << 20), "application/octet-stream")
        elif path.startswith("/files/"):
            self.file(path)
        else:
            self.answer(f"you asked {self.headers.get('Host')} for {path}\n".encode())

    do_POST = do_GET

    def answer(self, body, kind="text/plain"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def file(self, path):
        """What a story has put there."""
        try:
            with open(self.server.scratch + os.path.normpath(path), "rb") as f:
                self.answer(f.read(), "application/octet-stream")
        except OSError:
            self.send_error(404)

    def git(self, path, query):
        """git-http-backend as a CGI program (RFC 3875), without streaming: the repositories are tiny."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": os.path.join(self.server.scratch, "repositories"),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "HOME": self.server.scratch,
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": self.client_address[0],
        }
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=env, capture_output=True, check=False
        )
        head, _, out = done.stdout.partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode().split("\r\n")]
        fields = {name.lower(): value for name, _, value in lines}
        self.send_response(int(fields.pop("status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

    def log_message(self, *args):
        pass


class Web(http.server.ThreadingHTTPServer):
    request_queue_size = 4096
    scratch = ""
    tls = None

    def __init__(self, family, address, port):
        self.address_family = family
        super().__init__((address, port), Pages)

    def server_bind(self):
        # The base class looks its own name up; nobody is there to ask.
        socket.socket.setsockopt(self.socket, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "web.test", self.server_address[1]

    def finish_request(self, request, client_address):
        # Here, in the connection's own thread, a slow handshake holds up nobody else.
        if self.tls:
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)
        if self.tls:
            # Some clients call it a failure if the end is not announced.
            request.unwrap()

    def handle_error(self, request, client_address):
        pass


def late_answer(conn):
    """Nothing is said until the client has said all: a proxy that ends both ways at once loses the answer."""
    with conn:
        conn.settimeout(20)
        got = hashlib.sha256()
        while chunk := conn.recv(65536):
            got.update(chunk)
        conn.sendall(got.hexdigest().encode() + b"\n" + pattern(LATE_OCTETS))


def serve_late(listener):
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=late_answer, args=(conn,), daemon=True).start()


def call_back(conn, address):
    """
    The first line says where to call: "ADDRESS PORT". The call comes from this server's own address, says who
    called whom, and answers what the called one says, up to its end, with the octets the other way round.
    """
    with conn, conn.makefile("rb") as asked:
        conn.settimeout(20)
        host, port = asked.readline().decode("ascii", "replace").split()
        try:
            with socket.create_connection((host, int(port)), 20, (address, 0)) as call:
                call.sendall(f"{address} calls {host}\n".encode())
                call.sendall(read_all(call)[::-1])
        except OSError as e:
            conn.sendall(f"{e}\n".encode())


def read_all(conn):
    return b"".join(iter(lambda: conn.recv(65536), b""))


def serve_calls(listener, address):
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=call_back, args=(conn, address), daemon=True).start()


def mirror(sock):
    """A datagram's octets the other way round, behind the address that it came from."""
    while True:
        data, peer = sock.recvfrom(65535)
        try:
            sock.sendto(peer[0].encode() + b" " + data[::-1], peer)
        except OSError:
            pass


def dns_answer(query):
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]])
        at += 1 + query[at]
    question = query[12 : at + 5]
    kind = struct.unpack_from("!H", query, at + 1)[0]
    name = b".".join(labels).decode("ascii", "replace").lower()
    answers = []
    for text in world.NAMES.get(name, []):
        family = socket.AF_INET6 if ":" in text else socket.AF_INET
        if kind == (28 if family == socket.AF_INET6 else 1):
            data = socket.inet_pton(family, text)
            answers.append(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data)
    if kind == 15 and name in world.NAMES:
        data = struct.pack("!H", 10) + b"\x04mail\xc0\x0c"
        answers.append(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data)
    rcode = 0 if name in world.NAMES else 3
    return (
        query[:2]
        + struct.pack("!HHHHH", 0x8180 | rcode, 1, len(answers), 0, 0)
        + question
        + b"".join(answers)
    )


def serve_dns(sock):
    while True:
        query, peer = sock.recvfrom(512)
        try:
            sock.sendto(dns_answer(query), peer)
        except (IndexError, struct.error, OSError):
            pass


def dns_conversation(conn):
    with conn, conn.makefile("rb") as asked:
        conn.settimeout(20)
        while len(size := asked.read(2)) == 2:
            answer = dns_answer(asked.read(int.from_bytes(size, "big")))
            conn.sendall(len(answer).to_bytes(2, "big") + answer)


def serve_dns_tcp(listener):
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=dns_conversation, args=(conn,), daemon=True).start()


def main():
    scratch = sys.argv[1]
    places = [(socket.AF_INET, world.WEB4)]
    if os.path.exists("/proc/sys/net/ipv6"):
        places.append((socket.AF_INET6, world.WEB6))
    Web.scratch = scratch
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(os.path.join(scratch, "web.pem"), os.path.join(scratch, "web.key"))
    jobs = []
    for family, address in places:
        jobs.append((Web(family, address, 80).serve_forever, ()))
        secure = Web(family, address, 443)
        secure.tls = tls
        jobs.append((secure.serve_forever, ()))
        listener = socket.create_server((address, LATE_PORT), family=family, backlog=128)
        jobs.append((serve_late, (listener,)))
        listener = socket.create_server((address, CALL_PORT), family=family, backlog=128)
        jobs.append((serve_calls, (listener, address)))
        datagrams = socket.socket(family, socket.SOCK_DGRAM)
        datagrams.bind((address, MIRROR_PORT))
        jobs.append((mirror, (datagrams,)))
    dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    dns.bind((world.NAMESERVER, 53))
    jobs.append((serve_dns, (dns,)))
    jobs.append((serve_dns_tcp, (socket.create_server((world.NAMESERVER, 53), backlog=128),)))
    for target, args in jobs:
        threading.Thread(target=target, args=args, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
