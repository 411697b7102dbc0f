#!/usr/bin/python3
"""Many connections: the daemon is killed among them, or stopped while they come and go."""


import harness
from bursts import Burst
from harness import check, check_equal, needs_ipv6, topology
from kernelstate import kernel_state, wait_for_same_counts, wait_for_same_state
from lab import NAMES, SERVER, SERVICE4, SERVICE6, wait_for, write
from programs import Daemon, start_bus
from transfers import MAPPED4, Downloads, Pacer, wait_for_joins

SIZE = 1_000_000
LIVE = 200
STEP = 10_000
UNSHAPED = topology(NAMES[:2], (None, None))


def kill_among(lab, host, count, dual=False):
    """Killed while joins are under way, and once more when all is quiet."""
    start_bus(lab)
    pacer = Pacer(lab, SIZE, dual)
    daemon = Daemon(lab).start()
    downloads = Downloads(lab, host, "data", count)
    wait_for(lambda: lab.counters()["MPJoinSynTx"] > 0, "the first join")
    daemon.kill()
    lab.note(f"killed after {lab.counters()['MPJoinSynTx']} joins")
    wait_for(lambda: len(kernel_state()) == count, "all connections are open")
    before = set(kernel_state())
    daemon.start()
    check_equal(set(wait_for_same_state(daemon, count, 2)) == before, True,
                "what the restarted daemon knows is what was there")
    wait_for_joins(lab, daemon, count, "joins in all, one a connection")
    daemon.kill()
    daemon.start()
    wait_for_same_counts(daemon, count, 2)
    created = daemon.query("status")["counters"]["subflows_created"]
    check_equal(created, 0, "joins after another restart")
    lab.path_down(1)
    wait_for_same_counts(daemon, count, 1)
    lab.path_up(1)
    wait_for_same_counts(daemon, count, 2)
    check(True, "the second link went and came back for all of them")
    pacer.hurry()
    downloads.finish()
    check(True, f"{count} files arrived as they were sent")


@UNSHAPED
def test_crowd_killed_among_200_transfers_goes_on(lab):
    """SIGKILL among 200 downloads over IPv4."""
    kill_among(lab, SERVICE4, LIVE)


@UNSHAPED
@needs_ipv6
def test_crowd_killed_among_ipv6_transfers_goes_on(lab):
    """SIGKILL among downloads over IPv6."""
    kill_among(lab, SERVICE6, LIVE, dual=True)


@UNSHAPED
@needs_ipv6
def test_crowd_killed_among_mapped_transfers_goes_on(lab):
    """SIGKILL among downloads over IPv4 by IPv6 sockets."""
    kill_among(lab, MAPPED4, LIVE, dual=True)


@UNSHAPED
def test_crowd_stopped_for_10000_of_40000_state_is_exact(lab):
    """Connections as fast as they come, the daemon stopped in the middle; some of them stay."""
    write("/proc/sys/net/ipv4/ip_local_port_range", "1024 65535")  # joins stay in TIME_WAIT
    start_bus(lab)
    daemon = Daemon(lab).start()
    burst = Burst(lab)
    burst.do(f"open {STEP} 100")
    lab.note("stopped")
    daemon.process.freeze()
    burst.do(f"open {STEP} 100")
    burst.do("close 50")
    daemon.process.thaw()
    lab.note("continues")
    burst.do(f"open {2 * STEP} 200")
    burst.do("close 100")
    lab.note("all were opened")
    state = wait_for_same_state(daemon, 150, 2)
    lab.note("the state is exact")
    check_equal(lab.counters()["MPCapableSYNTX"], 4 * STEP, "connections opened")
    check_equal(lab.counters(SERVER)["MPCapableACKRX"], 4 * STEP, "connections accepted")
    check_equal(len({tuple(each) for each in state.values()}), 150, "different pairs of addresses")
    lab.path_down(1)
    wait_for_same_counts(daemon, 150, 1)
    check(True, "the second link is gone for all that are left")


harness.main([test_crowd_killed_among_200_transfers_goes_on,
              test_crowd_killed_among_ipv6_transfers_goes_on,
              test_crowd_killed_among_mapped_transfers_goes_on,
              test_crowd_stopped_for_10000_of_40000_state_is_exact])
