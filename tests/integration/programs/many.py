"""many.py FAMILY HOST PORT COUNT [refused]: so many connects from one asyncio loop, then a page over each.

As many to a listener of its own go before: for how long the loop then stands still is nobody's fault but ours.
"""

import asyncio
import json
import socket
import sys
import time

TICK = 0.005


class Ticker:
    def __init__(self):
        self.at, self.stall, self.ticks = time.monotonic(), 0, 0

    async def run(self):
        while True:
            await asyncio.sleep(TICK)
            self.look()
            self.ticks += 1

    def look(self):
        now = time.monotonic()
        self.stall, self.at = max(self.stall, now - self.at - TICK), now


async def page(reader, writer, host, path):
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    text = (await reader.read()).decode()
    writer.close()
    return text.endswith(f"\r\n\r\nyou asked {host} for {path}\n")


async def connect_all(family, host, port, count):
    """Returns what became of each, and the numbers to tell."""
    ticker, before_first = Ticker(), None
    ticking = asyncio.ensure_future(ticker.run())

    async def connect():
        nonlocal before_first
        try:
            made = await asyncio.open_connection(host, port, family=family)
        except ConnectionRefusedError as e:
            made = e
        before_first = ticker.ticks if before_first is None else before_first
        return made

    await asyncio.sleep(10 * TICK)
    ticker.ticks, ticker.stall, started = 0, 0, time.monotonic()
    made = await asyncio.gather(*(connect() for _ in range(count)))
    wall = time.monotonic() - started
    ticker.look()
    ticking.cancel()
    return made, {"wall_ms": wall * 1000, "stall_ms": ticker.stall * 1000, "ticks": before_first}


async def warm_up(family, host, count):
    address = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    near = "localhost" if host[-1].isalpha() else address
    with socket.create_server((address, 0), family=family, backlog=count) as own:
        made, told = await connect_all(family, near, own.getsockname()[1], count)
    for _, writer in made:
        writer.close()
    return told["stall_ms"]


async def main(family, host, port, count, refused=""):
    family = getattr(socket, family)
    own = max([await warm_up(family, host, int(count)) for _ in range(2)])
    made, told = await connect_all(family, host, int(port), int(count))
    told["own_ms"] = own
    if refused:
        print(sum(isinstance(e, ConnectionRefusedError) for e in made), "refused")
    else:
        pages = (page(*streams, host, f"/{n}") for n, streams in enumerate(made))
        print(sum(await asyncio.gather(*pages)), "right")
    print(json.dumps(told))


asyncio.run(main(*sys.argv[1:]))
