"""Children that the library can't get into: they start, compute, and have no network; see also launch.py."""

import os
import shutil

from harness import Failed, Skipped, story
from sources import source
import world

CLOSED = "unix ok\ntcp EACCES\nudp EACCES\nsum 5050\n"
OPEN = "unix ok\ntcp ok\nudp ok\nsum 5050\n"
HOSTS = ["web.test", world.WEB4]
URL = f"http://{world.WEB4}/x"
# The wrapper's default; without it nobody asked to be told.
LOG = {"SOCKSIFY_LOG": "warn"}


def alone(cell):
    path = f"{cell.kit.programs}/alone"
    if not os.path.exists(path):
        raise Skipped("alone is not built: there is no libc to link it with statically")
    return path


def told(result, *words):
    """At least once: a shell that tries one place of PATH after the other is told of each."""
    lines = [line for line in result.err.decode().splitlines() if line.startswith("socksify: ")]
    if not any(all(word in line for word in words) for line in lines):
        raise Failed(f"standard error should have a line with {words}")


@story(proxies=["none"])
def static_child(cell):
    path, child = alone(cell), f"{alone(cell)} {world.WEB4} 80"
    starters = [
        ["sh", "-c", f"{child}; exit"],
        ["sh", "-c", f"exec {child}"],
        ["bash", "-c", f"exec -c {child}"],
        ["env", "-i", *child.split()],
        ["perl", "-e", f"%ENV = (); system('{child}')"],
        ["perl", "-e", f"exec('{child}; true')"],
        ["xargs", *child.split()],
        ["find", ".", "-prune", "-exec", *child.split(), ";"],
        ["/usr/bin/python3", "-Ic", f"import subprocess; subprocess.run('{child}'.split(), env={{}})"],
        ["/usr/bin/python3", "-Ic", f"import os; os.posix_spawn('{path}', '{child}'.split(), {{}})\nos.wait()"],
        ["/usr/bin/python3", "-Ic", f"import os; os.system('{child}')"],
    ]
    for argv in starters:
        told(cell.run(argv, out=CLOSED, env=LOG), "alone is static", "without a network")


@story(proxies=["none"])
def static_child_that_is_a_script(cell):
    path = cell.path("script")
    with open(path, "w", encoding="ascii") as f:
        f.write(f"#!{alone(cell)} {world.WEB4}\n")
    os.chmod(path, 0o755)
    told(cell.run(["sh", "-c", "env -i ./script; exit"], out=CLOSED, env=LOG), "script", "is static")


@story(proxies=["none"])
def static_child_is_refused_where_that_is_wanted(cell):
    child = f"{alone(cell)} {world.WEB4} 80"
    env = {"SOCKSIFY_EXEC": "refuse", **LOG}
    for wipe in ("", "env -i "):
        result = cell.run(["sh", "-c", f"{wipe}{child}; exit"], status=126, out="", env=env)
        told(result, "is static", "SOCKSIFY_EXEC=refuse")


@story(proxies=["none"], leaks=True)
def static_child_goes_past_the_proxy_where_that_is_wanted(cell):
    child = f"{alone(cell)} {world.WEB4} 80"
    cell.run(["sh", "-c", f"env -i {child}; exit"], out=OPEN, env={"SOCKSIFY_EXEC": "allow", **LOG})


@story(proxies=["socksifyd"], needs=["curl"])
def children_of_a_closed_child(cell):
    script = f"{alone(cell)} exec env -i curl -sS --max-time 10 http://web.test/x; curl -sS http://web.test/y"
    cell.run(["sh", "-c", script], out="you asked web.test for /y\n")


