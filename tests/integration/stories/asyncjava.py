"""Java: a Selector with fifty channels, and fifty requests of one HttpClient."""

from pace import Pace, event_loops
from sources import built


def many(cell, how, host):
    def command(source, folder):
        return ["javac", "-d", folder, source]

    classes = built(cell, "Many.java", ["javac", "-version"], command)
    lean = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xmx128m"]
    with Pace(cell, 50) as pace:
        argv = ["java", *lean, "-cp", classes, "Many", how, host, "50"]
        pace.run(argv, out="50 right\n", timeout=90)


@event_loops(needs=["java", "javac"])
def java_selector_50(cell, host):
    many(cell, "selector", host)


@event_loops(needs=["java", "javac"])
def java_http_client_50(cell, host):
    many(cell, "client", host)
