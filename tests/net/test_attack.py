#!/usr/bin/python3
"""An attacker who has read the keys of a connection from its first handshake, and joins it."""

import harness
from guarded import remotes, stage, wait_for_own_paths
from harness import check, check_equal
from lab import wait_for

SIZE = 1_000_000


# without authentication: what the attack is worth

def test_attack_without_authentication_joins(lab):
    """The attacker's subflow is established by a real kernel, and gets the program's data."""
    scene = stage(lab)
    pair, victim = scene.open()
    wait_for_own_paths(scene)
    attempt = scene.attacker.join(victim)[0]
    scene.attacker.until(lambda: scene.joins() == 2, "the server's kernel takes its join")
    check(attempt.answered, "the server has proved that it holds the keys, too")
    wait_for(lambda: attempt.source[0] in remotes(scene.far), "the daemon shows the subflow")
    check_equal(len(scene.far.subflows()), 3, "subflows at the server")
    pair.transfer(SIZE, scene.attacker.read)
    scene.attacker.until(lambda: attempt.payload > 0, "the attacker is sent some of it")
    check(True, f"the attacker was sent {attempt.payload} bytes of the program's data")


def test_attack_with_a_wrong_proof_fails(lab):
    """One bit of the HMAC is wrong: what is established above is so for its HMAC alone."""
    scene = stage(lab)
    pair, victim = scene.open()
    wait_for_own_paths(scene)
    attempt = scene.attacker.join(victim, right=False)[0]
    scene.attacker.until(lambda: attempt.refused, "the server's kernel refuses it")
    counters = lab.counters(scene.real.netns)
    check_equal((counters["MPJoinAckHMacFailure"], counters["MPJoinAckRx"]), (1, 1),
                "joins with a wrong HMAC, and with a right one")
    pair.transfer(SIZE)
    check(True, "all bytes arrived as they were sent")


def test_attack_without_authentication_lures(lab):
    """A forged ADD_ADDR: the client joins the attacker's address."""
    scene = stage(lab)
    _pair, victim = scene.open()
    wait_for_own_paths(scene)
    bait = scene.attacker.address(7)
    scene.tap.read()
    scene.attacker.announce(victim, bait, 9)
    scene.attacker.until(lambda: any(each.proved for each in scene.attacker.lured.values()),
                         "the client's kernel joins the attacker's address")
    wait_for(lambda: bait in remotes(scene.daemon), "the daemon shows the subflow")
    check(True, f"the client has a subflow to {bait}")


harness.main([test_attack_without_authentication_joins,
              test_attack_with_a_wrong_proof_fails,
              test_attack_without_authentication_lures])
