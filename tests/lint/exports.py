#!/usr/bin/env python3
"""What the built files show to a loader: the library's exports and needs, and everyone's hardening.

Usage: exports.py HOOKS.DEF LIBRARY [PROGRAM...]
       exports.py --self-test CC   shows, by small libraries made for it, that each fault is found
"""

import os
import re
import subprocess
import sys
import tempfile

# All of them glibc's own; the last ones are apart from libc.so.6 before glibc 2.34.
NEEDED = re.compile(r"libc\.so\.6|libdl\.so\.2|libpthread\.so\.0|ld-linux.*\.so\.\d")
# Runtimes of the sanitizers, in builds that have them.
SANITIZER = re.compile(
    r"lib(asan|ubsan|tsan|lsan)\.so|libclang_rt\.|libgcc_s\.so|libm\.so|librt\.so|libstdc\+\+"
)
ROW = re.compile(r"^HOOK\w*\(\s*[^,]+,\s*(\w+)\s*,", re.M)


def output(*argv):
    env = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(argv, capture_output=True, text=True, check=True, env=env).stdout


def rows(path):
    with open(path, encoding="utf-8") as f:
        text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
    return ROW.findall(text)


def exports(path):
    """(symbol, letter) of the dynamic table, versions cut off."""
    lines = (line.split() for line in output("nm", "-D", "--defined-only", path).splitlines())
    return {words[-1].split("@")[0]: words[-2] for words in lines}


def check_exports(hooks, library, sanitized):
    want, have = rows(hooks), exports(library)
    for name in sorted({n for n in want if want.count(n) > 1}):
        yield f"{hooks}: two rows for {name}"
    for name in sorted(set(want) - set(have)):
        yield f"{library}: {name} has a row in {hooks}, but is not exported"
    for name in sorted(set(have) - set(want)):
        if not (
            sanitized and name.startswith(("__asan", "__ubsan", "__odr_asan", "__tsan", "__sancov"))
        ):
            yield f"{library}: exports {name}, which has no row in {hooks}"
    for name in sorted(set(want) & set(have)):
        if have[name] not in "TtWi":
            yield f"{library}: {name} is not a function (nm says {have[name]})"


def check_needs(library, dynamic, sanitized):
    for name in re.findall(r"\(NEEDED\).*\[(.+)\]", dynamic):
        if not NEEDED.fullmatch(name) and not (sanitized and SANITIZER.match(name)):
            yield f"{library}: needs {name}; a stranger's process gets libc and nothing else"


def check_hardening(path, is_program):
    dynamic, segments, header = (output("readelf", "-W", flag, path) for flag in ("-d", "-l", "-h"))
    if "GNU_RELRO" not in segments:
        yield f"{path}: no RELRO"
    if not re.search(r"BIND_NOW|FLAGS_1.*\bNOW\b", dynamic):
        yield f"{path}: lazy binding, so RELRO is partial (-z now)"
    stack = re.search(r"GNU_STACK(?:\s+0x\w+){5}\s+([RWE ]+?)\s+0x", segments)
    if not stack or "E" in stack.group(1):
        yield f"{path}: the stack is executable"
    if "TEXTREL" in dynamic:
        yield f"{path}: text relocations"
    if re.search(r"\((RPATH|RUNPATH)\)", dynamic):
        yield f"{path}: has a run path"
    if is_program and not re.search(r"Type:\s+DYN", header):
        yield f"{path}: not position independent"


def check(hooks, library, programs):
    dynamic = output("readelf", "-W", "-d", library)
    sanitized = bool(re.search(r"__(asan|ubsan|tsan)_", output("nm", "-D", library)))
    yield from check_exports(hooks, library, sanitized)
    yield from check_needs(library, dynamic, sanitized)
    yield from check_hardening(library, False)
    for path in programs:
        yield from check_hardening(path, True)


FLAGS = ["-shared", "-fPIC", "-nostartfiles", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack"]
HOOKS = "/* HOOK(int, ghost, (void), ()) */\nHOOK(int, one, (void), ())\nHOOK_ALIAS(int, two, one,\n (void), ())\n"
CODE = "int one(void) { return 1; } int two(void) { return 2; }\n"
CASES = [
    (HOOKS, CODE, [], None),
    (HOOKS, CODE + "int three(void) { return 3; }\n", [], "exports three"),
    (HOOKS, "int one(void) { return 1; }\n", [], "two has a row"),
    (HOOKS, "int one; int two(void) { return 2; }\n", [], "one is not a function"),
    (HOOKS + "HOOK(int, one, (void), ())\n", CODE, [], "two rows for one"),
    (HOOKS, CODE, ["-Wl,-z,lazy"], "lazy binding"),
    (HOOKS, CODE, ["-Wl,-z,execstack"], "stack is executable"),
    (HOOKS, CODE, ["-Wl,-z,norelro"], "no RELRO"),
    (HOOKS, CODE, ["-Wl,-rpath,/opt"], "has a run path"),
    (HOOKS, CODE, ["-Wl,--no-as-needed", "-lm"], "needs libm"),
]


def self_test(compiler):
    bad = 0
    for hooks, code, flags, want in CASES:
        with tempfile.TemporaryDirectory() as there:
            names = [os.path.join(there, n) for n in ("hooks.def", "a.c", "a.so")]
            for name, text in zip(names, (hooks, code)):
                with open(name, "w", encoding="utf-8") as f:
                    f.write(text)
            subprocess.run([*compiler, *FLAGS, names[1], "-o", names[2], *flags], check=True)
            told = "\n".join(check(names[0], names[2], []))
        if (want is None and told) or (want is not None and want not in told):
            print(f"{code!r} {flags}: wanted {want!r}, told {told!r}")
            bad += 1
    return 1 if bad else 0


def main():
    if len(sys.argv) < 3:
        print(__doc__)
        return 2
    if sys.argv[1] == "--self-test":
        return self_test(sys.argv[2:])
    faults = list(check(sys.argv[1], sys.argv[2], sys.argv[3:]))
    print(*faults, sep="\n", end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
