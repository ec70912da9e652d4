"""Languages that start programs with an environment of their own making, or none; see also children.py."""

from harness import Failed, story
from sources import built, source
import world

HOSTS = ["web.test", world.WEB4]
PYTHON = ["/usr/bin/python3", "-I"]
JAVA = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xmx128m"]


def asked(host, *paths):
    return "".join(f"you asked {host} for /{path}\n" for path in paths)


def numbered(host, count):
    return asked(host, *range(count))


def python_processes(cell, method):
    for host in HOSTS:
        want = asked(host, *(f"{n}/{who}" for n in range(4) for who in ("itself", "child")))
        cell.run([*PYTHON, source(cell, "wiped.py"), method, host], out=want)


@story(proxies=["socksifyd"], needs=["curl"])
def python_wiped_fork(cell):
    python_processes(cell, "fork")


@story(proxies=["socksifyd"], needs=["curl"])
def python_wiped_spawn(cell):
    python_processes(cell, "spawn")


@story(proxies=["socksifyd"], needs=["curl"])
def python_wiped_forkserver(cell):
    python_processes(cell, "forkserver")


@story(proxies=["socksifyd"], needs=["curl"])
def python_starts(cell):
    for host in HOSTS:
        result = cell.run([*PYTHON, source(cell, "wiped.py"), "starts", host])
        # What went over a terminal has its line ends.
        if result.out.replace(b"\r\n", b"\n").decode() != numbered(host, 19):
            raise Failed("other pages came than were asked for")


@story(proxies=["socksifyd"], needs=["perl", "curl"])
def perl_starts(cell):
    for host in HOSTS:
        cell.run(["perl", source(cell, "wiped.pl"), host], out=numbered(host, 10))


@story(proxies=["socksifyd"], needs=["ruby", "curl"])
def ruby_starts(cell):
    for host in HOSTS:
        cell.run(["ruby", source(cell, "wiped.rb"), host], out=numbered(host, 10))


@story(proxies=["socksifyd"], needs=["php", "curl"])
def php_starts(cell):
    for host in HOSTS:
        cell.run(["php", source(cell, "wiped.php"), host], out=numbered(host, 10))


@story(proxies=["socksifyd"], needs=["node", "curl"])
def node_starts(cell):
    for host in HOSTS:
        want = numbered(host, 17) + asked(host, "fork")
        cell.run(["node", source(cell, "wiped.js"), "starts", host], out=want)


@story(proxies=["socksifyd"], needs=["node"])
def node_cluster(cell):
    for host in HOSTS:
        cell.run(["node", source(cell, "wiped.js"), "cluster", host], out=numbered(host, 6))


@story(proxies=["socksifyd"], ways=["wrapper"], needs=["java", "javac", "curl"])
def java_process_builder(cell):
    def command(file, folder):
        return ["javac", "-Xlint:-options", "-d", folder, file]

    classes = built(cell, "Wiped.java", ["javac", "-version"], command)
    # By posix_spawn of a helper unless told otherwise.
    ways = {"root": ["POSIX_SPAWN", "FORK"], "nobody": ["POSIX_SPAWN", "VFORK"]}
    for way in ways[cell.user]:
        launch = f"-Djdk.lang.Process.launchMechanism={way}"
        want = "".join(numbered(host, 4) for host in HOSTS)
        cell.run([*JAVA, launch, "-cp", classes, "Wiped", *HOSTS], out=want, timeout=90)
