"""Tor's RESOLVE and RESOLVE_PTR, as Tor's own clients ask for them."""

from harness import Failed, story
import world


def ours(**how):
    return story(proxies=["socksifyd"], users=["root"], **{"ways": ["bare"], **how})


def tor_resolve(cell, *argv, **how):
    return cell.run(["tor-resolve", *argv, f"{world.PROXY4}:{cell.port}"], **how)


@ours(needs=["tor-resolve"])
def tor_resolve_socks5(cell):
    tor_resolve(cell, "-5", "shell.test", out=world.SHELL4 + "\n")


@ours(needs=["tor-resolve"])
def tor_resolve_socks4a(cell):
    tor_resolve(cell, "-4", "shell.test", out=world.SHELL4 + "\n")


@ours(needs=["tor-resolve"])
def tor_resolve_an_unknown_name(cell):
    said = tor_resolve(cell, "-5", "nowhere.test", status=1)
    if said.out:
        raise Failed(f"an answer: {said.out!r}")


@ours(needs=["tor-resolve"])
def tor_resolve_reverse(cell):
    tor_resolve(cell, "-x", world.SHELL4, out="shell.test\n")


@ours(ways=["torsocks"], needs=["torsocks", "curl"])
def torsocks_by_name(cell):
    argv = ["curl", "-g", "-sS", "--noproxy", "*", "http://v4only.test/x"]
    cell.run(argv, out="you asked v4only.test for /x\n")


REVERSE = "import socket; print(socket.gethostbyaddr(%r)[0])"


@ours(ways=["torsocks"], needs=["torsocks"])
def torsocks_reverse(cell):
    cell.run(["/usr/bin/python3", "-I", "-c", REVERSE % world.SHELL4], out="shell.test\n")
