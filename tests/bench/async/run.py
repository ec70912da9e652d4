#!/usr/bin/env python3
"""Non-blocking connects from an event loop, beside the peers', in interleaved rounds.

usage: run.py BUILD [--rounds N] [--peers-up-to SECONDS] [--only PART]

BUILD is a release build directory. Runs in a network namespace of its own (as root, or where user
namespaces are allowed). The proxy (proxy.c) answers each of two steps 100 ms late, or at once, and is no
bottleneck; what a loop sees is told by loop.c. "by hand" is a loop that speaks SOCKS5 itself: the
floor. Prints Markdown tables of medians. Peers that are not installed are left out, and so are their runs
that would, one handshake after the other, take longer than so many seconds.
"""
import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ADDRESS = "203.0.113.1"  # on the namespace's own loopback device: TEST-NET-3
STEP_MS = 100
COUNTS = (1, 50, 200, 1000)
IDLE = (1, 100, 1000)
TURNS = 1000
HOOKS = ("epoll_ctl ADD", "epoll_ctl MOD", "epoll_ctl DEL", "dup", "close")


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__, add_help=False)
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers-up-to", type=float, default=60)
    parser.add_argument("--only", choices=("burst", "turns", "hooks"))
    return parser.parse_args()


def in_namespace():
    if os.environ.get("BENCH_NAMESPACE"):
        return
    os.environ["BENCH_NAMESPACE"] = "1"
    user = [] if os.geteuid() == 0 else ["-Ur"]
    os.execvp("unshare", ["unshare", *user, "-n", sys.executable, *sys.argv])


