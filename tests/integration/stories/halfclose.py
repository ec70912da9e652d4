"""socat and ncat: all is sent and ended; only then the answer comes, and must arrive whole.

microsocks ends both ways as soon as one has ended, so through it there is a page to fetch, no late answer.
"""

import hashlib

from harness import Failed, story
from targets import LATE_OCTETS, LATE_PORT, pattern
import world

SENT = pattern(100_000)
ANSWER = hashlib.sha256(SENT).hexdigest().encode() + b"\n" + pattern(LATE_OCTETS)


@story(proxies=["socksifyd", "danted"], needs=["socat"])
def socat_half_close_by_name(cell):
    cell.run(["socat", "-t", "20", "-", f"TCP4:web.test:{LATE_PORT}"], stdin=SENT, out=ANSWER)


@story(proxies=["socksifyd", "danted"], needs=["socat"])
def socat_half_close_by_address(cell):
    cell.run(["socat", "-t", "20", "-", f"TCP4:{world.WEB4}:{LATE_PORT}"], stdin=SENT, out=ANSWER)


@story(proxies=["socksifyd", "danted"], needs=["socat"], ipv6=True)
def socat_half_close_ipv6(cell):
    cell.run(["socat", "-t", "20", "-", f"TCP6:v6only.test:{LATE_PORT}"], stdin=SENT, out=ANSWER)


@story(proxies=["socksifyd", "danted"], needs=["ncat"])
def ncat_half_close_by_name(cell):
    cell.run(["ncat", "web.test", str(LATE_PORT)], stdin=SENT, out=ANSWER)


@story(proxies=["socksifyd", "danted"], needs=["ncat"])
def ncat_half_close_by_address(cell):
    cell.run(["ncat", "-n", world.WEB4, str(LATE_PORT)], stdin=SENT, out=ANSWER)


REQUEST = b"GET /x HTTP/1.1\r\nHost: web.test\r\nConnection: close\r\n\r\n"


def page_of(cell, argv):
    result = cell.run(argv, stdin=REQUEST)
    if not result.out.endswith(b"\r\n\r\nyou asked web.test for /x\n"):
        raise Failed("the page did not come")


@story(proxies=["microsocks"], needs=["socat"])
def socat_page_by_name(cell):
    page_of(cell, ["socat", "-t", "20", "STDIO,ignoreeof", "TCP4:web.test:80"])


@story(proxies=["microsocks"], needs=["socat"])
def socat_page_by_address(cell):
    page_of(cell, ["socat", "-t", "20", "STDIO,ignoreeof", f"TCP4:{world.WEB4}:80"])


@story(proxies=["microsocks"], needs=["ncat"])
def ncat_page_by_name(cell):
    page_of(cell, ["ncat", "--no-shutdown", "web.test", "80"])


@story(proxies=["microsocks"], needs=["ncat"])
def ncat_page_by_address(cell):
    page_of(cell, ["ncat", "--no-shutdown", "-n", world.WEB4, "80"])
