#!/usr/bin/python3
"""An operator steers live connections by mptcpctl: subflows, addresses, roles, limits; and watches.

What is asked for is seen at the kernel and in the data, not only in what the daemon says.
"""

import json
import os
import re
import select
import signal
import subprocess
import time

import harness
from harness import check, check_equal, needs_program
from kernelstate import kernel_state
from lab import PATIENCE, SERVER, SERVICE4, Failed, ip_batch, wait_for
from programs import Curl, Nginx, Process, daemon_at, run, stage, start_bus, wait_for_subflows

SIZE = 80_000_000  # longer than the tests need; the throttle is opened at the end
SOME = 1_000_000
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]


class Monitor:
    """mptcpctl monitor --json, and the lines that it has printed."""

    def __init__(self, lab, daemon, *words, prefix=()):
        argv = [*prefix, daemon.build.ctl, "monitor", "--json", *words]
        self.process = lab.add(Process(argv, "monitor", env=daemon.env, stdout=subprocess.PIPE))
        self.stream = self.process.popen.stdout.fileno()
        self.rest = b""
        self.lines = []
        self.wait(lambda line: line["kind"] == "connected", "the subscription")

    def next(self, what):
        """The next line; Failed if none comes."""
        end = time.monotonic() + PATIENCE
        while b"\n" not in self.rest:
            if select.select([self.stream], [], [], 0.1)[0]:
                if not (more := os.read(self.stream, 65536)):
                    raise Failed(f"the monitor has ended before {what}")
                self.rest += more
            elif time.monotonic() > end:
                raise Failed(f"the monitor did not show {what}, but {self.lines[-5:]}")
        text, self.rest = self.rest.split(b"\n", 1)
        self.lines.append(json.loads(text))
        return self.lines[-1]

    def wait(self, fits, what):
        """The first line that fits, of those that have not been looked at yet."""
        while not fits(line := self.next(what)):
            pass
        return line

    def shows(self, what, reason):
        line = self.wait(lambda line: re.search(what, line.get("what") or "")
                         and re.search(reason, line.get("reason") or ""), f"{what}: {reason}")
        check(True, f"monitor: {line['what']}: {line['reason']}")
        return line

    def end(self):
        self.process.send(signal.SIGINT)
        check_equal(self.process.wait(), 0, "exit status of the monitor")


def order(daemon, *words):
    """mptcpctl, which has to succeed and say nothing."""
    done = daemon.ctl(*words)
    check_equal((done.returncode, done.stdout, done.stderr), (0, "", ""),
                f"mptcpctl {' '.join(words)}")


def refused(daemon, message, *words, status=1, prefix=()):
    done = run([*prefix, daemon.build.ctl, *words], env=daemon.env)
    check_equal((done.returncode, done.stdout), (status, ""), f"status of {' '.join(words)}")
    check(message in done.stderr, f"it says: {done.stderr.strip()}")


def progress(lab, name):
    """Waits for data on an interface."""
    goal = lab.carried()[name] + SOME
    wait_for(lambda: lab.carried()[name] >= goal, f"{SOME} more bytes on {name}")


def is_quiet(lab, name, other):
    """Next to nothing on an interface while the other one carries."""
    before = lab.carried()[name]
    for _ in range(3):
        progress(lab, other)
    return lab.carried()[name] - before < SOME / 2


def wait_for_quiet(lab, name, other):
    wait_for(lambda: is_quiet(lab, name, other), f"{name} is quiet", PATIENCE * 3)


def finish(lab, curl):
    lab.open_throttle()
    curl.finish()
    check(True, "every byte arrived as it was sent")


def in_kernel(lab, *indices):
    """Does the kernel have established subflows on just these paths?"""
    found = sorted(address.rsplit(":", 1)[0] for locals_ in kernel_state().values()
                   for address in locals_)
    return found == sorted(lab.paths[index].client4 for index in indices)


