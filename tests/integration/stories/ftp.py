"""Passive FTP: the second connection goes to where the first one went, or where the server says; by the proxy both."""

import os
import re

from daemons import BIG
from harness import Failed, matrix

# What a client sees of the server's answers. RFC 959 section 4.1.2 and RFC 2428 section 3.
PASSIVE, EXTENDED = rb"\b227 Entering Passive Mode", rb"\b229 Entering Extended Passive Mode"


def is_big(cell, name):
    with open(cell.path(name), "rb") as f:
        if f.read() != BIG:
            raise Failed(f"the file differs; it has {f.tell()} octets")


def by_curl(cell, host, answer, *more):
    result = cell.run(["curl", "-sS", "-v", *more, "-o", "got", f"ftp://{host}/big"])
    if not re.search(answer, result.err):
        raise Failed("curl did not use the command that was meant")
    is_big(cell, "got")


@matrix(at="store", needs=["curl", "vsftpd"])
def ftp_curl_extended(cell, host):
    by_curl(cell, host, EXTENDED)


@matrix(at="store", needs=["curl", "vsftpd"])
def ftp_curl_passive(cell, host):
    by_curl(cell, host, PASSIVE, "--disable-epsv")


@matrix(at="store", needs=["curl", "vsftpd"])
def ftp_curl_passive_where_the_server_says(cell, host):
    by_curl(cell, host, PASSIVE, "--disable-epsv", "--no-ftp-skip-pasv-ip")


def by_lftp(cell, host, answer, extended):
    script = f"""set cmd:fail-exit yes; set net:max-retries 2; set net:timeout 20; set ftp:prefer-epsv {extended}
set ftp:use-mdtm no; debug 5; open ftp://{host}; get big -o got; cls -1; quit
"""
    with open(cell.path("script"), "w", encoding="ascii") as f:
        f.write(script)
    os.chmod(f.name, 0o644)
    result = cell.run(["lftp", "--norc", "-f", "script"], out="big\nstory.txt\n")
    if not re.search(answer, result.err):
        raise Failed("lftp did not use the command that was meant")
    is_big(cell, "got")


@matrix(at="store", needs=["lftp", "vsftpd"])
def ftp_lftp_extended(cell, host):
    by_lftp(cell, host, EXTENDED, "yes")


@matrix(at="store", needs=["lftp", "vsftpd"])
def ftp_lftp_passive(cell, host):
    by_lftp(cell, host, PASSIVE, "no")
