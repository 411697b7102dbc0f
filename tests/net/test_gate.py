#!/usr/bin/python3
"""The gate, against joins that real kernels make, and some that none would."""

import json
import os

import rawsyn
import sandbox
from gates import Connection, Gate, dropped, elements, endpoint, has_table, nft, restore
from harness import check, check_equal, main, needs_ipv6, topology
from lab import SERVER, SERVICE4, SERVICE6, command, wait_for

PORT, OTHER, THIRD = 7000, 7001, 7002
ANY4, ANY6 = "0.0.0.0", "::"
unshaped = topology(rates=(None, None))


def joins_seen(lab):
    """SYNs with MP_JOIN that the server's TCP has got to see."""
    return lab.counters(SERVER)["MPJoinSynRx"]


def number(connection):
    return int(connection.token, 16)


@needs_ipv6
@unshaped
def test_gate_guarded_tokens_are_joined_by_the_admitted_only(lab):
    """A kernel's joins of several connections at once: those of guarded ones die."""
    first, second = lab.paths
    with Connection(SERVICE4, PORT) as guarded, Connection(SERVICE4, OTHER, ANY6) as mapped, \
            Connection(SERVICE6, PORT) as guarded6, Connection(SERVICE4, THIRD) as free, \
            Connection(SERVICE6, THIRD) as free6:
        closed = (guarded, mapped, guarded6)
        gate = Gate(lab)
        gate.guard(*closed)
        gate.do("admit", guarded6.token, second.client6)
        gate.do("dismiss", guarded6.token, second.client6)
        gate.do("admit", guarded.token, first.client4)
        endpoint(second.client4, second.name)
        endpoint(second.client6, second.name)
        free.wait_joins()
        free6.wait_joins()
        wait_for(lambda: dropped() >= 3, "joins are dropped")
        check_equal([each.joins() for each in closed], [0, 0, 0], "joins of guarded connections")
        gate.do("admit", guarded.token, second.client4)
        gate.do("admit", mapped.token, second.client4)
        gate.do("admit", guarded6.token, second.client6)
        for connection in closed:
            connection.wait_joins()
        gate.do("unguard", mapped.token)
        check_equal(elements("guarded"), 2, "tokens left")
        for connection in (*closed, free, free6):
            connection.exchange()
        gate.end("remove")
        check(not has_table(), "the table is gone")


@unshaped
def test_gate_admission_ends_unless_renewed(lab):
    """Both are admitted at once, and one again: its time begins anew then."""
    second = lab.paths[1]
    with Connection(SERVICE4, PORT) as first, Connection(SERVICE4, OTHER) as renewed:
        gate = Gate(lab)
        gate.guard(first, renewed)
        gate.do("admit", first.token, second.client4)
        gate.do("admit", renewed.token, second.client4)
        left = lambda: json.loads(nft("-j", "list", "set", "inet", "mptcpize", "admitted4"))
        wait_for(lambda: '"expires": 2' in json.dumps(left()), "more than 2 s of 5 are over")
        gate.do("admit", renewed.token, second.client4)
        wait_for(lambda: elements("admitted4") == 1, "one of them ends")
        endpoint(second.client4, second.name)
        renewed.wait_joins()
        wait_for(lambda: dropped() >= 1, "the other's join is dropped")
        check_equal(first.joins(), 0, "joins of the connection that was not renewed")


@unshaped
def test_gate_listeners_take_no_joins(lab):
    """Whatever the token; other listeners do. Both are protected as one address, and as any."""
    second = lab.paths[1]
    with Connection(SERVICE4, PORT) as listed, Connection(SERVICE4, OTHER) as ranged, \
            Connection(SERVICE4, THIRD) as free:
        gate = Gate(lab)
        gate.do("listen", f"{SERVICE4}/32", PORT, PORT, "any", 6000, PORT, "any", OTHER, OTHER,
                "203.0.113.77/24", 6999, OTHER)
        gate.do("settle")
        endpoint(second.client4, second.name)
        free.wait_joins()
        wait_for(lambda: dropped() >= 2, "joins are dropped")
        check_equal((listed.joins(), ranged.joins()), (0, 0), "joins of the listeners")
        gate.do("admit", listed.token, second.client4)
        gate.do("listen", f"{SERVICE4}/32", PORT, PORT)
        listed.wait_joins()
        ranged.wait_joins()
        check(True, "the admitted one is joined, and a listener that is no longer listed")