def test_steer_subflow_removed_stays_away_until_added(lab):
    """fullmesh has both paths; one is removed, and comes back only when it is asked for."""
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    token = daemon.connection()["token"]
    monitor = Monitor(lab, daemon, token)
    order(daemon, "subflow", "remove", token, "lte0")
    wait_for(lambda: in_kernel(lab, 0), "one subflow in the kernel")
    monitor.shows("destroy .*198.51.100.1", "operator")
    lab.path_down(1)
    wait_for(lambda: not daemon.query("interface", "lte0")["usable"], "the loss of lte0")
    lab.path_up(1)
    wait_for(lambda: daemon.query("interface", "lte0")["usable"], "the return of lte0")
    progress(lab, "wifi0")
    wait_for_subflows(daemon, ["wifi0"])
    check(in_kernel(lab, 0), "it stays away, also when its link comes back")
    order(daemon, "subflow", "add", token[:6], "lte0")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    monitor.shows("create .*198.51.100.1", "operator")
    progress(lab, "lte0")
    check(True, "it carries data again")
    monitor.end()
    finish(lab, curl)


def test_steer_subflow_added_where_no_plugin_wants_one(lab):
    """announce joins nothing by itself; what can't be added is told in a sentence."""
    daemon = stage(lab, {"plugin": "announce"}, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, ["wifi0"])
    token = daemon.connection()["token"]
    progress(lab, "wifi0")
    for words, message in ((["lte7"], "lte7"), (["10.99.99.99"], "no such address"),
                           (["2001:db8:2::1", f"{SERVICE4}:80"], "IPv6"),
                           (["lte0", "2001:db8:ffff::1"], "mismatch"),
                           (["lte0", "300.1.2.3"], "300.1.2.3"), (["wifi0"], "")):
        refused(daemon, message, "subflow", "add", token, *words)
    order(daemon, "subflow", "add", token, lab.paths[1].client4, f"{SERVICE4}:80", "--backup")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    row = next(row for row in daemon.subflows() if row["interface"] == "lte0")
    check_equal(row["backup"], True, "its backup bit")
    check(is_quiet(lab, "lte0", "wifi0"), "a backup carries nothing")
    for words in (["lte7"], ["10.99.99.99"], ["lte0", "203.0.113.9"], [f"{SERVICE4}:81"]):
        refused(daemon, "", "subflow", "remove", token, *words)
    finish(lab, curl)


def test_steer_backup_moves_data(lab):
    """With its subflow as backup, a path falls silent; and carries again afterwards."""
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    token = daemon.connection()["token"]
    monitor = Monitor(lab, daemon)
    order(daemon, "subflow", "backup", token, "wifi0")
    monitor.shows("backup", "operator")
    wait_for_quiet(lab, "wifi0", "lte0")
    check(True, "data has moved to lte0")
    order(daemon, "subflow", "backup", token, "wifi0", "off")
    progress(lab, "wifi0")
    check(True, "wifi0 carries again")
    monitor.end()
    finish(lab, curl)


