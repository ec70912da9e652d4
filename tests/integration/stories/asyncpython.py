"""Python's asyncio: two hundred connects from one loop, which never waits for any of them."""

import textwrap

from pace import Pace, event_loop, event_loops
from sources import source
import world

PYTHON = ["/usr/bin/python3", "-I"]

# The descriptors that are closed while their connects are pending have the next ones' numbers.
GIVES_UP = textwrap.dedent(
    """
    import asyncio, socket, sys
    silent, host, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    async def give_up(seconds):
        connect = asyncio.open_connection(silent, 80, family=socket.AF_INET)
        try:
            await asyncio.wait_for(connect, seconds)
        except asyncio.TimeoutError:
            return 1
    async def ask(n):
        reader, writer = await asyncio.open_connection(host, 80, family=socket.AF_INET)
        writer.write(f"GET /{n} HTTP/1.1\\r\\nHost: {host}\\r\\nConnection: close\\r\\n\\r\\n".encode())
        answer = await reader.read()
        writer.close()
        return answer.endswith(f"\\r\\n\\r\\nyou asked {host} for /{n}\\n".encode())
    async def main():
        for turn in range(3):
            given_up = await asyncio.gather(*(give_up(0.01 * (n % 40)) for n in range(count)))
            right = await asyncio.gather(*(ask(n) for n in range(count)))
            print(sum(given_up), "given up,", sum(right), "right")
    asyncio.run(main())
    """
)


def many(cell, host, count, *words, family="AF_INET", port="80", out):
    with Pace(cell, count) as pace:
        argv = [*PYTHON, source(cell, "many.py"), family, host, port, str(count), *words]
        pace.run(argv, out=out)


@event_loops()
def asyncio_200(cell, host):
    many(cell, host, 200, out="200 right\n")


@event_loop(ipv6=True)
def asyncio_200_by_ipv6_address(cell):
    many(cell, world.WEB6, 200, family="AF_INET6", out="200 right\n")


@event_loop(ipv6=True)
def asyncio_200_by_name_for_ipv6(cell):
    many(cell, "v6only.test", 200, family="AF_INET6", out="200 right\n")


@event_loop()
def asyncio_50_refusals(cell):
    many(cell, world.WEB4, 50, "refused", port="9", out="50 refused\n")


@event_loops()
def asyncio_gives_up_and_goes_on(cell, host):
    silent = world.SILENT4 if host == world.WEB4 else world.SILENT
    # Those that are given up in the first moment may never get to the proxy.
    with Pace(cell, 460, share=0.1, strict=False):
        argv = [*PYTHON, "-c", GIVES_UP, silent, host, "150"]
        cell.run(argv, out="150 given up, 150 right\n" * 3)
