#!/usr/bin/python3
"""The methods of org.mptcpize1: who may call them, what they give, which errors."""

import json

import buscalls
from buscalls import (CONNECTION_INTERFACE, MANAGER, MANAGER_INTERFACE, NOBODY, connections, count,
                      local_connection, stage)
from harness import check, check_equal
from lab import wait_for

ROWS = 256  # of one List() call, see the XML
ROW_KEYS = {"Token", "State", "Role", "Plugin", "Local", "Remote", "Uid", "Program", "Pid",
            "Policy", "UserTimeoutMsec", "Authentication", "AuthenticationMode", "Subflows"}
NO_CONNECTION = "org.mptcpize1.Error.NoSuchConnection"
BAD_CONFIGURATION = "org.mptcpize1.Error.BadConfiguration"
NO_MODE = "org.mptcpize1.Error.NoSuchMode"
NOT_MANAGED = "org.mptcpize1.Error.NotManaged"
INVALID = "org.freedesktop.DBus.Error.InvalidArgs"
DENIED = "org.freedesktop.DBus.Error.AccessDenied"


def pages(size):
    """All pages of a walk: lists of tokens."""
    found, cursor = [], 0
    while True:
        rows, cursor = buscalls.list_rows(cursor, size)
        found.append([row["Token"] for row in rows])
        if cursor == 0:
            return found


def test_list_empty_ends_at_once(lab):
    """No connection: no row, no next page."""
    stage(lab)
    check_equal(buscalls.list_rows(0, 10), [[], 0], "rows and next cursor")


def test_list_pages_have_every_connection_once(lab):
    """Seven connections in pages of three, one and seven."""
    stage(lab)
    with connections(7):
        tokens = pages(100)[0]
        check_equal(len(set(tokens)), 7, "different tokens")
        check_equal(tokens, sorted(tokens), "tokens, in order")
        for size, lengths in ((3, [3, 3, 1]), (1, [1] * 7), (7, [7]), (8, [7])):
            walk = pages(size)
            check_equal([len(page) for page in walk], lengths, f"lengths of pages of {size}")
            check_equal(sum(walk, []), tokens, "tokens of all pages")
        check_equal(buscalls.list_rows(tokens[3], 100)[0][0]["Token"], tokens[3],
                    "first token from that very token on")
        check_equal(buscalls.list_rows(tokens[-1] + 1, 100), [[], 0], "behind the last")


def test_list_row_has_its_keys(lab):
    """Those of the XML, no more and no fewer, and the same values as the object has."""
    stage(lab)
    with connections(1):
        row = buscalls.list_rows(0, 10)[0][0]
        check_equal(set(row), ROW_KEYS, "keys")
        check_equal((row["Role"], row["Plugin"]), ("client", "fullmesh"), "role and plugin")
        names = sorted(ROW_KEYS - {"Subflows", "State"})
        path = buscalls.connection_path(row["Token"])
        check_equal(buscalls.get(path, CONNECTION_INTERFACE, *names), [row[name] for name in names],
                    "values of the object")


def test_nothing_is_protected_by_default(lab):
    """No policy asks for authentication: no port, no gate, nothing said of connections."""
    stage(lab)
    with connections(1):
        path = buscalls.connection_path(pages(10)[0][0])
        check_equal(buscalls.get(path, CONNECTION_INTERFACE, "Authentication",
                                 "AuthenticationMode", "AuthenticationReason"),
                    ["off", "off", ""], "of a connection")
    check_equal(buscalls.get(MANAGER, MANAGER_INTERFACE, "Gate", "GateReason", "GateDropped",
                             "AuthPort", "AuthConnections", "AuthConfirmed", "AuthReason"),
                ["off", "", 0, 0, 0, 0, ""], "of the daemon")
    counters = buscalls.get(MANAGER, MANAGER_INTERFACE, "Counters")[0]
    check_equal({counters[name] for name in counters if name.startswith("auth_")}, {0}, "counters")


def test_list_more_than_a_page_can_hold_is_cut(lab):
    """257 connections: 256 rows, even if a thousand are asked for, and then the last one."""
    stage(lab, {"limits": {"max_subflows": 1}})
    with connections(ROWS + 1):
        check_equal([len(page) for page in pages(1000)], [ROWS, 1], "lengths of pages")


def test_list_max_0_is_an_error(lab):
    """It could never end."""
    stage(lab)
    name, text = buscalls.error_of("List", "uint32:0", "uint32:0")
    check_equal(name, INVALID, "error")
    check("max is 0" in text, f"it says so: {text}")


