"""node: net.connect and fetch, whose loop is libuv's and whose look-ups come from threads."""

from pace import Pace, event_loops
from sources import source


def many(cell, how, host, count):
    with Pace(cell, count) as pace:
        argv = ["node", source(cell, "many.js"), how, host, str(count)]
        pace.run(argv, out=f"{count} right\n")


@event_loops(needs=["node"])
def node_200(cell, host):
    many(cell, "net", host, 200)


@event_loops(needs=["node"])
def node_50_fetches(cell, host):
    many(cell, "fetch", host, 50)
