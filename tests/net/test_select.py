#!/usr/bin/python3
"""Which paths are used, and which are not."""

import json

import harness
import sandbox
from harness import check, check_equal, needs_ipv6, topology
from lab import NAMES, SERVER, SERVICE4, SERVICE6, command, ip_batch, wait_for
from programs import Curl, stage, wait_for_subflows
from transfers import wait_for_joins

SIX = NAMES[:6]
SIZE = 40_000_000  # longer than the tests need; the throttle is opened at the end
SECOND4 = "203.0.113.2"


def joins_only_on(lab, conf, wanted, host=SERVICE4):
    """Downloads, and checks that there were joins on these interfaces and no others."""
    daemon = stage(lab, conf, size=SIZE)
    before = lab.received()
    curl = Curl(lab, host, "data")
    wait_for_subflows(daemon, [lab.paths[0].name, *wanted])
    locals_ = [row["local"] for row in daemon.subflows()]
    lab.open_throttle()
    curl.finish()
    wait_for_joins(lab, daemon, len(wanted), "joins sent in all")
    for path in lab.paths[1:]:
        if path.name not in wanted:
            count = lab.received()[path.name] - before[path.name]
            check(count < 10_000, f"{path.name} carried no data ({count} bytes)")
    return daemon, locals_


def interface(daemon, name):
    rows = daemon.query("status")["interfaces"]
    return next(row for row in rows if row["name"] == name)


@topology(NAMES[:3], (20,) * 3)
def test_select_role_off_is_not_used(lab):
    """path2 has the role off in the configuration."""
    daemon, _ = joins_only_on(lab, {"interfaces": {"path*": "off"}}, ["lte0"])
    check_equal(interface(daemon, "path2")["role"], "off", "role of path2")
    check_equal(interface(daemon, "path2")["usable"], False, "path2 usable")


@topology(("wifi0", "docker0", "veth7", "br-1", "virbr0", "lte0"), (20,) * 6)
def test_select_virtual_interfaces_are_not_used(lab):
    """Bridges and pairs of containers and virtual machines are off by default."""
    daemon, _ = joins_only_on(lab, {}, ["lte0"])
    for name in ("docker0", "veth7", "br-1", "virbr0"):
        check_equal(interface(daemon, name)["usable"], False, f"{name} usable")


@topology(("wifi0", "docker0"), (20,) * 2)
def test_select_virtual_interface_switched_on_is_used(lab):
    """The built-in list yields to the configuration."""
    joins_only_on(lab, {"interfaces": {"docker0": "on"}}, ["docker0"])


@needs_ipv6
def test_select_link_local_is_not_used(lab):
    """Each interface has a link-local address too; joins come from the global ones only."""
    rows = json.loads(command("ip", "-json", "-6", "address", "show", "dev", "lte0"))
    scopes = {address["scope"] for address in rows[0]["addr_info"]}
    check_equal(scopes, {"link", "global"}, "scopes of the addresses of lte0")
    _, addresses = joins_only_on(lab, {}, ["lte0"], SERVICE6)
    check(not any(address.startswith("[fe80") for address in addresses), "no link-local address")


@topology(SIX, (10,) * 6)
def test_select_six_paths_default_limit_gives_four(lab):
    """max_subflows is 4 by default, the initial subflow included."""
    at_most(lab, {}, 4)


@topology(SIX, (10,) * 6)
def test_select_six_paths_limit_two_gives_two(lab):
    """max_subflows 2."""
    at_most(lab, {"limits": {"max_subflows": 2}}, 2)


@topology(SIX, (10,) * 6)
def test_select_six_paths_limit_eight_gives_six(lab):
    """max_subflows above the number of paths."""
    at_most(lab, {"limits": {"max_subflows": 8}}, 6)


def at_most(lab, conf, wanted):
    daemon = stage(lab, conf, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for(lambda: len(daemon.subflows()) == wanted, f"{wanted} subflows")
    lab.open_throttle()
    curl.finish()
    wait_for_joins(lab, daemon, wanted - 1, "joins sent in all")


def test_select_announced_address_is_joined(lab):
    """The server announces a second address: it is joined."""
    with sandbox.inside(SERVER):
        ip_batch([f"addr add {SECOND4}/32 dev lo", f"mptcp endpoint add {SECOND4} signal"])
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for(lambda: [row for row in daemon.subflows()
                      if row["remote"].startswith(f"{SECOND4}:")], f"a subflow to {SECOND4}")
    remotes = [row["address"] for row in daemon.connection()["remotes"]]
    check(any(SECOND4 in address for address in remotes), "the daemon shows the address")
    lab.open_throttle()
    curl.finish()
    check(True, "the file arrived as it was sent")
    check(lab.counters()["AddAddr"] > 0, "an announcement came")


harness.main([test_select_role_off_is_not_used,
              test_select_virtual_interfaces_are_not_used,
              test_select_virtual_interface_switched_on_is_used,
              test_select_link_local_is_not_used,
              test_select_six_paths_default_limit_gives_four,
              test_select_six_paths_limit_two_gives_two,
              test_select_six_paths_limit_eight_gives_six,
              test_select_announced_address_is_joined])
