#!/usr/bin/python3
"""policy/schema.json and the compiler agree on what a policy file is.

Environment: MPTCPCTL, whose "policy check" is the compiler; POLICY, the directory policy/ of the
source.
"""

import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

from schema import Schema

MPTCPCTL = os.path.abspath(os.environ["MPTCPCTL"])
POLICY = os.environ["POLICY"]


def match(**members):
    return {"match": members}


def socket(**members):
    return {"match": {"app": "x"}, "socket": members}


def rule(**members):
    return socket(**{"except": [members]})


def paths(**members):
    return {"match": {"app": "x"}, "paths": members}


def auth(**members):
    return {"match": {"app": "x"}, "auth": members}


GOOD = (
    {"match": {"app": "x"}, "socket": {}, "paths": {}, "auth": {}},
    match(app="*"), match(app="a" * 255), match(exe="/usr/*/x"), match(unit="a@*.service"),
    match(uid=0), match(uid=4294967294), match(uid="root"),
    match(app="x", exe="/x", unit="x", uid=1),
    socket(upgrade=[]), socket(upgrade=["listen"]), socket(upgrade=["connect", "listen"]),
    socket(loopback=True), socket(ktls=False), socket(hints=False), socket(pacing="error"),
    socket(congestion="bbr"), socket(congestion="dctcp-reno_2"), socket(nodelay=True),
    socket(keepalive=False), socket(send_buffer=4096), socket(receive_buffer=1073741824),
    socket(mark=0), socket(mark=4294967295), socket(tos=255), socket(priority=15),
    socket(**{"except": []}),
    rule(to="192.0.2.1"), rule(to="0.0.0.0/0"), rule(to="2001:db8::/32"), rule(to="::"),
    rule(to="::ffff:192.0.2.0/120"), rule(to=["192.0.2.0/24", "2001:db8::1"]),
    rule(port=22), rule(port=65535), rule(port="22"), rule(port="22,8000-8010,9"),
    rule(interface="wwan*"), rule(interface="eth0.100"), rule(interface="*"),
    rule(source="192.0.2.1"), rule(to="192.0.2.1", port=1, interface="e", source="::1"),
    socket(listen=["443"]), socket(listen=["*:80-90", "192.0.2.1:1", "[2001:db8::1]:443"]),
    socket(listen=["[::1]:80"], loopback=True),
    socket(source=True), socket(source=["eth0", "192.0.2.0/24", "2001:db8::1"]),
    paths(mode="off"), paths(mode="handover"), paths(mode="interactive"), paths(mode="aggregate"),
    paths(mode="ndiffports"), paths(plugin="my1"), paths(max_subflows=1), paths(max_subflows=32),
    paths(interfaces={}), paths(interfaces={"a*": "master", "b": "on", "c": "backup", "d": "off"}),
    paths(options={"a": 1, "b": -1.5, "c": True, "d": "", "e": "x" * 255}),
    auth(mode="off"), auth(mode="prefer"), auth(mode="require", psk="/etc/key"),
    auth(mode="prefer", psk="key"), auth(mode="prefer", psk="..key"), auth(mode="prefer", psk=".a"),
    auth(mode="require", psk="/" + "x" * 254), auth(mode="require", psk="x" * 255),
)

BAD = (
    {}, [], {"match": {"app": "x"}, "foo": 1}, {"match": 1}, {"socket": {}},
    match(), match(name="x"), match(app=""), match(app="a" * 256), match(app="a/b"), match(app=1),
    match(exe="x"), match(exe=""), match(unit=""), match(unit=None), match(uid=-1),
    match(uid=4294967295), match(uid=1.5), match(uid=True), match(uid=""),
    socket(upgrade="listen"), socket(upgrade=["accept"]), socket(upgrade=[1]), socket(foo=1),
    socket(loopback=1), socket(ktls="yes"), socket(hints=None), socket(pacing="no"),
    socket(pacing=True), socket(congestion=""), socket(congestion="BBR"),
    socket(congestion="a" * 16), socket(nodelay=1), socket(keepalive="on"),
    socket(send_buffer=4095), socket(receive_buffer=1073741825), socket(mark=-1),
    socket(mark=4294967296), socket(mark="1"), socket(tos=256), socket(tos=1.5),
    socket(priority=16), socket(**{"except": {}}), socket(**{"except": ["x"]}),
    socket(**{"except": [{"port": 1}] * 65}),
    rule(), rule(ports=22), rule(to=""), rule(to=[]), rule(to="example.com"), rule(to=1),
    rule(to="192.0.2"), rule(to="192.0.2.0/"), rule(to=["192.0.2.1", 1]),
    rule(to=["192.0.2.1"] * 257), rule(port=0), rule(port=65536), rule(port=-1), rule(port=""),
    rule(port="0"), rule(port="22,"), rule(port="22, 23"), rule(port="-22"), rule(port=[22]),
    rule(interface=""), rule(interface="a/b"), rule(interface="a b"), rule(interface="a:1"),
    rule(interface="a" * 16), rule(interface="192.0.2.1"), rule(interface=1), rule(source=True),
    socket(listen=[]), socket(listen="443"), socket(listen=[443]), socket(listen=["*:"]),
    socket(listen=["example.com:443"]), socket(listen=["2001:db8::1:443"]),
    socket(listen=["*:0"]), socket(listen=["*:80,81"]), socket(listen=["80"] * 65),
    socket(source=False), socket(source=[]), socket(source=["a/b"]), socket(source="eth0"),
    socket(source=["eth0"] * 65), socket(source=["192.0.2"]),
    paths(mode="on"), paths(mode=None), paths(plugin="A"), paths(plugin=""),
    paths(plugin="a" * 64), paths(plugin="../x"), paths(mode="off", plugin="x"),
    paths(max_subflows=0), paths(max_subflows=33), paths(max_subflows="4"), paths(interfaces=[]),
    paths(interfaces={"a": "yes"}), paths(interfaces={"": "on"}), paths(interfaces={"a/": "on"}),
    paths(interfaces={f"a{n}": "on" for n in range(65)}), paths(options=[]),
    paths(options={"a": None}), paths(options={"a": []}), paths(options={"": 1}),
    paths(options={"a" * 64: 1}), paths(options={"a": "x" * 256}),
    paths(options={f"a{n}": 1 for n in range(65)}),
    auth(mode="on"), auth(mode=True), auth(psk="/etc/key"), auth(mode="off", psk="/etc/key"),
    auth(mode="prefer", psk="keys/key"), auth(mode="prefer", psk=""), auth(key="x"),
    auth(mode="prefer", psk="/"), auth(mode="prefer", psk="/etc/keys/"),
    auth(mode="prefer", psk="."), auth(mode="prefer", psk=".."), auth(mode="prefer", psk="../key"),
    auth(mode="require", psk="/" + "x" * 255), auth(mode="require", psk="x" * 256),
    auth(mode="require", psk=1),
)

