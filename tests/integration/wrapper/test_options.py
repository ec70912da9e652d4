#!/usr/bin/env python3
"""Options, variables and exit statuses of the wrapper."""

import os
import socket
import subprocess
import tempfile
import unittest

import wrapper
from wrapper import SOCKSIFY, environment, socksify


class Statuses(wrapper.Case):
    def test_the_programs_own(self):
        self.assertEqual(socksify("sh", "-c", "exit 7").returncode, 7)

    def test_a_signal_is_the_programs_own(self):
        self.assertEqual(socksify("sh", "-c", "kill -9 $$").returncode, -9)

    def test_a_program_that_is_not_there_is_127(self):
        self.fails(socksify("no-such-program"), 127, "no-such-program", "no such program")

    def test_a_program_that_is_no_program_is_126(self):
        for path in ("/", "/etc/passwd"):
            with self.subTest(path):
                self.fails(socksify(path), 126, path)

    def test_what_follows_the_program_is_the_programs(self):
        done = socksify("printf", "%s,", "-x", "--check", "--")
        self.assertEqual(done.stdout, "-x,--check,--,")

    def test_what_follows_two_dashes_is_the_program(self):
        self.assertEqual(socksify("--", "echo", "-n", "hello").stdout, "hello")

    def test_its_own_name_can_be_told_to_it(self):
        self.assertEqual(socksify("--argv0", "other", "sh", "-c", "echo $0").stdout, "other\n")


class Complaints(wrapper.Case):
    def test_what_is_to_blame_for_a_script_is_told_in_one_line(self):
        with tempfile.TemporaryDirectory() as folder:
            script = os.path.join(folder, "script")
            for first, words in (
                ("#!/bin/sh\r\n", "its interpreter /bin/sh?: no such file or directory (its lines end in CR LF"),
                ("#!/no/such\n", "its interpreter /no/such: no such file or directory"),
                (f"#!{script}\n", "too many interpreters of interpreters"),
            ):
                with self.subTest(first), open(script, "w", encoding="ascii", newline="") as f:
                    f.write(first)
                    os.chmod(script, 0o755)
                    f.close()
                    self.fails(socksify(script), 126, words)
        self.fails(socksify(""), 127, '"": no such program')
        self.fails(socksify("no\nsuch"), 127, "no?such: no such program")

    def test_each_malformed_option_is_quoted_with_what_is_expected(self):
        for args, words in (
            (["-x", "http://h"], ['-x "http://h"', "expected socks4://"]),
            (["--proxy", "h:0"], ['-x "h:0"', "expected a port"]),
            (["--proxy=socks5://[::1"], ['-x "socks5://[::1"', "expected"]),
            (["-x", ""], ['-x ""', "expected"]),
            (["-n", "10.0.0.0/99"], ['-n "10.0.0.0/99"', "expected"]),
            (["--no-proxy", "a/b"], ['-n "a/b"', "expected"]),
            (["--timeout", "soon"], ['--timeout "soon"', "expected seconds"]),
            (["--timeout", "0"], ['--timeout "0"', "expected seconds"]),
            (["--timeout", ""], ['--timeout ""', "expected"]),
            (["--log-file", "/" + "x" * 5000], ["--log-file", "expected"]),
            (["--log-file", "/no/such/folder/file"], ['--log-file "/no/such/folder/file"', "expected a file"]),
            (["--log-file", "/"], ['--log-file "/"', "is a directory; expected a file"]),
            (["--print-env=csh"], ['"csh"', "expected sh or fish"]),
        ):
            with self.subTest(args):
                self.fails(socksify(*args, "true"), 125, *words)

    def test_each_malformed_variable_is_quoted_with_what_is_expected(self):
        for variable, value in (
            ("SOCKSIFY_PROXY", "socks6://h"),
            ("ALL_PROXY", "socks5://"),
            ("all_proxy", "socks5://h:0"),
            ("SOCKSIFY_NO_PROXY", "a:b:c/d"),
            ("SOCKSIFY_LOOPBACK", "perhaps"),
            ("SOCKSIFY_DNS", "direct"),
            ("SOCKSIFY_TIMEOUT", "1e3"),
            ("SOCKSIFY_LOG", "loud"),
            ("SOCKSIFY_LOG_FILE", "/no/such/folder/file"),
            ("SOCKSIFY_EXEC", "maybe"),
            ("SOCKSIFY_IO_URING", "maybe"),
            ("SOCKSIFY_POOL", "198.18.0.0/99"),
            ("SOCKSIFY_NAMES", "relative"),
            ("SOCKSIFY_AUDIT", "relative"),
        ):
            with self.subTest(variable):
                self.fails(socksify("true", env={variable: value}), 125,
                           f'{variable}="{value}"', "expected")

    def test_a_password_file_that_cannot_be_read(self):
        env = {"SOCKSIFY_PROXY": "user@127.0.0.1", "SOCKSIFY_PASSWORD_FILE": "/no/such/file"}
        self.fails(socksify("true", env=env), 125, "SOCKSIFY_PASSWORD_FILE", "/no/such/file")

    def test_contradictions(self):
        for args in (["true", "-q"], ["--check", "a:1", "b:1"], ["--print-env", "true"],
                     ["--print-env", "--check"], ["--check", "--closed"],
                     ["--with-server", "--check"], ["--with-server", "--print-env"],
                     ["--with-server", "-x", "h", "true"], ["--audit", "--check"],
                     ["--audit", "--closed", "true"], ["--audit", "--print-env"],
                     ["--audit", "--dns-check", "a"], ["-v", "-q", "true"],
                     ["--dns-check", "--check", "a"], ["--with-server", "--dns-check", "a"],
                     ["--argv0", "x", "--dns-check", "a"], ["--argv0", "x", "--check"]):
            with self.subTest(args):
                if args == ["true", "-q"]:
                    self.assertEqual(socksify(*args).returncode, 0)
                else:
                    self.fails(socksify(*args), 125)

    def test_no_program_and_unknown_options(self):
        self.fails(socksify(), 125, "PROGRAM")
        self.fails(socksify("--closed"), 125, "PROGRAM")
        self.fails(socksify("--dns-check"), 125, "NAME")
        self.fails(socksify("--no-such-option"), 125, "--no-such-option")
        self.fails(socksify("-Z"), 125, "Z")
        self.fails(socksify("--timeout"), 125, "--timeout")

    def test_a_password_is_never_quoted(self):
        for url in ("socks5://u:hunter2@h:0", "u:hunter2", "socks9://u:hunter2@h", "u:hunter2@[h"):
            with self.subTest(url):
                done = socksify("-x", url, "true")
                self.assertEqual(done.returncode, 125)
                self.assertNotIn("hunter2", done.stderr)


