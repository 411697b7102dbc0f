#!/usr/bin/python3
"""A server that answers SYNs with cookies (tcp(7), tcp_syncookies), for which it remembers nothing
until the third ACK: connections are MPTCP all the same, and so are joins, also those that have to
be admitted first.
"""

import harness
import sandbox
from apps.case import DATA, check_same, fallbacks, path
from attacker import MSS, SYN, tcp_packet
from guarded import PORT, stage, stage_guarded, wait_for_own_paths
from harness import check, check_equal, full, needs, needs_gate, needs_ipv6
from lab import SERVER, SERVICE4, SERVICE6, read, wait_for, write
from programs import stage as stage_nginx
from protect import Hosts, Side, listens, nginx
from transfers import BothWays, wait_for_interfaces

SYSCTL = "/proc/sys/net/ipv4/tcp_syncookies"
ALWAYS, WHEN_FULL = "2", "1"
CAPABLE = bytes((30, 4, 1, 1))  # MP_CAPABLE of a SYN, version 1 (RFC 8684, section 3.1)
SIZE = 4_000_000
STORM = 500  # SYNs, of which a queue of 64 is full
JOINS = 100

needs_cookies = needs(SYSCTL, "this kernel has no SYN cookies")


def bake(netns, when=ALWAYS):
    with sandbox.inside(netns):
        write(SYSCTL, when)


def baked(lab, netns):
    """Cookies that the kernel there has sent, that came back right, and wrong."""
    counters = lab.counters(netns, "TcpExt")
    return [counters[f"Syncookies{what}"] for what in ("Sent", "Recv", "Failed")]


def check_all_mptcp(lab, netns, wanted):
    """Each handshake went by a cookie, as far as cookies are always sent, and is MPTCP.

    wanted: connections, with a join each, or more: of those that ask whether a path is alive.
    """
    counters = lab.counters(netns)
    connections, joins = counters["MPCapableACKRX"], counters["MPJoinAckRx"]
    check_equal((connections, fallbacks(counters)), (wanted, 0), "connections, and fallen back")
    check(joins >= wanted, f"{joins} joins")
    with sandbox.inside(netns):
        least = connections + joins if read(SYSCTL).strip() == ALWAYS else 1
    received = baked(lab, netns)[1]
    check(least <= received <= connections + joins, f"{received} came by cookies")


def both_ways(lab, host):
    bake(SERVER)
    daemon = stage_nginx(lab, size=SIZE)
    both = BothWays(lab, host, "data")
    wait_for_interfaces(daemon, 2, ["wifi0", "lte0"])
    lab.open_throttle()
    both.finish()
    check(True, f"{SIZE} bytes arrived as they were sent, up and down")
    check_all_mptcp(lab, SERVER, 2)


@needs_cookies
def test_cookies_always_both_paths_carry(lab):
    """A download and an upload."""
    both_ways(lab, SERVICE4)


@needs_cookies
@needs_ipv6
def test_cookies_always_ipv6_both_paths_carry(lab):
    """The same over IPv6, whose cookies are others."""
    both_ways(lab, SERVICE6)


def storm(scene):
    """SYNs that ask for MPTCP, from everywhere, to which nobody will say more."""
    for i in range(STORM):
        packet = tcp_packet(scene.attacker.address(i), SERVICE4, (1024 + i, PORT), (i, 0), SYN,
                            MSS + CAPABLE)
        scene.attacker.send(packet)


@needs_cookies
def test_cookies_in_a_storm_of_syns_both_paths_carry(lab):
    """As kernels have it by default: cookies once the listener's queue is full of strangers."""
    scene = stage(lab)
    netns = scene.real.netns
    bake(netns, WHEN_FULL)
    storm(scene)
    wait_for(lambda: baked(lab, netns)[0], "the queue is full")
    pair, _victim = scene.open()
    wait_for_own_paths(scene)
    storm(scene)
    pair.transfer(SIZE)
    check(True, f"{SIZE} bytes arrived as they were sent, each way")
    check_all_mptcp(lab, netns, 1)


@needs_cookies
@needs_gate
def test_cookies_require_strangers_get_none(lab):
    """With authentication: own joins are admitted; others' die before a cookie is made."""
    scene = stage_guarded(lab)
    netns = scene.real.netns
    bake(netns)
    pair, victim = scene.open()
    scene.confirmed()
    wait_for_own_paths(scene)
    scene.repel(victim, JOINS)
    pair.transfer(SIZE)
    check(True, f"{SIZE} bytes arrived as they were sent, each way")
    check_all_mptcp(lab, netns, 1)
    sent, received = baked(lab, netns)[:2]
    check(sent < received + JOINS, f"{sent} cookies sent, none of them to strangers")


@full
@needs_cookies
@needs_gate
def test_cookies_require_of_tls_programs_both_paths_carry(lab):
    """curl and nginx, whose key is that of their TLS session."""
    bake(SERVER)
    hosts = Hosts(lab, Side("curl"), listens("nginx", 80, 443))
    nginx(hosts)
    client = hosts.begin(["curl", "--silent", "--show-error", "--fail", "--noproxy", "*",
                          "--insecure", "--output", path("got"), f"https://{SERVICE4}/data"])
    hosts.watch(client)
    hosts.finish(client)
    check_same(path("got"), DATA)
    check(True, "the file arrived as it was sent")
    check_all_mptcp(lab, SERVER, 1)


harness.main([test_cookies_always_both_paths_carry,
              test_cookies_always_ipv6_both_paths_carry,
              test_cookies_in_a_storm_of_syns_both_paths_carry,
              test_cookies_require_strangers_get_none,
              test_cookies_require_of_tls_programs_both_paths_carry])
