"""The daemons that the stories' programs talk to, started once in the world, where a story needs them.

All run as an ordinary user, with data of their own in the scratch directory, none knows an account of this
machine. They listen on addresses that only a proxy reaches: sshd on shell.test, the others on store.test.
"""

import os
import subprocess

from targets import pattern
import world

STORY_TEXT = "once upon a time\n"
BIG = pattern(300_000)

SSHD_CONFIG = """Port 22
ListenAddress {address}
HostKey {scratch}/host_key
AuthorizedKeysFile {scratch}/user_key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
PrintMotd no
UseDNS no
# Ten that have not yet logged in are few for lanes that each bring several.
MaxStartups 100
"""

RSYNCD_CONFIG = """use chroot = no
[story]
path = {files}
read only = yes
"""

# It never becomes another user, so it needs neither accounts nor the privileges to change them.
VSFTPD_CONFIG = """run_as_launching_user=YES
background=NO
listen=YES
listen_address={address}
anonymous_enable=YES
local_enable=NO
no_anon_password=YES
ftp_username=nobody
anon_root={files}
write_enable=YES
anon_upload_enable=YES
anon_umask=022
one_process_model=NO
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
connect_from_port_20=NO
port_promiscuous=YES
allow_writeable_chroot=YES
"""


def nobodys_dir(kit, name, mode=0o755):
    path = os.path.join(kit.scratch, name)
    os.makedirs(path)
    os.chmod(path, mode)
    return kit.owned(path, "nobody")


def files(kit, name):
    """A directory of the server's user with something to fetch."""
    path = nobodys_dir(kit, name)
    for file, data in (("story.txt", STORY_TEXT.encode()), ("big", BIG)):
        with open(os.path.join(path, file), "wb") as f:
            f.write(data)
        os.chmod(f.name, 0o644)
    return path


def spawn(kit, name, argv, **how):
    how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **how}
    return kit.spawn(name, kit.as_nobody(argv), **how)


def start_sshd(kit):
    text = SSHD_CONFIG.format(address=world.SHELL4, scratch=kit.scratch)
    config = kit.place.file("sshd_config", text)
    process = spawn(kit, "sshd", [kit.tool("sshd"), "-D", "-e", "-f", config])
    kit.wait_listening(22, process)


def start_git_daemon(kit):
    # As the repositories' owner: git refuses to serve what belongs to others.
    process = kit.spawn(
        "git-daemon",
        [
            kit.tool("git-daemon"),
            "--export-all",
            "--reuseaddr",
            f"--base-path={kit.scratch}/repositories",
            f"--listen={world.STORE4}",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "HOME": kit.scratch, "GIT_CONFIG_NOSYSTEM": "1"},
    )
    kit.wait_listening(9418, process)


def start_rsync(kit):
    config = kit.place.file("rsyncd.conf", RSYNCD_CONFIG.format(files=files(kit, "rsync-files")))
    argv = ["rsync", "--daemon", "--no-detach", f"--address={world.STORE4}", f"--config={config}"]
    process = spawn(kit, "rsync", argv)
    kit.wait_listening(873, process)


def start_vsftpd(kit):
    text = VSFTPD_CONFIG.format(address=world.STORE4, files=files(kit, "ftp-files"))
    config = kit.place.file("vsftpd.conf", text)
    kit.owned(config, "nobody")
    # What is wrong with its configuration it tells to descriptor 0.
    with open(os.path.join(kit.scratch, "vsftpd.log"), "ab") as log:
        process = spawn(kit, "vsftpd", [kit.tool("vsftpd"), config], stdin=log)
    kit.wait_listening(21, process)


def start_redis(kit):
    folder = nobodys_dir(kit, "redis")
    argv = [kit.tool("redis-server"), "--bind", world.STORE4, "--dir", folder, "--save", ""]
    process = spawn(kit, "redis-server", [*argv, "--protected-mode", "no"])
    kit.wait_listening(6379, process)


def start_postgres(kit):
    folder = nobodys_dir(kit, "postgres", 0o700)
    argv = [kit.tool("initdb"), "-D", folder, "-U", "story", "-A", "trust", "--locale=C"]
    subprocess.run(
        kit.as_nobody([*argv, "-E", "UTF8", "--no-sync"]),
        check=True,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    config = kit.place.file("pg_hba.conf", "host all all 0.0.0.0/0 trust\n")
    settings = {
        "listen_addresses": world.STORE4,
        "unix_socket_directories": "",
        "hba_file": config,
        "fsync": "off",
        "shared_buffers": "4MB",
        "max_connections": "40",
        "autovacuum": "off",
        "shared_memory_type": "mmap",
        "dynamic_shared_memory_type": "mmap",
    }
    argv = [kit.tool("postgres"), "-D", folder]
    for key, value in settings.items():
        argv += ["-c", f"{key}={value}"]
    process = spawn(kit, "postgres", argv, cwd="/")
    kit.wait_log("postgres", process, "ready to accept connections")


def start_mariadbd(kit):
    folder = nobodys_dir(kit, "mariadb", 0o700)
    # Without grant tables an empty data directory will do.
    argv = [
        kit.tool("mariadbd"),
        "--no-defaults",
        f"--datadir={folder}",
        f"--bind-address={world.STORE4}",
        f"--socket={folder}/socket",
        f"--pid-file={folder}/pid",
        "--skip-grant-tables",
        "--skip-name-resolve",
        "--skip-innodb",
        "--default-storage-engine=Aria",
        "--aria-log-file-size=8388608",
    ]
    process = spawn(kit, "mariadbd", argv, cwd="/")
    kit.wait_log("mariadbd", process, "ready for connections")


# By the program's name, as in a story's needs; the slowest first.
STARTS = {
    "postgres": start_postgres,
    "mariadbd": start_mariadbd,
    "sshd": start_sshd,
    "git-daemon": start_git_daemon,
    "rsync": start_rsync,
    "vsftpd": start_vsftpd,
    "redis-server": start_redis,
}


def ssh_options(cell):
    """What ssh wants to be told, so that it asks nobody and trusts sshd's key alone."""
    # ssh wants a private key that is nobody else's.
    key = cell.path("key")
    with open(os.path.join(cell.kit.scratch, "user_key"), "rb") as f, open(key, "wb") as to:
        to.write(f.read())
    os.chmod(key, 0o600)
    cell.kit.owned(key, cell.user)
    words = [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        f"UserKnownHostsFile={cell.kit.scratch}/known_hosts",
        "GlobalKnownHostsFile=/dev/null",
        "ConnectTimeout=15",
        "GSSAPIAuthentication=no",
    ]
    return ["-F", "none", "-i", key, *(x for w in words for x in ("-o", w))]
