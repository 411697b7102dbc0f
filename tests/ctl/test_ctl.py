#!/usr/bin/python3
"""mptcpctl from outside: words, exit statuses, what it prints, what "run" hands on.

Needs no daemon and no rights; see fakebus.py.
"""

import fcntl
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import unittest

from fakebus import MPTCPCTL, NOT_RUNNING, SHIM, Bus, Case, Fake, ctl


class Words(Case):
    def test_no_command_is_usage(self):
        done = ctl()
        self.assertEqual(done.returncode, 2)
        self.assertIn("expected a command", done.stderr)
        self.assertTrue(done.stderr.endswith(ctl("--help").stdout))
        self.assertEqual(done.stdout, "")
        self.assertEqual(list(json.loads(ctl("--json").stdout)), ["error"])

    def test_unknown_command_is_usage(self):
        self.fails(2, 'unknown command "stauts"', "stauts")

    def test_unknown_option_is_usage(self):
        self.fails(2, 'unknown option "--jsno"', "status", "--jsno")

    def test_control_characters_are_escaped(self):
        self.fails(2, 'unknown command "a\\x1b[31m\\x0ab"', "a\x1b[31m\nb")

    def test_argument_too_many_is_usage(self):
        self.fails(2, "expected: mptcpctl status", "status", "more")

    def test_argument_too_few_is_usage(self):
        self.fails(2, "expected: mptcpctl show TOKEN", "show")
        self.fails(2, "expected: mptcpctl run [OPTION...] [--] COMMAND", "run")
        self.fails(2, "expected: mptcpctl run [OPTION...] [--] COMMAND", "run", "--")

    def test_bad_token_is_usage(self):
        for token in ("x", "0x", "", "123456789", "0x123456789", "1a2b3c4g", "+1", " 1", "0x0x1"):
            self.fails(2, "is no token", "show", token)

    def test_json_counts_behind_the_mistake(self):
        done = ctl("stauts", "--json")
        self.assertEqual(done.returncode, 2)
        self.assertIn("unknown command", json.loads(done.stdout)["error"])

    def test_double_dash_ends_the_options(self):
        self.fails(2, 'unknown command "--json"', "--", "--json")

    def test_help_lists_the_commands(self):
        for words in (["--help"], ["help"], ["--help", "bogus"]):
            done = ctl(*words)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            for word in ("Look:", "Steer", "status", "connections", "show TOKEN",
                         "plugin [TOKEN NAME]", "reload", "run", "--json"):
                self.assertIn(word, done.stdout)
            self.assertNotIn("--db DB ", done.stdout)

    def test_help_of_a_command_has_its_options_and_an_example(self):
        for words in (["run", "--help"], ["help", "run"], ["--help", "run"]):
            done = ctl(*words)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertTrue(done.stdout.startswith("Usage: mptcpctl run [OPTION...]"), done.stdout)
            for word in ("--supervise", "--mode MODE", "Example:\n  $ mptcpctl run"):
                self.assertIn(word, done.stdout)
            self.assertNotIn("--db", done.stdout)

    def test_help_of_two_words(self):
        self.assertEqual(ctl("help", "policy", "show").stdout.count("Usage: "), 1)
        for words in (["help", "policy"], ["policy", "--help"]):
            text = ctl(*words).stdout
            self.assertEqual(text.count("Usage: mptcpctl policy "), 5, text)

    def test_help_of_nothing_is_usage(self):
        self.fails(2, 'there is no command "shwo"', "help", "shwo")

    def test_slip_of_the_finger_is_understood(self):
        for words, meant in ((["stauts"], "status"), (["conn"], "connections"),
                             (["status", "--jsno"], "--json"), (["policy", "explian"], "explain"),
                             (["help", "relaod"], "reload"), (["run", "--mod", "off"], "--mode")):
            self.fails(2, f', did you mean "{meant}"?', *words)
        for words in (["x"], ["frobnicate"], ["-"], [""], ["s" * 1000]):
            self.assertNotIn("did you mean", ctl(*words).stderr)
            self.assertEqual(ctl(*words).returncode, 2)

    def test_version(self):
        self.assertRegex(ctl("--version").stdout, r"^mptcpctl [0-9.]+\S*\n$")
        self.assertEqual(list(json.loads(ctl("--version", "--json").stdout)), ["version"])

    def test_full_disk_is_a_failure(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([MPTCPCTL, "--help"], stdout=full, stderr=subprocess.PIPE,
                                  text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("can't be written", done.stderr)


class Run(Case):
    def test_status_is_the_program_s(self):
        self.assertEqual(ctl("run", "--", "sh", "-c", "exit 7").returncode, 7)
        self.assertEqual(ctl("run", "sh", "-c", "exit 7").returncode, 7)

    def test_signal_is_the_program_s(self):
        self.assertEqual(ctl("run", "sh", "-c", "kill -TERM $$").returncode, -15)

    def test_words_behind_the_program_are_its_own(self):
        for words in (["run", "echo", "--json", "--", "-x"], ["--json", "run", "--", "echo",
                      "--json", "--", "-x"], ["run", "--json", "echo", "--json", "--", "-x"]):
            done = ctl(*words)
            self.assertEqual((done.returncode, done.stdout), (0, "--json -- -x\n"))

    def test_program_with_a_dash_needs_double_dash(self):
        self.fails(127, '"--odd" is not found', "run", "--", "--odd")

    def test_missing_program_is_127(self):
        self.fails(127, '"no-such-program" is not found', "run", "no-such-program")
        self.fails(127, "is not found", "run", "/nonexistent/program")

    def test_program_without_x_bit_is_126(self):
        with tempfile.NamedTemporaryFile() as file:
            self.fails(126, "can't be run: Permission denied", "run", file.name)

    def test_directory_is_126(self):
        self.fails(126, "can't be run: Permission denied", "run", "/")

    def preload(self, env, cwd=None):
        done = ctl("run", "sh", "-c", 'printf %s "$LD_PRELOAD"', env=env, cwd=cwd)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_preload_is_the_library(self):
        self.assertEqual(self.preload({}), SHIM)
        self.assertEqual(self.preload({"LD_PRELOAD": ""}), SHIM)

    def test_preload_keeps_what_was_there(self):
        libc = "libc.so.6"
        self.assertEqual(self.preload({"LD_PRELOAD": libc}), SHIM + ":" + libc)

    def test_relative_library_becomes_absolute(self):
        directory, name = os.path.split(os.path.realpath(SHIM))
        self.assertEqual(self.preload({"MPTCPIZE_SHIM": name}, cwd=directory),
                         os.path.join(directory, name))

    def test_missing_library_is_a_failure(self):
        for path in ("/nonexistent/lib.so", "nonexistent.so"):
            self.fails(1, path + '" can\'t be read (No such file or directory)', "run", "true",
                       env={"MPTCPIZE_SHIM": path})

    def test_directory_as_library_is_a_failure(self):
        self.fails(1, "can't be read (Is a directory)", "run", "true", env={"MPTCPIZE_SHIM": "/"})

    def test_library_with_separator_in_its_path_is_a_failure(self):
        for separator in (" ", ":"):
            with tempfile.NamedTemporaryFile(suffix=separator + "x") as file:
                self.fails(1, "space or a colon", "run", "true", env={"MPTCPIZE_SHIM": file.name})


    def test_godebug_is_for_programs_that_nothing_else_reaches(self):
        for words, before, after in ((["--no-supervise"], None, "multipathtcp=1"),
                                     (["--no-supervise"], "gctrace=0", "gctrace=0,multipathtcp=1"),
                                     (["--no-supervise"], "multipathtcp=0", "multipathtcp=0")):
            done = ctl("run", *words, "sh", "-c", 'printf %s "$GODEBUG"', env={"GODEBUG": before})
            self.assertEqual((done.returncode, done.stdout), (0, after))


class RunAndWait(Case):
    """What keeps mptcpctl there until the program ends."""

    def setUp(self):
        runtime = tempfile.TemporaryDirectory()
        self.addCleanup(runtime.cleanup)
        self.runtime = runtime.name
        self.env = {"XDG_RUNTIME_DIR": self.runtime}

    def policy(self, text):
        path = os.path.join(self.runtime, "policy.json")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def assert_clean(self):
        self.assertEqual([name for name in os.listdir(self.runtime) if "mptcpctl" in name], [])

    def test_status_is_the_program_s(self):
        for words in (["--verbose"], ["--mode", "aggregate"]):
            self.assertEqual(ctl("run", *words, "sh", "-c", "exit 7", env=self.env).returncode, 7)
            done = ctl("run", *words, "sh", "-c", "kill -TERM $$", env=self.env)
            self.assertEqual(done.returncode, -15)
            self.assertEqual(ctl("run", *words, "no-such", env=self.env).returncode, 127)
            self.assertEqual(ctl("run", *words, "/", env=self.env).returncode, 126)
            self.assert_clean()

    def test_files_are_there_meanwhile(self):
        done = ctl("run", "--verbose", "--mode", "off", "sh", "-c",
                   'stat -c %a "$MPTCPIZE_REPORT"; echo "$MPTCPIZE_POLICY"; '
                   'test -r "$MPTCPIZE_POLICY"',
                   env=self.env)
        lines = done.stdout.splitlines()
        self.assertEqual((done.returncode, lines[0]), (0, "600"))
        self.assertTrue(lines[1].startswith(self.runtime + "/mptcpctl-policy-"), lines)
        self.assert_clean()

    def test_runtime_directory_that_is_not_there_does_not_matter(self):
        done = ctl("run", "--verbose", "sh", "-c", 'echo "$MPTCPIZE_REPORT"',
                   env={"XDG_RUNTIME_DIR": "/nonexistent"})
        self.assertTrue(done.stdout.startswith("/tmp/mptcpctl-report-"), done)
        self.assertFalse(os.path.exists(done.stdout.strip()))

    def test_nothing_to_report_is_silence(self):
        done = ctl("run", "--verbose", "true", env=self.env)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        done = ctl("run", "--verbose", "--json", "true", env=self.env)
        self.assertEqual((done.returncode, json.loads(done.stderr)), (0, {"sockets": []}))

    def test_bad_mode_is_usage(self):
        self.fails(2, 'unknown mode "fast", expected: off, handover', "run", "--mode", "fast",
                   "true", env=self.env)
        self.assert_clean()

    def test_mode_without_a_word_is_usage(self):
        self.fails(2, 'nothing follows "--mode"', "run", "--mode")

    def test_mode_beside_policy_is_usage(self):
        self.fails(2, "exclude each other", "run", "--mode", "off", "--policy", "x", "true")
        self.fails(2, "exclude each other", "run", "--supervise", "--no-supervise", "true")

    def test_option_of_another_command_is_usage(self):
        self.fails(2, 'not an option of this command: "--verbose"', "status", "--verbose")

    def test_mistake_in_policy_has_its_place(self):
        path = self.policy('{ "match": { "app": "x" },\n  "paths": { "mode": "fast" } }')
        self.fails(2, path + ":2:", "run", "--policy", path, "true", env=self.env)
        self.assert_clean()

    def test_missing_policy_is_named(self):
        self.fails(2, "/nonexistent.json: ", "run", "--policy", "/nonexistent.json", "true",
                   env=self.env)

    def start(self, *words, **popen):
        full = dict(os.environ, MPTCPIZE_SHIM=SHIM, **self.env)
        full["ASAN_OPTIONS"] = "verify_asan_link_order=0:detect_leaks=0"
        child = subprocess.Popen([MPTCPCTL, "run", "--verbose", *words], env=full, text=True,
                                 stdout=subprocess.PIPE, **popen)
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def test_signal_to_mptcpctl_reaches_the_program(self):
        child = self.start("sh", "-c", "trap 'echo got; exit 5' TERM; echo ready; "
                           "while :; do sleep 0.01; done")
        self.assertEqual(child.stdout.readline(), "ready\n")
        child.terminate()
        self.assertEqual((child.wait(60), child.stdout.read()), (5, "got\n"))
        self.assert_clean()

    def test_ignored_end_of_children_does_not_matter(self):
        child = self.start("sh", "-c", "exit 4", preexec_fn=lambda: signal.signal(signal.SIGCHLD,
                                                                                  signal.SIG_IGN))
        self.assertEqual(child.wait(60), 4)

    def test_program_that_stops_stops_mptcpctl(self):
        child = self.start("sh", "-c", "kill -STOP $$; exit 3")
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        self.assertTrue(os.WIFSTOPPED(status))
        os.kill(child.pid, signal.SIGCONT)
        self.assertEqual(child.wait(60), 3)

    def test_terminal_keys_reach_the_program_once(self):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        child = self.start("sh", "-c", "trap 'n=$((n+1)); echo $n' INT; echo ready; "
                           "while [ ! -e \"$XDG_RUNTIME_DIR/end\" ]; do sleep 0.01; done; exit $n",
                           stdin=theirs, preexec_fn=lambda: (
                               os.setsid(), fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)))
        os.close(theirs)
        self.assertEqual(child.stdout.readline(), "ready\n")
        os.write(ours, b"\x03")
        self.assertEqual(child.stdout.readline(), "1\n")
        with open(os.path.join(self.runtime, "end"), "w", encoding="ascii"):
            pass
        self.assertEqual(child.wait(60), 1)


class Libraries(Case):
    def test_only_top_loads_what_only_top_needs(self):
        """Each library makes "mptcpctl run" start later."""
        done = subprocess.run([MPTCPCTL, "--version"], env=dict(os.environ, LD_DEBUG="libs"),
                              capture_output=True, text=True, check=True)
        self.assertIn("libc.so", done.stderr)
        for name in ("ncurses", "tinfo", "libnl"):
            self.assertNotIn(name, done.stderr)


class NoBus(Case):
    def test_missing_bus_is_a_failure(self):
        address = {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent/bus"}
        for words in (["status"], ["connections"], ["show", "1"], ["reload"]):
            self.fails(1, "the system bus can't be reached (No such file or directory): "
                       "DBUS_SYSTEM_BUS_ADDRESS is", *words, env=address)


class DeafBus(Case):
    """It takes connections, and says nothing: who waits for scripts or for a shell goes on."""

    def setUp(self):
        home = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, home)
        self.socket = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.socket.close)
        self.socket.bind(f"{home}/bus")
        self.socket.listen()
        self.env = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={home}/bus"}

    def test_deaf_bus_is_given_up(self):
        self.fails(1, "the system bus can't be reached: Connection timed out", "advise", "lte0",
                   "off", env=self.env)

    def test_deaf_bus_is_no_standard_output(self):
        """Nor is what else is opened next, if there was none."""
        with subprocess.Popen(["sh", "-c", 'exec "$@" >&-', "-", MPTCPCTL, "advise", "lte0", "off"],
                              env=dict(os.environ, **self.env), stderr=subprocess.PIPE) as child:
            self.socket.settimeout(60)
            with self.socket.accept()[0]:  # for so long it waits
                self.assertEqual(os.readlink(f"/proc/{child.pid}/fd/1"), "/dev/null")

    def test_deaf_bus_completes_nothing(self):
        done = ctl("complete", "--", "show", "", env=self.env)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_deaf_bus_doctor_says_so(self):
        done = ctl("--json", "doctor", env=self.env)
        self.assertEqual(done.returncode, 1)
        rows = [row for row in json.loads(done.stdout)["findings"] if row["check"] == "daemon"]
        self.assertEqual(rows[0]["subject"], "system bus")
        checks = {row["check"]: row for row in json.loads(done.stdout)["checks"]}
        self.assertFalse(checks["networkmanager"]["complete"])


