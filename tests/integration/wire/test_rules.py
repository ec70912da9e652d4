"""The guard, --allow-to, the file of --rules, and --test-config: who may do what to where."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

from elsewhere import GREETING, LINK4, LINK6, PORT, Elsewhere
from test_flood import is_sanitized
from test_udp import Association, Target
from test_users import hash_line, userpass
from wire import (FAILURE5, PATIENCE, SOCKSIFYD, Dns, Peer, Server, Settings, ip, needs_netns,
                  read_reply4, read_reply5, recv_all, recv_exact, request5, socks4, socks4a, socks5)

OPEN = ("--allow", "0.0.0.0/0", "--allow", "::/0")
EVERYWHERE = ("0.0.0.0:0", "[::]:0")

# Clients are told apart by their own address; the server is reached by it, too.
PUBLIC, PUBLIC6, PRIVATE, PRIVATE6 = "198.51.100.7", "2001:db8:7::7", "10.68.0.1", "fd00:68::1"
FAR, FAR6, INSIDE, INSIDE6 = "203.0.113.1", "2001:db8:113::1", "10.99.0.1", "fd00:99::1"
OK, NO = 0, 2


class EndingPeer(Peer):
    """It takes all who come, and ends."""

    def __enter__(self):
        self.thread = threading.Thread(target=self.end_each)
        self.thread.start()
        return self

    def end_each(self):
        with contextlib.suppress(OSError):
            while True:
                self.accept().close()

    def __exit__(self, *exc):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        super().__exit__(*exc)


def reload(server, times=1):
    server.signal(signal.SIGHUP)
    server.line("^reloaded", times - 1)


def port_of(server, client):
    return server.ports[":" in client] if len(server.ports) > 1 else server.port


@contextlib.contextmanager
def client_of(server, client):
    """A connection from that address to itself: any own address is the server's."""
    with socket.create_connection((client, port_of(server, client)), PATIENCE,
                                  source_address=(client, 0)) as c:
        yield c


