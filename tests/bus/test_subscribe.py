#!/usr/bin/python3
"""Signals of org.mptcpize1: what subscribers get, and what those cost that don't read."""

import os
import subprocess
import threading

import buscalls
import programs
from buscalls import (INTERFACE_INTERFACE, MANAGER, MANAGER_INTERFACE, NOBODY,
                      PLUGIN_INTERFACE, connections, stage)
from harness import check, check_equal
from lab import Failed, command, read, wait_for

TOO_MANY = "org.mptcpize1.Error.TooMany"
SUBSCRIBERS = 64  # see limits.h
SUBSCRIBERS_USER = 16
SIGNALS = 4096
WINDOW = 512  # see bus-subscribe.c
FIELDS = ("serial", "kind", "token", "local", "remote", "interface", "program", "plugin", "error")


def program(name):
    return f"{programs.Build.find().root}/tests/bus/{name}"


class Watch:
    """watch.c: all that it prints, as it comes."""

    def __init__(self, lab, *argv):
        self.lines = []
        self.process = lab.add(programs.Process([program("watch"), *argv], "watch",
                                                stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        threading.Thread(target=self._read, daemon=True).start()
        wait_for(lambda: "subscribed" in self.lines, "subscription")

    def _read(self):
        for line in self.process.popen.stdout:
            self.lines.append(line.decode().rstrip("\n"))

    def of(self, word):
        """Lines that begin with it, without it."""
        return [line.partition(" ")[2] for line in list(self.lines)
                if line.partition(" ")[0] == word]

    def events(self):
        """Dictionaries, with what and reason."""
        found = []
        for line in self.of("event"):
            head, reason = line.rsplit("|", 1)
            words = head.split(" ", len(FIELDS))
            found.append({**dict(zip(FIELDS, words)), "what": words[-1], "reason": reason})
        return found

    def kinds(self):
        return [event["kind"] for event in self.events()]

    def waits(self, word, text):
        """Until there is such a line, with that in it."""
        wait_for(lambda: any(text in line for line in self.of(word)), f"{word} ... {text}")

    def unsubscribe(self):
        self.process.popen.stdin.close()
        wait_for(lambda: "unsubscribed" in self.lines, "end of the subscription")


def add_link(name):
    command("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}-far")


def get(name, path=MANAGER, interface=MANAGER_INTERFACE):
    return buscalls.get(path, interface, name)[0]


def test_subscriber_sees_a_connection_live_and_end(lab):
    """In order, without a gap, with who and why."""
    stage(lab)
    watch = Watch(lab)
    check_equal(get("Subscribers"), 1, "subscribers")
    with connections(1):
        token = str(buscalls.list_rows(0, 1)[0][0]["Token"])
        wait_for(lambda: any(event["what"].startswith("subflow established")
                             for event in watch.events()), "the second subflow")
    wait_for(lambda: "connection-removed" in watch.kinds(), "the end")
    events = watch.events()
    check_equal(watch.kinds()[:2], ["event", "connection-added"], "first")
    check_equal({event["token"] for event in events}, {token}, "tokens")
    serials = [int(event["serial"]) for event in events]
    check_equal(serials, list(range(serials[0], serials[0] + len(serials))), "serials")
    create = next(event for event in events if event["kind"] == "action")
    check_equal((create["local"].split(":")[0], create["interface"], create["plugin"]),
                (lab.paths[1].client4, "lte0", "fullmesh"), "where the join goes out, and by whom")
    check(create["what"].startswith("create ") and create["reason"], f"and why: {create}")
    check_equal(watch.of("lost"), [], "losses")


def test_nobody_else_gets_events(lab):
    """They go to subscribers only, by name."""
    stage(lab)
    stranger, watch = Watch(lab, "no"), Watch(lab)
    with connections(1):
        wait_for(watch.events, "an event")
    wait_for(lambda: "connection-removed" in watch.kinds(), "the end")
    check_equal(stranger.events(), [], "events of who has not subscribed")


def test_without_subscribers_nothing_is_sent(lab):
    """Neither before there was one nor after, and a subscriber that leaves the bus is one less."""
    stage(lab)
    stranger = Watch(lab, "no")
    add_link("dummy7")
    wait_for(lambda: "dummy7" in str(get("Interfaces")), "the interface")
    watch = Watch(lab)
    add_link("dummy8")
    stranger.waits("added", "/interface/dummy8")
    watch.unsubscribe()
    check_equal(get("Subscribers"), 0, "subscribers")
    add_link("dummy9")
    wait_for(lambda: "dummy9" in str(get("Interfaces")), "the interface")
    with connections(1):
        pass
    again = Watch(lab)
    command("ip", "link", "del", "dummy8")
    stranger.waits("removed", "/interface/dummy8")
    check_equal([line for line in stranger.of("added") if "dummy8" not in line], [],
                "what was told of while nobody had subscribed")
    check_equal(len(watch.events()), 0, "events after the end of the subscription")
    again.process.end()
    wait_for(lambda: get("Subscribers") == 0, "the end of who has left the bus")


def test_objects_come_and_go(lab):
    """Interfaces, with their properties; and plugins, of which another one becomes the default."""
    daemon = stage(lab)
    watch = Watch(lab)
    add_link("dummy9")
    watch.waits("added", f"{MANAGER}/interface/dummy9 {INTERFACE_INTERFACE}")
    command("ip", "address", "add", "198.18.0.1/24", "dev", "dummy9")
    watch.waits("changed", f"{MANAGER}/interface/dummy9")
    watch.waits("invalid", f"{MANAGER} Interfaces")
    command("ip", "link", "del", "dummy9")
    watch.waits("removed", f"{MANAGER}/interface/dummy9 {INTERFACE_INTERFACE}")
    daemon.configure({"plugin": "backup", "limits": {"max_subflows": 3}})
    buscalls.call(MANAGER, MANAGER_INTERFACE, "Reload")
    watch.waits("changed", f"{MANAGER}/plugin/backup Default")
    watch.waits("changed", f"{MANAGER} Plugin MaxSubflows")
    check_equal(get("Default", f"{MANAGER}/plugin/backup", PLUGIN_INTERFACE), True, "new default")


def subscribe(lab, number, prefix=()):
    """So many that have subscribed."""
    started = [lab.add(programs.Process([*prefix, program("flood"), "subscribe"], "subscriber",
                                        stdout=subprocess.PIPE)) for _ in range(number)]
    said = {process.popen.stdout.readline() for process in started}
    check_equal(said, {b"subscribed\n"}, f"answers to {number}")
    return started


def test_subscribers_are_bounded(lab):
    """One more than may be is refused, and a user has only some of them; when one leaves, there is
    room."""
    stage(lab)
    users = subscribe(lab, SUBSCRIBERS_USER, NOBODY)
    check_equal(buscalls.error_of("Subscribe", prefix=NOBODY)[0], TOO_MANY, "error for a user")
    users[0].end()
    wait_for(lambda: get("Subscribers") == SUBSCRIBERS_USER - 1, "one less")
    subscribe(lab, 1, NOBODY)
    all_of_them = subscribe(lab, SUBSCRIBERS - SUBSCRIBERS_USER)
    check_equal(buscalls.error_of("Subscribe")[0], TOO_MANY, "error")
    all_of_them[0].end()
    wait_for(lambda: get("Subscribers") == SUBSCRIBERS - 1, "one less")
    Watch(lab)


def memory(daemon):
    """Resident, kB."""
    path = f"/proc/{daemon.process.popen.pid}/status"
    return next(int(line.split()[1]) for line in read(path).splitlines()
                if line.startswith("VmRSS:"))


def test_subscriber_that_never_reads_costs_little(lab):
    """Connections come and go by the thousand: it gets a window's worth, others get all they can
    read, joins are made, and memory doesn't grow."""
    # A sanitizer keeps what was freed: little, or it looks like growth.
    os.environ["ASAN_OPTIONS"] = f"{os.environ.get('ASAN_OPTIONS', '')}:quarantine_size_mb=1"
    daemon = stage(lab)
    deaf = lab.add(programs.Process([program("flood"), "subscribe"], "deaf",
                                    stdout=subprocess.PIPE))
    check_equal(deaf.popen.stdout.readline(), b"subscribed\n", "subscriber")
    watch = Watch(lab)
    sizes = []
    for _ in range(12):
        with connections(200):
            wait_for(lambda: get("SubflowCount") >= 400, "the joins")
        wait_for(lambda: get("ConnectionCount") == 0, "the ends")
        sizes.append(memory(daemon))
    check(get("EventsLost") >= SIGNALS - WINDOW, f"lost by the deaf: {get('EventsLost')}")
    wait_for(lambda: watch.kinds().count("connection-removed") +
             sum(map(int, watch.of("lost"))) >= 12 * 200, "what the other one has")
    slack = 16384 if "libasan" in programs.Build.find().preload() else 2048
    check(sizes[-1] <= sizes[3] + slack, f"memory, kB: {sizes}")


def test_flood_of_calls_that_are_not_read(lab):
    """A client asks thousands of times and never reads: paths are managed, others are answered."""
    daemon = stage(lab)
    flood = lab.add(programs.Process([program("flood"), "read"], "flood",
                                     stdout=subprocess.PIPE))
    check_equal(flood.popen.stdout.readline(), b"sent\n", "flood")
    before = lab.counters()["MPJoinSynTx"]
    with connections(20):
        wait_for(lambda: lab.counters()["MPJoinSynTx"] >= before + 20, "joins, says the kernel")
        check_equal(len(buscalls.list_rows(0, 100)[0]), 20, "rows for another client")
        check(flood.running(), f"the flood goes on: {flood.log_text()}")
    check(memory(daemon) < 256 * 1024, f"memory: {memory(daemon)} kB")
    if not daemon.process.running():
        raise Failed("the daemon has ended")


buscalls.main([test_subscriber_sees_a_connection_live_and_end,
               test_nobody_else_gets_events,
               test_without_subscribers_nothing_is_sent,
               test_objects_come_and_go,
               test_subscribers_are_bounded,
               test_subscriber_that_never_reads_costs_little,
               test_flood_of_calls_that_are_not_read])
