"""Rust's standard library, where a compiler is here."""

import os

from harness import matrix
from sources import built


@matrix(needs=["rustc"])
def rust(cell, host):
    def command(source, folder):
        return ["rustc", "--edition", "2021", "-o", os.path.join(folder, "web"), source]

    program = os.path.join(built(cell, "web.rs", ["rustc", "--version"], command), "web")
    paths = ["/connect", "/timeout", *(f"/thread/{n}" for n in range(4))]
    want = "".join(f"you asked {host} for {path}\n" for path in paths)
    cell.run([program, host], out=want + "ConnectionRefused\n")
