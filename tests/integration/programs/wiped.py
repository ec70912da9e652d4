"""Children without an environment, in every way that Python has of starting one.

Usage: wiped.py fork|spawn|forkserver|starts HOST

The first three: processes of multiprocessing that fetch by themselves and by a child; "starts": curl.
"""

import multiprocessing
import os
import pty
import subprocess
import sys
import urllib.request

CURL = "/usr/bin/curl"


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def child(url):
    return fetch(url + "/itself") + subprocess.check_output([CURL, "-sS", url + "/child"], env={}).decode()


def processes(method, host):
    os.environ.clear()
    with multiprocessing.get_context(method).Pool(2) as pool:
        print("".join(pool.map(child, [f"http://{host}/{n}" for n in range(4)], chunksize=1)), end="")


def reaped(pid):
    if os.waitpid(pid, 0)[1] != 0:
        raise ChildProcessError(f"process {pid}")


def forked(replace):
    pid = os.fork()
    if pid == 0:
        try:
            replace()
        finally:
            os._exit(1)
    reaped(pid)


def starts(host):
    # Each is called with a command's words. Output is the shared descriptor 1.
    ways = [
        lambda argv: subprocess.check_call(argv, env={}),
        lambda argv: subprocess.check_call(argv, env={}, close_fds=False),
        lambda argv: subprocess.check_call(argv, env={}, start_new_session=True, cwd="/"),
        lambda argv: subprocess.check_call(argv, env={}, preexec_fn=os.getpid),
        lambda argv: subprocess.check_call(" ".join(argv), env={}, shell=True),
        lambda argv: subprocess.check_call(["curl", *argv[1:]], env={}, executable=CURL),
        lambda argv: reaped(os.posix_spawn(argv[0], argv, {})),
        lambda argv: reaped(os.posix_spawnp("curl", argv, {})),
        lambda argv: os.spawnve(os.P_WAIT, argv[0], argv, {}) and sys.exit("spawnve"),
        lambda argv: os.spawnvpe(os.P_WAIT, "curl", argv, {"PATH": "/bin"}) and sys.exit("spawnvpe"),
        lambda argv: forked(lambda: os.execve(argv[0], argv, {})),
        lambda argv: forked(lambda: os.execvpe("curl", argv, {"PATH": "/usr/bin"})),
        lambda argv: forked(lambda: os.execve(os.open(argv[0], os.O_RDONLY), argv, {})),
        lambda argv: pty.spawn(["/usr/bin/env", "-i", "sh", "-c", " ".join(argv)]) and sys.exit("pty"),
        # From here on there is no environment at all.
        lambda argv: os.environ.clear() or os.system(" ".join(argv)) and sys.exit("system"),
        lambda argv: print(end=os.popen(" ".join(argv)).read(), flush=True),
        lambda argv: print(end=subprocess.getoutput(" ".join(argv)) + "\n", flush=True),
        lambda argv: forked(lambda: os.execv(argv[0], argv)),
        lambda argv: forked(lambda: os.execvp("curl", argv)),
    ]
    for n, way in enumerate(ways):
        way([CURL, "-sS", f"http://{host}/{n}"])


if __name__ == "__main__":
    if sys.argv[1] == "starts":
        starts(sys.argv[2])
    else:
        processes(*sys.argv[1:])
