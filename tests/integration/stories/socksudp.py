"""UDP ASSOCIATE, by clients of others: a target mirrors datagrams of every size, and says where they came from."""

import os
import textwrap

from harness import Failed, Skipped, story
from servers import PASSWORD, USER
from targets import MIRROR_PORT
import world

SIZES = (1, 0, 1400, 1472, 9000, 65000)
# Where a datagram of the server's may come from: its own addresses, of which the target's is one in this world.
SERVERS = {world.PROXY4, world.PROXY6, world.WEB4, world.WEB6}


def ours(**how):
    return story(proxies=["socksifyd"], ways=["bare"], users=["root"], datagrams=True, **how)


def members(**how):
    return story(proxies=["users"], ways=["bare"], users=["root"], datagrams=True, **how)


def mirrored(result):
    """The client has compared the octets; a line for each datagram has its size and who the target saw."""
    lines = [line.split() for line in result.out.decode("utf-8", "replace").splitlines()]
    if [line[0] for line in lines] != [str(n) for n in SIZES]:
        raise Failed(f"other datagrams than were sent: {result.out[:300]!r}")
    if not {line[-1] for line in lines} <= SERVERS:
        raise Failed(f"the target saw strangers: {result.out[:300]!r}")


# PySocks. It names "0" and the port of its own as the place that it will send from.

PYSOCKS = textwrap.dedent(
    """
    import hashlib, socks, sys
    proxy, port, user, password, host, *sizes = sys.argv[1:]
    with socks.socksocket(type=socks.socket.SOCK_DGRAM) as s:
        s.set_proxy(socks.SOCKS5, proxy, int(port), True, user or None, password or None)
        s.settimeout(15)
        for size in map(int, sizes):
            data = (hashlib.sha256(b"%d" % size).digest() * 2048)[:size]
            s.sendto(data, (host, MIRROR_PORT))
            who, answer = s.recvfrom(65535)[0].split(b" ", 1)
            if answer != data[::-1]:
                sys.exit(f"{len(answer)} octets came back of {size}")
            print(size, who.decode())
    """
).replace("MIRROR_PORT", str(MIRROR_PORT))


def pysocks(cell, host, user="", password="", **how):
    python = ["/usr/bin/python3", "-I", "-c"]
    if cell.run([*python, "import socks"], status="any").status != 0:
        raise Skipped("no PySocks")
    argv = [*python, PYSOCKS, world.PROXY4, str(cell.port), user, password, host, *map(str, SIZES)]
    return cell.run(argv, **how)


@ours()
def pysocks_datagrams_by_name(cell):
    mirrored(pysocks(cell, "v4only.test"))


@ours()
def pysocks_datagrams_by_address(cell):
    mirrored(pysocks(cell, world.WEB4))


@ours(ipv6=True)
def pysocks_datagrams_by_ipv6_address(cell):
    mirrored(pysocks(cell, world.WEB6))


@ours(ipv6=True)
def pysocks_datagrams_to_a_name_of_ipv6(cell):
    mirrored(pysocks(cell, "v6only.test"))


@members()
def pysocks_datagrams_with_credentials(cell):
    mirrored(pysocks(cell, "v4only.test", USER, PASSWORD))
    pysocks(cell, "v4only.test", USER, "wrong", status=1)


# npm's socks: the association and the headers are its own, the socket is its user's.

