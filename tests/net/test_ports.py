#!/usr/bin/python3
"""Servers that announce their addresses with a port of their own, and the daemon's listeners."""

import socket

import harness
import sandbox
from harness import check, check_equal
from lab import SERVER, SERVICE4, wait_for
from programs import Curl, daemon_at, stage

PORT = 8443
ANNOUNCE = {"plugin": "announce", "plugins": {"announce": {"port": PORT}}}
SIZE = 60_000_000  # longer than the tests need; the throttle is opened at the end


def joined(daemon):
    """Subflows of the client's only connection to the announced port."""
    return [row for row in daemon.subflows() if row["remote"].endswith(f":{PORT}")]


def listens(lab):
    return PORT in lab.listeners(SERVER)


def begin(lab):
    """A client with a download from a server that announces: (client's daemon, server's, curl)."""
    daemon = stage(lab, size=SIZE)
    server = daemon_at(lab, SERVER, ANNOUNCE)
    return daemon, server, Curl(lab, SERVICE4, "data")


def end(lab, curl):
    lab.open_throttle()
    curl.finish()
    check(True, "the file arrived as it was sent")


def test_ports_announced_are_joined_and_closed_at_the_end(lab):
    """Joins come in by the port; the listener goes with the last connection, not with the first."""
    daemon, server, curl = begin(lab)
    wait_for(lambda: joined(daemon), "a subflow to the announced port")
    check(listens(lab), "the server listens at the port")
    second = Curl(lab, SERVICE4, "data")
    wait_for(lambda: len(server.connections()) == 2, "a second connection")
    end(lab, curl)
    end(lab, second)
    wait_for(lambda: not server.connections(), "the server knows of no connection any more")
    wait_for(lambda: not listens(lab), "nobody listens at the port any more")


def test_ports_killed_server_daemon_listens_again(lab):
    """SIGKILL closes the listener; the next daemon finds the connection and opens it again."""
    daemon, server, curl = begin(lab)
    wait_for(lambda: joined(daemon), "a subflow to the announced port")
    before = len(joined(daemon))
    server.kill()
    wait_for(lambda: not listens(lab), "nobody listens at the port")
    check(len(joined(daemon)) >= before, "the subflows to it are still there")
    server.start()
    wait_for(lambda: listens(lab), "the port is listened at again")
    end(lab, curl)


def test_ports_in_use_are_not_announced(lab):
    """A program listens there: no announcement, and the log of the connection says why."""
    with sandbox.inside(SERVER):
        program = socket.socket()
        program.bind(("0.0.0.0", PORT))
        program.listen()
    with program:
        daemon, server, curl = begin(lab)
        wait_for(lambda: "Address already in use" in
                 server.ctl("show", server.connections()[0]["token"]).stdout,
                 "the log of the connection says why")
        remotes = [row["address"] for row in daemon.connection()["remotes"]]
        check_equal([text for text in remotes if text.endswith(f":{PORT}")], [],
                    "announcements of it that came")
        end(lab, curl)


def test_ports_strangers_are_sent_away(lab):
    """Who connects to the port without a join gets the end of the connection, not silence."""
    _daemon, _server, curl = begin(lab)
    wait_for(lambda: listens(lab), "the server listens at the port")
    with socket.create_connection((lab.paths[0].net4 + ".254", PORT), timeout=20) as stranger:
        check_equal(stranger.recv(1), b"", "what a stranger reads")
    end(lab, curl)


harness.main([test_ports_announced_are_joined_and_closed_at_the_end,
              test_ports_killed_server_daemon_listens_again,
              test_ports_in_use_are_not_announced,
              test_ports_strangers_are_sent_away])
