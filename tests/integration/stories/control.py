"""Without the library the watcher must see packets: it can fail. What is kept from the network must not try."""

from harness import NOBODY_LISTENS, Failed, story
import world


@story(proxies=["none"], ways=["bare"], needs=["curl"], leaks="dns")
def control_name_is_asked(cell):
    cell.run(["curl", "-sS", "-m", "5", "http://web.test/hello"], status=None)


@story(proxies=["none"], ways=["bare"], needs=["curl"], leaks=True)
def control_address_is_tried(cell):
    cell.run(["curl", "-sS", "-m", "5", f"http://{world.WEB4}/hello"], status=None)


@story(proxies=["none"], ways=["bare"], needs=["curl"], leaks=True, ipv6=True)
def control_ipv6_address_is_tried(cell):
    cell.run(["curl", "-sS", "-m", "5", "-g", f"http://[{world.WEB6}]/hello"], status=None)


@story(proxies=["none"], ways=["bare"], needs=["curl"], leaks=True)
def control_another_port_of_the_proxy_is_tried(cell):
    cell.run(["curl", "-sS", "-m", "5", f"http://{world.PROXY4}:{NOBODY_LISTENS}/"], status=None)


@story(proxies=["none"], needs=["curl"])
def malformed_proxy_refuses_all(cell):
    result = cell.run(
        ["curl", "-sS", "http://web.test/hello"], status=None, url="socks9://192.0.2.1:1080"
    )
    if b"socks9" not in result.err:
        raise Failed("nothing on standard error quotes the URL")
    cell.run(
        ["curl", "-sS", f"http://{world.WEB4}/hello"], status=None, url="socks9://192.0.2.1:1080"
    )


@story(proxies=["none"], needs=["curl"])
def absent_proxy_refuses_all(cell):
    closed = f"socks5h://127.0.0.1:{NOBODY_LISTENS}"
    cell.run(["curl", "-sS", "http://web.test/hello"], status=None, url=closed)
    cell.run(["curl", "-sS", f"http://{world.WEB4}/hello"], status=None, url=closed)
