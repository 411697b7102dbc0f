#!/usr/bin/python3
"""Networks between the hosts that users have: translated addresses, strict providers, many
addresses."""

import harness
import nets
import sandbox
from harness import check, check_equal, needs_program
from lab import SERVER, SERVICE4, ip_batch, wait_for
from programs import Curl, Daemon, Nginx, daemon_at, stage, start_bus, wait_for_subflows
from transfers import progress

SIZE = 40_000_000  # longer than the tests need; the throttle is opened at the end
BOTH = ["wifi0", "lte0"]
MANY = 16


def finish(lab, curl):
    lab.open_throttle()
    curl.finish()
    check(True, "the file arrived as it was sent")


def start_transfer(lab, netns):
    """Daemon, nginx in that namespace, and a download from SERVICE4."""
    start_bus(lab)
    Nginx(lab, netns=netns)
    Nginx.file("data", SIZE)
    daemon = Daemon(lab).start()
    return daemon, Curl(lab, SERVICE4, "data")


def lose_first(lab, daemon, curl):
    """The first path goes and comes back."""
    lab.path_down(0)
    wait_for_subflows(daemon, ["lte0"])
    progress(curl)
    check(True, "the transfer goes on over lte0")
    lab.path_up(0)
    wait_for_subflows(daemon, BOTH)


@needs_program("nft")
def test_network_server_behind_nat_is_joined(lab):
    """The server has an address that only its router knows; the first path is lost."""
    real, = nets.route(lab, 1, service=False)
    nets.translate(real)
    daemon, curl = start_transfer(lab, real.netns)
    wait_for_subflows(daemon, BOTH)
    progress(curl)
    lose_first(lab, daemon, curl)
    finish(lab, curl)
    check_equal(lab.joined(real.netns), 2, "joins completed at the server")


@needs_program("nft")
def test_network_server_behind_nat_announces_in_vain(lab):
    """It announces the address that nobody else can reach: the transfer doesn't suffer."""
    real, = nets.route(lab, 1, service=False)
    nets.translate(real)
    nets.refuse_private(lab)
    with sandbox.inside(real.netns):
        ip_batch([f"mptcp endpoint add {real.address4} signal"])
    daemon, curl = start_transfer(lab, real.netns)
    wait_for(lambda: daemon.connection()["remotes"], "an announced address")
    wait_for_subflows(daemon, BOTH)
    lose_first(lab, daemon, curl)
    finish(lab, curl)


def test_network_strict_providers_are_both_used(lab):
    """Two providers, each of which drops packets with an address of the other."""
    nets.drop_foreign_sources(lab)
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, BOTH)
    progress(curl)
    lose_first(lab, daemon, curl)
    finish(lab, curl)


def add_addresses(lab):
    """Sixteen in all: seven more on each link."""
    for path in lab.paths:
        ip_batch([f"addr add {path.net4}.{number}/24 dev {path.name}" for number in range(2, 9)])


def locals_of(daemon):
    return {row["local"].rsplit(":", 1)[0] for row in daemon.subflows()}


def test_network_sixteen_addresses_are_all_used(lab):
    """More than the eight that the kernel's own path manager can have on either side."""
    add_addresses(lab)
    wanted = {f"{path.net4}.{number}" for path in lab.paths for number in range(1, 9)}
    conf = {"limits": {"max_subflows": MANY, "max_accepted": MANY}}
    daemon_at(lab, SERVER, conf)
    daemon = stage(lab, conf, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for(lambda: locals_of(daemon) == wanted, "a subflow on each of the addresses")
    progress(curl)
    check_equal(lab.joined(), MANY - 1, "joins that the server took")
    lab.path_down(0)
    wait_for(lambda: locals_of(daemon) == {a for a in wanted if a.startswith("198.51.100")},
             "the eight of the other link are left")
    progress(curl)
    finish(lab, curl)


def test_network_sixteen_addresses_default_limit_holds(lab):
    """Four subflows, over both links, and the rest of the addresses in reserve."""
    add_addresses(lab)
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for(lambda: len(daemon.subflows()) == 4, "four subflows")
    lab.path_down(0)
    wait_for(lambda: [row["interface"] for row in daemon.subflows()] == ["lte0"] * 4,
             "four subflows on the other link")
    progress(curl)
    finish(lab, curl)


harness.main([test_network_server_behind_nat_is_joined,
              test_network_server_behind_nat_announces_in_vain,
              test_network_strict_providers_are_both_used,
              test_network_sixteen_addresses_are_all_used,
              test_network_sixteen_addresses_default_limit_holds])
