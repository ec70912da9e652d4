"""Stories and their cells. A story is a function; it is told once for each proxy, way and user.

The core stories (@story) are told in full: three proxies, two ways, two users. The programs of the matrix
(@matrix) each by name and by address, in full through socksifyd; what another proxy can change has little to
do with who asks and how, so through the others two cells hold each way and each user once.
"""

import itertools
import os
import signal
import subprocess
import time

import world

PROXIES = ("socksifyd", "microsocks", "danted")
WAYS = ("wrapper", "preload")
USERS = ("root", "nobody")
PAIRS = {("wrapper", "root"), ("preload", "nobody")}
PORTS = {"socksifyd": 1080, "microsocks": 1081, "danted": 1082, "users": 1083, "slow": 1084}
HOSTS = {
    "web": {"name": "web.test", "address": world.WEB4},
    "store": {"name": "store.test", "address": world.STORE4},
    "shell": {"name": "shell.test", "address": world.SHELL4},
}
NOBODY_LISTENS = 9
# How long a control waits for the packet without which it fails.
LEAK_SECONDS = 3
TIMEOUT = 60 * int(os.environ.get("SOCKSIFY_TEST_PATIENCE", "1"))

stories = []


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


class Story:
    def __init__(self, tell, name, **how):
        self.tell, self.name = tell, name.replace("_", "-")
        self.proxies = how.pop("proxies", PROXIES)
        self.ways, self.users = how.pop("ways", WAYS), how.pop("users", USERS)
        self.needs, self.ipv6 = how.pop("needs", ()), how.pop("ipv6", False)
        self.leaks, self.paired = how.pop("leaks", False), how.pop("paired", False)
        self.datagrams = how.pop("datagrams", False)
        if how:
            raise TypeError(f"{name}: no such word for a story: {', '.join(how)}")

    def missing(self, kit):
        """Why this story can't be told here; None if it can."""
        absent = [n for n in self.needs if not kit.tool(n)]
        if absent:
            return "no " + ", ".join(absent)
        if self.ipv6 and not kit.place.has_ipv6:
            return "this kernel has no IPv6"
        return None

    def cells(self, proxies, ways):
        """(proxy, way, user) of each cell. The arguments, where given, are what to choose from."""
        if ways and self.ways == WAYS:
            mine = ways
        else:
            mine = self.ways
        for proxy, way, user in itertools.product(self.proxies, mine, self.users):
            if proxies and proxy.replace("users", "socksifyd") not in proxies and proxy != "none":
                continue
            if self.paired and proxy != "socksifyd" and mine == WAYS and (way, user) not in PAIRS:
                continue
            yield proxy, way, user


def story(**how):
    """
    proxies  of PROXIES, or "none"
    ways     of WAYS, or "bare": as it is, without the library
    users    of USERS
    needs    programs; a daemon among them is started in the world, see daemons.py
    leaks    a control: it passes only if the watcher sees packets that went past the proxy; "dns": and questions
    ipv6     it can't be told without
    datagrams  its own go to the proxy's address, at whatever port the proxy names
    """

    def register(tell):
        stories.append(Story(tell, tell.__name__, **how))
        return tell

    return register


def matrix(at="web", **how):
    """
    Two stories of one function, which is told the host, too: by name and by address.

    at   a key of HOSTS
    how  as for story()
    """

    def register(tell):
        for kind, host in HOSTS[at].items():

            def with_host(cell, host=host):
                tell(cell, host)

            stories.append(Story(with_host, f"{tell.__name__}_by_{kind}", paired=True, **how))
        return tell

    return register


class Result:
    def __init__(self, argv, status, out, err):
        self.argv, self.status, self.out, self.err = argv, status, out, err


def tail(data, octets=1500):
    text = data[-octets:].decode("utf-8", "replace").rstrip()
    return "\n".join("    | " + line for line in text.splitlines()) or "    | (nothing)"


