"""Python: processes of every kind, time-outs, and what its library offers for HTTP."""

import textwrap

from harness import Failed, story
from sources import source
import world

# Debian's own: one from a home directory may be closed to other users.
PYTHON = ["/usr/bin/python3", "-I"]


def asked(host, *paths):
    return "".join(f"you asked {host} for {path}\n" for path in paths)


def processes(cell, method):
    want = "".join(
        asked(world.WEB4, f"/address/{n}")
        + asked("web.test", f"/inherited/{n}", f"/own/{n}")
        + asked("v4only.test", f"/handed-up/{n}")
        for n in range(8)
    )
    argv = [*PYTHON, source(cell, "processes.py"), method, "web.test", "v4only.test", world.WEB4]
    cell.run(argv, out=want)


@story()
def multiprocessing_fork(cell):
    processes(cell, "fork")


@story()
def multiprocessing_spawn(cell):
    processes(cell, "spawn")


@story()
def multiprocessing_forkserver(cell):
    processes(cell, "forkserver")


@story()
def subprocess_chain_by_name(cell):
    paths = [f"/{depth}" for depth in range(5, -1, -1)]
    cell.run(
        [*PYTHON, source(cell, "chain.py"), "5", "web.test"],
        out=asked("web.test", *paths, "/by-itself"),
    )


@story()
def subprocess_chain_by_address(cell):
    paths = [f"/{depth}" for depth in range(5, -1, -1)]
    cell.run(
        [*PYTHON, source(cell, "chain.py"), "5", world.WEB4],
        out=asked(world.WEB4, *paths, "/by-itself"),
    )


@story()
def python_time_outs(cell):
    hosts = ["web.test", world.WEB4]
    if cell.world.has_ipv6:
        hosts += ["web.test", f"[{world.WEB6}]"]
    want = "".join(asked(host, "/connect", "/connect_ex") for host in hosts)
    for host in ("web.test", world.WEB4):
        want += asked(host, "/after", "/kept/0", "/kept/1", "/kept/2")
    address6 = world.WEB6 if cell.world.has_ipv6 else ""
    argv = [*PYTHON, source(cell, "timeouts.py"), "web.test", world.WEB4, address6]
    cell.run(argv, out=want)


URLLIB = textwrap.dedent(
    """
    import ssl, sys, urllib.request
    trust = ssl.create_default_context(cafile=sys.argv[1])
    for url in sys.argv[2:]:
        with urllib.request.urlopen(url, timeout=10, context=trust) as answer:
            print(answer.read().decode(), end="")
    """
)


@story(needs=["openssl"])
def python_urllib(cell):
    hosts = ["web.test", "v4only.test", world.WEB4]
    if cell.world.has_ipv6:
        hosts += ["v6only.test", f"[{world.WEB6}]"]
    urls = [f"{scheme}://{host}/u" for host in hosts for scheme in ("http", "https")]
    cell.run(
        [*PYTHON, "-c", URLLIB, cell.kit.scratch + "/web.pem", *urls],
        out="".join(asked(host, "/u", "/u") for host in hosts),
    )


@story()
def python_unknown_name_fails(cell):
    script = "import urllib.request; urllib.request.urlopen('http://nowhere.test/', timeout=10)"
    result = cell.run([*PYTHON, "-c", script], status=1)
    if b"URLError" not in result.err:
        raise Failed("it failed otherwise")


@story()
def python_ctypes(cell):
    """libc's own functions by dlsym(): of its name, of the file, of the whole program."""
    hosts = ["web.test", world.WEB4]
    cell.run(
        [*PYTHON, source(cell, "foreign.py"), *hosts],
        out="".join(asked(host, "/soname", "/found", "/program") for host in hosts),
    )
