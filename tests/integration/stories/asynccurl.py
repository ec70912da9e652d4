"""Fifty transfers in one loop: curl -Z, nginx as a reverse proxy whose one worker waits with epoll, aria2."""

import os

import harness
from harness import Failed
from pace import Pace, event_loops
import world

COUNT = 50
PORT = 8080
CURL = ["curl", "-sS", "-Z", "--parallel-immediate", "--parallel-max", str(COUNT)]

NGINX = """worker_processes 1;
{user}
pid {scratch}/nginx.pid;
error_log {scratch}/error.log info;
events {{ use epoll; worker_connections 512; }}
http {{
	access_log off;
	client_body_temp_path {scratch}/t1;
	proxy_temp_path {scratch}/t2;
	fastcgi_temp_path {scratch}/t3;
	uwsgi_temp_path {scratch}/t4;
	scgi_temp_path {scratch}/t5;
	server {{
		listen 127.0.0.1:{port};
		location / {{
			proxy_pass http://{host};
			proxy_set_header Host {host};
		}}
	}}
}}
"""


def are_right(cell, host, count):
    """The files page-N hold what they should."""
    for n in range(count):
        with open(cell.path(f"page-{n}"), encoding="utf-8") as f:
            text = f.read()
        if text != f"you asked {host} for /page-{n}\n":
            raise Failed(f"page {n} is {text[:200]!r}")


def fetch(cell, place, host, *words, **how):
    url = f"http://{place}/page-[0-{COUNT - 1}]"
    cell.run([*CURL, *words, "-o", cell.path("page-#1"), url], **how)
    are_right(cell, host, COUNT)


@harness.story(proxies=["slow"], ways=["bare"], needs=["curl"])
def control_curl_50_by_itself(cell):
    """curl's own SOCKS waits for nobody: the slow proxy lets it."""
    with Pace(cell, COUNT):
        proxy = ["--socks5-hostname", f"{world.PROXY4}:{cell.port}"]
        fetch(cell, "web.test", "web.test", *proxy)


@event_loops(needs=["curl"])
def curl_50(cell, host):
    with Pace(cell, COUNT):
        fetch(cell, host, host)


@event_loops(needs=["nginx", "curl"])
def nginx_50(cell, host):
    user = "user nobody nogroup;" if cell.kit.real_root else "user root root;"
    if cell.user != "root":
        user = ""
    config = cell.path("nginx.conf")
    with open(config, "w", encoding="ascii") as f:
        f.write(NGINX.format(scratch=cell.scratch, host=host, port=PORT, user=user))
    os.chmod(config, 0o644)
    with Pace(cell, COUNT):
        cell.run(["nginx", "-e", cell.path("early.log"), "-c", config])
        fetch(cell, f"127.0.0.1:{PORT}", host, bare=True)


@event_loops(needs=["aria2c"])
def aria2_20(cell, host):
    count = 20
    urls = [f"http://{host}/page-{n}" for n in range(count)]
    argv = ["aria2c", "--no-conf", "--async-dns=false", "-q", "-d", cell.scratch, "-Z", "-j", str(count)]
    with Pace(cell, count):
        cell.run([*argv, *urls])
    are_right(cell, host, count)
