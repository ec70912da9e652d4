#!/usr/bin/env python3
"""--audit: what it tells, and that nothing of PROGRAM's end is lost on the way."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

import wrapper
from wrapper import BUILD, SOCKSIFY, environment, socksify

PYTHON = "/usr/bin/python3"
PREFIX = "socksify: audit: "

# Addresses of documentation alone: what would slip past the library leads nowhere.
TRY = """
import socket, sys
for kind, host, port in (item.split("/") for item in sys.argv[1:]):
    s = socket.socket(socket.AF_INET, {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[kind])
    try:
        if kind == "tcp":
            s.connect((host, int(port)))
        else:
            s.sendto(b"x", (host, int(port)))
    except OSError:
        pass
    s.close()
"""


def attempt(*items):
    return [PYTHON, "-c", TRY, *items]


def closed_port():
    """Of loopback: nobody listens there for the moment."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Case(wrapper.Case):
    def setUp(self):
        self.run_dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.run_dir.cleanup)
        self.nobody = f"127.0.0.1:{closed_port()}"
        self.env = {"XDG_RUNTIME_DIR": self.run_dir.name}

    def audit(self, *args, **env):
        """Quietly, by a proxy that is not there."""
        return socksify("-qx", self.nobody, "--audit", *args, env={**self.env, **env})

    def told(self, done):
        lines = done.stderr.splitlines()
        for line in lines:
            self.assertTrue(line.startswith(PREFIX), done.stderr)
        return [line[len(PREFIX):] for line in lines]

    def left(self):
        """Files of audits."""
        folder = os.path.join(self.run_dir.name, "socksify")
        return [n for n in os.listdir(folder) if n.endswith(".audit")]


class Ends(Case):
    def test_the_status_is_the_programs(self):
        for status in (0, 1, 7, 125, 126, 127, 255):
            with self.subTest(status):
                done = self.audit("sh", "-c", f"exit {status}")
                self.assertEqual(done.returncode, status)
                self.assertEqual(self.told(done)[0], f"sh ended with status {status}")
                self.assertEqual(self.left(), [])

    def test_a_signal_is_the_programs_own(self):
        signals = [signal.SIGKILL, signal.SIGTERM, signal.SIGPIPE, signal.SIGINT]
        if wrapper.PRELOADABLE:  # a sanitizer takes it for its own
            signals.append(signal.SIGSEGV)
        for sig in signals:
            with self.subTest(sig):
                done = self.audit("sh", "-c", f"kill -{int(sig)} $$")
                self.assertEqual(done.returncode, -sig)
                self.assertIn(f"sh was ended by signal {int(sig)} ", self.told(done)[0])

    def test_what_is_not_run_is_told_as_such(self):
        done = self.audit("no-such-program")
        self.assertEqual(done.returncode, 127)
        self.assertEqual(done.stderr.splitlines(),
                         ["socksify: no-such-program: no such program",
                          PREFIX + "no-such-program was not run"])
        self.assertEqual(self.left(), [])

    def test_a_quiet_program_is_told_of_in_two_lines(self):
        self.assertEqual(self.told(self.audit("true")),
                         ["true ended with status 0",
                          "nothing was refused, nothing went past the proxy, "
                          "no program ran without a network, nothing used the proxy"])

    def test_input_and_output_are_the_programs(self):
        done = subprocess.run([SOCKSIFY, "--audit", "cat"], env=environment(**self.env),
                              input="hello", capture_output=True, text=True, check=False,
                              timeout=wrapper.PATIENCE)
        self.assertEqual(done.stdout, "hello")

    def test_standard_descriptors_may_be_closed(self):
        done = self.audit("true")
        for closed in ("<&-", "<&- >&-", "<&- >&- 2>&-"):
            with self.subTest(closed):
                line = f'exec "$0" -q --audit sh -c "exit 9" {closed}'
                done = subprocess.run(["sh", "-c", line, SOCKSIFY], env=environment(**self.env),
                                      check=False, timeout=wrapper.PATIENCE, stderr=subprocess.PIPE)
                self.assertEqual(done.returncode, 9)
        self.assertEqual(self.left(), [])

    def test_who_reads_the_summary_may_be_gone(self):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run([SOCKSIFY, "--audit", "sh", "-c", "exit 5"], stderr=write,
                              env=environment(**self.env), check=False, timeout=wrapper.PATIENCE)
        os.close(write)
        self.assertEqual(done.returncode, 5)


