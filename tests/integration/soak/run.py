#!/usr/bin/env python3
"""
The soak: run.py SOCKSIFYD. For SOAK_SECONDS two servers, one with users, get all kinds of load at once, and their
settings are reloaded meanwhile. Well-behaved clients check every octet; then they are gone, and so must be every
descriptor and session; what the log says was relayed is what the clients counted; and a sanitizer has nothing to say.

Without SOAK_SECONDS it is a minute, or a quarter of one for a server that has no sanitizer.
SOAK_SEED repeats a run as far as that is possible with threads.
"""

import multiprocessing
import os
import queue
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
WIRE = os.path.join(os.path.dirname(HERE), "wire")
sys.path[:0] = [HERE, WIRE]
sys.dont_write_bytecode = True
SKIPPED = 77
CLIENTS, OTHERS, THREADS = 10, 3, 2
FORK = multiprocessing.get_context("fork")


def enter_namespace():
    """Addresses, ports and quotas of its own."""
    if os.environ.get("SOAK_INSIDE"):
        return
    os.environ["SOAK_INSIDE"] = "yes"
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    argv = [*unshare, "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, *sys.argv]
    probe = subprocess.run([*unshare, "ip", "link", "set", "lo", "up"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        print(f"no network namespace: {probe.stderr.strip()}")
        sys.exit(SKIPPED)
    os.execvp(argv[0], argv)


def is_sanitized(path):
    with open(path, "rb") as f:
        return b"__asan_init" in f.read()


if __name__ == "__main__":
    SERVER = os.path.abspath(sys.argv[1])
    enter_namespace()

from deeds import DEEDS, USER  # noqa: E402
from ledger import Ledger, compare, read_log  # noqa: E402
from mischief import MISCHIEF  # noqa: E402
from targets import Targets  # noqa: E402
from wire import Dns, closed_port  # noqa: E402

# Of deeds.PASSWORD, as crypt(3) makes a cheap one: what is to be soaked is not the hashing.
HASH = "$5$rounds=1000$soak$il.VdaD.Z.MmKWTtJuPl4/aLHA9YgYtIyYM0WQQIIgC"
HOSTS = "127.0.0.1 four.test\n::1 six.test\n127.0.0.1 both.test\n::1 both.test\n127.0.0.1 forbidden.test\n"
RULES = "deny to forbidden.test\nallow\n"


class Door:
    """A server."""

    def __init__(self, path, folder, name, login, options):
        self.name, self.login = name, login
        self.log_path = os.path.join(folder, name + ".log")
        self.hosts = os.path.join(folder, name + ".hosts")
        self.users = os.path.join(folder, name + ".users")
        self.rules = os.path.join(folder, name + ".rules")
        argv = [path, "--listen", "127.0.0.1:0", "--hosts", self.hosts, "--rules", self.rules,
                "--handshake-timeout", "15", "--connect-timeout", "10", *options]
        if login:
            self.user_lines = [f"{user}:{HASH}\n" for user in (USER.decode(), "other")]
            argv += ["--users", self.users]
        self.write(random.Random(0))
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(argv, stderr=log, stdin=subprocess.DEVNULL)
        self.port = int(self.wait_line("listening ").rpartition("port=")[2])
        self.reloads = 0
        self.sockets = self.count("socket:") + THREADS
        self.fds = len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def write(self, rng):
        """Its settings: what clients count on, and something else each time."""
        self.replace(self.hosts, HOSTS + "".join(f"127.0.0.{rng.randrange(1, 255)} n{n}.test\n"
                                                 for n in range(rng.randrange(50))))
        rules = [f"deny to 198.51.100.{rng.randrange(256)}\n" for _ in range(rng.randrange(20))]
        self.replace(self.rules, "".join(rules) + RULES)
        if self.login:
            lines = self.user_lines[:1] + rng.sample(self.user_lines[1:], rng.randrange(2))
            self.replace(self.users, "".join(rng.sample(lines, len(lines))))

    @staticmethod
    def replace(path, text):
        with open(path + ".new", "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(f.name, 0o600 if path.endswith(".users") else 0o644)
        os.rename(f.name, path)

    def reload(self, rng):
        self.write(rng)
        self.process.send_signal(signal.SIGHUP)
        self.reloads += 1

    def lines(self):
        with open(self.log_path, "r", encoding="ascii", errors="replace") as f:
            return f.read().splitlines()

    def wait_line(self, start, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for line in self.lines():
                if line.startswith(start):
                    return line
            time.sleep(0.02)
        raise RuntimeError(f"{self.name}: no line {start!r}: {self.lines()[-20:]}")

    def count(self, kind):
        folder, n = f"/proc/{self.process.pid}/fd", 0
        for fd in os.listdir(folder):
            try:
                n += os.readlink(os.path.join(folder, fd)).startswith(kind)
            except FileNotFoundError:
                pass
        return n

    def is_empty(self):
        """
        Nothing is left but what it started with, a socket for questions to the nameserver for each thread, and idle
        pipes.
        """
        return self.count("socket:") <= self.sockets

    def rss_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(f.read().partition("VmRSS:")[2].split()[0])


class Soak:
    def __init__(self, path, folder, seconds, seed):
        self.seconds, self.seed, self.patience = seconds, seed, 30
        self.ledger, self.targets = Ledger(), Targets(FORK)
        self.dns = Dns({("dns.test", "A"): ["127.0.0.1"]}, silent=[("silent.test", "A"), ("silent.test", "AAAA")])
        self.closed_port = closed_port()
        options = [*self.dns.options, "--bind-timeout", "5", "--threads", str(THREADS)]
        self.doors = [Door(path, folder, "open", False, [*options, "--ident", "ask"]),
                      Door(path, folder, "users", True, options)]
        self.stopping, self.failures = FORK.Event(), []

    # For deeds and mischief

    def come(self, door, rng, source=None):
        source = source or f"127.0.{rng.randrange(1, 8)}.{rng.randrange(1, 255)}"
        return socket.create_connection(("127.0.0.1", door.port), self.patience, (source, 0))

    def wait(self, seconds):
        self.stopping.wait(seconds)

    # The work

    def fail(self, text):
        self.failures.append(text)
        self.stopping.set()

    def work(self, number, table, strict, results):
        """A process's life."""
        rng = random.Random(f"{self.seed} {number}")
        kinds, weights = list(table), list(table.values())
        while not self.stopping.is_set():
            deed = rng.choices(kinds, weights)[0]
            started = time.monotonic()
            try:
                deed(self, rng)
            except Exception as e:  # pylint: disable=broad-except # whatever it is, it is told
                if strict:
                    self.fail(f"{deed.__name__}: " + "".join(traceback.format_exception(e)[-4:]).rstrip())
                elif isinstance(e, ConnectionRefusedError):
                    self.fail(f"{deed.__name__}: nobody listens")
            self.ledger.did(deed.__name__, time.monotonic() - started)
        results.put((self.ledger, self.failures))

    def run(self):
        results = FORK.Queue()
        workers = [(n, DEEDS, True) for n in range(CLIENTS)]
        workers += [(n, MISCHIEF, False) for n in range(CLIENTS, CLIENTS + OTHERS)]
        for one in workers:
            FORK.Process(target=self.work, args=(*one, results), daemon=True).start()
        rng = random.Random(f"{self.seed} reload")
        end = time.monotonic() + self.seconds
        while time.monotonic() < end and not self.stopping.wait(rng.random()):
            rng.choice(self.doors).reload(rng)
        self.stopping.set()
        for _ in workers:
            try:
                ledger, failures = results.get(timeout=3 * self.patience)
            except queue.Empty:
                self.fail("a client is stuck, or died")
                return
            self.ledger.add(ledger)
            self.failures += failures

    # The reckoning

    def settle(self, door):
        """Everybody has gone: so must everything that was theirs."""
        end = time.monotonic() + self.patience
        while not door.is_empty():
            if time.monotonic() > end or door.process.poll() is not None:
                self.fail(f"{door.name}: {door.count('socket:')} sockets are left, {door.sockets} at first")
                return
            time.sleep(0.05)

    def end(self, door):
        rss = door.rss_kib() if door.process.poll() is None else 0
        if door.process.poll() is None:
            door.process.send_signal(signal.SIGTERM)
        try:
            status = door.process.wait(self.patience)
        except subprocess.TimeoutExpired:
            door.process.kill()
            status = f"still there {self.patience} s after SIGTERM"
            door.process.wait()
        lines = door.lines()
        if status != 0:
            self.fail(f"{door.name}: status {status}: " + "\n".join(lines[-60:]))
        if not any(line == "stopped sessions=0" for line in lines):
            self.fail(f"{door.name}: sessions were left: {[x for x in lines if x.startswith(('stopped', 'draining'))]}")
        if any("Sanitizer" in line or "runtime error:" in line for line in lines):
            self.fail(f"{door.name}: a sanitizer complains:\n" + "\n".join(lines[-80:]))
        tunnels, kinds, faults = read_log(lines, THREADS)
        for fault in faults:
            self.fail(f"{door.name}: {fault}")
        warnings = {line for line in lines if line.startswith("warning ")}
        for line in sorted(warnings)[:5]:
            print(f"{door.name}: {line}")
        if not any(line.startswith("reloaded") for line in lines) and door.reloads:
            self.fail(f"{door.name}: nothing was reloaded")
        print(f"{door.name}: {door.reloads} reloads, RSS {rss} KiB at the end, sessions: "
              + ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())))
        return tunnels

    def reckon(self):
        tunnels = {}
        for door in self.doors:
            if not self.failures:
                self.settle(door)
            for client, list_of in self.end(door).items():
                tunnels.setdefault(client, []).extend(list_of)
        for difference in compare(self.ledger, tunnels):
            self.fail(difference)

    def told(self):
        for name, n in sorted(self.ledger.deeds.items()):
            print(f"{n:7} {name}, {1000 * self.ledger.seconds[name] / n:.0f} ms each")
        counted = sum(map(len, self.ledger.tunnels.values()))
        print(f"{counted} tunnels with {self.ledger.octets / (1 << 20):.0f} MiB are accounted for, each octet checked")
        for failure in self.failures[:20]:
            print("FAIL", failure)
        return 1 if self.failures else 0


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    seconds = min(float(os.environ.get("SOAK_SECONDS", "60" if is_sanitized(SERVER) else "15")), 300)
    seed = os.environ.get("SOAK_SEED", str(time.time_ns()))
    print(f"SOAK_SECONDS={seconds:.0f} SOAK_SEED={seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="soak.") as folder:
        os.chmod(folder, 0o755)
        soak = Soak(SERVER, folder, seconds, seed)
        try:
            soak.run()
            soak.reckon()
        finally:
            for door in soak.doors:
                if door.process.poll() is None:
                    door.process.kill()
        return soak.told()


if __name__ == "__main__":
    sys.exit(main())