def prepare_network():
    commands = f"ip link set lo up && ip addr add {ADDRESS}/32 dev lo"
    subprocess.run(commands, shell=True, check=True)
    for key, value in (("ip_local_port_range", "2000 65535"), ("tcp_tw_reuse", "1")):
        with open("/proc/sys/net/ipv4/" + key, "w", encoding="ascii") as f:
            f.write(value)


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.processes = []
        for name in ("proxy", "loop"):
            source = os.path.join(HERE, name + ".c")
            argv = ["cc", "-O2", "-D_GNU_SOURCE", "-o", os.path.join(folder, name), source]
            subprocess.run(argv, check=True)
        self.loop = os.path.join(folder, "loop")

    def proxy(self, step_ms):
        """Returns its port, and the far end's."""
        process = subprocess.Popen(
            [os.path.join(self.folder, "proxy"), str(step_ms)], stdout=subprocess.PIPE, text=True
        )
        self.processes.append(process)
        ports = process.stdout.readline().strip(), process.stdout.readline().strip()
        if not all(ports):
            raise RuntimeError("the proxy did not start")
        return ports

    def ways(self, port):
        """Each way to run a program: name -> (argv in front, environment)."""
        library = os.path.join(os.path.abspath(self.args.build), "src/preload/libsocksify.so")
        url = f"socks5h://127.0.0.1:{port}"
        found = {"socksify": ([], {"LD_PRELOAD": library, "SOCKSIFY_PROXY": url})}
        if shutil.which("proxychains4"):
            path = os.path.join(self.folder, f"chains-{port}")
            with open(path, "w", encoding="ascii") as f:
                # Loopback goes direct, as it does with the others.
                f.write("strict_chain\nproxy_dns\nlocalnet 127.0.0.0/255.0.0.0\n")
                f.write(f"[ProxyList]\nsocks5 127.0.0.1 {port}\n")
            found["proxychains4"] = (["proxychains4", "-q", "-f", path], {})
        if shutil.which("torsocks"):
            path = os.path.join(self.folder, f"torsocks-{port}")
            with open(path, "w", encoding="ascii") as f:
                f.write(f"TorAddress 127.0.0.1\nTorPort {port}\nAllowOutboundLocalhost 1\n")
            found["torsocks"] = (["torsocks"], {"TORSOCKS_CONF_FILE": path})
        return found

    def run(self, way, *words):
        """The numbers that the loop prints; None if it fails."""
        front, environment = way
        done = subprocess.run(
            [*front, self.loop, *map(str, words)],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            print(f"{front}: {words}: {done.stderr.strip()[-300:]}", file=sys.stderr)
            return None
        return [float(word) for word in done.stdout.split()]

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()


class Series:
    """Values of several runs, each a list of numbers."""

    def __init__(self):
        self.runs = []

    def add(self, numbers):
        if numbers is not None:
            self.runs.append(numbers)

    def median(self, column=0):
        if not self.runs:
            return None
        return statistics.median(run[column] for run in self.runs)


def table(head, rows):
    print()
    print("| " + " | ".join(head) + " |")
    print("|---" + "|---:" * (len(head) - 1) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


def shown(value, digits=0):
    return "–" if value is None else f"{value:,.{digits}f}"


def burst(bench):
    port, far = bench.proxy(STEP_MS)
    plain = ([], {})
    runs = {
        "direct, no proxy": (plain, "burst", ADDRESS, far),
        "by hand (the floor)": (plain, "socks", "127.0.0.1", port),
    }
    for name, way in bench.ways(port).items():
        runs[name] = (way, "burst", ADDRESS, "80")
    results = {name: {n: Series() for n in COUNTS} for name in runs}
    for turn in range(bench.args.rounds):
        for name, (way, *words) in runs.items():
            for n in COUNTS:
                peer = name in ("proxychains4", "torsocks")
                # Their time is n handshakes; one run says it.
                if peer and (turn > 0 or n * 2 * STEP_MS / 1000 > bench.args.peers_up_to):
                    continue
                results[name][n].add(bench.run(way, *words, n))
    columns = ("all connected, ms", "longest stall of the loop, ms", "longest connect(), us")
    for column, title in enumerate(columns):
        digits = 0 if column else 1
        table(
            [title, *(f"{n:,} at once" for n in COUNTS)],
            [
                [name, *(shown(of[n].median(column), 1 if column < 2 else 0) for n in COUNTS)]
                for name, of in results.items()
            ],
        )
    ours, floor = results["socksify"], results["by hand (the floor)"]
    ratios = [(ours[n].median(), floor[n].median()) for n in COUNTS]
    print("\nsocksify to the floor:", ", ".join(f"{a / b:.2f}" if a and b else "–" for a, b in ratios))


def turns(bench):
    port, far = bench.proxy(0)
    plain = ([], {})
    runs = {
        "direct, no proxy": (plain, "turns", ADDRESS, far),
        "by hand": (plain, "turns-socks", "127.0.0.1", port),
    }
    for name, way in bench.ways(port).items():
        runs[name] = (way, "turns", ADDRESS, "80")
    results = {name: {n: Series() for n in IDLE} for name in runs}
    for _ in range(bench.args.rounds):
        for name, (way, *words) in runs.items():
            for n in IDLE:
                results[name][n].add(bench.run(way, *words, TURNS, n))
    table(
        ["one connect after the other, us each", *(f"{n:,} registered" for n in IDLE)],
        [[name, *(shown(of[n].median()) for n in IDLE)] for name, of in results.items()],
    )


def hooks(bench):
    ways = bench.ways(bench.proxy(0)[0])
    runs = {"without": (([], {}), "hooks")}
    for name, way in ways.items():
        runs[name] = (way, "hooks")
    # The helper thread waits for more for some seconds: a process of several threads, to the kernel.
    runs["socksify, its helper idle"] = (ways["socksify"], "hooks", ADDRESS, "80", "0")
    runs["socksify, its helper gone"] = (ways["socksify"], "hooks", ADDRESS, "80", "1")
    results = {name: Series() for name in runs}
    for _ in range(2 * bench.args.rounds):
        for name, (way, *words) in runs.items():
            results[name].add(bench.run(way, *words))
    table(
        ["nothing under way, ns a call", *HOOKS],
        [
            [name, *(shown(of.median(i)) for i in range(len(HOOKS)))]
            for name, of in results.items()
        ],
    )


def main():
    args = arguments()
    in_namespace()
    prepare_network()
    print(f"Linux {platform.release()}, {os.cpu_count()} cores, {args.rounds} rounds")
    folder = tempfile.mkdtemp()
    bench = Bench(args, folder)
    try:
        for part in (burst, turns, hooks):
            if args.only in (None, part.__name__):
                part(bench)
    finally:
        bench.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
