#!/usr/bin/python3
"""What many connections cost: a restart among them, a daemon that was stopped, and memory.

    restart    a daemon that is killed and started again among live connections of two subflows:
               when it has found all of them, and decided on all
    storm      connections as fast as they come, and the daemon is stopped for a part of them: when
               its table is the kernel's again
    memory     resident memory of a connection of two subflows, and what is left of closed ones

The daemon is judged by the kernel's own lists (probe.c). Reports and asserts nothing.
"""

import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "net"))
# pylint: disable=wrong-import-position
import lab  # noqa: E402
import programs  # noqa: E402
import sandbox  # noqa: E402
from report import Report, arguments, bench_main  # noqa: E402

PORT = 6000
PORTS = 24
AT_ONCE = 64
FEW = 100  # connections, before memory is looked at
WAIT = 120  # seconds, at most, for what takes less than one


class Sizes:
    """How much of everything."""

    def __init__(self, quick):
        self.live = 500 if quick else 10_000
        self.restarts = 1 if quick else 5
        self.storm = 4_000 if quick else 40_000
        self.stopped = (1_500, 2_500) if quick else (15_000, 25_000)
        self.storms = 1 if quick else 3
        self.closed = 2_000 if quick else 200_000
        self.warm = 2_000 if quick else 60_000  # closed, before memory is looked at


def program(name):
    return f"{programs.Build.find().root}/tests/bench/{name}"


def resident(daemon):
    """Resident memory of a daemon, bytes."""
    path = f"/proc/{daemon.process.popen.pid}/status"
    for line in lab.read(path).splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise lab.Failed(f"{path} has no VmRSS")


def make_room():
    """For thousands of connections at a time, on both hosts."""
    # A join is bound to a port that is free on its address, and the kernel searches for long
    # (13 ms) when most are taken by joins that were closed within the last minute.
    lab.write("/proc/sys/net/ipv4/ip_local_port_range", "1024 65535")
    lab.write("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0")
    with sandbox.inside(lab.SERVER):
        lab.write("/proc/sys/net/core/somaxconn", "8192")
        lab.write("/proc/sys/net/ipv4/tcp_max_syn_backlog", "8192")


def start_server(hosts, port=PORT):
    """swarm.c's, on the server, at that port and those after it."""
    server = programs.Process([program("swarm"), "serve", str(port), str(PORTS)], "server",
                              netns=lab.SERVER, stdout=subprocess.PIPE)
    hosts.add(server).popen.stdout.readline()