class Signals(Case):
    def start(self, *args, **kwargs):
        program = subprocess.Popen(
            [SOCKSIFY, "-q", "--audit", *args], env=environment(**self.env), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
        for stream in (program.stdin, program.stdout, program.stderr):
            self.addCleanup(stream.close)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        return program

    def test_they_are_passed_on(self):
        for sig in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1):
            with self.subTest(sig):
                wait = (f"import signal as s; s.pthread_sigmask(s.SIG_BLOCK, [{int(sig)}]); "
                        f"print('ready', flush=True); exit(s.sigwait([{int(sig)}]))")
                program = self.start(PYTHON, "-c", wait)
                self.assertEqual(program.stdout.readline(), "ready\n")
                program.send_signal(sig)
                self.assertEqual(program.wait(wrapper.PATIENCE), sig)

    def test_dispositions_and_masks_are_as_they_were(self):
        look = ("import signal; print([int(n) for n in range(1, 32) "
                "if signal.getsignal(n) == signal.SIG_IGN], "
                "sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))")

        def prepare():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])

        shown = []
        for args in ([], ["--audit"]):
            done = subprocess.run([SOCKSIFY, "-q", *args, PYTHON, "-c", look], check=False,
                                  preexec_fn=prepare, env=environment(**self.env), text=True,
                                  capture_output=True, timeout=wrapper.PATIENCE)
            self.assertEqual(done.returncode, 0, done.stderr)
            shown.append(done.stdout)
        self.assertEqual(shown[0], shown[1])
        self.assertIn(str(int(signal.SIGHUP)), shown[0])

    def test_a_program_that_stops_itself_stops_the_parent(self):
        program = self.start("sh", "-c", "kill -STOP $$; exit 6", start_new_session=True)
        pid, status = os.waitpid(program.pid, os.WUNTRACED)
        self.assertEqual(pid, program.pid)
        self.assertTrue(os.WIFSTOPPED(status))
        os.kill(program.pid, signal.SIGCONT)
        self.assertEqual(program.wait(wrapper.PATIENCE), 6)

    def test_a_job_stops_and_goes_on_as_one(self):
        program = self.start("sh", "-c", "echo ready; read x; exit 6",
                             preexec_fn=lambda: os.setpgid(0, 0))
        self.assertEqual(program.stdout.readline(), "ready\n")
        for _ in range(3):
            os.killpg(program.pid, signal.SIGTSTP)
            self.assertTrue(os.WIFSTOPPED(os.waitpid(program.pid, os.WUNTRACED)[1]))
            os.killpg(program.pid, signal.SIGCONT)
            self.assertTrue(os.WIFCONTINUED(os.waitpid(program.pid, os.WCONTINUED)[1]))
        program.stdin.close()
        self.assertEqual(program.wait(wrapper.PATIENCE), 6)

    def test_an_alarm_set_before_is_the_programs(self):
        program = self.start(PYTHON, "-c", "print('ready'); input()",
                             preexec_fn=lambda: signal.setitimer(signal.ITIMER_REAL, 0.2))
        self.assertEqual(program.wait(wrapper.PATIENCE), -signal.SIGALRM)

    def test_a_killed_parent_leaves_the_program_alone(self):
        program = self.start("sh", "-c", "echo ready; read x; echo went on")
        self.assertEqual(program.stdout.readline(), "ready\n")
        program.kill()
        program.wait(wrapper.PATIENCE)
        program.stdin.close()
        self.assertEqual(program.stdout.readline(), "went on\n")


