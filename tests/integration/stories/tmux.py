"""tmux: the server that the first call leaves behind keeps the library for all that is started in it later."""

from harness import Failed, matrix


@matrix(needs=["tmux", "curl"])
def tmux_new_window(cell, host):
    tmux = ["tmux", "-S", cell.path("socket"), "-f", "/dev/null"]
    cell.run([*tmux, "new-session", "-d", "-s", "story", "sleep 60"])
    # Without the library: what runs in the window is the server's child, not this one's.
    fetch = f"curl -sS http://{host}/x >{cell.path('page')} 2>&1; tmux -S {cell.path('socket')} wait-for -S told"
    cell.run([*tmux, "new-window", "-d", "-t", "story", fetch], bare=True)
    cell.run([*tmux, "wait-for", "told"], bare=True)
    cell.run([*tmux, "kill-server"], bare=True)
    with open(cell.path("page"), encoding="utf-8") as f:
        page = f.read()
    if page != f"you asked {host} for /x\n":
        raise Failed(f"the window's curl said {page!r}")
