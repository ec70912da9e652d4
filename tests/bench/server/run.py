#!/usr/bin/env python3
"""socksifyd beside other SOCKS servers: octets, connections, small messages, idle tunnels, datagrams.

usage: run.py --build DIR [options]

  --build [NAME=]DIR        a build directory's socksifyd (release, or the figures say little); given again,
                            with a NAME, it compares builds. The first is what the goals are about.
  --socksifyd-options "X"   more options for each --build, e.g. "--threads 2"; with NAME: in front, for that
                            one alone: "new:--relay copy"
  --server "NAME=COMMAND"   any other server: {port} stands for its port on 127.0.0.1, {folder} for a place
                            for its files, e.g. --server "old=/opt/old/socksifyd -q -l 127.0.0.1:{port}" or
                            --server "3proxy=/opt/3proxy/bin/socks -p{port} -i127.0.0.1"
  --without NAME            leave this one out: direct, microsocks, danted
  --only A,B                these stories alone: bulk, connects, pingpong, idle, udp, flood
  --rounds N                5; the servers take turns in each, and each round begins with another one
  --seconds S               1; for one figure
  --calm P                  take a figure again, up to 5 times, where other programs took more than P of a
                            processor meanwhile; the calmest is kept
  --nice N                  processors before others get theirs, as root: -10, say, in a session of its own (where
                            the kernel groups processes by session, nice(1) alone changes nothing)
  --rest S                  a pause before each figure, for those others
  --json FILE               all that was measured, too
  --quick                   one round, the content check above all: a test of socksifyd and of this tool. No
                            time makes it fail.

How it works: load.c and its neighbours, built here by cc, are the clients and the targets, in one process of
one thread, which in bulk copies nothing; each server is a process of its own. All live in a network
namespace of their own, with one congestion control for all (cubic where a namespace may have it, else reno),
and talk over its loopback. First every octet is verified, both ways, and what fails that is told; then
figures are taken. They are medians of the rounds, with the lowest and the highest in JSON. A server's processor
time is that of all its processes, from /proc/PID/stat. "busy" is its share of the time, in processors: far below
1, for a server of one thread, something else was the limit. "direct" is no server at all: what the tool and
the kernel do. microsocks and danted are Debian's, where they are installed; microsocks has no UDP.

Goals are about ratios: the median of those of each round, whose two figures were taken next to each other. The
figures are worth little on a machine that others use meanwhile; how much was taken by others is told. Exit
status 77: no namespaces here. 1: a socksifyd failed, in the content check or later.
"""
import argparse
import glob
import json
import os
import platform
import re
import resource
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import report  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SKIP = 77
TICK = os.sysconf("SC_CLK_TCK")

# It runs as an ordinary user, so there is nobody else for it to become.
DANTED_CONFIG = """logoutput: stderr
errorlog: stderr
internal: 127.0.0.1 port = {port}
external: 127.0.0.1
clientmethod: none
socksmethod: none
user.privileged: nobody
user.unprivileged: nobody
client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
"""


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__, add_help=False)
    parser.add_argument("--build", action="append", default=[])
    parser.add_argument("--socksifyd-options", action="append", default=[])
    parser.add_argument("--server", action="append", default=[])
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("--only")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--calm", type=float)
    parser.add_argument("--nice", type=int, default=0)
    parser.add_argument("--rest", type=float, default=0)
    parser.add_argument("--json")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    if not args.build and not args.server:
        parser.error("--build or --server says what is measured")
    if args.quick:
        args.rounds, args.seconds = 1, 0.1
    return args


def enter_namespace(nice):
    if os.environ.get("BENCH_NAMESPACE"):
        if nice:
            be_nice(nice)
        return
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    try:
        probe = subprocess.run(
            [*unshare, "ip", "link", "set", "lo", "up"], capture_output=True, text=True, check=False
        )
        why = probe.stderr.strip() if probe.returncode else ""
    except OSError as e:
        why = str(e)
    if why:
        print(f"no network namespace: {why}")
        sys.exit(SKIP)
    os.environ["BENCH_NAMESPACE"] = "1"
    session = ["setsid", "-w"] if nice else []
    os.execvp((session + unshare)[0], [*session, *unshare, sys.executable, *sys.argv])


def be_nice(number):
    try:
        os.nice(number)
        write("/proc/self/autogroup", str(number))
    except OSError as e:
        print(f"--nice: {e}", file=sys.stderr)


