"""wget: its own resolver calls and select(); a file of a megabyte."""

import hashlib

from harness import Failed, story
from targets import pattern
import world


@story(needs=["wget"])
def wget_by_name(cell):
    cell.run(
        ["wget", "-q", "-t1", "-O", "-", "http://web.test/hello"],
        out="you asked web.test for /hello\n",
    )


@story(needs=["wget"])
def wget_by_address(cell):
    cell.run(
        ["wget", "-q", "-t1", "-O", "-", f"http://{world.WEB4}/hello"],
        out=f"you asked {world.WEB4} for /hello\n",
    )


@story(needs=["wget"], ipv6=True)
def wget_ipv6_only_name(cell):
    cell.run(
        ["wget", "-q", "-t1", "-O", "-", "http://v6only.test/hello"],
        out="you asked v6only.test for /hello\n",
    )


@story(needs=["wget"], ipv6=True)
def wget_asks_for_ipv6_alone(cell):
    cell.run(
        ["wget", "-6", "-q", "-t1", "-O", "-", "http://web.test/hello"],
        out="you asked web.test for /hello\n",
    )


@story(needs=["wget"])
def wget_saves_a_megabyte(cell):
    cell.run(["wget", "-q", "-t1", "-O", cell.path("big"), "http://web.test/big"])
    with open(cell.path("big"), "rb") as f:
        got = f.read()
    if hashlib.sha256(got).digest() != hashlib.sha256(pattern(1 << 20)).digest():
        raise Failed(f"the file differs; it has {len(got)} octets")
