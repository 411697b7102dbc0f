#!/usr/bin/python3
"""Do those who ask over D-Bus keep the daemon from its work? Among 10,000 live connections.

Clients ask over and over: for pages of the list, all properties, all objects, whole connections, a
policy. Meanwhile new connections are made, and measured is the time from the moment when such a
one can take joins to the SYN of the first: as long as the daemon was busy with an answer, that
comes later. And how much of a processor the daemon needs for an answer, which is what it was busy
for, without what others do to the clock. Reports and asserts nothing.
"""

import contextlib
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "net"))
# pylint: disable=wrong-import-position
import lab  # noqa: E402
import programs  # noqa: E402
import joinlatency  # noqa: E402
import scale  # noqa: E402
from report import Report, arguments, bench_main, percentile, table  # noqa: E402

BAR_USEC = 5000
EVERYTHING = ("list", "properties", "objects", "connection", "explain")
LOADS = ((), *((name,) for name in EVERYTHING), EVERYTHING)


class Sizes(scale.Sizes):
    """How much of everything."""

    def __init__(self, quick):
        super().__init__(quick)
        self.joins = 20 if quick else 300


class Caller:
    """One client; see caller.c."""

    def __init__(self, hosts, *what):
        self.once = len(what) > 1
        self.process = hosts.add(programs.Process([scale.program("caller"), *what], "caller",
                                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        if not self.once:
            self.line("asking")

    def ask(self):
        """Once."""
        self.process.popen.stdin.write(b"x")
        self.process.popen.stdin.flush()
        self.line("answered")

    def line(self, wanted):
        words = self.process.popen.stdout.readline().decode().split()
        if words[:1] != [wanted]:
            raise lab.Failed(f"caller {self.process.state()}: {self.process.log_text().strip()}")
        return words[1:]

    def done(self):
        """(answers, microseconds of the longest)."""
        self.process.popen.stdin.close()
        words = ("0", "0") if self.once else self.line("done")
        self.process.wait()
        return int(words[0]), int(words[1])


class Load(scale.Scale):
    """The daemon, many connections, and a server for those that are measured."""

    def __init__(self, hosts, report, sizes):
        super().__init__(hosts, report, sizes)
        self.capture = joinlatency.Capture()
        joinlatency.start_server(hosts)

    def cpu_usec(self):
        """What the daemon's loop has used of processors. It is the main thread."""
        pid = self.daemon.process.popen.pid
        return int(lab.read(f"/proc/{pid}/task/{pid}/schedstat").split()[0]) / 1000

    @contextlib.contextmanager
    def crowd(self):
        """Live connections of two subflows."""
        self.daemon.start()
        dialer = scale.Dialer(self.hosts, self.sizes.live, 1)
        dialer.done()
        self.exact(2)
        yield
        dialer.close()
        self.daemon.stop()

    def joins(self):
        """Microseconds that each join came after it was possible, in order."""
        self.capture.segments()
        for _ in range(self.sizes.joins):
            joinlatency.connect_once()
            time.sleep(0.001)
        return sorted(row[0] for row in joinlatency.latencies(self.capture.segments()))

    def cost(self, what):
        """Microseconds of a processor for one answer, nothing else going on: 19 of 20 take less.

        (In the twentieth the daemon may have compared its table with the kernel's.) With pauses,
        so that no answer is one that was counted together for another.
        """
        caller, costs = Caller(self.hosts, what, "once"), []
        for _ in range(60):
            time.sleep(0.05)
            before = self.cpu_usec()
            caller.ask()
            costs.append(self.cpu_usec() - before)
        caller.done()
        return percentile(sorted(costs), 0.95)

    def measure(self, loads):
        """A row of the report."""
        callers = [Caller(self.hosts, what) for what in loads]
        joins = self.joins()
        answers = [caller.done() for caller in callers]
        if not joins:
            raise lab.Failed("no joins")
        return {"load": list(loads), "joins": len(joins), "median": joins[len(joins) // 2],
                "p99": percentile(joins, 0.99), "max": joins[-1],
                "answers": sum(n for n, _ in answers),
                "longest_answer": max((usec for _, usec in answers), default=0),
                "cpu_each": self.cost(loads[0]) if len(loads) == 1 else None}

    def all(self):
        with self.crowd():
            rows = [self.measure(load) for load in LOADS]
        for row in rows:
            self.report.add(row)
        self.show(rows)

    def show(self, rows):
        table(("clients that ask for", "joins", "median us", "p99", "max", "answers",
               "longest us", "cpu us of one"),
              [(", ".join(row["load"]) or "nothing", *(f"{row[key]:.0f}" for key in (
                  "joins", "median", "p99", "max", "answers", "longest_answer")),
                f"{row['cpu_each']:.0f}" if row["cpu_each"] else "") for row in rows])
        costs = {row["load"][0]: row["cpu_each"] for row in rows if row["cpu_each"]}
        dearest = max(costs, key=costs.get)
        self.report.compare(f"processor for one answer over D-Bus among {self.sizes.live} "
                            f"connections, the dearest ({dearest}): 19 of 20 within", "us",
                            [costs[dearest]], bar={"max": BAR_USEC})
        self.report.compare("latest join while clients ask, each load", "us",
                            [row["max"] for row in rows if row["load"]],
                            ("nobody asks", [rows[0]["max"]]), bar={"max": BAR_USEC})


def bench(options):
    """Inside the namespaces: everything. The exit status."""
    report = Report(options, "busload", {})
    with lab.Lab(rates=(None, None)) as hosts:
        Load(hosts, report, Sizes(options.quick)).all()
    report.finish()
    return 0


if __name__ == "__main__":
    bench_main(arguments(__doc__), bench)
