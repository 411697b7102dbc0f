#!/usr/bin/python3
"""What is offered after a tab: by "mptcpctl complete", and by bash, zsh and fish themselves.

The shells are started on a terminal, with nothing but the completion script, and keys are typed.
A shell that is not installed is skipped. See fakebus.py; SOURCE is the top directory.
"""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from fakebus import MPTCPCTL, Case, Fake, ctl, environ

SCRIPTS = os.path.join(os.environ["SOURCE"], "daemon/data/completion")
TOKEN = "0x1a2b3c4d"
HOSTILE = ("$(touch x)", "`touch x`", "-rf", "a;touch x", "e\x1b[31m", "evil$(touch x)")

# Words typed, the last of which is completed, and candidates that must be there; with the daemon.
OFFERED = (
    (["subflow", "add", ""], {"0x00000001", "0x00000002"}),
    (["show", "1a"], {"1a2b3c4d"}),
    (["show", "0x1A".lower()], {TOKEN}),
    (["subflow", "add", TOKEN, ""], {"wlan0", "192.0.2.1", "lte0", "2001:db8::1"}),
    (["subflow", "remove", TOKEN, ""], {"wlan0", "192.0.2.1:443", "203.0.113.1"}),
    (["subflow", "remove", TOKEN, "192.0.2.1:443", ""], {"198.51.100.7:5555"}),
    (["subflow", "backup", TOKEN, "wlan0", "o"], {"on", "off"}),
    (["announce", "add", TOKEN, "2001:"], {"2001:db8::1"}),
    (["interface", ""], {"wlan0", "lte0"}),
    (["plugin", TOKEN, ""], {"fullmesh", "backup", "handover", "off", "default", "sshd"}),
)
# The same without a daemon.
STATIC = (
    ([""], {"status", "subflow", "policy", "run", "monitor", "help"}),
    (["st"], {"status"}),
    (["subflow", ""], {"add", "remove", "backup"}),
    (["-"], {"--json", "--help", "--version"}),
    (["subflow", "add", "-"], {"--backup", "--json"}),
    (["run", "--mode", ""], {"off", "handover", "interactive", "aggregate", "ndiffports"}),
    (["interface", "wlan0", ""], {"master", "on", "backup", "off", "default"}),
    (["limits", "max_s"], {"max_subflows="}),
    (["limits", "max_joins=1", ""], {"max_subflows=", "max_retries="}),
    (["help", ""], {"status", "subflow"}),
    (["help", "policy", "e"], {"explain"}),
    (["policy", "show", ""], {"sshd", "traceroute"}),
    (["policy", "check", ""], {":files"}),
    (["run", "--policy", ""], {":files"}),
    (["run", ""], {":command 1"}),
    (["run", "--mode", "off", "ls", "-"], {":command 3"}),
    (["run", "--", "ls", ""], {":command 2"}),
)
# Where nothing can follow.
NOTHING = (["status", ""], ["show", TOKEN, ""], ["nonsense", ""], ["subflow", "nonsense", ""],
           ["comp"], ["interface", "a", "on", ""], ["--nonsense", "--nonsen"], ["limits", "x"])


def candidates(*words, env=None):
    done = ctl("complete", "--", *words, env=env)
    if (done.returncode, done.stderr) != (0, ""):
        raise AssertionError(done)
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


def policies():
    """A database of the policies that are shipped, and the environment that names it."""
    directory = tempfile.mkdtemp()
    database = os.path.join(directory, "policy.db")
    done = ctl("policy", "compile", "--output", database,
               os.path.join(os.environ["SOURCE"], "policy/apps"))
    if done.returncode:
        raise AssertionError(done.stderr)
    return directory, {"MPTCPIZE_POLICY": database}


