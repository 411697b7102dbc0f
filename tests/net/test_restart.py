#!/usr/bin/python3
"""What a daemon knows that is started after another one was killed.

The test is the program: it tells of its own sockets, as the library does.
"""

import contextlib
import os
import socket

import harness
import sandbox
from harness import check, check_equal, topology
from hints import CONNECT, LISTEN, tell
from lab import NAMES, SERVER, SERVICE4, ip_batch, wait_for, write
from programs import Daemon, set_path_manager, start_bus, start_with, wait_for_subflows

EXE = os.path.realpath("/proc/self/exe")
SECOND = "203.0.113.2"  # another address of the server, which it announces
PORT = 80
TIMEOUT_MSEC = 60_000
DENY = "/proc/sys/net/mptcp/allow_join_initial_addr_port"
TOLD = ("policy", "pid", "uid", "program", "user_timeout_msec", "plugin", "role")


def mptcp():
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)


def listen(address, netns=None):
    with sandbox.inside(netns):
        listener = mptcp()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, PORT))
    listener.listen(16)
    return listener


@contextlib.contextmanager
def dialled(listener, address=SERVICE4, netns=None):
    """A connection with a byte from each end, so that joins are possible."""
    with sandbox.inside(netns):
        client = mptcp()
    with client:
        client.connect((address, PORT))
        with listener.accept()[0] as server:
            exchange(client, server)
            yield client, server


def exchange(client, server):
    for sender, receiver in ((client, server), (server, client)):
        sender.sendall(b"!")
        if receiver.recv(1) != b"!":
            raise AssertionError("a byte is lost")


def ours(**paths):
    return {"match": {"exe": EXE}, "paths": paths}


def pick(row, keys):
    return {key: row[key] for key in keys}


def kept(daemon):
    """What is kept is in its place, and not still being written."""
    return os.path.exists(f"{daemon.runtime}/state") and \
        not os.path.exists(f"{daemon.runtime}/state.new")


def restart(daemon):
    daemon.kill()
    return daemon.start()


def joins(lab):
    return lab.counters()["MPJoinSynTx"]


def ends(row):
    return sorted((sub["local"], sub["remote"], sub["backup"]) for sub in row["subflows"])


@topology(NAMES[:3], (20,) * 3)
def test_restart_killed_knows_all_that_was_told(lab):
    """Policy, program, user timeout, the address that the peer announced, and that it denies joins.

    Its first address must not be joined, so a daemon that had forgotten would show it at once.
    """
    with sandbox.inside(SERVER):
        ip_batch([f"addr add {SECOND}/32 dev lo", f"mptcp endpoint add {SECOND} signal"])
        write(DENY, "0")
    lab.path_down(2)
    daemon = start_with(lab, mine=ours(max_subflows=3, interfaces={"lte*": "backup"}))
    with listen("0.0.0.0", SERVER) as listener, dialled(listener) as (client, server):
        tell(daemon, CONNECT, client, TIMEOUT_MSEC)
        wait_for(lambda: [row["interface"] for row in daemon.subflows() if row["backup"]]
                 == ["lte0"] and len(daemon.subflows()) == 3, "three subflows, lte0 as backup")
        wait_for(lambda: kept(daemon), "what is known is kept")
        before = daemon.connection()
        check_equal(pick(before, ("policy", "user_timeout_msec")),
                    {"policy": "mine", "user_timeout_msec": TIMEOUT_MSEC}, "what was told")
        made = joins(lab)
        for _ in range(2):
            restart(daemon)
            wait_for(lambda: daemon.connections(), "the connection is found")
            after = daemon.connection()
            check_equal(pick(after, TOLD), pick(before, TOLD), "what is known of it")
            check_equal(after["remotes"], before["remotes"], "the peer's addresses")
            check_equal(ends(after), ends(before), "subflows")
        check(any("remembered" in line["what"] or "remembered" in line.get("reason", "")
                  for line in after["log"]), "its log says that it is remembered")
        lab.path_up(2)
        lab.path_down(1)
        wait_for_subflows(daemon, ["wifi0", "wifi0", "path2"])
        check_equal({row["remote"] for row in daemon.subflows() if row["interface"] == "path2"},
                    {f"{SECOND}:{PORT}"}, "what the new path leads to")
        exchange(client, server)
        check(joins(lab) > made, "the lost path is replaced, and data flows")


def test_restart_killed_knows_who_listens(lab):
    """A server that told of its listener before: connections that come later have its policy."""
    daemon = start_with(lab, mine=ours(max_subflows=2))
    address = lab.paths[0].client4
    with listen(address) as listener:
        tell(daemon, LISTEN, listener)
        wait_for(lambda: daemon.query("status")["counters"]["hints"] == 1, "the hint")
        with dialled(listener, address, SERVER):
            wait_for(lambda: [row["policy"] for row in daemon.connections()] == ["mine"],
                     "its policy")
        wait_for(lambda: not daemon.connections() and kept(daemon), "the end of that")
        restart(daemon)
        wait_for(lambda: kept(daemon), "a comparison")
        with dialled(listener, address, SERVER):
            wait_for(lambda: [row["policy"] for row in daemon.connections()] == ["mine"],
                     "its policy, again")
            check_equal(daemon.connection()["pid"], os.getpid(), "pid")
        wait_for(lambda: not daemon.connections(), "the end of that")
        daemon.kill()
    with listen(address) as stranger:
        daemon.start()
        wait_for(lambda: kept(daemon), "a comparison")
        with dialled(stranger, address, SERVER):
            wait_for(lambda: daemon.connections(), "a connection")
            check_equal(daemon.connection()["policy"], None, "policy of one that told nothing")


def test_restart_damaged_file_is_ignored(lab):
    """Garbage in place of what was kept: one line in the log, and the kernel's view counts."""
    daemon = start_with(lab, mine=ours(max_subflows=2))
    with listen(SERVICE4, SERVER) as listener, dialled(listener) as (client, _):
        tell(daemon, CONNECT, client)
        wait_for_subflows(daemon, ["wifi0", "lte0"])
        wait_for(lambda: kept(daemon), "what is known is kept")
        daemon.kill()
        with open(f"{daemon.runtime}/state", "r+b") as state:
            state.write(os.urandom(2048))
        daemon.start()
        wait_for(lambda: daemon.connections(), "the connection is found")
        check_equal(daemon.connection()["policy"], None, "policy")
        check_equal(daemon.log_text().count(f"{daemon.runtime}/state is ignored"), 1,
                    "lines in the log")
        wait_for_subflows(daemon, ["wifi0", "lte0"])
        check_equal(joins(lab), 1, "joins")


def test_restart_connection_of_the_kernel_is_shown_as_such(lab):
    """One of the kernel's path manager, about which there is nothing to do anyway."""
    start_bus(lab)
    daemon = Daemon(lab)
    set_path_manager("kernel")
    address = lab.paths[0].client4
    with listen(address) as listener, dialled(listener, address, SERVER):
        for _ in range(2):
            daemon.start()
            wait_for(lambda: [row["state"] for row in daemon.connections()] == ["kernel"],
                     "it is shown as the kernel's")
            wait_for(lambda: kept(daemon), "what is known is kept")
            daemon.kill()
        check(True, "by the next daemon, too")


harness.main([test_restart_killed_knows_all_that_was_told,
              test_restart_killed_knows_who_listens,
              test_restart_damaged_file_is_ignored,
              test_restart_connection_of_the_kernel_is_shown_as_such])
