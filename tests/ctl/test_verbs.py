#!/usr/bin/python3
"""What mptcpctl's verbs ask the daemon for, and what they say of its answers. See fakebus.py."""

import json
import sys
import unittest

from fakebus import NOT_RUNNING, Bus, Case, Fake, ctl

TOKEN = "1a2b3c4d"
DENIED = ("permission denied: run mptcpctl as root, or let polkit allow you "
          "org.mptcpize1.manage")

# Words, and the call that they become, as the fake daemon prints it.
CALLS = (
    (["subflow", "add", TOKEN, "wlan0"], "AddSubflow [wlan0] [] [no]"),
    (["subflow", "add", TOKEN, "192.0.2.1", "203.0.113.1:80", "--backup"],
     "AddSubflow [192.0.2.1] [203.0.113.1:80] [yes]"),
    (["subflow", "remove", TOKEN, "192.0.2.1:443"], "RemoveSubflow [192.0.2.1:443] []"),
    (["subflow", "remove", TOKEN, "wlan0", "[2001:db8::1]:80"],
     "RemoveSubflow [wlan0] [[2001:db8::1]:80]"),
    (["subflow", "backup", TOKEN, "wlan0"], "SetBackup [wlan0] [] [yes]"),
    (["subflow", "backup", TOKEN, "wlan0", "on"], "SetBackup [wlan0] [] [yes]"),
    (["subflow", "backup", TOKEN, "wlan0", "off"], "SetBackup [wlan0] [] [no]"),
    (["subflow", "backup", TOKEN, "wlan0", "203.0.113.1:80", "off"],
     "SetBackup [wlan0] [203.0.113.1:80] [no]"),
    (["subflow", "backup", TOKEN, "wlan0", "203.0.113.1:80"],
     "SetBackup [wlan0] [203.0.113.1:80] [yes]"),
    (["announce", "add", TOKEN, "203.0.113.1"], "Announce [203.0.113.1]"),
    (["announce", "remove", TOKEN, "203.0.113.1:80"], "Withdraw [203.0.113.1:80]"),
    (["interface", "wlan0", "off"], "SetRole [wlan0] [off] [no]"),
    (["interface", "wlan0", "backup", "--keep"], "SetRole [wlan0] [backup] [yes]"),
    (["interface", "wlan0", "default"], "SetRole [wlan0] [] [no]"),
    (["limits", "max_joins=1"], "SetLimits MaxJoins=1"),
    (["limits", "max_subflows=2", "max_retries=4294967295"],
     "SetLimits MaxSubflows=2 MaxRetries=4294967295"),
    (["plugin", TOKEN, "handover"], "SetMode handover"),
    (["reload"], "Reload "),
)

# Errors of the bus, and the sentence that they become.
ERRORS = (
    ("org.mptcpize1.Error.NoSuchSubflow",
     "the connection has no such subflow: 'mptcpctl show TOKEN' lists those that it has"),
    ("org.mptcpize1.Error.AmbiguousSubflow",
     "what the daemon says; name it as 'mptcpctl show TOKEN' does: ADDRESS:PORT, and the remote"),
    ("org.mptcpize1.Error.NoSuchInterface",
     "what the daemon says; 'mptcpctl interface' lists those that there are"),
    ("org.mptcpize1.Error.NoSuchAddress", "what the daemon says; see 'mptcpctl interface' and"),
    ("org.mptcpize1.Error.NotManaged",
     "nothing can be done for the connection: what the daemon says"),
    ("org.mptcpize1.Error.BadAddress", "what the daemon says; addresses look like 192.0.2.1, "),
    ("org.mptcpize1.Error.BadRole", "what the daemon says; roles are master, on, backup and off"),
    ("org.mptcpize1.Error.BadLimit", "what the daemon says"),
    ("org.mptcpize1.Error.Refused", "refused: what the daemon says"),
    ("org.mptcpize1.Error.TooMany", "what the daemon says"),
    ("org.freedesktop.DBus.Error.Spawn.ChildExited",
     "mptcpized is not running, and the bus can't start it: what the daemon says; start it with "
     "'systemctl start mptcpized' or, where systemd does not run, by running mptcpized as root"),
    ("org.mptcpize1.Error.NoSuchConnection", "there is no connection 0x1a2b3c4d: "),
    ("org.freedesktop.DBus.Error.AccessDenied", DENIED),
    ("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", DENIED),
    ("org.freedesktop.DBus.Error.NoReply", "mptcpized does not answer: see "),
    ("org.freedesktop.DBus.Error.UnknownMethod", "it is older than mptcpctl; restart it"),
    ("org.example.Error.Other", "mptcpized: what the daemon says"),
)

