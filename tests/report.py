#!/usr/bin/env python3
"""Runs meson's tests of a build and tells each in a line: "ok LABEL: NAME", "FAIL ...", "skip ...".

Usage: report.py LABEL BUILD [MESON-TEST-OPTIONS...] [--skip NAME[=REASON]]... [--rebuild]

A test that tells such lines itself counts by them, not as one. A skipped test is told where a reason is given.
With --rebuild what the tests need is built before, and no more.
"""

import json
import os
import re
import signal
import subprocess
import sys

LINE = re.compile(r"^(ok|FAIL|skip) (.*)$", re.M)
TELLERS = {"stories"}
FINE = {"OK", "EXPECTEDFAIL"}


def indent(text):
    return "\n".join("    " + line for line in text.rstrip().splitlines())


def tell(label, entry):
    name = entry["name"].split(" / ")[-1]
    out, err = entry.get("stdout") or "", entry.get("stderr") or ""
    result = entry["result"]
    if name in TELLERS and LINE.search(out):
        failed = "FAIL" in {m.group(1) for m in LINE.finditer(out)}
        print(re.sub(LINE, rf"\1 {label}: \2", out.rstrip()))
        if result in FINE or failed:
            return
    if result in FINE:
        print(f"ok {label}: {name}")
    elif result == "SKIP":
        print(f"skip {label}: {name}: {(out.strip().splitlines() or ['it skips itself'])[-1]}")
    else:
        print(f"FAIL {label}: {name} ({result}, status {entry.get('returncode')})")
        print(indent(out + err))


def main():
    # A shell has these ignored in what it runs in its background, and tests end programs by them.
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    label, build, *rest = sys.argv[1:]
    skip = dict(
        rest.pop(i + 1).partition("=")[::2]
        for i in reversed(range(len(rest)))
        if rest[i] == "--skip"
    )
    options = [word for word in rest if word not in ("--skip", "--rebuild")]
    if "--rebuild" not in rest:
        options.append("--no-rebuild")
    # Of a machine that is shared a test may get a quarter.
    if "--timeout-multiplier" not in rest:
        options += ["--timeout-multiplier", "4"]
    log = os.path.join(build, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.remove(log)
    names = []
    if skip:
        listed = subprocess.run(
            ["meson", "test", "-C", build, "--list", *options],
            capture_output=True,
            text=True,
            check=False,
        )
        names = [
            line.split(" / ")[-1].strip() for line in listed.stdout.splitlines() if " / " in line
        ]
        for name, reason in skip.items():
            if reason and name in names:
                print(f"skip {label}: {name}: {reason}")
        names = [name for name in dict.fromkeys(names) if name not in skip]
        if not names:
            return 0
    done = subprocess.run(
        ["meson", "test", "-C", build, "--num-processes", "3", *options, *names],
        capture_output=True,
        text=True,
        check=False,
    )
    if not os.path.exists(log):
        print(f"FAIL {label}: no test ran\n{indent(done.stdout + done.stderr)}")
        return 1
    with open(log, encoding="utf-8") as f:
        entries = [json.loads(line) for line in f]
    for entry in entries:
        tell(label, entry)
    return 0 if entries else 1


if __name__ == "__main__":
    sys.exit(main())