@needs_netns
class Guard(unittest.TestCase):
    options = ()
    hosts = (f"{FAR} far.test\n{INSIDE} inside.test\n127.0.0.1 here.test\n{PUBLIC} own.test\n"
             f"127.0.0.1 both.test\n{FAR} both.test\n")

    @classmethod
    def setUpClass(cls):
        cls.place = Elsewhere((FAR, FAR6, INSIDE, INSIDE6), (PUBLIC, PUBLIC6, PRIVATE, PRIVATE6))
        cls.addClassCleanup(cls.place.close)
        cls.server = Server(*OPEN, *cls.options, listen=EVERYWHERE, hosts=cls.hosts)
        cls.addClassCleanup(cls.server.stop)
        # Open ports of the server's own machine, on every address.
        cls.own = cls.enterClassContext(Peer("0.0.0.0")), cls.enterClassContext(Peer("::"))

    def ask(self, client, to):
        """The reply's code; what is open is there, too."""
        far = to in (FAR, FAR6, INSIDE, INSIDE6, b"far.test", b"inside.test", b"both.test")
        ipv6 = isinstance(to, str) and ":" in to and "." not in to
        with client_of(self.server, client) as c:
            rep, *rest = request5(c, to, PORT if far else self.own[ipv6].port)
            if rep:
                self.assertEqual(tuple(rest), FAILURE5)
            if rep or far:
                self.assertEqual(recv_all(c), b"" if rep else GREETING)
            return rep

    def check(self, client, rows):
        got = [(to, self.ask(client, to)) for to, _ in rows]
        self.assertEqual(got, list(rows))

    def test_36_from_elsewhere(self):
        for client in PUBLIC, PUBLIC6:
            self.check(client, (
                (FAR, OK), (FAR6, OK), (INSIDE, NO), (INSIDE6, NO), ("127.0.0.1", NO), ("::1", NO),
                ("127.8.8.8", NO), ("0.0.0.0", NO), ("::", NO), ("169.254.169.254", NO),
                ("fe80::1", NO), ("224.0.0.1", NO), ("ff02::1", NO), ("255.255.255.255", NO),
                ("0.0.0.1", NO), (PUBLIC, NO), (PUBLIC6, NO), (PRIVATE, NO), (LINK4, NO),
                (LINK6, NO), ("192.0.2.255", NO)))

    def test_30_in_other_forms(self):
        for client in PUBLIC, PUBLIC6:
            self.check(client, (
                ("::ffff:127.0.0.1", NO), (f"::ffff:{INSIDE}", NO), (f"::ffff:{PUBLIC}", NO),
                ("64:ff9b::127.0.0.1", NO), ("64:ff9b::10.99.0.1", NO),
                (f"64:ff9b::{PUBLIC}", NO), ("2002:7f00:1::1", NO), ("::127.0.0.1", NO)))

    def test_29_by_name(self):
        self.check(PUBLIC, ((b"far.test", OK), (b"inside.test", NO), (b"here.test", NO),
                            (b"own.test", NO), (b"localhost", NO), (b"127.0.0.1", NO)))

    def test_37_an_address_that_is_closed_is_left_out(self):
        self.check(PUBLIC, ((b"both.test", OK),))

    def test_36_from_a_private_network(self):
        for client in PRIVATE, PRIVATE6:
            self.check(client, (
                (FAR, OK), (FAR6, OK), (INSIDE, OK), (INSIDE6, OK), (b"inside.test", OK),
                ("127.0.0.1", NO), ("::1", NO), ("169.254.169.254", NO), (PRIVATE, NO),
                (PRIVATE6, NO), (PUBLIC, NO), ("64:ff9b::127.0.0.1", NO)))

    def test_36_from_loopback_all_is_open_but_no_address(self):
        with client_of(self.server, "127.0.0.1") as c:
            self.assertEqual(request5(c, "127.0.0.1", self.own[0].port)[0], OK)
        self.check("::1", ((FAR, OK), (INSIDE, OK), (INSIDE6, OK), (PUBLIC, OK), (LINK4, OK),
                           ("::1", OK), ("0.0.0.0", NO), ("::", NO)))

    def test_2_in_socks4(self):
        for message, code in ((socks4(FAR, PORT), 0x5a), (socks4("127.0.0.1", PORT), 0x5b),
                              (socks4(INSIDE, PORT), 0x5b), (socks4a("far.test", PORT), 0x5a),
                              (socks4a("here.test", PORT), 0x5b)):
            with client_of(self.server, PUBLIC) as c:
                c.sendall(message)
                self.assertEqual(read_reply4(c)[0], code)

    def test_what_becomes_own_is_closed(self):
        late = "203.0.113.99"
        ip("addr", "add", f"{late}/32", "dev", "lo")
        self.addCleanup(ip, "addr", "del", f"{late}/32", "dev", "lo")
        self.check(PUBLIC, ((late, NO),))
        # What routes to this machine without being an address of it, too.
        ip("route", "add", "local", "203.0.113.96/31", "dev", "lo")
        self.addCleanup(ip, "route", "del", "local", "203.0.113.96/31", "dev", "lo")
        self.check(PUBLIC, (("203.0.113.97", NO),))

    def test_the_log_says_what_would_open_it(self):
        for to, words in (("127.0.0.5", "loopback"), (INSIDE, "private"), (PUBLIC, "own address")):
            self.ask(PUBLIC, to)
            self.server.line(rf"^failed .*client={PUBLIC}:.* target={re.escape(to)}:.*"
                             rf"reply=02 reason=\".*{words}.*--allow-to")

    def test_65_each_datagram(self):
        with Association(self.server, at=PUBLIC, own=PUBLIC) as a, Target() as target:
            a.send((target.address, target.port), b"to loopback")
            a.send((INSIDE, PORT), b"to a private network")
            a.send((b"here.test", target.port), b"by name")
            a.send(("64:ff9b::127.0.0.1", target.port), b"in another form")
            a.send((FAR, PORT), b"far away")
            self.assertEqual(a.receive(), (FAR, PORT, b"far away"))
            target.sock.settimeout(0.01)
            self.assertRaises(TimeoutError, target.get)

    def test_51_bind_for_a_peer_that_is_closed(self):
        for peer, code in ((INSIDE, NO), ("127.0.0.1", NO), (FAR, OK)):
            with client_of(self.server, PUBLIC) as c:
                self.assertEqual(request5(c, peer, 0, cmd=2)[0], code)


