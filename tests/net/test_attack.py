#!/usr/bin/python3
"""An attacker who has read the keys of a connection from its first handshake, and joins it.

First what that is worth without authentication; then that it's worth nothing with it.
"""

import harness
from attacker import SHAPES, SHAPES6
from bursts import PORT as BURST_PORT
from bursts import PORTS as BURST_PORTS
from bursts import Burst
from guarded import (Pair, auth_counter, mptcp, policy, psk, remotes, stage, stage_guarded,
                     wait_for_own_paths)
from harness import check, check_equal, needs_gate, needs_ipv6, topology
from kernelstate import wait_for_same_counts
from lab import NAMES, SERVICE4, SERVICE6, wait_for
from messages import HELLO, HELLO_ACK, JOIN_OK, JOIN_REQ
from segments import Datagram

SIZE = 1_000_000
SHAPES4 = [shape for shape in SHAPES if shape not in SHAPES6]
CONNECTIONS, JOINS = 250, 4
ATTEMPTS = 1000
OWN_PORT = 41000  # of a client that listens there, too
INTRUDERS = 3
TRIES = 3  # of something that the client has 1.4 seconds for


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
    check_equal(len(scene.strangers()), 1, "subflows of the attacker's that the kernel has")
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


def joins_in_shapes(lab, target, shapes):
    """Without authentication: each of them gets an answer of the server's kernel."""
    scene = stage(lab)
    _pair, victim = scene.open(target)
    for shape in shapes:
        attempt = scene.attacker.join(victim, shape=shape)[0]
        scene.attacker.until(lambda attempt=attempt: attempt.answered, f"{shape} is answered")
    check(True, f"answered: {', '.join(shapes)}")


def test_attack_without_authentication_joins_in_shapes(lab):
    """Other options around MP_JOIN, or the SYN in fragments: the same to the server's kernel."""
    joins_in_shapes(lab, SERVICE4, SHAPES4)


@needs_ipv6
def test_attack_without_authentication_joins_in_shapes_of_ipv6(lab):
    """By IPv6, and with extension headers."""
    joins_in_shapes(lab, SERVICE6, SHAPES)


def join_client(scene, guarded=False):
    """The attacker joins a client, in the server's name, which listens at the port that it uses.

    As programs do that talk with their like. The connection, and what listens.
    """
    client, other = ((path.client4, OWN_PORT) for path in scene.lab.paths)
    listener = mptcp()
    listener.bind(other)
    listener.listen()
    pair = Pair(scene.listeners[0], source=client)
    victim = scene.tap.victim(*pair.names())
    wait_for(lambda: len(scene.daemon.subflows()) == 2, "the client's own second path")
    if guarded:
        wait_for(scene.client_is_guarded, "the client's gate is closed")
    scene.attacker.join(victim.reversed(other), INTRUDERS)
    return pair, listener


def test_attack_without_authentication_joins_the_client(lab):
    """A client that listens at its own port: the attacker's subflows are established."""
    scene = stage(lab)
    pair, listener = join_client(scene)
    with listener:
        scene.attacker.until(lambda: scene.attacker.answered() == INTRUDERS,
                             "answers of its kernel")
        scene.attacker.until(lambda: len(scene.strangers(True)) == INTRUDERS,
                             f"the client has {INTRUDERS} subflows of the attacker's")
        pair.close()


def lure(scene, victim, bait):
    """A forged announcement of an address of the attacker's, until the client's daemon has it."""
    scene.tap.read()
    scene.attacker.announce(victim, bait, 9)
    wait_for(lambda: [row for row in scene.daemon.connection()["remotes"]
                      if row["address"].startswith(f"{bait}:")], "the announcement is heard")


def test_attack_without_authentication_lures(lab):
    """A forged ADD_ADDR: the client joins the attacker's address."""
    scene = stage(lab)
    _pair, victim = scene.open()
    wait_for_own_paths(scene)
    bait = scene.attacker.address(7)
    lure(scene, victim, bait)
    scene.attacker.until(lambda: any(each.proved for each in scene.attacker.lured.values()),
                         "the client's kernel joins the attacker's address")
    wait_for(lambda: bait in remotes(scene.daemon), "the daemon shows the subflow")
    check(True, f"the client has a subflow to {bait}")


# with it

def defend(scene, target=SERVICE4, own=wait_for_own_paths):
    """Attacks before, during and after the join of the client's second path."""
    scene.lab.path_down(1)
    pair, victim = scene.open(target)
    scene.confirmed()
    scene.repel(victim, 100)
    scene.lab.path_up(1)
    scene.repel(victim, 100)
    own(scene)
    scene.repel(victim, 100)
    pair.transfer(SIZE)
    check(True, "all bytes arrived as they were sent")
    check_equal(scene.joins(), 1, "joins that the server's kernel has taken")


@needs_gate
def test_attack_require_stops(lab):
    """Every SYN of the attacker's dies, while the client's own second path joins."""
    scene = stage_guarded(lab)
    defend(scene)
    wait_for(lambda: scene.far.query("status")["authentication"]["gate_dropped"] == 300,
             "the daemon tells how many died")