class Static(Case):
    @classmethod
    def setUpClass(cls):
        directory, cls.env = policies()
        cls.addClassCleanup(shutil.rmtree, directory)
        cls.env["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/nonexistent"

    def test_words_are_offered(self):
        for words, wanted in STATIC:
            self.assertLessEqual(wanted, set(candidates(*words, env=self.env)), words)

    def test_nothing_is_offered(self):
        for words in NOTHING:
            self.assertEqual(candidates(*words, env=self.env), [], words)

    def test_no_daemon_is_silence(self):
        for words, _ in OFFERED:
            found = candidates(*words, env=self.env)
            self.assertFalse([word for word in found if "0x" in word], words)

    def test_hidden_command_is_hidden(self):
        self.assertNotIn("complete", ctl("--help").stdout)
        self.assertNotIn("complete", candidates("", env=self.env))

    def test_only_what_begins_so_is_offered(self):
        self.assertEqual(candidates("con", env=self.env), ["connections"])
        self.assertEqual(candidates("policy", "e", env=self.env), ["explain"])


class Daemon(Fake):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        directory, env = policies()
        cls.addClassCleanup(shutil.rmtree, directory)
        cls.env.update(env)

    def test_what_the_daemon_knows_is_offered(self):
        for words, wanted in OFFERED:
            found = candidates(*words, env=self.env)
            self.assertLessEqual(wanted, set(found), words)

    def test_hostile_names_are_not_offered(self):
        for words, _ in OFFERED:
            found = candidates(*words, env=self.env)
            self.assertFalse(set(HOSTILE) & set(found), words)
            for word in found:
                self.assertRegex(word, r"\A[\w\[][\w\].,:@%+/=-]*\Z")

    def test_nobody_waits_for_a_daemon_that_hangs(self):
        self.fake.send_signal(19)  # SIGSTOP
        try:
            started = time.monotonic()
            self.assertEqual(candidates("show", "", env=self.env), [])
            self.assertLess(time.monotonic() - started, 30)
        finally:
            self.fake.send_signal(18)  # SIGCONT


class Terminal:
    """A shell on a terminal. Each thing typed ends with a key that prints the line."""

    def __init__(self, argv, env, directory):
        self.ours, theirs = pty.openpty()
        self.text = ""
        full = environ({"TERM": "dumb", "HOME": directory, "ZDOTDIR": directory,
                        "LC_ALL": "C.UTF-8", "INPUTRC": "/dev/null", "PROMPT_COMMAND": None, **env})
        full["PATH"] = os.path.join(directory, "bin") + ":" + full["PATH"]
        self.child = subprocess.Popen(argv, env=full, cwd=directory, stdin=theirs, stdout=theirs,
                                      stderr=theirs, start_new_session=True)
        os.close(theirs)

    def type(self, text):
        os.write(self.ours, text.encode())

    def until(self, pattern):
        """What comes, up to a pattern; with a limit that only a failure reaches."""
        end = time.monotonic() + 60
        while not (match := re.search(pattern, self.text, re.S)):
            if not select.select([self.ours], [], [], 1)[0]:
                if time.monotonic() > end:
                    raise AssertionError(f"no {pattern} in {self.text!r}")
                continue
            self.text += os.read(self.ours, 65536).decode(errors="replace")
        self.text = self.text[match.end():]
        return match

    def close(self):
        self.child.kill()
        self.child.wait()
        os.close(self.ours)


class Shell(Daemon):
    """What all shells have to do. Those below say how they are started."""
    program = None
    setup = ()  # lines typed first

    def argv(self):
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        if not shutil.which(cls.program):
            raise unittest.SkipTest(f"{cls.program} is not installed")
        super().setUpClass()

    def setUp(self):
        directory = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        self.addCleanup(directory.cleanup)
        self.place = directory.name
        os.mkdir(f"{self.place}/bin")
        os.symlink(MPTCPCTL, f"{self.place}/bin/mptcpctl")
        for name in ("a policy.json", "bin/oddprogram"):
            with open(f"{self.place}/{name}", "w", encoding="ascii") as file:
                file.write("#!/bin/sh\n")
            os.chmod(f"{self.place}/{name}", 0o755)

    def assert_harmless(self):
        """No name was run as a command."""
        self.assertEqual(sorted(os.listdir(self.place)), sorted({"a policy.json", "bin"}
                                                                | self.own_files()))

    def own_files(self):
        return set()


class Typed(Shell):
    """On a terminal, a tab completes; ctrl-x p prints the line as it is then."""

    def setUp(self):
        super().setUp()
        self.terminal = Terminal(self.argv(), self.env, self.place)
        self.addCleanup(self.terminal.close)
        for line in self.setup:
            self.terminal.type(line.format(scripts=SCRIPTS) + "\n")
        self.terminal.type("echo rea''dy\n")
        self.terminal.until("\nready")

    def completed(self, line):
        """The line after a tab."""
        self.terminal.type("\x15" + line + "\t\x18p")
        return self.terminal.until(r"LINE<([^\n]*)>END").group(1)

    def test_tab_completes(self):
        for typed, wanted in (("mptcpctl stat", "mptcpctl status "),
                              ("mptcpctl subflow rem", "mptcpctl subflow remove "),
                              ("mptcpctl show 1a", "mptcpctl show 1a2b3c4d "),
                              ("mptcpctl show 0x1a", f"mptcpctl show {TOKEN} "),
                              ("mptcpctl interface wl", "mptcpctl interface wlan0 "),
                              (f"mptcpctl plugin {TOKEN} full",
                               f"mptcpctl plugin {TOKEN} fullmesh "),
                              ("mptcpctl policy show trac", "mptcpctl policy show traceroute "),
                              (f"mptcpctl subflow add {TOKEN} 2001:d",
                               f"mptcpctl subflow add {TOKEN} 2001:db8::1 "),
                              (f"mptcpctl subflow remove {TOKEN} 192.0.2.1:4",
                               f"mptcpctl subflow remove {TOKEN} 192.0.2.1:443 "),
                              ("mptcpctl limits max_sub", "mptcpctl limits max_subflows="),
                              ("mptcpctl limits max_joins=1 max_sub",
                               "mptcpctl limits max_joins=1 max_subflows="),
                              ("mptcpctl interface wlan0 backup --ke",
                               "mptcpctl interface wlan0 backup --keep "),
                              ("mptcpctl run --mode agg", "mptcpctl run --mode aggregate "),
                              ("mptcpctl run --policy a", r"mptcpctl run --policy a\ policy.json "),
                              ("mptcpctl run oddp", "mptcpctl run oddprogram "),
                              ("mptcpctl nonsense x", "mptcpctl nonsense x")):
            self.assertEqual(self.completed(typed), wanted)
        self.assert_harmless()

    def test_hostile_names_do_no_harm(self):
        for typed in ("mptcpctl interface ", f"mptcpctl plugin {TOKEN} ev",
                      f"mptcpctl subflow add {TOKEN} ", "mptcpctl show 1", "mptcpctl interface e",
                      "mptcpctl show '$(touch x)", "mptcpctl interface `touch x`",
                      'mptcpctl show "$(touch x)'):
            self.assertFalse(set(HOSTILE[3:]) & {self.completed(typed)}, typed)
        self.assert_harmless()


class Bash(Typed):
    program = "bash"
    setup = ("bind 'set bell-style none'", "bind 'set enable-bracketed-paste off'",
             "source '{scripts}/mptcpctl'",
             r"""bind -x '"\C-xp": printf "LINE<%s>END\n" "$READLINE_LINE"'""")

    def argv(self):
        return ["bash", "--norc", "--noprofile", "-i"]


class BashCompletion(Bash):
    """The same with the functions of the package bash-completion."""
    setup = ("source /usr/share/bash-completion/bash_completion", *Bash.setup)

    @classmethod
    def setUpClass(cls):
        if not os.path.exists("/usr/share/bash-completion/bash_completion"):
            raise unittest.SkipTest("bash-completion is not installed")
        super().setUpClass()


class Zsh(Typed):
    program = "zsh"
    setup = ("PROMPT='> '; RPROMPT=; unsetopt zle_bracketed_paste prompt_sp; setopt no_beep",
             "fpath=('{scripts}' $fpath); autoload -Uz compinit; compinit -u -D",
             "show() {{ print -r -- \"LINE<$BUFFER>END\"; }}; zle -N show; bindkey '^Xp' show",
             # by itself a tab expands what is typed, and runs `what is in it`
             "bindkey '^I' complete-word; bindkey '^U' kill-whole-line",
             "LISTMAX=10000; setopt no_always_last_prompt")

    def argv(self):
        return ["zsh", "-f", "-i"]


class Fish(Shell):
    """It says itself what it would offer."""
    program = "fish"

    def argv(self):
        return ["fish", "--no-config"]

    def own_files(self):
        return {name for name in (".config", ".local", ".cache")
                if os.path.exists(f"{self.place}/{name}")}

    def offered(self, line):
        env = environ({"HOME": self.place, **self.env, "LINE": line})
        env["PATH"] = f"{self.place}/bin:" + env["PATH"]
        done = subprocess.run([*self.argv(), "-c", f"source '{SCRIPTS}/mptcpctl.fish'; "
                               "complete -C $LINE"], env=env, cwd=self.place, text=True,
                              capture_output=True, check=True)
        self.assertEqual(done.stderr, "")
        return {row.split("\t")[0] for row in done.stdout.splitlines()}

    def test_candidates_are_those_of_the_program(self):
        for words, wanted in OFFERED + STATIC:
            if not next(iter(wanted)).startswith(":"):
                self.assertLessEqual(wanted, self.offered("mptcpctl " + " ".join(words)), words)
        self.assert_harmless()

    def test_files_and_programs(self):
        self.assertIn("a policy.json", self.offered("mptcpctl run --policy a"))
        self.assertIn("oddprogram", self.offered("mptcpctl run oddp"))
        self.assertIn("oddprogram", self.offered("mptcpctl run --mode off oddp"))
        self.assertIn("a policy.json", self.offered("mptcpctl run --mode off oddprogram a"))

    def test_hostile_names_do_no_harm(self):
        for typed in ("mptcpctl interface ", f"mptcpctl plugin {TOKEN} ",
                      f"mptcpctl subflow add {TOKEN} ", "mptcpctl show 1",
                      "mptcpctl show '(touch x)", "mptcpctl interface (touch x)"):
            self.assertFalse(set(HOSTILE) & self.offered(typed), typed)
        self.assert_harmless()


def load_tests(loader, _standard, _pattern):
    """Those that are no base of others."""
    classes = (Static, Daemon, Bash, BashCompletion, Zsh, Fish)
    return unittest.TestSuite(map(loader.loadTestsFromTestCase, classes))


if __name__ == "__main__":
    sys.exit(unittest.main())
