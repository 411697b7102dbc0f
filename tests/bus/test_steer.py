#!/usr/bin/python3
"""Roles and limits that are set while the daemon runs, and questions about policies."""

import buscalls
from buscalls import INTERFACE_INTERFACE, MANAGER, MANAGER_INTERFACE, NOBODY, connections, stage
from harness import check, check_equal
from lab import SERVICE4, wait_for

ERROR = "org.mptcpize1.Error."
DENIED = "org.freedesktop.DBus.Error.AccessDenied"
LTE = f"{MANAGER}/interface/lte0"


def call(method, signature, *args, path=MANAGER, interface=MANAGER_INTERFACE):
    return buscalls.call(path, interface, method, signature, *args)


def refused(method, *args, **where):
    """The name of the error, without what all have in common, and its text."""
    name, text = buscalls.error_of(method, *args, **where)
    return name.removeprefix(ERROR), text


def role(path=LTE):
    return buscalls.get(path, INTERFACE_INTERFACE, "Role", "RoleReason", "Usable")


def limits():
    return buscalls.get(MANAGER, MANAGER_INTERFACE, "MaxSubflows", "MaxAccepted", "MaxJoins",
                        "MaxRetries", "MaxConnections")


def subflow_count():
    return buscalls.get(MANAGER, MANAGER_INTERFACE, "SubflowCount")[0]


def test_role_is_set_and_counts_at_once(lab):
    """off closes what is there; back to the configuration, by the object, opens it again."""
    stage(lab)
    with connections(1):
        wait_for(lambda: subflow_count() == 2, "two subflows")
        check_equal(buscalls.get(LTE, INTERFACE_INTERFACE, "SubflowCount"), [1], "subflows of it")
        call("SetRole", "ssb", "lte0", "off", "false")
        wait_for(lambda: subflow_count() == 1, "one subflow")
        check_equal(role(), ["off", "set at run time", False], "role")
        call("SetRole", "sb", "", "false", path=LTE, interface=INTERFACE_INTERFACE)
        wait_for(lambda: subflow_count() == 2, "two subflows")
        check_equal(role(), ["on", "default", True], "role")


def test_role_is_kept_over_a_restart_only_if_asked(lab):
    """keep"""
    daemon = stage(lab)
    call("SetRole", "ssb", "lte0", "backup", "true")
    call("SetRole", "ssb", "wifi0", "backup", "false")
    daemon.stop()
    daemon.start()
    check_equal(role()[0], "backup", "role that was to be kept")
    check_equal(role(f"{MANAGER}/interface/wifi0")[0], "on", "role that was not")


def test_role_bad_words_are_errors(lab):
    """No such role, no such interface, no name for one; and nobody but root."""
    stage(lab)
    for name, words in (("BadRole", ("lte0", "best")), ("NoSuchInterface", ("lte1", "off")),
                        ("NoSuchInterface", ("../lte0", "off")), ("BadRole", ("lte0", "x" * 9999)),
                        ("NoSuchInterface", ("x" * 9999, "off"))):
        found, text = refused("SetRole", *(f"string:{word}" for word in words), "boolean:false")
        check_equal(found, name, f"{text[:100]}")
    check_equal(refused("SetRole", "string:a/b", "string:off", "boolean:true")[0],
                "NoSuchInterface", "error of a name that can't be, to be kept")
    for path, interface, words in ((MANAGER, MANAGER_INTERFACE, ["string:lte0"]),
                                   (LTE, INTERFACE_INTERFACE, [])):
        check_equal(refused("SetRole", *words, "string:off", "boolean:true", path=path,
                            interface=interface, prefix=NOBODY)[0], DENIED, f"error at {path}")
    check_equal(role(), ["on", "default", True], "role")


def test_limits_are_set_until_the_next_reload(lab):
    """Those that are named; what is over them is closed."""
    stage(lab)
    with connections(1):
        wait_for(lambda: subflow_count() == 2, "two subflows")
        before = limits()
        call("SetLimits", "a{su}", 2, "MaxSubflows", 1, "MaxJoins", 2)
        check_equal(limits(), [1, before[1], 2, *before[3:]], "limits")
        wait_for(lambda: subflow_count() == 1, "one subflow")
        call("Reload", "")
        check_equal(limits(), before, "limits after a reload")


