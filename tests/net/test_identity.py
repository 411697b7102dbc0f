#!/usr/bin/python3
"""Connections of programs without the library: their policy by user and address, once it is known.

The programs make MPTCP sockets by themselves.
"""

import socket
import sys

import harness
import sandbox
from harness import check, check_equal
from lab import SERVER, SERVICE4, wait_for
from programs import Process, set_path_manager, start_with, wait_for_subflows

PORT = 80
NARROW = {"match": {"uid": 1000}, "paths": {"max_subflows": 1}}
AS_USER = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "--"]
CLIENT = f"""import socket, time
client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
client.connect(("{SERVICE4}", {PORT}))
client.recv(1)
time.sleep(3600)
"""
# Accepts when it is told to.
LISTENER = f"""import socket, sys, time
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
listener.bind(("", 8080))
listener.listen(4)
print("ready", flush=True)
sys.stdin.readline()
server = listener.accept()[0]
server.send(b"!")
time.sleep(3600)
"""


def mptcp(netns=None):
    with sandbox.inside(netns):
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)


def serve(listener):
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((SERVICE4, PORT))
    listener.listen(4)


def connect(lab, listener, prefix=()):
    """A program that connects, and what came of it at the server."""
    lab.add(Process([*prefix, sys.executable, "-c", CLIENT], "client"))
    server = listener.accept()[0]
    server.send(b"!")
    return server


def test_identity_policy_of_the_user_counts(lab):
    """No hint: the owner's policy from the first join on."""
    daemon = start_with(lab, narrow=NARROW)
    with mptcp(SERVER) as listener:
        serve(listener)
        with connect(lab, listener, AS_USER):
            wait_for(lambda: daemon.connection()["state"] == "established", "joins are possible")
            row = daemon.connection()
            check_equal((row["policy"], row["uid"], row["program"]), ("narrow", 1000, None),
                        "policy, uid, program")
            check(not [line for line in row["log"] if line["what"].startswith("create ")],
                  "no subflow was asked for")


def test_identity_others_have_the_default(lab):
    """Another user's connection, and one to an exception of the policy."""
    excepted = {**NARROW, "socket": {"except": [{"to": SERVICE4, "port": PORT}]}}
    daemon = start_with(lab)
    for policy, prefix in ((NARROW, ()), (excepted, AS_USER)):
        daemon.policy("narrow", policy)
        check_equal(daemon.ctl("reload").returncode, 0, "reload")
        with mptcp(SERVER) as listener:
            serve(listener)
            with connect(lab, listener, prefix):
                wait_for_subflows(daemon, ["wifi0", "lte0"])
                check_equal(daemon.connection()["policy"], None, "policy")
                lab.processes[-1].end()
        wait_for(lambda: not daemon.connections(), "the end of the connection")


def test_identity_not_accepted_is_not_root(lab):
    """A connection in the backlog has no owner; when it is accepted, its owner's policy counts."""
    daemon = start_with(lab, root={"match": {"uid": 0}, "paths": {"mode": "off"}}, narrow=NARROW)
    server = lab.add(Process([*AS_USER, sys.executable, "-c", LISTENER], "listener", stdin=-1,
                             stdout=-1, text=True))
    check_equal(server.popen.stdout.readline(), "ready\n", "listener")
    with mptcp(SERVER) as client:
        client.connect((lab.paths[0].client4, 8080))
        client.send(b"?")
        row = wait_for(daemon.connection, "the connection")
        check_equal((row["policy"], row["role"], row["uid"]), (None, "server", None),
                    "policy, role, uid before accept()")
        print(file=server.popen.stdin, flush=True)
        wait_for(lambda: daemon.connection()["policy"] == "narrow", "the policy after accept()")
        check_equal(daemon.connection()["uid"], 1000, "uid")


def test_identity_found_alive_is_asked_for(lab):
    """A connection that is older than the daemon."""
    with mptcp(SERVER) as listener:
        serve(listener)
        set_path_manager("userspace")
        with connect(lab, listener, AS_USER):
            daemon = start_with(lab, narrow=NARROW)
            wait_for(lambda: daemon.connection()["policy"] == "narrow", "the policy")


if __name__ == "__main__":
    harness.main([value for name, value in list(globals().items()) if name.startswith("test_")])
