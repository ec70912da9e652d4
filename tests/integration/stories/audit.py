"""--audit, in a session around it: what real programs did, told at their end."""

from harness import Failed, story
import world

PREFIX = "socksify: audit: "


def audit(cell, *argv, **how):
    """Returns the summary's lines, without what they begin with."""
    result = cell.run([cell.kit.socksify, "-q", "--audit", *argv], **how)
    lines = result.err.decode("ascii").splitlines()
    return [line[len(PREFIX):] for line in lines if line.startswith(PREFIX)]


def told(lines, *wanted):
    for line in wanted:
        if line not in lines:
            raise Failed(f"{line!r} is not told: {lines}")


@story(proxies=["socksifyd"], ways=["wrapper"], needs=["curl", "dig"])
def audit_of_a_script(cell):
    script = (
        "curl -sS http://web.test/one; curl -sS http://web.test/two; "
        "dig +tries=1 +time=1 @203.0.113.53 web.test >/dev/null 2>&1; exit 7"
    )
    lines = audit(
        cell, "sh", "-c", script, status=7,
        out="you asked web.test for /one\nyou asked web.test for /two\n",
    )
    told(
        lines,
        "sh ended with status 7",
        "through the proxy: web.test:80 (curl; 2 processes)",
        "refused: 203.0.113.53:53: only TCP has a way through the proxy (dig)",
        "nothing went past the proxy, no program ran without a network",
    )


@story(proxies=["socksifyd"], ways=["wrapper"], needs=["curl"], leaks=True)
def audit_names_the_rule_that_sends_direct(cell):
    rules = "203.0.113.0/24"
    lines = audit(
        cell, "-n", rules, "curl", "-sS", f"http://{world.WEB4}/x", status=None, out=""
    )
    told(lines, f"direct: {world.WEB4}:80: a rule for its address, {rules} (curl)")


@story(proxies=["socksifyd"], ways=["wrapper"], needs=["curl"])
def audit_of_event_loops(cell):
    urls = [f"http://{name}/x" for name in ("web.test", "v4only.test", "no.test")]
    lines = audit(cell, "curl", "-sS", "--parallel", "--parallel-immediate", *urls, status=None)
    told(
        lines,
        "through the proxy: v4only.test:80 (curl)",
        "through the proxy: web.test:80 (curl)",
    )
    if not any(line.startswith("not reached by the proxy: no.test:80: ") for line in lines):
        raise Failed(f"no.test is not told of: {lines}")


@story(proxies=["socksifyd"], ways=["wrapper"], needs=["ping"])
def audit_of_ping(cell):
    lines = audit(cell, "ping", "-c1", "-W1", world.WEB4, status=None)
    if not any(line.startswith(("refused: ", "not run: ")) for line in lines):
        raise Failed(f"nothing was refused: {lines}")
