"""Cells told side by side: a process for each lane, with a client and a watcher of its own.

How it works: the numbers of all jobs are put in one pipe, four octets each, from which the lanes help
themselves until it is empty. Each tells its results as lines of JSON in a pipe of its own. A lane is the reaper
of what its cells leave behind, so that no cell's daemon outlives it (harness.sweep).
"""

import ctypes
import json
import os
import selectors
import signal
import sys
import traceback

import harness
import watch

PR_SET_CHILD_SUBREAPER = 36
libc = ctypes.CDLL(None, use_errno=True)


class Job:
    def __init__(self, name, story, proxy, way, user):
        self.name, self.story = name, story
        self.proxy, self.way, self.user = proxy, way, user

    def tell(self, kit, client, eyes):
        """Returns ("ok", "FAIL" or "skip", why)."""
        reason = kit.absent.get(self.proxy) or self.story.missing(kit)
        if reason:
            return "skip", reason
        for name in self.story.needs:
            if name in kit.broken:
                return "FAIL", kit.broken[name]
        cell = harness.Cell(kit, client, self.proxy, self.way, self.user)
        try:
            problem = harness.tell(self.story, cell, eyes)
        except harness.Skipped as e:
            return "skip", str(e)
        return ("FAIL", problem) if problem else ("ok", cell.remark)


def work(kit, number, jobs, queue, results):
    """A lane's life."""
    # The parent's handler would leave by an exception.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    client, kit.lane = kit.place.clients[number], number
    with client.inside():
        eyes = watch.Watch("c0", kit.proxy_addresses)
    with os.fdopen(results, "w", encoding="utf-8") as out:

        def say(*words):
            out.write(json.dumps(words) + "\n")
            out.flush()

        while octets := os.read(queue, 4):
            job = jobs[int.from_bytes(octets, "little")]
            say(*job.tell(kit, client, eyes), job.name)
        say("end", "; ".join(map(str, eyes.take())), "")


def start(kit, number, jobs, queue):
    """Returns where its results are to be read."""
    results, tell = os.pipe()
    if os.fork() == 0:
        status = 1
        try:
            os.close(results)
            work(kit, number, jobs, queue, tell)
            status = 0
        except Exception:  # pylint: disable=broad-except
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(status)
    os.close(tell)
    return os.fdopen(results, "rb", buffering=0)


def tell_all(kit, jobs, note):
    """note(kind, name, why) is called for each job, and for "nothing-afterwards"."""
    queue, fill = os.pipe()
    # Some fifteen thousand would block here; there are hundreds.
    os.write(fill, b"".join(i.to_bytes(4, "little") for i in range(len(jobs))))
    os.close(fill)
    sys.stdout.flush()
    late, told = [], 0
    with selectors.DefaultSelector() as selector:
        for number in range(len(kit.place.clients)):
            pipe = start(kit, number, jobs, queue)
            selector.register(pipe, selectors.EVENT_READ, [number, b""])
        while selector.get_map():
            for key, _ in selector.select():
                number, rest = key.data
                octets = key.fileobj.read(65536)
                *lines, key.data[1] = (rest + octets).split(b"\n")
                for line in map(json.loads, lines):
                    kind, why, name = line
                    if kind == "end":
                        told += 1
                        late += filter(None, [why])
                    else:
                        note(kind, name, why)
                if not octets:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
    os.close(queue)
    if told < len(kit.place.clients):
        late.append("a lane ended before its time")
    note("FAIL" if late else "ok", "nothing-afterwards", "; ".join(late))
