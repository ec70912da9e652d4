"""PROTOCOL items 86 to 88, options, exit statuses: the server as a process."""

import os
import re
import resource
import signal
import socket
import subprocess
import tempfile
import unittest

from wire import (GREETING, PATIENCE, SOCKSIFYD, Dns, Peer, Server, greet, ip, needs_netns,
                  read_reply5, recv_all, recv_exact, request5, socks4, socks5, until)


def run(*args):
    return subprocess.run([SOCKSIFYD, *args], capture_output=True, text=True, timeout=10,
                          check=False)


class Start(unittest.TestCase):
    def test_without_its_threads_it_is_not_ready(self):
        def forbid():
            resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))

        got = subprocess.run([SOCKSIFYD, "--listen", "127.0.0.1:0", "--threads", "4"],
                             capture_output=True, text=True, timeout=PATIENCE, check=False,
                             preexec_fn=forbid)
        self.assertEqual(got.returncode, 1, got)
        self.assertRegex(got.stderr, r'(?m)^socksifyd: --threads "4": ')
        self.assertNotIn("listening", got.stderr)


class Shortage(unittest.TestCase):
    LIMIT = 40

    def serve(self, *options):
        limit = self.LIMIT
        # By default there are fewer places than descriptors, so that none runs out.
        server = Server("--max-clients", "1000", *options, preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE,
                                                                     (limit, limit)))
        self.addCleanup(server.stop)
        return server

    def test_86_descriptors_run_out_at_accept(self):
        server = self.serve("--handshake-timeout", "1")
        idle = [server.connect() for _ in range(self.LIMIT)]
        server.line("^warning .*no room for more clients")
        before = server.cpu_seconds()
        with Peer() as peer, server.connect() as c:
            # Served when the handshakes of the idle ones have timed out.
            self.assertEqual(request5(c, "127.0.0.1", peer.port)[0], 0)
        self.assertLess(server.cpu_seconds() - before, 0.2)
        for c in idle:
            c.close()

    def test_86_a_shortage_that_lasts_is_told_once(self):
        server = self.serve("-q")
        crowd = [server.connect() for _ in range(2 * self.LIMIT)]
        server.line("^warning .*no room for more clients")
        for _ in range(20):
            # One goes, one is let in, and the shortage is there again.
            crowd.pop(0).close()
            crowd.append(server.connect())
            greet(crowd[0])
        for c in crowd:
            c.close()
        self.assertEqual(sum("no room" in line for line in server.lines), 1)

    def test_36_rep_01_no_descriptor_for_a_name(self):
        with Dns({("a.test", "A"): ["127.0.0.1"]}) as dns:
            server = self.serve(*dns.options)
            idle = []
            while server.fds() < self.LIMIT:
                idle.append(server.connect())
                greet(idle[-1])
            idle[0].sendall(socks5(b"a.test", 80))
            self.assertEqual(read_reply5(idle[0])[0], 1)
            server.line("^failed .*stage=resolve reply=01 ")
            for c in idle:
                c.close()

    def test_36_rep_01_no_descriptor_for_the_target(self):
        server = self.serve()
        idle = []
        while server.fds() < self.LIMIT:
            idle.append(server.connect())
            greet(idle[-1])
        with Peer() as peer:
            idle[0].sendall(socks5("127.0.0.1", peer.port))
            self.assertEqual(read_reply5(idle[0])[0], 1)
            idle[0].close()
            idle[1].close()
            server.line("^failed .*id=2 ")
            idle[2].sendall(socks5("127.0.0.1", peer.port))
            self.assertEqual(read_reply5(idle[2])[0], 0)
        for c in idle:
            c.close()


