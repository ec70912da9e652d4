"""Wrappers of others, which bring programs under a library of theirs, through our server: TCP, datagrams, BIND."""

import os

from daemons import BIG
from harness import Failed, Skipped, story
from servers import PASSWORD, USER
from targets import MIRROR_PORT
import world

ASKED = "you asked {} for /x\n"
CURL = ["curl", "-g", "-sS", "--noproxy", "*"]


def ours(**how):
    return story(proxies=["socksifyd"], ways=["bare"], users=["root"], **how)


def members(**how):
    return story(proxies=["users"], ways=["bare"], users=["root"], **how)


def config(cell, name, text):
    path = cell.path(name)
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    os.chmod(path, 0o644)
    return path


# Dante's: its command has the name of ours, so it is called for what it does.


def dante(cell, argv, protocol="socks_v5", env=None, **how):
    """Names are answered with addresses of its own making, and go to the proxy."""
    library = "libdsocksd.so.0"
    if cell.run(["true"], env={"LD_PRELOAD": library}, status="any").err:
        raise Skipped("no dante-client")
    path = config(
        cell,
        "dante.conf",
        "resolveprotocol: fake\n"
        "route { from: 0.0.0.0/0 to: 127.0.0.0/8 via: direct }\n"
        f"route {{ from: 0.0.0.0/0 to: 0.0.0.0/0 via: {world.PROXY4} port = {cell.port}\n"
        f"proxyprotocol: {protocol} }}\n"
        f"route {{ from: 0.0.0.0/0 to: . via: {world.PROXY4} port = {cell.port}\n"
        f"proxyprotocol: {protocol} }}\n"
    )
    env = {"LD_PRELOAD": library, "SOCKS_CONF": path, "SOCKS_AUTOADD_LANROUTES": "no", **(env or {})}
    return cell.run(argv, env=env, **how)


@ours(needs=["curl"])
def dante_by_name(cell):
    dante(cell, [*CURL, "http://web.test/x"], out=ASKED.format("web.test"))


@ours(needs=["curl"])
def dante_by_address(cell):
    dante(cell, [*CURL, f"http://{world.WEB4}/x"], out=ASKED.format(world.WEB4))


@ours(needs=["curl"])
def dante_socks4_by_address(cell):
    dante(cell, [*CURL, f"http://{world.WEB4}/x"], "socks_v4", out=ASKED.format(world.WEB4))


@members(needs=["curl"])
def dante_with_credentials(cell):
    env = {"SOCKS_USERNAME": USER, "SOCKS_PASSWORD": PASSWORD}
    dante(cell, [*CURL, "http://web.test/x"], env=env, out=ASKED.format("web.test"))


@ours(needs=["socat"], datagrams=True)
def dante_datagrams_by_address(cell):
    said = dante(cell, ["socat", "-t", "3", "-", f"UDP4:{world.WEB4}:{MIRROR_PORT}"], stdin=b"datagram").out
    if not said.endswith(b" margatad"):
        raise Failed(f"{said!r}")


@ours(needs=["curl", "vsftpd"])
def dante_active_ftp_by_curl(cell):
    dante(cell, [*CURL, "--disable-eprt", "--ftp-port", "-", "-o", "got", f"ftp://{world.STORE4}/big"])
    with open(cell.path("got"), "rb") as f:
        if f.read() != BIG:
            raise Failed("the file differs")


# torsocks resolves by a request of its own (socksresolve.py), then connects by address.


@story(proxies=["socksifyd"], ways=["torsocks"], users=["root"], needs=["torsocks", "curl"])
def torsocks_by_address(cell):
    cell.run([*CURL, f"http://{world.WEB4}/x"], out=ASKED.format(world.WEB4))


@story(proxies=["users"], ways=["torsocks"], users=["root"], needs=["torsocks", "curl"])
def torsocks_with_credentials(cell):
    env = {"TORSOCKS_USERNAME": USER, "TORSOCKS_PASSWORD": PASSWORD}
    cell.run([*CURL, f"http://{world.WEB4}/x"], env=env, out=ASKED.format(world.WEB4))
