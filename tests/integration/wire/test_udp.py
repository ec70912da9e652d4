"""PROTOCOL items 53 to 67: UDP ASSOCIATE."""

import contextlib
import os
import resource
import socket
import struct
import unittest

from elsewhere import PORT, Elsewhere
from wire import (FAILURE5, PATIENCE, Case, Dns, Server, atyp, greet, ip, needs_netns,
                  read_reply5, request5, reset, socks5, until)

LONGEST = 65507 - 10  # octets of data, so that the header fits with it into a datagram by IPv4
MARK = b"the mark"


def header(address, port, frag=0, rsv=0):
    return struct.pack("!HB", rsv, frag) + atyp(address) + struct.pack("!H", port)


def parse(datagram):
    """(address or name, port, data)"""
    rsv, frag, kind = struct.unpack("!HBB", datagram[:4])
    if (rsv, frag) != (0, 0) or kind not in (1, 4):
        raise AssertionError(f"a datagram {datagram[:4].hex()}")
    n = 4 if kind == 1 else 16
    address = socket.inet_ntop(socket.AF_INET if n == 4 else socket.AF_INET6, datagram[4:4 + n])
    return address, struct.unpack("!H", datagram[4 + n:6 + n])[0], datagram[6 + n:]


def datagram_socket(address="127.0.0.1", port=0):
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(PATIENCE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind((address, port))
    return sock


def waiting(port):
    """Octets, and what they are kept in, that came to an IPv4 port and that nobody has read."""
    with open("/proc/net/udp", encoding="ascii") as f:
        rows = [line.split() for line in list(f)[1:]]
    return sum(int(row[4].split(":")[1], 16) for row in rows
               if int(row[1].split(":")[1], 16) == port)


class Target:
    """A UDP socket at the far end."""

    def __init__(self, address="127.0.0.1"):
        self.sock = datagram_socket(address)
        self.address, self.port = self.sock.getsockname()[:2]

    def get(self):
        """The next datagram; ->last_from is whom to answer."""
        data, self.last_from = self.sock.recvfrom(1 << 16)
        return data

    def answer(self, data):
        self.sock.sendto(data, self.last_from)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()


class Association:
    """A control connection, and the client's socket."""

    def __init__(self, server, dst=("0.0.0.0", 0), at="127.0.0.1", own="127.0.0.1", port=0):
        self.control = socket.create_connection((at, server.ports[":" in at]), PATIENCE,
                                                source_address=(own, 0))
        self.control.settimeout(PATIENCE)
        rep, self.bnd, self.bnd_port = request5(self.control, *dst, cmd=3)
        if rep != 0:
            raise AssertionError(f"reply {rep:02x}")
        self.sock = datagram_socket(own, port)

    def raw(self, datagram):
        self.sock.sendto(datagram, (self.bnd, self.bnd_port))

    def send(self, to, data, **kwargs):
        """To a Target, or (address or name, port)."""
        address, port = (to.address, to.port) if isinstance(to, Target) else to
        self.raw(header(address, port, **kwargs) + data)

    def receive(self):
        data, who = self.sock.recvfrom(1 << 16)
        if who[:2] != (self.bnd, self.bnd_port):
            raise AssertionError(f"a datagram from {who}")
        return parse(data)

    def close(self):
        self.control.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Udp(Case):
    listen = ("127.0.0.1:0", "[::1]:0")

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.options, hosts=cls.hosts, listen=cls.listen)

    def assert_alive(self, a, target):
        """Nothing that was sent before is still to come, and datagrams go both ways."""
        a.send(target, MARK)
        self.assertEqual(target.get(), MARK)
        target.answer(MARK[::-1])
        self.assertEqual(a.receive(), (target.address, target.port, MARK[::-1]))

    def dropped(self, a, server=None):
        """End it; how many datagrams the log says were dropped."""
        client = "%s:%d" % a.control.getsockname()[:2]
        a.close()
        return int((server or self.server).line(
            rf"^close .*client={client} .*dropped_datagrams=(\d+)").group(1))