def test_limits_bad_ones_are_errors_and_change_nothing(lab):
    """Unknown keys, values out of range, wrong types."""
    stage(lab)
    before = limits()
    for most, words in ((32, ("MaxSubflows", 33)), (32, ("MaxAccepted", 33)),
                        (32, ("MaxJoins", 33)), (100000, ("MaxRetries", 100001)),
                        (100000, ("MaxConnections", 100001))):
        key, value = words
        text = refused("SetLimits", f"dict:string:uint32:{key},{value}")[1]
        check(f"can't be {value}: expected 1 to {most}" in text, text)
        call("SetLimits", "a{su}", 1, key, most)
    call("Reload", "")
    for words in (("Colour", 1), ("MaxSubflows", 0), ("MaxSubflows", 65),
                  ("MaxJoins", 1, "MaxConnections", 4294967295), ("MaxJoins", 1) * 6,
                  ("x" * 9999, 1)):
        pairs = ",".join(map(str, words))
        name, text = refused("SetLimits", f"dict:string:uint32:{pairs}")
        check_equal(name, "BadLimit", text[:100])
    check(refused("SetLimits", "dict:string:string:MaxSubflows,1")[0].endswith("InvalidArgs"),
          "wrong types are the bus's error")
    check_equal(refused("SetLimits", "dict:string:uint32:MaxSubflows,1", prefix=NOBODY)[0], DENIED,
                "error for nobody")
    check_equal(limits(), before, "limits as before")


def explain(*pairs):
    return call("Explain", "a{sv}", len(pairs) // 3, *pairs)[0]


def test_explain_says_what_and_where(lab):
    """As mptcpctl policy explain does."""
    daemon = stage(lab)
    path = daemon.policy("web", {"match": {"app": "curl"},
                                 "socket": {"except": [{"to": "10.0.0.0/8"}]}})
    call("Reload", "")
    where = ("Program", "s", "curl", "Address", "s")
    answer = explain(*where, f"{SERVICE4}:80")
    check_equal((answer["Verdict"], answer["Policy"]), ("mptcp", "web"), "what may be")
    check(answer["Place"].startswith(f"{path}:"), f"place of the policy: {answer}")
    answer = explain(*where, "10.1.1.1")
    check_equal((answer["Verdict"], answer["Policy"]), ("tcp", "web"), "what is excepted")
    check(answer["Place"].startswith(f"{path}:"), f"place of the rule: {answer}")
    answer = explain("Exe", "s", "/usr/bin/wget", "Address", "s", "127.0.0.1", "Uid", "u", 7)
    check_equal((answer["Verdict"], answer["Policy"], answer["Place"]), ("tcp", "none", ""),
                "what no policy speaks of")
    check_equal(explain(*where, "*:443", "Call", "s", "listen")["Verdict"], "mptcp", "listen")


def test_explain_anybody_may_ask(lab):
    """Reading is open."""
    stage(lab)
    answer = buscalls.call(MANAGER, MANAGER_INTERFACE, "Explain", "a{sv}", 1, "Address", "s",
                           SERVICE4, prefix=NOBODY)[0]
    check_equal(answer["Verdict"], "mptcp", "verdict")


def test_explain_bad_questions_are_errors(lab):
    """Unknown keys, wrong types, no address, calls that there aren't."""
    stage(lab)
    there = ("Address", "s", SERVICE4)
    for text, question in (("\"Colour\" is no key", (*there, "Colour", "s", "blue")),
                           ("must be connect or listen", (*there, "Call", "s", "send")),
                           ("\"Address\" must be a string", ("Address", "u", 7)),
                           ("\"Uid\" must be a u", (*there, "Uid", "s", "0")),
                           ("\"\" is no address", ("Program", "s", "curl")),
                           ("is no address to connect to", ("Address", "s", "*:80")),
                           ("at most 7 keys", (*there * 8,)),
                           ("\"here\" is no address", (*there, "Local", "s", "here")),
                           ("Local", (*there, "Call", "s", "listen", "Local", "s", "192.0.2.1")),
                           ("is no address", ("Address", "s", "1" * 99999))):
        done = buscalls.busctl("call", buscalls.NAME, MANAGER, MANAGER_INTERFACE, "Explain",
                               "a{sv}", len(question) // 3, *question)
        check(done.returncode != 0 and text in done.stderr, f"{text}: {done.stderr[:100].strip()}")
    check(refused("Explain", "dict:string:string:Program,curl")[0].endswith("InvalidArgs"),
          "a wrong signature is the bus's error")


buscalls.main([test_role_is_set_and_counts_at_once,
               test_role_is_kept_over_a_restart_only_if_asked,
               test_role_bad_words_are_errors,
               test_limits_are_set_until_the_next_reload,
               test_limits_bad_ones_are_errors_and_change_nothing,
               test_explain_says_what_and_where,
               test_explain_anybody_may_ask,
               test_explain_bad_questions_are_errors])