class Opened(Guard):
    """--allow-to"""

    options = ("--allow-to", "127.8.0.0/16", "--allow-to", INSIDE, "--allow-to", PUBLIC6)

    def test_36_from_elsewhere(self):
        self.check(PUBLIC, (("127.8.8.8", OK), (INSIDE, OK), (PUBLIC6, OK), (FAR, OK),
                            ("127.0.0.1", NO), (INSIDE6, NO), (PUBLIC, NO), ("0.0.0.0", NO)))

    def test_29_by_name(self):
        self.check(PUBLIC, ((b"inside.test", OK), (b"here.test", NO)))

    def test_30_in_other_forms(self):
        self.check(PUBLIC, (("::ffff:127.8.8.8", OK), ("::ffff:127.9.8.8", NO)))

    def test_2_in_socks4(self):
        for to, code in (("127.8.0.1", 0x5a), ("127.0.0.1", 0x5b)):
            with client_of(self.server, PUBLIC) as c:
                c.sendall(socks4(to, self.own[0].port))
                self.assertEqual(read_reply4(c)[0], code)

    def test_65_each_datagram(self):
        with Association(self.server, at=PUBLIC, own=PUBLIC) as a:
            a.send((INSIDE, PORT), b"to a private network")
            self.assertEqual(a.receive(), (INSIDE, PORT, b"to a private network"))

    test_51_bind_for_a_peer_that_is_closed = None
    test_the_log_says_what_would_open_it = None


