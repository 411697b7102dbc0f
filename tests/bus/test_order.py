#!/usr/bin/python3
"""Orders: what somebody wants done to one connection, and which errors that can have."""

import subprocess

import buscalls
import programs
from buscalls import (CONNECTION_INTERFACE, NOBODY, connections, local_connection, stage)
from harness import check, check_equal
from lab import SERVER, SERVICE4, have_ipv6, wait_for

ERROR = "org.mptcpize1.Error."
INVALID = "org.freedesktop.DBus.Error.InvalidArgs"


def path_of_first():
    return buscalls.connection_path(buscalls.list_rows(0, 1)[0][0]["Token"])


def order(path, method, *args, prefix=()):
    signature = {"AddSubflow": "ssb", "SetBackup": "ssb", "RemoveSubflow": "ss", "Announce": "s",
                 "Withdraw": "s"}[method]
    return buscalls.call(path, CONNECTION_INTERFACE, method, signature, *args, prefix=prefix)


def refused(path, method, *args, prefix=()):
    """The name of the error, without what all have in common, and its text."""
    words = [f"boolean:{arg}" if arg in ("true", "false") else f"string:{arg}" for arg in args]
    name, text = buscalls.error_of(method, *words, path=path, interface=CONNECTION_INTERFACE,
                                   prefix=prefix)
    return name.removeprefix(ERROR), text


def subflows(path):
    return buscalls.get(path, CONNECTION_INTERFACE, "Subflows")[0]


def joined(path, number):
    wait_for(lambda: [row["State"] for row in subflows(path)] == ["established"] * number,
             f"{number} subflows")


def test_subflow_is_removed_and_added_again(lab):
    """By the interface, and by the address; the kernel has said yes before there is an answer."""
    stage(lab)
    with connections(1):
        path = path_of_first()
        joined(path, 2)
        before = lab.counters()["MPJoinSynTx"]
        order(path, "RemoveSubflow", "lte0", "")
        joined(path, 1)
        order(path, "AddSubflow", lab.paths[1].client4, f"{SERVICE4}:80", "true")
        check_equal(lab.counters()["MPJoinSynTx"], before + 1, "joins, says the kernel")
        joined(path, 2)
        check_equal([row["Backup"] for row in subflows(path)], [False, True], "backup flags")


def test_backup_is_set_and_taken_back(lab):
    """And the peer is told."""
    stage(lab)
    with connections(1):
        path = path_of_first()
        joined(path, 2)
        for word, flag in (("true", True), ("false", False)):
            order(path, "SetBackup", "lte0", "", word)
            check_equal([row["Backup"] for row in subflows(path)], [False, flag], "backup flags")
        check_equal(lab.counters(SERVER)["MPPrioRx"], 2, "MP_PRIO at the peer")


def test_address_is_announced_and_withdrawn(lab):
    """The peer hears of both."""
    stage(lab, {"limits": {"max_subflows": 1}})
    with connections(1):
        path = path_of_first()
        order(path, "Announce", lab.paths[1].client4)
        wait_for(lambda: lab.counters(SERVER).get("AddAddr") == 1, "ADD_ADDR at the peer")
        order(path, "Withdraw", lab.paths[1].client4)
        wait_for(lambda: lab.counters(SERVER).get("RmAddr", 0) >= 1, "RM_ADDR at the peer")


def test_order_after_a_restart_waits_for_the_ids(lab):
    """The new daemon has to ask the kernel for them first."""
    daemon = stage(lab)
    with connections(1):
        joined(path_of_first(), 2)
        daemon.kill()
        daemon.start()
        wait_for(lambda: buscalls.count() == 1, "the connection is found")
        path = path_of_first()
        joined(path, 2)
        order(path, "RemoveSubflow", "lte0", "")
        joined(path, 1)


def test_order_bad_words_are_errors(lab):
    """What is no address, no interface, of the wrong family, not there, ambiguous; 1 MB of text."""
    stage(lab)
    with connections(1):
        path = path_of_first()
        joined(path, 2)
        before = subflows(path)
        for error, method, *args in (
                ("NoSuchInterface", "AddSubflow", "nosuch0", "", "false"),
                ("BadAddress", "AddSubflow", "192.0.2.", "", "false"),
                ("BadAddress", "AddSubflow", "lte0", "elsewhere", "false"),
                *([("BadAddress", "AddSubflow", lab.paths[1].client6, SERVICE4, "false")]
                  if have_ipv6() else []),
                ("NoSuchAddress", "AddSubflow", "198.18.0.1", "", "false"),
                ("NoSuchSubflow", "RemoveSubflow", "198.18.0.1", ""),
                ("AmbiguousSubflow", "RemoveSubflow", "", ""),
                ("NoSuchSubflow", "SetBackup", "lte0", "198.18.0.1", "true"),
                ("BadAddress", "Announce", ""), ("BadAddress", "Announce", "lte0"),
                ("NoSuchAddress", "Announce", "198.18.0.1"),
                ("NoSuchAddress", "Withdraw", "198.18.0.1")):
            name, text = refused(path, method, *args)
            check_equal(name, error, f"{method}{tuple(args)}: {text}")
        done = subprocess.run(
            ["python3", "-c", HUGE, path, "x" * 10], capture_output=True, text=True, check=False)
        check_equal(done.stdout.split(), [f"{ERROR}NoSuchInterface", f"{ERROR}BadAddress"],
                    f"errors of a megabyte {done.stderr}")
        check_equal([row["Local"] for row in subflows(path)], [row["Local"] for row in before],
                    "subflows as before")