# Beyond a schema: what numbers mean, and which users there are.
MEANING = (
    match(uid="no such user"), rule(to="300.0.0.1"), rule(to="192.0.2.1/24"),
    rule(to="192.0.2.0/33"), rule(to="2001:db8::/129"), rule(to=":::"), rule(port="2-1"),
    rule(port="65536"), socket(listen=["300.0.0.1:80"]), socket(listen=["*:70000"]),
    socket(listen=["[::1]:80"]), socket(upgrade=["connect"], listen=["443"]),
    rule(port=",".join("1" * 65)),
)


def compiler_accepts(samples):
    """For each sample: does "policy check" find no mistake in it?"""
    with tempfile.TemporaryDirectory() as directory:
        for number, sample in enumerate(samples):
            with open(f"{directory}/{number}.json", "w", encoding="utf-8") as file:
                json.dump(sample, file)
        bad = set()
        # in parts, since only so many mistakes are told
        for start in range(0, len(samples), 20):
            part = range(start, min(start + 20, len(samples)))
            done = subprocess.run([MPTCPCTL, "policy", "check", "--json",
                                   *[f"{directory}/{number}.json" for number in part]],
                                  capture_output=True, text=True, timeout=60, check=False)
            result = json.loads(done.stdout)
            assert result["errors_left_out"] == 0
            files = {error["file"] for error in result["errors"]}
            bad |= {number for number in part if f"{directory}/{number}.json" in files}
        return [number not in bad for number in range(len(samples))]


class Agreement(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(POLICY, "schema.json"), encoding="utf-8") as file:
            cls.schema = Schema(json.load(file))

    def agree(self, samples, schema, compiler):
        for sample, found in zip(samples, compiler_accepts(samples)):
            with self.subTest(sample=sample):
                self.assertEqual((self.schema.accepts(sample), found), (schema, compiler))

    def test_good_samples(self):
        self.agree(GOOD, True, True)

    def test_bad_samples(self):
        self.agree(BAD, False, False)

    def test_samples_bad_by_their_meaning(self):
        self.agree(MEANING, True, False)

    def test_shipped_policies(self):
        files = glob.glob(os.path.join(POLICY, "apps", "*.json"))
        self.assertGreater(len(files), 10)
        for name in files:
            with open(name, encoding="utf-8") as file:
                self.assertTrue(self.schema.accepts(json.load(file)), name)

    def test_every_key_of_the_schema_is_in_a_good_sample(self):
        """So that no key is in the schema only."""
        text = json.dumps(GOOD)
        for name, part in [("root", self.schema.root), *self.schema.root["$defs"].items()]:
            for key in part.get("properties", {}):
                self.assertIn(f'"{key}"', text, name)

    def test_every_key_of_the_compiler_is_in_the_schema(self):
        known = set()
        for part in [self.schema.root, *self.schema.root["$defs"].values()]:
            known |= set(part.get("properties", {}))
        read = set()
        for name in glob.glob(os.path.join(POLICY, "parse*.c")):
            with open(name, encoding="utf-8") as file:
                read |= set(re.findall(r'\bKEY\("(\w+)"', file.read()))
        self.assertEqual(read, known)

    def test_shipped_policies_are_all_installed(self):
        with open(os.path.join(POLICY, "meson.build"), encoding="utf-8") as file:
            listed = set(re.findall(r"'apps/([\w-]+\.json)'", file.read()))
        self.assertEqual(listed, {os.path.basename(name) for name in
                                  glob.glob(os.path.join(POLICY, "apps", "*"))})


if __name__ == "__main__":
    sys.exit(unittest.main())