# What can't be right, whatever the daemon would say.
BAD_WORDS = (
    ["subflow"], ["subflow", "add"], ["subflow", "add", TOKEN], ["subflow", "ad", TOKEN, "wlan0"],
    ["subflow", "add", "nothex", "wlan0"], ["subflow", "add", TOKEN, "a", "b", "c"],
    ["subflow", "add", TOKEN, ""], ["subflow", "add", TOKEN, "wlan0\n"],
    ["subflow", "add", TOKEN, b"\xff\xfe"], ["subflow", "add", TOKEN, "x" * 300],
    ["subflow", "remove", TOKEN], ["subflow", "remove", TOKEN, "wlan0", "--backup"],
    ["subflow", "backup", TOKEN, "wlan0", "203.0.113.1", "maybe"],
    ["subflow", "backup", TOKEN, "wlan0", "of"], ["subflow", "backup", TOKEN],
    ["announce"], ["announce", "add", TOKEN], ["announce", "remove", TOKEN, "\x1b[31m"],
    ["interface", "wlan0", "backp"], ["interface", "wlan0", ""], ["interface", "--keep"],
    ["interface", "a", "on", "b"], ["interface", "wl\x07an0"],
    ["limits", "max_subflows"], ["limits", "max_subflows="], ["limits", "max_subflows=x"],
    ["limits", "max_subflows=-1"], ["limits", "max_subflows=4294967296"], ["limits", "=1"],
    ["limits", "max_subflows=1 "], ["limits", "nonsense=1"], ["limits", "a" * 500 + "=1"],
    ["limits", *["max_joins=1"] * 6],
    ["plugin", TOKEN], ["plugin", TOKEN, "a", "b"], ["plugin", TOKEN, "\x1b"],
    ["monitor", "nothex"], ["monitor", TOKEN, "more"], ["status", "--keep"], ["reload", "--backup"],
)


class BadWords(Case):
    """Told before anybody is asked: there is no bus here."""

    def test_what_cannot_be_right_is_usage(self):
        for words in BAD_WORDS:
            done = ctl(*words, "--json", env={"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent"})
            self.assertEqual(done.returncode, 2, (words, done.stderr))
            self.assertEqual(list(json.loads(done.stdout)), ["error"])
            self.assertTrue(done.stderr.isprintable() or done.stderr[:-1].isprintable(), words)

    def test_what_was_meant_is_said(self):
        for words, meant in ((["interface", "wlan0", "backp"], "backup"),
                             (["limits", "max_subflow=1"], "max_subflows"),
                             (["subflow", "remov", TOKEN, "wlan0"], "remove"),
                             (["anounce", "add"], "announce")):
            self.fails(2, f'did you mean "{meant}"?', *words)


class NotRunning(Bus):
    def test_daemon_not_running_says_how_to_start_it(self):
        for words in (["interface"], ["plugin"], ["limits"], ["monitor"],
                      ["subflow", "add", TOKEN, "wlan0"], ["interface", "wlan0", "on"]):
            self.fails(1, NOT_RUNNING, *words, env=self.env)


