#!/usr/bin/python3
"""Join authentication while messages get lost, in odd networks, and among things that go down."""

import harness
import nets
import sandbox
from guarded import message, policy, psk, remotes, stage, stage_guarded, wait_for_own_paths
from harness import check, check_equal, full, needs_gate
from lab import SERVER, SERVICE4, Failed, command, ip_batch, wait_for
from messages import ADDR, ADDR_OK, HELLO, HELLO_ACK, JOIN_OK, JOIN_REQ

SIZE = 300_000
KINDS = {"HELLO": HELLO, "HELLO_ACK": HELLO_ACK, "JOIN_REQ": JOIN_REQ, "JOIN_OK": JOIN_OK,
         "ADDR": ADDR, "ADDR_OK": ADDR_OK}
ANNOUNCE = {"plugin": "announce"}
BALANCED = {"plugin": "announce", "allow_join_initial": False,
            "plugins": {"announce": {"demote_initial": False}}}
BURST = 20  # attempts at a time, while a gate is gone


def wait_for_end(scene):
    wait_for(lambda: not scene.daemon.connections() and not scene.far.connections(), "its end")


def wait_for_remotes(scene, wanted):
    """Until the server has subflows from just these addresses."""
    def there():
        if (found := remotes(scene.far)) != sorted(wanted):
            raise Failed(f"those of {found}")
        return True

    wait_for(there, f"subflows of {sorted(wanted)} at the server")


def finish(pair):
    pair.transfer(SIZE)
    check(True, "all bytes arrived as they were sent")


# losses

def stage_announced(lab):
    """The scene with a server that announces its own address, so that there is an ADDR, too."""
    key = psk()
    server = policy("require", key, ["*:80"])
    del server["paths"]["mode"]
    return stage(lab, policy("require", key), server | {"paths": ANNOUNCE}, key=key)


def with_losses(lab, count):
    """Connections that begin while the first ones of some message are lost."""
    scene = stage_announced(lab)
    both = [path.client4 for path in lab.paths] * 2  # to each of the server's addresses
    for name, kind in KINDS.items():
        scene.lose(message(kind), count)
        pair, _victim = scene.open()
        wait_for_remotes(scene, both)
        scene.confirmed()
        wait_for(lambda: scene.lost() == count, f"{count} times {name} is lost")
        check(True, f"{name}: {count} lost, and all joins are there")
        finish(pair)
        pair.close()
        wait_for_end(scene)
    check_equal(scene.strangers(), [], "subflows of strangers")
    check_equal([each.target for each in scene.tap.messages(JOIN_REQ) if ":" in each.target], [],
                "requests to join by IPv6 with a socket that takes none")


@needs_gate
def test_upheaval_loss_of_each_message_is_survived(lab):
    """The first one of each type is lost in turn."""
    with_losses(lab, 1)


@full
@needs_gate
def test_upheaval_loss_of_each_message_twice_is_survived(lab):
    """The first two of each type."""
    with_losses(lab, 2)


@needs_gate
def test_upheaval_late_messages_do_no_harm(lab):
    """What was lost of each type arrives after all that came later: reordering, at its worst."""
    scene = stage_announced(lab)
    for name, kind in KINDS.items():
        scene.lose(message(kind), 1)
        pair, victim = scene.open()
        wait_for_remotes(scene, [path.client4 for path in lab.paths] * 2)
        scene.confirmed()
        scene.tap.read()
        late = next(each for each in scene.tap.datagrams
                    if each.data[5] == kind and each.data[8:16] == scene.keys(victim).kid)
        scene.attacker.say(late.data, late.target, late.source)
        lab.path_down(1)
        wait_for_remotes(scene, [lab.paths[0].client4] * 2)
        lab.path_up(1)
        wait_for_remotes(scene, [path.client4 for path in lab.paths] * 2)
        scene.confirmed()
        scene.repel(victim, 10)
        check(True, f"{name} comes late, and a path goes and comes back")
        finish(pair)
        pair.close()
        wait_for_end(scene)


# networks