def test_get_connection_unknown_is_an_error(lab):
    """Before there was any, and for one that has ended."""
    stage(lab)
    check_equal(buscalls.error_of("GetConnection", "uint32:3735928559"),
                (NO_CONNECTION, "there is no connection 0xdeadbeef"), "error and text")
    with connections(1):
        token = pages(10)[0][0]
        path = buscalls.connection_path(token)
        check_equal(path, f"/org/mptcpize1/connection/{token:08x}", "object")
    wait_for(lambda: count() == 0, "the end of the connection")
    check_equal(buscalls.error_of("GetConnection", f"uint32:{token}")[0], NO_CONNECTION, "error")
    check(buscalls.busctl("get-property", buscalls.NAME, path, CONNECTION_INTERFACE,
                          "State").returncode != 0, "its object is gone, too")


def test_connection_path_that_is_no_token_has_no_object(lab):
    """Capital digits, too few, too many, no digits."""
    stage(lab)
    with connections(1):
        path = buscalls.connection_path(pages(10)[0][0])
        for wrong in (path[:-1], path + "0", path[:-8] + "zzzzzzzz", path.upper()[-8:] + "_"):
            full = wrong if wrong.startswith("/") else f"{MANAGER}/connection/{wrong}"
            done = buscalls.busctl("get-property", buscalls.NAME, full, CONNECTION_INTERFACE,
                                   "State")
            check(done.returncode != 0, f"no object {full}")


def test_unprivileged_caller_may_read(lab):
    """Anybody may look."""
    stage(lab)
    with connections(1):
        rows, _ = buscalls.list_rows(0, 10, prefix=NOBODY)
        check_equal(len(rows), 1, "rows")
        path = buscalls.connection_path(rows[0]["Token"])
        token = buscalls.get(path, CONNECTION_INTERFACE, "Token", prefix=NOBODY)
        check_equal(token, [rows[0]["Token"]], "token")
        check(buscalls.get(MANAGER, MANAGER_INTERFACE, "Interfaces", prefix=NOBODY)[0],
              "interfaces")


def test_unprivileged_caller_may_not_reload(lab):
    """Nobody but root changes what the daemon does."""
    daemon = stage(lab)
    daemon.configure({"limits": {"max_subflows": 1}})
    check_equal(buscalls.error_of("Reload", prefix=NOBODY)[0], DENIED, "error")
    check_equal(buscalls.get(MANAGER, MANAGER_INTERFACE, "MaxSubflows"), [4], "limit as before")
    buscalls.call(MANAGER, MANAGER_INTERFACE, "Reload")
    check_equal(buscalls.get(MANAGER, MANAGER_INTERFACE, "MaxSubflows"), [1], "limit, by root")


def test_reload_broken_file_is_an_error_with_its_place(lab):
    """The old configuration is kept."""
    daemon = stage(lab, {"limits": {"max_subflows": 2}})
    daemon.configure('{\n  "colour": "blue"\n}\n')
    name, text = buscalls.error_of("Reload")
    check_equal(name, BAD_CONFIGURATION, "error")
    check(text.startswith(f"{daemon.conf_path}:2:3: "), f"place: {text}")
    check_equal(buscalls.get(MANAGER, MANAGER_INTERFACE, "MaxSubflows"), [2], "limit as before")


def test_reload_of_10_megabytes_is_refused_and_paths_go_on(lab):
    """A policy that is too long, too deep or no text: its name is said, the old ones count."""
    daemon = stage(lab)
    daemon.policy("small", {"match": {"app": "curl"}, "paths": {"max_subflows": 2}})
    check_equal(buscalls.call(MANAGER, MANAGER_INTERFACE, "Reload"), [], "Reload")
    for text in (json.dumps({"match": {"app": "x" * 10_000_000}}), "[" * 200_000, "\0" * 1000):
        path = daemon.policy("huge", text)
        name, said = buscalls.error_of("Reload")
        check_equal(name, BAD_CONFIGURATION, "error")
        check(path in said and len(said) < 1000, f"it names the file: {said}")
        check_equal(buscalls.get(MANAGER, MANAGER_INTERFACE, "PolicyCount"), [1], "policies")
        with connections(1):
            wait_for(lambda: buscalls.list_rows(0, 1)[0][0]["Subflows"] == 2, "a join")
    daemon.policy("huge", None)
    check_equal(buscalls.call(MANAGER, MANAGER_INTERFACE, "Reload"), [], "Reload without it")


def first_connection():
    return buscalls.connection_path(pages(10)[0][0])


def property_of(path, *names):
    return buscalls.get(path, CONNECTION_INTERFACE, *names)


