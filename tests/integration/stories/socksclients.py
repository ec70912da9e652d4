"""SOCKS libraries and wrappers of others, without the library, through our server."""

import os
import textwrap

from harness import Failed, Skipped, story
from servers import PASSWORD, USER
import world

ASKED = "you asked {} for /x\n"
REQUEST = "GET /x HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n"


def ours(**how):
    return story(proxies=["socksifyd"], ways=["bare"], **how)


def members(**how):
    return story(proxies=["users"], ways=["bare"], **how)


def wanted(cell, argv, what):
    """A library that may not be here."""
    if cell.run(argv, status="any").status != 0:
        raise Skipped(f"no {what}")


def exchange(cell, argv, host, **how):
    """A relay of standard input and output: the answer's body is what counts."""
    result = cell.run(argv, stdin=REQUEST.format(host).encode(), **how)
    if not result.out.endswith(ASKED.format(host).encode()):
        raise Failed(f"it got another answer: {result.out[:200]!r}")


# PySocks

PYTHON = ["/usr/bin/python3", "-I", "-c"]
PYSOCKS = textwrap.dedent(
    """
    import http.client, socks, sys
    kind, proxy, port, user, password, host = sys.argv[1:]
    with socks.socksocket() as s:
        s.set_proxy(getattr(socks, kind), proxy, int(port), True, user or None, password or None)
        s.settimeout(15)
        s.connect((host, 80))
        web = http.client.HTTPConnection(host)
        web.sock = s
        web.request("GET", "/x")
        print(web.getresponse().read().decode(), end="")
    """
)


def pysocks(cell, kind, host, user="", password="", **how):
    wanted(cell, [*PYTHON, "import socks"], "PySocks")
    argv = [*PYTHON, PYSOCKS, kind, world.PROXY4, str(cell.port), user, password, host]
    cell.run(argv, **how)


@ours()
def pysocks_socks5_by_name(cell):
    pysocks(cell, "SOCKS5", "web.test", out=ASKED.format("web.test"))


@ours()
def pysocks_socks5_by_address(cell):
    pysocks(cell, "SOCKS5", world.WEB4, out=ASKED.format(world.WEB4))


@ours()
def pysocks_socks4a_by_name(cell):
    pysocks(cell, "SOCKS4", "web.test", "me", out=ASKED.format("web.test"))


@ours()
def pysocks_refused(cell):
    pysocks(cell, "SOCKS5", "nowhere.test", status=1)


@members()
def pysocks_with_credentials(cell):
    pysocks(cell, "SOCKS5", "web.test", USER, PASSWORD, out=ASKED.format("web.test"))
    pysocks(cell, "SOCKS5", "web.test", USER, "wrong", status=1)


# Perl's IO::Socket::Socks

PERL = textwrap.dedent(
    """
    use IO::Socket::Socks;
    my ($version, $proxy, $port, $user, $password, $host) = @ARGV;
    my @who = $version eq '5'
        ? ($user eq '' ? () : (AuthType => 'userpass', Username => $user, Password => $password))
        : (Username => 'me');
    my $s = IO::Socket::Socks->new(SocksVersion => $version, ProxyAddr => $proxy, ProxyPort => $port,
        ConnectAddr => $host, ConnectPort => 80, Timeout => 15, SocksResolve => 1, @who)
        or die "$SOCKS_ERROR\\n";
    print $s "GET /x HTTP/1.1\\r\\nHost: $host\\r\\nConnection: close\\r\\n\\r\\n";
    my $text = join '', <$s>;
    $text =~ s/.*?\\r\\n\\r\\n//s;
    print $text;
    """
)


def perl(cell, version, host, user="", password="", **how):
    wanted(cell, ["perl", "-MIO::Socket::Socks", "-e1"], "IO::Socket::Socks")
    cell.run(
        ["perl", "-e", PERL, version, world.PROXY4, str(cell.port), user, password, host], **how
    )


@ours(needs=["perl"])
def perl_socks_5_by_name(cell):
    perl(cell, "5", "web.test", out=ASKED.format("web.test"))


@ours(needs=["perl"])
def perl_socks_5_by_address(cell):
    perl(cell, "5", world.WEB4, out=ASKED.format(world.WEB4))


@ours(needs=["perl"])
def perl_socks_4a_by_name(cell):
    perl(cell, "4a", "web.test", out=ASKED.format("web.test"))


@ours(needs=["perl"])
def perl_socks_4_by_address(cell):
    perl(cell, "4", world.WEB4, out=ASKED.format(world.WEB4))


@members(needs=["perl"])
def perl_socks_with_credentials(cell):
    perl(cell, "5", "web.test", USER, PASSWORD, out=ASKED.format("web.test"))
    perl(cell, "5", "web.test", USER, "wrong", status=None)


# npm's socks, as Debian packs it

NODE = textwrap.dedent(
    """
    const { SocksClient } = require('socks');
    const [type, host, port, userId, password, target] = process.argv.slice(1);
    SocksClient.createConnection({
      command: 'connect', timeout: 15000, destination: { host: target, port: 80 },
      proxy: { type: Number(type), host, port: Number(port),
               ...(userId && { userId }), ...(password && { password }) },
    }).then(({ socket }) => {
      let text = '';
      socket.on('data', (data) => { text += data; });
      socket.on('end', () => process.stdout.write(text.slice(text.indexOf('\\r\\n\\r\\n') + 4)));
      socket.write(`GET /x HTTP/1.1\\r\\nHost: ${target}\\r\\nConnection: close\\r\\n\\r\\n`);
    }).catch((e) => { console.error(e.message); process.exit(1); });
    """
)
NODE_PATH = {"NODE_PATH": "/usr/share/nodejs"}


