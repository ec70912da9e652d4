"""nc.openbsd, telnet and bash's /dev/tcp: a page asked for by hand."""

import os

from harness import Failed, matrix


def request(host):
    return f"GET /x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()


def has_page(result, host):
    if not result.out.endswith(f"\n\r\nyou asked {host} for /x\n".encode()):
        raise Failed("the page did not come")


@matrix(needs=["nc.openbsd"])
def nc_openbsd(cell, host):
    has_page(cell.run(["nc.openbsd", host, "80"], stdin=request(host)), host)


@matrix(needs=["nc.openbsd"])
def nc_openbsd_with_a_time_out(cell, host):
    # With -w it connects without blocking and polls.
    has_page(cell.run(["nc.openbsd", "-w", "20", host, "80"], stdin=request(host)), host)


@matrix(needs=["telnet"])
def telnet(cell, host):
    # At the end of its input telnet goes at once, so the input must stay open until the server has
    # gone. The line ends are its business, too.
    os.mkfifo(cell.path("input"))
    cell.kit.owned(cell.path("input"), cell.user)
    script = 'exec 3<>input; cat >&3; telnet "$1" 80 <&3'
    asked = request(host).replace(b"\r", b"")
    result = cell.run(["sh", "-c", script, "sh", host], stdin=asked)
    # The last word, of the closed connection, goes to standard error.
    lines = result.out.replace(b"\r", b"").splitlines()
    if f"you asked {host} for /x".encode() not in lines or b"Escape character" not in result.out:
        raise Failed("the page did not come")


@matrix(needs=["bash"])
def bash_dev_tcp(cell, host):
    script = 'exec 3<>"/dev/tcp/$1/80" || exit; cat >&3; cat <&3'
    has_page(cell.run(["bash", "-c", script, "bash", host], stdin=request(host)), host)
