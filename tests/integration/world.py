"""A private network: one namespace for the servers, one for each client, one link to each of them.

How it works: run.py starts itself again as process 1 of new namespaces (network, mount, process ids; as an
ordinary user in a user namespace, too). That process lives among the servers. A child for each client holds
its network and mount namespace open. None has a link to anything else, and when process 1 ends, however it
ends, the kernel ends all the others: nothing has a name that a second run could meet.

There are as many clients as lanes (lanes.py), each with a watcher of its own, so that a stray packet is the
fault of the one cell that is told there. From a client only the proxies' addresses and the nameserver's answer. All else has a route, so that a leak
is sent and seen, and is then turned away by the servers' side.
"""

import ctypes
import os
import signal
import subprocess

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000

PROXY4, PROXY6 = "192.0.2.1", "2001:db8:2::1"
NAMESERVER = "192.0.2.53"
WEB4, WEB6 = "203.0.113.10", "2001:db8:113::10"
SHELL4 = "203.0.113.22"
STORE4 = "203.0.113.30"
# The slow proxy never answers who asks for it, and nobody has the address.
SILENT, SILENT4 = "silent.test", "203.0.113.66"

# Known to the proxies' side alone.
NAMES = {
    "web.test": [WEB4, WEB6],
    "v4only.test": [WEB4],
    "v6only.test": [WEB6],
    "shell.test": [SHELL4],
    "store.test": [STORE4],
}

CLIENT_HOSTS = f"""127.0.0.1 localhost
::1 localhost
{PROXY4} proxy.test
"""
PASSWD = """root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/tmp:/bin/sh
"""
GROUP = "root:x:0:\nnogroup:x:65534:\n"

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def sysctl(key, value):
    """What a kernel lacks here only adds noise, which the watcher tells apart."""
    try:
        with open("/proc/sys/net/" + key, "w", encoding="ascii") as f:
            f.write(value)
    except OSError:
        pass


def ip_batch(family, lines):
    subprocess.run(
        ["ip", family, "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True
    )


def quiet_ipv6():
    for scope in ("all", "default"):
        sysctl(f"ipv6/conf/{scope}/accept_ra", "0")
        sysctl(f"ipv6/conf/{scope}/router_solicitations", "0")
        sysctl(f"ipv6/conf/{scope}/accept_dad", "0")
        sysctl(f"ipv6/conf/{scope}/addr_gen_mode", "1")
        sysctl(f"ipv6/conf/{scope}/disable_ipv6", "0")
    # In a user namespace there may be no other group.
    for groups in ("0 0", "0 65534"):
        sysctl("ipv4/ping_group_range", groups)
    # Who is turned away is to hear it at once, however many are.
    sysctl("ipv4/icmp_ratelimit", "0")
    sysctl("ipv4/icmp_msgs_per_sec", "100000")
    sysctl("ipv4/icmp_msgs_burst", "100000")
    sysctl("ipv6/icmp/ratelimit", "0")


class World:
    def __init__(self, scratch, build, lanes):
        """
        scratch  an empty directory that every user may enter
        build    a directory to show there as "build", whoever may enter its parents; or None
        lanes    how many clients
        """
        self.scratch, self.build, self.lanes = scratch, None, lanes
        self.has_ipv6 = os.path.exists("/proc/sys/net/ipv6")
        if build:
            self.build = os.path.join(scratch, "build")
            os.mkdir(self.build)
            subprocess.run(["mount", "--bind", build, self.build], check=True)

    def file(self, name, text, mode=0o644):
        path = os.path.join(self.scratch, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def open(self):
        hosts = "127.0.0.1 localhost\n::1 localhost\n"
        targets = "".join(f"{a} {n}\n" for n, addrs in NAMES.items() for a in addrs)
        bind("/etc/hosts", self.file("server-hosts", hosts + targets))
        bind("/etc/resolv.conf", self.file("server-resolv.conf", f"nameserver {NAMESERVER}\n"))
        bind(
            "/etc/nsswitch.conf",
            self.file(
                "nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
            ),
        )
        bind("/etc/passwd", self.file("passwd", PASSWD))
        bind("/etc/group", self.file("group", GROUP))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "none", "/dev/shm"], check=True)
        self.targets_file = self.file("targets", targets)
        self.client_hosts = self.file("client-hosts", CLIENT_HOSTS)
        self.client_resolv = self.file("client-resolv.conf", f"nameserver {NAMESERVER}\n")
        self.server_net = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        quiet_ipv6()
        ip_batch("-4", ["link set dev lo up"])
        self.addresses("-4", [PROXY4, NAMESERVER, WEB4, SHELL4, STORE4], "")
        if self.has_ipv6:
            self.addresses("-6", [PROXY6, WEB6], "nodad")
        self.clients = [Client(self, number) for number in range(self.lanes)]

    def addresses(self, family, all_of_them, flags):
        commands = [f"addr add {a} dev lo {flags}" for a in all_of_them]
        # The rules for each link stand before the one for local addresses.
        commands += ["rule add pref 300 lookup local", "rule del pref 0"]
        ip_batch(family, commands)


