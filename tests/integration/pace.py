"""What the stories of event loops hold a program to: its connects through the slow proxy went side by side.

No clock decides, since machines are noisy: the proxy tells how many handshakes it had under way at once, and
the program how often its loop came round before the first of them had ended. What the clocks say goes into
the cell's line. run.py --strict, on a quiet machine and one lane, holds them to the clock, too.

A program here ends its output with a line of JSON: "wall_ms" from the first connect call to the last that is
connected, and, where its loop has a ticker of 5 ms, "stall_ms", the longest time between ticks beyond
these 5 ms, "ticks", how many came before the first was connected, and "own_ms", the stall that as many
connects cost where nothing is proxied.
"""

import json

import harness
from harness import Failed
from slow import take

TICKS_AT_LEAST = 5
STALL_MS_STRICT = 20
# Of one handshake's time, which is two steps.
WALL_STRICT = 1.5


def event_loop(**how):
    """A story through the slow proxy. What differs by way and by user is for other stories to tell."""
    return harness.story(proxies=["slow"], paired=True, **how)


def event_loops(at="web", **how):
    """Two of them, which are told the host, too: by name and by address."""
    return harness.matrix(at=at, proxies=["slow"], **how)


class Pace:
    """
    with Pace(cell, 200) as pace: pace.run(argv, out=...)

    connects  how many handshakes there must be, at the very least
    share     which part of them under way at once
    strict    whether --strict holds it to the clock; not what waits by intent, or does more than connect
    """

    def __init__(self, cell, connects, share=0.8, strict=True):
        self.cell, self.connects, self.least = cell, connects, max(1, int(connects * share))
        self.strict = strict and cell.kit.strict
        self.step_ms = cell.kit.step_ms
        self.numbers = {}

    def seen(self):
        return take(self.cell.kit.slow_control, self.cell.client.address4)

    def __enter__(self):
        self.seen()
        return self

    def run(self, argv, out="", **how):
        """As cell.run, for a program with that line of JSON; out is what stands before it."""
        result = self.cell.run(argv, **how)
        text = result.out.decode("utf-8", "replace")
        before, _, last = text.rstrip("\n").rpartition("\n")
        try:
            self.numbers = json.loads(last)
        except ValueError as e:
            raise Failed("no numbers at the end of standard output") from e
        before += "\n" if before else ""
        if before != out:
            raise Failed(f"standard output begins {before[:200]!r}; wanted {out[:200]!r}")
        return result

    def __exit__(self, kind, value, trace):
        told = self.seen()
        words = [f"{told['peak']} of {told['handshakes']} at once"]
        if told["span_ms"] is not None:
            words.append(f"{told['span_ms']:.0f} ms at the proxy")
        for key, unit in (("wall_ms", "in the program"), ("stall_ms", "stall"), ("own_ms", "its own")):
            if key in self.numbers:
                words.append(f"{self.numbers[key]:.0f} ms {unit}")
        self.cell.remark = ", ".join(filter(None, [self.cell.remark, *words]))
        if kind is None:
            self.judge(told)
        elif issubclass(kind, Failed):
            raise Failed(f"{value} ({', '.join(words)})") from value

    def judge(self, told):
        if told["handshakes"] < self.connects:
            raise Failed(f"only {told['handshakes']} connects reached the proxy, not {self.connects}")
        if told["peak"] < self.least:
            raise Failed(f"the connects were no {self.least} at once: {self.cell.remark}")
        if "ticks" in self.numbers and self.numbers["ticks"] < TICKS_AT_LEAST:
            raise Failed(
                f"the loop stood still: {self.numbers['ticks']} ticks before the first was "
                f"connected: {self.cell.remark}"
            )
        if self.strict:
            self.judge_by_the_clock(told)

    def judge_by_the_clock(self, told):
        longest = WALL_STRICT * 2 * self.step_ms
        if max(told["span_ms"] or 0, self.numbers.get("wall_ms", 0)) > longest:
            raise Failed(f"all together took more than {longest:.0f} ms: {self.cell.remark}")
        stall = self.numbers.get("stall_ms", 0) - self.numbers.get("own_ms", 0)
        if stall > STALL_MS_STRICT:
            raise Failed(f"the loop stood for more than {STALL_MS_STRICT} ms: {self.cell.remark}")
