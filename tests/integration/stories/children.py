"""Programs that start programs, and wipe the environment on the way: the children go through the proxy, too.

Here the tools of every day; languages, daemons and what must stay closed have files of their own.
"""

import os
import textwrap

from harness import Failed, Skipped, story
import world

HOSTS = ["web.test", world.WEB4]
SHELLS = ("sh", "bash", "dash")


def asked(host, *paths):
    return "".join(f"you asked {host} for /{path}\n" for path in paths)


def sorted_lines(result):
    return sorted(result.out.decode().splitlines(keepends=True))


def told(cell, argv, lines, **how):
    """Runs what fetches these in any order."""
    result = cell.run(argv, **how)
    if sorted_lines(result) != sorted(lines):
        raise Failed("other pages came than were asked for")


def by_turns(cell, commands, shell="sh", **how):
    """Each command, with the page that it fetches in the place of URL, in one shell; for each host."""
    script, want = [], ""
    for host in HOSTS:
        for n, command in enumerate(commands):
            script.append(command.replace("URL", f"http://{host}/{n}"))
            want += asked(host, n)
    cell.run([shell, "-c", "\n".join(script)], out=want, **how)


@story(proxies=["socksifyd"], needs=["curl", "bash"])
def wiped_by_env(cell):
    wipes = [
        "env -i curl -sS URL",
        "env -u LD_PRELOAD -u SOCKSIFY_PROXY -u SOCKSIFY_NAMES curl -sS URL",
        "env LD_PRELOAD= curl -sS URL",
        "env LD_PRELOAD=libm.so.6 curl -sS URL",
        "env -i env -i env -i curl -sS URL",
        "env -i sh -c 'env -i curl -sS URL'",
        "env -i env -i sh -c 'exec env -i sh -c \"curl -sS URL; exit\"'",
        "env -S 'curl -sS URL'",
    ]
    by_turns(cell, wipes)


@story(proxies=["socksifyd"], needs=["curl", "bash"])
def wiped_by_shells(cell):
    wipes = [
        "(unset LD_PRELOAD SOCKSIFY_PROXY SOCKSIFY_NAMES; curl -sS URL)",
        "(unset LD_PRELOAD; exec curl -sS URL)",
        "LD_PRELOAD= curl -sS URL",
        "echo \"$(LD_PRELOAD=; curl -sS URL)\"",
        "LD_PRELOAD= curl -sS URL | LD_PRELOAD= cat",
        "(LD_PRELOAD= curl -sS URL & wait)",
    ]
    for shell in SHELLS:
        by_turns(cell, wipes, shell)
    by_turns(cell, ["(exec -c curl -sS URL)", "cat <(exec -c curl -sS URL)"], "bash")


@story(proxies=["socksifyd"], needs=["getent", "curl"])
def names_outlive_a_wiped_environment(cell):
    script = """
    at=$(env -i getent ahostsv4 web.test | sed -n '1s/ .*//p')
    env -i curl -sS http://$at/down -H 'Host: web.test'
    at=$(env -i sh -c 'env -i getent ahostsv4 v4only.test' | sed -n '1s/ .*//p')
    curl -sS http://$at/up -H 'Host: v4only.test'
    """
    cell.run(["sh", "-c", script], out=asked("web.test", "down") + asked("v4only.test", "up"))


@story(proxies=["socksifyd"])
def preload_names_the_library_once(cell):
    """However often the environment was wiped, and in the order that the user had."""
    # By their own look-up, so that the shells' idea of an environment has no part in it.
    show = "env -i sh -c 'env -i sh -c \"env -i env\"'"
    for command, before in (
        ("env", None),
        (show, []),
        ("env -i env", []),
        ("env LD_PRELOAD=libm.so.6 env", ["libm.so.6"]),
        ("env -i LD_PRELOAD='libm.so.6 libdl.so.2' env", ["libm.so.6", "libdl.so.2"]),
        ("env LD_PRELOAD=\"libm.so.6:$LD_PRELOAD\" env", None),
        ("env LD_PRELOAD=\"$LD_PRELOAD:libm.so.6\" env", None),
    ):
        lines = cell.run(["sh", "-c", command]).out.decode().splitlines()
        values = [line.partition("=")[2] for line in lines if line.startswith("LD_PRELOAD=")]
        entries = values[0].replace(":", " ").split() if values else []
        ours = [e for e in entries if e.endswith("/libsocksify.so")]
        names = [line.partition("=")[0] for line in lines]
        if len(values) != 1 or len(ours) != 1:
            raise Failed(f"{command!r}: LD_PRELOAD names the library {len(ours)} times")
        others = [e for e in entries if e not in (*ours, cell.kit.preload_first)]
        if before is not None and others != before:
            raise Failed(f"{command!r}: LD_PRELOAD is {values[0]}")
        if len(set(names)) != len(names):
            raise Failed(f"{command!r}: a variable is there twice")


