#!/usr/bin/python3
"""Each example of the manual pages, and of the help of mptcpctl's commands, is run.

In a page, a line that begins with "$ " or "# " is a command for a shell; it goes on in the next
line if it ends with "|" or "\\". The lines behind it, up to the next command, are what it prints;
"..." in one of them stands for anything. A command has to succeed.

What can't be so simple has a row in SCENES. The daemon is the fake one of this directory, what is
installed in /etc and /run is in a directory of the test, and programs that the examples start do
nothing: STUBS. Environment: as fakebus.py and pages.py; MPTCPIZED, the program, and PLUGINS.
"""

import contextlib
import dataclasses
import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import unittest

from fakebus import FAKE, MPTCPCTL, SHIM, Fake, ctl, environ
from pages import SOURCE, displays, is_session

MPTCPIZED = os.path.abspath(os.environ["MPTCPIZED"])
PLUGINS = os.path.abspath(os.environ["PLUGINS"])
PAGE = "man/mptcpctl.1"
PAGES = (PAGE, "man/libmptcpize.7", "man/mptcpize-auth.7", "man/mptcpize-networkmanager.7",
         "man/mptcpized.8", "man/mptcpized.conf.5")
PROMPT = re.compile(r"[$#] (.*)")

# Programs that examples run, beside mptcpctl: scripts for a shell.
STUBS = {name: "" for name in ("systemctl", "ip", "nmcli", "setfacl", "./backup.sh")}
STUBS["curl"] = "grep -q libmptcpize /proc/$$/maps"  # an example that runs it gives it the library
STUBS["mptcpized"] = """exec '{mptcpized}' "$@" --plugins '{plugins}' \\
        --config '{place}/etc/mptcpize/mptcpized.conf' --policies '{place}/etc/mptcpize/apps.d'"""

CURL_POLICY = """{
  "match": { "app": "curl" },
  "socket": { "except": [ { "to": "198.51.100.0/24" } ] },
  "paths": { "mode": "aggregate" }
}
"""


@dataclasses.dataclass
class Example:
    """A command, and the lines that it prints; None: the page doesn't say."""
    command: str
    prints: list | None
    before: list = dataclasses.field(default_factory=list, compare=False)  # commands of the display

    def __str__(self):
        return self.command


def parse(lines):
    """Examples in lines of a shell session."""
    found, goes_on = [], False
    for line in lines:
        prompt = PROMPT.match(line)
        if goes_on:
            found[-1][0] += "\n" + line
        elif prompt:
            found.append([prompt.group(1)])
        elif found:
            found[-1].append(line)
        goes_on = (goes_on or bool(prompt)) and line.endswith(("|", "\\"))
    return [Example(command, prints or None, [before for before, *_ in found[:i]])
            for i, (command, *prints) in enumerate(found)]


def examples_of_page(page):
    return [example for text in filter(is_session, displays(page))
            for example in parse(text.splitlines())]


def commands():
    """All that the help lists, "subflow add" too."""
    found = re.findall(r"^  ([a-z]+(?: [a-z]+)?)(?= |$)", ctl("--help").stdout, re.M)
    return [name if ctl("help", *name.split()).stdout.startswith(f"Usage: mptcpctl {name}")
            else name.split()[0] for name in found]


def examples_of_help():
    found = []
    for name in dict.fromkeys(commands()):
        lines = ctl("help", *name.split()).stdout.splitlines()
        found += parse([line.strip() for line in lines])
    return found


def run_to_its_end(case, example, statuses=(0,)):
    """What most examples do."""
    done = case.start_shell(example.command).communicate(timeout=60)
    case.assertIn(case.shell.returncode, statuses, done)
    case.assert_prints(example, done[0].splitlines())


def run_monitor(case, example):
    """Until Ctrl-C, which comes behind as many events as the page shows."""
    child = case.start_shell("exec " + example.command)
    lines = [child.stdout.readline().rstrip("\n")]
    for _ in (example.prints or [])[1:]:
        case.tell("event 1a2b3c4d")
        lines.append(child.stdout.readline().rstrip("\n"))
    os.killpg(child.pid, signal.SIGINT)
    child.communicate(timeout=60)
    case.assertEqual(child.returncode, 0)
    case.assert_prints(example, lines)


def run_doctor(case, example):
    """It finds this host as it is, with a daemon that has nothing of what belongs to one."""
    run_to_its_end(case, example, statuses=(0, 1))