class Begin(Udp):
    hosts = "127.0.0.1 self\n"

    def test_53_what_the_request_names(self):
        with Target() as target, Target("::1") as target6:
            for dst in (("0.0.0.0", 0), ("::", 0), (b"0.0.0.0", 0), (b"self", 4711),
                        ("192.0.2.1", 53), ("2001:db8::1", 53), (target.address, target.port),
                        ("127.0.0.1", 0), (b"no.such.name", 53)):
                with self.subTest(dst), Association(self.server, dst) as a:
                    self.assert_alive(a, target)
                    self.assert_alive(a, target6)

    def test_53_port_named_beforehand(self):
        with datagram_socket() as sock:
            port = sock.getsockname()[1]
        with Target() as target, datagram_socket() as stranger:
            with Association(self.server, ("127.0.0.1", port), port=port) as a:
                stranger.sendto(header(target.address, target.port) + b"stolen",
                                (a.bnd, a.bnd_port))
                self.assert_alive(a, target)

    def test_53_target_named_on_the_clients_own_machine(self):
        with Target() as target, Target() as other:
            with Association(self.server, (target.address, target.port)) as a:
                self.assert_alive(a, target)
                self.assert_alive(a, other)

    def test_54_bnd_is_where_the_client_came_in(self):
        for at, own in (("127.0.0.1", "127.0.0.1"), ("::1", "::1")):
            with Association(self.server, at=at, own=own) as a:
                self.assertEqual(a.bnd, at)
                self.assertGreater(a.bnd_port, 0)

    @needs_netns
    def test_54_bnd_of_a_listener_on_all_addresses(self):
        with Server("--allow", "127.0.0.0/8", listen=("0.0.0.0:0",)) as server, Target() as target:
            for at in ("127.0.0.1", "127.0.0.9"):
                with Association(server, at=at) as a:
                    self.assertEqual(a.bnd, at)
                    self.assert_alive(a, target)

    def test_54_ports_of_a_range(self):
        with contextlib.ExitStack() as stack:
            taken = stack.enter_context(datagram_socket())
            low = taken.getsockname()[1]
            server = stack.enter_context(Server("--udp-ports", f"{low}-{low}"))
            with server.connect() as c:
                self.assertEqual(request5(c, "0.0.0.0", 0, cmd=3), (1, *FAILURE5))
                self.assert_eof(c)
            server.line("^failed .*command=udp .*reply=01 .*no port of --udp-ports is free")
            taken.close()
            with Association(server) as a:
                self.assertEqual(a.bnd_port, low)

    @needs_netns
    def test_54_public_address(self):
        ip("addr", "add", "10.67.0.1/32", "dev", "lo")
        self.addCleanup(ip, "addr", "del", "10.67.0.1/32", "dev", "lo")
        with Server("--public-address", "192.0.2.7", "--allow", "10.0.0.0/8",
                    listen=("10.67.0.1:0",)) as server:
            with Association(server, at="10.67.0.1", own="10.67.0.1") as a:
                self.assertEqual(a.bnd, "192.0.2.7")
        with Server("--public-address", "192.0.2.7") as server, Association(server) as a:
            self.assertEqual(a.bnd, "127.0.0.1")

    def test_67_datagrams_right_after_the_reply(self):
        with Target() as target:
            for _ in range(50):
                with Association(self.server) as a:
                    a.send(target, b"at once")
                    self.assertEqual(target.get(), b"at once")

    def test_36_no_descriptors_left_is_a_general_failure(self):
        n = 40
        with Server("--max-clients", "1000", preexec=lambda: resource.setrlimit(
                resource.RLIMIT_NOFILE, (n, n))) as server, contextlib.ExitStack() as stack:
            many = []
            while server.fds() < n:
                many.append(stack.enter_context(server.connect()))
                greet(many[-1])
            c = many.pop()
            c.sendall(socks5("0.0.0.0", 0, cmd=3))
            self.assertEqual(read_reply5(c), (1, *FAILURE5))
            self.assert_eof(c)
            c.close()
            many.pop().close()
            until(lambda: server.fds() == n - 2, "two can be opened")
            with Association(server) as a, Target() as target:
                a.send(target, b"no socket to send it by")
                until(lambda: waiting(a.bnd_port) == 0, "it is taken")
                self.assertEqual(self.dropped(a, server), 1)

    def test_command_switched_off(self):
        with Server("--commands", "connect") as server, server.connect() as c:
            self.assertEqual(request5(c, "0.0.0.0", 0, cmd=3), (7, *FAILURE5))

    def test_log(self):
        with Association(self.server) as a, Target() as target:
            client = "%s:%d" % a.control.getsockname()
            self.server.line(rf"^open .*client={client} .*command=udp .*address={a.bnd}:{a.bnd_port} ")
            self.assert_alive(a, target)
            a.send((b"no.such.name.invalid", 9), b"lost")
            a.raw(b"runt")
            self.assert_alive(a, target)
            a.close()
            self.server.line(
                rf"^close .*client={client} .*command=udp .*sent=16 received=16 sent_datagrams=2 "
                r"received_datagrams=2 dropped_datagrams=2 result=done ")