class Environment(wrapper.Case):
    def value(self, variable, *args, **env):
        done = socksify(*args, "printenv", variable, env=env)
        self.assertEqual(done.stderr, "")
        return done.stdout.rstrip("\n")

    def test_options_stand_before_variables(self):
        self.assertEqual(self.value("SOCKSIFY_PROXY", "-x", "a", SOCKSIFY_PROXY="b"), "a")
        self.assertEqual(self.value("SOCKSIFY_TIMEOUT", "--timeout", "2.5",
                                    SOCKSIFY_TIMEOUT="9"), "2.5")

    def test_the_last_of_several_counts(self):
        self.assertEqual(self.value("SOCKSIFY_PROXY", "-x", "a", "--proxy=b"), "b")

    def test_an_empty_list_stands_before_no_proxy(self):
        self.assertEqual(self.value("SOCKSIFY_NO_PROXY", "-n", "", NO_PROXY="*"), ",")

    def test_levels_of_the_log(self):
        for args, before, level in (([], None, "warn"), ([], "", "warn"), ([], "debug", "debug"),
                                    (["-q"], "debug", "error"), (["-v"], "error", "info"),
                                    (["-vv"], None, "debug"), (["-v", "-v"], None, "debug")):
            with self.subTest(args=args, before=before):
                env = {} if before is None else {"SOCKSIFY_LOG": before}
                done = socksify(*args, "printenv", "SOCKSIFY_LOG", env=env)
                self.assertEqual(done.stdout, level + "\n")

    def test_a_relative_log_file_becomes_absolute(self):
        with tempfile.TemporaryDirectory() as folder:
            done = socksify("--log-file", "a log", "printenv", "SOCKSIFY_LOG_FILE", cwd=folder)
            self.assertEqual(done.stdout, f"{os.path.realpath(folder)}/a log\n")

    def test_a_session_goes_on_unless_isolated(self):
        show = 'echo "$SOCKSIFY_NAMES"; '
        done = socksify("sh", "-c", f"{show} '{SOCKSIFY}' sh -c '{show}'; "
                        f"'{SOCKSIFY}' --isolate sh -c '{show}'")
        first, inside, isolated = done.stdout.split()
        self.assertEqual(first, inside)
        self.assertNotEqual(first, isolated)

    def test_what_is_odd_is_told_once_in_a_session(self):
        for env, variable, value in (
            ({"ALL_PROXY": "http://h:3128"}, "SOCKSIFY_PROXY", "socks5h://127.0.0.1:1080"),
            ({"ALL_PROXY": "http://h", "all_proxy": "socks5://l"}, "SOCKSIFY_PROXY", "socks5://l"),
            ({"NO_PROXY": "good,bad/item"}, "SOCKSIFY_NO_PROXY", "good"),
            ({"NO_PROXY": "bad/item"}, "SOCKSIFY_NO_PROXY", ","),
        ):
            with self.subTest(env):
                done = socksify(SOCKSIFY, "printenv", variable, env=env)
                self.assertEqual(done.stdout, value + "\n")
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        env = {"ALL_PROXY": "http://h", "NO_PROXY": "bad/item"}
        self.assertEqual(len(socksify(SOCKSIFY, "true", env=env).stderr.splitlines()), 2)
        self.assertEqual(socksify("-q", "true", env=env).stderr, "")

    def test_a_long_list_stays_whole(self):
        good = [f"2001:db8:1234:5678:9abc:def0:{i + 1:x}:0/112" for i in range(600)]
        done = socksify("printenv", "SOCKSIFY_NO_PROXY", env={"NO_PROXY": ",".join([*good, "bad/x"])})
        self.assertEqual(done.stdout, ",".join(good) + "\n")
        self.assertIn('"bad/x" is passed over', done.stderr)

    @unittest.skipUnless(wrapper.PRELOADABLE, "sanitized")
    def test_what_was_preloaded_stays_in_front(self):
        done = socksify("printenv", "LD_PRELOAD", env={"LD_PRELOAD": "libm.so.6"})
        first, ours = done.stdout.strip().split(":")
        self.assertEqual(first, "libm.so.6")
        self.assertTrue(ours.endswith("/libsocksify.so"), ours)