class Client:
    """One client's namespaces and its end of a link, "c0"; the other is "sN" for lane N."""

    def __init__(self, place, number):
        self.server_if, self.place = f"s{number}", place
        self.address4, self.address6 = f"192.0.2.{2 + number}", f"2001:db8:2::{2 + number:x}"
        self.mac = {"server": f"02:00:00:00:{number:02x}:01", "client": f"02:00:00:00:{number:02x}:02"}
        self.hold()
        self.link()

    def hold(self):
        """A child whose only job is to keep the client's namespaces alive."""
        ready, tell = os.pipe()
        self.holder = os.fork()
        if self.holder == 0:
            try:
                check(libc.unshare(CLONE_NEWNET | CLONE_NEWNS), "unshare")
                bind("/etc/hosts", self.place.client_hosts)
                bind("/etc/resolv.conf", self.place.client_resolv)
                os.write(tell, b"y")
                while True:
                    signal.pause()
            finally:
                os._exit(1)
        os.close(tell)
        ok = os.read(ready, 1)
        os.close(ready)
        if not ok:
            raise RuntimeError("the client's namespace could not be made")
        base = f"/proc/{self.holder}/ns/"
        self.net = os.open(base + "net", os.O_RDONLY | os.O_CLOEXEC)
        self.mnt = os.open(base + "mnt", os.O_RDONLY | os.O_CLOEXEC)

    def link(self):
        here = self.server_if
        peer = f"peer name c0 address {self.mac['client']} netns {self.holder}"
        ip_batch(
            "-4",
            [
                f"link add dev {here} address {self.mac['server']} type veth {peer}",
                f"link set dev {here} up",
            ],
        )
        # Without it the kernel drops, where it should say "unreachable"; no rule forwards anything.
        sysctl(f"ipv4/conf/{here}/forwarding", "1")
        with self.inside():
            quiet_ipv6()
            ip_batch("-4", ["link set dev lo up", "link set dev c0 up"])
        self.address("-4", PROXY4, f"{self.address4}/32", "", [PROXY4, NAMESERVER])
        if self.place.has_ipv6:
            self.address("-6", PROXY6, f"{self.address6}/128", "nodad", [PROXY6])

    def address(self, family, proxy, client, flags, reachable):
        """Addresses, neighbours and routes of one family; the ends are /32s, each other's next hop."""
        here, host = self.server_if, client.split("/")[0]
        commands = [
            f"neigh replace {host} lladdr {self.mac['client']} nud permanent dev {here}",
            f"route add {client} dev {here}",
        ]
        # From the link only these are at home.
        commands += [
            f"rule add pref {100 + i} iif {here} to {a} lookup local"
            for i, a in enumerate(reachable)
        ]
        commands += [f"rule add pref 200 iif {here} unreachable"]
        ip_batch(family, commands)
        with self.inside():
            ip_batch(
                family,
                [
                    f"addr add {client} dev c0 {flags}",
                    f"neigh replace {proxy} lladdr {self.mac['server']} nud permanent dev c0",
                    f"route add default via {proxy} dev c0 onlink",
                ],
            )

    def inside(self):
        """with client.inside(): this thread, and what it starts, is in the client's network."""
        return Inside(self.net, self.place.server_net)

    def enter(self, cwd):
        """In a child before exec: into the client's network and mounts."""
        check(libc.setns(self.net, CLONE_NEWNET), "setns")
        check(libc.setns(self.mnt, CLONE_NEWNS), "setns")
        os.chdir(cwd)


class Inside:
    def __init__(self, there, back):
        self.there, self.back = there, back

    def __enter__(self):
        check(libc.setns(self.there, CLONE_NEWNET), "setns")

    def __exit__(self, *exc):
        check(libc.setns(self.back, CLONE_NEWNET), "setns")


def bind(target, source):
    """Another file in a file's place, for this mount namespace alone."""
    if not os.path.exists(target):
        raise RuntimeError(f"{target} is missing here, so nothing can be mounted in its place")
    subprocess.run(["mount", "--bind", source, target], check=True)