class Source(Udp):
    def test_55_a_stranger_first(self):
        with Target() as target, datagram_socket("127.0.0.2") as stranger:
            with Association(self.server) as a:
                stranger.sendto(header(target.address, target.port) + b"stolen",
                                (a.bnd, a.bnd_port))
                self.assert_alive(a, target)
                stranger.sendto(header(target.address, target.port) + b"stolen",
                                (a.bnd, a.bnd_port))
                self.assert_alive(a, target)

    def test_55_the_first_valid_one_fixes_the_port(self):
        with Target() as target, datagram_socket() as second, Association(self.server) as a:
            second.sendto(b"\0\0\0\7nonsense", (a.bnd, a.bnd_port))
            second.sendto(b"", (a.bnd, a.bnd_port))
            self.assert_alive(a, target)
            second.sendto(header(target.address, target.port) + b"late", (a.bnd, a.bnd_port))
            self.assert_alive(a, target)

    def test_55_ipv6(self):
        with Target() as target, Association(self.server, at="::1", own="::1") as a:
            self.assert_alive(a, target)

    def test_66_isolated(self):
        with Target() as target, Association(self.server) as a, Association(self.server) as b:
            self.assert_alive(a, target)
            to_a = target.last_from
            self.assert_alive(b, target)
            self.assertNotEqual(to_a, target.last_from)
            self.assertNotEqual(a.bnd_port, b.bnd_port)
            # b's client at a's door.
            b.sock.sendto(header(target.address, target.port) + b"wrong door", (a.bnd, a.bnd_port))
            self.assert_alive(a, target)
            self.assert_alive(b, target)
            b.close()
            self.assert_alive(a, target)

    def test_66_its_own_door_is_no_target(self):
        with Target() as target, Association(self.server) as a:
            self.assert_alive(a, target)
            a.send((a.bnd, a.bnd_port), header(target.address, target.port) + b"around")
            self.assert_alive(a, target)