NODE = textwrap.dedent(
    """
    const { SocksClient } = require('socks');
    const dgram = require('dgram'), crypto = require('crypto');
    const [host, port, userId, password, target, ...sizes] = process.argv.slice(1);
    const fail = (e) => { console.error(e.message); process.exit(1); };
    const asked = new SocksClient({
      command: 'associate', timeout: 15000, destination: { host: '0.0.0.0', port: 0 },
      proxy: { type: 5, host, port: Number(port), ...(userId && { userId }), ...(password && { password }) },
    });
    asked.on('error', fail);
    asked.on('established', ({ socket, remoteHost: relay }) => {
      socket.resume();
      const udp = dgram.createSocket('udp4').on('error', fail);
      const next = () => {
        if (!sizes.length) process.exit(0);
        const size = Number(sizes.shift());
        const sha = crypto.createHash('sha256').update(String(size)).digest();
        const data = Buffer.concat(Array(2048).fill(sha)).subarray(0, size);
        udp.once('message', (frame) => {
          const { remoteHost, data: text } = SocksClient.parseUDPFrame(frame);
          const at = text.indexOf(32);
          if (!text.subarray(at + 1).equals(Buffer.from(data).reverse())) fail(new Error(`another answer for ${size}`));
          if (remoteHost.port !== MIRROR_PORT) fail(new Error('another sender'));
          console.log(size, text.subarray(0, at).toString());
          next();
        });
        const remoteHost = { host: target, port: MIRROR_PORT };
        udp.send(SocksClient.createUDPFrame({ remoteHost, data }), relay.port, relay.host);
      };
      next();
    });
    asked.connect();
    setTimeout(() => fail(new Error('no answer')), 20000);
    """
).replace("MIRROR_PORT", str(MIRROR_PORT))


def npm(cell, host, user="", password="", **how):
    if not os.path.isdir("/usr/share/nodejs/socks"):
        raise Skipped("no node-socks")
    argv = ["node", "-e", NODE, world.PROXY4, str(cell.port), user, password, host, *map(str, SIZES)]
    return cell.run(argv, env={"NODE_PATH": "/usr/share/nodejs"}, **how)


@ours(needs=["node"])
def npm_datagrams_by_name(cell):
    mirrored(npm(cell, "v4only.test"))


@ours(needs=["node"])
def npm_datagrams_by_address(cell):
    mirrored(npm(cell, world.WEB4))


@members(needs=["node"])
def npm_datagrams_with_credentials(cell):
    mirrored(npm(cell, world.WEB4, USER, PASSWORD))


# Perl's IO::Socket::Socks

PERL = textwrap.dedent(
    """
    use IO::Socket::Socks; use Digest::SHA 'sha256'; use Socket;
    my ($proxy, $port, $user, $password, $host, @sizes) = @ARGV;
    my $s = IO::Socket::Socks->new(SocksVersion => 5, ProxyAddr => $proxy, ProxyPort => $port, Timeout => 15,
        UdpAddr => '0.0.0.0', UdpPort => 0,
        $user eq '' ? () : (AuthType => 'userpass', Username => $user, Password => $password)) or die "$SOCKS_ERROR\\n";
    alarm 20;
    for my $size (@sizes) {
        my $data = substr(sha256($size) x 2048, 0, $size);
        my $to = $host =~ /^[0-9.]+$/ ? pack_sockaddr_in(MIRROR_PORT, inet_aton($host)) : [$host, MIRROR_PORT];
        defined $s->send($data, 0, $to) or die "send: $!\\n";
        defined $s->recv(my $text, 65535) or die "recv: $!\\n";
        my ($who, $answer) = split / /, $text, 2;
        die "another answer for $size\\n" unless $answer eq reverse $data;
        print "$size $who\\n";
    }
    """
).replace("MIRROR_PORT", str(MIRROR_PORT))


def perl(cell, host, user="", password="", proxy=world.PROXY4, **how):
    if cell.run(["perl", "-MIO::Socket::Socks", "-e1"], status="any").status != 0:
        raise Skipped("no IO::Socket::Socks")
    argv = ["perl", "-e", PERL, proxy, str(cell.port), user, password, host, *map(str, SIZES)]
    return cell.run(argv, **how)


@ours(needs=["perl"])
def perl_datagrams_by_name(cell):
    mirrored(perl(cell, "v4only.test"))


@ours(needs=["perl"])
def perl_datagrams_by_address(cell):
    mirrored(perl(cell, world.WEB4))


@ours(needs=["perl"], ipv6=True)
def perl_datagrams_over_ipv6(cell):
    mirrored(perl(cell, world.WEB4, proxy=world.PROXY6))


@members(needs=["perl"])
def perl_datagrams_with_credentials(cell):
    mirrored(perl(cell, world.WEB4, USER, PASSWORD))