def arrived(lab):
    """SYNs that joined or were dropped: a busy kernel takes its time to look at them."""
    return joins_seen(lab) + (dropped() if has_table() else 0)


def try_all(lab, connection, attempts):
    """Sends SYNs with these options from ever new ports; how many were taken for joins."""
    before, goal = joins_seen(lab), arrived(lab) + len(attempts)
    source = lab.paths[1].client6 if ":" in connection.target[0] else lab.paths[1].client4
    for port, options in enumerate(attempts, 41000):
        if isinstance(options, tuple):
            rawsyn.send_fragments((source, port), connection.target, *options)
        else:
            rawsyn.send((source, port), connection.target, options)
    wait_for(lambda: arrived(lab) >= goal, "all SYNs have arrived")
    return joins_seen(lab) - before


def disguises(token):
    """Options among which the kernel finds the join."""
    join, another = rawsyn.join(token), rawsyn.join(0x11223344)
    places = [rawsyn.NOP * n + join for n in range(29)]
    return places + [another + join, join + another, another + join + another,
                     rawsyn.option(rawsyn.PRIO) + join,
                     rawsyn.option(rawsyn.CAPABLE, b"\x00") + join,
                     rawsyn.option(rawsyn.CAPABLE) + join,
                     bytes([rawsyn.KIND, 2]) + join, b"\xfe\x03\x1e" + join,
                     rawsyn.option(rawsyn.JOIN, bytes(21)) + join]


@needs_ipv6
@unshaped
def test_gate_disguised_joins_are_dropped_all_the_same(lab):
    """In other places, behind other options, or in fragments: without the gate, the kernel takes
    each of them. IPv6 is put together behind the gate."""
    with Connection(SERVICE4, PORT) as victim, Connection(SERVICE4, OTHER) as free, \
            Connection(SERVICE6, PORT) as victim6:
        attempts, join6 = disguises(number(victim)), rawsyn.NOP * 8 + rawsyn.join(number(victim6))
        attempts6 = [(join6, 24), (join6, 32), join6]
        check_equal(try_all(lab, victim, attempts), len(attempts), "joins without a gate")
        check_equal(try_all(lab, victim6, attempts6), len(attempts6), "the same over IPv6")
        gate = Gate(lab)
        gate.guard(victim, victim6)
        check_equal(try_all(lab, victim6, attempts6), 0, "joins of the guarded one over IPv6")
        fragments = dropped()
        gate.do("admit", "11223344", lab.paths[1].client4)
        check_equal(try_all(lab, victim, attempts), 0, "joins of the guarded connection")
        check_equal(dropped() - fragments, len(attempts), "SYNs dropped")
        others = disguises(number(free))
        check_equal(try_all(lab, free, others), len(others), "joins of another connection")
        gate.do("unguard", victim.token)
        gate.do("listen", "any", PORT, PORT)
        gate.do("settle")
        check_equal(try_all(lab, victim, attempts), 0, "joins at the listener")


def others_rules():
    """Somebody else's, so that nothing in them may change."""
    with sandbox.inside(SERVER):
        command("nft", "-f", "-", stdin="""
table inet firewall {
  set good { type ipv4_addr; flags interval; elements = { 192.0.2.0/24, 198.51.100.7 }; }
  counter seen { packets 7 bytes 99 }
  chain input { type filter hook input priority filter; policy accept;
                ip saddr @good accept; tcp dport 9999 counter name seen drop; }
}
table ip nat {
  chain out { type nat hook postrouting priority srcnat; }
}
""")
    return nft("list", "ruleset")


@unshaped
def test_gate_leaves_no_trace_in_rules_of_others(lab):
    before = others_rules()
    gate = Gate(lab)
    gate.do("settle")
    check_equal(nft("list", "ruleset"), before, "the rules while nothing is guarded")
    gate.do("listen", "any", 443, 443)
    gate.do("many", 100, 1)
    gate.do("admit", 1, "192.0.2.1")
    check(has_table(), "there is a table of ours")
    check_equal(nft("list", "table", "inet", "firewall") + nft("list", "table", "ip", "nat"),
                before, "the other rules")
    gate.end("remove")
    check_equal(nft("list", "ruleset"), before, "the rules afterwards")