def write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def prepare_network():
    """Returns the congestion control that it is then."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    ipv4 = "/proc/sys/net/ipv4/"
    write(ipv4 + "ip_local_port_range", "2000 65535")
    write(ipv4 + "tcp_tw_reuse", "1")
    for name in ("cubic", "reno"):
        try:
            write(ipv4 + "tcp_congestion_control", name)
            break
        except OSError:
            # Not loaded, or not among those that a namespace may choose.
            continue
    return read(ipv4 + "tcp_congestion_control").strip()


def raise_limits():
    """Ten thousand tunnels are twenty thousand descriptors, here and in the server."""
    want = 65536
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (want, max(hard, want)))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def stat_of(pid):
    """Its parent, and the ticks of itself and of those children that it has waited for."""
    try:
        fields = read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
    except OSError:
        return None
    return int(fields[1]), sum(map(int, fields[11:15]))


def family(pid):
    """This process and all that come from it: {pid: ticks}."""
    known = {}
    for path in glob.glob("/proc/[0-9]*"):
        number = int(path[6:])
        stat = stat_of(number)
        if stat:
            known[number] = stat
    members, found = {}, [pid]
    while found:
        one = found.pop()
        if one in known:
            members[one] = known[one][1]
            found += [child for child, (parent, _) in known.items() if parent == one]
    return members


def machine_ticks():
    """What all processors were busy with, in ticks."""
    fields = [int(word) for word in read("/proc/stat").split("\n", 1)[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4]


class Server:
    """How to start it, while it runs, and what is wrong with it."""

    def __init__(self, name, command, ours=False):
        self.name, self.command, self.ours = name, command, ours
        self.process = self.port = None
        self.faults = []
        self.starts = 0

    def __str__(self):
        return self.name

    def start(self, folder):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.starts += 1
        place = os.path.join(folder, f"{self.name}-{self.starts}")
        os.mkdir(place)
        os.chmod(place, 0o777)
        argv = [word.replace("{port}", str(self.port)).replace("{folder}", place) for word in self.command]
        if any("danted.conf" in word for word in argv):
            write(os.path.join(place, "danted.conf"), DANTED_CONFIG.format(port=self.port))
        self.log = os.path.join(place, "log")
        with open(self.log, "wb") as log:
            # A group of its own, for stop(); no session, in which --nice would be lost.
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=os.setpgrp
            )
        deadline = time.monotonic() + 30
        mark = f":{self.port:04X} "
        while not any(mark in line and " 0A " in line for line in read("/proc/net/tcp").splitlines()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{self.name} does not listen: {read(self.log)[-500:]}")
            time.sleep(0.01)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def cpu_s(self):
        return sum(family(self.process.pid).values()) / TICK

    def memory_kib(self):
        """Of all its processes, each shared page counted once."""
        sums = {"Pss": 0, "Rss": 0, "Private": 0}
        for pid in family(self.process.pid):
            try:
                text = read(f"/proc/{pid}/smaps_rollup")
            except PermissionError:
                # Of one that lets nobody look into it, except root. What it has is hardly shared.
                size = int(re.search(r"^VmRSS:\s+(\d+)", read(f"/proc/{pid}/status"), re.M)[1])
                text = "".join(f"\n{key}: {size} kB" for key in sums)
            except OSError:
                continue
            for line in text.splitlines()[1:]:
                key, value = line.split()[:2]
                key = "Private" if key.startswith("Private_") else key.rstrip(":")
                if key in sums:
                    sums[key] += int(value)
        return sums

    def stop(self):
        if self.process is None:
            return
        # All at once: of those who fork, one might come between two signals, and the first may not tell the others.
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except OSError:
            pass
        self.process.wait()
        self.process = None


def find_servers(args):
    ours = []
    for word in args.build:
        name, _, build = word.rpartition("=")
        name = name or "socksifyd"
        path = os.path.join(os.path.abspath(build), "src/server/socksifyd")
        if not os.access(path, os.X_OK):
            sys.exit(f"run.py: there is no {path}")
        command = [path, "--quiet", "--listen", "127.0.0.1:{port}"]
        usage = subprocess.run([path, "--help"], capture_output=True, text=True, check=False).stdout
        # All clients come from one address here.
        for option in ("--max-clients", "--max-clients-per-source"):
            if f"{option} " in usage:
                command += [option, "0"]
        for words in args.socksifyd_options:
            whose, colon, rest = words.partition(":")
            if not colon or whose.startswith("-"):
                command += shlex.split(words)
            elif whose == name:
                command += shlex.split(rest)
        ours.append(Server(name, command, True))
    for word in args.server:
        name, _, command = word.partition("=")
        ours.append(Server(name, shlex.split(command)))
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    microsocks, danted = (shutil.which(name, path=path) for name in ("microsocks", "danted"))
    if microsocks:
        ours.append(Server("microsocks", [microsocks, "-i", "127.0.0.1", "-p", "{port}"]))
    if danted:
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        if read("/proc/self/uid_map").split()[2] == "1":
            nobody = ["unshare", "-U", "--map-user=65534", "--map-group=65534"]
        ours.append(Server("danted", [*nobody, danted, "-f", "{folder}/danted.conf"]))
    found = [Server("direct", None), *ours]
    names = [s.name for s in found]
    if len(set(names)) < len(names):
        sys.exit("run.py: two servers of one name; --build NAME=DIR gives another")
    return [s for s in found if s.name not in args.without]


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.servers = find_servers(args)
        self.others = []  # how much of a processor others took, figure by figure
        self.load = os.path.join(folder, "load")
        sources = sorted(glob.glob(os.path.join(HERE, "*.c")))
        compiler = shlex.split(os.environ.get("CC", "cc"))
        subprocess.run([*compiler, "-O2", "-D_GNU_SOURCE", "-Wall", "-o", self.load, *sources], check=True)

    def ready(self, server):
        """Runs, again if need be; its port for the tool."""
        if server.command is None:
            return 0
        if not server.alive():
            if server.process is not None:
                self.fault(server, f"it ended by itself: {read(server.log)[-300:]}")
                server.stop()
            server.start(self.folder)
        return server.port

    @staticmethod
    def fault(server, what):
        if what not in server.faults:
            server.faults.append(what)
            print(f"{server.name}: {what}", file=sys.stderr)

    def run(self, server, story, *words, patience=60):
        """{key: number}; None if it fails, and then "stderr" is in the faults."""
        argv = [self.load, story, str(self.ready(server)), *map(str, words)]
        try:
            done = subprocess.run(
                argv, capture_output=True, text=True, check=False, timeout=patience + self.args.seconds
            )
        except subprocess.TimeoutExpired:
            return None, "it takes too long"
        if done.returncode != 0:
            return None, done.stderr.strip()[-300:]
        return {key: float(value) for key, value in map(str.split, done.stdout.splitlines())}, ""

    def check(self, server):
        """Every octet, both ways, in few and many tunnels; what fails is a fault of the server."""
        size = 1 << 20 if self.args.quick else 32 << 20
        for seed, (streams, octets) in enumerate(((1, size), (8, size), (64, size // 8))):
            got, why = self.run(server, "check", streams, octets, seed, patience=300)
            if got is None:
                self.fault(server, f"content: {streams} streams: {why}")
        got, why = self.run(server, "half", 256 << 10)
        if got is None:
            self.fault(server, f"half-close: {why}")
        if server.command is None or server.name == "microsocks":
            return
        got, why = self.run(server, "check-udp", 200 if self.args.quick else 2000, 1400, 1)
        if got is None and "association: reply" in why:
            print(f"{server.name}: no UDP here: {why}", file=sys.stderr)
        elif got is None:
            self.fault(server, f"datagrams: {why}")

    def measured(self, server, story, *words):
        """What the tool says, and the server's processor time beside it; None if that can't be had."""
        best = None
        for _ in range(1 if self.args.calm is None else 5):
            time.sleep(self.args.rest)
            got = self.measured_once(server, story, *words)
            if got is None:
                break
            if best is None or got["others"] < best["others"]:
                best = got
            if self.args.calm is None or best["others"] <= self.args.calm:
                break
        if best is not None:
            self.others.append(best["others"])
        return best

    def measured_once(self, server, story, *words):
        self.ready(server)
        all_before = machine_ticks()
        cpu = server.cpu_s() if server.process else 0
        began = time.monotonic()
        got, why = self.run(server, story, *words)
        took = time.monotonic() - began
        if got is None:
            if not (story in ("udp", "flood") and "association: reply" in why):
                self.fault(server, f"{story} {' '.join(map(str, words))}: {why}")
            return None
        got["cpu_s"] = (server.cpu_s() - cpu) if server.process and server.alive() else 0
        got["busy"] = got["cpu_s"] / got["seconds"]
        got["own_busy"] = got["own_cpu_s"] / got["seconds"]
        all_ticks = (machine_ticks() - all_before) / TICK
        got["others"] = max(0.0, (all_ticks - got["cpu_s"] - got["own_cpu_s"]) / took)
        return got

    def idle(self, server, counts):
        """{count: KiB of user memory each}, from a server that is started for it."""
        server.stop()
        port = self.ready(server)
        got, why = self.run(server, "connects", 1, 0.05)
        if got is None:
            self.fault(server, f"idle: {why}")
            return {}
        before = server.memory_kib()
        process = subprocess.Popen(
            [self.load, "idle", str(port), ",".join(map(str, counts))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        result = {}
        try:
            for count in counts:
                words = process.stdout.readline().split()
                if not words or words[0] != "open":
                    self.fault(server, f"idle: {' '.join(words) or 'the tool ended'}")
                    break
                after = server.memory_kib()
                result[count] = {key: (after[key] - before[key]) / count for key in after}
                process.stdin.write("on\n")
                process.stdin.flush()
        finally:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
            server.stop()
        return result

    def stop(self):
        for server in self.servers:
            server.stop()


def figures(args):
    seconds = args.seconds
    rows = []
    for streams in (1, 8):
        for way in ("up", "down", "both"):
            title = f"bulk, {streams} stream{'s' * (streams > 1)}, {way}"
            rows.append(report.Figure("bulk", title, (streams, way, seconds)))
    for at_once in (1, 64):
        title = f"connections, {at_once} at a time"
        rows.append(report.Figure("connects", title, (at_once, seconds)))
    for streams in (1, 64):
        title = f"ping-pong of 64 octets, {streams} tunnel{'s' * (streams > 1)}"
        rows.append(report.Figure("pingpong", title, (streams, 64, seconds)))
    for octets in (64, 1400):
        rows.append(report.Figure("udp", f"datagrams of {octets:,} octets, echoed", (octets, 64, seconds)))
    for octets in (64, 1400):
        rows.append(report.Figure("flood", f"datagrams of {octets:,} octets, flood", (octets, seconds)))
    if args.only:
        rows = [row for row in rows if row.story in args.only.split(",")]
    return rows


def measure(bench, args):
    """[figure] with their runs, and {server: [{count: KiB}]}"""
    rows = figures(args)
    idle = {}
    # A tunnel takes two descriptors here, and two there.
    most = (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100) // 2
    counts = [100] if args.quick else sorted({min(n, most) for n in (1000, 5000, 10000)})
    for turn in range(args.rounds):
        shift = turn % len(bench.servers)
        order = bench.servers[shift:] + bench.servers[:shift]
        for row in rows:
            for server in order:
                row.add(server.name, bench.measured(server, row.story, *row.words))
        # It hardly differs from one time to the next.
        if turn < 2 and (not args.only or "idle" in args.only.split(",")):
            for server in order:
                if server.command is not None:
                    idle.setdefault(server.name, []).append(bench.idle(server, counts))
        print(f"round {turn + 1} of {args.rounds} is done", file=sys.stderr)
    return rows, idle


def main():
    args = arguments()
    enter_namespace(args.nice)
    about = {
        "kernel": platform.release(),
        "processors": len(os.sched_getaffinity(0)),
        "congestion control": prepare_network(),
        "descriptors": raise_limits(),
        "rounds": args.rounds,
        "seconds": args.seconds,
    }
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    bench = Bench(args, folder)
    try:
        for server in bench.servers:
            bench.ready(server)
            bench.check(server)
        rows, idle = measure(bench, args)
    finally:
        bench.stop()
        shutil.rmtree(folder)
    if bench.others:
        about["processors taken by others"] = (
            f"{statistics.median(bench.others):.2f} (median), {max(bench.others):.2f} at most"
        )
    everything = report.Report(about, bench.servers, rows, idle)
    print(everything.text())
    if args.json:
        with open(args.json, "w", encoding="ascii") as f:
            json.dump(everything.data(), f, indent=1)
    sys.exit(1 if any(s.ours and s.faults for s in bench.servers) else 0)


if __name__ == "__main__":
    main()
