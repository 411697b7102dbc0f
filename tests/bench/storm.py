#!/usr/bin/python3
"""The daemon among more connections than a host of this size can make, or can have.

    rate     connections as fast as the processors make them, for a minute: how many without a
             daemon, and with one, which has to know at the end what the kernel knows
    crowd    many connections at a time, of two subflows each: how long it takes until all are
             joined, and memory; then all end. Linux has a bucket of tokens for each MiB of memory,
             and four tokens in each; both ends are on this host, and where a connection finds only
             full ones, it is plain TCP. So not many more than one for each MiB can be had.

Reports and asserts nothing.
"""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "net"))
# pylint: disable=wrong-import-position
import lab  # noqa: E402
from report import Report, arguments, bench_main  # noqa: E402
from scale import PORT, PORTS, Dialer, Scale, start_server  # noqa: E402

KEEP = 1000  # one of so many stays
MOST = 10_000  # that one process has
TRIAL = 20_000  # connections that tell how many a minute has


class Sizes:
    """How much of everything; the rest is that of scale.py."""

    def __init__(self, quick, crowd):
        self.seconds = 1 if quick else 60
        self.rounds = 1 if quick else 3
        self.crowd = 2_000 if quick else crowd
        self.parts = 2 if quick else -(-crowd // MOST)


def spent(daemon):
    """Seconds of processor time that a process has used."""
    fields = lab.read(f"/proc/{daemon.process.popen.pid}/stat").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


class Storm(Scale):
    """The same hosts, with more to do."""

    def dial(self, count, keep=KEEP):
        """(connections per second, the dialer)."""
        dialer = Dialer(self.hosts, count, keep)
        return count / dialer.done(), dialer

    def without(self, count):
        """No daemon; the kernel's own path manager, with nothing to do."""
        rate, dialer = self.dial(count)
        dialer.close()
        return rate

    def beside(self, count):
        """With a daemon, ready. What it took."""
        self.daemon.start()
        self.churn(TRIAL)
        memory, before = self.memory(), spent(self.daemon)
        rate, dialer = self.dial(count)
        ended = time.monotonic()
        self.exact(2)
        settled = time.monotonic() - ended
        dialer.close()
        self.exact()
        counters = self.daemon.query("status")["counters"]
        found = {"rate": rate, "settled_s": settled, "growth": self.memory() - memory,
                 "cpu_s": spent(self.daemon) - before, "counters": counters}
        self.daemon.stop()
        return found

    def rate(self):
        count = int(self.without(TRIAL) * self.sizes.seconds)
        bare, runs = [], []
        for _ in range(self.sizes.rounds):  # in turns: what else the machine does changes
            bare.append(self.without(count))
            runs.append(self.beside(count))
            run = runs[-1]
            print(f"   {count} connections: {bare[-1]:.0f}/s without, {run['rate']:.0f}/s with a "
                  f"daemon, which used {run['cpu_s']:.1f} s; exact {run['settled_s']:.2f} s later, "
                  f"overruns {run['counters']['overruns']}, grown by {run['growth']} B",
                  flush=True)
        self.report.compare(f"connections for some {self.sizes.seconds} s", "1/s",
                            [run["rate"] for run in runs], ("without a daemon", bare),
                            better="higher")
        self.report.compare("after the last of them: exact after", "s",
                            [run["settled_s"] for run in runs])
        self.report.add({"what": "rate", "connections": count, "without": bare, "with": runs})

    def dial_crowd(self):
        """All of them. A process can't have as many descriptors, so there are several."""
        dialers = []
        for port in range(PORT, PORT + self.sizes.parts * PORTS, PORTS):
            if port != PORT:
                start_server(self.hosts, port)
            dialers.append(Dialer(self.hosts, self.sizes.crowd // self.sizes.parts, 1, port=port))
            dialers[-1].done()
        return dialers

    def crowd(self):
        self.daemon.start()
        empty = self.memory()
        began = time.monotonic()
        dialers = self.dial_crowd()
        rate = self.sizes.crowd / (time.monotonic() - began)
        self.exact(2)
        joined = time.monotonic() - began
        each = (self.memory() - empty) / self.sizes.crowd
        available = [line for line in lab.read("/proc/meminfo").splitlines()
                     if line.startswith("MemAvailable")]
        for dialer in dialers:
            dialer.close()
        self.exact()
        left = self.memory() - empty
        tcp = self.hosts.counters().get("MPFallbackTokenInit", 0)
        print(f"   {tcp} connections were plain TCP, since the kernel had no token for them")
        print(f"   {self.sizes.crowd} connections at {rate:.0f}/s, all joined after "
              f"{joined:.1f} s; {available[0]}; memory left when all had ended: {left} B",
              flush=True)
        self.report.compare(f"{self.sizes.crowd} connections at a time: all joined after", "s",
                            [joined])
        self.report.compare("memory of each of them", "B", [each])
        self.report.add({"what": "crowd", "connections": self.sizes.crowd, "rate": rate,
                         "joined_s": joined, "bytes_each": each, "left": left})
        self.daemon.stop()


def bench(options):
    """Inside the namespaces: everything. The exit status."""
    report = Report(options, "storm", {})
    with lab.Lab(rates=(None, None)) as hosts:
        storm = Storm(hosts, report, Sizes(options.quick, options.crowd))
        parts = {"rate": storm.rate, "crowd": storm.crowd}
        for name in options.part or parts:
            parts[name]()
    report.finish()
    return 0


def main():
    parser = arguments(__doc__)
    parser.add_argument("--part", action="append", choices=("rate", "crowd"), help="only this one")
    parser.add_argument("--crowd", type=int, default=20_000, help="how many are a crowd")
    bench_main(parser, bench)


if __name__ == "__main__":
    main()
