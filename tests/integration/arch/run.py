#!/usr/bin/env python3
"""Programs of other classes and machines: 32-bit ones beside 64-bit ones, and aarch64 under qemu.

Usage: run.py --build BUILD [--i386 BUILD] [--aarch64 BUILD]

BUILD is a build of the whole tree, the others of the library and the wrapper for the machine. A line for each
check; what can't be run here is skipped with the reason. Exit status 1 if any failed, 77 if this machine
has no namespaces for us.

Nothing leaves: the clients run in a network of their own that has nothing but loopback. The name that they ask
for is known to the proxy alone, so whoever gets through has come by it.
"""

import argparse
import os
import pathlib
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parents[2]
NAME, NAMESERVER, NOBODY = "story.test", "192.0.2.53", "192.0.2.9"
SYSROOT = "/usr/aarch64-linux-gnu"
TIME64 = ["-D_FILE_OFFSET_BITS=64", "-D_TIME_BITS=64"]
WARNINGS = ["-Wall", "-Wextra", "-Werror"]
# As scripts/cross/i386.ini.
M32 = ["gcc", "-m32", "-idirafter", "/usr/include/x86_64-linux-gnu"]

failed = 0


def ok(name):
    print(f"ok arch: {name}", flush=True)


def skip(name, reason):
    print(f"skip arch: {name}: {reason}", flush=True)


def fail(name, why):
    global failed
    failed += 1
    print(f"FAIL arch: {name}", *("    " + line for line in why.rstrip().splitlines()), sep="\n", flush=True)


