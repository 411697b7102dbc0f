#!/usr/bin/python3
"""Peers that refuse joins or don't know MPTCP, and middleboxes that don't let it through."""

import socket
import struct

import harness
import sandbox
from harness import check, check_equal, topology
from lab import NAMES, SERVER, SERVICE4, ip_batch, wait_for, write
from programs import Curl, Daemon, stage, start_bus, wait_for_subflows
from transfers import SOME, joins, progress, wait_for_joins

SIZE = 40_000_000  # longer than the tests need; the throttle is opened at the end
BOTH = ["wifi0", "lte0"]
MIDDLEBOXES = topology(NAMES[:2], (20, 20), delay=(5, 5))
CHECKSUMS = "/proc/sys/net/mptcp/checksum_enabled"


def finish(lab, curl):
    lab.note("the rest at full speed")
    lab.open_throttle()
    curl.finish()
    check(True, "the file arrived as it was sent")


def flap(lab, index):
    """Down and up: a new reason to try what was refused."""
    lab.path_down(index)
    lab.path_up(index)


def states(daemon):
    return [row["state"] for row in daemon.connections()]


def stays_plain(lab, daemon, curl):
    """TCP for good, whatever paths come. A fallback at the first SYN makes no event, so it's shown
    only if the daemon has been told of it otherwise."""
    progress(curl)
    flap(lab, 1)
    progress(curl)
    check(states(daemon) in ([], ["fallback"]), f"what is shown: {states(daemon)}")
    finish(lab, curl)
    check_equal(lab.counters()["MPCapableFallbackSYNACK"], 1, "connections fallen back")
    check_equal(lab.counters()["MPJoinSynTx"], 0, "joins sent")


def test_peer_plain_tcp_is_left_alone(lab):
    """The server knows TCP only; the second link flaps."""
    daemon = stage(lab, size=SIZE, upgraded=False)
    stays_plain(lab, daemon, Curl(lab, SERVICE4, "data"))


@MIDDLEBOXES
def test_peer_stripped_on_both_paths_is_left_alone(lab):
    """Middleboxes on both paths take all MPTCP options out."""
    for index in (0, 1):
        lab.strip(index, "all")
    daemon = stage(lab, size=SIZE)
    stays_plain(lab, daemon, Curl(lab, SERVICE4, "data"))


@MIDDLEBOXES
def test_peer_stripped_after_syn_is_shown_and_left_alone(lab):
    """A middlebox on the first path lets MPTCP into SYNs only: a fallback that comes late."""
    lab.strip(0, "data")
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for(lambda: states(daemon) == ["fallback"], "the connection is shown as fallen back")
    lab.note("shown as fallen back")
    flap(lab, 1)
    progress(curl)
    check_equal(states(daemon), ["fallback"], "its state after the second link flapped")
    finish(lab, curl)
    check_equal(lab.counters()["MPJoinSynTx"], 0, "joins sent")


@MIDDLEBOXES
def test_peer_stripped_joins_are_tried_again_after_a_change_only(lab):
    """A middlebox on the second path takes joins out, until another network is there."""
    lab.strip(1, "joins")
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_joins(lab, daemon, 1, "joins")
    curl.reaches(0.1)
    wait_for_joins(lab, daemon, 1, "joins sent on the path that strips them")
    wait_for_subflows(daemon, ["wifi0"])
    lab.strip(1, "none")
    flap(lab, 1)
    wait_for_subflows(daemon, BOTH)
    wait_for_joins(lab, daemon, 2, "joins sent, with that after the link came up")
    finish(lab, curl)


@MIDDLEBOXES
def test_peer_stripped_in_the_middle_other_path_carries_on(lab):
    """A middlebox on the first path begins to take all options out of a connection that lives."""
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, BOTH)
    progress(curl)
    lab.strip(0, "all")
    wait_for_subflows(daemon, ["lte0"])
    progress(curl)
    before = joins(lab, daemon)
    curl.reaches(0.2)
    check(joins(lab, daemon) - before <= 1, "joins after that are stripped too, and given up")
    lab.strip(0, "none")
    flap(lab, 0)
    wait_for_subflows(daemon, BOTH)
    finish(lab, curl)


@MIDDLEBOXES
def test_peer_payload_changed_on_one_path_other_carries_on(lab):
    """A middlebox on the second path changes payload: MPTCP's checksum notices."""
    for netns in (None, SERVER):
        with sandbox.inside(netns):
            write(CHECKSUMS, "1")
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, BOTH)
    progress(curl)
    lab.corrupt(1, "down")
    wait_for(lambda: lab.counters()["DataCsumErr"] > 0, "a checksum failure")
    progress(curl)
    check(True, "the transfer goes on over wifi0")
    lab.corrupt(1, "none")
    flap(lab, 1)
    goal = lab.received()["lte0"] + SOME
    wait_for(lambda: lab.received()["lte0"] >= goal, "data on lte0 again")
    wait_for_subflows(daemon, BOTH)
    finish(lab, curl)


@topology(NAMES[:4], (20,) * 4)
def test_peer_at_its_limit_is_not_hammered(lab):
    """The server takes one more subflow, and there are three more paths."""
    with sandbox.inside(SERVER):
        ip_batch(["mptcp limits set subflows 1"])
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_joins(lab, daemon, 3, "joins")
    curl.reaches(0.3)
    wait_for_joins(lab, daemon, 3, "joins sent, one a path")
    check_equal(len(daemon.subflows()), 2, "subflows")
    finish(lab, curl)
    wait_for_joins(lab, daemon, 3, "joins sent in all")
    check_equal(lab.joined(), 1, "joins that the server took")


def mptcp(netns=None):
    with sandbox.inside(netns):
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)


def test_peer_aborted_connection_is_forgotten(lab):
    """The peer ends it by MP_FASTCLOSE, of which the kernel tells nobody but the program."""
    start_bus(lab)
    daemon = Daemon(lab).start()
    with mptcp(SERVER) as listener, mptcp() as client:
        listener.bind((SERVICE4, 80))
        listener.listen()
        client.connect((SERVICE4, 80))
        server = listener.accept()[0]
        for sender, receiver in ((client, server), (server, client)):
            sender.sendall(b"!")
            receiver.recv(1)
        wait_for_subflows(daemon, BOTH)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        wait_for(lambda: lab.counters()["MPFastcloseRx"] > 0, "the abort")
        wait_for(lambda: not daemon.connections(), "the daemon has forgotten it")
        check(True, "it is gone, while the program still has its socket")


harness.main([test_peer_plain_tcp_is_left_alone,
              test_peer_stripped_on_both_paths_is_left_alone,
              test_peer_stripped_after_syn_is_shown_and_left_alone,
              test_peer_stripped_joins_are_tried_again_after_a_change_only,
              test_peer_stripped_in_the_middle_other_path_carries_on,
              test_peer_payload_changed_on_one_path_other_carries_on,
              test_peer_at_its_limit_is_not_hammered,
              test_peer_aborted_connection_is_forgotten])
