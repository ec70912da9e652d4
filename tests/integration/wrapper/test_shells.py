#!/usr/bin/env python3
"""What shells get: --print-env and the completions, in each shell that is here."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

import wrapper
from wrapper import BUILD, SOCKSIFY, environment, socksify

COMPLETIONS = os.path.join(BUILD, "completions")
BASH_COMPLETION = "/usr/share/bash-completion/bash_completion"

# Set up twice, with other options, then undone: all as it was, odd values too.
SH = """
before=$(env | sort)
eval "$("$1" --print-env -x 'socks5h://u:p@h' --log-file "a'b" -n '')" || exit 1
printf '%s\\n' "$SOCKSIFY_PROXY" "$SOCKSIFY_LOG_FILE" "$SOCKSIFY_NO_PROXY" "$SOCKSIFY_LOG"
first=$SOCKSIFY_NAMES
eval $("$1" --print-env --timeout 5 -q) || exit 1
printf '%s\\n' "$SOCKSIFY_TIMEOUT" "$SOCKSIFY_LOG" "$(printenv LD_PRELOAD)"
[ "$first" = "$SOCKSIFY_NAMES" ] || echo another session
unsocksify
[ "$(env | sort)" = "$before" ] && echo as before || env
command -v unsocksify || echo gone
"""

FISH = """
set before (env | sort)
$argv[1] --print-env=fish -x 'socks5h://u:p@h' --log-file "a'b" -n '' | source
printf '%s\\n' "$SOCKSIFY_PROXY" "$SOCKSIFY_LOG_FILE" "$SOCKSIFY_NO_PROXY" "$SOCKSIFY_LOG"
set first $SOCKSIFY_NAMES
eval ($argv[1] --print-env=fish --timeout 5 -q)
printf '%s\\n' "$SOCKSIFY_TIMEOUT" "$SOCKSIFY_LOG" (printenv LD_PRELOAD)
test "$first" = "$SOCKSIFY_NAMES"; or echo another session
unsocksify
set after (env | sort)
test "$before" = "$after"; and echo as before; or env
functions -q unsocksify; or echo gone
"""

BASH = """
. "$1"
. "$2"
COMP_LINE=$3
shift 3
COMP_WORDS=("$@")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
COMP_POINT=${#COMP_LINE}
compopt() { :; }
_socksify
printf '%s\\n' "${COMPREPLY[@]}"
"""


def needs(program):
    return unittest.skipUnless(shutil.which(program), f"no {program} here")


class PrintEnv(wrapper.Case):
    def told_by(self, *shell, script=SH):
        odd = {"SOCKSIFY_LOG_FILE": "it's \\ \"odd\"\nreally"}
        if wrapper.PRELOADABLE:
            odd["LD_PRELOAD"] = "libm.so.6"
        argv = [*shell, script, *([] if shell[0] == "fish" else ["sh"]), SOCKSIFY]
        # The log file is made there.
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(argv, env=environment(**odd), capture_output=True, text=True,
                                  timeout=wrapper.PATIENCE, check=False, cwd=folder)
            log = os.path.join(os.path.realpath(folder), "a'b")
        self.assertEqual(done.stderr, "")
        lines = done.stdout.splitlines()
        self.assertEqual(lines[:6], ["socks5h://u:p@h", log, ",", "warn", "5", "error"])
        self.assertRegex(lines[6], "^" + odd.get("LD_PRELOAD", "") + r":?/.*/libsocksify\.so$")
        self.assertEqual(lines[7:], ["as before", "gone"])

    @needs("dash")
    def test_dash(self):
        self.told_by("dash", "-uc")

    @needs("bash")
    def test_bash(self):
        self.told_by("bash", "-uc")

    @needs("zsh")
    def test_zsh(self):
        self.told_by("zsh", "-fuc")

    @needs("busybox")
    def test_busybox(self):
        self.told_by("busybox", "sh", "-c")

    @needs("fish")
    def test_fish(self):
        self.told_by("fish", "--no-config", "-c", script=FISH)

    def test_a_full_disk_is_told(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        with open("/dev/full", "wb") as full:
            done = subprocess.run([SOCKSIFY, "--print-env"], env=environment(), stdout=full,
                                  stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 125)
        self.assertIn("socksify: standard output", done.stderr)


class Completions(wrapper.Case):
    def options(self):
        return {line.split("--")[1].split()[0].split("[")[0]
                for line in socksify("--help").stdout.split("Environment:")[0].splitlines()
                if line.startswith("  ") and "--" in line[:12]}

    def bash(self, line):
        """With the words as bash cuts them; the last is being typed."""
        words = re.findall(r"[:=]+|[^\s:=]+", line)
        if not os.path.exists(BASH_COMPLETION):
            self.skipTest("no bash-completion here")
        done = subprocess.run(
            ["bash", "--norc", "-c", BASH, "bash", BASH_COMPLETION,
             os.path.join(COMPLETIONS, "socksify"), line, *words],
            env=environment(), capture_output=True, text=True, timeout=wrapper.PATIENCE,
            check=False)
        self.assertEqual(done.stderr, "")
        return [word.strip() for word in done.stdout.splitlines()]

    @needs("bash")
    def test_bash_knows_every_option(self):
        self.assertEqual(set(self.bash("socksify --")), {"--" + o for o in self.options()})

    @needs("bash")
    def test_bash_knows_values(self):
        self.assertIn("socks5h://", self.bash("socksify -x socks5h"))
        self.assertEqual(self.bash("socksify --print-env=f"), ["fish"])

    @needs("bash")
    def test_bash_finds_the_program_behind_a_url(self):
        for line in ("socksify printen", "socksify -- printen", "socksify --timeout=5 -q printen",
                     "socksify -v -x socks5h://h:1080 printen"):
            with self.subTest(line):
                self.assertIn("printenv", self.bash(line))

    def test_each_is_sound(self):
        for shell, names in (("bash", ("socksify", "socksifyd")), ("zsh", ("_socksify",
                             "_socksifyd")), ("fish", ("socksify.fish", "socksifyd.fish"))):
            if not shutil.which(shell):
                continue
            for name in names:
                with self.subTest(name):
                    done = subprocess.run([shell, "-n", os.path.join(COMPLETIONS, name)],
                                          capture_output=True, text=True, check=False)
                    self.assertEqual((done.returncode, done.stderr), (0, ""))

    @needs("fish")
    def test_fish_completes(self):
        for line, word in (("socksify --print-e", "--print-env"), ("socksify -x socks5", "socks5h"),
                           ("socksify --timeout 5 printen", "printenv")):
            done = subprocess.run(
                ["fish", "--no-config", "-c", f"source '{COMPLETIONS}/socksify.fish'; "
                 f"complete -C '{line}'"], env=environment(), capture_output=True, text=True,
                timeout=wrapper.PATIENCE, check=False)
            self.assertIn(word, done.stdout, done.stderr)


if __name__ == "__main__":
    unittest.main()
