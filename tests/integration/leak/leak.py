"""The doors of leak/doors.c as stories: each under the library, and bare, so that it is seen to be a door.

A door under the library comes to what its row says, and the watcher sees no packet. The same door without the
library has to be seen: a packet at least, or a question to the name server. What no library can stand before
("beyond") is told with the network closed instead. A limit is a door that is known to be open: write() is never
hooked, so a socket that others have connected, and then hand over, can be written to. Should one be shut some day,
its story fails, so that the row is put right.
"""

import array
import itertools
import os
import shutil
import socket
import subprocess
import threading

from harness import Failed, Skipped, Story
import world

LACKS = 77
OF_IPV6 = ("ipv6", "v4-", "nat64", "of-another-family", "seqpacket")
ETH_P_NONE = 0

numbers = itertools.count(1)


def path(build, name):
    return os.path.join(build, "tests/integration/leak", name)


def go(cell, name, args=(), *, fds=(), command=(), **how):
    argv = [*command, path(cell.kit.build, "doors"), name, *args]
    result = cell.run(argv, status="any", fds=fds, **how)
    last = result.out.decode("utf-8", "replace").strip().rpartition("\n")[2]
    if result.status == LACKS:
        raise Skipped(last.partition("lacks: ")[2])
    cell.remark = last.partition(": ")[2]
    return result


def sockets(cell):
    """Of each kind that can be handed over, in the order of doors_handed.c."""
    with cell.client.inside():
        connected = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        connected.connect((world.WEB4, 4433))
        home = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        home.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"c0")
        home.connect(("127.0.0.1", 4433))
        routed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        routed_tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        loose = bytes([1, 131, 7, 4]) + socket.inet_aton(world.WEB4)
        for one in (routed, routed_tcp):
            one.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, loose)
        return [
            socket.socket(socket.AF_INET, socket.SOCK_STREAM),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            connected,
            home,
            routed,
            routed_tcp,
            socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW, ETH_P_NONE),
        ]


def go_inheriting(cell, name, **how):
    made = sockets(cell)
    try:
        fds = [s.fileno() for s in made]
        return go(cell, name, map(str, fds), fds=fds, **how)
    finally:
        for s in made:
            s.close()


def hand_over(listener, made):
    try:
        conn, _ = listener.accept()
    except OSError:
        return
    fds = array.array("i", [s.fileno() for s in made])
    with conn:
        conn.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])


def go_receiving(cell, name, **how):
    made, at = sockets(cell), cell.path("socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(at)
        os.chmod(at, 0o777)
        listener.listen()
        listener.settimeout(20)
        giver = threading.Thread(target=hand_over, args=(listener, made))
        giver.start()
        try:
            return go(cell, name, [at], **how)
        finally:
            # Whoever waits still is told that nobody comes.
            listener.shutdown(socket.SHUT_RDWR)
            giver.join()
            for s in made:
                s.close()


def go_joining(cell, name, **how):
    # A group that nobody has joined before, since the kernel tells of it more than once.
    number = next(numbers)
    four = f"239.{cell.kit.lane + 1}.{number >> 8}.{number & 255}"
    return go(cell, name, [four, f"ff1e::{cell.kit.lane + 1:x}:{number:x}"], **how)


def go_set_uid(cell, name, **how):
    if not cell.kit.real_root:
        raise Skipped("set-uid means nothing in this user namespace")
    program = cell.path("set-uid")
    shutil.copy(path(cell.kit.build, "doors-alone"), program)
    os.chmod(program, 0o4755)
    return go(cell, name, [program], **how)


def go_unnamed(cell, name, **how):
    if os.path.exists("/etc/hostid"):
        raise Skipped("this machine has an /etc/hostid")
    if socket.gethostname() in world.CLIENT_HOSTS.split():
        raise Skipped("the hosts file has this machine's name")
    return go(cell, name, **how)


def go_static(cell, name, **how):
    if not os.path.exists(path(cell.kit.build, "doors-static")):
        raise Skipped("no static program can be linked here")
    return go(cell, name, **how)


WAYS_TO_GO = {
    "-": go,
    "ring": go,
    "group": go_joining,
    "inherits": go_inheriting,
    "receives": go_receiving,
    "set-uid": go_set_uid,
    "unnamed": go_unnamed,
    "static": go_static,
}


def under_library(name, needs):
    def tell(cell):
        result = WAYS_TO_GO[needs](cell, name)
        if result.status != 0:
            raise Failed(cell.remark or f"exit status {result.status}")

    return tell


def bare(name, needs):
    def tell(cell):
        WAYS_TO_GO.get(needs, go)(cell, name)
        if needs == "ring" and cell.remark.startswith(("ENOSYS", "EPERM")):
            raise Skipped("this kernel gives no rings to programs")

    return tell


def closed(name):
    def tell(cell):
        result = go(cell, name, command=[cell.kit.socksify, "--closed", "--"])
        if result.status != 0:
            raise Failed(cell.remark)

    return tell


def doors(build):
    """(name, who sends packets without the library, what it needs) of each."""
    argv = [path(build, "doors"), "--list"]
    text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return [tuple(line.split()) for line in text.splitlines()]


def stories(build):
    for name, sends, needs in doors(build):
        ipv6 = any(word in name for word in OF_IPV6)
        is_limit, needs = needs.endswith("-limit"), needs.removesuffix("-limit")
        if needs == "beyond":
            how = {"proxies": ["none"], "ways": ["bare"]}
            yield Story(closed(name), f"closed {name}", **how)
        else:
            # Root gains nothing by a set-uid program.
            how = {"users": ["nobody"]} if needs == "set-uid" else {}
            kind = "limit" if is_limit else "door"
            yield Story(
                under_library(name, needs),
                f"{kind} {name}",
                proxies=["socksifyd"],
                ipv6=ipv6,
                leaks=is_limit,
                **how,
            )
        if sends != "nothing":
            yield Story(
                bare(name, needs),
                f"bare {name}",
                proxies=["none"],
                ways=["bare"],
                users={"root": ["root"], "nobody": ["nobody"]}.get(sends, ["root", "nobody"]),
                leaks="dns" if sends == "ask" else True,
                ipv6=ipv6,
            )