class Secrets(wrapper.Case):
    def test_a_password_is_in_no_argument_list(self):
        """The wrapper waits for a proxy that says nothing, and is looked at meanwhile."""
        with socket.socket() as proxy:
            proxy.bind(("127.0.0.1", 0))
            proxy.listen()
            proxy.settimeout(wrapper.PATIENCE)
            url = f"socks5h://user:hunter2@127.0.0.1:{proxy.getsockname()[1]}"
            with subprocess.Popen([SOCKSIFY, "-x", url, "--check"], env=environment(),
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) as checker:
                conn, _ = proxy.accept()
                with open(f"/proc/{checker.pid}/cmdline", "rb") as f:
                    shown = f.read()
                conn.close()
                told = checker.communicate(timeout=wrapper.PATIENCE)
        self.assertIn(b"--check", shown)
        for text in (shown, *told):
            self.assertNotIn(b"hunter2", text)

    def test_the_program_has_it_in_its_environment_alone(self):
        done = socksify("-x", "u:hunter2@h", "sh", "-c",
                        "tr '\\0' ' ' </proc/$$/cmdline; echo; printenv SOCKSIFY_PROXY")
        shown, proxy = done.stdout.splitlines()
        self.assertNotIn("hunter2", shown)
        self.assertEqual(proxy, "u:hunter2@h")


class Told(wrapper.Case):
    def test_help_and_version(self):
        for letter, word in (("-h", "--help"), ("-V", "--version")):
            short, long = socksify(letter), socksify(word)
            self.assertEqual(short.stdout, long.stdout)
            self.assertEqual((long.returncode, long.stderr), (0, ""))
        self.assertTrue(all(len(line) < 100 for line in socksify("--help").stdout.splitlines()))


if __name__ == "__main__":
    unittest.main()