def npm(cell, version, host, user="", password="", **how):
    if not os.path.isdir("/usr/share/nodejs/socks"):
        raise Skipped("no node-socks")
    argv = ["node", "-e", NODE, version, world.PROXY4, str(cell.port), user, password, host]
    cell.run(argv, env=NODE_PATH, **how)


@ours(needs=["node"])
def npm_socks_5_by_name(cell):
    npm(cell, "5", "web.test", out=ASKED.format("web.test"))


@ours(needs=["node"])
def npm_socks_5_by_address(cell):
    npm(cell, "5", world.WEB4, out=ASKED.format(world.WEB4))


@ours(needs=["node"])
def npm_socks_4a_by_name(cell):
    npm(cell, "4", "web.test", "me", out=ASKED.format("web.test"))


@ours(needs=["node"])
def npm_socks_4_by_address(cell):
    npm(cell, "4", world.WEB4, out=ASKED.format(world.WEB4))


@members(needs=["node"])
def npm_socks_with_credentials(cell):
    npm(cell, "5", "web.test", USER, PASSWORD, out=ASKED.format("web.test"))
    npm(cell, "5", "web.test", USER, "wrong", status=1)


# Other preloads



@ours(needs=["tsocks", "curl"])
def tsocks_by_address(cell):
    path = cell.path("tsocks.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write("local = 192.0.2.0/255.255.255.0\n")
        f.write(f"server = {world.PROXY4}\nserver_port = {cell.port}\nserver_type = 5\n")
    os.chmod(path, 0o644)
    argv = ["tsocks", "curl", "-sS", "--noproxy", "*", f"http://{world.WEB4}/x"]
    cell.run(argv, env={"TSOCKS_CONF_FILE": path}, out=ASKED.format(world.WEB4))


def proxychains(cell, kind, host, who=""):
    path = cell.path("proxychains.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write(
            f"strict_chain\nproxy_dns\n[ProxyList]\n{kind} {world.PROXY4} {cell.port} {who}\n"
        )
    os.chmod(path, 0o644)
    argv = ["proxychains4", "-q", "-f", path, "curl", "-sS", "--noproxy", "*", f"http://{host}/x"]
    cell.run(argv, out=ASKED.format(host))


@ours(needs=["proxychains4", "curl"])
def proxychains_socks5_by_name(cell):
    proxychains(cell, "socks5", "web.test")


@ours(needs=["proxychains4", "curl"])
def proxychains_socks5_by_address(cell):
    proxychains(cell, "socks5", world.WEB4)


@ours(needs=["proxychains4", "curl"])
def proxychains_socks4_by_name(cell):
    proxychains(cell, "socks4", "web.test")


@members(needs=["proxychains4", "curl"])
def proxychains_with_credentials(cell):
    proxychains(cell, "socks5", "web.test", f"{USER} {PASSWORD}")


# Relays of standard input and output, as ssh's ProxyCommand wants them


def connect_proxy(cell, *how, host="web.test", env=None):
    argv = ["connect-proxy", "-w", "15", "-S", f"{world.PROXY4}:{cell.port}", *how, host, "80"]
    exchange(cell, argv, host, env=env)


@ours(needs=["connect-proxy"])
def connect_proxy_socks5_by_name(cell):
    connect_proxy(cell, "-5", "-R", "remote")


@ours(needs=["connect-proxy"])
def connect_proxy_socks5_by_address(cell):
    connect_proxy(cell, "-5", host=world.WEB4)


@ours(needs=["connect-proxy"])
def connect_proxy_socks4_by_name(cell):
    connect_proxy(cell, "-4", "-R", "remote")


@members(needs=["connect-proxy"])
def connect_proxy_with_credentials(cell):
    connect_proxy(
        cell,
        "-5",
        "-R",
        "remote",
        env={"SOCKS5_USER": USER, "SOCKS5_PASSWORD": PASSWORD},
    )


def nc(cell, version, host):
    proxy = f"{world.PROXY4}:{cell.port}"
    exchange(cell, ["nc.openbsd", "-w", "15", "-X", version, "-x", proxy, host, "80"], host)


@ours(needs=["nc.openbsd"])
def nc_openbsd_socks5_by_name(cell):
    nc(cell, "5", "web.test")


@ours(needs=["nc.openbsd"])
def nc_openbsd_socks5_by_address(cell):
    nc(cell, "5", world.WEB4)


@ours(needs=["nc.openbsd"])
def nc_openbsd_socks4_by_address(cell):
    nc(cell, "4", world.WEB4)


def socat(cell, kind, host):
    far = f"{kind}:{world.PROXY4}:{host}:80,socksport={cell.port},socksuser=me"
    exchange(cell, ["socat", "-t", "15", "-", far], host)


@ours(needs=["socat"])
def socat_socks4_by_address(cell):
    socat(cell, "SOCKS4", world.WEB4)


@ours(needs=["socat"])
def socat_socks4a_by_name(cell):
    socat(cell, "SOCKS4A", "web.test")