@unittest.skipUnless(wrapper.PRELOADABLE, "a sanitizer's runtime can't start behind a library")
class Told(Case):
    def test_what_was_refused_and_what_went_where(self):
        done = self.audit(
            *attempt("udp/192.0.2.1/53", "udp/192.0.2.1/53", "tcp/example.org/443",
                     "tcp/localhost/9", "tcp/127.0.0.1/9", "tcp/127.0.0.2/9"))
        self.assertEqual(self.told(done), [
            f"{PYTHON} ended with status 0",
            "refused: 192.0.2.1:53: only TCP has a way through the proxy (python3)",
            "not reached by the proxy: example.org:443: connection refused (python3)",
            "loopback: 2 destinations",
            "nothing went past the proxy, no program ran without a network",
        ])

    def test_a_kind_of_socket_is_told_of(self):
        program = "import socket\ntry: socket.socket(socket.AF_VSOCK)\nexcept OSError: pass"
        done = self.audit(PYTHON, "-c", program)
        self.assertIn("refused: a VSOCK socket: only TCP has a way through the proxy (python3)",
                      self.told(done))

    def test_a_library_in_a_namespace_of_its_own_is_told_of(self):
        program = ("import ctypes as c; f = c.CDLL(None).dlmopen; "
                   "f.argtypes = [c.c_long, c.c_char_p, c.c_int]; f(-1, b'libm.so.6', 2)")
        done = self.audit(PYTHON, "-c", program)
        self.assertIn("refused: libm.so.6: dlmopen() would take it past the proxy, to a namespace "
                      "of its own (python3)", self.told(done))

    def test_a_rule_is_named(self):
        # A broadcast address: the kernel says no to it, so that nothing leaves.
        done = self.audit(*attempt("tcp/255.255.255.255/80"), SOCKSIFY_NO_PROXY="255.0.0.0/8")
        self.assertIn("direct: 255.255.255.255:80: a rule for its address, 255.0.0.0/8 (python3)",
                      self.told(done))

    def test_processes_and_programs_are_counted(self):
        shell = '"$0" -c "$1" udp/192.0.2.1/53 & "$0" -c "$1" udp/192.0.2.1/53 & wait'
        done = self.audit("sh", "-c", shell, PYTHON, TRY)
        self.assertIn("refused: 192.0.2.1:53: only TCP has a way through the proxy "
                      "(python3; 2 processes)", self.told(done))

    def test_children_by_fork_are_processes_of_their_own(self):
        program = ("import os, socket, sys\n"
                   "for _ in range(3):\n"
                   "    if os.fork() == 0:\n"
                   "        try: socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 1))\n"
                   "        finally: os._exit(0)\n"
                   "for _ in range(3): os.wait()\n")
        self.assertTrue(any("(python3; 3 processes)" in line
                            for line in self.told(self.audit(PYTHON, "-c", program))))

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_who_can_note_nothing_says_so_once(self):
        program = "import os; os.setuid(65534)\n" + TRY
        done = socksify("-x", self.nobody, "--audit", PYTHON, "-c", program, "udp/192.0.2.1/1",
                        "udp/192.0.2.2/1", env=self.env)
        self.assertEqual(done.stderr.count("what it does is not in the audit: permission denied"), 1,
                         done.stderr)

    def test_through_the_proxy(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            done = socksify("-q", "--audit", "--with-server", *attempt(f"tcp/127.0.0.1/{port}"),
                            env={**self.env, "SOCKSIFY_LOOPBACK": "proxy"})
        self.assertIn(f"through the proxy: 127.0.0.1:{port} (python3)", self.told(done))
        self.assertNotIn("loopback", done.stderr)

    def test_a_password_is_not_told(self):
        done = socksify("-qx", f"user:hunter2@{self.nobody}", "--audit",
                        *attempt("tcp/example.org/80", "udp/192.0.2.1/1"), env=self.env)
        self.assertIn("example.org:80", done.stderr)
        self.assertNotIn("hunter2", done.stderr)

    def test_the_logs_file_has_it_where_there_is_one(self):
        path = os.path.join(self.run_dir.name, "log")
        done = self.audit("--log-file", path, *attempt("udp/192.0.2.1/53"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        with open(path, encoding="utf-8") as f:
            self.assertIn(PREFIX + "refused: 192.0.2.1:53", f.read())

    def test_a_session_within_tells_its_own(self):
        done = self.audit(SOCKSIFY, "-qx", self.nobody, "--audit", "--isolate",
                          *attempt("udp/192.0.2.1/53"))
        self.assertEqual([line.split()[0] for line in self.told(done)],
                         [PYTHON, "refused:", "nothing", SOCKSIFY, "nothing"])

    def test_a_session_within_that_is_not_audited_is_part_of_it(self):
        done = self.audit(SOCKSIFY, "-qx", self.nobody, "--isolate", *attempt("udp/192.0.2.1/53"))
        self.assertTrue(any(line.startswith("refused: 192.0.2.1:53") for line in self.told(done)))

    def test_what_goes_on_is_counted(self):
        done = self.audit("sh", "-c", '(exec <"$0" >/dev/null 2>&1; read x) & exit 3', self.fifo())
        self.assertEqual(done.returncode, 3)
        self.assertEqual(self.told(done)[-1],
                         "1 process of it goes on; what comes of that is not told")

    def fifo(self):
        """Whoever reads it waits until the test is over."""
        path = os.path.join(self.run_dir.name, "fifo")
        os.mkfifo(path)
        keep = os.open(path, os.O_RDWR)
        self.addCleanup(os.close, keep)
        return path

    @unittest.skipUnless(shutil.which("busybox"), "no static program is here")
    def test_a_closed_program_is_told_of(self):
        done = self.audit("busybox", "true")
        self.assertEqual(done.returncode, 0)
        self.assertIn(f"run without a network: {shutil.which('busybox')}: is static (socksify)",
                      self.told(done))

    @unittest.skipUnless(shutil.which("busybox"), "no static program is here")
    def test_a_closed_child_is_told_of(self):
        busybox = shutil.which("busybox")
        for way in ("busybox true", 'env -i PATH="$PATH" busybox true', "busybox true; busybox true",
                    "vfork"):
            with self.subTest(way):
                args = ["sh", "-c", way + "; exit 4"]
                if way == "vfork":
                    args = [PYTHON, "-c", "import subprocess as s; s.run(['busybox', 'true'])"]
                done = self.audit(*args)
                self.assertTrue(any(
                    line.startswith(f"run without a network: {busybox}: is static (")
                    for line in self.told(done)), done.stderr)
        script = os.path.join(self.run_dir.name, "script")
        with open(script, "w", encoding="ascii") as f:
            f.write(f"#!{busybox} true\n")
        os.chmod(script, 0o755)
        for args in ([script], ["sh", "-c", script + "; true"]):
            done = self.audit(*args)
            self.assertTrue(any(
                line.startswith(f"run without a network: {script}: its interpreter {busybox} is static (")
                for line in self.told(done)), done.stderr)
        done = self.audit("sh", "-c", "busybox true; true", SOCKSIFY_EXEC="allow")
        self.assertIn(f"past the proxy, and not watched: {busybox}: is static (sh)", self.told(done))
        done = self.audit("sh", "-c", "busybox true; true", SOCKSIFY_EXEC="refuse")
        self.assertIn(PREFIX + f"not run: {busybox}: is static (sh)", done.stderr.splitlines())

    @unittest.skipUnless(os.path.exists("/usr/bin/su") and os.geteuid() != 0, "gains nothing here")
    def test_a_program_that_would_gain_privileges_is_told_of(self):
        done = self.audit("/usr/bin/su")
        self.assertEqual(done.returncode, 126)
        self.assertIn(PREFIX + "not run: /usr/bin/su: would gain privileges (socksify)",
                      done.stderr.splitlines())

    def test_a_hostile_program_writes_nothing_to_the_terminal(self):
        done = self.audit("sh", "-c",
                          'printf "refused\\t1\\ta\\t\\033[2Jx\\ty\\n\\0\\nno end" >>"$SOCKSIFY_AUDIT"')
        self.assertEqual(done.returncode, 0)
        self.assertEqual(self.told(done)[-1],
                         "3 lines of its file can't be read: some program wrote there, "
                         "and what is told may be wrong")
        self.assertNotIn("\033", done.stderr)
        for what in ('rm "$SOCKSIFY_AUDIT"', 'rm "$SOCKSIFY_AUDIT"; mkdir "$SOCKSIFY_AUDIT"',
                     'truncate -s 1T "$SOCKSIFY_AUDIT"', ': >"$SOCKSIFY_AUDIT"',
                     'chmod 0 "$SOCKSIFY_AUDIT"'):
            with self.subTest(what):
                done = self.audit("sh", "-c", what + "; exit 8")
                self.assertEqual(done.returncode, 8)
                self.told(done)

    def test_its_file_is_not_made_by_programs(self):
        path = os.path.join(self.run_dir.name, "nothing")
        library = os.path.join(BUILD, "src", "preload", "libsocksify.so")
        env = environment(LD_PRELOAD=library, SOCKSIFY_AUDIT=path, SOCKSIFY_PROXY=self.nobody)
        subprocess.run(attempt("udp/192.0.2.1/53"), env=env, check=True, timeout=wrapper.PATIENCE)
        self.assertFalse(os.path.exists(path))


if __name__ == "__main__":
    unittest.main()