@unshaped
def test_gate_changed_by_somebody_is_written_again(lab):
    """All rules flushed, the table deleted, an element deleted: a join dies all the same."""
    second = lab.paths[1]
    with Connection(SERVICE4, PORT) as guarded:
        gate = Gate(lab)
        gate.guard(guarded)
        gate.do("admit", "1234", "192.0.2.9")
        gate.do("news")
        changes = (["flush", "ruleset"], ["delete", "table", "inet", "mptcpize"],
                   ["delete", "element", "inet", "mptcpize", "guarded", f"{{ 0x{guarded.token} }}"],
                   ["add", "rule", "inet", "mptcpize", "input", "accept"],
                   ["flush", "chain", "inet", "mptcpize", "joins"])
        for count, change in enumerate(changes, 1):
            nft(*change)
            wait_for(lambda n=count: gate.status()["rewritten"] == n, "it is noticed")
            check_equal(elements("guarded"), 1, f"tokens after nft {' '.join(change)}")
        status = gate.status()
        check_equal((status["works"], status["reason"]),
                    (True, "nft had changed the table; it was written again"), "what is told")
        check("accept\n" not in nft("list", "chain", "inet", "mptcpize", "input"),
              "the rule of the stranger is gone")
        others_rules()
        endpoint(second.client4, second.name)
        wait_for(lambda: dropped() >= 1, "a join is dropped")
        check_equal(guarded.joins(), 0, "joins of the guarded connection")
        check_equal(gate.status()["rewritten"], len(changes), "rewritten for others' tables")
        gate.end("keep")
        check_equal(elements("guarded"), 1, "tokens that stay")


@unshaped
def test_gate_killed_goes_on_where_it_was(lab):
    """Its table stays; the next one takes it over without a gap, and drops what is not claimed."""
    with Connection(SERVICE4, PORT) as guarded, Connection(SERVICE4, OTHER) as ended:
        gate = Gate(lab)
        gate.guard(guarded, ended)
        gate.do("admit", guarded.token, "192.0.2.9")
        gate.do("listen", "any", 443, 444, "2001:db8::/32", 80, 443)
        gate.do("settle")
        gate.kill()
        asked = sorted([guarded.token, ended.token, "0.0.0.0/0:443-444", "::/0:443-444",
                        "2001:db8::/32:80-442"])
        check_equal(restore("tokens"), (asked, 2), "what was asked for, while tokens live")
        check_equal(restore("listeners"), (asked, 3), "what was asked for, while listeners live")
        gate = Gate(lab)
        gate.guard(guarded)
        check_equal(gate.status()["guarded"], 2, "tokens before all are claimed")
        check_equal(elements("admitted4"), 0, "admissions that are left")
        attempts = [rawsyn.join(number(guarded))] * 3
        check_equal(try_all(lab, guarded, attempts), 0, "joins meanwhile")
        check_equal(gate.status()["dropped"], 0, "SYNs that are told of as dropped before")
        gate.do("settle")
        status = gate.status()
        check_equal((status["guarded"], status["listeners"]), (1, 0), "what is left then")
        check_equal(nft("list", "set", "inet", "mptcpize", "guarded").count("0x"), 1, "tokens")
        gate.end("keep")
        check_equal(restore("none"), ([guarded.token], 0), "when nothing lives")
        check(not has_table(), "the table is gone")
        check_equal(restore("tokens"), ([], 0), "without a table")


@unshaped
def test_gate_takeover_has_no_moment_without_rules(lab):
    """Joins are tried all the time while one gate after the other takes the table over."""
    with Connection(SERVICE4, PORT) as guarded:
        gate = Gate(lab)
        gate.guard(guarded)
        join, source = rawsyn.join(number(guarded)), lab.paths[1].client4
        before, sent, stop = joins_seen(lab), 0, os.pipe()
        child = os.fork()
        if child == 0:
            os.close(stop[1])
            os.set_blocking(stop[0], False)
            while True:
                rawsyn.send((source, 41000 + sent % 20000), guarded.target, join)
                sent += 1
                try:
                    os.read(stop[0], 1)
                    os._exit(0)
                except BlockingIOError:
                    pass
        os.close(stop[0])
        for _ in range(3):
            gate.kill()
            gate = Gate(lab)
            gate.guard(guarded)
            gate.do("settle")
            wait_for(dropped, "some are dropped")
        os.close(stop[1])
        check_equal(os.waitpid(child, 0)[1], 0, "exit status of the one who tries")
        check_equal(joins_seen(lab) - before, 0, "joins")