class Changes(Fake):
    def test_words_become_calls(self):
        for words, call in CALLS:
            self.changes()
            self.assertEqual(self.text(*words), "", words)
            self.assertEqual(self.changes(), [call], words)
            self.assertEqual(self.json(*words), {}, words)

    def test_unique_beginning_of_a_token_is_enough(self):
        for beginning in ("1a2b3c4", "1a", "0x1A2b", "1a2b3c4d"):
            self.assertEqual(self.json("show", beginning)["token"], "0x1a2b3c4d")
        self.text("subflow", "remove", "1a2", "wlan0")
        self.assertEqual(self.changes(), ["RemoveSubflow [wlan0] []"])

    def test_beginning_of_several_tokens_is_a_failure(self):
        # the connections of the list are 1 to 300, that is 0x12c
        self.fails(1, '"000001" is the beginning of several tokens: 0x00000100, 0x00000101, '
                   "0x00000102, 0x00000103, ...", "show", "000001", env=self.env)
        self.fails(1, "there is no connection 0x0000001b", "show", "1b", env=self.env)
        self.fails(1, "there is no connection 0x1a2b3c4e", "show", "1a2b3c4e", env=self.env)

    def test_hostile_words_reach_the_daemon_as_they_are(self):
        self.changes()
        self.text("subflow", "add", TOKEN, "$(touch x); `id` %s%n é")
        self.assertEqual(self.changes(), ["AddSubflow [$(touch x); `id` %s%n é] [] [no]"])


class Errors(Fake):
    def test_errors_become_sentences(self):
        for name, sentence in ERRORS:
            self.tell(f"refuse {name}")
            self.fails(1, sentence, "subflow", "remove", TOKEN, "wlan0", env=self.env)
        self.tell("refuse org.freedesktop.DBus.Error.AccessDenied")
        for words in (["reload"], ["interface", "wlan0", "on"], ["limits", "max_joins=1"],
                      ["announce", "add", TOKEN, "192.0.2.1"], ["plugin", TOKEN, "handover"]):
            self.fails(1, DENIED, *words, env=self.env)

    def test_unknown_mode_names_where_plugins_are_listed(self):
        self.fails(1, 'there is no mode, policy or plugin "x"; \'mptcpctl plugin\' lists', "plugin",
                   TOKEN, "x", env=self.env)


class Lists(Fake):
    def test_interfaces_json(self):
        rows = self.json("interface")["interfaces"]
        self.assertEqual(len(rows), 6)
        self.assertEqual(next(row for row in rows if row["name"] == "wlan0"), {
            "name": "wlan0", "index": 3, "role": "backup", "role_reason": "default",
            "usable": True, "reason": "", "addresses": ["192.0.2.1"], "routing": "",
            "subflows": 2})

    def test_interfaces_text(self):
        text = self.text("interface")
        self.assertRegex(text, r"INTERFACE +ROLE +FROM +USABLE +SUBFLOWS +ADDRESSES\n")
        self.assertRegex(text, r"\nwlan0 +backup +default +yes +2  192\.0\.2\.1\n")
        self.assertIn("e\\x1b[31m", text)

    def test_one_interface(self):
        self.assertEqual(self.json("interface", "lte0")["addresses"], ["2001:db8::1"])
        self.assertIn("interface  lte0\nindex      3\n", self.text("interface", "lte0"))

    def test_unknown_interface_is_a_failure(self):
        self.fails(1, 'there is no interface "wlan1", did you mean "wlan0"?', "interface", "wlan1",
                   env=self.env)
        self.fails(1, 'there is no interface "eth7": \'mptcpctl interface\' lists', "interface",
                   "eth7", env=self.env)

    def test_plugins(self):
        rows = self.json("plugin")["plugins"]
        self.assertEqual(sorted(row["name"] for row in rows),
                         ["backup", "evil$(touch x)", "fullmesh"])
        self.assertEqual(next(row for row in rows if row["name"] == "fullmesh"), {
            "name": "fullmesh", "file": "/usr/lib/mptcpize/x.so", "abi": "1.1", "default": True,
            "policies": ["web"], "connections": 7})
        self.assertRegex(self.text("plugin"), r"\nfullmesh +yes +7  1\.1  web +/usr/lib")

    def test_limits(self):
        self.assertEqual(self.json("limits"), {
            "max_subflows": 4, "max_accepted": 8, "max_joins": 3, "max_retries": 600,
            "max_connections": 100000})
        self.assertRegex(self.text("limits"), r"\nmax_joins +3  subflows of a connection that")


if __name__ == "__main__":
    sys.exit(unittest.main())
