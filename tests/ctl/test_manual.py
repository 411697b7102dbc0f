#!/usr/bin/python3
"""What the manual pages and the README have for examples of files, is taken.

test_examples.py has the commands.

Environment: MPTCPIZED, the program, PLUGINS, its plugins, and SOURCE, the top directory.
"""

import hmac
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import unittest

from pages import SOURCE, displays, is_bus, is_json, is_session, is_unit

MPTCPIZED = os.path.abspath(os.environ["MPTCPIZED"])
PLUGINS = os.path.abspath(os.environ["PLUGINS"])
POLICY_KEYS = {"match", "socket", "paths", "auth"}
PAGES = ("man/libmptcpize.7", "man/mptcpctl.1", "man/mptcpize-auth.7",
         "man/mptcpize-networkmanager.7", "man/mptcpize-policy.5", "man/mptcpized.8",
         "man/mptcpized.conf.5")

# What is neither a command nor a file of ours, by its beginning, and the test that has it.
ELSEWHERE = {"advice on lte0 is": "tests/net/test_networkmanager.py",
             "[connection]\n": "tests/net/test_networkmanager.py",
             "metered = off\n": "tests/ctl/test_dispatcher.py",
             "ES         ": "tests/ctl/test_manual.py"}
BUS_CONF = """<busconfig><listen>unix:path={path}</listen>{included}
<policy context="default"><allow user="*"/></policy></busconfig>"""
PATIENCE = 20  # seconds, spent on failure only


def objects(text):
    """The JSON objects that follow each other in a text."""
    decoder = json.JSONDecoder()
    found = []
    while text := text.strip():
        _, end = decoder.raw_decode(text)
        found.append(text[:end])
        text = text[end:]
    return found


def hkdf(prk, info, size):
    """HKDF-Expand of RFC 5869, of at most one block."""
    return hmac.digest(prk, info + b"\x01", "sha256")[:size]


def vectors(name):
    """The test vectors of a page: {name: bytes}."""
    text, = [each for each in displays(name) if each.startswith("ES ")]
    found = re.findall(r"^(\S+)((?:\s+[0-9a-f]+$)+)", text, re.M)
    return {key: bytes.fromhex("".join(value.split())) for key, value in found}


def examples(name):
    """All examples of JSON in a page, as texts."""
    if name.endswith(".md"):
        with open(os.path.join(SOURCE, name), encoding="utf-8") as file:
            blocks = re.findall(r"^ *```json\n(.*?)^ *```$", file.read(), re.S | re.M)
    else:
        blocks = filter(is_json, displays(name))
    return [found for block in blocks for found in objects(block)]


