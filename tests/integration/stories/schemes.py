"""Every scheme, a proxy by name, and a proxy of the other family."""

from harness import story
import world


def fetch(cell, url, host):
    cell.run(["curl", "-g", "-sS", f"http://{host}/x"], out=f"you asked {host} for /x\n", url=url)


# Not through microsocks, which has SOCKS5 alone, nor danted, whose 4a refuses even names that its SOCKS5 resolves.
@story(proxies=["socksifyd"], needs=["curl"])
def socks4a_by_name(cell):
    fetch(cell, f"socks4a://{world.PROXY4}:{cell.port}", "web.test")


@story(proxies=["socksifyd"], needs=["curl"], ipv6=True)
def socks4a_reaches_ipv6_only_name(cell):
    fetch(cell, f"socks4a://{world.PROXY4}:{cell.port}", "v6only.test")


@story(proxies=["socksifyd", "danted"], needs=["curl"])
def socks4_by_address(cell):
    fetch(cell, f"socks4://{world.PROXY4}:{cell.port}", world.WEB4)


@story(needs=["curl"])
def socks5_by_address(cell):
    fetch(cell, f"socks5://{world.PROXY4}:{cell.port}", world.WEB4)


@story(proxies=["socksifyd"], needs=["curl"], leaks="dns")
def socks5_asks_the_local_resolver(cell):
    # As the scheme says; the h is what sends names along.
    fetch(cell, f"socks5://{world.PROXY4}:{cell.port}", "web.test")


@story(needs=["curl"])
def proxy_by_name(cell):
    fetch(cell, f"socks5h://proxy.test:{cell.port}", "web.test")


@story(proxies=["socksifyd"], needs=["curl"], ipv6=True)
def ipv6_proxy_for_an_ipv4_program(cell):
    fetch(cell, f"socks5h://[{world.PROXY6}]:{cell.port}", world.WEB4)


@story(proxies=["socksifyd"], needs=["curl"], ipv6=True)
def ipv6_proxy_by_name(cell):
    fetch(cell, f"socks5h://[{world.PROXY6}]:{cell.port}", "web.test")


@story(proxies=["socksifyd"], needs=["curl"], ipv6=True)
def ipv4_proxy_for_an_ipv6_program(cell):
    fetch(cell, f"socks5h://{world.PROXY4}:{cell.port}", f"[{world.WEB6}]")


@story(proxies=["socksifyd"], ways=["wrapper"], needs=["curl"])
def all_proxy_serves_too(cell):
    # The wrapper's own variables must win over what curl would make of ALL_PROXY.
    cell.run(
        ["curl", "-sS", "--noproxy", "*", "http://web.test/x"],
        out="you asked web.test for /x\n",
        env={"ALL_PROXY": "http://192.0.2.1:3128"},
    )