class Rules(unittest.TestCase):
    """Clients on loopback, for whom the guard leaves all open."""

    def serve(self, text, *options, **kwargs):
        self.rules = self.enterContext(Settings(text))
        return self.enterContext(Server("--rules", self.rules.name, *options, **kwargs))

    def ask(self, server, to, port, client="127.0.0.1", cmd=1):
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE,
                                      source_address=(client, 0)) as c:
            rep, *rest = request5(c, to, port, cmd=cmd)
            if rep:
                self.assertEqual(tuple(rest), FAILURE5)
                self.assertEqual(recv_all(c), b"")
            return rep

    def test_2_36_by_port_and_by_line(self):
        with Peer() as a, Peer() as b:
            server = self.serve(f"# ports\nallow port {a.port}\n"
                                f"deny to 127.0.0.0/8 port {b.port}\n")
            self.assertEqual(self.ask(server, "127.0.0.1", a.port), OK)
            self.assertEqual(self.ask(server, "127.0.0.1", b.port), NO)
            server.line(rf"^failed .*:{b.port} stage=request reply=02 "
                        'reason="denied by line 3 of the rules"')
            self.assertEqual(self.ask(server, "127.0.0.2", 1), NO)
            server.line(r'^failed .*target=127.0.0.2:1 .*reason="no rule allows it"')
            with server.connect() as c:
                c.sendall(socks4("127.0.0.1", b.port))
                self.assertEqual(read_reply4(c)[0], 0x5b)
            with server.connect() as c:
                c.sendall(socks4("127.0.0.1", a.port))
                self.assertEqual(read_reply4(c)[0], 0x5a)

    def test_an_empty_file_denies_all(self):
        with Peer() as peer:
            self.assertEqual(self.ask(self.serve(""), "127.0.0.1", peer.port), NO)

    def test_by_the_clients_address(self):
        with Peer() as peer:
            server = self.serve("allow from 127.0.0.2,127.1.0.0/16\n")
            for client, rep in (("127.0.0.1", NO), ("127.0.0.2", OK), ("127.1.2.3", OK)):
                self.assertEqual(self.ask(server, "127.0.0.1", peer.port, client), rep)

    def test_30_mapped_addresses_are_ipv4(self):
        with Peer() as peer:
            server = self.serve("deny to 127.0.0.0/8\nallow\n")
            self.assertEqual(self.ask(server, "::ffff:127.0.0.1", peer.port), NO)

    def test_by_name_and_suffix(self):
        hosts = "127.0.0.1 a.test b.test c.b.test\n"
        with Peer() as peer:
            server = self.serve("deny to .b.test\nallow to A.test,B.TEST.,.b.test\n", hosts=hosts)
            for name, rep in ((b"a.test", OK), (b"A.TEST.", OK), (b"b.test", OK), (b"c.b.test", NO),
                              (b"C.B.Test.", NO), ("127.0.0.1", NO), (b"127.0.0.1", NO)):
                self.assertEqual((name, self.ask(server, name, peer.port)), (name, rep))
            with server.connect() as c:
                c.sendall(socks4a("c.b.test", peer.port))
                self.assertEqual(read_reply4(c)[0], 0x5b)

    def test_a_name_by_what_it_stands_for(self):
        hosts = "127.0.0.1 both.test\n127.0.0.9 nine.test\n127.0.0.9 both.test\n"
        with Peer() as peer, Peer("127.0.0.9") as nine:
            server = self.serve("deny to 127.0.0.9\nallow\n", "-v", hosts=hosts)
            self.assertEqual(self.ask(server, b"nine.test", nine.port), NO)
            server.line(r"^attempt address=127.0.0.9:\d+ reason=.denied by line 1")
            server.line(r"^failed .*target=nine.test:.* stage=connect reply=02 reason=.denied by")
            self.assertEqual(self.ask(server, b"both.test", peer.port), OK)

    def test_what_is_denied_is_never_asked_of_dns(self):
        zone = {(name, "A"): ["127.0.0.1"] for name in ("x.ads.test", "a.test", "b.test")}
        with Dns(zone) as dns, Peer() as peer:
            server = self.serve("deny to .ads.test\nallow to a.test\nallow to b.test port 9\n"
                                "deny to 10.0.0.0/8\nallow do resolve to .test\n", *dns.options)
            self.assertEqual(self.ask(server, b"x.ads.test", peer.port), NO)
            self.assertEqual(self.ask(server, b"b.test", peer.port), NO)
            self.assertEqual(self.ask(server, b"x.ads.test", 0, cmd=0xf0), NO)
            self.assertEqual(dns.asked, [])
            self.assertEqual(self.ask(server, b"a.test", peer.port), OK)
            self.assertEqual(self.ask(server, b"b.test", 0, cmd=0xf0), OK)
            self.assertEqual({name for name, _ in dns.asked}, {"a.test", "b.test"})

    def test_by_user(self):
        lines = hash_line("alice", b"a") + hash_line("b,b", b"b")
        with Settings(lines) as users, Peer() as a, Peer() as b:
            server = self.serve(f"allow user alice port {a.port}\nallow user b\\x2cb\n",
                                "--users", users.name)
            for user, password, to, rep in (("alice", "a", a, OK), ("alice", "a", b, NO),
                                            ("b,b", "b", b, OK)):
                with server.connect() as c:
                    c.sendall(b"\x05\x01\x02" + userpass(user, password)
                              + socks5("127.0.0.1", to.port))
                    self.assertEqual(recv_exact(c, 4), b"\x05\x02\x01\x00")
                    self.assertEqual(read_reply5(c)[0], rep)

    def test_51_by_command(self):
        server = self.serve("allow do bind from 127.0.0.2\nallow do udp from 127.0.0.3\n")
        for client, cmd, rep in (("127.0.0.1", 2, NO), ("127.0.0.2", 2, OK), ("127.0.0.1", 3, NO),
                                 ("127.0.0.3", 3, OK), ("127.0.0.2", 3, NO), ("127.0.0.3", 1, NO)):
            to = ("0.0.0.0", 0) if cmd == 3 else ("127.0.0.1", 9)
            self.assertEqual(self.ask(server, *to, client, cmd), rep)

    def test_48_51_each_peer_of_a_bind(self):
        server = self.serve("allow do bind to 127.0.0.2\n")
        with server.connect() as c:
            rep, address, port = request5(c, "0.0.0.0", 0, cmd=2)
            self.assertEqual(rep, OK)
            with contextlib.suppress(ConnectionResetError):
                with socket.create_connection((address, port), PATIENCE) as p:
                    self.assertEqual(recv_all(p), b"")
            with socket.create_connection((address, port), PATIENCE,
                                          source_address=("127.0.0.2", 0)):
                self.assertEqual(read_reply5(c)[:2], (OK, "127.0.0.2"))

    def test_65_each_datagram(self):
        with Target() as a, Target() as b:
            server = self.serve(f"allow do udp port {a.port}\n")
            with Association(server) as assoc:
                assoc.send(b, b"denied")
                assoc.send(a, b"allowed")
                self.assertEqual(a.get(), b"allowed")
                b.sock.settimeout(0.01)
                self.assertRaises(TimeoutError, b.get)
                # Those that are on their way, too, from now on.
                self.rules.write(f"allow do udp port {b.port}\n")
                reload(server)
                b.sock.settimeout(PATIENCE)
                assoc.send(a, b"denied now")
                assoc.send(b, b"allowed now")
                self.assertEqual(b.get(), b"allowed now")
                a.sock.settimeout(0.01)
                self.assertRaises(TimeoutError, a.get)

    def test_88_sighup_swaps_rules_and_touches_no_tunnel(self):
        with Peer() as a, Peer() as b:
            server = self.serve(f"allow port {a.port}\n")
            with server.connect() as c:
                self.assertEqual(request5(c, "127.0.0.1", a.port)[0], OK)
                with a.accept() as end:
                    self.rules.write(f"allow port {b.port}\n")
                    reload(server)
                    self.assertEqual(self.ask(server, "127.0.0.1", a.port), NO)
                    self.assertEqual(self.ask(server, "127.0.0.1", b.port), OK)
                    for one, other in ((c, end), (end, c)):
                        one.sendall(b"alive")
                        self.assertEqual(recv_exact(other, 5), b"alive")

    def test_88_a_broken_file_keeps_the_old_rules(self):
        with Peer() as peer:
            server = self.serve(f"allow port {peer.port}\n")
            for n, (text, line, reason) in enumerate((
                    ("\nallow\npermit\n", " line=3", "allow or deny"),
                    ("allow to a:1\nallow port x\n", " line=2", "no such port"))):
                self.rules.write(text)
                reload(server, n + 1)
                server.line(f"^warning what=\"the rules can't be used, the old rules stay\" "
                            f"file={self.rules.name}{line} reason=.*{reason}")
                self.assertEqual(self.ask(server, "127.0.0.1", peer.port), OK)
                self.assertEqual(self.ask(server, "127.0.0.1", 9), NO)
            server.line("^warning .* line=1 reason=.*its own word")
            os.rename(self.rules.name, self.rules.name + ".gone")
            try:
                reload(server, 3)
            finally:
                os.rename(self.rules.name + ".gone", self.rules.name)
            server.line("^warning .*rules.* reason=\"No such file")
            self.assertEqual(self.ask(server, "127.0.0.1", peer.port), OK)

    def test_88_when_the_line_is_out_no_thread_has_the_old_rules(self):
        for threads in "1", "3":
            with (Settings("allow\n") as rules, EndingPeer() as peer, subprocess.Popen(
                    [SOCKSIFYD, "--listen", "127.0.0.1:0", "--rules", rules.name, "--threads",
                     threads, "--quiet"], stderr=subprocess.PIPE, text=True) as server):
                try:
                    port = int(self.wait_for(server, r"^listening .*port=(\d+)").group(1))
                    self.check_each_reload(server, port, rules, peer)
                finally:
                    server.kill()

    @staticmethod
    def wait_for(server, pattern):
        """At once: a thread that reads would be so late that nothing could be seen."""
        for line in server.stderr:
            if found := re.match(pattern, line):
                return found
        raise AssertionError(f"no line {pattern}")

    def check_each_reload(self, server, port, rules, peer):
        over = threading.Event()
        busy = [threading.Thread(target=self.keep_busy, args=(port, peer, over)) for _ in range(3)]
        for one in busy:
            one.start()
        try:
            for n in range(60):
                rules.write("allow\n" if n % 2 else "deny\n")
                server.send_signal(signal.SIGHUP)
                self.wait_for(server, "^reloaded")
                got = [self.ask_at(port, peer) for _ in range(3)]
                self.assertEqual(got, [OK if n % 2 else NO] * 3, n)
        finally:
            over.set()
            for one in busy:
                one.join()

    def keep_busy(self, port, peer, over):
        while not over.is_set():
            self.ask_at(port, peer)

    @staticmethod
    def ask_at(port, peer):
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as c:
            c.sendall(b"\x05\x01\0" + socks5("127.0.0.1", peer.port))
            recv_exact(c, 2)
            rep = read_reply5(c)[0]
            recv_all(c)
            return rep

    def test_many_reloads_leave_nothing_behind(self):
        server = self.serve("allow port 1\n" * 5000)
        fds = []
        for n in range(1, 41):
            reload(server, n)
            self.assertEqual(self.ask(server, "127.0.0.1", 9), NO)
            server.line("^failed", n - 1)
            fds.append(server.fds())
            if n == 20:
                before = server.rss_kib()
        self.assertLessEqual(max(fds[1:]), fds[0] + 1)
        if not is_sanitized():
            self.assertLess(server.rss_kib(), before + 1024)


