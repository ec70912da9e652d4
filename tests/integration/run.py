#!/usr/bin/env python3
"""Tells the stories: real programs, in a network where anything but the proxy is seen.

Usage: run.py --build DIR [--server FILE] [--filter TEXT]... [--doors] [STORY...]

Prints a line for each cell and "N passed, N failed[, N skipped]". Exit status 1 if any failed, 77 if this
machine has no namespaces for us. The world is explained in world.py, the watcher in
watch.py, how cells are told side by side in lanes.py.
"""

import argparse
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "leak")]
sys.dont_write_bytecode = True

import harness
import lanes
import leak
import servers
import world


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", help="build directory with src/wrapper, src/preload, src/server")
    parser.add_argument("--server", help="another socksifyd, such as one with sanitizers")
    parser.add_argument(
        "--preload-first",
        default="",
        help="a library to preload before ours: a sanitizer's runtime",
    )
    parser.add_argument(
        "--filter", action="append", default=[], help="only cells whose name holds this text"
    )
    parser.add_argument(
        "--way",
        action="append",
        default=[],
        help="instead of wrapper and preload: proxychains4, torsocks, bare",
    )
    parser.add_argument(
        "--proxy", action="append", default=[], help="only through this one; others are not started"
    )
    parser.add_argument("--patience", type=int, default=1, help="factor for every time-out")
    parser.add_argument(
        "--strict", action="store_true", help="hold event loops to the clock, too; see pace.py"
    )
    parser.add_argument(
        "--lanes",
        type=int,
        default=min(4, 2 * len(os.sched_getaffinity(0))),
        help="how many cells to tell at once",
    )
    parser.add_argument(
        "--doors",
        action="store_true",
        help="go through the doors of leak/, and tell no story that is not named",
    )
    parser.add_argument("--label", default="", help="stands before each cell's name")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("--real-root", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("stories", nargs="*", help="files of stories/, without .py")
    return parser.parse_args()


def outside(args):
    """Start again as process 1 of namespaces; nothing outlives it."""
    real_root = os.geteuid() == 0
    flags = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if not real_root:
        flags += ["--user", "--map-root-user"]
    probe = subprocess.run(
        [
            "unshare",
            *flags,
            "ip",
            "link",
            "add",
            "dev",
            "probe0",
            "type",
            "veth",
            "peer",
            "name",
            "probe1",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if probe.returncode != 0 and real_root:
        # Root of a container, perhaps: what it lacks a user namespace may still give.
        real_root = False
        flags += ["--user", "--map-root-user"]
        probe = subprocess.run(
            ["unshare", *flags, "true"], capture_output=True, text=True, check=False
        )
    if probe.returncode != 0:
        print(f"skip stories: no private network here: {' '.join(probe.stderr.split())}")
        return 77
    # The world's own users must get at what stands here.
    scratch = tempfile.mkdtemp(prefix="socksify-stories.")
    os.chmod(scratch, 0o755)
    argv = ["unshare", *flags, sys.executable, os.path.abspath(__file__), "--inside", scratch]
    if real_root:
        argv.append("--real-root")
    child = subprocess.Popen([*argv, *sys.argv[1:]], stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return child.wait()
    finally:
        child.kill()
        child.wait()
        shutil.rmtree(scratch, ignore_errors=True)


def load_stories(names):
    folder = os.path.join(HERE, "stories")
    known = sorted(f[:-3] for f in os.listdir(folder) if f.endswith(".py"))
    for name in names or known:
        if name not in known:
            sys.exit(f"no story file {name}; there are: {' '.join(known)}")
        spec = importlib.util.spec_from_file_location(
            "stories_" + name, os.path.join(folder, name + ".py")
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)


def cells(args):
    for one in harness.stories:
        for proxy, way, user in one.cells(args.proxy, args.way):
            name = f"{one.name}[{proxy},{way},{user}]"
            if all(text in name for text in args.filter):
                yield lanes.Job(name, one, proxy, way, user)


def inside(args):
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    label = args.label + ": " if args.label else ""

    def note(kind, name, text=""):
        counts[kind] += 1
        print(f"{kind} {label}{name}" + (f": {text}" if text else ""), flush=True)

    harness.TIMEOUT *= args.patience
    jobs = list(cells(args))
    place = world.World(args.inside, args.build, args.lanes)
    place.open()
    kit = servers.Kit(args, place)
    started = time.monotonic()
    try:
        kit.start(harness.PORTS, {name for job in jobs for name in job.story.needs})
        print(f"{time.monotonic() - started:.1f} s for the servers to start", flush=True)
        lanes.tell_all(kit, jobs, note)
    finally:
        for name, problem in kit.stop():
            note("FAIL" if problem else "ok", name, problem)
    print(f"{time.monotonic() - started:.0f} s for the stories")
    skipped = f", {counts['skip']} skipped" if counts["skip"] else ""
    print(f"{counts['ok']} passed, {counts['FAIL']} failed{skipped}", flush=True)
    return 1 if counts["FAIL"] else 0


def main():
    args = arguments()
    if not args.inside:
        return outside(args)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if args.stories or not args.doors:
        load_stories(args.stories)
    if args.doors:
        harness.stories.extend(leak.stories(args.build))
    return inside(args)


if __name__ == "__main__":
    sys.exit(main())
