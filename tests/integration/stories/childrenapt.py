"""apt-get: methods that become another user, dpkg, a maintainer's script, and a static ldconfig at the end.

The machine's own packages are left alone: root's apt has a mount namespace with a small /etc and /var of its
own; an ordinary user's has other directories.
"""

import hashlib
import os
import subprocess

from harness import Failed, story

CONTROL = """Package: story
Version: 1
Architecture: all
Maintainer: Nobody <nobody@web.test>
Description: once upon a time
"""

LIBC_BIN = """Package: libc-bin
Status: install ok installed
Version: 2
Architecture: all
Maintainer: Nobody <nobody@web.test>
Description: whoever runs ldconfig
"""

# As Debian's libc-bin has it.
LIBC_BIN_POSTINST = """#!/bin/sh
[ "$1" != triggered ] || exec ldconfig
"""

POSTINST = """#!/bin/sh
set -e
env -i curl -sS http://web.test/postinst >/opt/story/page
"""

# What an own /etc and /var need, in a mount namespace that ends with the command.
PREPARE = """
set -e
etc=$PWD/etc
mkdir $etc
for name in alternatives ld.so.conf ld.so.conf.d hosts resolv.conf nsswitch.conf passwd group dpkg; do
	[ ! -e /etc/$name ] || cp -rd /etc/$name $etc/
done
mkdir -p $etc/apt/apt.conf.d $etc/apt/preferences.d $etc/apt/trusted.gpg.d
echo "deb [trusted=yes] $1 ./" >$etc/apt/sources.list
cp apt.conf $etc/apt/
[ "$2" = root ] || echo "$2:x:42:65534::/nonexistent:/bin/false" >>$etc/passwd
mount --bind $etc /etc
for dir in /var/lib/dpkg /var/lib/apt /var/cache/apt /var/cache/ldconfig /var/log /opt; do
	[ ! -d $dir ] || mount -t tmpfs none $dir
done
mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates /var/lib/dpkg/triggers /var/lib/apt/lists/partial
mkdir -p /var/cache/apt/archives/partial /var/log/apt
cp libc-bin.status /var/lib/dpkg/status
cp libc-bin.postinst /var/lib/dpkg/info/libc-bin.postinst
chmod 755 /var/lib/dpkg/info/libc-bin.postinst
echo "interest ldconfig" >/var/lib/dpkg/info/libc-bin.triggers
echo /. >/var/lib/dpkg/info/libc-bin.list
echo libc-bin >/var/lib/dpkg/triggers/ldconfig
shift 2
exec "$@"
"""

APT_CONF = """Acquire::Languages "none";
Acquire::Retries "0";
APT::Sandbox::User "{user}";
Dpkg::Use-Pty "{pty}";
"""

INSTALL = """
set -e
apt-get -q update
apt-get -q -y install story
cat /opt/story/text /opt/story/page >told
ls /etc/ld.so.cache >>told
dpkg-query -f '${Status}\\n' -W story libc-bin >>told
"""

INSTALLED = "once upon a time\nyou asked web.test for /postinst\n/etc/ld.so.cache\n" + 2 * (
    "install ok installed\n"
)


def written(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)


def repository(cell):
    """A package in a repository of this cell's own, on web.test; returns its URL."""
    name = os.path.basename(cell.scratch)
    folder, tree = os.path.join(cell.kit.scratch, "files", name), os.path.join(cell.kit.scratch, name + ".deb.d")
    written(f"{tree}/DEBIAN/control", CONTROL)
    written(f"{tree}/DEBIAN/postinst", POSTINST, 0o755)
    written(f"{tree}/DEBIAN/triggers", "activate ldconfig\n")
    written(f"{tree}/opt/story/text", "once upon a time\n")
    os.chmod(tree, 0o755)
    os.makedirs(folder)
    argv = ["dpkg-deb", "--root-owner-group", "-b", tree, f"{folder}/story.deb"]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    with open(f"{folder}/story.deb", "rb") as f:
        deb = f.read()
    packages = f"{CONTROL}Filename: ./story.deb\nSize: {len(deb)}\nSHA256: {hashlib.sha256(deb).hexdigest()}\n"
    written(f"{folder}/Packages", packages)
    octets = packages.encode()
    written(
        f"{folder}/Release",
        f"Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n {hashlib.sha256(octets).hexdigest()} {len(octets)} Packages\n",
    )
    return f"http://web.test/files/{name}"


@story(proxies=["socksifyd"], users=["root"], needs=["apt-get", "dpkg-deb", "curl", "unshare"])
def apt_get_install(cell):
    user = "_apt" if cell.kit.real_root else "root"
    # A terminal of its own for dpkg is one more way to be started, and not to be had everywhere.
    pty = "true" if cell.way == "wrapper" else "false"
    for name, text in (
        ("prepare", PREPARE),
        ("apt.conf", APT_CONF.format(user=user, pty=pty)),
        ("libc-bin.status", LIBC_BIN),
        ("libc-bin.postinst", LIBC_BIN_POSTINST),
        ("install", INSTALL),
    ):
        written(cell.path(name), text)
    env = {"SOCKSIFY_LOG": "warn"}
    argv, env = cell.dress(["sh", "install"], env, cell.url)
    words = ["env", *(f"{k}={v}" for k, v in env.items()), *argv]
    result = cell.run(["unshare", "-m", "sh", "prepare", repository(cell), user, *words], bare=True)
    with open(cell.path("told"), encoding="utf-8") as f:
        told = f.read()
    if told != INSTALLED:
        raise Failed(f"what is installed says {told!r}")
    if b"ldconfig is static" not in result.err + result.out:
        raise Failed("nobody was told that ldconfig ran without a network")


@story(proxies=["socksifyd"], users=["nobody"], needs=["apt-get", "dpkg-deb"])
def apt_get_download(cell):
    dirs = ["state/lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d", "log"]
    script = f"""
    mkdir -p {' '.join(dirs)}
    : >status
    echo 'deb [trusted=yes] {repository(cell)} ./' >etc/sources.list
    cat >conf <<END
    Dir::State "$PWD/state"; Dir::State::status "$PWD/status"; Dir::Cache "$PWD/cache";
    Dir::Etc "$PWD/etc"; Dir::Log "$PWD/log"; Acquire::Languages "none"; APT::Sandbox::User "";
END
    export APT_CONFIG=$PWD/conf
    apt-get -q update && env -u LD_PRELOAD apt-get -q download story && dpkg-deb -f story_1_all.deb Description
    """
    result = cell.run(["sh", "-c", script])
    if not result.out.endswith(b"once upon a time\n"):
        raise Failed("no package came")
