"""Ruby: net/http, TCPSocket, connects with a time-out, threads."""

from harness import story
from sources import source
import world


def fetch(cell, way, times=1):
    hosts = ["web.test", "v4only.test", world.WEB4]
    if cell.world.has_ipv6:
        hosts += ["v6only.test", f"[{world.WEB6}]"]
    cell.run(
        ["ruby", source(cell, "fetch.rb"), way, *hosts],
        out="".join(f"you asked {host} for /{way}\n" * times for host in hosts),
    )


@story(needs=["ruby"])
def ruby_net_http(cell):
    fetch(cell, "http")


@story(needs=["ruby"])
def ruby_tcpsocket(cell):
    fetch(cell, "tcp")


@story(needs=["ruby"])
def ruby_connect_with_time_out(cell):
    fetch(cell, "timeout")


@story(needs=["ruby"])
def ruby_threads(cell):
    fetch(cell, "threads", times=5)


@story(needs=["ruby"])
def ruby_is_told_of_a_refusal(cell):
    hosts = ["web.test", world.WEB4]
    cell.run(
        ["ruby", source(cell, "fetch.rb"), "refused", *hosts],
        out="".join(f"{host}: refused\n" for host in hosts),
    )


@story(needs=["ruby"])
def ruby_fiddle(cell):
    cell.run(
        ["ruby", source(cell, "foreign.rb"), world.WEB4],
        out=f"you asked {world.WEB4} for /fiddle\n",
    )
