"""libevent with each of its ways to wait, and libuv."""

import os

from harness import Skipped
from pace import Pace, event_loops


def many(cell, library, host, **how):
    path = f"{cell.kit.programs}/many-{library}"
    if not os.path.exists(path):
        raise Skipped(f"many-{library} is not built: no headers of {library}")
    with Pace(cell, 200) as pace:
        pace.run([path, host, "80", "200"], out="200 right\n", **how)


@event_loops()
def libevent_200_with_epoll(cell, host):
    many(cell, "libevent", host)


@event_loops()
def libevent_200_with_poll(cell, host):
    many(cell, "libevent", host, env={"EVENT_NOEPOLL": "1"})


@event_loops()
def libevent_200_with_select(cell, host):
    many(cell, "libevent", host, env={"EVENT_NOEPOLL": "1", "EVENT_NOPOLL": "1"})


@event_loops()
def libuv_200(cell, host):
    many(cell, "libuv", host)