MAKEFILE = textwrap.dedent(
    """
    unexport LD_PRELOAD SOCKSIFY_PROXY SOCKSIFY_NAMES
    found := $(shell curl -sS http://{host}/shell)
    plain = 1 2 3 4 5 6
    all: $(plain:%=plain-%) $(plain:%=shell-%) $(plain:%=wiped-%)
    \t@echo $(found)
    # Without a character that only a shell understands, make starts curl itself.
    plain-%:
    \t@curl -sS http://{host}/$@
    shell-%:
    \t@true && curl -sS http://{host}/$@
    wiped-%:
    \t@env -i PATH=/usr/bin:/bin $(MAKE) -s -f Makefile inner INNER=$@
    inner:
    \t@curl -sS http://{host}/$(INNER)
    """
)


@story(proxies=["socksifyd"], needs=["make", "curl"])
def make_four_at_once(cell):
    for host in HOSTS:
        with open(cell.path("Makefile"), "w", encoding="ascii") as f:
            f.write(MAKEFILE.format(host=host))
        os.chmod(cell.path("Makefile"), 0o644)
        paths = [f"{kind}-{n}" for kind in ("plain", "shell", "wiped") for n in range(1, 7)]
        told(cell, ["make", "-s", "-j4"], [asked(host, path) for path in ["shell", *paths]])


@story(proxies=["socksifyd"], needs=["find", "xargs", "curl"])
def find_and_xargs(cell):
    script = """
    touch p1 p2 p3 p4
    find . -name 'p?' -exec env -i curl -sS http://HOST/exec/{} ';'
    find . -name 'p?' -execdir curl -sS http://HOST/execdir/{} ';'
    find . -name 'p?' -printf 'http://HOST/plus/%f\\n' | sort >list
    env -i find . -name list -exec sh -c 'env -i curl -sS $(cat "$@")' sh {} +
    seq 6 | env -i xargs -P 3 -I{} curl -sS http://HOST/xargs/{}
    seq 6 | xargs -P 3 -I{} env -i curl -sS http://HOST/wiped/{}
    """
    for host in HOSTS:
        lines = [asked(host, f"{kind}/p{n}") for kind in ("exec", "execdir", "plus") for n in range(1, 5)]
        lines += [asked(host, f"{kind}/{n}") for kind in ("xargs", "wiped") for n in range(1, 7)]
        told(cell, ["sh", "-c", script.replace("HOST", host)], lines)


@story(proxies=["socksifyd"], needs=["curl"])
def shells_side_by_side(cell):
    script = "for n in $(seq 12); do (env -i sh -c \"curl -sS http://HOST/$n\") & done; wait"
    for host in HOSTS:
        lines = [asked(host, n) for n in range(1, 13)]
        told(cell, ["sh", "-c", script.replace("HOST", host)], lines)


@story(proxies=["socksifyd"], needs=["curl", "setsid", "flock", "timeout", "stdbuf", "script"])
def tools_that_start_one_program(cell):
    tools = [
        "env -i setsid -w curl -sS URL",
        "env -i nohup curl -sS URL 2>/dev/null",
        "env -i timeout 20 curl -sS URL",
        "env -i nice curl -sS URL",
        "env -i flock lock curl -sS URL",
        "env -i flock lock -c 'curl -sS URL'",
        # It has a library of its own to preload.
        "env -i stdbuf -oL curl -sS URL",
        "env -i stdbuf -oL env -i curl -sS URL",
        "env -i script -qec 'env -i curl -sS URL' /dev/null | tr -d '\\r'",
        "env -i setpriv --reset-env curl -sS URL",
        "env -i /sbin/start-stop-daemon -S -p pid -a /usr/bin/curl -- -sS URL",
        "printf 'BEGIN { system(\"env -i curl -sS URL\") }' >prog; env -i awk -f prog",
        "echo URL | env -i sed 's/.*/env -i curl -sS &/e'",
    ]
    by_turns(cell, tools)


@story(proxies=["socksifyd"], users=["root"], needs=["su", "runuser", "curl"])
def root_becomes_another(cell):
    """A login has a new environment; the names' table stays root's, and is not the other's to read."""
    if not cell.kit.real_root:
        raise Skipped("there is nobody to become in a user namespace")
    tools = [
        "su - nobody -s /bin/sh -c 'curl -sS URL'",
        "su nobody -s /bin/sh -c 'env -i curl -sS URL'",
        "runuser -u nobody -- env -i curl -sS URL",
        "setpriv --reuid=65534 --regid=65534 --clear-groups --reset-env curl -sS URL",
        "env -i su root -c 'env -i curl -sS URL'",
    ]
    by_turns(cell, tools)
