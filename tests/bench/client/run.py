#!/usr/bin/env python3
"""What a preloaded library costs, beside its peers, in interleaved rounds.

usage: run.py BUILD [ROUNDS]      BUILD is a release build directory

Runs in a network namespace of its own (as root, or where user namespaces are
allowed), with socksifyd as everybody's proxy. Prints medians, and ratios to
ours; peers that are not installed are left out.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ADDRESS = "203.0.113.1"  # on the namespace's own loopback device: TEST-NET-3
NAME = "bench.test"
CONNECTS = 300


def in_namespace():
    if os.environ.get("BENCH_NAMESPACE"):
        return
    os.environ["BENCH_NAMESPACE"] = "1"
    user = [] if os.geteuid() == 0 else ["-Ur"]
    os.execvp("unshare", ["unshare", *user, "-n", sys.executable, *sys.argv])


def start(command, **more):
    return subprocess.Popen(command, text=True, **more)


def wrappers(build, port, folder):
    """Each way to run a program: name -> (argv in front, environment)."""
    chains = os.path.join(folder, "chains")
    with open(chains, "w") as f:
        f.write(f"strict_chain\nproxy_dns\n[ProxyList]\nsocks5 127.0.0.1 {port}\n")
    tor = os.path.join(folder, "torsocks")
    with open(tor, "w") as f:
        f.write(f"TorAddress 127.0.0.1\nTorPort {port}\n")
    url = f"socks5h://127.0.0.1:{port}"
    lib = os.path.join(build, "src/preload/libsocksify.so")
    ways = {
        "direct": ([], {}),
        "LD_PRELOAD": ([], {"LD_PRELOAD": lib, "SOCKSIFY_PROXY": url}),
        "socksify": ([os.path.join(build, "src/wrapper/socksify"), "-x", url], {}),
    }
    if shutil.which("proxychains4"):
        ways["proxychains4"] = (["proxychains4", "-q", "-f", chains], {})
    if shutil.which("torsocks"):
        ways["torsocks"] = (["torsocks"], {"TORSOCKS_CONF_FILE": tor})
    return ways


def startup_ms(front, environment):
    began = time.perf_counter()
    subprocess.run([*front, "/bin/true"], env={**os.environ, **environment}, check=True)
    return (time.perf_counter() - began) * 1e3


def connect_us(front, environment, program, host, port):
    done = subprocess.run([*front, program, host, port, str(CONNECTS)], text=True,
                          env={**os.environ, **environment}, capture_output=True)
    return float(done.stdout) if done.returncode == 0 and done.stdout else None


def table(title, unit, results):
    ours = statistics.median(results["LD_PRELOAD"])
    print(f"\n{title}")
    for way, values in results.items():
        if not values:
            print(f"  {way:14} failed")
            continue
        median = statistics.median(values)
        print(f"  {way:14} {median:9.2f} {unit}   x {median / ours:5.2f}")


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    in_namespace()
    build, rounds = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) == 3 else 11
    subprocess.run("ip link set lo up && ip addr add %s/32 dev lo" % ADDRESS, shell=True, check=True)
    folder = tempfile.mkdtemp()
    program = os.path.join(folder, "connects")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "connects.c")
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", program, source], check=True)
    hosts = os.path.join(folder, "hosts")
    with open(hosts, "w") as f:
        f.write(f"{ADDRESS} {NAME}\n")
    target = start([program, "--serve"], stdout=subprocess.PIPE)
    server = start([os.path.join(build, "src/server/socksifyd"), "--listen", "127.0.0.1:0",
                    "--hosts", hosts], stderr=subprocess.PIPE)
    try:
        target_port = target.stdout.readline().strip()
        port = server.stderr.readline().rsplit("port=", 1)[1].strip()
        # Read on, or the server's log would fill the pipe and hold it up.
        start(["cat"], stdin=server.stderr, stdout=subprocess.DEVNULL)
        ways = wrappers(build, port, folder)
        startup = {way: [] for way in ways}
        by_address = {way: [] for way in ways}
        by_name = {way: [] for way in ways if way != "direct"}
        for _ in range(rounds):
            for way, (front, environment) in ways.items():
                startup[way] += [startup_ms(front, environment) for _ in range(10)]
                for results, host in ((by_address, ADDRESS), (by_name, NAME)):
                    if way in results:
                        value = connect_us(front, environment, program, host, target_port)
                        results[way] += [value] if value else []
        table("start of /bin/true", "ms", startup)
        table(f"{CONNECTS} connects in turn by address, each", "us", by_address)
        table(f"{CONNECTS} connects in turn by name, each", "us", by_name)
    finally:
        for process in (target, server):
            process.kill()
            process.wait()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