@story(proxies=["none"], needs=["busybox"])
def busybox_child(cell):
    script = f"""
    busybox echo $((6 * 7)) | busybox sed s/4/5/
    env -i busybox sh -c 'printf "c\\nb\\na\\n" | sort | head -n 1'
    busybox wget -q -O - {URL} || echo no
    busybox wget -q -O - http://web.test/x 2>/dev/null || echo no
    busybox nslookup web.test >/dev/null 2>&1 || echo no
    busybox nc -w 5 {world.WEB4} 80 </dev/null 2>/dev/null || echo no
    busybox ping -c 1 -W 1 {world.WEB4} >/dev/null 2>&1 || echo no
    """
    result = cell.run(["sh", "-c", script], out="52\na\n" + 5 * "no\n", env=LOG)
    if b"ermission denied" not in result.err:
        raise Failed("busybox should be told EACCES")
    told(result, "busybox", "is static")


@story(proxies=["none"])
def ldconfig_child(cell):
    # It reads every library of the system's folders, and writes nothing.
    ldconfig = cell.kit.tool("ldconfig")
    result = cell.run(["sh", "-c", f"env -i {ldconfig} -N -X -v 2>err; exit"])
    if b"libc.so.6" not in result.out:
        raise Failed("ldconfig has found no libc")


@story(proxies=["none"], needs=["hey"])
def go_child(cell):
    """Go calls the kernel itself, though this program has a loader."""
    for host in HOSTS:
        script = f"env -i hey -n 1 -c 1 -t 5 http://{host}/x; exit"
        result = cell.run(["sh", "-c", script], status="any", env=LOG)
        told(result, "hey", "without a network")
        if b"200]" in result.out:
            raise Failed("it reached the server")


@story(proxies=["none"], needs=["musl-gcc"])
def other_libc_child(cell):
    cell.run(["musl-gcc", "-o", "asker", source(cell, "asker.c")], bare=True)
    cell.run(["musl-gcc", "-static", "-o", "asker-static", source(cell, "asker.c")], bare=True)
    for program in ("./asker", "./asker-static"):
        result = cell.run(["sh", "-c", f"env -i {program} web.test; exit"], status=1, out="", env=LOG)
        told(result, program[2:], "without a network")


@story(proxies=["none"], users=["nobody"], needs=["su"])
def child_that_would_gain_privileges(cell):
    if not cell.kit.real_root:
        raise Skipped("su gains nothing in a user namespace")
    for starter in (["sh", "-c", "su -c true; exit"], ["env", "-i", "/bin/su", "-c", "true"]):
        told(cell.run(starter, status=126, out="", env=LOG), "su is set-uid", "sudo socksify")
    starter = "import subprocess\ntry: subprocess.run(['su'], env={})\nexcept PermissionError as e: print(e.errno)"
    told(cell.run(["/usr/bin/python3", "-Ic", starter], out="13\n", env=LOG), "su is set-uid")


@story(proxies=["socksifyd"], users=["nobody"], needs=["curl", "setpriv"])
def set_uid_copy_of_curl(cell):
    if not cell.kit.real_root:
        raise Skipped("there is no other user in a user namespace")
    path = cell.path("curl")
    shutil.copyfile("/usr/bin/curl", path)
    os.chown(path, 0, 0)
    os.chmod(path, 0o4755)
    command = "./curl -sS http://web.test/x; exit"
    told(cell.run(["sh", "-c", command], status=126, out="", env=LOG), "curl is set-uid")
    # Where nothing is to be gained, the library is welcome.
    cell.run(["sh", "-c", "setpriv --no-new-privs env -i " + command], out="you asked web.test for /x\n")


@story(proxies=["none"], users=["nobody"], needs=["sudo"])
def sudo_is_refused(cell):
    if not cell.kit.real_root:
        raise Skipped("sudo gains nothing in a user namespace")
    for starter in ("sudo -n true", "env -i sudo -n true"):
        result = cell.run(["sh", "-c", f"{starter}; exit"], status=126, out="", env=LOG)
        told(result, "sudo is set-uid", "sudo socksify")


@story(proxies=["socksifyd"], users=["root"], needs=["sudo", "curl"])
def sudo_of_root_gains_nothing(cell):
    if not cell.kit.real_root:
        raise Skipped("there is nobody to become in a user namespace")
    for who in ("root", "nobody"):
        script = f"env -i sudo -n -u {who} curl -sS http://web.test/{who}"
        cell.run(["sh", "-c", script], out=f"you asked web.test for /{who}\n")


