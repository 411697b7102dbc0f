#!/usr/bin/python3
"""The daemon while memory runs out: at its start, an event, a hint, a reload.

One allocation after the other fails, of the daemon's own and of the libraries that it uses; or with
MPTCPIZE_FULL=1 each of them, otherwise some, always the same. It goes on, or says why it can't; and
what it shows is so.
"""

import mmap
import os
import re
import signal
import socket
import struct

import harness
import sandbox
from guarded import Pair
from harness import FULL, check
from hints import CONNECT, tell
from kernelstate import daemon_state, kernel_state
from lab import SERVER, WORK, Failed, wait_for
from policydb import Database
from programs import Build, Daemon, start_bus

STARVE = "tests/starve/starve.so"  # below the build directory
COUNT, FAILS, LASTING, FAILED = range(0, 32, 8)  # offsets of struct starve
PORT = 80
TRIES = 100_000 if FULL else 12  # at most: allocations that fail in each part, as far apart
READ = "configuration read again"
END = re.compile(f"{READ}|the old configuration is kept")
EXE = os.path.realpath("/proc/self/exe")


class Memory:
    """What the allocator in the daemon is told."""

    def __init__(self):
        self.path = f"{WORK}/memory"
        with open(self.path, "wb") as file:
            file.write(bytes(4096))
        with open(self.path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 4096)
        build = Build.find()
        self.prefix = ["env", f"LD_PRELOAD={build.root}/{STARVE}", f"STARVE_FILE={self.path}"]

    def get(self, offset):
        return struct.unpack_from("Q", self.map, offset)[0]

    def put(self, offset, number):
        struct.pack_into("Q", self.map, offset, number)

    def restart(self):
        """For a process that is about to begin."""
        self.put(COUNT, 0)

    def fail(self, number):
        """The allocation of that number from now on fails."""
        self.put(FAILED, 0)
        self.put(FAILS, self.get(COUNT) + number)

    def end(self):
        """No more. Has one failed?"""
        self.put(FAILS, 0)
        return self.get(FAILED)


class Starved:
    """A daemon in which allocations fail, and a listener at the server."""

    def __init__(self, lab):
        start_bus(lab)
        self.lab = lab
        self.memory = Memory()
        self.daemon = Daemon(lab, limits(2))
        self.daemon.policy("mine", policy("aggregate"))
        self.listener = listen()

    def start(self):
        self.memory.restart()
        return self.daemon.start(self.memory.prefix)

    def each(self, do):
        """do(), with one allocation after the other that fails of those that it takes."""
        before = self.memory.get(COUNT)
        do()
        count = self.memory.get(COUNT) - before
        failed = 0
        for number in some_of(count):
            self.memory.fail(number)
            try:
                do()
            except Failed as error:
                raise Failed(f"allocation {number} of {count}: {error}") from error
            failed += self.memory.end()
        check(failed > 2, f"{failed} of {count} allocations failed, one at a time")

    def connect(self):
        return Pair(self.listener)

    def same_state(self):
        """What the daemon shows is what the kernel has."""
        def same():
            if (shown := daemon_state(self.daemon)) != (there := kernel_state()):
                raise Failed(f"{shown}, and the kernel has {there}")
            return True

        wait_for(same, "the daemon shows what the kernel has")


