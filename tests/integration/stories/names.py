"""Programs that ask for names in every way there is. The watcher sees each question that leaves: none may."""

import os
import re
import textwrap

from daemons import ssh_options
from harness import Failed, story
from sources import source
import world

PLACEHOLDER = r"198\.1[89]\.\d+\.\d+"
PLACEHOLDER6 = r"fd5c:931e:b742:[0-9a-f:]+"
PYTHON = ["/usr/bin/python3", "-I"]

NODE = textwrap.dedent(
    """
    const dns = require('dns').promises, http = require('http'), name = process.argv[1];
    const get = (host, path) => new Promise((resolve, reject) => {
      http.get({ host, path, headers: { Host: name } }, (answer) => {
        let text = '';
        answer.on('data', (data) => { text += data; });
        answer.on('end', () => resolve(text));
      }).on('error', reject);
    });
    (async () => {
      const [four, six, looked] = await Promise.all([
        dns.resolve4(name), dns.resolve6(name), dns.lookup(name)]);
      console.log(four[0] === looked.address, four.length, six.length);
      console.log(await dns.reverse(four[0]), await dns.reverse(six[0]));
      for (const ask of [dns.resolveMx, dns.resolveTxt, dns.resolveSrv, dns.resolveAny])
        console.log(await ask.call(dns, name).catch((e) => e.code));
      const many = await Promise.all(Array.from({ length: 100 }, (_, n) => dns.resolve4(`n${n}.${name}`)));
      console.log(new Set(many.map((all) => all[0])).size);
      process.stdout.write(await get(four[0], '/node'));
    })().catch((e) => { console.error(e); process.exit(1); });
    """
)


def matches(result, pattern):
    text = result.out.decode("utf-8", "replace")
    found = re.fullmatch(pattern, text)
    if not found:
        raise Failed(f"standard output is {text[:400]!r}, and should match {pattern!r}")
    return found


@story(needs=["node"])
def node_dns(cell):
    names = "[ 'web.test' ] [ 'web.test' ]\n"
    cell.run(
        ["node", "-e", NODE, "web.test"],
        out="true 1 1\n" + names + "ENODATA\n" * 4 + "100\nyou asked web.test for /node\n",
    )


@story(needs=["aria2c"])
def aria2_with_c_ares(cell):
    cell.run(["aria2c", "--no-conf", "--async-dns=true", "-q", "-d", cell.scratch, "http://web.test/ares"])
    with open(cell.path("ares"), encoding="ascii") as f:
        if f.read() != "you asked web.test for /ares\n":
            raise Failed("the file is not what was asked for")


def dig(cell, *words, **how):
    return cell.run(["dig", "+tries=1", "+time=5", *words], **how)


@story(needs=["dig"])
def dig_in_place(cell):
    for more in ("", "+tcp", f"@{world.NAMESERVER}", "+noedns", "+bufsize=512 +dnssec"):
        ask = f"dig +tries=1 +time=5 +short {more}"
        lines = f"a=$({ask} web.test) && {ask} web.test AAAA && echo $a && {ask} -x $a"
        matches(cell.run(["sh", "-c", lines]), rf"{PLACEHOLDER6}\n{PLACEHOLDER}\nweb\.test\.\n")
    for kind in ("MX", "TXT", "SRV", "HTTPS", "ANY", "SOA"):
        text = dig(cell, "web.test", kind).out.decode()
        if "status: NOERROR" not in text or "ANSWER: 0" not in text:
            raise Failed(f"{kind} should be an empty answer")
        # It says who answered, and tells of any answer from elsewhere.
        if f"SERVER: {world.NAMESERVER}#53({world.NAMESERVER})" not in text or ";; Warning" in text:
            raise Failed("the answer should be the name server's")


@story(needs=["dig"])
def dig_of_a_server_of_its_own(cell):
    dig(cell, "+short", f"@{world.WEB4}", "web.test", status=None)
    dig(cell, "+short", "+tcp", f"@{world.WEB4}", "web.test", status=None)


@story(needs=["dig"])
def dig_through_the_tunnel(cell):
    env = {"SOCKSIFY_DNS": "tunnel"}
    for more in ([], ["+tcp"]):
        dig(cell, "+short", *more, "web.test", env=env, out=f"{world.WEB4}\n")
        dig(cell, "+short", *more, "web.test", "MX", env=env, out="10 mail.web.test.\n")


@story(needs=["host"])
def host_there_and_back(cell):
    text = "host web.test && host $(getent ahostsv4 web.test | sed -n '1s/ .*//p')"
    matches(
        cell.run(["sh", "-c", text]),
        rf"web\.test has address {PLACEHOLDER}\nweb\.test has IPv6 address {PLACEHOLDER6}\n"
        r"\S+ domain name pointer web\.test\.\n",
    )


@story(needs=["getent"])
def getent_in_every_way(cell):
    matches(cell.run(["getent", "ahosts", "web.test"]), rf"{PLACEHOLDER}\s+STREAM web\.test\n(.*\n)*")
    matches(cell.run(["getent", "ahostsv4", "web.test"]), rf"{PLACEHOLDER}\s+STREAM web\.test\n(.*\n)*")
    matches(cell.run(["getent", "ahostsv6", "web.test"]), rf"{PLACEHOLDER6}\s+STREAM web\.test\n(.*\n)*")
    text = "getent hosts web.test && getent hosts $(getent ahostsv4 web.test | sed -n '1s/ .*//p')"
    matches(cell.run(["sh", "-c", text]), rf"{PLACEHOLDER6}\s+web\.test\n{PLACEHOLDER}\s+web\.test\n")
    # By RESOLVE_PTR, where the proxy has that.
    if cell.proxy in ("socksifyd", "users"):
        matches(cell.run(["getent", "hosts", world.WEB4]), rf"{re.escape(world.WEB4)}\s+web\.test\n")
    else:
        cell.run(["getent", "hosts", world.WEB4], status=2, out="")
    cell.run(["getent", "networks", "web.test"], status=2, out="")


