"""Bulk transfers by flow.c, two paths for them, and who manages these: for bench/outage.py."""

import contextlib
import errno
import socket
import subprocess
import time

import lab
import programs

PORT = 5003
FLOWING = 300_000  # microseconds; with longer gaps than those of a slow start, data stands
MODES = ("mptcpized", "both ends", "kernel")
PLUGINS = {"backup": "backup", "normal": "fullmesh"}
ROLES = {"backup": {"wifi0": "master", "lte0": "backup"}, "normal": {}}
FAR_ROLES = {"backup": {"r0": "master", "r1": "backup"}, "normal": {}}


def now():
    """The clock of flow.c, microseconds."""
    return time.monotonic_ns() // 1000


def program(name):
    return f"{programs.Build.find().root}/tests/bench/{name}"


class Flows:
    """Transfers that go on until they are stopped: up, down, or idle."""

    def __init__(self, hosts, direction, count=1):
        self.client = None
        self.server = self._start(hosts, lab.SERVER, "listening", "serve", PORT)
        joins = hosts.counters()["MPJoinSynAckRx"]
        self.client = self._start(hosts, None, "open", "dial", lab.SERVICE4, PORT, direction, count)
        self.hosts = hosts
        self.count = count
        self.joins = joins

    @staticmethod
    def _start(hosts, netns, ready, *argv):
        process = hosts.add(programs.Process([program("flow"), *map(str, argv)], "flow",
                                             netns=netns, stdin=subprocess.PIPE,
                                             stdout=subprocess.PIPE))
        if process.popen.stdout.readline().decode().strip() != ready:
            raise lab.Failed(f"flow {process.state()}: {process.log_text().strip()}")
        return process

    def wait_for_joins(self):
        """Until each has its second subflow."""
        lab.wait_for(lambda: self.hosts.counters()["MPJoinSynAckRx"] >= self.joins + self.count,
                     f"{self.count} joins")

    def stop(self):
        """Ends them. What the receiver saw."""
        output = []
        for process in (self.client, self.server):
            output += process.popen.communicate(timeout=lab.PATIENCE)[0].decode().splitlines()
        return Seen([line.split() for line in output])


class Seen:
    """When nothing came, by connection: from, to, in microseconds. And what came, in slices."""

    def __init__(self, lines):
        self.gaps, self.bytes = {}, {}
        self.slices = []  # from, to, bytes
        for kind, number, begin, end, *more in lines:
            if kind == "slice":
                self.slices.append((int(begin), int(end), int(more[0])))
                continue
            gaps = self.gaps.setdefault(int(number), [])
            gaps.append((int(begin), int(end)))
            if kind == "end":
                self.bytes[int(number)] = int(more[0])

    def longest(self, since, window=float("inf")):
        """Milliseconds of the longest gap of each connection, of those that were not over by then.

        Who was still without data at the end has waited at least so long. window: microseconds
        within which a gap must have begun to count.
        """
        return [max(((end - begin) / 1000 for begin, end in gaps
                     if end >= since and begin < since + window), default=0)
                for gaps in self.gaps.values()]

    def within(self, since, until):
        """Milliseconds of the longest gap of each connection in that time; 0: none."""
        return [max((min(end, until) - max(begin, since)) / 1000
                    for begin, end in [*gaps, (since, since)] if end >= since and begin <= until)
                for gaps in self.gaps.values()]

    def silence(self, since, until):
        """Milliseconds without data between these times, in all gaps of the only connection."""
        (gaps,) = self.gaps.values()
        return sum(max(0, min(end, until) - max(begin, since)) for begin, end in gaps) / 1000

    def rates(self, since, until, step):
        """Mbit/s from since to until, for each step of microseconds."""
        rates = [0.0] * ((until - since) // step)
        for begin, end, count in self.slices:
            place = ((begin + end) // 2 - since) // step
            if 0 <= place < len(rates):
                rates[place] += count * 8 / step
        return rates

    def flows_since(self, since):
        """Milliseconds until data flowed on the only connection, and went on; None: it never did.

        A segment that is sent again may get through where nothing else does, so one is not enough.
        """
        (gaps,) = self.gaps.values()
        if gaps[-1][1] - gaps[-1][0] > FLOWING:
            return None
        return max(0, max((end - since for begin, end in gaps if end - begin > FLOWING),
                          default=0)) / 1000

    def moved(self, since):
        """How many connections had data after that."""
        return sum(gaps[-1][0] > since for gaps in self.gaps.values())


class Managers:
    """Who manages the paths: mptcpized, on one end or on both, or the kernel by its endpoints."""

    def __init__(self, hosts, role):
        self.hosts = hosts
        self.role = role
        programs.start_bus(hosts)
        programs.start_bus(hosts, "far-bus")
        self.daemon = programs.Daemon(hosts, {"plugin": PLUGINS[role], "interfaces": ROLES[role]})
        self.far = programs.Daemon(hosts, {"plugin": PLUGINS[role], "interfaces": FAR_ROLES[role]},
                                   "far", lab.SERVER, "far-bus")

    @contextlib.contextmanager
    def managed_by(self, mode):
        with contextlib.ExitStack() as stack:
            if mode == "kernel":
                flags = "subflow backup" if self.role == "backup" else "subflow"
                lab.ip_batch(["mptcp limits set subflows 8 add_addr_accepted 8"]
                             + [f"mptcp endpoint add {path.client4} dev {path.name} {flags}"
                                for path in self.hosts.paths[1:]])
                stack.callback(self.hosts.kernel_endpoints_flush)
            else:
                self.daemon.start()
                stack.callback(self.daemon.stop)
            if mode == "both ends":
                self.far.start()
                stack.callback(self.far.stop)
            yield


def wait_for_path(path):
    """Until it carries packets: a carrier that comes back is noticed with a delay."""
    def answers():
        with socket.socket() as probe:
            probe.settimeout(0.2)
            probe.bind((path.client4, 0))
            return probe.connect_ex((f"{path.net4}.254", 9)) == errno.ECONNREFUSED

    lab.wait_for(answers, f"{path.name} works")


# What can happen to a path, and how it is undone.
FAULTS = {
    "link down": (lambda hosts: hosts.path_down(0), lambda hosts: hosts.path_up(0)),
    "address removed": (lambda hosts: hosts.addr_del(0), lambda hosts: hosts.addr_add(0)),
    "carrier loss": (lambda hosts: hosts.carrier_off(0), lambda hosts: hosts.carrier_on(0)),
    "blackhole": (lambda hosts: hosts.blackhole(0, "both"),
                  lambda hosts: hosts.blackhole(0, "none")),
}
