"""Sees every frame that leaves the client's namespace, and tells what was meant for a proxy from what was not.

How it works: a packet socket on the client's own end of the link. The kernel hands it each outgoing frame
within the call that sends it, so once a program has ended, what it sent is already in the queue: taking
stock needs no waiting. Neighbours are permanent entries and router solicitation is off, so the only frames
of the kernel's own making are multicast listener reports for groups that it joins itself; those for a
program's count, and so do ARP and neighbour discovery. A filter in the kernel keeps what goes to the proxies over
IPv4 out of the queue, which an ordinary user can't make longer; should frames be lost all the same, that is
reported as a leak.
"""

import ctypes
import select
import socket
import struct
import time

ETH_P_ALL = 3
ETH_P_IPV4, ETH_P_IPV6 = 0x0800, 0x86DD
SOL_PACKET = 263
PACKET_STATISTICS = 6
SO_ATTACH_FILTER = 26
SO_RCVBUFFORCE = 33
PACKET_OUTGOING = 4
TCP, UDP, ICMPV6 = 6, 17, 58

IGMP = 2

# All nodes, all routers, and of each address the last octets: the kernel's own groups.
OWN_GROUPS = ("224.0.0.1", "224.0.0.2", "ff02::1", "ff02::2", "ff01::1", "ff01::2", "ff05::2")
OWN_PREFIX = "ff02::1:ff"


class Packet:
    """One frame: who, where to, and for DNS which question."""

    def __init__(self, proto, src, dst, sport=None, dport=None, note="", groups=()):
        self.proto, self.src, self.dst = proto, src, dst
        self.sport, self.dport, self.note = sport, dport, note
        # Of a listener report: those that a program has joined or left.
        self.groups = groups

    def __str__(self):
        port = "" if self.dport is None else f" port {self.dport}"
        return f"{self.proto} {self.src} -> {self.dst}{port}{self.note}"

    @property
    def flow(self):
        """Of a stream, or None."""
        return (self.src, self.sport, self.dst, self.dport) if self.proto == "tcp" else None

    @property
    def is_dns(self):
        return self.dport in (53, 853, 5353, 5355)


def dns_question(payload):
    """The name in the first question of a DNS message, for a person to read."""
    labels, at = [], 12
    while at < len(payload) and payload[at] and payload[at] < 64:
        labels.append(payload[at + 1 : at + 1 + payload[at]].decode("ascii", "replace"))
        at += 1 + payload[at]
    return ".".join(labels)


def parse(frame):
    """A Packet, or None for what the kernel says on its own account."""
    if len(frame) < 14:
        return Packet("runt", "?", "?")
    kind = struct.unpack_from("!H", frame, 12)[0]
    if kind == ETH_P_IPV4 and len(frame) >= 34:
        return parse_ipv4(frame[14:])
    if kind == ETH_P_IPV6 and len(frame) >= 54:
        return parse_ipv6(frame[14:])
    return Packet(f"ethertype {kind:#06x}", "?", "?")


def parse_ipv4(data):
    src, dst = socket.inet_ntop(socket.AF_INET, data[12:16]), socket.inet_ntop(
        socket.AF_INET, data[16:20]
    )
    if struct.unpack_from("!H", data, 6)[0] & 0x1FFF:
        return Packet("ipv4 fragment", src, dst)
    rest = data[(data[0] & 15) * 4 :]
    if data[9] == IGMP and len(rest) >= 8:
        return report(src, dst, igmp_groups(rest))
    return parse_transport(data[9], src, dst, rest)


def report(src, dst, groups):
    """A listener report, or None if the kernel tells of its own groups alone."""
    programs = [g for g in groups if g not in OWN_GROUPS and not g.startswith(OWN_PREFIX)]
    if not programs:
        return None
    return Packet("listener report", src, dst, note=" of " + ", ".join(programs), groups=programs)


def records(data, family, size):
    """The groups of an IGMPv3 or MLDv2 report, whose heads are alike."""
    groups, at = [], 8
    for _ in range(struct.unpack_from("!H", data, 6)[0]):
        if at + 4 + size > len(data):
            # Cut by the filter: who knows what else there is.
            return [*groups, "(more)"]
        aux, sources = struct.unpack_from("!BH", data, at + 1)
        groups.append(socket.inet_ntop(family, data[at + 4 : at + 4 + size]))
        at += 4 + size + sources * size + aux * 4
    return groups


def igmp_groups(data):
    if data[0] == 0x22:
        return records(data, socket.AF_INET, 4)
    return [socket.inet_ntop(socket.AF_INET, data[4:8])]


def listener_groups(data):
    if data[0] == 143:
        return records(data, socket.AF_INET6, 16)
    return [socket.inet_ntop(socket.AF_INET6, data[8:24])]


