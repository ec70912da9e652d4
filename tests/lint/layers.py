#!/usr/bin/env python3
"""Holds every #include to the order of the rooms, and the pure rooms to their purity.

Usage: layers.py TREE        checks src/ and include/
       layers.py --self-test shows that each kind of fault is found
"""

import os
import re
import sys
import tempfile

# What a room may include beside its own headers.
ROOMS = {
    "base": [],
    "socks": ["base"],
    "dns": ["base"],
    "launch": ["base"],
    "config": ["base", "socks", "dns", "launch"],
    "names": ["base", "socks", "dns", "launch", "config"],
    "tunnel": ["base", "socks", "dns", "launch", "config", "names"],
    "preload": ["base", "socks", "dns", "launch", "config", "names", "tunnel"],
    "wrapper": ["base", "socks", "dns", "launch", "config", "names", "tunnel"],
    "server": ["base", "socks", "config"],
}
# These have no header under include/: nobody else may use them.
PRIVATE = {"preload", "wrapper", "server"}

PURE = {"socks", "dns"}
PURE_HEADERS = {
    "time.h": "reads clocks",
    "sys/time.h": "reads clocks",
    "base/clock.h": "reads clocks",
    "fcntl.h": "opens files",
    "unistd.h": "reads files",
    "sys/stat.h": "reads files",
    "dirent.h": "reads files",
    "sys/mman.h": "maps memory",
    "malloc.h": "allocates",
    "alloca.h": "allocates",
    "uthash.h": "allocates",
    "sys/socket.h": "makes sockets",
    "base/sys.h": "makes system calls",
    "poll.h": "waits",
    "netdb.h": "resolves names",
    "sys/epoll.h": "waits",
    "pthread.h": "makes threads",
    "signal.h": "handles signals",
}
PURE_CALLS = {
    **dict.fromkeys(
        ("malloc", "calloc", "realloc", "reallocarray", "free", "strdup", "strndup", "asprintf"),
        "allocates",
    ),
    **dict.fromkeys(("getenv", "secure_getenv", "setenv"), "reads the environment"),
    **dict.fromkeys(("time", "clock_gettime", "gettimeofday"), "reads a clock"),
    **dict.fromkeys(
        ("open", "openat", "fopen", "read", "write", "close", "fread", "fwrite"), "touches a file"
    ),
    **dict.fromkeys(("socket", "connect", "send", "recv", "poll"), "touches a socket"),
}
OPENS_NO_SOCKET = {"base", "socks", "dns", "launch", "config", "names"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
COMMENT_OR_STRING = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S
)


def blank(match):
    """The same lines, with nothing on them."""
    return re.sub(r"[^\n]", " ", match.group())


def room_of(path):
    parts = path.split("/")
    return parts[1] if len(parts) > 2 and parts[0] in ("src", "include") else None


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def check_includes(tree, path, text, room):
    # Comments may hold includes; the strings of includes themselves must stay.
    bare = re.sub(r"/\*.*?\*/", blank, text, flags=re.S)
    for match in INCLUDE.finditer(bare):
        quote, name = match.groups()
        line = line_of(bare, match.start())
        other = name.split("/")[0] if "/" in name else None
        if quote == '"' and "/" in name:
            yield line, f'includes "{name}": a quoted include is for a header beside the file'
        elif (
            quote == '"'
            and not os.path.exists(os.path.join(tree, "src", room, name))
            and not path.startswith("include/")
        ):
            yield line, f'includes "{name}", which does not stand beside it'
        elif other in ROOMS and other != room:
            if other in PRIVATE:
                yield line, f"includes <{name}>: {other} is nobody's to include"
            elif other not in ROOMS[room]:
                allowed = ", ".join(ROOMS[room]) or "no other room"
                yield line, f"includes <{name}>: {room} may use {allowed}"
        if room in PURE and name in PURE_HEADERS:
            yield line, f"includes <{name}>, which {PURE_HEADERS[name]}: {room} is pure"