@story()
def python_round_trip(cell):
    text = textwrap.dedent(
        """
        import socket
        address = socket.gethostbyname("Web.test")
        print(socket.gethostbyaddr(address)[0], socket.getfqdn(address))
        six = socket.getaddrinfo("web.test", 80, socket.AF_INET6, socket.SOCK_STREAM)[0][4]
        print(socket.getnameinfo(six, 0), socket.getnameinfo((address, 22), socket.NI_NUMERICSERV))
        print(socket.getaddrinfo("web.test", 0, 0, 1, 0, socket.AI_CANONNAME)[0][3])
        for ask in (lambda: socket.gethostbyaddr("203.0.113.77"),
                    lambda: socket.getnameinfo(("203.0.113.77", 22), socket.NI_NAMEREQD),
                    lambda: socket.gethostbyname("half an address")):
            try:
                print(ask())
            except OSError as e:
                print(type(e).__name__)
        """
    )
    cell.run(
        [*PYTHON, "-c", text],
        out="Web.test Web.test\n('Web.test', 'http') ('Web.test', '22')\nweb.test\nherror\ngaierror\ngaierror\n",
    )


# As an ordinary user it gains a capability, so that ld.so preloads nothing: the wrapper says so.
@story(needs=["ping"], ways=["wrapper"])
def ping_by_name(cell):
    cell.run(["ping", "-c", "1", "-W", "1", "web.test"], status=None)


@story(needs=["ssh", "sshd"])
def ssh_that_asks_for_fingerprints(cell):
    options = ["-o", "VerifyHostKeyDNS=yes", *ssh_options(cell)]
    cell.run(["ssh", *options, "nobody@shell.test", "echo here"], out="here\n")


@story()
def mail_server(cell):
    program = f"{cell.kit.programs}/mail"
    found = matches(cell.run([program, "web.test"]), rf"mx NO_DATA\na ({PLACEHOLDER})\naddress ({PLACEHOLDER})\n")
    if found[1] != found[2]:
        raise Failed("one name has two placeholders")


@story()
def mail_server_through_the_tunnel(cell):
    program = f"{cell.kit.programs}/mail"
    result = cell.run([program, "web.test"], env={"SOCKSIFY_DNS": "tunnel"})
    matches(result, rf"mx 10 mail\.web\.test\na {re.escape(world.WEB4)}\naddress {PLACEHOLDER}\n")


@story(needs=["chromium"])
def chromium_headless(cell):
    argv = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={cell.scratch}/profile"]
    result = cell.run([*argv, "--dump-dom", "http://web.test/page"], timeout=60)
    if b"you asked web.test for /page" not in result.out:
        raise Failed("the page is not there")


@story(needs=["busybox"], ways=["wrapper"], proxies=["socksifyd"])
def busybox_closed(cell):
    cell.run(["busybox", "nslookup", "web.test"], status=None)
    cell.run(["busybox", "wget", "-q", "-O", "-", f"http://{world.WEB4}/x"], status=None, out="")


# A server where systemd-resolved's would be: whoever asks it finds the name that it was asked for in a file.
STUB = textwrap.dedent(
    """
    import os, socket, subprocess, sys, threading
    subprocess.run(["mount", "--bind", "resolv.conf", "/etc/resolv.conf"], check=True)
    stub = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stub.bind(("127.0.0.53", 53))
    def serve():
        while True:
            question = stub.recv(512)
            with open("asked", "ab") as f:
                f.write(question)
    threading.Thread(target=serve, daemon=True).start()
    sys.exit(subprocess.run(sys.argv[1:]).returncode)
    """
)


@story(needs=["dig", "node", "unshare"], users=["root"], proxies=["socksifyd"])
def resolved_stub(cell):
    with open(cell.path("resolv.conf"), "w", encoding="ascii") as f:
        f.write("nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch test\n")
    with open(cell.path("stub.py"), "w", encoding="ascii") as f:
        f.write(STUB)
    url = cell.url
    inner = [
        ["dig", "+short", "web.test"],
        ["dig", "+short", "+tcp", "web.test"],
        ["node", "-e", "require('dns').resolve4('web.test', (e, a) => console.log(a[0]))"],
        ["getent", "ahostsv4", "web"],
    ]
    for argv in inner:
        env = {}
        argv, env = cell.dress(argv, env, url)
        words = ["env", *(f"{k}={v}" for k, v in env.items()), *argv]
        result = cell.run(["unshare", "-m", *PYTHON, "stub.py", *words], bare=True)
        if not re.match(PLACEHOLDER, result.out.decode()):
            raise Failed("a placeholder should be shown")
    if os.path.exists(cell.path("asked")):
        raise Failed("the stub was asked")


@story(needs=["musl-gcc"], ways=["wrapper"], proxies=["socksifyd"])
def musl_static_closed(cell):
    cell.run(["musl-gcc", "-static", "-o", "asker", source(cell, "asker.c")], bare=True)
    result = cell.run(["./asker", "web.test"], status=1, out="")
    if b"is static" not in result.err:
        raise Failed("nobody was told")


@story(proxies=["none"], ways=["bare"], leaks="dns", needs=["dig", "node"])
def bare_programs_ask(cell):
    """What the watcher would see of the stories above: without the library all of them ask."""
    dig(cell, "+short", "web.test", out=f"{world.WEB4}\n")
    cell.run(["node", "-e", "require('dns').resolve4('web.test', (e, a) => console.log(a[0]))"], out=f"{world.WEB4}\n")