@needs_gate
def test_attack_prefer_stops(lab):
    """The same with prefer at both ends, once the client has said HELLO."""
    defend(stage_guarded(lab, "prefer", "prefer"))


def wait_for_own_paths6(scene):
    """The same of IPv6."""
    wanted = sorted(path.client6 for path in scene.lab.paths)
    wait_for(lambda: remotes(scene.far) == wanted, f"subflows of {wanted} at the server")


@needs_ipv6
@needs_gate
def test_attack_require_stops_ipv6(lab):
    """By IPv6."""
    defend(stage_guarded(lab), SERVICE6, wait_for_own_paths6)


def stops_shapes(lab, target, shapes):
    """All those shapes die, from the listener's first moment on, and when it's confirmed."""
    scene = stage_guarded(lab)
    scene.lose("")
    _pair, victim = scene.open(target)
    for shape in shapes:
        scene.repel(victim, 10, shape=shape)
    scene.lose(None)
    scene.confirmed()
    for shape in shapes:
        scene.repel(victim, 10, shape=shape)
    check_equal(scene.joins(), 1, "joins that the server's kernel has taken")


@needs_gate
def test_attack_require_stops_shapes(lab):
    """Other options around MP_JOIN, or the SYN in fragments."""
    stops_shapes(lab, SERVICE4, SHAPES4)


@needs_ipv6
@needs_gate
def test_attack_require_stops_shapes_of_ipv6(lab):
    """By IPv6, and with extension headers."""
    stops_shapes(lab, SERVICE6, SHAPES)


@needs_gate
def test_attack_require_stops_before_hello(lab):
    """The daemons can't talk: nobody joins at all. Then they can, and the client joins."""
    scene = stage_guarded(lab)
    scene.lose("")
    pair, victim = scene.open()
    scene.repel(victim, 100)
    check_equal(scene.joins(), 0, "joins that the server's kernel has taken")
    scene.lose(None)
    scene.confirmed()
    wait_for_own_paths(scene)
    scene.repel(victim, 100)
    pair.transfer(SIZE)
    check(True, "all bytes arrived as they were sent")


def join_before_hello(scene):
    """A connection that the attacker has joined before the first HELLO got through. Its state."""
    scene.lose("")
    before = scene.joins()
    pair, victim = scene.open()
    scene.attacker.join(victim)
    scene.attacker.until(lambda: scene.joins() > before and scene.strangers(),
                         "the server's kernel takes the attacker's join")
    scene.lose(None)
    wait_for(lambda: scene.daemon.connection()["authentication"] in ("confirmed", "free"),
             "the client's daemon has an answer, or waits no longer")
    return pair, victim, scene.daemon.connection()["authentication"]


@needs_gate
def test_attack_prefer_throws_out_who_came_before_hello(lab):
    """Joins are free until the first HELLO, which ends what nobody has admitted."""
    scene = stage_guarded(lab, "prefer", "prefer")
    for _ in range(TRIES):
        pair, victim, state = join_before_hello(scene)
        if state == "confirmed":
            break
        pair.close()
        wait_for(lambda: not scene.daemon.connections(), "its end")
    scene.confirmed()
    wait_for(lambda: not scene.strangers(), "the attacker's subflow is gone")
    wait_for_own_paths(scene)
    check(auth_counter(scene.far, "intruders") >= 1, "the daemon has counted it")
    before = scene.dropped()
    scene.attacker.join(victim, 100)
    scene.attacker.until(lambda: scene.dropped() >= before + 100, "100 SYNs die")
    check_equal(scene.strangers(), [], "subflows of the attacker's that the kernel has")
    pair.transfer(SIZE)
    check(True, "all bytes arrived as they were sent")


def stops_at_client(lab, mode):
    """The SYNs die at the client, which would take them: it listens."""
    scene = stage_guarded(lab, mode, mode)
    pair, listener = join_client(scene, guarded=True)
    with listener:
        died = lambda: scene.daemon.query("status")["authentication"]["gate_dropped"]
        scene.attacker.until(lambda: died() >= INTRUDERS, f"{INTRUDERS} SYNs die")
        check_equal(scene.attacker.answered(), 0, "answers that the attacker got")
        check_equal(scene.strangers(True), [], "subflows of the attacker's at the client")
        check_equal(auth_counter(scene.daemon, "intruders"), 0, "subflows that were destroyed")
        wait_for_own_paths(scene)
        pair.transfer(SIZE)
        check(True, "all bytes arrived as they were sent")


@needs_gate
def test_attack_require_stops_at_client(lab):
    """A client that listens at its own port: nobody joins it but itself."""
    stops_at_client(lab, "require")


@needs_gate
def test_attack_prefer_stops_at_client(lab):
    """The same with prefer, once the client knows that the server has the key."""
    stops_at_client(lab, "prefer")


