#!/usr/bin/python3
"""What the manual pages and the README have for examples of files, mptcpized takes.

Environment: MPTCPIZED, the program, PLUGINS, its plugins, and SOURCE, the top directory.
"""

import json
import os
import re
import subprocess
import tempfile
import unittest

MPTCPIZED = os.path.abspath(os.environ["MPTCPIZED"])
PLUGINS = os.path.abspath(os.environ["PLUGINS"])
SOURCE = os.environ["SOURCE"]
POLICY_KEYS = {"match", "socket", "paths", "auth"}


def objects(text):
    """The JSON objects that follow each other in a text."""
    decoder = json.JSONDecoder()
    found = []
    while text := text.strip():
        _, end = decoder.raw_decode(text)
        found.append(text[:end])
        text = text[end:]
    return found


def examples(name):
    """All examples of JSON in a page, as texts."""
    with open(os.path.join(SOURCE, name), encoding="utf-8") as file:
        page = file.read()
    if name.endswith(".md"):
        blocks = re.findall(r"^ *```json\n(.*?)^ *```$", page, re.S | re.M)
    else:
        blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", page, re.S | re.M)
    return [found for block in blocks if block.lstrip().startswith("{")
            for found in objects(block)]


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

    def test_readme_examples_are_taken(self):
        self.check_all("README.md", 2)

    def test_mistake_is_refused(self):
        for text in ('{ "plugins": { "backup": { "energy": "sawe" } } }',
                     '{ "paths": { "mode": "handoff" } }'):
            self.assertNotEqual(self.check(text).returncode, 0, text)


if __name__ == "__main__":
    unittest.main()