class Fragments(Udp):
    def test_56_reassembled(self):
        with Target() as target, Association(self.server) as a:
            a.send(target, b"one ", frag=1)
            a.send(target, b"two ", frag=2)
            a.send(target, b"", frag=3)
            a.send(target, b"four", frag=0x84)
            self.assertEqual(target.get(), b"one two four")
            a.send(target, b"alone", frag=0x81)
            self.assertEqual(target.get(), b"alone")
            for n in range(1, 127):
                a.send(target, bytes([n]), frag=n)
            a.send(target, b"\x7f", frag=0xff)
            self.assertEqual(target.get(), bytes(range(1, 128)))
            self.assertEqual(self.dropped(a), 0)

    def test_56_a_whole_one_drops_the_queue(self):
        with Target() as target, Association(self.server) as a:
            a.send(target, b"one ", frag=1)
            self.assert_alive(a, target)
            a.send(target, b"two", frag=0x82)
            self.assert_alive(a, target)
            self.assertEqual(self.dropped(a), 2)

    def test_56_to_a_name(self):
        with Server(hosts="127.0.0.1 far\n") as server, Target() as target:
            with Association(server) as a:
                a.send((b"far", target.port), b"one ", frag=1)
                a.send((b"far", target.port), b"two", frag=0x82)
                self.assertEqual(target.get(), b"one two")

    def test_56_not_above_the_highest_drops_the_queue(self):
        with Target() as target, Association(self.server) as a:
            for frags in ((1, 2, 2, 0x83), (1, 2, 1, 0x83), (1, 3, 0x82), (2, 0x83), (1, 0x83),
                          (0x80,), (1, 0x80), (0x82,)):
                with self.subTest(frags):
                    for frag in frags:
                        a.send(target, b"lost", frag=frag)
                    self.assert_alive(a, target)

    def test_56_the_next_sequence_is_whole_again(self):
        with Target() as target, Association(self.server) as a:
            for frag in (1, 2, 1, 0x82):
                a.send(target, bytes([frag]), frag=frag)
            self.assertEqual(target.get(), b"\x01\x82")

    def test_56_of_two_targets(self):
        with Target() as target, Target() as other, Association(self.server) as a:
            a.send(target, b"one", frag=1)
            a.send(other, b"two", frag=0x82)
            self.assert_alive(a, target)
            self.assert_alive(a, other)

    def test_56_too_long(self):
        with Target() as target, Association(self.server) as a:
            for n in range(1, 3):
                a.send(target, bytes(LONGEST), frag=n)
            a.send(target, b"end", frag=0x83)
            self.assert_alive(a, target)
            # No more than a datagram can be.
            a.send(target, bytes(65000), frag=1)
            a.send(target, bytes(507), frag=0x82)
            self.assertEqual(len(target.get()), 65507)

    def test_56_five_seconds(self):
        with Target() as target, Association(self.server) as a:
            a.send(target, b"one ", frag=1)
            self.assert_alive(a, target)
            # The log's "dropped" is the only sign of the time that can be waited for.
            with Association(self.server) as b, contextlib.suppress(socket.timeout):
                b.sock.settimeout(5.5)
                b.receive()
            a.send(target, b"two", frag=0x82)
            self.assert_alive(a, target)
            self.assertEqual(self.dropped(a), 2)

    def test_56_switched_off(self):
        with Server("--udp-fragments", "drop") as server, Target() as target:
            with Association(server) as a:
                a.send(target, b"one", frag=1)
                a.send(target, b"two", frag=0x82)
                a.send(target, b"alone", frag=0x81)
                self.assert_alive(a, target)