@needs_gate
def test_attack_lure_is_not_followed(lab):
    """A forged ADD_ADDR: the client has heard it, and joins by other addresses only."""
    scene = stage_guarded(lab)
    pair, victim = scene.open()
    scene.confirmed()
    wait_for_own_paths(scene)
    bait = scene.attacker.address(7)
    lure(scene, victim, bait)
    lab.path_down(1)
    wait_for(lambda: len(scene.daemon.subflows()) == 1, "the second path is gone")
    lab.path_up(1)
    wait_for_own_paths(scene)
    check_equal(scene.attacker.lured, {}, "joins that the attacker got")
    pair.transfer(SIZE)
    check_equal(scene.attacker.lured, {}, "joins that the attacker got in the end")


class Relay:
    """The attacker hands messages of daemons on, in both directions, in his own name."""

    def __init__(self, scene, bait):
        self.scene = scene
        self.bait = bait
        self.kinds = []
        self.client = None

    def step(self):
        scene, attacker = self.scene, self.scene.attacker
        attacker.read()
        for each in attacker.datagrams:
            if not isinstance(each, Datagram) or each.target != self.bait or len(each.data) < 24:
                continue
            self.kinds.append(each.data[5])
            if each.source == SERVICE4:
                attacker.say(each.data, self.client, self.bait)
            else:
                self.client = each.source
                attacker.say(each.data, SERVICE4, self.bait)
        attacker.datagrams.clear()


@needs_gate
def test_attack_relay_of_messages_does_not_lure(lab):
    """Messages to the lure reach the server all the same, and its answers the client.

    That the answers are right says nothing of the address that they came from.
    """
    scene = stage_guarded(lab)
    scene.lose(f"ip daddr {SERVICE4} ip saddr {lab.paths[0].client4}")  # the direct way
    _pair, victim = scene.open()
    bait = scene.attacker.address(7)
    lure(scene, victim, bait)
    relay = Relay(scene, bait)
    wait_for(lambda: relay.step() or HELLO in relay.kinds, "the client says HELLO to the lure")
    wait_for(lambda: relay.step() or HELLO_ACK in relay.kinds, "the server answers")
    wait_for(lambda: scene.daemon.connection()["authentication"] == "confirmed",
             "the client believes the answer")
    scene.lose(None)
    lab.path_down(1)
    wait_for(lambda: relay.step() or remotes(scene.far) == [lab.paths[0].client4],
             "the second path is gone")
    lab.path_up(1)
    wait_for(lambda: relay.step() or lab.paths[1].client4 in remotes(scene.far),
             "the client joins by its second path, at the server's own address")
    check_equal([kind for kind in relay.kinds if kind in (JOIN_REQ, JOIN_OK)], [],
                "requests to join at the lure, and answers to these")
    check_equal(scene.attacker.lured, {}, "joins that the attacker got")
    scene.repel(victim, 100, source=bait)


@needs_gate
@topology(NAMES[:1 + JOINS], (None,) * (1 + JOINS))
def test_attack_1000_times_among_1000_joins(lab):
    """All joins of the clients get through, and none of the attacker's."""
    key = psk()
    ports = [f"*:{BURST_PORT}-{BURST_PORT + BURST_PORTS - 1}"]
    scene = stage(lab, policy("require", key, max_subflows=8),
                  policy("require", key, ports, max_subflows=8), key=key)
    burst = Burst(lab, scene.real.netns)
    known = set()
    for _ in range(10):
        burst.do(f"open {CONNECTIONS // 10} 1")
        scene.tap.read()
        for names in scene.tap.handshakes.keys() - known:
            known.add(names)
            scene.attacker.join(scene.tap.handshakes[names], ATTEMPTS // CONNECTIONS)
        scene.attacker.read()
    check_equal(len(known), CONNECTIONS, "connections that the attacker knows the keys of")
    lab.note("all are open and attacked")
    scene.attacker.until(lambda: scene.joins() >= CONNECTIONS * JOINS,
                         f"{CONNECTIONS * JOINS} joins", timeout=60)
    wait_for_same_counts(scene.daemon, CONNECTIONS, 1 + JOINS)
    lab.note("all are joined")
    check_equal(scene.joins(), CONNECTIONS * JOINS, "joins that the server's kernel has taken")
    scene.attacker.until(lambda: scene.dropped() >= ATTEMPTS, f"{ATTEMPTS} SYNs die")
    scene.repelled()
    check_equal(auth_counter(scene.far, "intruders"), 0, "subflows destroyed")


harness.main([test_attack_without_authentication_joins,
              test_attack_with_a_wrong_proof_fails,
              test_attack_without_authentication_joins_in_shapes,
              test_attack_without_authentication_joins_in_shapes_of_ipv6,
              test_attack_without_authentication_lures,
              test_attack_without_authentication_joins_the_client,
              test_attack_require_stops,
              test_attack_prefer_stops,
              test_attack_require_stops_ipv6,
              test_attack_require_stops_shapes,
              test_attack_require_stops_shapes_of_ipv6,
              test_attack_require_stops_before_hello,
              test_attack_prefer_throws_out_who_came_before_hello,
              test_attack_require_stops_at_client,
              test_attack_prefer_stops_at_client,
              test_attack_lure_is_not_followed,
              test_attack_relay_of_messages_does_not_lure,
              test_attack_1000_times_among_1000_joins])
