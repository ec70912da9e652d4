"""Tables of what run.py has measured, and what the goals say to it."""

import statistics

GIB = float(1 << 30)


class Figure:
    """One thing that is measured: by server a run for each round, a dictionary of what was said, or None."""

    def __init__(self, story, title, words):
        self.story, self.title, self.words = story, title, words
        self.runs = {}

    def add(self, name, got):
        self.runs.setdefault(name, []).append(got)

    def rate(self, run):
        if self.story == "bulk":
            return run["octets"] / GIB / run["seconds"]
        return run["count"] / run["seconds"]

    def cost(self, run):
        """Seconds of the server's processor time per GiB; elsewhere microseconds per operation."""
        if self.story == "bulk":
            return run["cpu_s"] / (run["octets"] / GIB)
        return run["cpu_s"] / run["count"] * 1e6 if run["count"] else None

    def by_round(self, name, what):
        pick = {"rate": self.rate, "cost": self.cost}.get(what, lambda run: run.get(what))
        return [pick(run) if run else None for run in self.runs.get(name, [])]

    def values(self, name, what):
        return [value for value in self.by_round(name, what) if value is not None]

    def median(self, name, what="rate"):
        values = self.values(name, what)
        return statistics.median(values) if values else None


def shown(value, digits=None):
    if value is None:
        return "-"
    if digits is None:
        digits = 0 if value >= 1000 else 1 if value >= 100 else 2
    return f"{value:,.{digits}f}"


