"""How many clients there may be at once; and threads."""

import collections
import contextlib
import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
import unittest

from wire import (GREETING, PATIENCE, SOCKSIFYD, Peer, Server, black_hole, greet, needs_netns,
                  read_reply5, recv_exact, request5, reset, socks5, until)


def login(sock, user, password):
    sock.sendall(b"\x05\x01\x02")
    if recv_exact(sock, 2) != b"\x05\x02":
        raise AssertionError("no credentials are wanted")
    sock.sendall(bytes([1, len(user)]) + user + bytes([len(password)]) + password)
    return recv_exact(sock, 2)[1]


def pass_patience():
    """A client that was there before is shown out for another from now on."""
    late = time.monotonic() + 1.1
    until(lambda: time.monotonic() > late, "a second has passed")


class Seats(unittest.TestCase):
    def serve(self, *options, **how):
        server = Server(*options, **how)
        self.addCleanup(server.stop)
        return server

    def is_turned_away(self, sock):
        try:
            sock.sendall(GREETING)
            return sock.recv(2) == b""
        except ConnectionError:
            return True

    def test_too_many_in_all_wait_for_a_place(self):
        server = self.serve("--max-clients", "2")
        with Peer() as peer, server.connect() as a, server.connect() as b, server.connect() as c:
            for sock in (a, b):
                self.assertEqual(request5(sock, "127.0.0.1", peer.port)[0], 0)
            c.sendall(GREETING)
            server.line("^warning .*as many clients as there may be")
            c.settimeout(0.3)
            self.assertRaises(TimeoutError, c.recv, 1)
            c.settimeout(PATIENCE)
            a.close()
            peer.accept().close()
            self.assertEqual(recv_exact(c, 2), b"\x05\x00")

    def test_a_silent_client_makes_room_for_another(self):
        server = self.serve("--max-clients", "2")
        with Peer() as peer, server.connect() as silent, server.connect() as b, \
                server.connect() as c:
            self.assertEqual(request5(b, "127.0.0.1", peer.port)[0], 0)
            self.assertEqual(request5(c, "127.0.0.1", peer.port)[0], 0)
            self.assertEqual(silent.recv(1), b"")
            server.line("^failed id=1 .*its place was needed")

    def test_a_silent_client_stays_where_nobody_waits(self):
        server = self.serve("--max-clients", "2")
        with server.connect() as silent:
            pass_patience()
            with server.connect() as last:
                greet(last)
                greet(silent)

    @needs_netns
    def test_one_source_has_no_more_than_its_share(self):
        server = self.serve("--max-clients-per-source", "2")
        with server.connect() as a, server.connect() as b:
            greet(a)
            greet(b)
            with server.connect() as c:
                self.assertTrue(self.is_turned_away(c))
            server.line("^refused client=127.0.0.1:.* reason=.*this source")
            with server.connect(source_address=("127.0.0.2", 0)) as other:
                greet(other)
            a.close()
            until(lambda: not self._refused(server), "a place for the source")

    def _refused(self, server):
        with server.connect() as c:
            return self.is_turned_away(c)

    @needs_netns
    def test_names_with_many_silent_addresses_leave_descriptors_for_others(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400))

        with contextlib.ExitStack() as holes, Peer() as peer:
            port = holes.enter_context(black_hole("127.0.1.1")).port
            for n in range(2, 9):
                holes.enter_context(black_hole(f"127.0.1.{n}", port))
            server = self.serve("--max-clients-per-source", "70", "-v", preexec=limit, hosts="".join(
                f"127.0.1.{n} silent.test\n" for n in range(1, 9)))
            for _ in range(70):
                c = holes.enter_context(server.connect(source_address=("127.0.0.2", 0)))
                c.sendall(GREETING + socks5(b"silent.test", port))
            until(lambda: server.fds() > 390 or any("=127.0.1.7:" in line for line in server.lines),
                  "all addresses were tried")
            with server.connect() as honest:
                self.assertEqual(request5(honest, "127.0.0.1", peer.port)[0], 0)
            self.assertLess(server.fds(), 250)

    def test_loopback_has_no_share_by_default(self):
        server = self.serve("--max-clients", "4")
        with server.connect() as a, server.connect() as b, server.connect() as c:
            for sock in (a, b, c):
                greet(sock)

    def test_one_user_has_no_more_than_a_share(self):
        with tempfile.NamedTemporaryFile("w") as users:
            users.write(self.users())
            users.flush()
            server = self.serve("--users", users.name, "--max-clients-per-user", "1")
            with Peer() as peer, server.connect() as a, server.connect() as b:
                for sock, rep in ((a, 0), (b, 2)):
                    self.assertEqual(login(sock, b"alice", b"secret"), 0)
                    sock.sendall(socks5("127.0.0.1", peer.port))
                    self.assertEqual(read_reply5(sock)[0], rep)
                with server.connect() as c:
                    self.assertEqual(login(c, b"bob", b"secret"), 0)
                    c.sendall(socks5("127.0.0.1", peer.port))
                    self.assertEqual(read_reply5(c)[0], 0)
                server.line("^failed id=2 .*user=alice .*too many clients of this user")

    def users(self):
        import crypt  # pylint: disable=import-outside-toplevel,deprecated-module
        salted = crypt.crypt("secret", crypt.mksalt(crypt.METHOD_SHA256, rounds=1000))
        return f"alice:{salted}\nbob:{salted}\n"