def run_top(case, example):
    """On a terminal, until "q"; with --json it ends by itself."""
    if "--json" in example.command:
        run_to_its_end(case, example)
        return
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    child = case.start_shell(f"exec {example.command}", terminal=theirs)
    os.close(theirs)
    screen = b""
    while b"PROGRAM" not in screen:
        screen += os.read(ours, 4096)
    os.write(ours, b"q")
    with contextlib.suppress(OSError):  # the other end is closed
        while os.read(ours, 4096):
            pass
    os.close(ours)
    case.assertEqual(child.wait(timeout=60), 0)


def run_below_a_root(case, example):
    """What changes units: on a tree that stands for a host, never on this one."""
    root = f"{case.place}/root"
    for name in ("usr/lib/systemd/system/nginx.service", SHIM[1:]):
        os.makedirs(os.path.dirname(f"{root}/{name}"), exist_ok=True)
        with open(f"{root}/{name}", "w", encoding="utf-8") as file:
            file.write("[Service]\n")
    command = re.sub(r"\bmptcpctl\b", f"mptcpctl --root {root}", example.command)
    run_to_its_end(case, dataclasses.replace(example, command=command))


def run_with_the_library(case, example):
    command = re.sub(r"LD_PRELOAD=\S+", f"LD_PRELOAD='{SHIM}'", example.command)
    run_to_its_end(case, dataclasses.replace(example, command=command))


def run_in_a_network(case, example):
    """One of its own, in which the commands before it have been run."""
    unshare = ["unshare", "--net"] + ["--map-root-user"] * (os.geteuid() != 0)
    if subprocess.run([*unshare, "nft", "list", "ruleset"], capture_output=True,
                      check=False).returncode:
        case.skipTest("nft is not installed, or there are no network namespaces")
    script = shlex.quote("\n".join(["set -e", *example.before, example.command]))
    run_to_its_end(case, dataclasses.replace(example,
                                             command=f"{shlex.join(unshare)} sh -c {script}"))


def run_of_iproute2(case, example):
    if not shutil.which(example.command.split()[0]):
        case.skipTest("iproute2 is not installed")
    run_to_its_end(case, example)


# Pattern of a command, and what runs it: a function of the case and the example.
SCENES = ((r"mptcpctl monitor", run_monitor), (r"mptcpctl doctor", run_doctor),
          (r"mptcpctl top", run_top), (r"^LD_PRELOAD=", run_with_the_library),
          (r"^nft ", run_in_a_network), (r"^(ss|nstat) ", run_of_iproute2),
          (r"\bservice (enable|disable|status)\b", run_below_a_root))


