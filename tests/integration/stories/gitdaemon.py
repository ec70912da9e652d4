"""git://: git itself connects, resolving with getaddrinfo and trying each address."""

from daemons import STORY_TEXT
from harness import Failed, matrix


@matrix(at="store", needs=["git", "git-daemon"])
def git_protocol(cell, host):
    cell.run(["git", "clone", "-q", f"git://{host}/story.git", "copy"])
    with open(cell.path("copy/story.txt"), encoding="ascii") as f:
        if f.read() != STORY_TEXT:
            raise Failed("the clone has another text")