class Start(unittest.TestCase):
    def run_it(self, *args, **kwargs):
        return subprocess.run([SOCKSIFYD, *args], capture_output=True, text=True, timeout=PATIENCE,
                              check=False, **kwargs)

    def test_a_broken_file_is_no_start(self):
        with Settings("allow\nallow form 10.0.0.0/8\ndeny to a.test:80, b.test\n"
                       "allow port 80-70\n") as rules:
            for options in (), ("--test-config",):
                done = self.run_it("--listen", "127.0.0.1:0", "--rules", rules.name, *options)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                where = f'socksifyd: --rules "{rules.name}": '
                self.assertEqual(done.stderr.splitlines(), [
                    where + 'line 2, column 7: "form": there is no such word; expected from, user, '
                            'do, to or port, each at most once',
                    where + 'line 3, column 9: "a.test:80": a port has its own word; expected "to" '
                            'without it, and "port"',
                    where + 'line 4, column 12: "80-70": the range is upside down; expected the '
                            'lower port first'])

    def test_a_file_that_is_none(self):
        with tempfile.TemporaryDirectory() as folder:
            for path in folder, "/dev/zero", folder + "/gone":
                for options, status in ((), 1), (("--test-config",), 2):
                    done = self.run_it("--listen", "127.0.0.1:0", "--rules", path, *options)
                    self.assertEqual(done.returncode, status)
                    self.assertIn(f'--rules "{path}": ', done.stderr)

    def test_config_that_is_good(self):
        with Settings(hash_line("a", b"b")) as users, Settings("allow\n") as rules, \
                Settings("127.0.0.1 a.test\n") as hosts, Peer() as taken:
            os.chmod(users.name, 0o600)
            files = ("--users", users.name, "--rules", rules.name, "--hosts", hosts.name)
            for options in ((), (*files, "--listen", f"127.0.0.1:{taken.port}",
                                 "--listen", "0.0.0.0:80")):
                done = self.run_it("--test-config", *options)
                self.assertEqual((done.returncode, done.stdout, done.stderr),
                                 (0, "socksifyd: the configuration is good\n", ""))

    def test_config_tells_all_that_is_wrong(self):
        with Settings("a:b\n# c\nd\n") as users, Settings("permit\n") as rules:
            done = self.run_it("--test-config", "--listen", "here", "--allow", "10.0.0.0/33",
                               "--rules", rules.name, "--users", users.name,
                               "--hosts", "/gone/hosts")
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            for words in ('--listen "here"', '--allow "10.0.0.0/33"',
                          f'--rules "{rules.name}": line 1, column 1: "permit"',
                          f'--users "{users.name}": line 1: ', f'--users "{users.name}": line 3: ',
                          '--hosts "/gone/hosts": No such file'):
                self.assertIn(words, done.stderr)

    def test_config_tells_an_open_server(self):
        done = self.run_it("--test-config", "--listen", "0.0.0.0:1080")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("--allow", done.stderr)

    def test_config_tells_what_a_start_would_warn_of(self):
        with Settings(hash_line("a", b"b")) as users, Settings("10.0.0.1\n") as hosts:
            os.chmod(users.name, 0o644)
            done = self.run_it("--test-config", "--users", users.name, "--hosts", hosts.name)
            self.assertEqual(done.returncode, 0)
            self.assertRegex(done.stderr, "warning .*every user")
            self.assertRegex(done.stderr, "warning .*line=1")

    def test_config_as_an_ordinary_user(self):
        with Settings("allow\n") as rules:
            os.chmod(rules.name, 0o644)
            try:
                done = self.run_it("--test-config", "--rules", rules.name, "--user", "another",
                                   user=65534, group=65534, extra_groups=[])
            except PermissionError as e:
                self.skipTest(f"can't become an ordinary user: {e}")
            self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
