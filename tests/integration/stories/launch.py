"""What the library can't get into: without a network, or not at all, and said so in one line."""

import os

from harness import Failed, Skipped, story
import world

CLOSED = "unix ok\ntcp EACCES\nudp EACCES\nsum 5050\n"
OPEN = "unix ok\ntcp ok\nudp ok\nsum 5050\n"
KINDS = ("alone", "alone-pie")
ARGS = [world.WEB4, "80"]


def alone(cell, kind="alone"):
    path = f"{cell.kit.programs}/{kind}"
    if not os.path.exists(path):
        raise Skipped(f"{kind} is not built: there is no libc to link it with statically")
    return path


def told_once(result, *words):
    """The wrapper's one line, which holds all these words."""
    lines = [line for line in result.err.decode().splitlines() if line.startswith("socksify: ")]
    if len(lines) != 1 or not all(word in lines[0] for word in words):
        raise Failed(f"standard error should be one line with {words}")


def script(cell, name, text):
    path = cell.path(name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, 0o755)
    return path


@story(proxies=["none"], ways=["wrapper"])
def static_program_runs_without_a_network(cell):
    for kind in KINDS:
        path = alone(cell, kind)
        result = cell.run([path, *ARGS], out=CLOSED)
        told_once(result, path, "is static", "without a network", "SOCKSIFY_EXEC=allow")


@story(proxies=["none"], ways=["wrapper"])
def static_interpreter_counts_as_the_script_does(cell):
    path = script(cell, "script", f"#!{alone(cell)} {world.WEB4}\n")
    # The kernel puts the script's own name where the port should stand; there is nobody to connect to anyway.
    result = cell.run([path], out=CLOSED)
    told_once(result, path, alone(cell), "is static")


@story(proxies=["none"], ways=["wrapper"])
def static_program_is_refused_where_that_is_wanted(cell):
    result = cell.run([alone(cell), *ARGS], status=126, out="", env={"SOCKSIFY_EXEC": "refuse"})
    told_once(result, "is static", "SOCKSIFY_EXEC=refuse")


@story(proxies=["none"], ways=["wrapper"], leaks=True)
def static_program_goes_past_the_proxy_where_that_is_wanted(cell):
    result = cell.run([alone(cell), *ARGS], out=OPEN, env={"SOCKSIFY_EXEC": "allow"})
    told_once(result, "is static", "past the proxy")


@story(proxies=["socksifyd"], ways=["wrapper"], needs=["curl"])
def child_of_a_closed_program_is_closed(cell):
    # Through no proxy either, though the library is in it: a dead end is better than a half open one.
    argv = [alone(cell), "exec", "curl", "-sS", "http://web.test/x"]
    result = cell.run(argv, status=None, out="")
    if b"socksify: " not in result.err:
        raise Failed("nobody was told")


@story(proxies=["none"], ways=["bare"], needs=["curl"])
def closed_on_demand(cell):
    for host in ("web.test", world.WEB4):
        argv = [cell.kit.socksify, "--closed", "--", "curl", "-sS", f"http://{host}/x"]
        cell.run(argv, status=None, out="")
    result = cell.run([cell.kit.socksify, "--closed", "--", alone(cell), *ARGS], out=CLOSED)
    told_once(result, "is static")
    cell.run([cell.kit.socksify, "--closed", "--", "sh", "-c", "exit 5"], status=5)
    cell.run([cell.kit.socksify, "--closed", "--", "no-such-program"], status=127)


@story(proxies=["none"], ways=["wrapper"], users=["nobody"], needs=["su"])
def program_that_would_gain_privileges_is_refused(cell):
    if not cell.kit.real_root:
        raise Skipped("su gains nothing in a user namespace")
    result = cell.run(["su", "-c", "true"], status=126, out="")
    told_once(result, "su is set-uid", "'sudo socksify su ...'")


@story(proxies=["socksifyd"], ways=["wrapper"], users=["root"], needs=["su", "curl"])
def program_that_gains_nothing_runs(cell):
    if not cell.kit.real_root:
        raise Skipped("su has no root to become in a user namespace")
    cell.run(["su", "--version"])
    cell.run(["su", "root", "-c", "curl -sS http://web.test/x"], out="you asked web.test for /x\n")


@story(proxies=["socksifyd"], ways=["wrapper"], needs=["curl"])
def text_file_is_run_by_the_shell(cell):
    path = script(cell, "text", "curl -sS http://web.test/$1\n")
    cell.run([path, "y"], out="you asked web.test for /y\n")


@story(proxies=["none"], ways=["wrapper"])
def program_is_looked_for_as_execvp_does(cell):
    script(cell, "found", "#!/bin/sh\necho $0\n")
    with open(cell.path("denied"), "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\n")
    os.chmod(cell.path("denied"), 0o644)
    script(cell, "broken", "#!/nonexistent/interpreter\n")
    places = {"PATH": f"/nonexistent:{cell.scratch}:/usr/bin:/bin"}
    cell.run(["found"], out=cell.path("found") + "\n", env=places)
    # Empty elements are the working directory, which is the scratch folder.
    cell.run(["found"], out="found\n", env={"PATH": ":/usr/bin:/bin"})
    cell.run(["denied"], status=126, env=places)
    told_once(cell.run(["broken"], status=126, env=places), "/nonexistent/interpreter")
    told_once(cell.run(["no-such-program"], status=127, env=places), "no such program")
    cell.run(["/"], status=126)
