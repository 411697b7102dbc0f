#!/usr/bin/python3
"""Paths that swallow everything while their links stay up, in one direction or both."""

import harness
from harness import check, check_equal, full, needs_ipv6, needs_program, topology
from lab import NAMES, SERVICE4, SERVICE6, wait_for
from programs import Curl, stage, wait_for_subflows
from transfers import MAPPED4, SOME, BothWays, progress, wait_for_interfaces

SIZE = 100_000_000  # longer than the tests need; the throttle is opened at the end
BOTH = ["wifi0", "lte0"]
STEADY = 1_500_000


def carries(lab, index):
    name = lab.paths[index].name
    goal = lab.carried()[name] + SOME
    wait_for(lambda: lab.carried()[name] >= goal, f"data on {name} again")


def moved(row):
    return row["bytes_sent"] + row["bytes_received"]


def wait_for_steady(daemon, name, count=STEADY):
    """Until every connection has moved that much by its present subflow there."""
    def there():
        rows = [row for each in daemon.shown().values() for row in each["subflows"]
                if row["interface"] == name and row["state"] == "established"]
        return rows and min(map(moved, rows)) >= count

    wait_for(there, f"{count} bytes on {name} for each connection")


def backups(daemon):
    return {row["interface"]: row["backup"] for row in daemon.subflows()}


def swallow(lab, daemon, both, index, which):
    """One path goes silent, is given up, and is joined again when it answers."""
    name, rest = BOTH[index], [BOTH[not index]]
    wait_for_steady(daemon, name)
    lab.note(f"{name} swallows what goes {which}")
    lab.blackhole(index, which)
    wait_for_interfaces(daemon, 2, rest)
    lab.note(f"{name} is given up")
    both.progress()
    check(True, f"blackhole {which}: both transfers go on over {rest}")
    lab.blackhole(index, "none")
    wait_for_interfaces(daemon, 2, BOTH)
    carries(lab, index)
    check(True, f"blackhole {which}: {name} is used again")


def run_silence(lab, host, cases, **nginx):
    """cases: pairs of a path and a direction, one after the other among the same transfers."""
    daemon = stage(lab, size=SIZE, **nginx)
    both = BothWays(lab, host, "data")
    wait_for_interfaces(daemon, 2, BOTH)
    for index, which in cases:
        swallow(lab, daemon, both, index, which)
    lab.open_throttle()
    both.finish()
    check(True, f"{SIZE} bytes arrived as they were sent, up and down")


@needs_program("nft")
def test_silent_ipv4_each_direction_both_ways_go_on(lab):
    """The first path, upwards, downwards, and both."""
    run_silence(lab, SERVICE4, [(0, "up"), (0, "down"), (0, "both")])


@full
@needs_program("nft")
def test_silent_ipv4_other_path_both_ways_go_on(lab):
    """The second path, upwards, downwards, and both."""
    run_silence(lab, SERVICE4, [(1, "up"), (1, "down"), (1, "both")])


@needs_ipv6
@needs_program("nft")
def test_silent_ipv6_both_ways_go_on(lab):
    """The first path, both directions, over IPv6."""
    run_silence(lab, SERVICE6, [(0, "both")])


@needs_ipv6
@needs_program("nft")
def test_silent_mapped_both_ways_go_on(lab):
    """The first path, both directions, over IPv4 by IPv6 sockets."""
    run_silence(lab, MAPPED4, [(0, "both")], dual=True)


@topology(NAMES[:2], (20, 20), delay=(10, 50), loss=(0, 1))
def test_silent_delayed_and_lossy_is_found(lab):
    """RTTs of 20 and 100 ms and losses on the slow path alone are no reason to give it up."""
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, BOTH)
    curl.reaches(0.06)
    check_equal(daemon.query("status")["counters"]["subflows_dead"], 0, "paths given up so far")
    lab.blackhole(0, "both")
    wait_for_subflows(daemon, ["lte0"])
    progress(curl, SOME // 10)
    check(True, "the transfer goes on over lte0")
    lab.blackhole(0, "none")
    wait_for_subflows(daemon, BOTH)
    lab.open_throttle()
    curl.finish()
    check(True, f"{SIZE} bytes arrived as they were sent")


@needs_program("nft")
def test_silent_primary_is_replaced_by_backup(lab):
    """The plugin backup: the path that carries goes silent, and the standby carries."""
    daemon = stage(lab, {"plugin": "backup"}, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, BOTH)
    wait_for_steady(daemon, "wifi0")
    check_equal(backups(daemon), {"wifi0": False, "lte0": True}, "backup bits")
    lab.blackhole(0, "both")
    wait_for(lambda: backups(daemon) == {"lte0": False}, "lte0 is the only one, and carries")
    progress(curl)
    lab.blackhole(0, "none")
    wait_for(lambda: backups(daemon) == {"wifi0": False, "lte0": True}, "wifi0 carries again")
    goal = lab.received()["wifi0"] + SOME
    wait_for(lambda: lab.received()["wifi0"] >= goal, "data on wifi0")
    lab.open_throttle()
    curl.finish()
    check(True, f"{SIZE} bytes arrived as they were sent")


@needs_program("nft")
def test_silent_young_path_is_given_up(lab):
    """The first path goes silent when it has delivered for a fifth of a second."""
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, BOTH)
    progress(curl)
    lab.blackhole(0, "both")
    wait_for_subflows(daemon, ["lte0"])
    progress(curl)
    check(True, "the transfer goes on over lte0")
    lab.blackhole(0, "none")
    wait_for_subflows(daemon, BOTH)
    lab.open_throttle()
    curl.finish()
    check(True, f"{SIZE} bytes arrived as they were sent")


@needs_program("nft")
def test_silent_last_path_is_followed_by_first(lab):
    """The last path goes silent just when the first one answers again."""
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, BOTH)
    wait_for_steady(daemon, "wifi0")
    lab.blackhole(0, "both")
    wait_for_subflows(daemon, ["lte0"])
    wait_for_steady(daemon, "lte0")
    lab.blackhole(1, "both")
    lab.blackhole(0, "none")
    wait_for_subflows(daemon, ["wifi0"])
    progress(curl)
    check(True, "the transfer goes on over wifi0")
    lab.blackhole(1, "none")
    wait_for_subflows(daemon, BOTH)
    lab.open_throttle()
    curl.finish()
    check(True, f"{SIZE} bytes arrived as they were sent")


harness.main([test_silent_ipv4_each_direction_both_ways_go_on,
              test_silent_ipv4_other_path_both_ways_go_on,
              test_silent_ipv6_both_ways_go_on,
              test_silent_mapped_both_ways_go_on,
              test_silent_delayed_and_lossy_is_found,
              test_silent_primary_is_replaced_by_backup,
              test_silent_young_path_is_given_up,
              test_silent_last_path_is_followed_by_first])
