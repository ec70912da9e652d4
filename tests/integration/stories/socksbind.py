"""BIND, by clients of others: a target calls back where the proxy listens, and is told apart by what it says."""

import os
import textwrap

from harness import Failed, Skipped, story
from servers import PASSWORD, USER
from targets import CALL_PORT
import world

SAID = "from the client"
CALLED = "{} calls"


def ours(**how):
    return story(proxies=["socksifyd"], ways=["bare"], users=["root"], **how)


def members(**how):
    return story(proxies=["users"], ways=["bare"], users=["root"], **how)


def called_by(result, address):
    """What the one who called said first, and its answer to what was said."""
    lines = result.out.decode("utf-8", "replace").splitlines()
    if len(lines) != 2 or not lines[0].startswith(CALLED.format(address)) or lines[1] != SAID[::-1]:
        raise Failed(f"another call than that of {address}: {result.out[:200]!r}")


# Perl's IO::Socket::Socks. It takes DSTADDR for the peer that is to come.

PERL = textwrap.dedent(
    """
    use IO::Socket::Socks;
    my ($version, $proxy, $port, $user, $password, $peer, $caller, $said) = @ARGV;
    my @how = (SocksVersion => $version, ProxyAddr => $proxy, ProxyPort => $port, Timeout => 15, SocksResolve => 0,
        $version eq '5' ? ($user eq '' ? () : (AuthType => 'userpass', Username => $user, Password => $password))
                        : (Username => 'me'));
    my $bound = IO::Socket::Socks->new(@how, BindAddr => $peer, BindPort => 1) or die "bind: $SOCKS_ERROR\\n";
    my ($at, $on) = $bound->dst;
    my $ask = IO::Socket::Socks->new(@how, ConnectAddr => $caller, ConnectPort => CALL_PORT)
        or die "ask: $SOCKS_ERROR\\n";
    print $ask "$at $on\\n";
    if ($version eq '4') {
        # Its accept() takes every second reply for one of version 5 (0.74).
        push @{ ${*$bound}->{SOCKS}->{queue} }, [ '_socks4_connect_reply', [], undef, [], 0 ];
        defined $bound->_run_queue or die "accept: $SOCKS_ERROR\\n";
    } else {
        $bound->accept or die "accept: $SOCKS_ERROR\\n";
    }
    my ($from) = $bound->dst;
    die "it came from $from\\n" unless $from eq $caller;
    print $bound $said;
    $bound->shutdown(1);
    print <$bound>, "\\n";
    """
).replace("CALL_PORT", str(CALL_PORT))


def perl(cell, version, peer, caller, user="", password="", proxy=world.PROXY4, **how):
    if cell.run(["perl", "-MIO::Socket::Socks", "-e1"], status="any").status != 0:
        raise Skipped("no IO::Socket::Socks")
    argv = ["perl", "-e", PERL, version, proxy, str(cell.port), user, password, peer, caller, SAID]
    return cell.run(argv, **how)


@ours(needs=["perl"])
def perl_bind_5(cell):
    called_by(perl(cell, "5", world.WEB4, world.WEB4), world.WEB4)


@ours(needs=["perl"])
def perl_bind_5_for_anyone(cell):
    called_by(perl(cell, "5", "0.0.0.0", world.WEB4), world.WEB4)


@ours(needs=["perl"])
def perl_bind_4(cell):
    called_by(perl(cell, "4", world.WEB4, world.WEB4), world.WEB4)


@ours(needs=["perl"], ipv6=True)
def perl_bind_5_ipv6(cell):
    called_by(perl(cell, "5", world.WEB6, world.WEB6), world.WEB6)


@ours(needs=["perl"], ipv6=True)
def perl_bind_5_over_ipv6(cell):
    called_by(perl(cell, "5", world.WEB6, world.WEB6, proxy=world.PROXY6), world.WEB6)


@members(needs=["perl"])
def perl_bind_5_with_credentials(cell):
    called_by(perl(cell, "5", world.WEB4, world.WEB4, USER, PASSWORD), world.WEB4)


# npm's socks, as Debian packs it

NODE = textwrap.dedent(
    """
    const { SocksClient } = require('socks');
    const [type, host, port, userId, password, peer, caller, said] = process.argv.slice(1);
    const proxy = { type: Number(type), host, port: Number(port),
                    ...(userId && { userId }), ...(password && { password }) };
    const fail = (e) => { console.error(e.message); process.exit(1); };
    const bound = new SocksClient({ command: 'bind', timeout: 15000, proxy, destination: { host: peer, port: 1 } });
    bound.on('error', fail);
    bound.on('bound', ({ remoteHost }) => {
      SocksClient.createConnection({
        command: 'connect', timeout: 15000, proxy, destination: { host: caller, port: CALL_PORT },
      }).then(({ socket }) => {
        socket.resume();
        socket.write(`${remoteHost.host} ${remoteHost.port}\\n`);
      }).catch(fail);
    });
    bound.on('established', ({ socket, remoteHost }) => {
      if (remoteHost.host !== caller) fail(new Error(`it came from ${remoteHost.host}`));
      socket.on('data', (data) => process.stdout.write(data));
      socket.on('end', () => { console.log(''); process.exit(0); });
      socket.end(said);
      socket.resume();
    });
    bound.connect();
    """
).replace("CALL_PORT", str(CALL_PORT))


def npm(cell, version, peer, caller, user="", password="", **how):
    if not os.path.isdir("/usr/share/nodejs/socks"):
        raise Skipped("no node-socks")
    argv = ["node", "-e", NODE, version, world.PROXY4, str(cell.port), user, password, peer, caller, SAID]
    return cell.run(argv, env={"NODE_PATH": "/usr/share/nodejs"}, **how)


@ours(needs=["node"])
def npm_bind_5(cell):
    called_by(npm(cell, "5", world.WEB4, world.WEB4), world.WEB4)


@ours(needs=["node"])
def npm_bind_5_for_anyone(cell):
    called_by(npm(cell, "5", "0.0.0.0", world.WEB4), world.WEB4)


@ours(needs=["node"])
def npm_bind_4(cell):
    called_by(npm(cell, "4", world.WEB4, world.WEB4, "me"), world.WEB4)


@members(needs=["node"])
def npm_bind_5_with_credentials(cell):
    called_by(npm(cell, "5", world.WEB4, world.WEB4, USER, PASSWORD), world.WEB4)