class Oddities(Udp):
    def test_57_rsv(self):
        with Target() as target, Association(self.server) as a:
            a.send(target, b"first", rsv=0xffff)
            self.assertEqual(target.get(), b"first")
            a.send(target, b"second", rsv=1)
            self.assertEqual(target.get(), b"second")

    def test_58_malformed(self):
        whole = header(b"name", 9)
        with Target() as target, Association(self.server) as a:
            rows = [b"", *[whole[:n] for n in range(1, len(whole))],
                    header("::1", 9)[:-1], b"\0\0\0\1\x7f\0\0\1\0",  # truncated
                    b"\0\0\0\2\x7f\0\0\1\0\x09data", b"\0\0\0\0data", b"\0\0\0\xffdata",
                    header(b"", 9), header(b"nul\0", 9), header(b"a" * 64, 9),
                    header(b"a." * 127 + b"b", 9),
                    header("127.0.0.1", 0) + b"port 0", header(b"name", 0) + b"port 0",
                    header("0.0.0.0", target.port) + b"x", header("::", target.port) + b"x",
                    header("::ffff:0.0.0.0", target.port) + b"x", header(b"0.0.0.0", 9) + b"x",
                    header("255.255.255.255", 9) + b"x", header(b"fe80::1%lo", 9) + b"x"]
            for n, row in enumerate(rows):
                with self.subTest(row):
                    a.raw(row)
                    self.assert_alive(a, target)
            self.assertEqual(self.dropped(a), len(rows))

    def test_58_unknown_name(self):
        with Dns() as dns, Server(*dns.options) as server, Target() as target:
            with Association(server) as a:
                for _ in range(5):
                    a.send((b"no.such.name", target.port), b"lost")
                    self.assert_alive(a, target)

    def test_58_icmp_refused(self):
        with Target() as target, Association(self.server) as a:
            with Target() as gone, Target("::1") as gone6:
                pass
            for _ in range(5):
                a.send(gone, b"to nobody")
                a.send(gone6, b"to nobody")
                self.assert_alive(a, target)

    def test_58_the_clients_own_icmp(self):
        with Target() as target, Association(self.server) as a:
            self.assert_alive(a, target)
            port = a.sock.getsockname()[1]
            a.sock.close()
            for n in range(5):
                target.answer(b"to nobody")
            until(lambda: waiting(target.last_from[1]) == 0, "the answers are taken")
            a.sock = datagram_socket(port=port)
            self.assert_alive(a, target)
            self.assert_alive(a, target)

    def test_58_too_long_to_go_on(self):
        # By IPv6 a datagram has 20 octets more than by IPv4.
        with Target() as target, Association(self.server, at="::1", own="::1") as a:
            a.send(target, bytes(65508))
            self.assert_alive(a, target)
        # And an answer that leaves no room for the header can't come back by IPv4.
        with Target() as target, Association(self.server) as a:
            self.assert_alive(a, target)
            target.answer(bytes(65507))
            target.answer(bytes(65507 - 9))
            self.assert_alive(a, target)
            self.assertEqual(self.dropped(a), 2)

    @needs_netns
    def test_58_no_route(self):
        with Target() as target, Association(self.server) as a:
            a.send(("192.0.2.1", 9), b"lost")
            a.send(("2001:db8::1", 9), b"lost")
            a.send(("ff02::1", 9), b"lost")
            a.send(("fe80::1", 9), b"lost")
            self.assert_alive(a, target)

    def test_59_no_data(self):
        with Target() as target, Target("::1") as target6, Association(self.server) as a:
            for t in (target, target6):
                a.send(t, b"")
                self.assertEqual(t.get(), b"")
                t.answer(b"")
                self.assertEqual(a.receive(), (t.address, t.port, b""))
                a.send(t, b"")
                a.send(t, b"x")
                self.assertEqual((t.get(), t.get()), (b"", b"x"))

    def test_60_whole_at_every_size(self):
        for at in ("127.0.0.1", "::1"):
            with Target() as t4, Target("::1") as t6, Association(self.server, at=at, own=at) as a:
                for t in (t4, t6):
                    for size in (1, 1400, 1472, 9000, 65535 - 20 - 8 - 22, LONGEST):
                        if at == "127.0.0.1" and t is t6 and size > 65507 - 22:
                            continue
                        with self.subTest(f"{at} {t.address} {size}"):
                            data = os.urandom(size)
                            a.send(t, data)
                            self.assertEqual(t.get(), data)
                            t.answer(data[::-1])
                            self.assertEqual(a.receive(), (t.address, t.port, data[::-1]))

    def test_60_many_of_many_sizes_in_order(self):
        with Target() as target, Association(self.server) as a:
            sizes = [10] * 40 + [1200] * 60 + [7, 7, 7] + [1472, 9, 1472, 1472, 0, 1] + [100] * 70
            sent = [struct.pack("!H", n) * (size // 2) for n, size in enumerate(sizes)]
            for data in sent:
                a.send(target, data)
            self.assertEqual([target.get() for _ in sent], sent)
            for data in sent:
                target.answer(data)
            self.assertEqual([a.receive()[2] for _ in sent], sent)


class Names(unittest.TestCase):
    """Names in datagrams, by a DNS server of the test's own."""

    def begin(self, zone, silent=(), options=()):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.dns = self.stack.enter_context(Dns(zone, silent))
        self.server = self.stack.enter_context(Server(*self.dns.options, *options))
        self.target = self.stack.enter_context(Target())
        return self.stack.enter_context(Association(self.server))

    def test_61_every_atyp_interleaved(self):
        a = self.begin({("four.test", "A"): ["127.0.0.1"], ("six.test", "AAAA"): ["::1"]})
        t, t6 = self.target, self.stack.enter_context(Target("::1"))
        rows = [(t.address, t), (b"four.test", t), (t6.address, t6), (b"six.test", t6),
                (b"127.0.0.1", t), (b"::1", t6), ("::ffff:127.0.0.1", t)]
        for n in range(70):
            address, target = rows[n % len(rows)]
            a.send((address, target.port), b"%d" % n)
            if n < 14:
                # The order holds for each way of naming it, not between them.
                self.assertEqual(target.get(), b"%d" % n)
                target.answer(b"to %d" % n)
                self.assertEqual(a.receive(), (target.address, target.port, b"to %d" % n))
        for n in range(14, 70):
            self.assertEqual(rows[n % len(rows)][1].get(), b"%d" % n)

    def test_61_a_slow_name_holds_up_nobody(self):
        a = self.begin({("slow.test", "A"): ["127.0.0.1"], ("quick.test", "A"): ["127.0.0.1"]},
                       silent=[("slow.test", "A"), ("slow.test", "AAAA")])
        slow = self.stack.enter_context(Target())
        for n in range(10):
            a.send((b"slow.test", slow.port), b"slow %d" % n)
            a.send((b"quick.test", self.target.port), b"quick %d" % n)
            a.send(self.target, b"literal %d" % n)
        got = [self.target.get() for _ in range(20)]
        self.assertEqual([d for d in got if d.startswith(b"quick")],
                         [b"quick %d" % n for n in range(10)])
        self.dns.release()
        self.assertEqual([slow.get() for _ in range(10)], [b"slow %d" % n for n in range(10)])
        slow.answer(b"late")
        self.assertEqual(a.receive(), ("127.0.0.1", slow.port, b"late"))

    def test_61_what_waits_is_bounded(self):
        a = self.begin({("slow.test", "A"): ["127.0.0.1"]},
                       silent=[("slow.test", "A"), ("slow.test", "AAAA")])
        slow = self.stack.enter_context(Target())
        for n in range(80):
            a.send((b"slow.test", slow.port), b"%d" % n)
        a.send(self.target, MARK)
        self.assertEqual(self.target.get(), MARK)
        self.dns.release()
        self.assertEqual([slow.get() for _ in range(64)], [b"%d" % n for n in range(64)])
        a.send((b"slow.test", slow.port), MARK)
        self.assertEqual(slow.get(), MARK)

    def test_61_many_names_at_once(self):
        zone = {(f"n{n}.test", "A"): ["127.0.0.1"] for n in range(200)}
        a = self.begin(zone)
        for start in range(0, 200, 50):
            for n in range(start, start + 50):
                a.send((b"n%d.test" % n, self.target.port), b"%d" % n)
            self.assertEqual({self.target.get() for _ in range(50)},
                             {b"%d" % n for n in range(start, start + 50)})

    def test_61_a_name_is_asked_for_once(self):
        a = self.begin({("once.test", "A"): ["127.0.0.1"]})
        for n in range(20):
            a.send((b"once.test", self.target.port), b"x")
            self.target.get()
        self.assertEqual(self.dns.asked.count(("once.test", "A")), 1)

    def test_63_the_end_while_a_name_is_sought(self):
        a = self.begin({("slow.test", "A"): ["127.0.0.1"]},
                       silent=[("slow.test", "A"), ("slow.test", "AAAA")])
        a.send((b"slow.test", self.target.port), b"lost")
        until(lambda: self.dns.held, "DNS is asked")
        a.control.close()
        self.server.line("^close .*command=udp")
        self.dns.release()
        with Association(self.server) as b:
            b.send(self.target, MARK)
            self.assertEqual(self.target.get(), MARK)

    @needs_netns
    def test_61_an_address_that_can_be_reached(self):
        a = self.begin({("both.test", "A"): ["192.0.2.1", "127.0.0.1"],
                        ("both.test", "AAAA"): ["2001:db8::1"]})
        a.send((b"both.test", self.target.port), b"x")
        self.assertEqual(self.target.get(), b"x")

    def test_61_localhost_is_of_the_clients_family(self):
        a = self.begin({})
        a.send((b"localhost", self.target.port), b"x")
        self.assertEqual(self.target.get(), b"x")


class Peers(Udp):
    def third_party(self, server):
        """One that was not sent to answers, then the one that was."""
        with Target() as target, Target() as third, Target("::1") as six, Association(server) as a:
            self.assert_alive(a, target)
            a.send(six, MARK)
            six.get()
            third.sock.sendto(b"from a third", target.last_from)
            target.answer(b"from the target")
            got = [a.receive()]
            if got[0][2] == b"from a third":
                got.append(a.receive())
            return got, (third.address, third.port, b"from a third"), \
                (target.address, target.port, b"from the target")

    def test_62_any(self):
        got, third, target = self.third_party(self.server)
        self.assertEqual(got, [third, target])

    def test_62_asked(self):
        with Server("--udp-peers", "asked") as server:
            got, _, target = self.third_party(server)
            self.assertEqual(got, [target])
            with Association(server) as a, Target() as one, Target() as two:
                # An answer comes from the port that was sent to, or not at all.
                a.send(one, b"x")
                one.get()
                two.sock.sendto(b"no", one.last_from)
                one.answer(b"yes")
                self.assertEqual(a.receive(), (one.address, one.port, b"yes"))

    @needs_netns
    def test_62_the_true_sender(self):
        with Target() as target, datagram_socket("127.0.0.77") as other, \
                Association(self.server) as a:
            self.assert_alive(a, target)
            other.sendto(b"x", target.last_from)
            self.assertEqual(a.receive(), ("127.0.0.77", other.getsockname()[1], b"x"))


@needs_netns
class Wire(Udp):
    """Over a wire that carries 1500 octets at a time."""

    @classmethod
    def setUpClass(cls):
        cls.place = Elsewhere(("203.0.113.1", "2001:db8:113::1"))
        cls.addClassCleanup(cls.place.close)
        super().setUpClass()

    def test_60_longer_than_the_wire_carries(self):
        with Association(self.server) as a:
            for far, most in (("203.0.113.1", LONGEST), ("2001:db8:113::1", 65507 - 22)):
                for size in (1, 1400, 1452, 1472, 1473, 9000, most):
                    with self.subTest(f"{far} {size}"):
                        data = os.urandom(size)
                        a.send((far, PORT), data)
                        self.assertEqual(a.receive(), (far, PORT, data))

    def test_60_many_in_order(self):
        with Association(self.server) as a:
            for size in (100, 1400, 1472, 1480, 4000, 100):
                with self.subTest(size):
                    sent = [struct.pack("!H", n) * (size // 2) for n in range(20)]
                    for data in sent:
                        a.send(("203.0.113.1", PORT), data)
                    self.assertEqual([a.receive()[2] for _ in sent], sent)
            self.assertEqual(self.dropped(a), 0)


@needs_netns
class Rules(Udp):
    """65: each datagram is judged, here by the guard."""

    @classmethod
    def setUpClass(cls):
        ip("addr", "add", "10.68.0.1/32", "dev", "lo")
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        ip("addr", "del", "10.68.0.1/32", "dev", "lo")

    def test_65_the_guard_judges_each_datagram(self):
        zone = {("near.test", "A"): ["127.0.0.1"], ("mixed.test", "A"): ["10.68.0.1", "127.0.0.9"]}
        with Dns(zone) as dns, Server(*dns.options, "--allow", "10.0.0.0/8", "--allow-to", "127.0.0.9",
                                      listen=("10.68.0.1:0",)) as server, Target() as closed, \
                Target("10.68.0.1") as own, Target("127.0.0.9") as opened, \
                Association(server, at="10.68.0.1", own="10.68.0.1") as a:
            rows = [(closed.address, closed.port), (own.address, own.port),
                    (b"near.test", closed.port), ("::ffff:127.0.0.1", closed.port),
                    ("224.0.0.1", 9), ("255.255.255.255", 9), ("169.254.169.254", 80)]
            for to in rows:
                a.send(to, b"closed")
                a.send(to, b"closed", frag=0x81)
                self.assert_alive(a, opened)
            # Of several addresses the one that is open.
            a.send((b"mixed.test", opened.port), b"open")
            self.assertEqual(opened.get(), b"open")
            for t in (closed, own):
                t.sock.setblocking(False)
                self.assertRaises(BlockingIOError, t.get)
            self.assertEqual(self.dropped(a, server), 2 * len(rows))


class Control(Udp):
    def gone(self, a):
        """The relay's ports are closed."""
        def refused():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.connect((a.bnd, a.bnd_port))
                s.send(b"x")
                try:
                    s.send(b"x")
                except ConnectionRefusedError:
                    return True
            return False

        until(refused, "the port is closed")

    def test_63_close(self):
        with Target() as target, Association(self.server) as a:
            self.assert_alive(a, target)
            a.control.close()
            self.gone(a)

    def test_63_half_close(self):
        with Association(self.server) as a:
            a.control.shutdown(socket.SHUT_WR)
            self.assert_eof(a.control)
            self.gone(a)

    def test_63_reset(self):
        with Target() as target, Association(self.server) as a:
            self.assert_alive(a, target)
            client = "%s:%d" % a.control.getsockname()
            reset(a.control)
            self.gone(a)
            self.server.line(rf"^close .*client={client} .*result=client-reset")

    def test_63_unread_octets_before_the_end(self):
        with Association(self.server) as a:
            a.control.sendall(bytes(1 << 20))
            a.control.close()
            self.gone(a)

    def test_63_silence_does_not_end_it(self):
        with Server("--handshake-timeout", "0.2", "--connect-timeout", "0.2", "--idle-timeout",
                    "0.2") as server, Target() as target, Association(server) as a:
            with contextlib.suppress(socket.timeout):
                a.sock.settimeout(0.6)
                a.receive()
            a.sock.settimeout(PATIENCE)
            self.assert_alive(a, target)
            self.assertEqual(a.control.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)

    def test_64_octets_are_ignored(self):
        with Target() as target, Association(self.server) as a:
            for _ in range(4):
                a.control.sendall(b"\x05\x01\x00" * 50000)
                self.assert_alive(a, target)

    def test_64_octets_in_the_requests_segment(self):
        with Target() as target, self.server.connect() as c, datagram_socket() as sock:
            greet(c)
            c.sendall(socks5("0.0.0.0", 0, cmd=3) + b"and more")
            rep, bnd, port = read_reply5(c)
            self.assertEqual(rep, 0)
            sock.sendto(header(target.address, target.port) + MARK, (bnd, port))
            self.assertEqual(target.get(), MARK)

    def test_keepalive(self):
        with Association(self.server) as a:
            me = a.control.getsockname()
            for sock in self.server.sockets():
                with sock, contextlib.suppress(OSError):
                    if sock.getpeername() == me and sock.type == socket.SOCK_STREAM:
                        self.assertEqual(
                            sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), 1)
                        return
            self.fail("the control connection was not found")

    def test_many_at_once(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        n = min(1000, hard // 3 - 50)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        with Server() as server, Target() as target, contextlib.ExitStack() as stack:
            idle = server.fds()
            many = [stack.enter_context(Association(server)) for _ in range(n)]
            for a in many:
                a.send(target, MARK)
                self.assertEqual(target.get(), MARK)
            self.assertEqual(server.fds(), idle + 3 * n)
            for a in many:
                a.close()
            until(lambda: server.fds() == idle, "all descriptors are given back")

    def test_87_shutdown_ends_it(self):
        server = Server("--drain-timeout", "0.1")
        with Association(server) as a:
            self.assertEqual(server.stop(), 0)
            self.assertEqual(a.control.recv(1), b"")