def check_calls(text, room):
    bare = COMMENT_OR_STRING.sub(blank, text)
    banned = dict(PURE_CALLS) if room in PURE else {}
    if room in OPENS_NO_SOCKET:
        banned.setdefault(
            "socket", "opens a socket, which is for tunnel and what stands right of it"
        )
    for name, why in banned.items():
        # Not a member's call, nor part of a longer name.
        for match in re.finditer(rf"(?<![\w.>]){name}[ \t]*\(", bare):
            if re.search(r"\b(?:int|void|ssize_t|static)[ \t*]+$", bare[: match.start()][-24:]):
                continue
            yield line_of(bare, match.start()), f"calls {name}(), which {why}; {room} does not"


def check_tree(tree):
    faults, seen = [], 0
    for top in ("src", "include"):
        for folder, _, files in os.walk(os.path.join(tree, top)):
            for name in sorted(files):
                path = os.path.relpath(os.path.join(folder, name), tree)
                if not name.endswith((".c", ".h", ".def")):
                    continue
                seen += 1
                room = room_of(path)
                if room not in ROOMS:
                    faults.append(
                        f"{path}:1: stands in no known room; tests/lint/layers.py lists them"
                    )
                    continue
                with open(os.path.join(tree, path), encoding="utf-8") as f:
                    text = f.read()
                for line, what in (
                    *check_includes(tree, path, text, room),
                    *check_calls(text, room),
                ):
                    faults.append(f"{path}:{line}: {what}")
    return sorted(faults), seen


CASES = [
    ("src/base/a.c", "#include <socks/reply.h>\n", "base may use no other room"),
    ("src/socks/a.c", "#include <config/url.h>\n", "socks may use base"),
    ("include/names/a.h", "\n#include <tunnel/dial.h>\n", "include/names/a.h:2"),
    ("src/server/a.c", "#include <names/table.h>\n", "server may use base, socks, config"),
    ("src/server/a.c", "#include <launch/environ.h>\n", "server may use"),
    ("src/wrapper/a.c", "#include <preload/real.h>\n", "nobody's to include"),
    ("src/wrapper/a.c", '#include "../preload/real.h"\n', "for a header beside the file"),
    ("src/wrapper/a.c", '#include "real.h"\n', "does not stand beside it"),
    ("src/socks/a.c", "#include <time.h>\n", "reads clocks"),
    ("src/socks/a.c", "void f(void)\n{\n\tg(malloc(1));\n}\n", "src/socks/a.c:3: calls malloc()"),
    ("src/dns/a.c", 'int f(void) { return getenv("A") != 0; }\n', "reads the environment"),
    ("src/names/a.c", "int f(void) { return socket(1, 2, 3); }\n", "opens a socket"),
    ("src/attic/a.c", "", "no known room"),
    ("src/tunnel/a.c", "#include <names/table.h>\nint f(void) { return socket(1, 2, 3); }\n", None),
    (
        "src/socks/a.c",
        '/* malloc(1) */ const char *s = "time(0)"; int g(void) { return s->free(1); }\n',
        None,
    ),
    (
        "src/names/a.c",
        "/* socket(2) */ int f(const struct sys *sys) { return sys->socket(1, 2, 3); }\n",
        None,
    ),
]


def self_test():
    bad = 0
    for path, text, want in CASES:
        with tempfile.TemporaryDirectory() as tree:
            os.makedirs(os.path.join(tree, os.path.dirname(path)))
            with open(os.path.join(tree, path), "w", encoding="utf-8") as f:
                f.write(text)
            faults, _ = check_tree(tree)
        told = "\n".join(faults)
        if (want is None and told) or (want is not None and want not in told):
            print(f"{path} {text!r}: wanted {want!r}, told {told!r}")
            bad += 1
    return 1 if bad else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    faults, seen = check_tree(sys.argv[1])
    print(*faults, sep="\n", end="\n" if faults else "")
    if not seen:
        print(f"no source under {sys.argv[1]}")
        return 1
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
