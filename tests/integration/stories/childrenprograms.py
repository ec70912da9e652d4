"""Programs that are many processes: what they start, and how, is their own affair; see also children.py."""

import os
import shlex
import signal
import time

from daemons import ssh_options
from harness import TIMEOUT, Failed, matrix, story
import world

HOSTS = ["web.test", world.WEB4]
SHELLS = ["shell.test", world.SHELL4]
PORT = 8080

NGINX = """worker_processes 2;
{user}
pid {scratch}/nginx.pid;
error_log {scratch}/error.log info;
events {{ worker_connections 64; }}
http {{
	access_log off;
	client_body_temp_path {scratch}/t1;
	proxy_temp_path {scratch}/t2;
	fastcgi_temp_path {scratch}/t3;
	uwsgi_temp_path {scratch}/t4;
	scgi_temp_path {scratch}/t5;
	server {{
		listen 127.0.0.1:{port};
		location / {{ proxy_pass http://{host}; proxy_set_header Host {host}; }}
	}}
}}
"""


def asked(host, *paths):
    return "".join(f"you asked {host} for /{path}\n" for path in paths)


def written(cell, name, text):
    with open(cell.path(name), "w", encoding="ascii") as f:
        f.write(text)
    os.chmod(f.name, 0o644)
    return f.name


def read(cell, name):
    with open(cell.path(name), encoding="utf-8") as f:
        return f.read()


def until(what, why):
    deadline = time.monotonic() + TIMEOUT
    while not what():
        if time.monotonic() > deadline:
            raise Failed(why)
        time.sleep(0.01)


@story(proxies=["socksifyd"], needs=["nginx", "curl"])
def nginx_that_starts_its_successor(cell):
    """On SIGUSR2 the master executes its binary again, with an environment that holds the listeners alone."""
    user = ""
    if cell.user == "root":
        user = "user nobody nogroup;" if cell.kit.real_root else "user root root;"
    text = NGINX.format(scratch=cell.scratch, host="web.test", port=PORT, user=user)
    config = written(cell, "nginx.conf", text)
    cell.run([cell.kit.tool("nginx"), "-e", cell.path("early.log"), "-c", config])
    pid, old = cell.path("nginx.pid"), cell.path("nginx.pid.oldbin")
    for turn in range(2):
        urls = [f"http://127.0.0.1:{PORT}/{turn}/{n}" for n in range(8)]
        want = asked("web.test", *(f"{turn}/{n}" for n in range(8)))
        cell.run(["curl", "-sS", "-H", "Connection: close", *urls], bare=True, out=want)
        if turn == 0:
            first = int(read(cell, "nginx.pid"))
            os.kill(first, signal.SIGUSR2)
            until(lambda: os.path.exists(old) and os.path.exists(pid), "no second nginx came up")
            os.kill(first, signal.SIGQUIT)
            until(lambda: not os.path.exists(old), "the first nginx did not end")


@matrix(proxies=["socksifyd"], needs=["tmux", "curl"])
def tmux_without_an_environment(cell, host):
    tmux = f"tmux -S {cell.path('socket')}"
    cell.run(["sh", "-c", f"env -i {tmux} -f /dev/null new-session -d -s story 'sleep 60'"])
    fetch = f"'curl -sS http://{host}/PLACE >PLACE 2>&1; {tmux} wait-for -S PLACE'"
    commands = [
        "set-environment -gu LD_PRELOAD",
        "set-environment -gu SOCKSIFY_PROXY",
        "set-environment -gu SOCKSIFY_NAMES",
        "new-window -d -t story " + fetch.replace("PLACE", "window"),
        "split-window -d -t story " + fetch.replace("PLACE", "pane"),
        "run-shell -b " + fetch.replace("PLACE", "shell"),
        "new-session -d -s second " + fetch.replace("PLACE", "session"),
        "wait-for window",
        "wait-for pane",
        "wait-for shell",
        "wait-for session",
        "kill-server",
    ]
    # Without the library: what it asks for is done by the server's children.
    script = "\n".join(f"{tmux} {command}" for command in commands)
    cell.run(["sh", "-c", script], bare=True)
    for place in ("window", "pane", "shell", "session"):
        if read(cell, place) != asked(host, place):
            raise Failed(f"the {place}'s curl said {read(cell, place)!r}")


def cloned(cell, argv, **how):
    cell.run([*argv, "copy"], **how)
    if read(cell, "copy/story.txt") != "once upon a time\n":
        raise Failed("the clone has another text")


@matrix(proxies=["socksifyd"], needs=["git"])
def git_over_https(cell, host):
    options = ["-c", f"http.sslCAInfo={cell.kit.scratch}/web.pem", "-c", "credential.helper="]
    cloned(cell, ["git", *options, "clone", "-q", f"https://{host}/git/story.git"])


def git_ssh(cell, host):
    upload = "git -c safe.directory=* upload-pack"
    url = f"ssh://nobody@{host}{cell.kit.scratch}/repositories/story.git"
    return ["git", "clone", "-q", "-u", upload, url]


@matrix(at="shell", proxies=["socksifyd"], needs=["git", "ssh", "sshd"])
def git_over_ssh(cell, host):
    for wipe in ("", "env -i "):
        command = wipe + shlex.join(["ssh", *ssh_options(cell)])
        cell.run(["rm", "-rf", "copy"], bare=True)
        cloned(cell, git_ssh(cell, host), env={"GIT_SSH_COMMAND": command})


@matrix(at="shell", proxies=["socksifyd"], needs=["ssh", "sshd", "nc.openbsd"])
def ssh_by_a_proxy_command(cell, host):
    options = ssh_options(cell)
    jump = shlex.join(["ssh", *options, "-W", "%h:%p", f"nobody@{host}"])
    for command in ("nc.openbsd %h %p", "env -i nc.openbsd %h %p", jump, f"env -i {jump}"):
        argv = ["ssh", "-o", f"ProxyCommand={command}", *options, f"nobody@{host}", "echo here; cat"]
        cell.run(argv, stdin=b"and there\n", out="here\nand there\n")


@matrix(at="shell", proxies=["socksifyd"], ways=["wrapper"], needs=["rsync", "scp", "sshd"])
def rsync_and_scp_over_ssh(cell, host):
    remote = shlex.join(["env", "-i", "ssh", *ssh_options(cell)])
    known = f"{cell.kit.scratch}/known_hosts"
    cell.run(["rsync", "-e", remote, f"nobody@{host}:{known}", "one"])
    started = written(cell, "started", f"#!/bin/sh\nunset LD_PRELOAD\nexec {remote} \"$@\"\n")
    os.chmod(started, 0o755)
    cell.run(["scp", "-q", "-S", started, f"nobody@{host}:{known}", "two"])
    for name in ("one", "two"):
        with open(known, encoding="ascii") as f:
            if read(cell, name) != f.read():
                raise Failed("the file came changed")


@story(proxies=["socksifyd"], ways=["preload"], needs=["chromium"])
def chromium_zygotes(cell):
    """The zygote's children have a sandbox where an ordinary user runs it; the network is a process of its own."""
    argv = ["chromium", "--headless", "--disable-gpu", f"--user-data-dir={cell.scratch}/profile"]
    if cell.user == "root" or not cell.kit.real_root:
        argv.append("--no-sandbox")
    for host in HOSTS:
        page = shlex.join([*argv, "--dump-dom", f"http://{host}/page"])
        result = cell.run(["env", "-i", f"HOME={cell.home}", "sh", "-c", page], timeout=60)
        if asked(host, "page").strip().encode() not in result.out:
            raise Failed("the page is not there")