def parse_ipv6(data):
    src, dst = socket.inet_ntop(socket.AF_INET6, data[8:24]), socket.inet_ntop(
        socket.AF_INET6, data[24:40]
    )
    proto, rest = data[6], data[40:]
    # Listener reports carry a router alert in a hop-by-hop header.
    if proto == 0 and len(rest) >= 8:
        proto, rest = rest[0], rest[(rest[1] + 1) * 8 :]
    if proto == ICMPV6 and rest and rest[0] in (131, 132, 143):
        return report(src, dst, listener_groups(rest))
    return parse_transport(proto, src, dst, rest)


def parse_transport(proto, src, dst, data):
    if proto not in (TCP, UDP) or len(data) < 8:
        return Packet({1: "icmp", ICMPV6: "icmpv6"}.get(proto, f"protocol {proto}"), src, dst)
    sport, dport = struct.unpack_from("!HH", data)
    note = ""
    if proto == UDP and dport == 53:
        note = f" asks {dns_question(data[8:])}"
    return Packet("tcp" if proto == TCP else "udp", src, dst, sport, dport, note)


def filter_for(address, ports):
    """A classic BPF program: outgoing frames, but for TCP to these ports of an IPv4 address."""
    load_type, load_half, load_byte, load_word = 0x20, 0x28, 0x30, 0x20
    load_header_len, load_half_at = 0xB1, 0x48
    equal, any_bit, give = 0x15, 0x45, 0x06
    packet_type = 0xFFFFF000 + 4
    # (code, value, where to go if so, and if not); "keep" and "drop" are the last two, None is the next.
    steps = [
        (load_type, packet_type, None, None),
        (equal, PACKET_OUTGOING, None, "drop"),
        (load_half, 12, None, None),
        (equal, ETH_P_IPV4, None, "keep"),
        (load_byte, 23, None, None),
        (equal, TCP, None, "keep"),
        (load_word, 30, None, None),
        (equal, struct.unpack("!I", socket.inet_aton(address))[0], None, "keep"),
        (load_half, 20, None, None),
        (any_bit, 0x1FFF, "keep", None),
        (load_header_len, 14, None, None),
        (load_half_at, 16, None, None),
        *((equal, port, "drop", None) for port in ports),
        (give, 256, None, None),
        (give, 0, None, None),
    ]
    places = {"keep": len(steps) - 2, "drop": len(steps) - 1}

    def jump(at, where):
        return 0 if where is None else places[where] - at - 1

    return b"".join(
        struct.pack("HBBI", code, jump(at, so), jump(at, other), value)
        for at, (code, value, so, other) in enumerate(steps)
    ), len(steps)


class Watch:
    """Must be made inside the client's namespace; may be read from anywhere."""

    def __init__(self, interface, proxies):
        self.proxies, self.forgiven = set(proxies), set()
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        except PermissionError:  # only the machine's own root may go past net.core.rmem_max
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
        ipv4 = {a for a, _ in self.proxies if ":" not in a}
        if len(ipv4) == 1:
            program, steps = filter_for(
                ipv4.pop(), sorted(p for a, p in self.proxies if ":" not in a)
            )
            code = ctypes.create_string_buffer(program)
            self.sock.setsockopt(
                socket.SOL_SOCKET,
                SO_ATTACH_FILTER,
                struct.pack("HP", steps, ctypes.addressof(code)),
            )
        self.sock.bind((interface, ETH_P_ALL))
        self.sock.setblocking(False)

    def forgive(self, packets):
        """What the kernel may still say when their program is long gone: reports, and the ends of streams."""
        for packet in packets:
            self.forgiven.update(packet.groups or [packet.flow])
        self.forgiven.discard(None)

    def wait(self, seconds):
        """As take(), but until there is a packet."""
        deadline = time.monotonic() + seconds
        while not (others := self.take()) and (left := deadline - time.monotonic()) > 0:
            select.select([self.sock], [], [], left)
        return others

    def take(self):
        """The packets that were sent to elsewhere than a proxy since the last call."""
        others = []
        while True:
            try:
                frame, addr = self.sock.recvfrom(256)
            except BlockingIOError:
                break
            if addr[2] != PACKET_OUTGOING:
                continue
            packet = parse(frame)
            if packet is None or self.forgiven.issuperset(packet.groups or [packet.flow]):
                continue
            if packet.proto != "tcp" or (packet.dst, packet.dport) not in self.proxies:
                others.append(packet)
        lost = struct.unpack("II", self.sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        if lost:
            others.append(Packet(f"{lost} frames that the watcher had no room for", "?", "?"))
        return others