def test_steer_announced_address_is_joined(lab):
    """The server tells one client of its second address, and takes it back."""
    start_bus(lab)
    ip_batch(["mptcp limits set subflows 8 add_addr_accepted 8"])
    server = daemon_at(lab, SERVER, {"plugin": "backup"})
    Nginx(lab)
    Nginx.file("data", SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for(lambda: len(server.subflows()) == 1, "the connection")
    token = server.connection()["token"]
    far = f"{lab.paths[1].net4}.254"
    refused(server, "", "announce", "add", token, "198.18.0.1")
    order(server, "announce", "add", token, far)
    wait_for(lambda: {row["local"] for row in server.subflows()} == {f"{SERVICE4}:80",
                                                                      f"{far}:80"},
             "a join to the second address")
    progress(lab, "lte0")
    order(server, "announce", "remove", token, far)
    wait_for(lambda: len(server.subflows()) == 1, "the end of that subflow")
    check(True, "the client has left it")
    finish(lab, curl)


def test_steer_role_is_followed_and_kept(lab):
    """Another role at run time: subflows follow; with --keep it survives the daemon."""
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    monitor = Monitor(lab, daemon)
    order(daemon, "interface", "lte0", "off")
    wait_for(lambda: in_kernel(lab, 0), "one subflow in the kernel")
    check_equal(daemon.query("interface", "lte0")["role"], "off", "role")
    order(daemon, "interface", "lte0", "default")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    check_equal(daemon.query("interface", "lte0")["role"], "on", "role")
    order(daemon, "interface", "lte0", "backup", "--keep")
    wait_for(lambda: [row["backup"] for row in daemon.subflows() if row["interface"] == "lte0"]
             == [True], "its subflow is a backup")
    wait_for_quiet(lab, "lte0", "wifi0")
    daemon.stop()
    monitor.wait(lambda line: line["kind"] == "disconnected", "that the daemon has gone")
    daemon.start()
    monitor.wait(lambda line: line["kind"] == "connected", "that the daemon is back")
    row = daemon.query("interface", "lte0")
    check_equal(row["role"], "backup", "role after a restart")
    check("lte0" in daemon.ctl("interface").stdout, "the list has it")
    print(f"#           it comes from: {row['role_reason']}")
    order(daemon, "interface", "lte0", "default")
    check_equal(daemon.query("interface", "lte0")["role"], "on", "role")
    refused(daemon, "expected: master, on, backup", "interface", "lte0", "bakcup", status=2)
    refused(daemon, "", "interface", "a/b", "on")
    monitor.end()
    finish(lab, curl)


def test_steer_limits_hold_until_reload(lab):
    """With less subflows allowed, another one is refused with the reason."""
    daemon = stage(lab, {"plugin": "announce"}, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, ["wifi0"])
    token = daemon.connection()["token"]
    order(daemon, "limits", "max_subflows=1")
    check_equal(daemon.query("limits")["max_subflows"], 1, "max_subflows")
    refused(daemon, "no more than 1", "subflow", "add", token, "lte0")
    refused(daemon, "", "limits", "max_subflows=0")
    refused(daemon, "", "limits", "max_subflows=4294967295")
    order(daemon, "reload")
    check_equal(daemon.query("limits")["max_subflows"], 4, "max_subflows after a reload")
    order(daemon, "subflow", "add", token, "lte0")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    finish(lab, curl)


@needs_program("setpriv")
def test_steer_ordinary_user_looks_and_changes_nothing(lab):
    """Who is not root sees all of it, and is told what a change needs."""
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    token = daemon.connection()["token"]
    for words in (["status"], ["connections"], ["show", token], ["interface"],
                  ["interface", "lte0"], ["plugin"], ["limits"], ["complete", "--", "show", ""]):
        done = run([*NOBODY, daemon.build.ctl, *words], env=daemon.env)
        check_equal((done.returncode, done.stderr), (0, ""), f"nobody: {' '.join(words)}")
        check(done.stdout.strip(), "it has an answer")
    for words in (["subflow", "add", token, "lte0"], ["subflow", "remove", token, "lte0"],
                  ["subflow", "backup", token, "lte0"], ["announce", "add", token, "192.0.2.1"],
                  ["announce", "remove", token, "192.0.2.1"], ["interface", "lte0", "off"],
                  ["interface", "lte0", "off", "--keep"], ["limits", "max_subflows=1"],
                  ["plugin", token, "off"], ["reload"]):
        refused(daemon, "run mptcpctl as root, or let polkit allow you org.mptcpize1.manage",
                *words, prefix=NOBODY)
    check(in_kernel(lab, 0, 1), "nothing has changed")
    finish(lab, curl)


@needs_program("setpriv")
def test_steer_monitor_shows_the_life_of_a_connection(lab):
    """From the first subflow to the end, with reasons, to a user that is not root."""
    daemon = stage(lab)
    monitor = Monitor(lab, daemon, prefix=NOBODY)
    Curl(lab, SERVICE4, "data").finish()
    added = monitor.wait(lambda line: line["kind"] == "connection-added", "a connection")
    token = added["token"]
    created = monitor.wait(lambda line: line["kind"] == "action" and line["token"] == token,
                           "an action")
    check(created["reason"], f"it has a reason: {created['what']}: {created['reason']}")
    monitor.wait(lambda line: line["kind"] == "connection-removed" and line["token"] == token,
                 "its end")
    serials = [line["serial"] for line in monitor.lines if "serial" in line]
    check_equal(serials, list(range(serials[0], serials[0] + len(serials))), "serials")
    check(not [line for line in monitor.lines if line["kind"] == "lost"], "nothing was lost")
    monitor.end()


harness.main([test_steer_subflow_removed_stays_away_until_added,
              test_steer_subflow_added_where_no_plugin_wants_one,
              test_steer_backup_moves_data,
              test_steer_announced_address_is_joined,
              test_steer_role_is_followed_and_kept,
              test_steer_limits_hold_until_reload,
              test_steer_ordinary_user_looks_and_changes_nothing,
              test_steer_monitor_shows_the_life_of_a_connection])