def some_of(count):
    """Numbers of allocations."""
    return range(1, count + 1, -(-count // TRIES))


def query(daemon, *words):
    """The bus is gone for a second when there was no memory for it."""
    return wait_for(lambda: daemon.query(*words), f"an answer to {words}")


def limits(subflows):
    return {"limits": {"max_subflows": subflows}}


def policy(mode):
    return {"match": {"exe": EXE}, "paths": {"mode": mode}}


def listen():
    with sandbox.inside(SERVER):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("", PORT))
    listener.listen(64)
    return listener


def shows_network(daemon, lab):
    rows = {row["name"]: row for row in query(daemon, "status")["interfaces"]}
    return all(rows[path.name]["usable"] and path.client4 in rows[path.name]["addresses"]
               for path in lab.paths)


def start_once(starved):
    """Started or refused, with a reason; started, it is right."""
    daemon = starved.daemon
    try:
        daemon.start(starved.memory.prefix)
    except Failed:
        code, text = daemon.process.wait(), daemon.log_text().strip()
        if code != 1 or not text:
            raise Failed(f"exit code {code}, and it says {text!r}") from None
        return
    starved.memory.end()
    wait_for(lambda: shows_network(daemon, starved.lab), "the network")
    if "policy" not in daemon.log_text() or Database(
            f"{daemon.runtime}/policy.db").policies() != {"mine": "aggregate"}:
        raise Failed(f"policies: {daemon.log_text()}")
    if (code := daemon.stop()) != 0:
        raise Failed(f"exit code {code} at the end")


def test_starve_start_is_refused_or_right(lab):
    """Exit code 1 and a sentence, or all is there."""
    starved = Starved(lab)
    starved.start()
    count = starved.memory.get(COUNT)
    starved.daemon.stop()
    refused = 0
    for number in some_of(count):
        starved.memory.restart()
        starved.memory.fail(number)
        start_once(starved)
        refused += starved.daemon.process.popen.returncode == 1
    check(refused > 0, f"of {count} allocations, {refused} were refused without")


def test_starve_event_model_is_right(lab):
    """A connection comes, and goes."""
    starved = Starved(lab)
    starved.start()

    def come_and_go():
        pair = starved.connect()
        wait_for(lambda: starved.daemon.connections(), "a connection")
        starved.same_state()
        pair.close()
        wait_for(lambda: not starved.daemon.connections(), "its end")

    starved.each(come_and_go)


def test_starve_network_model_is_right(lab):
    """An address and a link go, and come back; programs are told of it, too."""
    starved = Starved(lab)
    starved.start()
    database = Database(f"{starved.daemon.runtime}/policy.db")
    pair = starved.connect()

    def flap():
        lab.addr_del(1)
        wait_for(lambda: lab.paths[1].client4 not in database.own(), "it is no own address")
        lab.path_down(1)
        lab.path_up(1)
        wait_for(lambda: shows_network(starved.daemon, lab), "the network")
        wait_for(lambda: lab.paths[1].client4 in database.own(), "it is one again")

    starved.each(flap)
    starved.same_state()
    pair.close()


def test_starve_hint_is_taken_or_counted(lab):
    """What a program tells."""
    starved = Starved(lab)
    starved.start()

    def counted():
        counters = query(starved.daemon, "status")["counters"]
        return counters["hints_dropped"] + counters["hints_refused"]

    def hint():
        before = counted()
        pair = starved.connect()
        tell(starved.daemon, CONNECT, pair.client)
        wait_for(lambda: counted() > before or
                 [row["policy"] for row in starved.daemon.connections()] == ["mine"],
                 "the hint is taken, or counted as lost")
        pair.close()
        wait_for(lambda: not starved.daemon.connections(), "its end")

    starved.each(hint)


def test_starve_reload_is_all_or_nothing(lab):
    """Configuration and policies, both new or both old."""
    starved = Starved(lab)
    daemon = starved.start()
    database = Database(f"{daemon.runtime}/policy.db")
    state = {"subflows": 2, "mode": "aggregate"}

    def found():
        return {"subflows": query(daemon, "limits")["max_subflows"],
                "mode": database.policies()["mine"]}

    def reload():
        wanted = {"subflows": 5 - state["subflows"],
                  "mode": {"aggregate": "handover", "handover": "aggregate"}[state["mode"]]}
        daemon.configure(limits(wanted["subflows"]))
        daemon.policy("mine", policy(wanted["mode"]))
        before = len(daemon.log_text())
        daemon.process.send(signal.SIGHUP)
        wait_for(lambda: END.search(daemon.log_text(), before), "the end of a reload")
        if READ in daemon.log_text()[before:]:
            state.update(wanted)
        if found() != state:
            raise Failed(f"{found()} instead of {state}: {daemon.log_text()[-300:]}")

    starved.each(reload)


harness.main([test_starve_start_is_refused_or_right,
              test_starve_event_model_is_right,
              test_starve_network_model_is_right,
              test_starve_hint_is_taken_or_counted,
              test_starve_reload_is_all_or_nothing])
