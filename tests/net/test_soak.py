#!/usr/bin/python3
"""Transfers over two paths for a long time, while whatever can go wrong does, at random.

        test_soak.py [--minutes N] [--seed N]

Links flap, paths become black holes or lose packets, addresses change, daemons are killed and
started again, peers vanish. What is true all the time: every byte of every transfer is right; what
the daemons show is what their kernels have, whenever it is quiet; and nothing adds up, neither
memory nor descriptors nor threads, nor what is left in the kernel.
"""

import argparse
import contextlib
import os
import random
import signal
import sys
import threading
import time
import traceback

import harness
import nets
import sandbox
from guarded import make_daemon, policy, psk
from harness import check, check_equal, needs_gate, needs_ipv6, topology
from kernelstate import daemon_state, kernel_state
from lab import NAMES, SERVER, Failed, command, read, wait_for, write
from programs import Nginx
from soak import (FIRST_PORT, GHOST, GUARDED, OPEN, PORTS, STUCK, Exchange, Gate, Listeners,
                  Program, Stalled, Wrong, vanish)

FILES = {"small": 200_000, "data": 3_000_000, "large": 8_000_000}
PAIRS = (100_000, 1_000_000, 4_000_000)  # bytes each way
QUIET = 12  # faults between two comparisons with the kernel
EMPTY = 4  # comparisons between two at which no transfer is left
WORKERS = 3  # of each kind
ABORTED = 0.1  # of the transfers, in their middle
FAILURES = 10  # are enough
# More than when a daemon was young and had not seen everything yet: logs and tables fill up.
GROWTH = 4096  # kB
DESCRIPTORS = 4
JOINS = 1000  # at least, for each transfer that the kernel may spoil
KEPT = 50  # transfers, at least, for each one that the kernel may let stall
RUNTIME = "/run/mptcpize"  # where the library looks for the daemon