def test_set_mode_hands_a_live_connection_over(lab):
    """Subflows over the policy's limit go; the mode stays over a reload; and back again."""
    daemon = stage(lab)
    daemon.policy("narrow", {"match": {"app": "nobody"}, "paths": {"max_subflows": 1}})
    buscalls.call(MANAGER, MANAGER_INTERFACE, "Reload")
    with connections(1):
        path = first_connection()
        wait_for(lambda: len(property_of(path, "Subflows")[0]) == 2, "a second subflow")
        check_equal(property_of(path, "Policy"), [""], "policy at first")
        buscalls.call(path, CONNECTION_INTERFACE, "SetMode", "s", "narrow")
        check_equal(property_of(path, "Policy"), ["narrow"], "policy")
        wait_for(lambda: len(property_of(path, "Subflows")[0]) == 1, "only one subflow")
        buscalls.call(MANAGER, MANAGER_INTERFACE, "Reload")
        check_equal(property_of(path, "Policy"), ["narrow"], "policy after a reload")
        buscalls.call(path, CONNECTION_INTERFACE, "SetMode", "s", "default")
        wait_for(lambda: len(property_of(path, "Subflows")[0]) == 2, "a second subflow again")
        check_equal(property_of(path, "Policy", "Plugin"), ["none", "fullmesh"], "policy, plugin")


def test_set_mode_outlives_the_daemon(lab):
    """The next one has it from the state file."""
    daemon = stage(lab)
    with connections(1):
        path = first_connection()
        buscalls.call(path, CONNECTION_INTERFACE, "SetMode", "s", "aggregate")
        daemon.stop()
        daemon.start()
        wait_for(lambda: count() == 1, "the connection is found")
        check_equal(property_of(path, "Policy"), ["mode/aggregate"], "policy")


def test_set_mode_off_and_modes_are_known(lab):
    """off takes the plugin away, and a plugin can be named itself."""
    stage(lab)
    with connections(1):
        path = first_connection()
        for word, policy in (("off", "mode/off"), ("aggregate", "mode/aggregate"),
                             ("mode/aggregate", "mode/aggregate"), ("fullmesh", "none")):
            buscalls.call(path, CONNECTION_INTERFACE, "SetMode", "s", word)
            check_equal(property_of(path, "Policy", "Plugin"),
                        [policy, "" if word == "off" else "fullmesh"], f"policy, plugin of {word}")


def test_set_mode_unknown_is_an_error(lab):
    """A word that means nothing changes nothing."""
    stage(lab)
    with connections(1):
        path = first_connection()
        for word in ("", "sometimes", "mode/sometimes", "x" * 1000, "x" * 63 + "\u00e9"):
            name, text = buscalls.error_of("SetMode", f"string:{word}", path=path,
                                           interface=CONNECTION_INTERFACE)
            check_equal(name, NO_MODE, f"error of {word[:20]!r}")
            check(word[:20] in text, "it is in the text")
        check_equal(property_of(path, "Policy", "Plugin"), ["", "fullmesh"], "policy and plugin")


def test_set_mode_local_connection_is_an_error(lab):
    """Nothing can be done for a connection within this host."""
    stage(lab)
    with local_connection():
        path = first_connection()
        name, text = buscalls.error_of("SetMode", "string:aggregate", path=path,
                                       interface=CONNECTION_INTERFACE)
        check_equal(name, NOT_MANAGED, "error")
        check("local" in text, f"it says why: {text}")


def test_set_mode_unprivileged_caller_may_not(lab):
    """As with Reload."""
    stage(lab)
    with connections(1):
        path = first_connection()
        check_equal(buscalls.error_of("SetMode", "string:aggregate", path=path, prefix=NOBODY,
                                      interface=CONNECTION_INTERFACE)[0], DENIED, "error")
        check_equal(property_of(path, "Policy"), [""], "policy")


buscalls.main([test_set_mode_hands_a_live_connection_over,
               test_set_mode_outlives_the_daemon,
               test_set_mode_off_and_modes_are_known,
               test_set_mode_unknown_is_an_error,
               test_set_mode_local_connection_is_an_error,
               test_set_mode_unprivileged_caller_may_not,
               test_list_empty_ends_at_once,
               test_list_pages_have_every_connection_once,
               test_list_row_has_its_keys,
               test_list_more_than_a_page_can_hold_is_cut,
               test_list_max_0_is_an_error,
               test_get_connection_unknown_is_an_error,
               test_connection_path_that_is_no_token_has_no_object,
               test_unprivileged_caller_may_read,
               test_unprivileged_caller_may_not_reload,
               test_reload_broken_file_is_an_error_with_its_place,
               test_reload_of_10_megabytes_is_refused_and_paths_go_on])