HUGE = """
import subprocess, sys
for method, signature, rest in (("RemoveSubflow", "ss", [""]), ("Announce", "s", [])):
    words = [sys.argv[2] * 12000, *rest]
    done = subprocess.run(["dbus-send", "--system", "--print-reply", "--dest=org.mptcpize1",
                           sys.argv[1], "org.mptcpize1.Connection." + method,
                           *("string:" + word for word in words)], capture_output=True, text=True)
    print(done.stderr.split()[1].rstrip(":"))
"""


def test_order_wrong_signature_or_object_is_an_error(lab):
    """The bus's own errors, and a token that there isn't."""
    stage(lab)
    with connections(1):
        path = path_of_first()
        check_equal(refused(path, "RemoveSubflow", "lte0")[0], INVALID, "too few arguments")
        check_equal(refused(path, "RemoveSubflow", "true", "x")[0], INVALID, "wrong types")
        gone = f"{path[:-8]}00000001"
        check(refused(gone, "RemoveSubflow", "lte0", "")[0].endswith("UnknownObject"), "no object")


def test_order_last_subflow_is_not_removed(lab):
    """No order is to cost a connection."""
    stage(lab, {"limits": {"max_subflows": 1}})
    with connections(1):
        path = path_of_first()
        name, text = refused(path, "RemoveSubflow", "wifi0", "")
        check_equal(name, "Refused", "error")
        check(text, f"it says why: {text}")


def test_order_local_connection_is_not_managed(lab):
    """Within this host there is nothing to gain."""
    stage(lab)
    with local_connection():
        check_equal(refused(path_of_first(), "AddSubflow", "lte0", "", "false")[0], "NotManaged",
                    "error")


def test_order_unprivileged_caller_may_not(lab):
    """As all that changes something."""
    stage(lab)
    with connections(1):
        path = path_of_first()
        joined(path, 2)
        for method, *args in (("AddSubflow", "lte0", "", "true"), ("Announce", "192.0.2.1"),
                              ("RemoveSubflow", "lte0", ""), ("Withdraw", "192.0.2.1"),
                              ("SetBackup", "lte0", "", "true")):
            check(refused(path, method, *args, prefix=NOBODY)[0].endswith("AccessDenied"), method)


def test_order_answer_names_what_the_kernel_says(lab):
    """A local port that is taken: the kernel's error comes back."""
    stage(lab)
    with connections(1):
        path = path_of_first()
        joined(path, 2)
        order(path, "RemoveSubflow", "lte0", "")
        joined(path, 1)
        holder = programs.Process(["python3", "-c", HOLDER, lab.paths[1].client4], "holder",
                                  stdout=subprocess.PIPE)
        lab.add(holder)
        port = int(holder.popen.stdout.readline())
        name, text = refused(path, "AddSubflow", f"{lab.paths[1].client4}:{port}", "", "false")
        check_equal(name, "Refused", "error")
        check("Address already in use" in text, f"its words: {text}")


HOLDER = """
import socket, sys, time
held = socket.socket()
held.bind((sys.argv[1], 0))
held.listen(1)
print(held.getsockname()[1], flush=True)
time.sleep(1000)
"""


def test_many_orders_at_once_are_all_answered(lab):
    """Of one caller only so many wait; each gets an answer, and the kernel does what it is told."""
    stage(lab)
    with connections(1):
        path = path_of_first()
        joined(path, 2)
        calls = [subprocess.Popen(["busctl", "--system", "call", buscalls.NAME, path,
                                   CONNECTION_INTERFACE, "SetBackup", "ssb", "lte0", "", word],
                                  stderr=subprocess.DEVNULL) for word in ("true", "false") * 20]
        check_equal({call.wait() for call in calls}, {0}, "exit codes")


def test_caller_that_leaves_and_connection_that_ends(lab):
    """Neither leaves anything behind."""
    daemon = stage(lab)
    with connections(1):
        path = path_of_first()
        joined(path, 2)
        for _ in range(10):
            caller = subprocess.Popen(["busctl", "--system", "call", buscalls.NAME, path,
                                       CONNECTION_INTERFACE, "SetBackup", "ssb", "lte0", "",
                                       "true"], stdout=subprocess.DEVNULL)
            caller.kill()
            caller.wait()
        order(path, "SetBackup", "lte0", "", "false")
    wait_for(lambda: buscalls.count() == 0, "the end")
    check(refused(path, "RemoveSubflow", "lte0", "")[0].endswith("UnknownObject"), "no object")
    check_equal(daemon.process.state(), "running", "the daemon")


buscalls.main([test_subflow_is_removed_and_added_again,
               test_backup_is_set_and_taken_back,
               test_address_is_announced_and_withdrawn,
               test_order_after_a_restart_waits_for_the_ids,
               test_order_bad_words_are_errors,
               test_order_wrong_signature_or_object_is_an_error,
               test_order_last_subflow_is_not_removed,
               test_order_local_connection_is_not_managed,
               test_order_unprivileged_caller_may_not,
               test_order_answer_names_what_the_kernel_says,
               test_many_orders_at_once_are_all_answered,
               test_caller_that_leaves_and_connection_that_ends])
