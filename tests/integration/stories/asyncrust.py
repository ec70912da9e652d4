"""Rust's standard library: connect_timeout, and what mio does by libc's own calls."""

import os

from pace import Pace, event_loop
from sources import built
import world


@event_loop(needs=["rustc"])
def rust_200(cell):
    def command(source, folder):
        return ["rustc", "--edition", "2021", "-o", os.path.join(folder, "many"), source]

    program = os.path.join(built(cell, "many.rs", ["rustc", "--version"], command), "many")
    out = "with a time-out: true\nsilent: TimedOut, early: false\n200 right\n"
    # The two connects before the two hundred belong to no loop.
    with Pace(cell, 202, strict=False) as pace:
        pace.run([program, world.WEB4, "200", world.SILENT4], out=out, env={"SOCKSIFY_TIMEOUT": "600"})
