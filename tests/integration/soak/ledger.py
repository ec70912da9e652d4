"""What the clients count, and what the server's log says of it."""

import collections
import re

# The last line of a session; every session has one.
END = re.compile(r"^(close|failed|resolved) id=(\d+) client=(\S+)(?: .*)?$")
TRAFFIC = re.compile(r" sent=(\d+) received=(\d+)")
RESULT = re.compile(r' result=("[^"]*"|\S+)')


class Ledger:
    def __init__(self):
        self.deeds = collections.Counter()
        self.seconds = collections.Counter()
        self.octets = 0
        # By client, who may have come more than once: (sent, received) of each tunnel that ended well.
        self.tunnels = collections.defaultdict(list)

    def did(self, deed, seconds):
        self.deeds[deed] += 1
        self.seconds[deed] += seconds

    def tunnel(self, client, sent, received):
        self.tunnels[client].append((sent, received))
        self.octets += sent + received

    def add(self, other):
        self.deeds += other.deeds
        self.seconds += other.seconds
        self.octets += other.octets
        for client, tunnels in other.tunnels.items():
            self.tunnels[client] += tunnels


def read_log(lines, threads):
    """
    Returns ({client: [(sent, received), ...]} of the tunnels that ended well, {kind of end: how many}, faults).
    Each thread counts its sessions in steps of their number.
    """
    tunnels, kinds, faults = collections.defaultdict(list), collections.Counter(), []
    seen = set()
    for line in lines:
        if " lost=" in line:
            faults.append(f"the log has a gap: {line}")
        end = END.match(line)
        if not end:
            continue
        kind, number, client = end.groups()
        number = int(number)
        if number in seen:
            faults.append(f"a second end of one session: {line}")
        seen.add(number)
        result = RESULT.search(line)
        kinds[kind + (" " + result.group(1) if result else "")] += 1
        traffic = TRAFFIC.search(line)
        if kind == "close" and traffic:
            tunnels[client].append(tuple(map(int, traffic.groups())))
    for first in range(threads, 2 * threads):
        mine = {n for n in seen if n % threads == first % threads}
        missing = set(range(first, max(mine, default=0), threads)) - mine
        if missing:
            faults.append(f"{len(missing)} sessions have no end, the first of them is {min(missing)}")
    return tunnels, kinds, faults


def compare(ledger, tunnels):
    """Yields what differs. The log has tunnels besides, which ended in other ways."""
    for client, counted in ledger.tunnels.items():
        logged = list(tunnels.get(client, ()))
        for one in counted:
            if one in logged:
                logged.remove(one)
            else:
                yield f"client {client} counted {one} octets (sent, received), the log has {tunnels.get(client)}"