class Cell:
    """One way of telling a story."""

    def __init__(self, kit, client, proxy, way, user):
        self.kit, self.world, self.client = kit, kit.place, client
        self.proxy, self.way, self.user = proxy, way, user
        self.results = []
        # What its line shall say though it is well.
        self.remark = ""
        self.home = kit.home(user)
        self.scratch = kit.fresh_dir(user)
        self.port = PORTS.get(proxy, NOBODY_LISTENS)
        self.url = f"socks5h://{world.PROXY4}:{self.port}"

    def env(self):
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": self.home,
            "TMPDIR": self.scratch,
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "USER": self.user,
        }

    def dress(self, argv, env, url):
        """The command and environment that bring a program under the library."""
        if self.way == "wrapper":
            argv = [self.kit.socksify, "-x", url, "--", *argv]
            first = self.kit.preload_first
            if first:
                env["LD_PRELOAD"] = first
        elif self.way == "preload":
            env["SOCKSIFY_PROXY"] = url
            env["LD_PRELOAD"] = ":".join(filter(None, (self.kit.preload_first, self.kit.library)))
        elif self.way == "proxychains4":
            path = os.path.join(self.scratch, "proxychains.conf")
            with open(path, "w", encoding="ascii") as f:
                f.write(
                    f"strict_chain\nproxy_dns\n[ProxyList]\nsocks5 {world.PROXY4} {self.port}\n"
                )
            os.chmod(path, 0o644)
            argv = ["proxychains4", "-q", "-f", path, *argv]
        elif self.way == "torsocks":
            path = os.path.join(self.scratch, "torsocks.conf")
            with open(path, "w", encoding="ascii") as f:
                f.write(f"TorAddress {world.PROXY4}\nTorPort {self.port}\n")
            os.chmod(path, 0o644)
            env["TORSOCKS_CONF_FILE"], env["TORSOCKS_LOG_LEVEL"] = path, "1"
            argv = ["torsocks", *argv]
        elif self.way == "tsocks":
            path = os.path.join(self.scratch, "tsocks.conf")
            with open(path, "w", encoding="ascii") as f:
                f.write(f"local = 192.0.2.0/255.255.255.0\nserver = {world.PROXY4}\nserver_port = {self.port}\nserver_type = 5\n")
            os.chmod(path, 0o644)
            env["TSOCKS_CONF_FILE"] = path
            argv = ["tsocks", *argv]
        elif self.way == "dante":
            path = os.path.join(self.scratch, "socks.conf")
            with open(path, "w", encoding="ascii") as f:
                f.write(
                    "resolveprotocol: fake\nroute { from: 0.0.0.0/0 to: 127.0.0.0/8 via: direct }\n"
                    f"route {{ from: 0.0.0.0/0 to: 0.0.0.0/0 via: {world.PROXY4} port = {self.port}\n"
                    "protocol: tcp\nproxyprotocol: socks_v5 }\n"
                )
            os.chmod(path, 0o644)
            env["SOCKS_CONF"] = path
            env["LD_PRELOAD"] = "libdsocksd.so.0"
        return argv, env

    def run(
        self,
        argv,
        *,
        status=0,
        out=None,
        stdin=b"",
        env=None,
        url=None,
        bare=False,
        timeout=None,
        fds=(),
    ):
        """
        Run in the client's world, as the cell's user.

        bare    without the library
        status  the exit status to expect; None: any but 0; "any"
        out     text or octets that standard output must be
        fds     descriptors to hand on
        """
        whole, argv, timeout = self.env(), list(argv), timeout or TIMEOUT
        if not bare:
            argv, whole = self.dress(argv, whole, url or self.url)
        whole.update(env or {})
        if self.user == "nobody" and not self.kit.real_root:
            # In the rootless world nobody is a user namespace deeper; unshare itself stays unpreloaded.
            keep = [f"{k}={v}" for k, v in whole.items()]
            argv = [
                "unshare",
                "-U",
                "--map-user=65534",
                "--map-group=65534",
                "env",
                "-i",
                *keep,
                *argv,
            ]
            whole = {"PATH": whole["PATH"]}
        with subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=whole,
            start_new_session=True,
            pass_fds=fds,
            preexec_fn=self.enter,
        ) as process:
            try:
                stdout, stderr = process.communicate(stdin, timeout)
                code = process.returncode
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                stdout, stderr = what_is_left(process)
                code = f"still running after {timeout} s"
        result = Result(argv, code, stdout, stderr)
        self.results.append(result)
        if status != "any" and (code in (0, None) if status is None else code != status):
            raise Failed(f"exit status {code}, not {'a failure' if status is None else status}")
        if isinstance(code, str):
            raise Failed(code)
        if out is not None:
            want = out.encode() if isinstance(out, str) else out
            if stdout != want:
                raise Failed(
                    f"standard output is {stdout[:200]!r}, {len(stdout)} octets; wanted {want[:200]!r}, {len(want)}"
                )
        return result

    def enter(self):
        self.client.enter(self.scratch)
        if self.user == "nobody" and self.kit.real_root:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)

    def path(self, name):
        return os.path.join(self.scratch, name)

    def report(self):
        lines = []
        for r in self.results:
            lines.append("  $ " + " ".join(map(str, r.argv)))
            lines.append(f"    status {r.status}; standard output ends:\n{tail(r.out)}")
            lines.append(f"    standard error ends:\n{tail(r.err)}")
        return "\n".join(lines)