class NotRunning(Bus):
    def test_daemon_not_running_says_how_to_start_it(self):
        for words in (["status"], ["connections"], ["show", "0x1a2b3c4d"], ["reload"]):
            self.fails(1, NOT_RUNNING, *words, env=self.env)


class Answers(Fake):
    def test_status_json(self):
        self.assertEqual(self.json("status"), {
            "version": "9.8.7",
            "kernel": {
                "release": "6.1.0",
                "features": [
                    {"name": "listener-events", "state": "fallback", "reason": "seen later"},
                    {"name": "deny-join", "state": "unknown", "reason": "not shown"},
                    {"name": "nftables", "state": "works", "reason": ""},
                ],
            },
            "path_manager": {"mode": "userspace", "previous": "kernel"},
            "plugin": "fullmesh",
            "connections": 300,
            "subflows": 600,
            "dead_after": 15,
            "limits": {"max_subflows": 4, "max_connections": 100000},
            "policies": {
                "count": 7,
                "directories": ["/usr/share/mptcpize/apps.d", "/etc/mptcpize/apps.d"],
                "database": "/run/mptcpize/policy.db",
                "generation": 3,
                "errors": ["/etc/mptcpize/apps.d/a.json:1:3: unknown \x1b[31m"],
            },
            "blackhole": {
                "count": 2, "age": 14, "state": "MPTCP is on again",
                "destinations": [
                    {"destination": "203.0.113.2", "age": 14, "left": 3586},
                    {"destination": "2001:db8::2", "age": None, "left": 7},
                ],
            },
            "authentication": {
                "gate": "missing", "gate_reason": "nf_tables is not in the kernel",
                "gate_dropped": 12, "port": 8684, "connections": 3, "confirmed": 2,
                "reason": "the port is busy",
            },
            "counters": {"actions_done": 7, "auth_forged": 0, "auth_received": 9,
                         "events": 2**63 - 1},
            "interfaces": [
                {"name": "wlan0", "index": 3, "role": "backup", "role_reason": "wlan*",
                 "usable": True, "reason": "", "addresses": ["192.0.2.1", "2001:db8::1"],
                 "routing": "own rule and table 26200: rp_filter is strict"},
                {"name": "eth\x1b[31m", "index": 12, "role": "on", "role_reason": "default",
                 "usable": False, "reason": "no carrier", "addresses": [],
                 "routing": ""},
            ],
        })

    def test_plugin(self):
        self.assertEqual(self.text("plugin", "0x1a2b3c4d", "handover"), "")
        self.assertEqual(self.json("plugin", "1a2b3c4d", "handover"), {})

    def test_status_text(self):
        text = self.text("status")
        self.assertIn("kernel          6.1.0\n", text)
        self.assertIn("KERNEL LACKS     SO\n"
                      "listener-events  seen later\n\n", text)
        self.assertIn("path manager    userspace (before: kernel)\n", text)
        self.assertIn("connections     300, at most 100000\n", text)
        self.assertIn("policies        7 from /usr/share/mptcpize/apps.d, /etc/mptcpize/apps.d\n"
                      "database        /run/mptcpize/policy.db, generation 3\n", text)
        self.assertIn("POLICY ERROR\n"
                      "/etc/mptcpize/apps.d/a.json:1:3: unknown \\x1b[31m\n", text)
        self.assertIn("dead after      15 s without a path\n", text)
        self.assertIn("blackholes      2, the last 14 s ago: MPTCP is on again\n", text)
        self.assertIn("authentication  UDP port 8684, 3 connections, 2 confirmed: "
                      "the port is busy\n"
                      "gate            missing: nf_tables is not in the kernel "
                      "(what to do: mptcpctl doctor)\n", text)
        self.assertIn("auth_received", text)
        self.assertNotIn("auth_forged", text)
        self.assertIn("BLACKHOLE    SECONDS  LEFT\n"
                      "203.0.113.2       14  3586\n"
                      "2001:db8::2  unknown     7\n", text)
        self.assertIn(
            "INTERFACE    INDEX  ROLE    FROM     USABLE          ADDRESSES\n"
            "wlan0            3  backup  wlan*    yes             192.0.2.1, 2001:db8::1\n"
            "eth\\x1b[31m     12  on      default  no: no carrier  -\n", text)

    def test_connections_json_has_all_pages(self):
        rows = self.json("connections")["connections"]
        self.assertEqual([row["token"] for row in rows], [f"0x{n:08x}" for n in range(1, 301)])
        self.assertEqual(rows[0], {
            "token": "0x00000001", "state": "established", "role": "client", "plugin": "fullmesh",
            "local": "192.0.2.1:5555", "remote": "[2001:db8::1]:443", "uid": None,
            "program": None, "pid": None, "policy": None, "user_timeout_msec": None,
            "authentication": "off", "authentication_mode": "off", "subflows": 2})
        self.assertEqual([rows[1][name] for name in ("uid", "program", "pid", "policy",
                                                     "user_timeout_msec")],
                         [1000, "curl", 4711, "web", 2000])

    def test_connections_text_is_aligned(self):
        lines = self.text("connections").splitlines()
        self.assertEqual(len(lines), 301)
        self.assertEqual(lines[0], "TOKEN       STATE        ROLE    PROGRAM  POLICY   PLUGIN    "
                                   "LOCAL           REMOTE              UID  SUBFLOWS  AUTH")
        self.assertEqual(lines[1], "0x00000001  established  client  unknown  unknown  fullmesh  "
                                   "192.0.2.1:5555  [2001:db8::1]:443     -         2  off")
        self.assertIn("client  curl     web      fullmesh", lines[2])
        self.assertTrue(lines[2].endswith("         2  confirmed"), lines[2])

    def test_show_json(self):
        value = self.json("show", "0x1a2b3c4d")
        subflows = value.pop("subflows")
        self.assertEqual(value, {
            "token": "0x1a2b3c4d", "state": "established", "role": "server", "plugin": "fullmesh",
            "local": "192.0.2.1:443", "remote": "198.51.100.7:5555", "uid": None,
            "program": "na\x1bme", "pid": 4711, "policy": "none", "user_timeout_msec": 2000,
            "authentication": "confirmed", "authentication_mode": "prefer",
            "authentication_reason": "the peer holds the \x1b[31mkey",
            "remotes": [{"id": 0, "address": "198.51.100.7:5555"}],
            "log": [{"time_usec": 1714564800123456, "what": "subflow created",
                     "reason": "a\n\x1b[2Jb"}]})
        self.assertEqual(subflows, [
            {"state": "established", "local": "192.0.2.1:443", "remote": "198.51.100.7:5555",
             "local_id": 0, "remote_id": 0, "interface": "wlan0", "backup": False,
             "backup_remote": True, "initial": True, "bytes_sent": 12300000, "bytes_received": 999,
             "rtt_usec": 12345, "retransmits": 3},
            {"state": "pending", "local": "203.0.113.1", "remote": "198.51.100.7:5555",
             "local_id": 1, "remote_id": 0, "interface": "", "backup": True,
             "backup_remote": False, "initial": False, "bytes_sent": None, "bytes_received": None,
             "rtt_usec": None, "retransmits": None}])

    def test_show_text(self):
        text = self.text("show", "1A2b3c4D")
        self.assertIn("program         na\\x1bme\n", text)
        self.assertIn("user timeout    2000 ms\n", text)
        self.assertIn("authentication  confirmed (prefer): the peer holds the \\x1b[31mkey\n",
                      text)
        self.assertIn("12.3 MB     999 B  12.3 ms            3\n", text)
        self.assertRegex(text, r"pending +- +203\.0\.113\.1 +1 .* ours +- +- +- +-\n")
        self.assertIn("2024-05-01 12:00:00.123  subflow created  a\\x0a\\x1b[2Jb\n", text)

    def test_show_unknown_token_is_a_failure(self):
        self.fails(1, "there is no connection 0x00000007", "show", "7", env=self.env)

    def test_reload_succeeds_silently(self):
        self.assertEqual(self.text("reload"), "")
        self.assertEqual(self.json("reload"), {})