@needs_gate
def test_upheaval_client_behind_nat_joins(lab):
    """The server knows both paths by the address of the client's router."""
    scene = stage_guarded(lab)
    nets.nft(SERVER, """
table ip masks { chain out { type nat hook postrouting priority 100;
                             oifname "to1" ip saddr != 10.0.0.0/8 masquerade; }
}
""")
    pair, victim = scene.open()
    scene.confirmed()
    wait_for_remotes(scene, ["10.200.1.254"] * 2)
    check_equal(scene.joins(), 1, "joins that the server's kernel has taken")
    scene.repel(victim, 50)
    finish(pair)


@needs_gate
def test_upheaval_server_behind_a_balancer_is_found(lab):
    """TCP to the shared address leads to one server, daemons' messages to another one."""
    key = psk()
    server = policy("require", key, ["*:80"]) | {"paths": {"plugin": "announce"}}
    scene = stage(lab, policy("require", key), server, BALANCED, key, reals=2)
    other = nets.Real(2)
    with sandbox.inside(SERVER):
        ip_batch([f"route add {SERVICE4}/32 via {other.address4} table 2",
                  f"rule add to {SERVICE4}/32 ipproto udp lookup 2 pref 2"])
    pair, victim = scene.open()
    scene.confirmed()
    wait_for_remotes(scene, [lab.paths[0].client4] + [path.client4 for path in lab.paths])
    own = {row["remote"].rsplit(":", 1)[0] for row in scene.daemon.subflows()
           if not row["initial"]}
    check_equal(own, {scene.real.address4}, "addresses that the client has joined")
    scene.repel(victim, 50)
    finish(pair)


# things that go down

def flap(scene):
    """The second path goes and comes back: the client joins once more."""
    scene.lab.path_down(1)
    wait_for(lambda: len(scene.daemon.subflows()) == 1, "the client has one subflow")
    scene.lab.path_up(1)
    wait_for_own_paths(scene)


def go_on(scene, victim, what):
    """After a restart: the daemons still know each other, and the attacker is kept out."""
    scene.confirmed()
    scene.repel(victim, 50)
    flap(scene)
    scene.repel(victim, 50)
    check(True, f"{what}: confirmed, the client has joined, the attacker has not")


@needs_gate
def test_upheaval_daemons_restarted_go_on(lab):
    """Each side's daemon is stopped and killed in the middle; the attacker goes on all the time."""
    scene = stage_guarded(lab)
    pair, victim = scene.open()
    scene.confirmed()
    wait_for_own_paths(scene)
    for daemon in (scene.far, scene.daemon):
        for name, end in (("stopped", daemon.stop), ("killed", daemon.kill)):
            end()
            scene.repel(victim, 50)
            daemon.start()
            go_on(scene, victim, f"{daemon.name} {name}")
    finish(pair)


@needs_gate
def test_upheaval_gate_taken_away_is_closed_again(lab):
    """Somebody deletes our table, or all tables, while the attacker tries all the time."""
    scene = stage_guarded(lab)
    pair, victim = scene.open()
    scene.confirmed()
    wait_for_own_paths(scene)
    for words in (("delete", "table", "inet", "mptcpize"), ("flush", "ruleset")):
        with sandbox.inside(scene.real.netns):
            command("nft", *words)
        scene.attacker.join(victim, BURST)
        wait_for(lambda: scene.attacker.join(victim) and scene.rules(), "the table is back")
        wait_for(lambda: scene.attacker.read() or not scene.strangers(),
                 "what has got in meanwhile is gone")
        before, answered = scene.dropped(), scene.attacker.answered()
        scene.attacker.join(victim, 50)
        scene.attacker.until(lambda: scene.dropped() >= before + 50, "50 SYNs die")
        check_equal(scene.attacker.answered(), answered, "answers that the attacker got")
        flap(scene)
        check(True, f"nft {' '.join(words)}: the gate is closed again, and open for the client")
    finish(pair)


harness.main([test_upheaval_loss_of_each_message_is_survived,
              test_upheaval_loss_of_each_message_twice_is_survived,
              test_upheaval_late_messages_do_no_harm,
              test_upheaval_client_behind_nat_joins,
              test_upheaval_server_behind_a_balancer_is_found,
              test_upheaval_daemons_restarted_go_on,
              test_upheaval_gate_taken_away_is_closed_again])
