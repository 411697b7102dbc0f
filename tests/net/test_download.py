#!/usr/bin/python3
"""curl downloads from nginx, both unmodified, over two paths."""

import harness
from harness import check, check_equal, needs_ipv6
from lab import SERVER, SERVICE4, SERVICE6, wait_for
from programs import Curl, stage, wait_for_subflows
from transfers import wait_for_joins

SIZE = 16_000_000


def download_over_both(lab, host):
    daemon = stage(lab, size=SIZE)
    before = lab.received()
    curl = Curl(lab, host, "data")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    lab.note("two subflows")
    check_equal([row["interface"] for row in daemon.subflows() if row["initial"]], ["wifi0"],
                "interface of the initial subflow")
    curl.finish()
    check(True, f"{SIZE} bytes arrived as they were sent")
    for name, count in lab.received().items():
        check(count - before[name] > SIZE / 10, f"{name} carried data ({count - before[name]})")
    check_equal(lab.counters()["MPCapableSYNTX"], 1, "MPTCP connections opened")
    wait_for_joins(lab, daemon, 1, "joins sent by the client")
    check(lab.counters(SERVER)["MPJoinAckRx"] >= 1, "a join was completed at the server")


def test_download_over_ipv4_uses_both_paths(lab):
    """Two paths, IPv4: one join, data on both, every byte right."""
    download_over_both(lab, SERVICE4)


@needs_ipv6
def test_download_over_ipv6_uses_both_paths(lab):
    """Two paths, IPv6: one join, data on both, every byte right."""
    download_over_both(lab, SERVICE6)


def test_download_from_plain_server_falls_back(lab):
    """A server that knows TCP only: the client gets its file, and no join is tried."""
    daemon = stage(lab, upgraded=False)
    Curl(lab, SERVICE4, "data").finish()
    check(True, "the file arrived as it was sent")
    client = lab.counters()
    check_equal(client["MPCapableSYNTX"], 1, "MPTCP connections tried")
    check_equal(client["MPCapableFallbackSYNACK"], 1, "of them fallen back to TCP")
    check_equal(client["MPJoinSynTx"], 0, "joins sent")
    check(daemon.process.running(), "the daemon runs on")


def test_download_by_plain_client_stays_tcp(lab):
    """A client without the library: plain TCP, also with an upgraded server."""
    stage(lab)
    Curl(lab, SERVICE4, "data", upgraded=False).finish()
    check(True, "the file arrived as it was sent")
    check_equal(lab.counters()["MPCapableSYNTX"], 0, "MPTCP connections tried")
    check_equal(lab.counters(SERVER)["MPCapableSYNRX"], 0, "MPTCP connections accepted")


def test_download_repeatedly_leaves_no_connection(lab):
    """Ten downloads in a row: afterwards the daemon knows of none."""
    daemon = stage(lab, size=500_000)
    for _ in range(10):
        Curl(lab, SERVICE4, "data").finish()
    wait_for(lambda: not daemon.connections(), "no connection is left")
    check(True, "no connection is left")
    check_equal(lab.counters()["MPCapableSYNTX"], 10, "MPTCP connections opened")


harness.main([test_download_over_ipv4_uses_both_paths,
              test_download_over_ipv6_uses_both_paths,
              test_download_from_plain_server_falls_back,
              test_download_by_plain_client_stays_tcp,
              test_download_repeatedly_leaves_no_connection])