class Manual(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        self.addCleanup(directory.cleanup)
        self.conf = os.path.join(directory.name, "mptcpized.conf")
        self.policies = os.path.join(directory.name, "apps.d")
        os.mkdir(self.policies)

    def check(self, text):
        """mptcpized --check of one file, either a configuration or a policy."""
        policy = os.path.join(self.policies, "default.json")
        is_policy = bool(POLICY_KEYS & set(json.loads(text)))
        for path, content in ((self.conf, "{}" if is_policy else text),
                              (policy, text if is_policy else "{}")):
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)
        return subprocess.run([MPTCPIZED, "--check", "--config", self.conf, "--plugins", PLUGINS,
                               "--policies", self.policies], capture_output=True, text=True,
                              timeout=60, check=False)

    def check_all(self, name, wanted):
        found = examples(name)
        self.assertGreaterEqual(len(found), wanted)
        for text in found:
            done = self.check(text)
            self.assertEqual((done.returncode, done.stderr), (0, ""), text)

    def test_configuration_examples_are_taken(self):
        self.check_all("man/mptcpized.conf.5", 4)

    def test_networkmanager_examples_are_taken(self):
        self.check_all("man/mptcpize-networkmanager.7", 1)

    def test_policy_examples_are_taken(self):
        self.check_all("man/mptcpize-policy.5", 3)

    def test_authentication_examples_are_taken(self):
        self.check_all("man/mptcpize-auth.7", 3)

    def test_authentication_vectors_are_right(self):
        """Computed by the words of the page, not by our code."""
        known = vectors("man/mptcpize-auth.7")
        prk = hmac.digest(b"mptcpize join v1", known["ES"], "sha256")
        keys = [hkdf(prk, name, 32) for name in (b"c2s", b"s2c")]
        self.assertEqual([prk, *keys, hkdf(prk, b"kid", 8)],
                         [known[name] for name in ("PRK", "K_c2s", "K_s2c", "KID")])
        salt = bytes.fromhex("11" * 8 + "22" * 8)
        self.assertEqual(hkdf(hmac.digest(salt, b"\x42" * 32, "sha256"), b"psk v1", 32),
                         known["ES(PSK)"])
        messages = [(kind, known[name]) for kind, name in
                    ((1, "HELLO"), (2, "HELLO_ACK"), (3, "JOIN_REQ"), (4, "JOIN_OK"), (6, "ADDR"))]
        for kind, message in messages:
            from_server = kind in (2, 4, 6)
            self.assertEqual(message[:16], b"MPAH" + bytes([1, kind, from_server,
                                                            len(message) // 4]) + known["KID"])
            self.assertEqual(hmac.digest(keys[from_server], message[:-16], "sha256")[:16],
                             message[-16:])

    def test_every_display_is_tested(self):
        for page in PAGES:
            for text in displays(page):
                self.assertTrue(is_session(text) or is_json(text) or is_unit(text)
                                or is_bus(text) or text.startswith(tuple(ELSEWHERE)),
                                f"{page}: {text}")

    def start_bus(self, included):
        """The path of the socket of a bus with that configuration, too."""
        directory = os.path.dirname(self.conf)
        path = os.path.join(directory, "bus")
        for name, text in (("local.conf", included), ("bus.conf", BUS_CONF.format(
                path=path, included=f"<include>{directory}/local.conf</include>"))):
            with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
                file.write(text)
        # pylint: disable-next=consider-using-with
        bus = subprocess.Popen(["dbus-daemon", f"--config-file={directory}/bus.conf", "--nofork",
                                "--nopidfile", "--print-address"], stdout=subprocess.PIPE)
        self.addCleanup(bus.wait)
        self.addCleanup(bus.terminate)
        self.addCleanup(bus.stdout.close)
        self.assertTrue(bus.stdout.readline(), "it listens")
        return path

    def test_bus_takes_its_limit(self):
        if not shutil.which("dbus-daemon"):
            self.skipTest("dbus-daemon is not installed")
        text, = filter(is_bus, displays("man/mptcpized.8"))
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(PATIENCE)
            caller.connect(self.start_bus(text))
            caller.sendall(b"\0AUTH EXTERNAL %s\r\n" % str(os.geteuid()).encode().hex().encode())
            self.assertTrue(caller.recv(4096).startswith(b"OK"))
            # The beginning of a call with 2 MiB of arguments: without a limit it waits for more.
            caller.sendall(b"BEGIN\r\n" + struct.pack("<4BIII", ord("l"), 1, 0, 1, 2 << 20, 1, 0))
            try:
                self.assertEqual(caller.recv(4096), b"", "what it says before it hangs up")
            except ConnectionResetError:
                pass

    def test_systemd_takes_drop_ins(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is not installed")
        found = [text for page in PAGES for text in displays(page) if is_unit(text)]
        self.assertGreaterEqual(len(found), 4)
        for text in found:
            unit = os.path.join(os.path.dirname(self.conf), "example.service")
            with open(unit, "w", encoding="utf-8") as file:
                file.write(f"{text}ExecStart=/bin/true\n")
            done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True,
                                  text=True, timeout=60, check=False)
            self.assertNotIn(unit, done.stderr, text)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_readme_examples_are_taken(self):
        self.check_all("README.md", 2)

    def test_mistake_is_refused(self):
        for text in ('{ "plugins": { "backup": { "energy": "sawe" } } }',
                     '{ "paths": { "mode": "handoff" } }'):
            self.assertNotEqual(self.check(text).returncode, 0, text)


if __name__ == "__main__":
    unittest.main()
