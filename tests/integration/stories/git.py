"""git over HTTP: git starts git-remote-http, which does the networking."""

from harness import Failed, story
import world


def clone(cell, host):
    cell.run(
        ["git", "-c", "credential.helper=", "clone", "-q", f"http://{host}/git/story.git", "copy"]
    )
    with open(cell.path("copy/story.txt"), encoding="ascii") as f:
        if f.read() != "once upon a time\n":
            raise Failed("the clone has another text")


@story(needs=["git"])
def git_clone_by_name(cell):
    clone(cell, "web.test")


@story(needs=["git"])
def git_clone_by_address(cell):
    clone(cell, world.WEB4)


@story(needs=["git"], ipv6=True)
def git_ls_remote_ipv6_only_name(cell):
    result = cell.run(["git", "ls-remote", "http://v6only.test/git/story.git", "refs/heads/main"])
    if not result.out.endswith(b"\trefs/heads/main\n"):
        raise Failed("no such branch in the answer")
