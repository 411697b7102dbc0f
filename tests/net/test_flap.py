#!/usr/bin/python3
"""Links and addresses that come and go in the middle of a transfer."""

import time

import harness
import sandbox
from harness import FULL, check, check_equal, needs_ipv6
from lab import SERVER, SERVICE4, SERVICE6, ip_batch, wait_for
from programs import Curl, stage, wait_for_subflows
from transfers import MAPPED4, SOME, joins, progress, wait_for_joins

SIZE = 100_000_000  # longer than the tests need; the throttle is opened at the end
FLAPS = 5
FLAP_SECONDS = 0.3
AWAY_SECONDS = 10 if FULL else 3
BOTH = ["wifi0", "lte0"]
NEW = 77  # the last number of a new lease


def transfer(lab, host):
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, host, "data")
    wait_for_subflows(daemon, BOTH)
    progress(curl)
    return daemon, curl


def finish(lab, curl):
    lab.open_throttle()
    curl.finish()
    check(True, f"{SIZE} bytes arrived as they were sent")


def carries(lab, name):
    goal = lab.received()[name] + SOME
    wait_for(lambda: lab.received()[name] >= goal, f"data on {name}")
    check(True, f"{name} carries data")


def flap(lab, index, host=SERVICE4):
    """Five times in three seconds, down and up again."""
    daemon, curl = transfer(lab, host)
    before = joins(lab, daemon)
    for _ in range(FLAPS):
        lab.path_down(index)
        time.sleep(FLAP_SECONDS)
        lab.path_up(index)
        time.sleep(FLAP_SECONDS)
    lab.note("the last time up")
    wait_for_subflows(daemon, BOTH)
    carries(lab, lab.paths[index].name)
    progress(curl)
    count = joins(lab, daemon) - before
    check(1 <= count <= 2 * FLAPS, f"{count} joins for {FLAPS} flaps")
    finish(lab, curl)


def test_flap_five_times_initial_path_is_used_again(lab):
    """The link that the connection was opened on."""
    flap(lab, 0)


def test_flap_five_times_other_path_is_used_again(lab):
    """The link of the second subflow."""
    flap(lab, 1)


@needs_ipv6
def test_flap_five_times_ipv6_initial_path_is_used_again(lab):
    """The link that the connection was opened on, over IPv6."""
    flap(lab, 0, SERVICE6)


def locals_on(daemon, name):
    return [row["local"].rsplit(":", 1)[0] for row in daemon.subflows() if row["interface"] == name]


def lease(lab, index):
    """A new address in place of the old, as when a lease isn't renewed."""
    daemon, curl = transfer(lab, SERVICE4)
    name = lab.paths[index].name
    lab.new_address(index, NEW)
    lab.note(f"{name} has {lab.paths[index].client4}")
    wait_for(lambda: locals_on(daemon, name) == [lab.paths[index].client4],
             f"one subflow on {name}, with the new address")
    wait_for_subflows(daemon, BOTH)
    carries(lab, name)
    finish(lab, curl)


def test_flap_new_lease_on_initial_path_is_used(lab):
    """The address that the connection was opened with is replaced."""
    lease(lab, 0)


def test_flap_new_lease_on_other_path_is_used(lab):
    """The address of the second subflow is replaced."""
    lease(lab, 1)


def all_lost(lab, host, lose, restore):
    """All paths go, for less than dead_after, and come back."""
    daemon, curl = transfer(lab, host)
    for index in (0, 1):
        lose(index)
    got = curl.received()
    time.sleep(AWAY_SECONDS)
    check(curl.received() < got + SOME, "nothing comes while all paths are gone")
    check_equal(len(daemon.connections()), 1, "connections that are kept")
    for index in (1, 0):
        restore(index)
    lab.note("all paths are back")
    progress(curl)
    check(True, "the transfer goes on")
    wait_for_subflows(daemon, BOTH)
    check(any("a new subflow will be sooner" in line["reason"]
              for line in daemon.connection()["log"]),
          "without waiting for the retransmission timeout of the old subflow")
    finish(lab, curl)


def test_flap_all_links_lost_and_back_transfer_goes_on(lab):
    """Both links go down."""
    all_lost(lab, SERVICE4, lab.path_down, lab.path_up)


def test_flap_all_carriers_lost_and_back_transfer_goes_on(lab):
    """Both cables are pulled; IPv4 by IPv6 sockets."""
    all_lost(lab, MAPPED4, lab.carrier_off, lab.carrier_on)


@needs_ipv6
def test_flap_all_addresses_lost_and_back_transfer_goes_on(lab):
    """Both links lose their addresses, over IPv6."""
    all_lost(lab, SERVICE6, lab.addr_del, lab.addr_add)


def build_bridge():
    """What a container engine does when ten containers start."""
    ip_batch(["link add docker0 type bridge", "addr add 172.17.0.1/16 dev docker0",
              "addr add 2001:db8:d0c::1/64 dev docker0 nodad", "link set docker0 up"])
    for i in range(10):
        ip_batch([f"link add veth{i} type veth peer name inner{i} netns {SERVER}",
                  f"addr add 172.18.{i}.1/24 dev veth{i}",
                  f"link set veth{i} master docker0", f"link set veth{i} up"])
        with sandbox.inside(SERVER):
            ip_batch([f"link set inner{i} up", f"addr add 172.18.{i}.2/24 dev inner{i}"])


def test_flap_container_bridge_appears_no_subflow_uses_it(lab):
    """A bridge and ten pairs with addresses of their own; afterwards, a real link flaps."""
    daemon, curl = transfer(lab, SERVICE4)
    before = joins(lab, daemon)
    build_bridge()
    known = lambda: [row for row in daemon.query("status")["interfaces"]
                     if row["name"].startswith(("veth", "docker"))]
    wait_for(lambda: len([row for row in known() if row["addresses"]]) == 11,
             "the daemon knows of all of them and their addresses")
    lab.path_down(1)
    wait_for_subflows(daemon, ["wifi0"])
    lab.path_up(1)
    wait_for_subflows(daemon, BOTH)
    check(not any(row["usable"] for row in known()), "none of them counts as usable")
    wait_for_joins(lab, daemon, before + 1, "joins, with that of the real link")
    finish(lab, curl)
    ip_batch([f"link del {name}" for name in ["docker0"] + [f"veth{i}" for i in range(10)]])


harness.main([test_flap_five_times_initial_path_is_used_again,
              test_flap_five_times_other_path_is_used_again,
              test_flap_five_times_ipv6_initial_path_is_used_again,
              test_flap_new_lease_on_initial_path_is_used,
              test_flap_new_lease_on_other_path_is_used,
              test_flap_all_links_lost_and_back_transfer_goes_on,
              test_flap_all_carriers_lost_and_back_transfer_goes_on,
              test_flap_all_addresses_lost_and_back_transfer_goes_on,
              test_flap_container_bridge_appears_no_subflow_uses_it])
