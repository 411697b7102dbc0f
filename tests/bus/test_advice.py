#!/usr/bin/python3
"""Advice on interfaces over the bus: whose word counts, and what is refused."""

import buscalls
from buscalls import MANAGER, MANAGER_INTERFACE, NOBODY, error_of, stage
from harness import check, check_equal
from lab import wait_for

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


buscalls.main([test_advice_is_a_role_until_taken_back,
               test_advice_yields_to_the_configuration,
               test_advice_leaving_interface_is_not_usable,
               test_advice_bad_calls_are_refused,
               test_advice_limit_is_kept,
               test_advice_reason_is_one_line])
