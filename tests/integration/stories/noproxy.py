"""NO_PROXY: what it lists is seen to go past the proxy, and nothing else is."""

from harness import story
import world

ASKED = "you asked {} for /x\n"


def curl(cell, host, listed, port=80, **how):
    """The list is ours: curl does not read SOCKSIFY_NO_PROXY."""
    argv = ["curl", "-g", "-sS", "-m", "5", f"http://{host}:{port}/x"]
    cell.run(argv, env={"SOCKSIFY_NO_PROXY": listed}, **how)


def past(**how):
    return story(proxies=["socksifyd"], needs=["curl"], leaks=how.pop("leaks", True), **how)


@past(leaks="dns")
def listed_name_goes_direct(cell):
    curl(cell, "web.test", "web.test", status=None)


@past(leaks="dns")
def listed_suffix_goes_direct(cell):
    curl(cell, "web.test", "x.example .test", status=None)


@past(leaks="dns")
def listed_name_and_port_go_direct(cell):
    curl(cell, "web.test", "web.test:80", status=None)


@past()
def listed_address_goes_direct(cell):
    curl(cell, world.WEB4, f"192.0.2.77,{world.WEB4}", status=None)


@past()
def listed_range_goes_direct(cell):
    curl(cell, world.WEB4, "10.0.0.0/8,203.0.113.0/24:80", status=None)


@past(ipv6=True)
def listed_ipv6_range_goes_direct(cell):
    curl(cell, f"[{world.WEB6}]", "2001:db8:113::/48", status=None)


@past(leaks="dns")
def star_sends_all_direct(cell):
    curl(cell, "web.test", "*", status=None)


@story(needs=["curl"], proxies=["socksifyd"])
def all_else_goes_through_the_proxy(cell):
    listed = "eb.test, test,.web.test,web.test:81,*:443,10.0.0.0/8,203.0.113.11,[2001:db8::1]:80"
    curl(cell, "web.test", listed, out=ASKED.format("web.test"))
    curl(cell, world.WEB4, listed, out=ASKED.format(world.WEB4))


@story(needs=["curl"], proxies=["socksifyd"])
def range_is_not_about_names(cell):
    curl(cell, "v4only.test", "203.0.113.0/24", out=ASKED.format("v4only.test"))


@story(needs=["curl"], proxies=["socksifyd"])
def empty_list_overrides_the_other(cell):
    argv = ["curl", "-sS", "-m", "5", "http://web.test/x"]
    cell.run(argv, env={"SOCKSIFY_NO_PROXY": ",", "NO_PROXY": "*"}, out=ASKED.format("web.test"))


@story(needs=["curl"], proxies=["socksifyd"])
def malformed_list_refuses_all(cell):
    curl(cell, "web.test", "web.test,10.0.0.0/33", status=None)
