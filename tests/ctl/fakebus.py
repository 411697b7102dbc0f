"""mptcpctl, a bus of our own, and the fake daemon of this directory on it.

Environment: MPTCPCTL, the program; MPTCPIZE_SHIM, the library; FAKE_MPTCPIZED, the fake daemon.
What needs a bus is skipped, and says so, if dbus-daemon or the fake is missing.
"""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

MPTCPCTL = os.path.abspath(os.environ["MPTCPCTL"])
SHIM = os.path.abspath(os.environ["MPTCPIZE_SHIM"])
FAKE = os.environ.get("FAKE_MPTCPIZED")
NOT_RUNNING = "mptcpized is not running: start it with 'systemctl start mptcpized'"

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={path}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


def environ(env=None):
    """The environment of mptcpctl; a value of None in env unsets the variable."""
    full = dict(os.environ, MPTCPIZE_SHIM=SHIM, TZ="UTC")
    # a sanitizer in mptcpctl or in the library would insist on being the first of all libraries
    full["ASAN_OPTIONS"] = ":".join([*filter(None, [full.get("ASAN_OPTIONS")]),
                                     "verify_asan_link_order=0"])
    full.pop("LD_PRELOAD", None)
    for name, value in (env or {}).items():
        full.pop(name, None)
        if value is not None:
            full[name] = value
    return full


def ctl(*words, env=None, cwd=None):
    """Runs mptcpctl to its end."""
    return subprocess.run([MPTCPCTL, *words], env=environ(env), cwd=cwd, capture_output=True,
                          text=True, timeout=60, check=False)


class Case(unittest.TestCase):
    def fails(self, status, message, *words, env=None):
        """Fails with this status and message, on standard error and with --json as JSON too."""
        plain = ctl(*words, env=env)
        self.assertEqual((plain.returncode, plain.stdout), (status, ""))
        self.assertTrue(plain.stderr.startswith("mptcpctl: "), plain.stderr)
        self.assertIn(message, plain.stderr)
        self.assertEqual(plain.stderr.count("\n"), 1)
        structured = ctl("--json", *words, env=env)
        self.assertEqual(structured.returncode, status)
        self.assertEqual(list(json.loads(structured.stdout)), ["error"])
        self.assertIn(message, json.loads(structured.stdout)["error"])


class Bus(Case):
    """A bus of our own."""

    @classmethod
    def setUpClass(cls):
        if not shutil.which("dbus-daemon"):
            raise unittest.SkipTest("dbus-daemon is not installed")
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)
        config = os.path.join(cls.directory.name, "bus.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(BUS_CONFIG.format(path=os.path.join(cls.directory.name, "bus")))
        cls.bus_config = config
        cls.bus = cls.start_bus()

    @classmethod
    def start_bus(cls):
        """Starts the bus, again at the same place if there was one."""
        bus = cls.start(["dbus-daemon", "--config-file=" + cls.bus_config, "--nofork",
                         "--print-address"], stderr=subprocess.DEVNULL)
        cls.env = {"DBUS_SYSTEM_BUS_ADDRESS": bus.stdout.readline().strip().split(",guid=")[0]}
        return bus

    @classmethod
    def start(cls, words, env=None, stderr=None):
        """Starts a helper that lives as long as the class and prints a line once it is ready."""
        child = subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=stderr, text=True)
        cls.addClassCleanup(child.stdin.close)
        cls.addClassCleanup(child.stdout.close)
        cls.addClassCleanup(child.wait)
        cls.addClassCleanup(child.kill)
        return child


class Fake(Bus):
    settings = {}

    @classmethod
    def setUpClass(cls):
        if not FAKE:
            raise unittest.SkipTest("FAKE_MPTCPIZED is not set")
        super().setUpClass()
        cls.fake = cls.start_fake()

    @classmethod
    def start_fake(cls):
        fake = cls.start([FAKE], env=dict(os.environ, **cls.env, **cls.settings))
        if fake.stdout.readline() != "ready\n":
            raise RuntimeError("the fake daemon did not start")
        return fake

    @classmethod
    def tell(cls, command):
        """A command to the fake daemon. The changes that it was asked for before."""
        cls.fake.stdin.write(command + "\n")
        cls.fake.stdin.flush()
        lines = []
        while (line := cls.fake.stdout.readline().rstrip("\n")) != command.split()[0] + " done":
            if not line:
                raise RuntimeError("the fake daemon has ended")
            lines.append(line)
        return lines

    def changes(self):
        """What the fake daemon was asked to do since the last time."""
        return self.tell("skip 0")

    def json(self, *words):
        done = ctl(*words, "--json", env=self.env)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.isascii())
        return json.loads(done.stdout)

    def text(self, *words):
        done = ctl(*words, env=self.env)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertNotIn("\x1b", done.stdout)
        return done.stdout
