#!/usr/bin/python3
"""mptcpctl monitor: lines as things happen, over restarts, and how it ends. See fakebus.py."""

import json
import os
import signal
import subprocess
import sys
import unittest

from fakebus import MPTCPCTL, Fake, environ

TOKEN = "1a2b3c4d"
EVENT = {"serial": 1, "time_usec": 1714564800123456, "kind": "failed", "token": "0x1a2b3c4d",
         "what": "failed: create 192.0.2.1 -> 203.0.113.1:80: Network is unreachable",
         "reason": "a second path", "local": "192.0.2.1", "remote": "203.0.113.1:80",
         "interface": "wlan0", "error": "Network is unreachable", "program": "curl",
         "plugin": "fullmesh"}
TEXT = ("2024-05-01 12:00:00.123  0x1a2b3c4d  curl      wlan0     failed: create 192.0.2.1 -> "
        "203.0.113.1:80: Network is unreachable: a second path\n")
ODD = ("2024-05-01 12:00:00.123  0x1a2b3c4d  curl      wlan0     create \\x1b[31m: "
       "a\\x0areason\n")


class Monitor(Fake):
    def setUp(self):
        # serials go on where they were, and so each test has a daemon of its own
        self.restart()

    @classmethod
    def restart(cls):
        cls.fake.kill()
        cls.fake.wait()
        cls.fake = cls.start_fake()

    def monitor(self, *words, **popen):
        child = subprocess.Popen([MPTCPCTL, "monitor", *words], env=environ(self.env), text=True,
                                 **{"stdout": subprocess.PIPE, **popen})
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        if child.stdout:
            self.addCleanup(child.stdout.close)
        return child

    def watch(self, *words):
        """A monitor with --json that is ready."""
        child = self.monitor("--json", *words)
        self.assertEqual(self.line(child)["kind"], "connected")
        return child

    def line(self, child):
        line = child.stdout.readline()
        self.assertTrue(line.isascii())
        return json.loads(line)

    def state(self, child, kind, word):
        line = self.line(child)
        self.assertEqual(line["kind"], kind, line)
        self.assertIn(word, line["reason"])

    def end(self, child, signum=signal.SIGINT):
        child.send_signal(signum)
        self.assertEqual((child.wait(60), child.stdout.read()), (0, ""))

    def test_event_is_a_line_of_json(self):
        child = self.watch()
        self.tell(f"event {TOKEN}")
        self.assertEqual(self.line(child), EVENT)
        self.end(child)

    def test_event_is_a_line_of_text(self):
        child = self.monitor()
        self.assertEqual(child.stdout.readline(), "-- mptcpized answers; Ctrl-C ends this\n")
        self.tell(f"event {TOKEN}")
        self.assertEqual(child.stdout.readline(), TEXT)
        self.tell("skip 3")
        self.tell(f"odd {TOKEN}")
        self.assertEqual(child.stdout.readline(), "-- 3 events were lost: too many at once\n")
        self.assertEqual(child.stdout.readline(), ODD)
        self.end(child, signal.SIGTERM)

    def test_token_filters(self):
        child = self.watch("1a2b")
        for token in ("7", TOKEN, "8"):
            self.tell(f"event {token}")
        line = self.line(child)
        self.assertEqual((line["token"], line["serial"]), ("0x1a2b3c4d", 2))
        self.end(child)

    def test_unknown_token_is_a_failure(self):
        self.fails(1, "there is no connection 0x00000007", "monitor", "00000007", env=self.env)

    def test_lost_events_are_told_once(self):
        child = self.watch()
        self.tell(f"event {TOKEN}")
        self.assertEqual(self.line(child)["serial"], 1)
        self.tell("skip 2")
        self.tell("lost 5")
        self.assertEqual(self.line(child), {"kind": "lost", "count": 5})
        self.tell(f"event {TOKEN}")
        self.assertEqual(self.line(child), {"kind": "lost", "count": 2})
        self.assertEqual(self.line(child)["serial"], 9)
        self.tell(f"event {TOKEN}")
        self.assertEqual(self.line(child)["serial"], 10)
        self.end(child)

    def test_daemon_restarts(self):
        child = self.watch()
        self.tell(f"event {TOKEN}")
        self.assertEqual(self.line(child)["serial"], 1)
        self.restart()
        self.state(child, "disconnected", "mptcpized has gone")
        self.state(child, "connected", "mptcpized is back")
        self.tell(f"event {TOKEN}")
        self.assertEqual(self.line(child)["serial"], 1)
        self.end(child)

    def test_bus_restarts(self):
        child = self.watch()
        type(self).bus.kill()
        type(self).bus.wait()
        self.state(child, "disconnected", "the bus has gone")
        os.unlink(os.path.join(self.directory.name, "bus"))
        type(self).bus = self.start_bus()
        self.restart()
        self.state(child, "connected", "mptcpized is back")
        self.tell(f"event {TOKEN}")
        self.assertEqual(self.line(child), EVENT)
        self.end(child)

    def test_signals_of_others_do_not_count(self):
        child = self.watch()
        name = self.names_of_monitor()
        subprocess.run(["dbus-send", "--system", "--type=signal", f"--dest={name}",
                        "/org/mptcpize1", "org.mptcpize1.Manager.EventsLost", "uint64:7"],
                       env=environ(self.env), check=True)
        self.tell(f"event {TOKEN}")
        self.assertEqual(self.line(child), EVENT)
        self.end(child)

    def names_of_monitor(self):
        """Unique name of the one on the bus that is neither the fake daemon nor who asks."""
        done = subprocess.run(["busctl", "--system", "--json=short", "list"], text=True,
                              env=environ(self.env), stdout=subprocess.PIPE, check=True)
        return next(row["name"] for row in json.loads(done.stdout)
                    if row["name"].startswith(":") and row["process"] == "mptcpctl")

    def test_reader_that_goes_ends_it(self):
        child = self.watch()
        child.stdout.close()
        self.assertEqual(child.wait(60), 0)

    def test_reader_that_goes_ends_it_silently_when_there_is_more(self):
        reader, writer = os.pipe()
        child = self.monitor(stdout=writer, stderr=subprocess.PIPE)
        os.close(writer)
        os.read(reader, 4096)
        os.close(reader)
        self.tell(f"event {TOKEN}")
        self.assertEqual(child.communicate(timeout=60), (None, ""))
        self.assertEqual(child.returncode, 0)

    def test_full_disk_is_a_failure(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            child = self.monitor(stdout=full, stderr=subprocess.PIPE)
            text = child.communicate(timeout=60)[1]
        self.assertEqual(child.returncode, 1)
        self.assertIn("can't be written", text)

    def test_refused_subscription_is_a_failure(self):
        self.tell("refuse org.mptcpize1.Error.TooMany")
        self.fails(1, "what the daemon says", "monitor", env=self.env)


if __name__ == "__main__":
    sys.exit(unittest.main())
