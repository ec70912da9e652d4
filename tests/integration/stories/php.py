"""PHP: its streams, and its curl extension with one transfer and with several."""

import functools
import subprocess

from harness import Skipped, story
from sources import source
import world


def fetch(cell, way, times=1):
    hosts = ["web.test", "v4only.test", world.WEB4]
    if cell.world.has_ipv6:
        hosts += ["v6only.test", f"[{world.WEB6}]"]
    cell.run(
        ["php", source(cell, "fetch.php"), way, *hosts],
        out="".join(f"you asked {host} for /{way}\n" * times for host in hosts),
    )


@functools.cache
def has_curl():
    modules = subprocess.run(["php", "-m"], capture_output=True, text=True, check=False).stdout
    return "curl" in modules.split()


@story(needs=["php"])
def php_file_get_contents(cell):
    fetch(cell, "file")


@story(needs=["php"])
def php_fsockopen(cell):
    fetch(cell, "fsockopen")


@story(needs=["php"])
def php_stream_socket_client(cell):
    fetch(cell, "stream")


@story(needs=["php"])
def php_curl(cell):
    if not has_curl():
        raise Skipped("no curl extension (php-curl)")
    fetch(cell, "curl")


@story(needs=["php"])
def php_curl_multi(cell):
    if not has_curl():
        raise Skipped("no curl extension (php-curl)")
    fetch(cell, "multi", times=4)