@story(proxies=["none"], users=["nobody"], needs=["ping"])
def ping_child(cell):
    cell.run(["sh", "-c", f"env -i ping -c 1 -W 1 {world.WEB4}; exit"], status=None)


def private_copy(cell, name="private"):
    """The library and the wrapper where root alone may go; as they lie in a build."""
    private = cell.path(name)
    os.makedirs(f"{private}/src")
    for part in ("preload/libsocksify.so", "wrapper/socksify"):
        os.makedirs(os.path.dirname(f"{private}/src/{part}"))
        shutil.copy(f"{cell.kit.build}/src/{part}", f"{private}/src/{part}")
    os.chmod(private, 0o700)
    return f"{private}/src/preload/libsocksify.so"


@story(proxies=["socksifyd"], ways=["bare"], users=["root"], needs=["curl", "setpriv", "su"])
def library_that_is_not_the_others_to_read(cell):
    """ld.so would go on without it, and say so; a child that is somebody else by then has no network instead."""
    if not cell.kit.real_root:
        raise Skipped("there is nobody to become in a user namespace")
    env = {"SOCKSIFY_PROXY": cell.url, "LD_PRELOAD": private_copy(cell)}
    cell.run(["sh", "-c", "curl -sS http://web.test/x"], env=env, out="you asked web.test for /x\n")
    for become in ("setpriv --reuid=65534 --regid=65534 --clear-groups", "su nobody -s /bin/sh -c 'exec \"$@\"' --"):
        for host in HOSTS:
            script = f"{become} curl -sS --max-time 5 http://{host}/x; exit"
            cell.run(["sh", "-c", script], env=env, status=None, out="")


@story(proxies=["socksifyd"], ways=["bare"], users=["root"], needs=["curl"])
def library_that_is_gone(cell):
    """As in the middle of an upgrade."""
    for n, host in enumerate(HOSTS):
        library = private_copy(cell, f"private{n}")
        script = f"rm {library}; curl -sS --max-time 5 http://{host}/x; exit"
        env = {"SOCKSIFY_PROXY": cell.url, "LD_PRELOAD": library}
        cell.run(["sh", "-c", script], env=env, status=None, out="")


@story(proxies=["socksifyd"], users=["root"], needs=["curl", "unshare", "chroot"])
def other_root(cell):
    """Where the library lies there, too, it serves; where it doesn't, the child has no network."""
    for bind, status, out in (("rbind", 0, "you asked web.test for /x\n"), ("bind", None, "")):
        script = f"mkdir -p r && mount --{bind} / r && chroot r curl -sS --max-time 5 http://web.test/x; exit"
        cell.run(["unshare", "-m", "sh", "-c", script], status=status, out=out)


@story(proxies=["socksifyd"], needs=["curl"])
def loader_as_a_program(cell):
    """ld.so heeds LD_PRELOAD when it is called by name, too; which is more than one can see in it."""
    loader = "/lib64/ld-linux-x86-64.so.2"
    if not os.path.exists(loader):
        raise Skipped(f"no {loader}")
    script = f"env -i {loader} /usr/bin/curl -sS --max-time 5 http://web.test/x; exit"
    result = cell.run(["sh", "-c", script], status="any")
    if result.out not in (b"", b"you asked web.test for /x\n"):
        raise Failed("what came is not the page")


@story(proxies=["socksifyd"], needs=["ldd"])
def ldd_says_what_it_says(cell):
    """It runs the loaders of both classes, which execute nothing then: nothing is closed, and nothing told."""
    static = os.path.join(cell.kit.build, "tests/integration/leak/doors-static")
    for file in ("/bin/true", static):
        result = cell.run(["ldd", file], status="any")
        if b"socksify" in result.err:
            raise Failed(result.err.decode())
    result = cell.run(["ldd", "/bin/true"])
    if b"libc.so" not in result.out:
        raise Failed("no libc is listed")
