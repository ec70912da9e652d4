"""Perl: IO::Socket with and without a time-out, alarm() around a connect, HTTP::Tiny, LWP."""

import functools
import os

from harness import Skipped, story
from sources import source
import world

HOSTS = ["web.test", "v4only.test", world.WEB4]


def fetch(cell, way, hosts, path=None):
    cell.run(
        ["perl", source(cell, "fetch.pl"), way, *hosts],
        out="".join(f"you asked {host} for /{path or way}\n" for host in hosts),
    )


def either_family(cell):
    return HOSTS + (["v6only.test", f"[{world.WEB6}]"] if cell.world.has_ipv6 else [])


@functools.cache
def has_lwp():
    return any(os.path.exists(d + "/LWP/UserAgent.pm") for d in ("/usr/share/perl5", "/etc/perl"))


@story(needs=["perl"])
def perl_io_socket_inet(cell):
    fetch(cell, "inet", HOSTS)


@story(needs=["perl"])
def perl_io_socket_inet_with_time_out(cell):
    fetch(cell, "inet-timeout", HOSTS)


@story(needs=["perl"])
def perl_io_socket_ip(cell):
    fetch(cell, "ip", either_family(cell))


@story(needs=["perl"])
def perl_io_socket_ip_with_time_out(cell):
    fetch(cell, "ip-timeout", either_family(cell))


@story(needs=["perl"])
def perl_connect_under_alarm(cell):
    fetch(cell, "alarm", HOSTS)


@story(needs=["perl"])
def perl_http_tiny(cell):
    fetch(cell, "tiny", HOSTS)


@story(needs=["perl"])
def perl_lwp(cell):
    if not has_lwp():
        raise Skipped("no LWP (libwww-perl)")
    fetch(cell, "lwp", either_family(cell))


@story(needs=["perl"])
def perl_is_told_of_a_refusal(cell):
    hosts = ["web.test", world.WEB4]
    cell.run(
        ["perl", source(cell, "fetch.pl"), "refused", *hosts],
        out="".join(f"{host}: Connection refused\n" for host in hosts),
    )