class Signals(unittest.TestCase):
    def tunnel(self, server, peer):
        c = server.connect()
        self.assertEqual(request5(c, "127.0.0.1", peer.port)[0], 0)
        return c, peer.accept()

    def test_87_sigterm_drains(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with Peer() as peer, Server() as server:
                c, p = self.tunnel(server, peer)
                with c, p:
                    server.signal(number)
                    server.line("^draining sessions=1$")
                    self.assertRaises(ConnectionRefusedError, server.connect)
                    c.sendall(b"still here")
                    self.assertEqual(recv_exact(p, 10), b"still here")
                self.assertEqual(server.process.wait(10), 0)
                server.line("^close .*sent=10 received=0 result=done")

    def test_87_without_tunnels_it_ends_at_once(self):
        with Server() as server:
            server.signal(signal.SIGTERM)
            self.assertEqual(server.process.wait(10), 0)
            server.line("^stopped sessions=0$")

    def test_87_deadline_of_the_drain(self):
        with Peer() as peer, Server("--drain-timeout", "0.2") as server:
            c, p = self.tunnel(server, peer)
            with c, p:
                server.signal(signal.SIGTERM)
                self.assertEqual(server.process.wait(10), 0)
                # Whatever was under way must not look complete.
                self.assertRaises(ConnectionResetError, c.recv, 1)
                self.assertRaises(ConnectionResetError, p.recv, 1)
            server.line("^stopped sessions=1$")
            server.line("^close .*result=shutdown")

    def test_87_second_signal_ends_at_once(self):
        with Peer() as peer, Server("--drain-timeout", "1000") as server:
            c, p = self.tunnel(server, peer)
            with c, p:
                server.signal(signal.SIGTERM)
                server.line("^draining")
                server.signal(signal.SIGTERM)
                self.assertEqual(server.process.wait(10), 0)
                self.assertRaises(ConnectionResetError, c.recv, 1)

    def test_87_a_client_without_a_request_is_not_waited_for(self):
        for said in (b"", b"\x05", GREETING, b"\x04\x01\x00"):
            with Server("--drain-timeout", "1000") as server, server.connect() as c:
                if said:
                    c.sendall(said)
                    until(lambda s=server: not s.input_waiting(), "it is read")
                server.turn()
                server.signal(signal.SIGTERM)
                self.assertEqual(server.process.wait(10), 0, said)
                server.line('^failed .*stage=handshake reason="the server ends"', 0)

    def test_88_sighup_while_data_flows(self):
        with Peer() as peer, Server(hosts="127.0.0.1 one.test\n") as server:
            c, p = self.tunnel(server, peer)
            with c, p:
                for n in range(5):
                    c.sendall(b"before")
                    server.write_hosts(f"127.0.0.1 one.test name{n}.test\n")
                    server.signal(signal.SIGHUP)
                    server.line("^reloaded", n)
                    self.assertEqual(recv_exact(p, 6), b"before")
                with server.connect() as other:
                    self.assertEqual(request5(other, b"name4.test", peer.port)[0], 0)

    def test_88_sighup_with_a_hosts_file_that_is_gone(self):
        with Peer() as peer, Server(hosts="127.0.0.1 one.test\n") as server:
            os.rename(server.hosts.name, server.hosts.name + ".gone")
            server.signal(signal.SIGHUP)
            server.line("^warning .*hosts")
            with server.connect() as c:
                self.assertEqual(request5(c, b"one.test", peer.port)[0], 0)
            os.rename(server.hosts.name + ".gone", server.hosts.name)


class Options(unittest.TestCase):
    def test_bad_values_are_quoted_and_explained(self):
        for args, expects in (
                (("--listen", "here"), "ADDR:PORT"), (("--listen", "127.0.0.1"), "ADDR:PORT"),
                (("--listen", "127.0.0.1:65536"), "ADDR:PORT"),
                (("--listen", "a.test:1"), "ADDR:PORT"),
                (("--allow", "10.0.0.0/33"), "ADDR/BITS"), (("--allow", "ten"), "ADDR/BITS"),
                (("--allow", "::/129"), "ADDR/BITS"), (("--allow", "10.0.0.0/"), "ADDR/BITS"),
                (("--handshake-timeout", "0"), "seconds"),
                (("--connect-timeout", "nan"), "seconds"),
                (("--drain-timeout", "1h"), "seconds"), (("--nameserver", "dns"), "ADDR:PORT"),
                (("--nameserver", "[fe80::1%lo]:53"), "without a %scope"),
                (("--allow", "fe80::1%lo/64"), "without a %scope"),
                (("--drain-timeout", " 5"), "seconds"), (("--drain-timeout", "0x10"), "seconds"),
                (("--drain-timeout", "1e3"), "seconds")):
            done = run(*args)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn(f'"{args[1]}"', done.stderr)
            self.assertIn(expects, done.stderr)

    def test_unknown_options_and_arguments(self):
        done = run("--nonsense")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, "^socksifyd: .*--nonsense")
        done = run("--quiet", "stray")
        self.assertEqual(done.returncode, 2)
        self.assertIn('"stray"', done.stderr)

    def test_help_and_version(self):
        done = run("--help")
        self.assertEqual(done.returncode, 0)
        for option in ("listen", "allow", "users", "hash", "resolver", "hosts", "nameserver", "handshake-timeout",
                       "connect-timeout", "drain-timeout", "quiet", "verbose", "version"):
            self.assertIn(f"--{option}", done.stdout)
        self.assertRegex(run("--version").stdout, r"^socksifyd \d+\.\d+")

    def test_refuses_to_start_open(self):
        for at in ("0.0.0.0:0", "[::]:0", "192.0.2.1:1080", "[::ffff:0.0.0.0]:0"):
            done = run("--listen", "127.0.0.1:0", "--listen", at)
            self.assertEqual(done.returncode, 2, at)
            self.assertIn("--allow", done.stderr)
            self.assertIn("--users", done.stderr)

    def test_port_that_is_taken(self):
        with Server() as server:
            done = run("--listen", f"127.0.0.1:{server.port}")
            self.assertEqual(done.returncode, 1)
            self.assertIn("in use", done.stderr)

    def test_hosts_file_that_is_not_there(self):
        done = run("--hosts", "/nonexistent/hosts", "--listen", "127.0.0.1:0")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nonexistent/hosts", done.stderr)

    def test_hosts_that_is_no_file(self):
        with tempfile.TemporaryDirectory() as folder:
            fifo = os.path.join(folder, "fifo")
            os.mkfifo(fifo)
            for path in (fifo, folder, "/dev/zero"):
                done = run("--hosts", path, "--listen", "127.0.0.1:0")
                self.assertEqual(done.returncode, 1)
                self.assertIn(path, done.stderr)

    def test_allow_without_a_listener_for_it_is_told(self):
        with Server("--allow", "10.0.0.0/8") as server:
            self.assertRegex(server.lines[0], "^warning .*--allow")

    def test_several_listeners_in_both_families(self):
        with Server(listen=("127.0.0.1:0", "[::1]:0", "127.0.0.2:0")) as server, Peer() as peer:
            server.line(r"^listening address=::1 port=\d+$")
            for address, port in zip(("127.0.0.1", "::1", "127.0.0.2"), server.ports):
                with socket.create_connection((address, port), 10) as c:
                    self.assertEqual(request5(c, "127.0.0.1", peer.port)[0], 0)

    @needs_netns
    def test_allow_says_who_may_be_a_client(self):
        for address in ("10.68.0.1/32", "10.69.0.1/32"):
            ip("addr", "add", address, "dev", "lo")
            self.addCleanup(ip, "addr", "del", address, "dev", "lo")
        with Server("--allow", "10.68.0.0/16", "--allow-to", "127.0.0.1",
                    listen=("0.0.0.0:0",)) as server, Peer() as peer:
            for source, welcome in (("10.68.0.1", True), ("10.69.0.1", False),
                                    ("127.0.0.1", False)):
                with socket.create_connection(("10.68.0.1", server.port), 10,
                                              source_address=(source, 0)) as c:
                    if welcome:
                        self.assertEqual(request5(c, "127.0.0.1", peer.port)[0], 0)
                        continue
                    try:
                        self.assertEqual(recv_all(c), b"")
                    except ConnectionResetError:
                        pass
                    server.line(f"^refused client={source}:")

    def test_quiet_and_verbose(self):
        for options, wanted in ((("-q",), 0), ((), 1), (("-v",), 1)):
            with Server(*options) as server, Peer() as peer:
                with server.connect() as c:
                    request5(c, "127.0.0.1", peer.port)
                    peer.accept().close()
                    recv_all(c)
            self.assertEqual(sum(line.startswith("open") for line in server.lines), wanted)

    def test_log_has_the_reply_to_what_is_no_request(self):
        with Server() as server:
            for nth, (message, reply) in enumerate((
                    (GREETING + socks5("127.0.0.1", 80, cmd=9), "07"),
                    (GREETING + b"\x05\x01\x00\x02", "08"),
                    (GREETING + socks5("127.0.0.1", 80, version=4), "01"),
                    (GREETING + socks5("127.0.0.1", 0), "01"),
                    (GREETING + socks5(b"a..b", 80), "01"),
                    (socks4("127.0.0.1", 80, cd=9), "5b"), (socks4("0.0.0.0", 80), "5b"),
                    (socks4("127.0.0.1", 80, b"u" * 256), "5b"),
                    # No reply to what comes before a request: a method, HTTP, nothing.
                    (b"\x05\x01\x02", None), (b"GET / HTTP/1.1\r\n\r\n", None),
                    (b"\x16\x03\x01", None))):
                with server.connect() as c:
                    c.sendall(message)
                    recv_all(c)
                line = server.line("^failed .*$", nth).group()
                said = re.search(" stage=handshake (?:reply=(..) )?reason=", line)
                self.assertTrue(said, line)
                self.assertEqual(said.group(1), reply, line)

    def test_log_escapes_what_clients_say(self):
        with Server() as server, server.connect() as c:
            request5(c, b'a"b =\nc', 80)
            server.line("^failed ")
            line = [one for one in server.lines if one.startswith("failed")][0]
            client = "%s:%d" % c.getsockname()
            self.assertRegex(line, r"^failed id=1 client=" + client + r" version=5 "
                             r'target="a\\"b =\\x0ac:80" stage=resolve reply=04 '
                             r'reason="not a valid name" ms=\d+$')

    def test_log_has_names_once_escaped(self):
        with Dns() as dns, Server(*dns.options) as server:
            for name, target in ((b"plain.test", "plain.test:80"), (b"a\\b", r'"a\\b:80"'),
                                 (b"h:443", '"h:443:80"'), (b"\xc3\xa4", r'"\xc3\xa4:80"'),
                                 (b"a=b", '"a=b:80"')):
                with server.connect() as c:
                    request5(c, name, 80)
                server.line("^failed .* target=" + re.escape(target) + " stage")

    def test_log_has_the_open_line_and_the_user(self):
        with Peer() as peer, Server() as server, server.connect() as c:
            c.sendall(socks4("127.0.0.1", peer.port, b'u "x='))
            self.assertEqual(recv_exact(c, 2), b"\x00\x5a")
            server.line(r'^open id=1 client=\S+ version=4 user="u \\"x=" target=127\.0\.0\.1:')


if __name__ == "__main__":
    unittest.main()
