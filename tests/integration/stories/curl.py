"""curl: by name and by address, plain and TLS, either family."""

from harness import story
import world


def said(host, path="/hello"):
    return f"you asked {host} for {path}\n"


@story(needs=["curl"])
def curl_http_by_name(cell):
    cell.run(["curl", "-sS", "http://web.test/hello"], out=said("web.test"))


@story(needs=["curl"])
def curl_http_by_address(cell):
    cell.run(["curl", "-sS", f"http://{world.WEB4}/hello"], out=said(world.WEB4))


@story(needs=["curl"], ipv6=True)
def curl_http_ipv6_only_name(cell):
    cell.run(["curl", "-sS", "http://v6only.test/hello"], out=said("v6only.test"))


@story(needs=["curl"], ipv6=True)
def curl_http_ipv6_literal(cell):
    cell.run(["curl", "-sS", "-g", f"http://[{world.WEB6}]/hello"], out=said(f"[{world.WEB6}]"))


@story(needs=["curl", "openssl"])
def curl_https_by_name(cell):
    cell.run(
        ["curl", "-sS", "--cacert", cell.kit.scratch + "/web.pem", "https://web.test/hello"],
        out=said("web.test"),
    )


@story(needs=["curl", "openssl"])
def curl_https_by_address(cell):
    cell.run(
        ["curl", "-sS", "--cacert", cell.kit.scratch + "/web.pem", f"https://{world.WEB4}/hello"],
        out=said(world.WEB4),
    )


@story(needs=["curl"])
def curl_many_urls(cell):
    names = ["web.test", "v4only.test", world.WEB4]
    urls = [f"http://{name}/{n}" for n in range(8) for name in names]
    want = "".join(said(name, f"/{n}") for n in range(8) for name in names)
    cell.run(["curl", "-sS", *urls], out=want)


@story(needs=["curl"])
def curl_unknown_name_fails(cell):
    cell.run(["curl", "-sS", "http://nowhere.test/"], status=None)
