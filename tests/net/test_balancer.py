#!/usr/bin/python3
"""Servers behind a load balancer that announce themselves, and networks that spread flows."""

import harness
import nets
import sandbox
from harness import check, check_equal, topology
from lab import NAMES, SERVER, SERVICE4, Failed, wait_for, write
from programs import Curl, Daemon, Nginx, daemon_at, stage, start_bus
from transfers import Upload, progress

SIZE = 60_000_000  # longer than the tests need; the throttle is opened at the end
SMALL = 2_000_000
PORTS = 45000  # below, clients are sent to the first real server, above to the second
CLIENT_PORTS = ("40000-44000", "50000-54000")
ANNOUNCE = {"plugin": "announce", "allow_join_initial": False,
            "plugins": {"announce": {"demote_initial": True}}}
ALLOW_JOIN = "/proc/sys/net/mptcp/allow_join_initial_addr_port"
TRIES = 10  # each with a chance of 1 in 8 that all flows take the same link


def host(address):
    return address.rsplit(":", 1)[0]


def build_balancer(lab):
    """Two real servers, each with a daemon that announces its own address. Those daemons."""
    reals = nets.route(lab, 2)
    nets.balance(reals, PORTS)
    start_bus(lab)
    daemons = []
    for real in reals:
        daemons.append(daemon_at(lab, real.netns, ANNOUNCE))
        Nginx(lab, netns=real.netns)
    Nginx.file("data", SIZE)
    return reals, daemons


def wait_for_joins_to(daemon, real):
    """A subflow from each path to the address that the real server announced, and no others."""
    def there():
        joined = sorted((row["interface"], host(row["remote"])) for row in daemon.subflows()
                        if not row["initial"])
        if joined != [("lte0", real.address4), ("wifi0", real.address4)]:
            raise Failed(f"now {joined}")
        return True

    wait_for(there, f"subflows from both paths to {real.address4}")


def downloads_from(lab, daemon, real, announcer, ports):
    """By way of the balancer; the first path is lost on the way."""
    curl = Curl(lab, SERVICE4, "data", more=["--local-port", ports])
    wait_for_joins_to(daemon, real)
    wait_for(lambda: [row["backup"] for row in announcer.subflows() if row["initial"]] == [True],
             "the server demotes the subflow that goes by the balancer")
    progress(curl)
    lab.path_down(0)
    wait_for(lambda: [row["interface"] for row in daemon.subflows()] == ["lte0"], "one subflow")
    progress(curl)
    check(True, "the transfer goes on over lte0")
    lab.path_up(0)
    wait_for(lambda: "wifi0" in [row["interface"] for row in daemon.subflows()], "wifi0 again")
    check_equal({host(row["remote"]) for row in daemon.subflows()}, {real.address4},
                "addresses that the subflows go to")
    lab.open_throttle()
    curl.finish()
    check(True, "the file arrived as it was sent")
    for path in lab.paths:
        lab.set_rate(path.index, path.rate)


def test_balancer_servers_announce_themselves_joins_find_them(lab):
    """Two real servers behind one address, which wants no joins; each is joined at its own."""
    reals, announcers = build_balancer(lab)
    daemon = Daemon(lab).start()
    for real, announcer, ports in zip(reals, announcers, CLIENT_PORTS):
        lab.note(f"by way of the balancer to {real.netns}")
        downloads_from(lab, daemon, real, announcer, ports)
    for real in reals:
        counters = lab.counters(real.netns)
        check_equal((counters["MPJoinNoTokenFound"], counters["MPCapableACKRX"],
                     counters["MPJoinSynTx"]), (0, 1, 0),
                    f"{real.netns}: joins that came to the wrong server, connections, own joins")


def no_joins(lab, plugin):
    """The peer wants no joins to its first address, and announces no other."""
    with sandbox.inside(SERVER):
        write(ALLOW_JOIN, "0")
    daemon = stage(lab, {"plugin": plugin}, size=5 * SMALL)
    curl = Curl(lab, SERVICE4, "data")
    wait_for(lambda: len(daemon.subflows()) == 1, "a subflow")
    progress(curl)
    lab.path_down(1)
    lab.path_up(1)
    progress(curl)
    lab.open_throttle()
    curl.finish()
    check_equal(lab.counters()["MPJoinSynTx"], 0, f"joins of {plugin}")


def test_balancer_fullmesh_honours_deny_join(lab):
    """Deny-join-id0 with the plugin fullmesh."""
    no_joins(lab, "fullmesh")


def test_balancer_backup_honours_deny_join(lab):
    """Deny-join-id0 with the plugin backup."""
    no_joins(lab, "backup")


def test_balancer_ndiffports_honours_deny_join(lab):
    """Deny-join-id0 with the plugin ndiffports."""
    no_joins(lab, "ndiffports")


def shares(lab, bundle, name):
    """A download and an upload, one after the other: the lesser link's share of each."""
    found = []
    for sender, transfer in ((bundle.down, Curl), (bundle.up, Upload)):
        before = sender()
        transfer(lab, SERVICE4, name).finish()
        counts = [after - count for after, count in zip(sender(), before)]
        found.append(min(counts) / sum(counts))
    return found


def spread(lab, conf):
    """Two equal links before the server, chosen by a hash of addresses and ports."""
    bundle = nets.Bundle(lab, 50)
    start_bus(lab)
    Nginx(lab, netns=bundle.real.netns)
    Nginx.file("data", SMALL)
    Daemon(lab, conf).start()
    return bundle


@topology(NAMES[:1], (None,))
def test_balancer_ndiffports_uses_both_equal_links(lab):
    """One pair of addresses, four ports: both links carry data, up and down."""
    bundle = spread(lab, {"plugin": "ndiffports", "plugins": {"ndiffports": {"subflows": 4}}})
    best = [0, 0]
    for _ in range(TRIES):
        best = list(map(max, best, shares(lab, bundle, "data")))
        if min(best) > 0.1:
            break
    check(min(best) > 0.1, f"the lesser link has {best[0]:.0%} down, {best[1]:.0%} up")


@topology(NAMES[:1], (None,))
def test_balancer_one_subflow_uses_one_equal_link(lab):
    """The control: fullmesh, to which this is one path."""
    found = shares(lab, spread(lab, {}), "data")
    check(max(found) < 0.1, f"the lesser link has {found[0]:.0%} down, {found[1]:.0%} up")


harness.main([test_balancer_servers_announce_themselves_joins_find_them,
              test_balancer_fullmesh_honours_deny_join,
              test_balancer_backup_honours_deny_join,
              test_balancer_ndiffports_honours_deny_join,
              test_balancer_ndiffports_uses_both_equal_links,
              test_balancer_one_subflow_uses_one_equal_link])
