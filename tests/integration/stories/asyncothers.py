"""redis, perl, ssh, PHP and Ruby: connects that don't block, one or fifty."""

import textwrap

from daemons import ssh_options
from harness import Failed
from pace import Pace, event_loops

PERL = textwrap.dedent(
    """
    use strict; use IO::Socket::INET;
    my ($host, $seconds) = @ARGV;
    my $s = IO::Socket::INET->new(PeerAddr => $host, PeerPort => 80, Timeout => $seconds) or die $@;
    printf {$s} "GET /x HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n", $host;
    local $/;
    print +(split /\\r\\n\\r\\n/, <$s>)[1];
    """
)

PHP = textwrap.dedent(
    """
    [, $host, $count] = $argv;
    $waiting = $streams = [];
    for ($n = 0; $n < $count; $n++) {
        $flags = STREAM_CLIENT_CONNECT | STREAM_CLIENT_ASYNC_CONNECT;
        $waiting[$n] = $streams[$n] = stream_socket_client("tcp://$host:80", $no, $why, 60, $flags);
    }
    while ($waiting) {
        [$r, $w, $e] = [null, $waiting, null];
        stream_select($r, $w, $e, 60);
        foreach ($w as $n => $stream) unset($waiting[$n]);
    }
    foreach ($streams as $n => $stream) {
        stream_set_blocking($stream, true);
        fwrite($stream, "GET /$n HTTP/1.1\\r\\nHost: $host\\r\\nConnection: close\\r\\n\\r\\n");
        echo explode("\\r\\n\\r\\n", stream_get_contents($stream))[1];
    }
    """
)

RUBY = textwrap.dedent(
    """
    require "socket"
    host, count = ARGV[0], ARGV[1].to_i
    to = Addrinfo.tcp(host, 80).to_sockaddr
    sockets = Array.new(count) { Socket.new(:INET, :STREAM) }
    connect = ->(s) { s.connect_nonblock(to, exception: false) }
    waiting = sockets.select { |s| connect[s] == :wait_writable }
    waiting -= IO.select(nil, waiting)[1].each { |s| connect[s] } until waiting.empty?
    sockets.each_with_index do |s, n|
      s.write("GET /#{n} HTTP/1.1\\r\\nHost: #{host}\\r\\nConnection: close\\r\\n\\r\\n")
      print s.read.split("\\r\\n\\r\\n", 2)[1]
    end
    """
)


def fifty(cell, host, *argv):
    with Pace(cell, 50):
        cell.run([*argv, host, "50"], out="".join(f"you asked {host} for /{n}\n" for n in range(50)))


@event_loops(needs=["php"])
def php_50(cell, host):
    fifty(cell, host, "php", "-r", PHP)


@event_loops(needs=["ruby"])
def ruby_50(cell, host):
    fifty(cell, host, "ruby", "-e", RUBY)


@event_loops(at="store", needs=["redis-cli", "redis-server"])
def redis_cli_with_steps(cell, host):
    key = f"slow-{cell.way}-{host}"
    with Pace(cell, 1):
        cell.run(["redis-cli", "-h", host], stdin=f"set {key} x\ndel {key}\n".encode(), out="OK\n1\n")


@event_loops(at="store", needs=["redis-benchmark", "redis-server"])
def redis_benchmark_50(cell, host):
    # It asks for the server's configuration by a connect of its own.
    with Pace(cell, 51, share=0.75, strict=False):
        argv = ["redis-benchmark", "-h", host, "-c", "50", "-n", "500", "-t", "ping_mbulk", "--csv"]
        result = cell.run(argv)
    if b"PING_MBULK" not in result.out:
        raise Failed("it measured nothing")


@event_loops(needs=["perl"])
def perl_with_a_time_out(cell, host):
    with Pace(cell, 1):
        cell.run(["perl", "-e", PERL, host, "20"], out=f"you asked {host} for /x\n")


@event_loops(at="shell", needs=["ssh", "sshd"])
def ssh_with_a_time_out(cell, host):
    with Pace(cell, 1):
        cell.run(["ssh", *ssh_options(cell), f"nobody@{host}", "echo here"], out="here\n")