def table(rows):
    """Columns as wide as need be; the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:]))]
        lines.append("| " + " | ".join(cells) + " |")
        if number == 0:
            lines.append("|" + "|".join("-" * (w + 1) + (":" if i else "-") for i, w in enumerate(widths)) + "|")
    return "\n".join(lines)


class Report:
    def __init__(self, about, servers, figures, idle):
        self.about, self.servers, self.figures, self.idle = about, servers, figures, idle
        self.names = [s.name for s in servers]

    def marked(self, server):
        return server.name + (" (!)" if server.faults else "")

    def heads(self):
        return [self.marked(s) for s in self.servers]

    def by_story(self, story):
        return [figure for figure in self.figures if figure.story == story]

    def find(self, *words):
        """The figure of this story with these first words for the tool, or None."""
        story, *rest = words
        for figure in self.by_story(story):
            if list(figure.words[: len(rest)]) == rest:
                return figure
        return None

    def rates(self):
        rows = [["median (lowest to highest)", "unit", *self.heads()]]
        units = {
            "bulk": "GiB/s",
            "connects": "/s",
            "pingpong": "/s",
            "udp": "/s",
            "flood": "/s",
        }
        for figure in self.figures:
            cells = []
            for name in self.names:
                values = figure.values(name, "rate")
                spread = f" ({shown(min(values))}–{shown(max(values))})" if len(values) > 1 else ""
                cells.append(shown(figure.median(name)) + spread)
            rows.append([figure.title, units[figure.story], *cells])
        return table(rows)

    def details(self, title, what, figures, digits=None, unit=""):
        rows = [[title, unit, *self.heads()]]
        for figure in figures:
            rows.append([figure.title, unit, *(shown(figure.median(n, what), digits) for n in self.names)])
        return table([[row[0], *row[2:]] for row in rows])

    def idle_kib(self, name, count, key="Pss"):
        values = [run[count][key] for run in self.idle.get(name, []) if count in run]
        return statistics.median(values) if values else None

    def idle_table(self):
        counts = sorted({count for runs in self.idle.values() for run in runs for count in run})
        servers = [s for s in self.servers if s.command is not None]
        rows = [["user memory (Pss) of an idle tunnel, KiB", *(self.marked(s) for s in servers)]]
        for count in counts:
            rows.append([f"{count:,} tunnels", *(shown(self.idle_kib(s.name, count)) for s in servers)])
        return table(rows)

    def ratio(self, figure, ours, theirs, what="rate"):
        """The median of each round's own: its two figures were taken next to each other."""
        if figure is None:
            return None
        pairs = zip(figure.by_round(ours, what), figure.by_round(theirs, what))
        found = [a / b for a, b in pairs if a is not None and b]
        return statistics.median(found) if found else None

    def goals(self, ours):
        """(what, measured, goal, whether it is met, or None where that can't be told)"""
        found = []

        def add(what, value, goal, at_least=True):
            met = None if value is None else value >= goal if at_least else value <= goal
            sign = "≥" if at_least else "≤"
            found.append((what, value, f"{sign} {goal:g}", met))

        for streams in (1, 8):
            for way in ("up", "down", "both"):
                figure = self.find("bulk", streams, way)
                for theirs, rate, cost in (("microsocks", 10, 0.06), ("danted", 2, 0.35)):
                    add(f"{streams} {way}: GiB/s to {theirs}", self.ratio(figure, ours, theirs), rate)
                    value = self.ratio(figure, ours, theirs, "cost")
                    add(f"{streams} {way}: CPU s/GiB to {theirs}", value, cost, False)
        figure = self.find("connects", 64)
        add("connections, 64 at a time, to microsocks", self.ratio(figure, ours, "microsocks"), 1.4)
        figure = self.find("pingpong", 64)
        add("64 ping-pongs to danted", self.ratio(figure, ours, "danted"), 1.25)
        for count in sorted({count for run in self.idle.get(ours, []) for count in run}):
            add(f"KiB an idle tunnel, of {count:,}", self.idle_kib(ours, count), 0.5, False)
        for octets in (64, 1400):
            figure = self.find("udp", octets)
            add(f"datagrams of {octets:,} to danted", self.ratio(figure, ours, "danted"), 3)
        return found

    def goals_table(self, ours):
        rows = [[f"{ours}: goals, as ratios of this run", "measured", "goal", ""]]
        for what, value, goal, met in self.goals(ours):
            if value is not None:
                rows.append([what, shown(value, 3), goal, "met" if met else "NOT MET"])
        return table(rows) if len(rows) > 1 else ""

    def text(self):
        parts = [", ".join(f"{key}: {value}" for key, value in self.about.items())]
        if self.figures:
            parts.append(self.rates())
            bulk = self.by_story("bulk")
            rest = [figure for figure in self.figures if figure.story != "bulk"]
            timed = self.by_story("connects") + self.by_story("pingpong")
            datagrams = self.by_story("udp") + self.by_story("flood")
            for title, what, figures, digits in (
                ("server's CPU s/GiB", "cost", bulk, 3),
                ("server's CPU us each", "cost", rest, 2),
                ("p50, us", "p50_us", timed, 1),
                ("p99, us", "p99_us", timed, 1),
                ("lost, share", "loss", datagrams, 4),
                ("server busy, processors", "busy", self.figures, 2),
                ("the load tool busy", "own_busy", self.figures, 2),
            ):
                if figures:
                    parts.append(self.details(title, what, figures, digits))
        if self.idle:
            parts.append(self.idle_table())
        parts += [self.goals_table(s.name) for s in self.servers if s.ours]
        for server in self.servers:
            parts += [f"(!) {server.name}: {fault}" for fault in server.faults]
        return "\n\n".join(part for part in parts if part)

    def data(self):
        return {
            "about": self.about,
            "servers": {s.name: {"command": s.command, "faults": s.faults} for s in self.servers},
            "figures": [
                {
                    "story": f.story,
                    "title": f.title,
                    "words": list(f.words),
                    "runs": f.runs,
                    "medians": {
                        name: {"rate": f.median(name), "cost": f.median(name, "cost")} for name in f.runs
                    },
                }
                for f in self.figures
            ],
            "idle": self.idle,
            "goals": {
                s.name: [
                    {"what": w, "measured": v, "goal": g, "met": m} for w, v, g, m in self.goals(s.name)
                ]
                for s in self.servers
                if s.ours
            },
        }
