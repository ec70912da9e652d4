"""Other people's SOCKS clients, without the library, through our server."""

import hashlib

from harness import story
from targets import LATE_OCTETS, LATE_PORT, pattern
import world

SENT = pattern(100_000)
ANSWER = hashlib.sha256(SENT).hexdigest().encode() + b"\n" + pattern(LATE_OCTETS)


def curl(cell, flag, host):
    cell.run(
        ["curl", "-g", "-sS", flag, f"{world.PROXY4}:{cell.port}", f"http://{host}/x"],
        out=f"you asked {host} for /x\n",
    )


def direct(**how):
    return story(proxies=["socksifyd"], ways=["bare"], **how)


@direct(needs=["curl"])
def curl_socks4_by_address(cell):
    curl(cell, "--socks4", world.WEB4)


@direct(needs=["curl"])
def curl_socks4a_by_name(cell):
    curl(cell, "--socks4a", "web.test")


@direct(needs=["curl"])
def curl_socks5_by_address(cell):
    curl(cell, "--socks5", world.WEB4)


@direct(needs=["curl"], ipv6=True)
def curl_socks5_by_ipv6_address(cell):
    curl(cell, "--socks5", f"[{world.WEB6}]")


@direct(needs=["curl"], ipv6=True)
def curl_socks5_over_ipv6(cell):
    proxy = f"socks5h://[{world.PROXY6}]:{cell.port}"
    cell.run(["curl", "-sS", "-x", proxy, "http://web.test/x"], out="you asked web.test for /x\n")


@direct(needs=["curl"])
def curl_socks5_hostname(cell):
    curl(cell, "--socks5-hostname", "web.test")


@direct(needs=["curl"], ipv6=True)
def curl_socks5_hostname_ipv6_only(cell):
    curl(cell, "--socks5-hostname", "v6only.test")


def ncat(cell, kind, host, *more):
    cell.run(
        [
            "ncat",
            "--proxy",
            f"{world.PROXY4}:{cell.port}",
            "--proxy-type",
            kind,
            *more,
            host,
            str(LATE_PORT),
        ],
        stdin=SENT,
        out=ANSWER,
    )


@direct(needs=["ncat"])
def ncat_socks4_by_address(cell):
    ncat(cell, "socks4", world.WEB4)


@direct(needs=["ncat"])
def ncat_socks5_by_address(cell):
    ncat(cell, "socks5", world.WEB4)


@direct(needs=["ncat"])
def ncat_socks5_by_name(cell):
    ncat(cell, "socks5", "web.test", "--proxy-dns", "remote")
