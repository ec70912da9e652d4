"""Time-outs of the programs' own, against a target that never answers: they end the wait, and nobody else does."""

import textwrap
import time

from daemons import ssh_options
from harness import Failed, story
from pace import Pace
import world

SECONDS = 1
# Strictly; what a program takes to start is in it.
LATE_S = 0.5
NEVER = {"SOCKSIFY_TIMEOUT": "600"}
PYTHON = "import socket, sys; socket.create_connection((sys.argv[1], 80), float(sys.argv[2]))"
PERL = textwrap.dedent(
    """
    use IO::Socket::INET;
    my ($host, $seconds) = @ARGV;
    IO::Socket::INET->new(PeerAddr => $host, PeerPort => 80, Timeout => $seconds) or die $@;
    """
)
PHP = textwrap.dedent(
    """
    if (!fsockopen($argv[1], 80, $no, $why, (float) $argv[2])) {
        fwrite(STDERR, $why);
        exit(1);
    }
    """
)
RUBY = 'require "socket"; Socket.tcp(ARGV[0], 80, connect_timeout: ARGV[1].to_f)'


def gives_up(program, status=None, says=b"", seconds=SECONDS):
    """A story for each program. The function returns its command, whose last words are about the host."""

    def register(command):
        def tell(cell):
            took = []
            for host in (world.SILENT, world.SILENT4):
                with Pace(cell, 1, strict=False):
                    began = time.monotonic()
                    result = cell.run(command(cell, host), status=status, env=NEVER)
                    took.append(time.monotonic() - began)
                if says not in result.err:
                    raise Failed("it failed otherwise")
            cell.remark = ", ".join(f"{t:.3f} s" for t in took) + f" for {seconds} s"
            late = max(took) - seconds
            if min(took) < seconds or cell.kit.strict and late > LATE_S:
                raise Failed(f"it took {cell.remark}")

        tell.__name__ = command.__name__
        return story(proxies=["slow"], paired=True, needs=[program])(tell)

    return register


@gives_up("perl", says=b"time")
def perl_gives_up(_cell, host):
    return ["perl", "-e", PERL, host, str(SECONDS)]


@gives_up("ssh", 255, says=b"timed out")
def ssh_gives_up(cell, host):
    return ["ssh", "-o", f"ConnectTimeout={SECONDS}", *ssh_options(cell), f"nobody@{host}", "true"]


@gives_up("curl", 28)
def curl_gives_up(_cell, host):
    return ["curl", "-sS", "--connect-timeout", str(SECONDS), f"http://{host}/"]


@gives_up("wget", 4, says=b"timed out")
def wget_gives_up(_cell, host):
    return ["wget", "-t", "1", f"--connect-timeout={SECONDS}", "-O", "-", f"http://{host}/"]


@gives_up("socat", 1, says=b"timed out")
def socat_gives_up(_cell, host):
    return ["socat", "-u", f"TCP4:{host}:80,connect-timeout={SECONDS}", "-"]


@gives_up("nc.openbsd", 1)
def nc_openbsd_gives_up(_cell, host):
    return ["nc.openbsd", "-w", str(SECONDS), host, "80"]


@gives_up("ncat", 1, says=b"TIMEOUT")
def ncat_gives_up(_cell, host):
    return ["ncat", "-w", str(SECONDS), host, "80"]


@gives_up("psql", 2, says=b"timeout expired", seconds=2)
def psql_gives_up(_cell, host):
    # Less than two are taken for two.
    return ["psql", "-X", f"host={host} port=80 user=story dbname=story connect_timeout=2"]


@gives_up("python3", 1, says=b"timed out")
def python_gives_up(_cell, host):
    return ["/usr/bin/python3", "-I", "-c", PYTHON, host, str(SECONDS)]


@gives_up("php", 1, says=b"timed out")
def php_gives_up(_cell, host):
    return ["php", "-r", PHP, host, str(SECONDS)]


@gives_up("ruby", 1, says=b"timed out")
def ruby_gives_up(_cell, host):
    return ["ruby", "-e", RUBY, host, str(SECONDS)]
