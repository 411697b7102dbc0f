#!/usr/bin/python3
"""Messages of join authentication that are somebody else's, changed, repeated, or far too many."""

import array
import ctypes
import errno
import os
import socket
import struct

import harness
from guarded import (PORT, Pair, auth_counter, mptcp, policy, stage, stage_guarded,
                     wait_for_own_paths, wait_for_state)
from harness import check, check_equal, needs_gate
from lab import SERVICE4, wait_for
from messages import (HEADER, HELLO, HELLO_ACK, JOIN_OK, JOIN_REQ, MAC_BYTES, MAGIC, VERSION, Keys,
                      flip, sequence_of)
from segments import Datagram

SIZE = 300_000
AHEAD = 40  # of the client's own sequence numbers, which stay within the window (64) behind it
LONG = 60.0  # seconds to wait for what goes on while the processors have other things to do
FLOOD_BYTES = 52
FLOODED = 5  # connections at a time that begin in a flood
ENOUGH = 100_000  # datagrams
HINT_KEY = 6  # enum hint_kind of policy/hint.h
SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 434, 438
NOBODY = 65534


def last_sequence(scene):
    """The highest that the client of the only connection has used."""
    scene.tap.read()
    return max(sequence_of(each.data) for each in scene.tap.datagrams if not each.data[6])


def answers(scene, source):
    """Types of the messages that came back to an address of the attacker's."""
    scene.attacker.read()
    return [each.data[5] for each in scene.attacker.datagrams
            if isinstance(each, Datagram) and each.target == source and len(each.data) >= 24]


def open_joined(scene):
    """A connection that is confirmed and has its two subflows, and what the tap has of it."""
    pair, victim = scene.open()
    scene.confirmed()
    wait_for_own_paths(scene)
    scene.tap.read()
    return pair, victim


def finish(pair):
    pair.transfer(SIZE)
    check(True, "all bytes arrived as they were sent")


@needs_gate
def test_forgery_replayed_from_another_source_admits_nobody(lab):
    """Every message that the client has sent, once more, from an address of the attacker's."""
    scene = stage_guarded(lab)
    pair, victim = open_joined(scene)
    source = scene.attacker.address(5)
    seen = scene.tap.messages(HELLO) + scene.tap.messages(JOIN_REQ)
    check(len(seen) >= 2, f"{len(seen)} messages to repeat")
    before = auth_counter(scene.far, "replayed")
    for each in seen:
        scene.attacker.say(each.data, each.target, source)
    wait_for(lambda: auth_counter(scene.far, "replayed") >= before + len(seen),
             "the server's daemon has seen that they are old")
    check_equal(answers(scene, source), [], "answers")
    scene.repel(victim, 50, source=source)
    finish(pair)


@needs_gate
def test_forgery_request_of_another_connection_admits_to_that_only(lab):
    """Who holds the key of one connection gets nowhere with the token of another."""
    scene = stage_guarded(lab)
    pair, victim = open_joined(scene)
    own = Pair(scene.listeners[0])
    mine = scene.tap.victim(*own.names())
    keys, source = scene.keys(mine), scene.attacker.address(5)
    wait_for(lambda: auth_counter(scene.far, "confirmed") == 2, "the other one is confirmed, too")
    sequence = last_sequence(scene) + AHEAD
    scene.attacker.say(keys.join_req(sequence, victim.token, 80), SERVICE4, source)
    scene.attacker.say(keys.join_req(sequence + 1, mine.token, 80), SERVICE4, source)
    wait_for(lambda: JOIN_OK in answers(scene, source), "the right one is granted")
    check_equal(answers(scene, source).count(JOIN_OK), 1, "requests that were granted")
    scene.repel(victim, 50, source=source)
    scene.attacker.join(mine, source=source)
    scene.attacker.until(lambda: len(scene.strangers()) == 1, "it has joined its own connection")
    check_equal(remotes_of(scene, victim), {path.client4 for path in lab.paths},
                "the peer's addresses of the other connection")
    own.close()
    finish(pair)


def remotes_of(scene, victim):
    """Addresses of the peer's of that connection, as the server's daemon has it."""
    shown = scene.far.shown()[f"0x{victim.token.hex()}"]
    return {row["remote"].rsplit(":", 1)[0] for row in shown["subflows"]
            if row["state"] == "established"}


