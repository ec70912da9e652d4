"""Java: its sockets are AF_INET6 for IPv4 destinations, too. One JVM for all, since it starts slowly."""

from harness import story
from sources import built
import world


def java(cell, *options):
    def command(source, folder):
        return ["javac", "-Xlint:-options", "-d", folder, source]

    classes = built(cell, "Web.java", ["javac", "-version"], command)
    hosts = ["web.test", world.WEB4]
    if cell.world.has_ipv6 and not options:
        hosts += ["v6only.test", f"[{world.WEB6}]"]
    want = "".join(
        f"you asked {host} for /{path}\n" for host in hosts for path in ("url", "client", "socket")
    )
    lean = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xmx128m"]
    cell.run(["java", *lean, *options, "-cp", classes, "Web", *hosts], out=want + "refused\n", timeout=90)


@story(needs=["java", "javac"])
def java_dual_stack(cell):
    java(cell)


@story(needs=["java", "javac"], proxies=["socksifyd"])
def java_ipv4_stack(cell):
    java(cell, "-Djava.net.preferIPv4Stack=true")
