"""Stories and their cells. A story is a function; it is told once for each proxy, way and user."""

import os
import shutil
import signal
import subprocess

import world

PROXIES = ("socksifyd", "microsocks")
WAYS = ("wrapper", "preload")
USERS = ("root", "nobody")
PORTS = {"socksifyd": 1080, "microsocks": 1081}
NOBODY_LISTENS = 9
TIMEOUT = 25 * int(os.environ.get("SOCKSIFY_TEST_PATIENCE", "1"))

stories = []


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


class Story:
    def __init__(self, tell, proxies, ways, users, needs, leaks, ipv6):
        self.tell, self.name = tell, tell.__name__.replace("_", "-")
        self.proxies, self.ways, self.users = proxies, ways, users
        self.needs, self.leaks, self.ipv6 = needs, leaks, ipv6

    def missing(self, place):
        """Why this story can't be told here; None if it can."""
        absent = [n for n in self.needs if not shutil.which(n)]
        if absent:
            return "no " + ", ".join(absent)
        if self.ipv6 and not place.has_ipv6:
            return "this kernel has no IPv6"
        return None


def story(proxies=PROXIES, ways=WAYS, users=USERS, needs=(), leaks=False, ipv6=False):
    """
    leaks  a control: it passes only if the watcher sees packets that went past the proxy; "dns": and questions
    ways   beside the usual two, "bare": as it is, without the library
    proxies  beside the usual two, "none"
    """

    def register(tell):
        stories.append(Story(tell, proxies, ways, users, needs, leaks, ipv6))
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

    def __init__(self, place, kit, proxy, way, user):
        self.world, self.kit = place, kit
        self.proxy, self.way, self.user = proxy, way, user
        self.results = []
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
        return argv, env

    def run(self, argv, *, status=0, out=None, stdin=b"", env=None, url=None, timeout=TIMEOUT):
        """
        Run in the client's world, as the cell's user.

        status  the exit status to expect; None: any but 0; "any"
        out     text or octets that standard output must be
        """
        whole = self.env()
        argv, whole = self.dress(list(argv), whole, url or self.url)
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
            preexec_fn=self.enter,
        ) as process:
            try:
                stdout, stderr = process.communicate(stdin, timeout)
                code = process.returncode
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                stdout, stderr = process.communicate()
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
        self.world.enter_client(self.scratch)
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


def tell(one, cell, watch):
    """Returns None, or why the cell failed. Skipped passes through."""
    watch.take()
    problem = None
    try:
        one.tell(cell)
    except Failed as e:
        problem = str(e)
    except OSError as e:
        problem = f"{type(e).__name__}: {e}"
    others = watch.take()
    if one.leaks:
        if not others:
            problem = (
                problem
                or "the watcher saw no packet of a program that was not kept from the network"
            )
        elif one.leaks == "dns" and not any(p.is_dns for p in others):
            problem = problem or "the watcher saw no question to the nameserver"
    elif others:
        dns = sum(p.is_dns for p in others)
        seen = "\n".join(f"    {p}" for p in others[:20])
        problem = (
            problem + "; " if problem else ""
        ) + f"{len(others)} packets went past the proxy, {dns} of them DNS:\n{seen}"
    if problem:
        return f"{problem}\n{cell.report()}"
    return None
