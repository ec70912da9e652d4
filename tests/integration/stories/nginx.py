"""nginx as a reverse proxy: a daemon with workers, which connects without blocking and waits with epoll.

The library is in nginx alone; who asks it, on loopback, is as it is.
"""

import os

from harness import matrix

PORT = 8080

CONFIG = """worker_processes 2;
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
	upstream far {{ server {host}:80; keepalive {keep}; }}
	server {{
		listen 127.0.0.1:{port};
		location / {{
			proxy_pass http://far;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host {host};
		}}
	}}
}}
"""


def behind_nginx(cell, host, keep):
    # The workers of root's nginx are an ordinary user's, where there is one to become.
    user = "user nobody nogroup;" if cell.kit.real_root else "user root root;"
    if cell.user != "root":
        user = ""
    config = cell.path("nginx.conf")
    with open(config, "w", encoding="ascii") as f:
        f.write(CONFIG.format(scratch=cell.scratch, host=host, port=PORT, keep=keep, user=user))
    os.chmod(config, 0o644)
    cell.run(["nginx", "-e", cell.path("early.log"), "-c", config])
    urls = [f"http://127.0.0.1:{PORT}/{n}" for n in range(20)]
    want = "".join(f"you asked {host} for /{n}\n" for n in range(20))
    # A connection for each, so that both workers get some.
    cell.run(["curl", "-sS", "-H", "Connection: close", *urls], bare=True, out=want)
    cell.run(["curl", "-sS", "-o", "big", f"http://127.0.0.1:{PORT}/big"], bare=True)


@matrix(needs=["nginx", "curl"])
def nginx_reverse_proxy(cell, host):
    behind_nginx(cell, host, 1)