@unshaped
def test_gate_left_behind_is_removed_when_nothing_is_wanted(lab):
    gate = Gate(lab)
    gate.do("many", 3, 1)
    gate.kill()
    check(has_table(), "the table stays")
    gate = Gate(lab)
    gate.do("settle")
    check(not has_table(), "the next one has no use for it")
    gate.do("many", 3, 1)
    gate.kill()
    Gate(lab).end("keep")
    check_equal(elements("guarded"), 3, "tokens left by one that never settled")
    Gate(lab).end("remove")
    check(not has_table(), "one that is to leave nothing leaves nothing")


@unshaped
def test_gate_ten_thousand_tokens_are_guarded(lab):
    second = lab.paths[1]
    with Connection(SERVICE4, PORT) as guarded, Connection(SERVICE4, OTHER) as free:
        gate = Gate(lab)
        gate.do("many", 10000, "10000")
        gate.guard(guarded)
        check_equal((elements("guarded"), gate.status()["guarded"]), (10001, 10001), "tokens")
        nft("flush", "ruleset")
        wait_for(lambda: gate.status()["rewritten"] == 1, "it was written again")
        check_equal(elements("guarded"), 10001, "tokens")
        gate.do("flood", 500, guarded.token)
        check_equal(gate.status()["rewritten"], 1, "rewritten for the gate's own changes")
        endpoint(second.client4, second.name)
        free.wait_joins()
        wait_for(lambda: dropped() >= 1, "a join is dropped")
        gate.do("admit", guarded.token, second.client4)
        guarded.wait_joins()


@unshaped
def test_gate_takes_junk(lab):
    """What is there twice or not at all, tables of others by our name, words that are none."""
    nft("add", "table", "inet", "mptcpize")
    nft("add", "chain", "inet", "mptcpize", "input")
    check_equal(restore("tokens"), ([], 0), "asked for, of somebody's table by that name")
    gate = Gate(lab)
    for line in ("unguard 5", "guard 5", "guard 5", "dismiss 5 10.0.0.1", "admit 5 10.0.0.1",
                 "admit 5 10.0.0.1", "dismiss 5 10.0.0.1", "dismiss 5 10.0.0.1",
                 "admit 6 ::ffff:10.0.0.2", "admit 0 0.0.0.0", "admit ffffffff ::",
                 "guard 0", "guard ffffffff", "admit 5 fe80::1", "unguard 7"):
        gate.do(line)
    check_equal(elements("guarded"), 3, "tokens")
    check_equal((elements("admitted4"), elements("admitted6")), (2, 2), "admissions")
    check_equal(gate.ask("admit 5"), "error 22", "an admission without a source")
    check_equal(gate.status()["rewritten"], 0, "failures")
    nft("add", "element", "inet", "mptcpize", "guarded", "{ 0x99, 0xaa }")
    wait_for(lambda: gate.status()["rewritten"] == 1, "it is noticed")
    check_equal(elements("guarded"), 3, "tokens")


@unshaped
def test_gate_without_the_right_says_what_to_do(lab):
    gate = Gate(lab, prefix=("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"))
    check_equal(gate.status()["works"], True, "before anything is wanted: works")
    check_equal(gate.ask("guard 1"), "error 1", "answer")
    status = gate.status()
    check_equal((status["works"], status["wanted"], status["reason"]),
                (False, True, "no right to write nftables rules: the daemon needs CAP_NET_ADMIN"),
                "what is told")
    check_equal(gate.ask("settle"), "error 1", "settling")
    check_equal(gate.ask("many 131072 1"), "error 1", "as many requests as can wait")
    check_equal(gate.ask("many 131073 1"), "error 105", "one more than that")
    gate.end("keep")


main([value for name, value in list(globals().items()) if name.startswith("test_")])