@needs_gate
def test_forgery_with_one_wrong_bit_admits_nobody(lab):
    """A request as the client would write it, but for one bit of the MAC: each of them."""
    scene = stage_guarded(lab)
    pair, victim = open_joined(scene)
    keys, source = scene.keys(victim), scene.attacker.address(5)
    request = keys.join_req(last_sequence(scene) + AHEAD, victim.token, 80)
    before = auth_counter(scene.far, "forged")
    bits = range(MAC_BYTES * 8)
    for bit in bits:
        scene.attacker.say(flip(request, bit), SERVICE4, source)
    wait_for(lambda: auth_counter(scene.far, "forged") == before + len(bits),
             f"{len(bits)} wrong MACs are counted")
    check_equal(answers(scene, source), [], "answers")
    scene.repel(victim, 50, source=source)
    scene.attacker.say(request, SERVICE4, source)
    wait_for(lambda: answers(scene, source) == [JOIN_OK], "the right one is granted")
    finish(pair)


@needs_gate
def test_forgery_with_one_wrong_bit_anywhere_admits_nobody(lab):
    """And each bit of all that the MAC is over."""
    scene = stage_guarded(lab)
    pair, victim = open_joined(scene)
    keys, source = scene.keys(victim), scene.attacker.address(5)
    request = keys.join_req(last_sequence(scene) + AHEAD, victim.token, 80)
    names = ("malformed", "unknown", "forged", "replayed")
    count = lambda: sum(auth_counter(scene.far, name) for name in names)
    before = count()
    bits = range(MAC_BYTES * 8, len(request) * 8)
    for bit in bits:
        scene.attacker.say(flip(request, bit), SERVICE4, source)
    # A key that is not known and a HELLO: that is held for a while, and not counted as unknown.
    wait_for(lambda: count() + auth_counter(scene.far, "held") >= before + len(bits),
             f"{len(bits)} of them are counted")
    check_equal(answers(scene, source), [], "answers")
    scene.repel(victim, 50, source=source)
    finish(pair)


@needs_gate
def test_forgery_answer_to_the_client_is_not_believed(lab):
    """Somebody answers in the server's name, with what the client has sent, or a wrong MAC."""
    scene = stage_guarded(lab)
    scene.lose(f"ip daddr {SERVICE4}")  # the server hears nothing
    _pair, victim = scene.open()
    wait_for(lambda: scene.tap.messages(HELLO), "the client says HELLO")
    hello = scene.tap.messages(HELLO)[-1]
    keys, server = scene.keys(victim), (hello.target, hello.source, hello.target)
    body = hello.data[HEADER.size:HEADER.size + 8] + victim.token + struct.pack("!BBH", 8, 2, 0)
    reply = keys.message(HELLO_ACK, 1, body, server=True)
    before = auth_counter(scene.daemon, "forged")
    for data in (hello.data, flip(reply, 0), keys.message(HELLO_ACK, 1, body)):
        scene.attacker.say(data, hello.source, server[2])
    wait_for(lambda: auth_counter(scene.daemon, "forged") >= before + 1, "a wrong MAC is counted")
    check(scene.daemon.connection()["authentication"] != "confirmed", "it is not confirmed")
    scene.attacker.say(reply, hello.source, server[2])
    wait_for_state(scene.daemon, "confirmed")
    check(True, "the right one is believed")


