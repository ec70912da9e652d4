"""PROTOCOL items 36 and 37: what a failure is called, addresses that race, names."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

from wire import (FAILURE5, GREETING, Case, Dns, Peer, Server, black_hole, closed_port, greet, ip,
                  needs_netns, read_reply4, read_reply5, recv_exact, request5, reset, socks4,
                  socks5, until)


class Codes(Case):
    """One row each of the table of REPs."""

    options = ("--connect-timeout", "1")

    def rep(self, address, port):
        with self.server.connect() as c:
            rep, *bnd = request5(c, address, port)
            self.assertEqual(tuple(bnd), FAILURE5)
            self.assert_eof(c)
        with self.server.connect() as c:
            if isinstance(address, str) and ":" not in address:
                c.sendall(socks4(address, port))
                self.assertEqual(read_reply4(c)[0], 0x5b)
                self.assert_eof(c)
        return rep

    def route(self, *route):
        ip("route", "add", *route)
        self.addCleanup(ip, "route", "del", *route)

    def test_36_rep_00_only_once_connected(self):
        with black_hole() as hole, self.server.connect() as c:
            greet(c)
            c.sendall(socks5("127.0.0.1", hole.port))
            c.settimeout(0.3)
            self.assertRaises(socket.timeout, c.recv, 1)

    @needs_netns
    def test_36_rep_01_eaddrnotavail(self):
        # With one port to dial from, a second connection to the same place has none.
        name = "/proc/sys/net/ipv4/ip_local_port_range"
        with open(name, encoding="ascii") as f:
            before = f.read()

        def set_range(text):
            with open(name, "w", encoding="ascii") as f:
                f.write(text)

        with Peer(port=20000) as peer, contextlib.ExitStack() as stack:
            stack.callback(set_range, before)
            try:
                set_range("50001 50001")
            except OSError as e:
                self.skipTest(f"the port range can't be set: {e}")
            stack.enter_context(socket.create_connection(("127.0.0.1", peer.port), 5))
            with self.server.connect(source_address=("127.0.0.1", 20001)) as c:
                self.assertEqual(request5(c, "127.0.0.1", peer.port)[0], 1)

    @needs_netns
    def test_36_rep_02_prohibited(self):
        self.route("prohibit", "10.66.2.0/24")
        self.assertEqual(self.rep("10.66.2.1", 80), 2)

    def test_36_rep_02_unspecified(self):
        self.assertEqual(self.rep("0.0.0.0", 80), 2)
        self.assertEqual(self.rep("::", 80), 2)

    @needs_netns
    def test_36_rep_03_network_unreachable(self):
        self.route("throw", "10.66.3.0/24")
        self.assertEqual(self.rep("10.66.3.1", 80), 3)
        self.assertEqual(self.rep("192.0.2.1", 80), 3)
        self.assertEqual(self.rep("2001:db8::1", 80), 3)

    @needs_netns
    def test_36_rep_04_host_unreachable(self):
        self.route("unreachable", "10.66.4.0/24")
        self.assertEqual(self.rep("10.66.4.1", 80), 4)

    def test_36_rep_05_refused(self):
        self.assertEqual(self.rep("127.0.0.1", closed_port()), 5)
        self.assertEqual(self.rep("::1", closed_port("::1")), 5)

    def test_36_rep_06_timed_out(self):
        with black_hole() as hole:
            self.assertEqual(self.rep("127.0.0.1", hole.port), 6)
        self.server.line("^failed .* stage=connect reply=06 ")

    @needs_netns
    def test_36_failure_in_ipv6_too(self):
        for kind, rep in (("prohibit", 2), ("throw", 3), ("unreachable", 4)):
            ip("-6", "route", "add", kind, "fd66::/64")
            self.addCleanup(ip, "-6", "route", "del", kind, "fd66::/64")
            self.assertEqual(self.rep("fd66::1", 80), rep, kind)
            self.doCleanups()


class Racing(unittest.TestCase):
    """Names with several addresses, from --hosts."""

    def serve(self, hosts, *options):
        server = Server("-v", *options, hosts=hosts)
        self.addCleanup(server.stop)
        return server

    def test_37_next_address_when_one_does_not_answer(self):
        # Before the connect time-out, which ends what is tried one after the other.
        hosts = "127.0.0.2 slow.test\n127.0.0.3 slow.test\n127.0.0.1 slow.test\n"
        server = self.serve(hosts, "--connect-timeout", "5")
        with (Peer() as peer, black_hole("127.0.0.2", peer.port),
              black_hole("127.0.0.3", peer.port), server.connect() as c):
            self.assertEqual(request5(c, b"slow.test", peer.port)[0], 0)
            peer.accept().close()

    def test_37_ten_silent_addresses_hide_no_good_one(self):
        silent = [f"127.0.2.{n}" for n in range(1, 11)]
        hosts = "".join(f"{address} m.test\n" for address in silent) + "127.0.0.1 m.test\n"
        server = self.serve(hosts, "--connect-timeout", "9")
        with Peer() as peer, contextlib.ExitStack() as stack, server.connect() as c:
            for address in silent:
                stack.enter_context(black_hole(address, peer.port))
            self.assertEqual(request5(c, b"m.test", peer.port)[0], 0)
            peer.accept().close()
            server.line("^attempt address=127.0.2.1:.*timed out")

    def test_method_is_told_before_the_dial_has_ended(self):
        server = self.serve("")
        with black_hole() as hole, server.connect() as c:
            c.sendall(GREETING + socks5("127.0.0.1", hole.port))
            self.assertEqual(recv_exact(c, 2), b"\x05\x00")
            # The dial is under way still.
            c.settimeout(0.1)
            self.assertRaises(socket.timeout, c.recv, 1)

    @needs_netns
    def test_no_dial_is_connected_to_itself(self):
        name = "/proc/sys/net/ipv4/ip_local_port_range"
        with open(name, encoding="ascii") as f:
            before = f.read()

        def set_range(text):
            with open(name, "w", encoding="ascii") as f:
                f.write(text)

        server = self.serve("")
        self.addCleanup(set_range, before)
        try:
            set_range("50001 50001")
        except OSError as e:
            self.skipTest(f"the port range can't be set: {e}")
        with server.connect(source_address=("127.0.0.1", 20002)) as c:
            self.assertEqual(request5(c, "127.0.0.1", 50001)[0], 5)

    def test_37_families_take_turns(self):
        hosts = "127.0.0.1 both.test\n127.0.0.2 both.test\n::1 both.test\n"
        server = self.serve(hosts)
        port = closed_port()
        with server.connect() as c:
            self.assertEqual(request5(c, b"both.test", port)[0], 5)
        order = [server.line("^attempt address=(\\S+)", n).group(1) for n in range(3)]
        self.assertEqual(order, [f"[::1]:{port}", f"127.0.0.1:{port}", f"127.0.0.2:{port}"])

    def test_37_loser_of_the_race_is_closed(self):
        server = self.serve("127.0.0.2 slow.test\n127.0.0.1 slow.test\n")
        before = server.fds()
        with Peer() as peer, black_hole("127.0.0.2", peer.port):
            with server.connect() as c:
                self.assertEqual(request5(c, b"slow.test", peer.port)[0], 0)
                self.assertEqual(server.fds(), before + 2)
                peer.accept().close()

    @needs_netns
    def test_37_rep_is_the_most_telling_failure(self):
        ip("route", "add", "unreachable", "10.67.4.0/24")
        self.addCleanup(ip, "route", "del", "unreachable", "10.67.4.0/24")
        port = closed_port()
        server = self.serve("10.67.4.1 a.test\n127.0.0.1 a.test\n"
                            "127.0.0.1 b.test\n10.67.4.1 b.test\n"
                            "192.0.2.1 c.test\n10.67.4.1 c.test\n2001:db8::1 c.test\n")
        for name, rep in ((b"a.test", 5), (b"b.test", 5), (b"c.test", 4)):
            with server.connect() as c:
                self.assertEqual(request5(c, name, port)[0], rep, name)

    def test_37_refusal_tells_more_than_silence(self):
        port = closed_port()
        server = self.serve("127.0.0.1 d.test\n127.0.0.2 d.test\n", "--connect-timeout", "1")
        with black_hole("127.0.0.2", port), server.connect() as c:
            self.assertEqual(request5(c, b"d.test", port)[0], 5)

    def test_37_many_addresses(self):
        hosts = "".join(f"127.0.1.{n} many.test\n" for n in range(1, 31)) + "127.0.0.1 many.test\n"
        server = self.serve(hosts)
        with Peer() as peer, server.connect() as c:
            self.assertEqual(request5(c, b"many.test", peer.port)[0], 0)
            peer.accept().close()


class Names(unittest.TestCase):
    """DNS, and the hosts file before it."""

    def serve(self, dns, *options, hosts=None):
        server = Server(*dns.options, *options, hosts=hosts)
        self.addCleanup(server.stop)
        return server

    def ask(self, server, name, port):
        with server.connect() as c:
            return request5(c, name, port)[0]

    def test_28_names_by_dns_in_both_families(self):
        zone = {("v4.test", "A"): ["127.0.0.1"], ("v6.test", "AAAA"): ["::1"],
                ("both.test", "A"): ["127.0.0.1"], ("both.test", "AAAA"): ["::1"]}
        with Dns(zone) as dns:
            server = self.serve(dns)
            for name, listen in ((b"v4.test", "127.0.0.1"), (b"v6.test", "::1"),
                                 (b"both.test", "127.0.0.1"), (b"both.test", "::1"),
                                 (b"v4.test.", "127.0.0.1")):
                with Peer(listen) as peer:
                    self.assertEqual(self.ask(server, name, peer.port), 0, name)

    def test_36_rep_04_name_not_found(self):
        with Dns({("empty.test", "TXT"): []}) as dns:
            server = self.serve(dns)
            self.assertEqual(self.ask(server, b"no.test", 80), 4)
            self.assertEqual(self.ask(server, b"empty.test", 80), 4)
            server.line("^failed .*target=no.test:80 stage=resolve reply=04 ")

    def test_36_rep_06_name_not_answered_in_time(self):
        with Dns(silent=[("mute.test", "A"), ("mute.test", "AAAA")]) as dns:
            server = self.serve(dns, "--connect-timeout", "0.5")
            self.assertEqual(self.ask(server, b"mute.test", 80), 6)
            server.line("^failed .*stage=resolve reply=06 ")

    def test_37_one_family_does_not_wait_for_the_other(self):
        for mute, listen in (("A", "::1"), ("AAAA", "127.0.0.1")):
            zone = {("half.test", "A"): ["127.0.0.1"], ("half.test", "AAAA"): ["::1"]}
            with Dns(zone, silent=[("half.test", mute)]) as dns, Peer(listen) as peer:
                self.assertEqual(self.ask(self.serve(dns), b"half.test", peer.port), 0)

    def test_37_addresses_are_tried_before_the_other_family_is_known(self):
        # Before the connect time-out, while the other family never answers.
        zone = {("half.test", "A"): ["127.0.0.1"]}
        with Dns(zone, silent=[("half.test", "AAAA")]) as dns, Peer() as peer:
            server = self.serve(dns, "--connect-timeout", "5")
            self.assertEqual(self.ask(server, b"half.test", peer.port), 0)

    def test_37_a_certain_failure_does_not_wait_for_a_silent_family(self):
        zone = {("half.test", "A"): ["127.0.0.1"]}
        silent = [("half.test", "AAAA"), ("none.test", "AAAA")]
        with Dns(zone, silent) as dns:
            # Before the connect time-out, which would be told as 06.
            server = self.serve(dns, "--connect-timeout", "8")
            self.assertEqual(self.ask(server, b"half.test", closed_port()), 5)
            server.line("^failed .*stage=connect reply=05")
            self.assertEqual(self.ask(server, b"none.test", 80), 4)
            server.line("^failed .*stage=resolve reply=04")

    def test_37_late_answer_still_counts(self):
        zone = {("late.test", "A"): ["127.0.0.1"], ("late.test", "AAAA"): ["::1"]}
        with Dns(zone, silent=[("late.test", "A")]) as dns, Peer() as peer:
            server = self.serve(dns, "-v")
            with server.connect() as c:
                greet(c)
                c.sendall(socks5(b"late.test", peer.port))
                server.line(r"^attempt address=\[::1\]")
                dns.release()
                self.assertEqual(read_reply5(c)[0], 0)

    def test_slow_name_holds_up_nobody(self):
        zone = {("slow.test", "A"): ["127.0.0.1"], ("quick.test", "A"): ["127.0.0.1"]}
        with Dns(zone, silent=[("slow.test", "A"), ("slow.test", "AAAA")]) as dns, Peer() as peer:
            server = self.serve(dns)
            with server.connect() as slow:
                greet(slow)
                slow.sendall(socks5(b"slow.test", peer.port))
                for _ in range(20):
                    self.assertEqual(self.ask(server, b"quick.test", peer.port), 0)
                dns.release()
                self.assertEqual(read_reply5(slow)[0], 0)

    def test_client_that_resets_while_its_name_is_sought(self):
        with Dns(silent=[("mute.test", "A"), ("mute.test", "AAAA")]) as dns:
            server = self.serve(dns)
            c = server.connect()
            greet(c)
            c.sendall(socks5(b"mute.test", 80))
            until(lambda: dns.asked, "the name is sought")
            reset(c)
            server.line("^failed .*stage=resolve reason=")

    def test_half_close_while_its_name_is_sought(self):
        zone = {("slow.test", "A"): ["127.0.0.1"]}
        with Dns(zone, silent=[("slow.test", "A")]) as dns, Peer() as peer:
            server = self.serve(dns)
            with server.connect() as c:
                greet(c)
                c.sendall(socks5(b"slow.test", peer.port) + b"all")
                c.shutdown(socket.SHUT_WR)
                dns.release()
                with peer.accept() as p:
                    self.assertEqual(recv_exact(p, 3), b"all")
                    self.assertEqual(p.recv(1), b"")
                    p.sendall(b"answer")
                self.assertEqual(read_reply5(c)[0], 0)
                self.assertEqual(recv_exact(c, 6), b"answer")

    def test_hosts_and_localhost_never_reach_dns(self):
        with Dns() as dns, Peer() as peer:
            server = self.serve(dns, hosts="127.0.0.1 Here.test alias\n")
            for name in (b"here.test", b"ALIAS", b"localhost", b"x.localhost", b"LOCALHOST."):
                self.assertEqual(self.ask(server, name, peer.port), 0, name)
            self.assertEqual(dns.asked, [])

    def test_hosts_file_is_read_again_when_it_changed(self):
        with Dns() as dns, Peer() as peer:
            server = self.serve(dns, hosts="127.0.0.1 old.test\n")
            self.assertEqual(self.ask(server, b"old.test", peer.port), 0)
            server.write_hosts("127.0.0.1 a-new-one.test\n")
            self.assertEqual(self.ask(server, b"a-new-one.test", peer.port), 0)
            self.assertEqual(self.ask(server, b"old.test", peer.port), 4)

    def test_hosts_file_of_the_same_size_is_read_again(self):
        with Dns() as dns, Peer() as peer:
            server = self.serve(dns, hosts="127.0.0.1 a.test\n")
            for n in range(1, 6):
                server.write_hosts(("127.0.0.9" if n % 2 else "127.0.0.1") + " a.test\n")
                # Some file systems' clocks are coarse.
                os.utime(server.hosts.name, ns=(n, n))
                self.assertEqual(self.ask(server, b"a.test", peer.port), 5 if n % 2 else 0)

    def test_hosts_file_that_becomes_a_fifo_stops_nobody(self):
        with Peer() as peer:
            server = Server(hosts="127.0.0.1 a.test\n")
            self.addCleanup(server.stop)
            os.unlink(server.hosts.name)
            os.mkfifo(server.hosts.name)
            self.assertEqual(self.ask(server, b"a.test", peer.port), 0)
            server.line("^warning .*not a regular file")
            server.signal(signal.SIGHUP)
            server.line("^reloaded")
            self.assertEqual(self.ask(server, b"a.test", peer.port), 0)

    def test_names_are_asked_as_they_are(self):
        # Neither the search list nor aliases of this machine are a client's.
        with Dns() as dns, tempfile.NamedTemporaryFile("w") as aliases:
            aliases.write("short alias.test\n")
            aliases.flush()
            server = Server(*dns.options, env={"LOCALDOMAIN": "search.test",
                                               "HOSTALIASES": aliases.name})
            self.addCleanup(server.stop)
            self.assertEqual(self.ask(server, b"short", 80), 4)
            self.assertEqual({name for name, _ in dns.asked}, {"short"})

    def test_many_unanswered_names_hold_up_nobody(self):
        names = [f"n{n}.test" for n in range(1100)]
        silent = [(name, kind) for name in names for kind in ("A", "AAAA")]
        with Dns(silent=silent) as dns, Peer() as peer:
            server = self.serve(dns)
            for name in names:
                c = server.connect()
                c.sendall(GREETING + socks5(name.encode(), 80))
                recv_exact(c, 2)
                reset(c)
            # Those that have gone are limited too.
            server.line("^failed .*stage=resolve reply=01 reason=.too many names")
            before = server.cpu_seconds()
            for _ in range(50):
                self.assertEqual(self.ask(server, "127.0.0.1", peer.port), 0)
            self.assertLess(server.cpu_seconds() - before, 1)

    @needs_netns
    def test_resolv_conf_that_changed_is_read_again(self):
        zone = {("a.test", "A"): ["127.0.0.1"]}
        with (Dns(zone, silent=[("late.test", "A")], at=("127.0.0.21", 53)) as old,
              Dns(zone, at=("127.0.0.22", 53)) as new, Dns(zone, at=("127.0.0.23", 53)) as newest,
              tempfile.NamedTemporaryFile("w") as conf, Peer(backlog=1000) as peer):
            old.zone["late.test", "A"] = ["127.0.0.1"]
            os.chmod(conf.name, 0o644)
            self.point(conf, old)
            server = self.serve_in_a_mount_namespace(conf)
            self.assertEqual(self.ask(server, b"a.test", peer.port), 0)
            with server.connect() as late:
                greet(late)
                late.sendall(socks5(b"late.test", peer.port))
                until(lambda: old.held, "the question is out")
                self.point(conf, new)
                until(lambda: self.ask(server, b"a.test", peer.port) == 0 and new.asked,
                      "the new server is asked")
                self.point(conf, newest)
                server.signal(signal.SIGHUP)
                server.line("^reloaded")
                self.assertEqual(self.ask(server, b"a.test", peer.port), 0)
                self.assertTrue(newest.asked)
                # What is under way with the old one is not lost.
                old.release()
                self.assertEqual(read_reply5(late)[0], 0)

    @staticmethod
    def point(conf, dns):
        conf.seek(0)
        conf.truncate()
        conf.write(f"nameserver {dns.address}\n")
        conf.flush()

    def serve_in_a_mount_namespace(self, conf):
        over = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
        wrapper = ["unshare", "-m", "sh", "-c", over, "sh", conf.name]
        try:
            probe = subprocess.run([*wrapper, "true"], capture_output=True, check=False)
        except OSError as e:
            self.skipTest(str(e))
        if probe.returncode:
            self.skipTest(f"no mount namespace: {probe.stderr}")
        server = Server(wrapper=wrapper)
        self.addCleanup(server.stop)
        return server

    def test_100_names_at_once(self):
        zone = {(f"n{n}.test", "A"): ["127.0.0.1"] for n in range(100)}
        with Dns(zone) as dns, Peer(backlog=200) as peer:
            server = self.serve(dns)
            reps = []

            def one(n):
                reps.append(self.ask(server, b"n%d.test" % n, peer.port))

            threads = [threading.Thread(target=one, args=(n,)) for n in range(100)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            self.assertEqual(reps, [0] * 100)


if __name__ == "__main__":
    unittest.main()