class Dialer:
    """A client of many connections."""

    def __init__(self, hosts, count, keep, stop=(), port=PORT):
        argv = [program("swarm"), "dial", lab.SERVICE4, port, PORTS, count, keep, AT_ONCE, *stop]
        self.process = hosts.add(programs.Process(list(map(str, argv)), "swarm",
                                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        self.count = count

    def line(self, wanted):
        """Waits for a line that begins with that word. Its other words."""
        for line in self.process.popen.stdout:
            words = line.decode().split()
            if words[0] == wanted:
                return words[1:]
        raise lab.Failed(f"swarm {self.process.state()}: {self.process.log_text().strip()}")

    def done(self):
        """Waits until all are made. Seconds that it took."""
        words = self.line("done")
        if words[4] != "0":
            raise lab.Failed(f"{words[4]} of {self.count} connections failed")
        return float(words[0])

    def close(self):
        self.process.popen.stdin.close()
        self.process.wait()


class Probe:
    """What probe.c sees, line by line."""

    def __init__(self, hosts, *argv):
        self.process = hosts.add(programs.Process([program("probe"), *map(str, argv)], "probe",
                                                  stdout=subprocess.PIPE))

    def lines(self):
        return [line.decode().split() for line in self.process.popen.stdout]

    def exact(self):
        """(usec when the tables were the same, rounds). Failed if they never were."""
        lines = self.lines()
        if self.process.wait() != 0:
            raise lab.Failed(f"the tables still differ after {WAIT} s: "
                             f"{' '.join(lines[-1]) if lines else self.process.log_text()}")
        return int(lines[-1][0]), lines


class Scale:
    """Two paths, not shaped, a server, and a daemon on the client."""

    def __init__(self, hosts, report, sizes):
        self.hosts = hosts
        self.report = report
        self.sizes = sizes
        make_room()
        programs.start_bus(hosts)
        self.daemon = programs.Daemon(hosts)
        start_server(hosts)

    def exact(self, subflows=0):
        """Waits until the daemon has what the kernel has. (usec, lines of probe)."""
        return Probe(self.hosts, "exact", subflows, WAIT).exact()

    def memory(self):
        """Resident memory of the daemon, bytes."""
        return resident(self.daemon)

    def restart_once(self, lacking):
        """Milliseconds from the start to each thing that can be seen of it."""
        self.daemon.kill()
        if lacking:
            lab.command("ss", "--kill", "--tcp", "--numeric", "src", self.hosts.paths[1].client4)
        joins = self.hosts.counters()["MPJoinSynTx"]
        probe = Probe(self.hosts, "start", self.sizes.live)
        began = time.monotonic()
        self.daemon.start()
        times = {"ready": (time.monotonic() - began) * 1e3}
        for name, usec in probe.lines():
            times[name] = int(usec) / 1e3 - began * 1e3
        times["exact"] = self.exact(2)[0] / 1e3 - began * 1e3
        joins = self.hosts.counters()["MPJoinSynTx"] - joins
        if joins != (self.sizes.live if lacking else 0):
            print(f"   note: {joins} joins in this restart")
        return times

    def restarts(self, lacking):
        """Killed and started again, among the connections that there are."""
        runs = []
        for _ in range(self.sizes.restarts):
            runs.append(self.restart_once(lacking))
            print(f"   restart: {' '.join(f'{k} {v:.0f} ms' for k, v in runs[-1].items())}",
                  flush=True)
        last = "exact" if lacking else "decided"
        times = [run[last] for run in runs]
        what = "one join lacking each: all joined" if lacking else "all decided"
        self.report.compare(f"restart among {self.sizes.live} connections, {what}", "ms", times,
                            bar=None if lacking else {"max": 500}, key=not lacking)
        self.report.add({"what": "restart", "connections": self.sizes.live, "lacking": lacking,
                         "ms": runs})

    def memory_each(self, empty, when):
        """A bar: resident memory for each of the many connections."""
        count = self.sizes.live - FEW
        each = (self.memory() - empty) / count
        self.report.compare(f"memory of a live connection with 2 subflows, {when}", "B", [each],
                            bar={"max": 1024}, key=True)
        self.report.add({"what": "memory_live", "when": when, "connections": count,
                         "bytes_each": each})

    def live(self):
        """Many connections at a time: memory of each, and the restarts."""
        self.daemon.start()
        fresh = self.memory()
        few = Dialer(self.hosts, FEW, 1)
        few.done()
        self.churn(self.sizes.warm)
        self.exact(2)
        empty = self.memory()
        many = Dialer(self.hosts, self.sizes.live - FEW, 1)
        seconds = many.done()
        self.exact(2)
        print(f"   {self.sizes.live - FEW} connections in {seconds:.2f} s", flush=True)
        self.memory_each(empty, "as they came")
        self.restarts(lacking=False)
        self.memory_each(fresh, "after a restart")
        self.restarts(lacking=True)
        for dialer in (few, many):
            dialer.close()
        self.exact()
        self.daemon.stop()

    def churn(self, count):
        """Connections that end at once."""
        dialer = Dialer(self.hosts, count, 0)
        dialer.done()
        dialer.close()
        self.exact()

    def closed(self):
        """Memory after many connections that are no more."""
        self.daemon.start()
        self.churn(self.sizes.warm)
        rss = [self.memory()]
        for _ in range(10):
            self.churn(self.sizes.closed // 10)
            rss.append(self.memory())
        growth = rss[-1] - rss[0]
        print(f"   RSS at first, after each tenth: {' '.join(f'{n / 2**20:.2f}' for n in rss)} MiB")
        self.report.compare(f"growth by {self.sizes.closed} closed connections", "B", [growth],
                            bar={"max": 0})
        self.report.add({"what": "memory_closed", "closed": self.sizes.closed, "rss": rss})
        self.daemon.stop()

    def storm_once(self, keep):
        self.daemon.start()
        pid = self.daemon.process.popen.pid
        dialer = Dialer(self.hosts, self.sizes.storm, keep, (pid, *self.sizes.stopped))
        continued = int(dialer.line("continued")[0])
        exact, lines = self.exact()
        seconds = dialer.done()
        settled, _ = self.exact(2)
        counters = self.daemon.query("status")["counters"]
        dialer.close()
        self.daemon.stop()
        return {"exact_s": (exact - continued) / 1e6, "all_joined_s": (settled - continued) / 1e6,
                "seconds": seconds, "rounds": lines, "counters": counters}

    def storms(self, keep):
        runs = []
        for _ in range(self.sizes.storms):
            runs.append(self.storm_once(keep))
            run = runs[-1]
            print(f"   storm: {self.sizes.storm / run['seconds']:.0f} connections/s, exact after "
                  f"{run['exact_s']:.3f} s, all joined after {run['all_joined_s']:.3f} s, overruns "
                  f"{run['counters']['overruns']}", flush=True)
        exact = [run["exact_s"] for run in runs]
        kept = f"1 of {keep} stays" if keep else "none stays"
        self.report.compare(f"{self.sizes.storm} connections ({kept}), daemon stopped for "
                            f"{self.sizes.stopped[1] - self.sizes.stopped[0]}: exact after", "ms",
                            [1000 * seconds for seconds in exact], bar={"max": 1000}, key=True)
        self.report.add({"what": "storm", "keep": keep, "runs": runs})


def bench(options):
    """Inside the namespaces: everything. The exit status."""
    report = Report(options, "scale", {})
    with lab.Lab(rates=(None, None)) as hosts:
        scale = Scale(hosts, report, Sizes(options.quick))
        parts = {"live": scale.live, "storm": lambda: scale.storms(8), "closed": scale.closed}
        for name in options.part or parts:
            parts[name]()
    report.finish()
    return 0


def main():
    parser = arguments(__doc__)
    parser.add_argument("--part", action="append", choices=("live", "storm", "closed"),
                        help="only this one")
    bench_main(parser, bench)


if __name__ == "__main__":
    main()
