"""Many threads in one process: Python's urllib, and a C program that only connects."""

import textwrap

from harness import story
import world

URLLIB = (
    textwrap.dedent(
        """
    import sys, threading, urllib.request
    bad = []
    gate = threading.Barrier(50)
    def fetch(n):
        host = ["web.test", "v4only.test", "%s"][n %% 3]
        gate.wait()
        try:
            for turn in range(4):
                with urllib.request.urlopen(f"http://{host}/{n}/{turn}", timeout=20) as answer:
                    text = answer.read().decode()
                if text != f"you asked {host} for /{n}/{turn}\\n":
                    bad.append(f"thread {n}: {text!r}")
        except Exception as e:
            bad.append(f"thread {n}: {e!r}")
    threads = [threading.Thread(target=fetch, args=(n,)) for n in range(50)]
    for t in threads: t.start()
    for t in threads: t.join()
    print(*bad, sep="\\n", file=sys.stderr)
    sys.exit(bool(bad))
"""
    )
    % world.WEB4
)


@story()
def urllib_50_threads(cell):
    # Debian's own Python: one from a home directory may be closed to other users.
    cell.run(["/usr/bin/python3", "-I", "-c", URLLIB])


@story()
def storm_40_threads_100_connects(cell):
    # An ordinary user's proxy may be slow under a sanitizer; the count is what matters.
    cell.run(
        [cell.kit.programs + "/storm", "40", "100", "web.test", world.WEB4, "80"],
        out="4000 right\n",
    )