class Echo(socketserver.ThreadingTCPServer):
    daemon_threads = True

    class RequestHandlerClass(socketserver.BaseRequestHandler):
        def handle(self):
            while data := self.request.recv(4096):
                self.request.sendall(data)

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.RequestHandlerClass)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class World:
    """A proxy, somebody behind it, and the folders where the libraries are installed."""

    def __init__(self, args, scratch):
        self.args, self.scratch = args, pathlib.Path(scratch)
        self.port = str(Echo().server_address[1])
        hosts = self.scratch / "hosts"
        hosts.write_text(f"127.0.0.1 {NAME}\n", encoding="ascii")
        self.server = subprocess.Popen(
            [f"{args.build}/src/server/socksifyd", "--listen", "127.0.0.1:0", "--hosts", hosts],
            stderr=subprocess.PIPE,
            text=True,
        )
        for line in self.server.stderr:
            if "listening " in line:
                self.url = "socks5h://127.0.0.1:" + line.split("port=")[1].split()[0]
                break
        threading.Thread(target=self.server.stderr.read, daemon=True).start()
        self.env = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": scratch, "SOCKSIFY_LOG": "warn"}

    def compile(self, name, compiler, flags=()):
        """A client with a library that is found by its RUNPATH alone."""
        folder = self.scratch / name
        folder.mkdir()
        made = ["-O1", "-g", *WARNINGS, *flags]
        library = [*compiler, *made, "-shared", "-fPIC", HERE / "plugin.c"]
        program = [*compiler, *made, HERE / "client.c", "-Wl,--enable-new-dtags,-rpath," + str(folder)]
        for argv in (
            [*library, "-o", folder / "libplugin.so"],
            [*program, "-o", folder / "client"],
        ):
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RuntimeError(done.stderr)
        return str(folder / "client")

    def install(self, build):
        """Below one folder, as with one --prefix; returns its bin."""
        below = self.scratch / "installed"
        done = subprocess.run(
            ["meson", "install", "-C", build, "--no-rebuild", "--destdir", below],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)
        return next(below.rglob("bin"), None)

    def run(self, argv, **env):
        return subprocess.run(
            argv,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def check(self, name, argv, quiet=True, **env):
        done = self.run(argv, **env)
        told = done.stdout + done.stderr
        if done.returncode != 0 or (quiet and told):
            fail(name, f"status {done.returncode}\n{told}")
        else:
            ok(name)

    def ways(self):
        there = [NAME, self.port]
        return {
            "a connect that waits": ["plain", *there],
            "one that does not": ["later", *there],
            "by system call": ["number", *there],
            "older calls for names": ["names", *there],
            "a look-up in the background": ["waiting", "by-libc.test"],
            "DNS by hand": ["questions", NAMESERVER, NAME],
            "dlopen() with RTLD_DEEPBIND": ["plugin", *there],
        }


def told_bits(world, client):
    return world.run([client, "tell"]).stdout.strip()


def shows_hooks_alone(world, machine, build):
    library, wrapper = f"{build}/src/preload/libsocksify.so", f"{build}/src/wrapper/socksify"
    argv = [sys.executable, TREE / "tests/lint/exports.py", TREE / "src/preload/hooks.def", library, wrapper]
    world.check(f"{machine}: exports", argv)


def both_classes(world):
    """$LIB: one entry of LD_PRELOAD, of which each loader makes its own library."""
    try:
        clients = {
            "32 bits, 32 of time": world.compile("narrow", M32),
            "32 bits, 64 of time": world.compile("wide", M32, TIME64),
            "64 bits, 64 of time": world.compile("native", ["gcc"]),
        }
    except RuntimeError as e:
        return fail("32-bit programs are built", str(e))
    missing = [c for c in clients.values() if world.run([c, "tell"]).returncode != 0]
    if missing:
        return skip("32-bit programs", "this kernel or machine does not run them")
    # The 64-bit wrapper comes last, in the other's place.
    world.install(world.args.i386)
    wrapper = world.install(world.args.build) / "socksify"
    through = [wrapper, "-x", world.url, "--"]
    env = {"SOCKSIFY_NO_PROXY": "by-libc.test"}
    entry = world.run([*through, "printenv", "LD_PRELOAD"]).stdout.strip()
    if "/$LIB/libsocksify.so" not in entry:
        return fail("both classes in one entry", f"LD_PRELOAD is {entry!r}")
    ok("both classes in one entry")
    for bits, client in clients.items():
        if told_bits(world, client) != bits:
            fail(bits, f"it says {told_bits(world, client)}")
        for name, argv in world.ways().items():
            world.check(f"{bits}: {name}", [*through, client, *argv], **env)
        world.check(f"{bits}: UDP to nobody is refused", [*through, client, "datagrams", NOBODY], quiet=False)
    chains(world, through, clients)
    narrow = [f"{world.args.i386}/src/wrapper/socksify", "-x", world.url, "--"]
    world.check("a 32-bit wrapper", [*narrow, clients["32 bits, 32 of time"], "plain", NAME, world.port])
    return None


def chains(world, through, clients):
    narrow, native = clients["32 bits, 64 of time"], clients["64 bits, 64 of time"]
    there = [NAME, world.port]
    for how, with_what in (("exec", ""), ("bare", ", with nothing in its environment")):
        for name, parent, child in (("32 bits from 64", native, narrow), ("64 bits from 32", narrow, native)):
            world.check(f"{name}{with_what}", [*through, parent, how, child, "plain", *there])
    world.check(
        "64 bits from 32 from 64", [*through, native, "exec", narrow, "exec", native, "plain", *there]
    )


def aarch64(world):
    qemu = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")
    if not qemu:
        return skip("aarch64", "no qemu-aarch64 (Debian: qemu-user)")
    try:
        client = world.compile("aarch64", ["aarch64-linux-gnu-gcc"])
    except RuntimeError as e:
        return fail("aarch64 programs are built", str(e))
    library = os.path.join(os.path.abspath(world.args.aarch64), "src/preload/libsocksify.so")
    ways = world.ways()
    # What needs the helper: it finds no black hole, since qemu cuts TCP_INFO to its first four octets.
    for name in ("one that does not", "DNS by hand"):
        del ways[name]
    # qemu's own process must not have it.
    under = [qemu, "-L", SYSROOT, "-E", f"LD_PRELOAD={library}", "-E", f"SOCKSIFY_PROXY={world.url}", client]
    for name, argv in ways.items():
        world.check(f"aarch64: {name}", [*under, *argv], SOCKSIFY_NO_PROXY="by-libc.test")
    return None


def inside(args):
    subprocess.run(["ip", "link", "set", "dev", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory(prefix="socksify-arch.") as scratch:
        sys.path.insert(0, str(HERE.parent))
        import world as stories

        for path, text in (
            ("/etc/resolv.conf", f"nameserver {NAMESERVER}\noptions attempts:1 timeout:1\n"),
            ("/etc/hosts", "127.0.0.1 localhost\n"),
        ):
            source = pathlib.Path(scratch, path.replace("/", "-"))
            source.write_text(text, encoding="ascii")
            stories.bind(path, str(source))
        world = World(args, scratch)
        try:
            if args.i386:
                shows_hooks_alone(world, "i386", args.i386)
                both_classes(world)
            if args.aarch64:
                shows_hooks_alone(world, "aarch64", args.aarch64)
                aarch64(world)
        finally:
            world.server.terminate()
            world.server.wait()
    return 1 if failed else 0


def outside():
    flags = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    for more in ([], ["--user", "--map-root-user"]):
        probe = subprocess.run(
            ["unshare", *flags, *more, "true"], capture_output=True, text=True, check=False
        )
        if probe.returncode == 0:
            argv = ["unshare", *flags, *more, sys.executable, __file__, "--inside", *sys.argv[1:]]
            return subprocess.run(argv, check=False).returncode
    skip("all", f"no private network here: {' '.join(probe.stderr.split())}")
    return 77


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, help="a build of the whole tree")
    parser.add_argument("--i386", help="one of the library for 32 bits")
    parser.add_argument("--aarch64", help="one of the library for aarch64")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    return inside(args) if args.inside else outside()


if __name__ == "__main__":
    sys.exit(main())