class Unprotected(Fake):
    settings = {"FAKE_AUTH": "off"}

    def test_connections_have_no_column_of_authentication(self):
        self.assertTrue(self.text("connections").splitlines()[0].endswith("UID  SUBFLOWS"))


class Colours(Fake):
    def terminal(self, **env):
        """What status prints on a terminal."""
        ours, theirs = pty.openpty()
        full = dict(os.environ, **self.env, TERM="xterm")
        full.pop("NO_COLOR", None)
        full.update(env)
        subprocess.run([MPTCPCTL, "show", "1a2b3c4d"], env=full, stdout=theirs, check=True)
        os.close(theirs)
        text = os.read(ours, 65536).decode()
        os.close(ours)
        return text

    def test_terminal_has_colours(self):
        self.assertIn("\x1b[32mestablished\x1b[0m", self.terminal())

    def test_no_color_is_heeded(self):
        self.assertNotIn("\x1b", self.terminal(NO_COLOR="1"))
        self.assertNotIn("\x1b", self.terminal(TERM="dumb"))


class Denied(Fake):
    settings = {"FAKE_RELOAD": "denied", "FAKE_CURSOR": "stuck"}

    def test_reload_denied_says_what_to_do(self):
        self.fails(1, "permission denied: run mptcpctl as root", "reload", env=self.env)

    def test_list_that_never_ends_is_a_failure(self):
        self.fails(1, "again and again", "connections", env=self.env)


class Broken(Fake):
    settings = {"FAKE_RELOAD": "broken"}

    def test_reload_of_a_mistake_names_its_place(self):
        self.fails(1, "the configuration is refused: mptcpized.conf:2:3: unknown key",
                   "reload", env=self.env)


if __name__ == "__main__":
    sys.exit(unittest.main())
