"""PROTOCOL, SOCKS4's ident: items 3 to 6 (RFC 1413)."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

from wire import (PATIENCE, Case, Peer, Server, closed_port, drip, needs_netns, read_reply4,
                  recv_exact, request5, reset, socks4, socks4a, until)

OIDENTD = shutil.which("oidentd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def answer(text, end=b"\r\n"):
    """A script: "{}" is the pair of ports as it was asked for."""
    def script(conn, query):
        conn.sendall(text.encode().replace(b"{}", query.strip()) + end)
    return script


def port_is_free():
    try:
        Peer(port=113).sock.close()
    except OSError:
        return False
    return True


class Identd:
    """An identd on port 113 that answers by a script."""

    def __init__(self, script, address="127.0.0.1"):
        self.script = script
        self.asked = []
        self.open = []
        self.peer = Peer(address, port=113)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            conn = self.peer.accept()
            if self.script is None:
                conn.close()
                return
            who = self.peer.last_from
            query = b""
            while not query.endswith(b"\n"):
                query += recv_exact(conn, 1)
            self.asked.append((who[0], query))
            # Whatever it does, the server may have hung up by then.
            with contextlib.suppress(ConnectionError):
                self.script(conn, query)
            self.open.append(conn)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.script = None
        with socket.create_connection((self.peer.address, 113), PATIENCE):
            self.thread.join(PATIENCE)
        for conn in self.open:
            conn.close()
        self.peer.sock.close()


def reset_at_once(conn, _query):
    reset(conn)


def silence(_conn, _query):
    pass


def octets(conn, query):
    drip(conn, query.strip() + b" : USERID : UNIX : joe\r\n")


def cut(conn, query):
    conn.sendall(query.strip() + b" : USERID : UNIX : joe")
    conn.close()


def flood(conn, _query):
    conn.sendall(b"x" * 100000)


def longest(conn, query):
    head = query.strip() + b" : USERID : " + b"O" * 600 + b" : joe"
    conn.sendall(b" " * (1000 - len(head)) + head + b"\r\n")


def too_long(conn, query):
    head = query.strip() + b" : USERID : " + b"O" * 600 + b" : joe"
    conn.sendall(b" " * (1001 - len(head)) + head + b"\r\n")


NO_ANSWER = [
    answer("{} : ERROR : NO-USER"),
    answer("{} : ERROR : HIDDEN-USER"),
    answer("1, 1 : USERID : UNIX : joe"),
    answer("{} : USERID : joe"),
    answer("{} : USERID : UNIX :"),
    answer(""),
    answer("\r\n{} : USERID : UNIX : joe"),
    cut, flood, too_long, reset_at_once,
]

JOE = [
    answer("{} : USERID : UNIX : joe"),
    answer("{}:USERID:UNIX:joe"),
    answer("{} : userid : OTHER , US-ASCII : joe"),
    answer("{} : USERID : UNIX : joe", b"\n"),
    answer("{} : USERID : UNIX : joe", b"\r\nmore\r\nlines : of : it\r\n"),
    octets, longest,
]


class Ident(Case):
    def code(self, user, message=None):
        """The code for a CONNECT by this user; where it is granted the tunnel must work."""
        with Peer() as peer, self.server.connect() as c:
            c.sendall(message or socks4("127.0.0.1", peer.port, user))
            code = read_reply4(c)[0]
            if code == 0x5a:
                with peer.accept() as p:
                    self.assert_carries(c, p)
            else:
                self.assert_eof(c)
                peer.sock.setblocking(False)
                self.assertRaises(BlockingIOError, peer.accept)
            return code


@needs_netns
class Require(Ident):
    options = ("--ident", "require", "--ident-timeout", "0.5")

    def test_03_no_identd_is_5c(self):
        self.assertEqual(self.code(b"joe"), 0x5c)
        self.server.line(r"^failed .*stage=ident reply=5c reason=.*refused")

    def test_03_silence_is_5c(self):
        with Identd(silence):
            self.assertEqual(self.code(b"joe"), 0x5c)

    def test_03_error_or_no_answer_is_5c(self):
        for script in NO_ANSWER:
            with Identd(script), self.subTest(script=script):
                self.assertEqual(self.code(b"joe"), 0x5c)

    def test_04_another_user_is_5d(self):
        with Identd(answer("{} : USERID : UNIX : joe")):
            for user in (b"jo", b"joey", b"Joe", b" joe", b"", b"root", b"j" * 255):
                self.assertEqual(self.code(user), 0x5d, user)

    def test_05_the_same_user_is_granted(self):
        for script in JOE:
            with Identd(script), self.subTest(script=script):
                self.assertEqual(self.code(b"joe"), 0x5a)

    def test_05_any_octets_and_255_of_them(self):
        for user in (b"u" * 255, b"a:b:c", b"two words", bytes(range(128, 256))):
            def script(conn, query, name=user):
                conn.sendall(query.strip() + b" : USERID : OTHER : " + name + b"\r\n")
            with Identd(script):
                self.assertEqual(self.code(user), 0x5a)

    def test_05_whom_it_asks_and_what(self):
        with Identd(answer("{} : USERID : UNIX : joe"), "127.0.0.5") as identd, Peer() as peer:
            with self.server.connect(source_address=("127.0.0.5", 0)) as c:
                c.sendall(socks4("127.0.0.1", peer.port, b"joe"))
                self.assertEqual(read_reply4(c)[0], 0x5a)
                ports = "%d, %d\r\n" % (c.getsockname()[1], self.server.port)
                self.assertEqual(identd.asked, [("127.0.0.1", ports.encode())])

    def test_05_ipv6_client(self):
        with Server(*self.options, listen=("[::1]:0",)) as server, Peer() as peer:
            with Identd(answer("{} : USERID : UNIX : joe"), "::1") as identd:
                with socket.create_connection(("::1", server.port), PATIENCE) as c:
                    c.sendall(socks4("127.0.0.1", peer.port, b"joe"))
                    self.assertEqual(read_reply4(c)[0], 0x5a)
                    ports = "%d, %d\r\n" % (c.getsockname()[1], server.port)
                    self.assertEqual(identd.asked, [("::1", ports.encode())])

    def test_05_early_data_waits_for_identd(self):
        go = threading.Event()

        def script(conn, query):
            go.wait(PATIENCE)
            answer("{} : USERID : UNIX : joe")(conn, query)

        with Server("--ident", "require") as server, Identd(script), Peer() as peer:
            with server.connect() as c:
                c.sendall(socks4("127.0.0.1", peer.port, b"joe") + b"early")
                # And nobody else waits for it.
                with server.connect() as d:
                    self.assertEqual(request5(d, "127.0.0.1", peer.port)[0], 0)
                    peer.accept().close()
                go.set()
                self.assertEqual(read_reply4(c)[0], 0x5a)
                with peer.accept() as p:
                    self.assertEqual(recv_exact(p, 5), b"early")

    def test_05_bind_resolve_and_names_too(self):
        with Identd(answer("{} : USERID : UNIX : joe")), Peer() as peer:
            for message, code in ((socks4a("localhost", peer.port, b"joe"), 0x5a),
                                  (socks4a("localhost", peer.port, b"jim"), 0x5d),
                                  (socks4("0.0.0.0", 0, b"joe", cd=2), 0x5a),
                                  (socks4("0.0.0.0", 0, b"jim", cd=2), 0x5d),
                                  (socks4a("localhost", 0, b"joe", cd=0xf0), 0x5a),
                                  (socks4a("localhost", 0, b"jim", cd=0xf0), 0x5d)):
                with self.server.connect() as c:
                    c.sendall(message)
                    self.assertEqual(read_reply4(c)[0], code)

    def test_05_socks5_clients_are_not_asked_about(self):
        with Peer() as peer, self.server.connect() as c:
            self.assertEqual(request5(c, "127.0.0.1", peer.port)[0], 0)

    def test_05_client_that_leaves_meanwhile(self):
        before = self.server.fds()
        with Identd(silence) as identd:
            with self.server.connect() as c:
                c.sendall(socks4("127.0.0.1", closed_port(), b"joe"))
                until(lambda: identd.asked, "identd is asked")
                reset(c)
            until(lambda: self.server.fds() == before, "as many descriptors as before")

    @unittest.skipUnless(OIDENTD, "no oidentd here")
    def test_03_04_05_a_real_identd(self):
        with tempfile.TemporaryDirectory() as scratch:
            with open(f"{scratch}/conf", "w", encoding="ascii") as f:
                f.write('default { default { deny spoof } }\n')
            daemon = subprocess.Popen(
                [OIDENTD, "--foreground", "--nosyslog", "--address", "127.0.0.1",
                 "--config", f"{scratch}/conf", "--user", "0", "--group", "0"],
                stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
            try:
                def listens():
                    if daemon.poll() is not None:
                        self.skipTest(f"oidentd ends: {daemon.stderr.read()}")
                    with contextlib.suppress(ConnectionRefusedError):
                        socket.create_connection(("127.0.0.1", 113), PATIENCE).close()
                        return True
                    return False

                until(listens, "oidentd listens")
                self.assertEqual(self.code(pwd.getpwuid(os.getuid()).pw_name.encode()), 0x5a)
                self.assertEqual(self.code(b"nobody-else"), 0x5d)
            finally:
                if daemon.poll() is None:
                    daemon.terminate()
                daemon.wait(PATIENCE)
                daemon.stderr.close()
                # Its children have the port for as long as they live.
                until(port_is_free, "oidentd's last child is gone")


@needs_netns
class Ask(Ident):
    options = ("--ident", "ask", "--ident-timeout", "0.5")

    def test_04_another_user_is_5d(self):
        with Identd(answer("{} : USERID : UNIX : joe")):
            self.assertEqual(self.code(b"jim"), 0x5d)
            self.assertEqual(self.code(b""), 0x5d)
            self.assertEqual(self.code(b"joe"), 0x5a)

    def test_03_without_an_answer_it_is_granted_and_logged(self):
        self.assertEqual(self.code(b"jack"), 0x5a)
        self.server.line(r"^unverified .*user=jack .*reason=.*refused")
        for n, script in enumerate((silence, *NO_ANSWER)):
            with Identd(script), self.subTest(script=script):
                self.assertEqual(self.code(b"jill%d" % n), 0x5a)
                self.server.line(rf"^unverified .*user=jill{n} .*reason=")


@needs_netns
class Off(Ident):
    def test_06_empty_user_id_is_fine_and_nobody_is_asked(self):
        with Identd(answer("{} : USERID : UNIX : joe")) as identd:
            self.assertEqual(self.code(b""), 0x5a)
            self.assertEqual(self.code(b"jim"), 0x5a)
            self.assertEqual(identd.asked, [])


if __name__ == "__main__":
    unittest.main()
