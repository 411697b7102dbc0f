#!/usr/bin/python3
"""Advice on interfaces over the bus: whose word counts, and what is refused."""

import os

import buscalls
import programs
from buscalls import MANAGER, MANAGER_INTERFACE, NOBODY, error_of, stage
from harness import check, check_equal
from lab import WORK, wait_for, write
from netmanager import example

METERED = "NetworkManager: metered"
LIMIT = 64  # interfaces, see limits.h


def advise(name, role, reason=METERED):
    buscalls.call(MANAGER, MANAGER_INTERFACE, "Advise", "sss", name, role, reason)


def refusal(name, role):
    error, text = error_of("Advise", f"string:{name}", f"string:{role}", "string:why")
    return error.removeprefix("org.mptcpize1.Error."), text


def shown(name):
    """(role, where it comes from, usable) of an interface."""
    rows = buscalls.get(MANAGER, MANAGER_INTERFACE, "Interfaces")[0]
    row = next(row for row in rows if row["Name"] == name)
    return row["Role"], row["RoleReason"], row["Usable"]


def subflows(name):
    return buscalls.get(f"{MANAGER}/interface/{name}", buscalls.INTERFACE_INTERFACE,
                        "SubflowCount")[0]


def test_advice_is_a_role_until_taken_back(lab):
    """It is shown with its reason, and in the log of the daemon when it changes."""
    daemon = stage(lab)
    for _ in range(2):
        advise("lte0", "backup")
        check_equal(shown("lte0"), ("backup", METERED, True), "lte0")
    advise("lte0", "off")
    check_equal(shown("lte0"), ("off", METERED, False), "lte0")
    advise("lte0", "")
    check_equal(shown("lte0"), ("on", "default", True), "lte0 without advice")
    log = [line for line in daemon.log_text().splitlines() if "advice on lte0" in line]
    check_equal(len(log), 3, f"lines in the log: {log}")


def test_advice_yields_to_the_configuration(lab):
    """And comes into force when that has no word on the interface any more."""
    daemon = stage(lab, {"interfaces": {"lte*": "on"}})
    advise("lte0", "backup")
    check_equal(shown("lte0"), ("on", "lte*", True), "lte0")
    daemon.configure({})
    buscalls.call(MANAGER, MANAGER_INTERFACE, "Reload")
    check_equal(shown("lte0"), ("backup", METERED, True), "lte0 after a reload")


def test_advice_leaving_interface_is_not_usable(lab):
    """Whatever its role, until something else is said; there or to come."""
    stage(lab, {"interfaces": {"lte*": "master"}})
    advise("lte0", "leaving", "NetworkManager: about to go down")
    check_equal(shown("lte0"), ("master", "lte*", False), "lte0")
    advise("lte0", "")
    check_equal(shown("lte0"), ("master", "lte*", True), "lte0")
    advise("wwan7", "leaving")


def test_advice_bad_calls_are_refused(lab):
    """With a reason, and nothing changes."""
    stage(lab)
    for name, role, error in (("lte0", "often", "BadRole"), ("lte0", "none", "BadRole"),
                              ("", "on", "NoSuchInterface"), ("a/b", "on", "NoSuchInterface"),
                              ("a" * 16, "on", "NoSuchInterface"),
                              ("a" * 1000, "on", "NoSuchInterface")):
        check_equal(refusal(name, role)[0], error, f"{name[:20]} {role}")
    check_equal(shown("lte0"), ("on", "default", True), "lte0")
    error, _text = error_of("Advise", "string:lte0", "string:on", "string:why", prefix=NOBODY)
    check_equal(error, "org.freedesktop.DBus.Error.AccessDenied", "by nobody")


def test_advice_limit_is_kept(lab):
    """So many interfaces and no more, until one is taken back."""
    stage(lab)
    for number in range(LIMIT):
        advise(f"eth{number}", "backup")
    error, text = refusal("lte0", "backup")
    check_equal(error, "TooMany", text)
    advise("eth7", "")
    advise("lte0", "backup")
    check_equal(shown("lte0"), ("backup", METERED, True), "lte0")


def test_advice_reason_is_one_line(lab):
    """Whatever somebody sends as a reason: the log and the tables stay readable."""
    daemon = stage(lab)
    advise("lte0", "backup", "two\nlines\x1b[31m" + "x" * 500)
    role, reason, _ = shown("lte0")
    check(role == "backup" and reason.startswith("two lines [31mxxx"), f"reason {reason[:30]!r}")
    wait_for(lambda: "two lines" in daemon.log_text(), "a line in the log")


def test_advice_by_mptcpctl_is_a_role(lab):
    """The words of people, and what is wrong with those of others."""
    daemon = stage(lab)
    for words, status, wanted in ((("backup", "it costs"), 0, ("backup", "it costs", True)),
                                  (("off",), 0, ("off", "advised", False)),
                                  (("often",), 2, ("off", "advised", False)),
                                  (("leaving", "why"), 0, ("on", "default", False)),
                                  (("default",), 0, ("on", "default", True))):
        check_equal(daemon.ctl("advise", "lte0", *words).returncode, status, f"{words}: status")
        check_equal(shown("lte0"), wanted, "lte0")
    done = daemon.ctl("advise", "a/b", "on")
    check_equal((done.returncode, "can't be the name" in done.stderr), (1, True), "a/b")


def test_advice_example_of_the_manual_takes_a_link_down(lab):
    """The data has left it before, and it is used again when it is up."""
    stage(lab)
    path = f"{os.path.dirname(programs.Build.find().ctl)}:{os.environ['PATH']}"
    with buscalls.connections(1):
        wait_for(lambda: subflows("lte0") == 1, "a subflow on lte0")
        lines = example("mptcpctl advise lte0 leaving").splitlines()
        programs.run(["sh", "-ec", lines[0]], env={"PATH": path})
        check_equal(shown("lte0"), ("on", "default", False), "lte0 while it is leaving")
        wait_for(lambda: subflows("lte0") == 0, "no subflow on lte0, which is up")
        for line in lines[1:]:
            check_equal(programs.run(["sh", "-ec", line], env={"PATH": path}).returncode, 0, line)
        lab.path_up(1)
        wait_for(lambda: subflows("lte0") == 1, "a subflow on lte0 again")


def test_advice_does_not_start_the_daemon(lab):
    """Other calls may; this one comes whenever a cable is plugged in."""
    write(f"{WORK}/{buscalls.NAME}.service",
          f"[D-BUS Service]\nName={buscalls.NAME}\nExec=/usr/bin/touch {WORK}/started\n")
    programs.BUS_CONF = programs.BUS_CONF.replace("<auth>",
                                                  f"<servicedir>{WORK}</servicedir><auth>")
    programs.start_bus(lab)
    daemon = programs.Daemon(lab)
    done = daemon.ctl("advise", "lte0", "on")
    check_equal((done.returncode, "not running" in done.stderr), (1, True), "status, message")
    check(not os.path.exists(f"{WORK}/started"), "nobody has started it")
    daemon.ctl("status")
    check(os.path.exists(f"{WORK}/started"), "another command does")


buscalls.main([test_advice_is_a_role_until_taken_back,
               test_advice_yields_to_the_configuration,
               test_advice_leaving_interface_is_not_usable,
               test_advice_bad_calls_are_refused,
               test_advice_limit_is_kept,
               test_advice_reason_is_one_line,
               test_advice_by_mptcpctl_is_a_role,
               test_advice_example_of_the_manual_takes_a_link_down,
               test_advice_does_not_start_the_daemon])
