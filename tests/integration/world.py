"""A private network: one namespace for the servers, one for the client, one link between them.

How it works: run.py starts itself again as process 1 of new namespaces (network, mount, process ids; as an
ordinary user in a user namespace, too). That process lives among the servers. Its child holds the client's
network and mount namespace open. Neither has a link to anything else, and when process 1 ends, however it
ends, the kernel ends all the others: nothing has a name that a second run could meet.

From the client only the proxies' addresses and the nameserver's answer. All else has a route, so that a leak
is sent and seen, and is then turned away by the servers' side.
"""

import ctypes
import os
import signal
import subprocess

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000

PROXY4, PROXY6 = "192.0.2.1", "2001:db8:2::1"
CLIENT4, CLIENT6 = "192.0.2.2", "2001:db8:2::2"
NAMESERVER = "192.0.2.53"
WEB4, WEB6 = "203.0.113.10", "2001:db8:113::10"
SHELL4 = "203.0.113.22"

# Known to the proxies' side alone.
NAMES = {
    "web.test": [WEB4, WEB6],
    "v4only.test": [WEB4],
    "v6only.test": [WEB6],
    "shell.test": [SHELL4],
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
    sysctl("ipv4/ping_group_range", "0 65534")


class World:
    def __init__(self, scratch, build):
        """
        scratch  an empty directory that every user may enter
        build    a directory to show there as "build", whoever may enter its parents; or None
        """
        self.scratch, self.build = scratch, None
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
        quiet_ipv6()
        self.hold_client()
        self.link()

    def hold_client(self):
        """A child whose only job is to keep the client's namespaces alive."""
        ready, tell = os.pipe()
        self.holder = os.fork()
        if self.holder == 0:
            try:
                check(libc.unshare(CLONE_NEWNET | CLONE_NEWNS), "unshare")
                bind("/etc/hosts", self.client_hosts)
                bind("/etc/resolv.conf", self.client_resolv)
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
        self.client_net = os.open(base + "net", os.O_RDONLY | os.O_CLOEXEC)
        self.client_mnt = os.open(base + "mnt", os.O_RDONLY | os.O_CLOEXEC)
        self.server_net = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def link(self):
        mac = {"s0": "02:00:00:00:00:01", "c0": "02:00:00:00:00:02"}
        peer = f"peer name c0 address {mac['c0']} netns {self.holder}"
        ip_batch(
            "-4",
            [
                "link set dev lo up",
                f"link add dev s0 address {mac['s0']} type veth {peer}",
                "link set dev s0 up",
            ],
        )
        # Without it the kernel drops, where it should say "unreachable"; no rule forwards anything.
        sysctl("ipv4/conf/s0/forwarding", "1")
        with self.client():
            quiet_ipv6()
            ip_batch("-4", ["link set dev lo up", "link set dev c0 up"])
        self.address(
            "-4",
            mac,
            f"{PROXY4}/32",
            f"{CLIENT4}/32",
            "",
            [NAMESERVER, WEB4, SHELL4],
            [PROXY4, NAMESERVER],
        )
        if self.has_ipv6:
            self.address("-6", mac, f"{PROXY6}/128", f"{CLIENT6}/128", "nodad", [WEB6], [PROXY6])

    def address(self, family, mac, server, client, flags, others, reachable):
        """Addresses, neighbours and routes of one family; both ends are /32s, each other's next hop."""
        proxy, host = server.split("/")[0], client.split("/")[0]
        commands = [f"addr add {server} dev s0 {flags}"]
        commands += [f"addr add {a} dev lo {flags}" for a in others]
        commands += [
            f"neigh replace {host} lladdr {mac['c0']} nud permanent dev s0",
            f"route add {client} dev s0",
        ]
        # From the link only these are at home: the rules stand before the one for local addresses.
        commands += ["rule add pref 300 lookup local", "rule del pref 0"]
        commands += [
            f"rule add pref {100 + i} iif s0 to {a} lookup local" for i, a in enumerate(reachable)
        ]
        commands += ["rule add pref 200 iif s0 unreachable"]
        ip_batch(family, commands)
        with self.client():
            ip_batch(
                family,
                [
                    f"addr add {client} dev c0 {flags}",
                    f"neigh replace {proxy} lladdr {mac['s0']} nud permanent dev c0",
                    f"route add default via {proxy} dev c0 onlink",
                ],
            )

    def client(self):
        """with world.client(): this thread, and what it starts, is in the client's network."""
        return Inside(self.client_net, self.server_net)

    def enter_client(self, cwd):
        """In a child before exec: into the client's network and mounts."""
        check(libc.setns(self.client_net, CLONE_NEWNET), "setns")
        check(libc.setns(self.client_mnt, CLONE_NEWNS), "setns")
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