class Examples(Fake):
    """The shell of an example, in a place of its own."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        self.addCleanup(directory.cleanup)
        self.place = os.path.realpath(directory.name)
        self.places = {"/etc/mptcpize": f"{self.place}/etc/mptcpize",
                       "/etc/NetworkManager": f"{self.place}/etc/NetworkManager",
                       "/run/mptcpize": f"{self.place}/run/mptcpize",
                       "/usr/bin": f"{self.place}/bin"}
        self.shell = None
        self.make_files()
        self.env = dict(self.env, PATH=f"{self.place}/bin:{os.environ['PATH']}",
                        HOME=self.place, XDG_CONFIG_HOME=f"{self.place}/config",
                        XDG_RUNTIME_DIR=f"{self.place}/run",
                        NSTAT_HISTORY=f"{self.place}/nstat",
                        MPTCPIZE_POLICY=f"{self.place}/run/mptcpize/policy.db")
        self.compile()

    def make_files(self):
        for directory in ("bin", "etc/mptcpize/apps.d", "run/mptcpize", "config/mptcpize/apps.d",
                          "etc/NetworkManager/dispatcher.d/pre-down.d"):
            os.makedirs(f"{self.place}/{directory}")
        os.symlink(MPTCPCTL, f"{self.place}/bin/mptcpctl")
        with open(f"{self.place}/etc/mptcpize/mptcpized.conf", "w", encoding="utf-8") as file:
            file.write("{}")
        for name, script in STUBS.items():
            script = script.format(mptcpized=MPTCPIZED, plugins=PLUGINS, place=self.place)
            path = os.path.normpath(f"{self.place}/{'' if '/' in name else 'bin/'}{name}")
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"#!/bin/sh\n{script}\n")
            os.chmod(path, 0o755)
        for directory in ("etc", "config"):
            with open(f"{self.place}/{directory}/mptcpize/apps.d/curl.json", "w",
                      encoding="utf-8") as file:
                file.write(CURL_POLICY)

    def compile(self):
        done = ctl("policy", "compile", "--output", f"{self.place}/run/mptcpize/policy.db",
                   f"{SOURCE}/policy/apps", f"{self.place}/etc/mptcpize/apps.d", env=self.env)
        self.assertEqual(done.returncode, 0, done.stderr)

    def start_shell(self, command, terminal=None):
        """A shell that runs it, in a process group of its own, perhaps on a terminal."""
        for name, place in self.places.items():
            command = command.replace(name, place)
        env = environ(self.env)
        streams = {"stdin": terminal, "stdout": terminal, "stderr": terminal}
        if terminal is None:
            streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                       "stderr": subprocess.PIPE}
        else:
            env["TERM"] = "vt100"
        self.shell = subprocess.Popen(["sh", "-c", command], env=env, text=True, cwd=self.place,
                                      start_new_session=True, **streams)
        for stream in filter(None, (self.shell.stdout, self.shell.stderr)):
            self.addCleanup(stream.close)
        self.addCleanup(self.shell.wait)
        self.addCleanup(self.shell.kill)
        return self.shell

    def assert_prints(self, example, lines):
        """They are what the page says."""
        if example.prints is None:
            return
        text = "\n".join(lines)
        for name, place in self.places.items():
            text = text.replace(place, name)
        text = re.sub(r"\buid=\d+", "uid=1000", text)
        pattern = ".*".join(map(re.escape, "\n".join(example.prints).split("...")))
        self.assertRegex(text, re.compile(f"^{pattern}$", re.S))

    def run_example(self, example):
        if re.search(r"\bjq\b", example.command) and not shutil.which("jq"):
            self.skipTest("jq is not installed")
        scene = next((run for pattern, run in SCENES if re.search(pattern, example.command)),
                     run_to_its_end)
        scene(self, example)


def members(value):
    """All names in what --json has printed, but of counters."""
    if isinstance(value, list):
        return set().union(*map(members, value))
    if not isinstance(value, dict):
        return set()
    return set(value).union(*(members(value[name]) for name in value if name != "counters"))


class Members(Fake):
    """Those of the objects that --json prints are in the page, with their command."""

    def told(self, command):
        with open(os.path.join(SOURCE, PAGE), encoding="utf-8") as file:
            section = re.search(r"^\.Ss JSON$(.*?)^\.Sh ", file.read(), re.S | re.M)
        item = re.search(rf"^\.It Cm {command}$(.*?)^\.(?:It|El)", section[1], re.S | re.M)
        lines = re.findall(r"^\.(?:Cm|Pq Cm) .*", item[1], re.M)
        return set(re.findall(r"\w+", " ".join(lines)))

    def test_every_member_is_told(self):
        for words, *commands in (("status", "status"), ("interface", "interface"),
                                 ("plugin", "plugin"), ("limits", "limits"),
                                 ("connections", "connections"), ("doctor", "doctor"),
                                 ("top", "top"), ("show 1a2b3c4d", "show", "connections")):
            told = set().union(*map(self.told, commands))
            done = ctl("--json", *words.split(), env=self.env)
            self.assertEqual(members(json.loads(done.stdout)) - told, set(), words)


def test_of(example):
    return lambda self: self.run_example(example)


def load():
    """A test for each example; the first line of a command names it."""
    pages = [(os.path.basename(page), examples_of_page(page)) for page in PAGES]
    for where, found in (*pages, ("help", examples_of_help())):
        for number, example in enumerate(found, 1):
            name = f"{where}_{number:02}_{example.command.splitlines()[0]}"
            setattr(Examples, "test_" + re.sub(r"\W+", "_", name).strip("_"), test_of(example))


class Itself(unittest.TestCase):
    """The reader of examples."""

    def test_commands_and_what_they_print_are_told_apart(self):
        session = ["what", "$ one", "1", "2", "$ two |", "  more", "# three", "3"]
        self.assertEqual(parse(session), [Example("one", ["1", "2"]),
                                          Example("two |\n  more", None), Example("three", ["3"])])

    def test_the_pages_and_the_help_have_some(self):
        self.assertGreaterEqual(len(examples_of_page(PAGE)), 6)
        for page in PAGES:
            self.assertGreaterEqual(len(examples_of_page(page)), 1, page)
        self.assertGreaterEqual(len(examples_of_help()), 5)

    def test_every_command_is_in_the_page(self):
        with open(os.path.join(SOURCE, PAGE), encoding="utf-8") as file:
            told = re.sub(r"^\.It Cm ", "", file.read(), flags=re.M)
        missing = [name for name in commands() if not re.search(rf"^{name}\b", told, re.M)]
        self.assertEqual(missing, [])


if FAKE:
    load()

if __name__ == "__main__":
    sys.exit(unittest.main())
