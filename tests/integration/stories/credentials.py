"""Who we are at the proxy: by URL, by variables, by file; and other people's clients who say it, too."""

import os
import urllib.parse

from harness import Failed, story
from servers import PASSWORD, USER
import world

QUOTED = urllib.parse.quote(PASSWORD, safe="")
ASKED = "you asked web.test for /x\n"


def members(**how):
    return story(proxies=["users"], **how)


def place(cell):
    return f"{world.PROXY4}:{cell.port}"


def fetch(cell, **how):
    """Nothing but what the run's own words say: curl's proxy variables are not ours."""
    argv = ["curl", "-sS", "--noproxy", "*", "http://web.test/x"]
    result = cell.run(argv, **how)
    told = result.out + result.err
    if PASSWORD.encode() in told or QUOTED.encode() in told:
        raise Failed("the password was told")
    return result


@members(needs=["curl"])
def credentials_in_the_url(cell):
    fetch(cell, url=f"socks5h://{USER}:{QUOTED}@{place(cell)}", out=ASKED)


@members(needs=["curl"])
def credentials_in_variables(cell):
    env = {"SOCKSIFY_USER": USER, "SOCKSIFY_PASSWORD": PASSWORD}
    fetch(cell, env=env, out=ASKED)


@members(needs=["curl"])
def password_in_a_file(cell):
    path = cell.path("password")
    with open(path, "w", encoding="ascii") as f:
        f.write(PASSWORD + "\n")
    os.chmod(path, 0o600)
    cell.kit.owned(path, cell.user)
    fetch(
        cell,
        url=f"socks5h://{USER}@{place(cell)}",
        env={"SOCKSIFY_PASSWORD_FILE": path},
        out=ASKED,
    )


@members(needs=["curl"])
def wrong_password_is_told_and_not_shown(cell):
    result = fetch(
        cell,
        url=f"socks5h://{USER}:{QUOTED}x@{place(cell)}",
        env={"SOCKSIFY_LOG": "debug"},
        status=None,
    )
    if b"credentials: the proxy refuses this user and password" not in result.err:
        raise Failed("the log does not say that the credentials were refused")


@members(needs=["curl"])
def missing_credentials_are_told(cell):
    result = fetch(cell, env={"SOCKSIFY_LOG": "warn"}, status=None)
    if b"the proxy wants credentials" not in result.err:
        raise Failed("the log does not say that credentials are wanted")


@members(needs=["curl"])
def user_id_is_no_password(cell):
    """SOCKS4 can't prove anything: where users are demanded it is refused."""
    fetch(cell, url=f"socks4a://{USER}@{place(cell)}", status=None)


def bare(**how):
    return members(ways=["bare"], **how)


@bare(needs=["curl"])
def curl_with_credentials(cell):
    argv = ["curl", "-sS", "--socks5-hostname", place(cell), "http://web.test/x"]
    # curl offers GSSAPI as well, and must not be given it. It decodes %XX here, too.
    cell.run([*argv, "--proxy-user", f"{USER}:{QUOTED}"], out=ASKED)
    cell.run([*argv, "--proxy-user", f"{USER}:wrong"], status=97)
    cell.run(argv, status=97)


@bare(needs=["ncat"])
def ncat_with_credentials(cell):
    argv = ["ncat", "--proxy", place(cell), "--proxy-type", "socks5", "--proxy-dns", "remote"]
    request = b"GET /x HTTP/1.1\r\nHost: web.test\r\nConnection: close\r\n\r\n"
    # ncat cuts the user off at the first colon, so the password may hold one.
    result = cell.run(
        [*argv, "--proxy-auth", f"{USER}:{PASSWORD}", "web.test", "80"], stdin=request
    )
    if not result.out.endswith(ASKED.encode()):
        raise Failed("it got another answer")
    cell.run([*argv, "--proxy-auth", f"{USER}:wrong", "web.test", "80"], stdin=request, status=None)
