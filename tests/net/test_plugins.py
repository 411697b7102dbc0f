#!/usr/bin/python3
"""Each plugin does on a real kernel what it is for."""

import harness
from harness import check, check_equal, needs_ipv6, topology
from lab import NAMES, PATIENCE, SERVER, SERVICE4, SERVICE6, Failed, command, ip_batch, wait_for
from programs import (Curl, Daemon, Nginx, daemon_at, stage, start_bus,
                      wait_for_subflows)
from transfers import MAPPED4, Upload, wait_for_joins

SIZE = 80_000_000  # longer than the tests need; the throttle is opened at the end
SOME = 1_000_000


def progress(lab, name):
    """Waits for data on an interface."""
    goal = lab.carried()[name] + SOME
    wait_for(lambda: lab.carried()[name] >= goal, f"{SOME} more bytes on {name}")


def finish(lab, curl):
    lab.open_throttle()
    curl.finish()
    check(True, "every byte arrived as it was sent")


def bits(daemon):
    """The backup bit of each established subflow, by interface."""
    return {row["interface"]: row["backup"] for row in daemon.subflows()}


def wait_for_bits(daemon, timeout=PATIENCE, **wanted):
    def there():
        if (found := bits(daemon)) != wanted:
            raise Failed(f"now {found}")
        return True

    wait_for(there, f"backup bits {wanted}", timeout)


def lost_and_back(lab, host):
    daemon = stage(lab, {"plugin": "backup"}, size=SIZE)
    curl = Curl(lab, host, "data")
    wait_for_bits(daemon, wifi0=False, lte0=True)
    before = lab.received()["lte0"]
    progress(lab, "wifi0")
    check(lab.received()["lte0"] - before < SOME / 10, "lte0 is idle")
    lab.path_down(0)
    wait_for_bits(daemon, lte0=False)
    progress(lab, "lte0")
    check(True, "lte0 carries")
    lab.path_up(0)
    wait_for_bits(daemon, wifi0=True, lte0=False)
    check(True, "wifi0 is back, as backup at first")
    wait_for_bits(daemon, wifi0=False, lte0=True)
    progress(lab, "wifi0")
    check(True, "wifi0 carries again")
    finish(lab, curl)


def test_backup_link_lost_and_back_carrier_follows(lab):
    """wifi0 carries, lte0 stands by; wifi0 goes and comes back."""
    lost_and_back(lab, SERVICE4)


@needs_ipv6
def test_backup_ipv6_link_lost_and_back_carrier_follows(lab):
    """The same over IPv6."""
    lost_and_back(lab, SERVICE6)


def test_backup_mapped_link_lost_and_back_carrier_follows(lab):
    """The same over IPv4, by a socket for IPv6."""
    lost_and_back(lab, MAPPED4)


