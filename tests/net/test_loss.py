#!/usr/bin/python3
"""Paths are lost in the middle of transfers in both directions, as the kernel notices."""

import harness
from harness import check, needs_ipv6, topology
from lab import NAMES, SERVICE4, SERVICE6, wait_for
from programs import stage
from transfers import MAPPED4, BothWays, wait_for_interfaces

LITTLE = 50_000  # of a path that loses packets no more is asked
SIZE = 100_000_000  # longer than the tests need; the throttle is opened at the end


def carries(lab, index):
    name = lab.paths[index].name
    goal = lab.carried()[name] + LITTLE
    wait_for(lambda: lab.carried()[name] >= goal, f"data on {name} again")


def lose_and_return(lab, daemon, both, what, lose, restore):
    """Path 0 goes by lose(0), and comes back by restore(0)."""
    lab.note(what)
    lose(0)
    wait_for_interfaces(daemon, 2, ["lte0"])
    both.progress()
    check(True, f"{what}: both transfers go on over lte0")
    restore(0)
    wait_for_interfaces(daemon, 2, ["wifi0", "lte0"])
    carries(lab, 0)
    check(True, f"{what}: wifi0 is used again")


def run_losses(lab, host, losses, size=SIZE, **nginx):
    daemon = stage(lab, size=size, **nginx)
    both = BothWays(lab, host, "data")
    wait_for_interfaces(daemon, 2, ["wifi0", "lte0"])
    both.progress()
    for what, lose, restore in losses:
        lose_and_return(lab, daemon, both, what, lose, restore)
    lab.open_throttle()
    both.finish()
    check(True, f"{size} bytes arrived as they were sent, up and down")


def noticed(lab):
    return (("link down", lab.path_down, lab.path_up),
            ("address removed", lab.addr_del, lab.addr_add),
            ("carrier lost", lab.carrier_off, lab.carrier_on))


def test_loss_ipv4_link_address_carrier_both_ways_go_on(lab):
    """The path that the connections were opened on goes in three ways."""
    run_losses(lab, SERVICE4, noticed(lab))


@topology(NAMES[:2], (20, 20), delay=(100, 10), loss=(5, 0.5))
def test_loss_delayed_and_lossy_both_ways_go_on(lab):
    """The same on paths with 100 and 10 ms each way, which lose 5 and 0.5 percent of packets."""
    run_losses(lab, SERVICE4, noticed(lab), SIZE // 2)


@needs_ipv6
def test_loss_ipv6_link_address_carrier_both_ways_go_on(lab):
    """The same over IPv6."""
    run_losses(lab, SERVICE6, noticed(lab))


@needs_ipv6
def test_loss_mapped_link_address_carrier_both_ways_go_on(lab):
    """The same over IPv4, by IPv6 sockets on both sides."""
    run_losses(lab, MAPPED4, noticed(lab), dual=True)


harness.main([test_loss_ipv4_link_address_carrier_both_ways_go_on,
              test_loss_delayed_and_lossy_both_ways_go_on,
              test_loss_ipv6_link_address_carrier_both_ways_go_on,
              test_loss_mapped_link_address_carrier_both_ways_go_on])
