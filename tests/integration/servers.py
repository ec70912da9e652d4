"""What stands at the far end of the links: the proxies, the targets; and the client's tools."""

import concurrent.futures
import glob
import os
import shutil
import subprocess
import sys
import time

import daemons
import world

HERE = os.path.dirname(os.path.abspath(__file__))
SANITIZER_MARKS = (b"Sanitizer", b"runtime error:")

# Of the server with users. What a URL has to write with % is in it.
USER, PASSWORD = "alice", "p@ss:w/rd%20"

# Open to all, like microsocks. It runs as an ordinary user, so there is nobody else for it to become.
DANTED_CONFIG = """logoutput: stderr
errorlog: stderr
internal: {proxy4} port = {port}
external: {proxy4}
{external6}
clientmethod: none
socksmethod: none
user.privileged: nobody
user.unprivileged: nobody
client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
socks pass {{ from: 0.0.0.0/0 to: ::/0 }}
"""


class Kit:
    def __init__(self, args, place):
        self.place, self.scratch = place, place.scratch
        self.real_root = args.real_root
        self.preload_first = args.preload_first
        self.patience, self.strict = args.patience, args.strict
        self.wanted = args.proxy
        self.processes = []
        self.logs = {}
        # {proxy: why it is not there}; {daemon: why it did not start}
        self.absent, self.broken = {}, {}
        self.lane = self.count = 0
        self.build = place.build
        self.server = args.server or self.built("src/server/socksifyd")
        self.socksify = self.built("src/wrapper/socksify")
        self.library = self.built("src/preload/libsocksify.so")
        self.programs = self.built("tests/integration/programs")
        self.proxy_addresses = []
        # Of the slow proxy: how long each of its two steps takes, and where it tells what it has seen.
        self.step_ms = 100 * self.patience
        self.slow_control = os.path.join(self.scratch, "slow-control")

    def built(self, path):
        return os.path.join(self.build, path) if self.build else ""

    def owned(self, path, user):
        if user == "nobody" and self.real_root:
            os.chown(path, 65534, 65534)
        return path

    def home(self, user):
        path = os.path.join(self.scratch, f"home-{self.lane}-{user}")
        os.makedirs(path, exist_ok=True)
        return self.owned(path, user)

    def fresh_dir(self, user):
        self.count += 1
        path = os.path.join(self.scratch, f"cell-{self.lane}-{self.count}")
        os.mkdir(path)
        return self.owned(path, user)

    @staticmethod
    def tool(name):
        """A program's path, also where an ordinary user's PATH does not look; or None."""
        folders = [os.environ.get("PATH", ""), "/usr/local/sbin:/usr/sbin:/sbin", "/usr/lib/git-core"]
        folders += sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
        return shutil.which(name, path=":".join(folders))

    def spawn(self, name, argv, **how):
        path = os.path.join(self.scratch, name + ".log")
        with open(path, "wb") as log:
            process = subprocess.Popen(argv, stderr=how.pop("stderr", log), **how)
        self.logs[name] = path
        self.processes.append((name, process))
        return process

    def start(self, ports, needs):
        """
        Start the proxies, the targets, and the daemons among these needs.

        What is not there afterwards is in self.absent and self.broken.
        """
        self.make_keys()
        self.make_repository()
        for port in ports.values():
            self.proxy_addresses.append((world.PROXY4, port))
        self.proxy_addresses.append((world.PROXY6, ports["socksifyd"]))
        # An ordinary user shall have the ports that clients expect.
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", "w", encoding="ascii") as f:
            f.write("0")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            wanted = {n: start for n, start in daemons.STARTS.items() if n in needs and self.tool(n)}
            # The slowest first: they make their data directories meanwhile.
            done = {n: pool.submit(start, self) for n, start in wanted.items()}
            self.start_targets()
            for name in ports:
                # Who asks for socksifyd means it with users, too.
                if not self.wanted or name.replace("users", "socksifyd") in self.wanted:
                    getattr(self, "start_" + name)(ports[name])
            for name, future in done.items():
                try:
                    future.result()
                except (OSError, RuntimeError, subprocess.SubprocessError) as e:
                    self.broken[name] = f"{name} did not start: {e}"

    def start_targets(self):
        targets = self.spawn(
            "targets",
            [sys.executable, os.path.join(HERE, "targets.py"), self.scratch],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        if targets.stdout.readline() != b"ready\n":
            raise RuntimeError("the targets did not start:\n" + self.log_text("targets"))

    def start_microsocks(self, port):
        if not self.tool("microsocks"):
            self.absent["microsocks"] = "Debian's microsocks is not installed"
            return
        process = self.spawn(
            "microsocks",
            ["microsocks", "-i", world.PROXY4, "-p", str(port)],
            stdout=subprocess.DEVNULL,
        )
        self.wait_listening(port, process)

    def start_slow(self, port):
        """Where patience is asked for, it is slower still: clients are, too."""
        delay = str(self.step_ms / 1000)
        argv = [os.path.join(HERE, "slow.py"), world.PROXY4, str(port), delay, self.slow_control]
        process = self.spawn("slow", [sys.executable, *argv], stdin=subprocess.DEVNULL)
        self.wait_listening(port, process)

    def start_danted(self, port):
        danted = self.tool("danted")
        if not danted:
            self.absent["danted"] = "Debian's dante-server is not installed"
            return
        config = DANTED_CONFIG.format(
            proxy4=world.PROXY4,
            port=port,
            external6=f"external: {world.PROXY6}" if self.place.has_ipv6 else "",
        )
        process = self.spawn(
            "danted",
            self.as_nobody([danted, "-f", self.place.file("danted.conf", config)]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        self.wait_listening(port, process)

    def open_to(self):
        """The targets have addresses of the server's own, which it guards."""
        text = subprocess.run(
            [self.server, "--help"], capture_output=True, text=True, check=False
        ).stdout
        if "--allow-to " not in text:
            return []
        targets = ["203.0.113.0/24", "2001:db8:113::/64", world.NAMESERVER]
        return [word for target in targets for word in ("--allow-to", target)]

    def start_users(self, port):
        """socksifyd once more, for those only who have a password."""
        if not self.server:
            self.absent["users"] = "neither --build nor --server is given"
            return
        line = subprocess.run(
            [self.server, "--hash", USER], input=PASSWORD, capture_output=True, text=True, check=True
        ).stdout
        path = self.place.file("users", line)
        os.chmod(path, 0o600)
        argv = [self.server, "--listen", f"{world.PROXY4}:{port}", "--users", path, *self.open_to()]
        process = self.spawn(
            "users", [*argv, "--hosts", self.place.targets_file], stdin=subprocess.DEVNULL
        )
        self.wait_log("users", process, "listening ")

    def start_socksifyd(self, port):
        if not self.server:
            self.absent["socksifyd"] = "neither --build nor --server is given"
            return
        argv = [self.server, "--listen", f"{world.PROXY4}:{port}"]
        if self.place.has_ipv6:
            argv += ["--listen", f"[{world.PROXY6}]:{port}"]
        argv += ["--hosts", self.place.targets_file]
        # It refuses to be open to all, and rightly so.
        argv += ["--allow", "192.0.2.0/24", "--allow", "2001:db8:2::/64", *self.open_to()]
        process = self.spawn("socksifyd", argv, stdin=subprocess.DEVNULL)
        want = argv.count("--listen")
        self.wait_log("socksifyd", process, "listening ", want)

    def wait_log(self, name, process, text, times=1):
        """Until its log says so."""
        deadline = time.monotonic() + 20 * self.patience
        while self.log_text(name).count(text) < times:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} is not ready:\n" + self.log_text(name)[-3000:])
            time.sleep(0.01)

    def wait_listening(self, port, process):
        """By the kernel's own table: a connection to probe with would show in the proxy's log."""
        deadline = time.monotonic() + 20 * self.patience
        mark = f":{port:04X} "
        while True:
            with open("/proc/net/tcp", encoding="ascii") as f:
                if any(mark in line and " 0A " in line for line in f):
                    return
            if process.poll() is not None or time.monotonic() > deadline:
                name = next(name for name, p in self.processes if p is process)
                raise RuntimeError(f"nothing listens on port {port}:\n" + self.log_text(name)[-3000:])
            time.sleep(0.01)

    def as_nobody(self, argv):
        if self.real_root:
            return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *argv]
        return ["unshare", "-U", "--map-user=65534", "--map-group=65534", *argv]

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
            if name not in ("socksifyd", "users"):
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
            if name == "users" and PASSWORD.encode() in text:
                problem = "it wrote the password into its log"
            yield f"{name}-ends-well", problem and problem + ":\n" + text[-3000:].decode(
                "utf-8", "replace"
            )
