#!/usr/bin/python3
"""Connections that were there before the daemon."""

import harness
from harness import check, check_equal, topology
from lab import NAMES, SERVICE4
from programs import (Curl, Daemon, Nginx, path_manager, set_path_manager, stage, start_bus,
                      wait_for_subflows)

SIZE = 40_000_000  # longer than the test needs; the throttle is opened at the end


def finish(lab, curl):
    lab.open_throttle()
    curl.finish()
    check(True, f"{SIZE} bytes arrived as they were sent")


def test_adopt_late_start_adds_subflow(lab):
    """The daemon is started while a transfer runs under the user-space path manager."""
    start_bus(lab)
    Nginx(lab)
    Nginx.file("data", SIZE)
    set_path_manager("userspace")
    curl = Curl(lab, SERVICE4, "data")
    curl.reaches(0.02)
    check_equal(lab.counters()["MPJoinSynTx"], 0, "joins before the daemon")
    daemon = Daemon(lab).start()
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    row = daemon.connection()
    check_equal((row["role"], row["uid"]), ("client", 0), "role and owner of what it found")
    finish(lab, curl)
    check_equal(lab.joined(), 1, "joins completed at the server")


@topology(NAMES[:3], (20,) * 3)
def test_adopt_killed_and_restarted_takes_up_connection(lab):
    """SIGKILL in the middle of a transfer: the next daemon knows it and adds a new path."""
    lab.path_down(2)
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    token = daemon.connection()["token"]
    daemon.kill()
    curl.reaches(0.02)
    check(True, "the transfer goes on without a daemon")
    daemon.start()
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    check_equal(daemon.connection()["token"], token, "token of what it found")
    check_equal(lab.joined(), 1, "joins so far")
    lab.path_up(2)
    wait_for_subflows(daemon, ["wifi0", "lte0", "path2"])
    finish(lab, curl)
    check_equal(lab.joined(), 2, "joins in all")
    check_equal(daemon.stop(), 0, "exit code after SIGTERM")
    check_equal(path_manager(), "kernel", "path manager afterwards")


def test_adopt_path_lost_without_daemon_is_repaired(lab):
    """While no daemon runs a path goes and comes back: the next daemon joins it again."""
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    daemon.kill()
    lab.addr_del(1)
    daemon.start()
    wait_for_subflows(daemon, ["wifi0"])
    check(True, "the subflow without an address is given up")
    lab.addr_add(1)
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    finish(lab, curl)


def test_adopt_connections_of_the_kernel_are_left_alone(lab):
    """A connection opened under the kernel's path manager stays the kernel's."""
    start_bus(lab)
    Nginx(lab)
    Nginx.file("data", SIZE)
    curl = Curl(lab, SERVICE4, "data")
    curl.reaches(0.01)
    daemon = Daemon(lab).start()
    curl.reaches(0.03)
    check_equal([row["state"] for row in daemon.connections()], ["kernel"], "states it shows")
    finish(lab, curl)
    check_equal(lab.counters()["MPJoinSynTx"], 0, "joins")


harness.main([test_adopt_late_start_adds_subflow,
              test_adopt_killed_and_restarted_takes_up_connection,
              test_adopt_path_lost_without_daemon_is_repaired,
              test_adopt_connections_of_the_kernel_are_left_alone])