def head(kind):
    """How messages of that type begin, up to the name of the key; with any number of words."""
    return HEADER.pack(MAGIC, VERSION, kind, 0, FLOOD_BYTES // 4, b"", 0)[:8]


# What it is, its length (0: any), how it begins, and whether the name of the victim's key follows.
FLOODS = (("junk", 0, b"", False),
          ("HELLOs of keys that nobody has", FLOOD_BYTES, head(HELLO), False),
          ("HELLOs of a known key", FLOOD_BYTES, head(HELLO), True),
          ("requests of a known key", FLOOD_BYTES, head(JOIN_REQ), True))


def begin_among(scene, flood):
    """Connections begin, are confirmed, join, and end, until there was enough of the flood."""
    count = 0
    while flood.sent() < ENOUGH:
        before = scene.joins()
        pairs = [Pair(scene.listeners[0]) for _ in range(FLOODED)]
        wait_for(lambda: scene.joins() == before + FLOODED, f"{FLOODED} joins", LONG)
        for pair in pairs:
            pair.talk()
            pair.close()
        count += FLOODED
    check(True, f"{count} connections have had their second path")


@needs_gate
def test_forgery_floods_keep_nobody_out(lab):
    """100,000 datagrams a second: junk, HELLOs of no key, and such as have the right key's name."""
    scene = stage_guarded(lab)
    for name, length, start, known in FLOODS:
        lab.note(name)
        pair, victim = open_joined(scene)
        start += scene.keys(victim).kid if known else b""
        with scene.attacker.flood(lab, SERVICE4, length, start) as flood:
            begin_among(scene, flood)
            scene.repel(victim, 50)
        finish(pair)
        pair.close()
        wait_for(lambda: not scene.daemon.connections() and not scene.far.connections(), "its end")


# keys of programs

def key_hint(key):
    """struct hint of policy/hint.h: the TLS session of this socket has this key."""
    return struct.pack("=4I64s64s256sB3x32s", 1, HINT_KEY, 0, 0, b"", b"", b"", len(key), key)


def send(daemon, data, fds=()):
    """One datagram to its hint socket, with descriptors."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        sender.sendmsg([data], control, 0, f"{daemon.runtime}/hint")


def take_descriptor(pid, number):
    """pidfd_getfd(2): somebody else's descriptor. Its errno, or 0."""
    libc = ctypes.CDLL(None, use_errno=True)
    process = libc.syscall(SYS_PIDFD_OPEN, pid, 0)
    if process < 0:
        raise OSError(ctypes.get_errno(), "pidfd_open")
    return ctypes.get_errno() if libc.syscall(SYS_PIDFD_GETFD, process, number, 0) < 0 else 0


def steal(scene, client):
    """What a local user without rights can try, to have his key taken for somebody's connection."""
    hint = key_hint(bytes(32))
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    check_equal(take_descriptor(os.getppid(), client.fileno()), errno.EPERM,
                "errno of taking the descriptor")
    with socket.socket() as tcp, mptcp() as other:
        send(scene.daemon, hint)
        send(scene.daemon, hint, [tcp.fileno()])
        send(scene.daemon, hint, [other.fileno()])


def in_child(function, *args):
    """Runs it in a child. Failed if it fails."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            function(*args)
            status = 0
        except OSError as error:
            print(f"# {error}", flush=True)
        finally:
            os._exit(status)
    check_equal(os.waitpid(child, 0)[1], 0, "status of the child")


@needs_gate
def test_forgery_key_for_the_socket_of_another_user_is_refused(lab):
    """Who doesn't have the descriptor can't speak for the connection; who has it can, once."""
    rules = policy("require", None)
    scene = stage(lab, rules, policy("require", None, [f"*:{PORT}"]))
    pair, victim = scene.open()
    wait_for_state(scene.daemon, "key")
    in_child(steal, scene, pair.client)
    wait_for(lambda: scene.daemon.query("status")["counters"]["hints_refused"] >= 2, "refusals")
    check_equal(scene.daemon.connection()["authentication"], "key", "state of the connection")
    secret = os.urandom(32)
    send(scene.far, key_hint(secret), [pair.server.fileno()])
    send(scene.daemon, key_hint(secret), [pair.client.fileno()])
    scene.confirmed()
    wait_for_own_paths(scene)
    check(True, "the owner's key is taken")
    for daemon, end in ((scene.daemon, pair.client), (scene.far, pair.server)):
        send(daemon, key_hint(bytes(32)), [end.fileno()])
    scene.attacker.say(Keys(bytes(32)).hello(1), SERVICE4)
    scene.repel(victim, 50)
    scene.confirmed()
    finish(pair)


harness.main([test_forgery_replayed_from_another_source_admits_nobody,
              test_forgery_request_of_another_connection_admits_to_that_only,
              test_forgery_with_one_wrong_bit_admits_nobody,
              test_forgery_with_one_wrong_bit_anywhere_admits_nobody,
              test_forgery_answer_to_the_client_is_not_believed,
              test_forgery_floods_keep_nobody_out,
              test_forgery_key_for_the_socket_of_another_user_is_refused])
