"""A SOCKS5 proxy that takes its time over each step, and holds up nobody else meanwhile.

How it works: its two replies, the method's and the request's, leave a delay after they could have. A handshake
is under way from accept() to the second reply; how many were so at once tells, without a clock, whether a
program's connects went side by side. The lanes' clients have addresses of their own, so each cell is counted by
itself; a cell asks for its count, which starts anew then, over a UNIX socket. A request for world.SILENT is
never answered.

Usage: slow.py ADDRESS PORT SECONDS CONTROL
"""

import asyncio
import json
import socket
import struct
import sys
import time

import world

GREETING, METHOD_NONE = b"\x05\x01\x00", b"\x05\x00"
GRANTED, UNREACHABLE, REFUSED, REJECTED = 0, 4, 5, 2
NOWHERE = b"\x00\x01" + bytes(6)


class Count:
    def __init__(self):
        self.under_way = self.peak = self.handshakes = self.broken = 0
        self.first = self.last = None

    def begin(self):
        self.under_way += 1
        self.peak = max(self.peak, self.under_way)
        self.handshakes += 1
        self.first = self.first or time.monotonic()

    def told(self):
        """The span, from the first accept() to the last reply, has no start-up of the program's in it."""
        span = (self.last - self.first) * 1000 if self.last else None
        return {
            "peak": self.peak,
            "handshakes": self.handshakes,
            "broken": self.broken,
            "span_ms": span,
        }


class Proxy:
    def __init__(self, delay):
        self.delay, self.counts = delay, {}

    def count(self, address):
        return self.counts.setdefault(address, Count())

    async def serve(self, reader, writer):
        count = self.count(writer.get_extra_info("peername")[0])
        count.begin()
        far = None
        try:
            far = await self.handshake(reader, writer)
            count.last = time.monotonic()
        except (OSError, EOFError):
            count.broken += 1
        finally:
            count.under_way -= 1
        try:
            if far:
                await asyncio.gather(relay(reader, far[1]), relay(far[0], writer))
        except OSError:
            pass
        finally:
            writer.close()
            if far:
                far[1].close()

    async def handshake(self, reader, writer):
        """Returns the far end's reader and writer, or None after a refusal."""
        _, count = await reader.readexactly(2)
        await reader.readexactly(count)
        await asyncio.sleep(self.delay)
        writer.write(METHOD_NONE)
        host, port = await get_request(reader)
        until = time.monotonic() + self.delay
        if host in (world.SILENT, world.SILENT4):
            await reader.read(1)
            raise EOFError
        far, rep = None, GRANTED
        try:
            far = await asyncio.open_connection(world.NAMES.get(host, [host])[0], port)
        except ConnectionRefusedError:
            rep = REFUSED
        except OSError:
            rep = UNREACHABLE
        await asyncio.sleep(until - time.monotonic())
        writer.write(bytes([5, rep]) + NOWHERE)
        return far

    async def control(self, reader, writer):
        address = (await reader.readline()).decode().strip()
        # Sessions of before count there still; what comes is counted anew.
        count = self.counts.pop(address, Count())
        writer.write(json.dumps(count.told()).encode())
        writer.close()


async def get_request(reader):
    _, _, _, kind = await reader.readexactly(4)
    if kind == 3:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode("ascii")
    else:
        family, octets = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
        host = socket.inet_ntop(family, await reader.readexactly(octets))
    return host, struct.unpack("!H", await reader.readexactly(2))[0]


async def relay(reader, writer):
    while octets := await reader.read(65536):
        writer.write(octets)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


def take(control, address):
    """What a client at this address has done since the last call: for the cells."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(control)
        asking.sendall(address.encode() + b"\n")
        return json.loads(asking.makefile().read())


async def main(address, port, delay, control):
    proxy = Proxy(float(delay))
    await asyncio.start_unix_server(proxy.control, control)
    server = await asyncio.start_server(proxy.serve, address, int(port), backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