class Threads(unittest.TestCase):
    def spread(self, server, n=40):
        """Clients enough for every thread to have some."""
        socks = [server.connect() for _ in range(n)]
        self.addCleanup(lambda: [sock.close() for sock in socks])
        return socks

    def test_all_threads_serve(self):
        with Peer() as peer, Server("--threads", "4") as server:
            socks = self.spread(server)
            for sock in socks:
                self.assertEqual(request5(sock, "127.0.0.1", peer.port)[0], 0)
                with peer.accept() as p:
                    p.sendall(b"hello")
                    self.assertEqual(recv_exact(sock, 5), b"hello")
            ids = set()
            for n in range(len(socks)):
                ids.add(server.line(r"^open id=(\d+) ", n).group(1))
            self.assertEqual(len(ids), len(socks))
            # A sanitizer may have one of its own.
            self.assertIn(len(os.listdir(f"/proc/{server.process.pid}/task")), (4, 5))

    def test_port_0_is_one_port_for_all(self):
        with Server("--threads", "3", listen=("127.0.0.1:0", "127.0.0.1:0")) as server:
            self.assertEqual(sum(line.startswith("listening") for line in server.lines), 2)
            self.assertNotEqual(*server.ports)

    def test_no_other_server_gets_the_port(self):
        with Server("--threads", "2") as server:
            other = subprocess.run([SOCKSIFYD, "--threads", "2", "--listen",
                                    f"127.0.0.1:{server.port}"], capture_output=True, text=True,
                                   timeout=PATIENCE, check=False)
            self.assertEqual(other.returncode, 1)
            self.assertIn("Address already in use", other.stderr)

    def test_drain_waits_for_the_last_session_of_all_threads(self):
        with Peer() as peer:
            server = Server("--threads", "3")
            socks = self.spread(server, 12)
            for sock in socks:
                self.assertEqual(request5(sock, "127.0.0.1", peer.port)[0], 0)
            with server.connect() as silent:
                greet(silent)
                server.signal(signal.SIGTERM)
                server.line("^draining sessions=12$")
                self.assertEqual(silent.recv(1), b"")
            self.assertRaises(ConnectionError, server.connect)
            for sock in socks:
                sock.close()
                peer.accept().close()
            self.assertEqual(server.process.wait(PATIENCE), 0)
            server.line("^stopped sessions=0$")
            server.stop()

    def test_a_second_signal_ends_all_threads(self):
        with Peer() as peer:
            server = Server("--threads", "3")
            for sock in self.spread(server, 12):
                self.assertEqual(request5(sock, "127.0.0.1", peer.port)[0], 0)
            server.signal(signal.SIGTERM)
            server.line("^draining sessions=12$")
            server.signal(signal.SIGTERM)
            self.assertEqual(server.process.wait(PATIENCE), 0)
            server.line("^stopped sessions=12$")
            server.stop()

    # No other test's connection has a port of it in TIME-WAIT.
    ALONE = "127.0.0.77"

    def ports_of(self, server, thread, n):
        """Whose clients the kernel gives to that thread of two; their ids tell."""
        ports = []
        while len(ports) < n:
            with server.connect(source_address=(self.ALONE, 0)) as c:
                port = c.getsockname()[1]
                greet(c)
                reset(c)
            line = server.line(fr"^failed id=(\d+) client={self.ALONE}:{port} ")
            if int(line.group(1)) % 2 == thread:
                ports.append(port)
        return ports

    @needs_netns
    def test_a_silent_client_of_another_thread_makes_room(self):
        with Server("--threads", "2", "--max-clients", "2") as server:
            here, there = self.ports_of(server, 0, 2), self.ports_of(server, 1, 1)
            with server.connect(source_address=(self.ALONE, here[0])) as a, \
                    server.connect(source_address=(self.ALONE, here[1])) as b:
                greet(a)
                greet(b)
                with server.connect(source_address=(self.ALONE, there[0])) as c:
                    c.settimeout(5)
                    greet(c)
                server.line("^failed .*its place was needed")

    def test_reload_reaches_all_threads(self):
        with Peer() as peer, Server("--threads", "3", hosts="127.0.0.9 a.test\n") as server:
            server.write_hosts("127.0.0.1 a.test\n")
            server.signal(signal.SIGHUP)
            server.line("^reloaded")
            for sock in self.spread(server, 20):
                self.assertEqual(request5(sock, b"a.test", peer.port)[0], 0)

    def test_74_wrong_logins_count_together(self):
        """Whichever thread a client comes to, one judge counts."""
        with tempfile.NamedTemporaryFile("w") as users:
            users.write(Seats.users(self))
            users.flush()
            with Server("--threads", "4", "--users", users.name) as server:
                answers = collections.Counter()

                def guess():
                    with server.connect() as c:
                        answers[login(c, b"alice", b"wrong")] += 1

                crowd = [threading.Thread(target=guess) for _ in range(8)]
                for thread in crowd:
                    thread.start()
                # Those that leave while they wait are let go by the judge, too.
                for _ in range(8):
                    with server.connect() as c:
                        c.sendall(b"\x05\x01\x02\x01\x05alice\x05wrong")
                for thread in crowd:
                    thread.join()
                self.assertEqual(answers, {1: 8})
                with server.connect(source_address=("127.0.0.2", 0)) as c:
                    self.assertEqual(login(c, b"alice", b"secret"), 0)

    def test_86_a_shortage_in_many_threads(self):
        limit = 60
        with Peer() as peer, Server("--threads", "3", "--max-clients", "1000",
                                    "--handshake-timeout", "1",
                                    preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE,
                                                                       (limit, limit))) as server:
            crowd = self.spread(server, limit)
            server.line("^warning .*no room for more clients")
            with server.connect() as c:
                self.assertEqual(request5(c, "127.0.0.1", peer.port)[0], 0)
            for sock in crowd:
                sock.close()