def test_backup_energy_save_joins_in_need_only(lab):
    """With energy=save there is no standby until it is needed, and none afterwards."""
    daemon = stage(lab, {"plugin": "backup", "plugins": {"backup": {"energy": "save"}}}, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    progress(lab, "wifi0")
    check_equal(bits(daemon), {"wifi0": False}, "subflows")
    check_equal(lab.counters()["MPJoinSynTx"], 0, "joins")
    lab.path_down(0)
    wait_for_bits(daemon, lte0=False)
    progress(lab, "lte0")
    lab.path_up(0)
    wait_for_bits(daemon, wifi0=False)
    progress(lab, "wifi0")
    finish(lab, curl)


def test_backup_energy_save_silent_path_is_left(lab):
    """With energy=save a path that swallows all is lost, too, when something has been sent."""
    daemon = stage(lab, {"plugin": "backup", "plugins": {"backup": {"energy": "save"}}}, size=SIZE)
    upload = Upload(lab, SERVICE4, "data")
    progress(lab, "wifi0")
    check_equal(bits(daemon), {"wifi0": False}, "subflows")
    lab.blackhole(0, "both")
    wait_for_bits(daemon, lte0=False)
    progress(lab, "lte0")
    finish(lab, upload)


def test_ndiffports_subflows_share_addresses(lab):
    """Three subflows on one pair of addresses, each from its own port; lost ones are replaced."""
    daemon = stage(lab, {"plugin": "ndiffports", "plugins": {"ndiffports": {"subflows": 3}}},
                   size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, ["wifi0"] * 3)
    rows = daemon.subflows()
    check_equal({row["remote"] for row in rows}, {f"{SERVICE4}:80"}, "remote addresses")
    check_equal(len({row["local"] for row in rows}), 3, "number of local addresses with ports")
    check_equal({row["local"].rsplit(":", 1)[0] for row in rows}, {lab.paths[0].client4},
                "local addresses")
    lost = next(row for row in rows if not row["initial"])["local"]
    port = lost.rsplit(":", 1)[1]
    command("ss", "-K", "sport", "=", f":{port}")  # the peer would be taken to refuse it
    wait_for(lambda: lost not in {row["local"] for row in daemon.subflows()}, "the loss of one")
    wait_for_subflows(daemon, ["wifi0"] * 3)
    check(True, "the lost one is replaced")
    finish(lab, curl)


def test_announce_server_is_joined_where_it_says(lab):
    """The server tells of its second address, and the client's kernel joins it there."""
    start_bus(lab)
    ip_batch(["mptcp limits set subflows 8 add_addr_accepted 8"])
    daemon = Daemon(lab, {"plugin": "announce", "interfaces": {"r0": "off"},
                          "plugins": {"announce": {"demote_initial": True}}})
    daemon.start(prefix=("ip", "netns", "exec", SERVER))
    Nginx(lab)
    Nginx.file("data", SIZE)
    curl = Curl(lab, SERVICE4, "data")
    initial, second = f"{SERVICE4}:80", f"{lab.paths[1].net4}.254:80"
    wait_for(lambda: {row["local"]: row["backup"] for row in daemon.subflows()}
             == {initial: True, second: False}, f"{initial} as backup, and {second}")
    check(True, f"{second} is joined, and {initial} is backup then")
    check_equal(lab.counters(SERVER)["MPJoinSynTx"], 0, "joins by the server")
    finish(lab, curl)


@topology(NAMES[:3], (20,) * 3)
def test_announce_joins_over_the_limit_are_closed(lab):
    """The server takes one join; the client's other one is closed, and not tried again."""
    daemon = stage(lab, size=SIZE)
    server = daemon_at(lab, SERVER, {"plugin": "announce", "interfaces": {"*": "off"},
                                     "limits": {"max_accepted": 1}})
    curl = Curl(lab, SERVICE4, "data")
    wait_for(lambda: server.query("status")["counters"]["subflows_surplus"] == 1,
             "one that is too many")
    wait_for(lambda: len(server.subflows()) == 2 and len(daemon.subflows()) == 2,
             "two subflows at both ends")
    progress(lab, "wifi0")
    wait_for_joins(lab, daemon, 2, "joins")
    check(any("not tried again" in line["reason"] for line in daemon.connection()["log"]),
          "the client has understood")
    finish(lab, curl)


def test_fullmesh_start_after_ms_small_transfer_has_one_path(lab):
    """With start_after_ms short connections stay on one path, long ones don't."""
    daemon = stage(lab, {"plugins": {"fullmesh": {"start_after_ms": 2000}}}, size=SIZE)
    Nginx.file("small", 100_000)
    Curl(lab, SERVICE4, "small").finish()
    check_equal(lab.counters()["MPJoinSynTx"], 0, "joins of a small transfer")
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    check(True, "a long one gets its second path")
    finish(lab, curl)


def test_fullmesh_start_after_bytes_small_transfer_has_one_path(lab):
    """With start_after_bytes what is smaller stays on one path."""
    daemon = stage(lab, {"plugins": {"fullmesh": {"start_after_bytes": 4_000_000}}}, size=SIZE)
    Nginx.file("small", 1_000_000)
    Curl(lab, SERVICE4, "small").finish()
    check_equal(lab.counters()["MPJoinSynTx"], 0, "joins of a small transfer")
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    check(curl.received() > 3_000_000, "most of the bytes came before the second path")
    finish(lab, curl)


@topology(delay=(10, 20))
def test_interactive_slow_path_is_left(lab):
    """wifi0 becomes slow, and lte0 carries; it becomes fast again, and carries again."""
    daemon = stage(lab, {"plugin": "backup", "plugins": {"backup": {"mode": "interactive"}}},
                   size=SIZE)
    upload = Upload(lab, SERVICE4, "data")
    wait_for_bits(daemon, wifi0=False, lte0=True)
    progress(lab, "wifi0")
    lab.links[0].do("delay", 400)
    wait_for_bits(daemon, wifi0=True, lte0=False)
    progress(lab, "lte0")
    check(True, "lte0 carries")
    lab.links[0].do("delay", 10)
    wait_for_bits(daemon, timeout=90, wifi0=False, lte0=True)
    progress(lab, "wifi0")
    check(True, "wifi0 carries again")
    finish(lab, upload)


def test_handed_to_an_installed_plugin_and_back(lab):
    """A live connection goes to a plugin that nothing in the configuration has, and back."""
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    token = daemon.connection()["token"]
    lab.path_down(1)
    wait_for_subflows(daemon, ["wifi0"])
    check_equal(daemon.ctl("plugin", token, "announce").returncode, 0, "exit status")
    check_equal(daemon.connection()["plugin"], "announce", "plugin")
    lab.path_up(1)
    progress(lab, "wifi0")
    wait_for_subflows(daemon, ["wifi0"])
    check(True, "announce joins nothing")
    check_equal(daemon.ctl("plugin", token, "nosuch").returncode, 1, "exit status of no plugin")
    check_equal(daemon.ctl("plugin", token, "default").returncode, 0, "exit status")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    finish(lab, curl)


@topology(delay=(10, 20))
def test_interactive_slow_download_is_left(lab):
    """The same with a download: nothing that the client sends measures wifi0."""
    daemon = stage(lab, {"plugin": "backup", "plugins": {"backup": {"mode": "interactive"}}},
                   size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_bits(daemon, wifi0=False, lte0=True)
    progress(lab, "wifi0")
    lab.links[0].do("delay", 400)
    wait_for_bits(daemon, wifi0=True, lte0=False)
    progress(lab, "lte0")
    check(True, "lte0 carries")
    for _ in range(8):  # in that time wifi0 would be missed
        progress(lab, "lte0")
    check_equal(daemon.query("status")["counters"]["subflows_dead"], 0, "lost paths")
    finish(lab, curl)


harness.main([test_backup_link_lost_and_back_carrier_follows,
              test_backup_ipv6_link_lost_and_back_carrier_follows,
              test_backup_mapped_link_lost_and_back_carrier_follows,
              test_backup_energy_save_joins_in_need_only,
              test_backup_energy_save_silent_path_is_left,
              test_ndiffports_subflows_share_addresses,
              test_announce_server_is_joined_where_it_says,
              test_announce_joins_over_the_limit_are_closed,
              test_fullmesh_start_after_ms_small_transfer_has_one_path,
              test_fullmesh_start_after_bytes_small_transfer_has_one_path,
              test_handed_to_an_installed_plugin_and_back,
              test_interactive_slow_path_is_left,
              test_interactive_slow_download_is_left])
