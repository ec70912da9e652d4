"""What stands at the far end of the link: the proxies, the targets, sshd; and the client's tools."""

import os
import shutil
import subprocess
import sys
import time

import world

HERE = os.path.dirname(os.path.abspath(__file__))
SANITIZER_MARKS = (b"Sanitizer", b"runtime error:")

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
"""


class Kit:
    def __init__(self, args, place):
        self.place, self.scratch = place, place.scratch
        self.real_root = args.real_root
        self.preload_first = args.preload_first
        self.patience = args.patience
        self.wanted = args.proxy
        self.processes = []
        self.logs = {}
        self.count = 0
        self.build = place.build
        self.server = args.server or self.built("src/server/socksifyd")
        self.socksify = self.built("src/wrapper/socksify")
        self.library = self.built("src/preload/libsocksify.so")
        self.programs = self.built("tests/integration/programs")
        self.proxy_addresses = []

    def built(self, path):
        return os.path.join(self.build, path) if self.build else ""

    def owned(self, path, user):
        if user == "nobody" and self.real_root:
            os.chown(path, 65534, 65534)
        return path

    def home(self, user):
        path = os.path.join(self.scratch, "home-" + user)
        os.makedirs(path, exist_ok=True)
        return self.owned(path, user)

    def fresh_dir(self, user):
        self.count += 1
        path = os.path.join(self.scratch, f"cell-{self.count}")
        os.mkdir(path)
        return self.owned(path, user)

    def spawn(self, name, argv, **how):
        path = os.path.join(self.scratch, name + ".log")
        with open(path, "wb") as log:
            process = subprocess.Popen(argv, stderr=how.pop("stderr", log), **how)
        self.logs[name] = path
        self.processes.append((name, process))
        return process

    def start(self, ports):
        """Returns {proxy: why it is not there}."""
        absent = {}
        self.make_keys()
        self.make_repository()
        targets = self.spawn(
            "targets",
            [sys.executable, os.path.join(HERE, "targets.py"), self.scratch],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        if targets.stdout.readline() != b"ready\n":
            raise RuntimeError("the targets did not start:\n" + self.log_text("targets"))
        if self.wanted and "socksifyd" not in self.wanted:
            pass
        elif self.server:
            self.start_socksifyd(ports["socksifyd"])
        else:
            absent["socksifyd"] = "neither --build nor --server is given"
        if shutil.which("microsocks"):
            self.spawn(
                "microsocks",
                ["microsocks", "-i", world.PROXY4, "-p", str(ports["microsocks"])],
                stdout=subprocess.DEVNULL,
            )
            self.wait_listening(ports["microsocks"])
        else:
            absent["microsocks"] = "Debian's microsocks is not installed"
        if shutil.which("sshd"):
            self.start_sshd()
        for port in ports.values():
            self.proxy_addresses.append((world.PROXY4, port))
        self.proxy_addresses.append((world.PROXY6, ports["socksifyd"]))
        return absent

    def start_socksifyd(self, port):
        argv = [self.server, "--listen", f"{world.PROXY4}:{port}"]
        if self.place.has_ipv6:
            argv += ["--listen", f"[{world.PROXY6}]:{port}"]
        argv += ["--hosts", self.place.targets_file]
        # It refuses to be open to all, and rightly so.
        text = subprocess.run(
            [self.server, "--help"], capture_output=True, text=True, check=False
        ).stdout
        if "--allow " in text:
            argv += ["--allow", "192.0.2.0/24", "--allow", "2001:db8:2::/64"]
        if "--allow-to " in text:
            argv += ["--allow-to", "203.0.113.0/24", "--allow-to", "2001:db8:113::/64"]
        self.spawn("socksifyd", argv, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 10 * self.patience
        want = argv.count("--listen")
        process = self.processes[-1][1]
        while self.log_text("socksifyd").count("listening ") < want:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("socksifyd is not ready:\n" + self.log_text("socksifyd"))
            time.sleep(0.01)

    def wait_listening(self, port):
        """By the kernel's own table: a connection to probe with would show in the proxy's log."""
        deadline = time.monotonic() + 10 * self.patience
        mark = f":{port:04X} "
        while True:
            with open("/proc/net/tcp", encoding="ascii") as f:
                if any(mark in line and " 0A " in line for line in f):
                    return
            if time.monotonic() > deadline:
                raise RuntimeError(f"nothing listens on port {port}")
            time.sleep(0.01)

    def as_nobody(self, argv):
        if self.real_root:
            return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *argv]
        return ["unshare", "-U", "--map-user=65534", "--map-group=65534", *argv]

    def start_sshd(self):
        """As an ordinary user: no PAM, no privileged child, no account of this machine."""
        config = self.place.file(
            "sshd_config", SSHD_CONFIG.format(address=world.SHELL4, scratch=self.scratch)
        )
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", "w", encoding="ascii") as f:
            f.write("0")
        sshd = shutil.which("sshd")
        self.spawn(
            "sshd", self.as_nobody([sshd, "-D", "-e", "-f", config]), stdin=subprocess.DEVNULL
        )
        self.wait_listening(22)

    def make_keys(self):
        def path(name):
            return os.path.join(self.scratch, name)

        names = f"subjectAltName=DNS:web.test,DNS:v4only.test,DNS:v6only.test,IP:{world.WEB4},IP:{world.WEB6}"
        if shutil.which("openssl"):
            subprocess.run(
                [
                    "openssl",
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                    "-nodes",
                    "-days",
                    "2",
                    "-subj",
                    "/CN=web.test",
                    "-addext",
                    names,
                    "-keyout",
                    path("web.key"),
                    "-out",
                    path("web.pem"),
                ],
                check=True,
                capture_output=True,
            )
        if shutil.which("ssh-keygen"):
            for name in ("host_key", "user_key"):
                subprocess.run(
                    ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path(name)],
                    check=True,
                )
                self.owned(path(name), "nobody")
            with open(path("host_key.pub"), encoding="ascii") as f:
                self.place.file("known_hosts", f"shell.test,{world.SHELL4} " + f.read())

    def make_repository(self):
        if not shutil.which("git"):
            return
        bare = os.path.join(self.scratch, "repositories", "story.git")
        os.makedirs(bare)
        env = {
            "PATH": os.environ["PATH"],
            "HOME": self.scratch,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a@web.test",
            "GIT_AUTHOR_DATE": "1700000000 +0000",
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@web.test",
            "GIT_COMMITTER_DATE": "1700000000 +0000",
        }

        def git(*args, stdin=""):
            return subprocess.run(
                ["git", "-C", bare, *args],
                input=stdin,
                env=env,
                text=True,
                check=True,
                capture_output=True,
            ).stdout.strip()

        git("init", "-q", "--bare", "-b", "main")
        blob = git("hash-object", "-w", "--stdin", stdin="once upon a time\n")
        tree = git("mktree", stdin=f"100644 blob {blob}\tstory.txt\n")
        git("update-ref", "refs/heads/main", git("commit-tree", "-m", "story", tree))

    def log_text(self, name):
        with open(self.logs[name], "rb") as f:
            return f.read().decode("utf-8", "replace")

    def stop(self):
        """Ends them all; yields (name, problem or "") for what is ours to judge."""
        for name, process in reversed(self.processes):
            early = process.poll()
            process.terminate()
            if name == "targets":
                process.kill()
            try:
                status = process.wait(10 * self.patience)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                status = "still there after SIGTERM"
            if name != "socksifyd":
                continue
            with open(self.logs[name], "rb") as f:
                text = f.read()
            problem = ""
            if early is not None:
                problem = f"it ended by itself, status {early}"
            elif status != 0:
                problem = f"status {status}"
            elif any(mark in text for mark in SANITIZER_MARKS):
                problem = "a sanitizer complains"
            yield "socksifyd-ends-well", problem and problem + ":\n" + text[-3000:].decode(
                "utf-8", "replace"
            )