class Soak:
    """Everything that runs, and what has become of it."""

    def __init__(self, lab, seed):
        self.lab = lab
        self.dice = random.Random(seed)
        self.seed = seed
        self.gate = Gate()
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.counts = dict.fromkeys(("transfers", "bytes", "aborted", "running",
                                     "faults", "kills"), 0)
        self.failures = []
        self.spoilt, self.kept = [], []  # by faults of Linux
        self.recent = []  # faults
        self.ports = 0
        self.young, self.usages = {}, {}
        self.began = time.monotonic()
        self._build()

    # building

    def _build(self):
        for each in (None, SERVER):
            with sandbox.inside(each):
                # A connection that begins while much gets lost is to be one of MPTCP.
                for name, value in (("blackhole_timeout", 0),
                                    ("syn_retrans_before_tcp_fallback", 20)):
                    if os.path.exists(f"/proc/sys/net/mptcp/{name}"):
                        write(f"/proc/sys/net/mptcp/{name}", str(value))
        self.reals = nets.route(self.lab, 2, service=False)
        self.before = self.leftovers()
        key = psk()
        plain = {"match": {"app": "nginx"}, "socket": {"hints": False}, "auth": {"mode": "off"}}
        self.near = make_daemon(self.lab, None, None, policy("prefer", key))
        self.near.runtime = RUNTIME
        os.makedirs(RUNTIME, exist_ok=True)
        self.near.policy("curl", {"match": {"app": "curl"}, "paths": {"mode": "aggregate"},
                                  "auth": {"mode": "off"}})
        self.near.policy("nginx", plain)
        self.far = make_daemon(self.lab, self.reals[0].netns, None,
                               policy("require", key, [f"*:{GUARDED}"]))
        self.witness = make_daemon(self.lab, self.reals[1].netns, None, None)
        self.daemons = (self.near, self.far, self.witness)
        for daemon in self.daemons:
            daemon.start()
            self.usages[daemon] = []
        for real in self.reals:
            Nginx(self.lab, netns=real.netns)
        for name, size in FILES.items():
            Nginx.file(name, size)
        self.guarded = Listeners(self.reals[0], GUARDED)
        self.open = Listeners(self.reals[1], OPEN)
        self.ghosts = Listeners(self.reals[1], GHOST)

    # transfers

    def port(self):
        """The next one for curl."""
        with self.lock:
            self.ports += 1
            return FIRST_PORT + self.ports % PORTS

    def count(self, name, number=1):
        with self.lock:
            self.counts[name] += number

    def failed(self, what, error):
        found, word = self.failures, "FAILED"
        if isinstance(error, Wrong) and error.moved:
            found, word = self.spoilt, "SPOILT by the kernel"
        elif isinstance(error, Stalled) and error.kept:
            found, word = self.kept, "KEPT by the kernel"
        with self.lock:
            found.append(f"{what}: {error}")
        where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in
                           reversed(traceback.extract_tb(error.__traceback__)))
        self.lab.note(f"{word} {what}: {type(error).__name__}: {error}, in {where}; "
                      f"faults before it: {'; '.join(self.recent)}")

    def curl(self, dice):
        return Program(dice.choice(self.reals), dice.choice(list(FILES)), self.port(), dice)

    def pair(self, dice):
        return Exchange(dice.choice((self.guarded, self.open)), dice.choice(PAIRS), dice)

    def begun(self, make, dice):
        """A transfer that has both paths."""
        with self.gate.open():
            self.count("running")
            transfer = make(dice)
            try:
                wait_for(transfer.opened, f"{transfer.name} has both paths", 60)
            except BaseException:
                self.show(transfer.port)
                transfer.end()
                raise
            return transfer

    def transfer(self, make, dice):
        """One, from its begin to its end."""
        transfer = self.begun(make, dice)
        try:
            if dice.random() < ABORTED:
                transfer.abort()
                self.count("aborted")
                return
            transfer.finish()
            self.count("transfers")
            self.count("bytes", transfer.size)
        except Stalled:
            self.show(transfer.port)
            raise
        finally:
            transfer.end()

    def show(self, port):
        """What the daemons have to say of a connection."""
        for daemon in self.daemons:
            for row in daemon.connections():
                if any(row[end].endswith(f":{port}") for end in ("local", "remote")):
                    text = daemon.ctl("show", row["token"]).stdout
                    self.lab.note(f"{daemon.name}:\n" + "".join(
                        f"#     {line}\n" for line in text.splitlines()))

    def work(self, make, seed):
        """The life of a thread: one transfer after the other."""
        dice = random.Random(seed)
        while not self.stopping.is_set() and len(self.failures) < FAILURES:
            try:
                self.transfer(make, dice)
            except Exception as error:
                self.failed(make.__name__, error)
            finally:
                self.count("running", -1)

    # faults

    def wait(self, least, most):
        self.stopping.wait(self.dice.uniform(least, most))

    def link_down(self, index):
        self.lab.path_down(index)
        self.wait(0.1, 5)
        self.lab.path_up(index)

    def link_flaps(self, index):
        for _ in range(self.dice.randint(2, 5)):
            self.lab.path_down(index)
            self.wait(0, 0.4)
            self.lab.path_up(index)
            self.wait(0, 0.4)

    def carrier_lost(self, index):
        self.lab.carrier_off(index)
        self.wait(0.1, 5)
        self.lab.carrier_on(index)

    def addresses_gone(self, index):
        self.lab.addr_del(index)
        self.wait(0.1, 5)
        self.lab.addr_add(index)

    def new_lease(self, index):
        self.lab.new_address(index, self.dice.randint(2, 200))

    def black_hole(self, index):
        self.lab.blackhole(index, self.dice.choice(("up", "down", "both")))
        self.wait(0.5, 8)
        self.lab.blackhole(index, "none")

    def losses(self, index):
        self.lab.links[index].do("loss", self.dice.choice((1, 3, 10)))
        self.wait(1, 6)
        self.lab.links[index].do("loss", 0)

    def no_joins(self, index):
        self.lab.strip(index, "joins")
        self.wait(1, 4)
        self.lab.strip(index, "none")

    def all_down(self, index):
        for each in (index, 1 - index):
            self.lab.path_down(each)
            self.wait(0, 1)
        self.wait(0.1, 3)
        for each in (index, 1 - index):
            self.lab.path_up(each)

    def server_cut_off(self, _index):
        """The link behind the router, to one of the servers."""
        device = self.dice.choice(self.reals).device
        nets.nft(SERVER, "table inet cut { chain off { type filter hook forward priority 0; "
                         f'oifname "{device}" drop; iifname "{device}" drop; }}\n}}\n')
        self.wait(0.5, 5)
        nets.nft(SERVER, "delete table inet cut")

    def peers_vanish(self, _index):
        vanish(self.lab, self.ghosts, self.dice, self.stopping.wait)

    def daemon_killed(self, _index):
        """Transfers begin meanwhile, but no protected ones whose server nobody looks after.

        A server's daemon that has not seen a connection come can't know which of its client's
        requests are old (auth-key.c), so that nobody may join.
        """
        daemon = self.dice.choice((self.near, self.near, self.far))
        self.count("kills")
        with self.gate.shut() if daemon is self.far else contextlib.nullcontext():
            if (code := daemon.kill()) != -signal.SIGKILL:
                raise Failed(f"{daemon.name} had ended with {code}")
            self.wait(0, 4)
            daemon.start()

    def daemon_restarted(self, _index):
        daemon = self.dice.choice((self.near, self.far))
        if daemon.stop() != 0:
            raise Failed(f"{daemon.name} did not end well")
        daemon.start()

    def daemon_stopped(self, _index):
        daemon = self.dice.choice(self.daemons)
        daemon.process.freeze()
        self.wait(0.1, 3)
        daemon.process.thaw()

    def daemon_reloads(self, _index):
        """First what is wrong, which changes nothing."""
        daemon = self.dice.choice(self.daemons)
        for conf, code in (("{ wrong", 1),
                           ({"limits": {"max_subflows": self.dice.randint(2, 8)}}, 0)):
            daemon.configure(conf)
            done = daemon.ctl("reload")
            if done.returncode != code:
                raise Failed(f"{daemon.name}: reload: {done.returncode} {done.stderr.strip()}")

    def fault(self):
        """One that hurts a path, maybe with one of a daemon in it; or one of a daemon alone."""
        of_paths = (self.link_down, self.link_flaps, self.carrier_lost, self.addresses_gone,
                    self.new_lease, self.black_hole, self.losses, self.no_joins, self.all_down,
                    self.server_cut_off, self.daemon_restarted)
        of_daemons = (self.daemon_killed, self.daemon_stopped, self.daemon_reloads,
                      self.peers_vanish)
        index = self.dice.randrange(2)
        chosen = self.dice.choice(of_paths + of_daemons)
        self.recent.append(f"{time.monotonic() - self.began:.1f} {chosen.__name__} {index}")
        del self.recent[:-20]
        self.count("faults")
        if chosen in of_daemons:
            chosen(index)
            return
        with self.gate.shut():
            chosen(index)
            if self.dice.random() < 0.15:
                self.recent.append("and right after it daemon_killed")
                self.daemon_killed(index)

    # what is true

    def same_state(self, daemon):
        """What the daemon shows is what its kernel has."""
        def same():
            with sandbox.inside(daemon.netns):
                kernel = kernel_state()
            shown = {token: locals_ for token, locals_ in daemon_state(daemon).items()}
            if kernel != shown:
                odd = [(token, shown.get(token), kernel.get(token))
                       for token in {**shown, **kernel} if shown.get(token) != kernel.get(token)]
                raise Failed(f"{len(odd)} of {len(kernel)} differ: {odd[:2]}")
            return True

        wait_for(same, f"{daemon.name} shows what the kernel has", 60)

    def drained(self):
        if self.counts["running"]:
            raise Failed(f"{self.counts['running']} transfers")
        return not any(daemon.connections() for daemon in self.daemons)

    def usage(self, daemon):
        """(resident kB, descriptors, threads)."""
        pid = daemon.process.popen.pid
        rows = dict(line.split(":", 1) for line in read(f"/proc/{pid}/status").splitlines())
        return (int(rows["VmRSS"].split()[0]), len(os.listdir(f"/proc/{pid}/fd")),
                int(rows["Threads"]))

    def leftovers(self):
        """What daemons may change on the machine."""
        found = {}
        for netns in (None, *(real.netns for real in self.reals)):
            with sandbox.inside(netns):
                found[netns] = {
                    "rules": command("ip", "rule"), "rules6": command("ip", "-6", "rule"),
                    "tables": command("nft", "list", "tables"),
                    "routes": sorted({line.split(" table ")[1].split()[0] for line in command(
                        "ip", "route", "show", "table", "all").splitlines() if " table " in line}),
                    "sysctls": {name: read(f"/proc/sys/net/mptcp/{name}")
                                for name in sorted(os.listdir("/proc/sys/net/mptcp"))}}
        return found

    def look(self, number):
        """It is quiet: all daemons know what is there; now and then, nothing is left."""
        with self.gate.shut():
            try:
                for daemon in self.daemons:
                    self.same_state(daemon)
                if number % EMPTY == 0:
                    wait_for(self.drained, "no transfer and no connection is left", 3 * STUCK)
                    self.flat()
            except Failed as error:
                self.failed("look", error)
        self.say()

    def flat(self):
        """Each daemon has not much more than when it was young."""
        for daemon in self.daemons:
            now = self.usage(daemon)
            young = self.young.setdefault(daemon, now)
            self.usages[daemon].append(now)
            more = [after - before for after, before in zip(now, young)]
            if more[0] > GROWTH or more[1] > DESCRIPTORS or more[2] > 0:
                raise Failed(f"{daemon.name}: kB, descriptors, threads are {now}, and were {young}")

    def say(self):
        counts = dict(self.counts)
        self.lab.note(f"{counts.pop('bytes') / 1e9:.2f} GB, "
                      + ", ".join(f"{n} {name}" for name, n in counts.items())
                      + f", {len(self.failures)} failed, {len(self.spoilt)} spoilt, "
                      f"{len(self.kept)} kept")

    def run(self, minutes):
        threads = [threading.Thread(target=self.work, args=(make, self.seed + number), daemon=True)
                   for number, make in enumerate((self.curl, self.pair) * WORKERS)]
        for thread in threads:
            thread.start()
        end, looks = time.monotonic() + 60 * minutes, 0
        while time.monotonic() < end and len(self.failures) < FAILURES:
            for _ in range(QUIET):
                self.fault()
                self.wait(0.1, 1.5)
            self.look(looks)
            looks += 1
        self.stopping.set()
        for thread in threads:
            thread.join()
        self.look(0)

    def end(self):
        """Its report, and what the daemons leave."""
        for listeners in (self.guarded, self.open, self.ghosts):
            listeners.close()  # or joins to them stay guarded
        joins = sum(self.lab.counters(real.netns)["MPJoinAckRx"] for real in self.reals)
        for daemon in self.daemons:
            self.lab.note(f"{daemon.name}: kB, descriptors, threads: {self.usages[daemon]}")
            check_equal(daemon.stop(), 0, f"exit code of {daemon.name}")
        check_equal(self.leftovers(), self.before, "what may be left in the kernels")
        check_equal(self.failures, [], "failed transfers")
        check(len(self.spoilt) <= joins / JOINS,
              f"the kernel has spoilt {len(self.spoilt)} transfers with {joins} joins")
        check(len(self.kept) <= self.counts["transfers"] / KEPT,
              f"the kernel has kept data of {len(self.kept)} of {self.counts['transfers']}")


@needs_gate
@needs_ipv6
@topology(NAMES[:2], (20, 20), (5, 15))
def test_soak_anything_goes_wrong_all_bytes_arrive(lab):
    """Faults at random among transfers, from a seed."""
    soak = Soak(lab, OPTIONS.seed)
    lab.note(f"{OPTIONS.minutes} minutes, seed {OPTIONS.seed}")
    soak.run(OPTIONS.minutes)
    soak.end()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    return parser.parse_args()


OPTIONS = arguments()
del sys.argv[1:]  # no names of tests
harness.main([test_soak_anything_goes_wrong_all_bytes_arrive])