def what_is_left(process):
    """A descendant in a session of its own may hold the pipes open: sweep() ends it."""
    try:
        return process.communicate(timeout=5)
    except subprocess.TimeoutExpired as e:
        return e.stdout or b"", e.stderr or b""


def children():
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as f:
        return [int(pid) for pid in f.read().split()]


def sweep():
    """End what a cell has left behind. Daemons are ours too, since a lane is the reaper of its orphans."""
    asked, deadline = set(), time.monotonic() + 5
    while alive := children():
        for pid in alive:
            late = time.monotonic() > deadline
            if os.waitpid(pid, os.WNOHANG)[0] == 0 and (late or pid not in asked):
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
                asked.add(pid)
        time.sleep(0.002)


def tell(one, cell, watch, again=True):
    """
    Returns None, or why the cell failed. Skipped passes through. A control that shows no packet is told once more:
    that something can be seen is proven by one.
    """
    watch.take()
    problem = None
    try:
        one.tell(cell)
    except Failed as e:
        problem = str(e)
    except Skipped:
        raise
    except Exception as e:  # pylint: disable=broad-except # a mistake in a story fails its cell alone
        problem = f"{type(e).__name__}: {e}"
    finally:
        sweep()
    others = watch.take()
    if one.datagrams:
        proxy, kinds = (world.PROXY4, world.PROXY6), ("udp", "ipv4 fragment", "protocol 44")
        others = [p for p in others if p.proto not in kinds or p.dst not in proxy]
    if one.leaks:
        # Listener reports are left to a timer of the kernel's.
        others = others or watch.wait(LEAK_SECONDS)
        watch.forgive(others)
        if not others and not problem and again:
            return tell(one, cell, watch, again=False)
        if not others:
            problem = (
                problem
                or "the watcher saw no packet of a program that was not kept from the network"
            )
        elif one.leaks == "dns" and not any(p.is_dns for p in others):
            problem = problem or "the watcher saw no question to the nameserver"
        cell.remark = "; ".join(map(str, others[:1]))
    elif others:
        dns = sum(p.is_dns for p in others)
        seen = "\n".join(f"    {p}" for p in others[:20])
        problem = (
            problem + "; " if problem else ""
        ) + f"{len(others)} packets went past the proxy, {dns} of them DNS:\n{seen}"
    if problem:
        return f"{problem}\n{cell.report()}"
    return None
