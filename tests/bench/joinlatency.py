#!/usr/bin/python3
"""How soon the second subflow is asked for, compared with the kernel's own path manager.

A connection can take joins from the moment when the server's first data or acknowledgement after
the handshake reaches the client (ESTABLISHED). Measured is the time from that packet to the SYN
with MP_JOIN on the other interface, both as seen by one packet socket in the client's namespace.
The same from the first SYN of the connection is what an application notices. Rounds of 20
connections alternate between mptcpized and the kernel's path manager, so that both have the same
weather. Several runs each on an idle machine, and with more busy loops than it has processors.
Reports and asserts nothing.
"""

import contextlib
import os
import socket
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "net"))
# pylint: disable=wrong-import-position
import lab  # noqa: E402
import programs  # noqa: E402
from report import Bars, Report, arguments, bench_main, percentile, table  # noqa: E402
from segments import MP_CAPABLE, MP_DSS, MP_JOIN, SYN, Capture, token_of  # noqa: E402

PORT = 5001
ROUND = 20
BAR = 1.4  # times the kernel's median
P99_BAR = {"idle": 2000, "busy": 5000}  # microseconds
BUSY_LOOPS = 4
SOL_MPTCP = 284
MPTCP_INFO = 1
MODES = ("mptcpized", "kernel")
SINCE = ("established", "opened")  # the moment that the join is counted from


def moments(segments):
    """Client port -> name of a moment -> ns, for every connection."""
    found, tokens = {}, {}

    def note(port, name, segment):
        found.setdefault(port, {}).setdefault(name, segment.time)

    for segment in segments:
        options, opens = segment.options, segment.opens()
        if segment.sport == PORT:
            if segment.flags & SYN and MP_CAPABLE in options:
                tokens[token_of(options[MP_CAPABLE][4:12])] = segment.dport
            elif not segment.flags & SYN and MP_DSS in options:
                note(segment.dport, "established", segment)
        elif opens and MP_CAPABLE in options:
            note(segment.sport, "opened", segment)
        elif opens and MP_JOIN in options:
            note(tokens.get(options[MP_JOIN][4:8]), "joined", segment)
    return found


def latencies(segments):
    """A row of microseconds for each connection with a join, one for each of SINCE."""
    rows = [at for at in moments(segments).values()
            if at.keys() >= {"opened", "established", "joined"}]
    return [tuple((at["joined"] - at[since]) / 1000 for since in SINCE) for at in rows]


def serve():
    """The server: an answer of one byte, and then it waits for the client to close."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", PORT))
    listener.listen(16)
    while True:
        with listener.accept()[0] as connection:
            with contextlib.suppress(OSError):
                while byte := connection.recv(1):
                    connection.send(byte)


def connect_once():
    """One connection that lives until its second subflow is there. Says if it came."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP) as connection:
        connection.connect((lab.SERVICE4, PORT))
        connection.send(b"x")
        connection.recv(1)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            time.sleep(0.003)
            if connection.getsockopt(SOL_MPTCP, MPTCP_INFO, 4)[0] > 0:
                return True
    return False


class Run:
    """What was measured, by path manager."""

    def __init__(self, weather):
        self.weather = weather
        self.samples = {mode: [] for mode in MODES}
        self.tried = {mode: 0 for mode in MODES}

    def column(self, mode, since):
        return [row[SINCE.index(since)] for row in self.samples[mode]]


class Bench:
    """Both path managers on the same two paths, which are not shaped."""

    def __init__(self, hosts):
        self.hosts = hosts
        self.capture = Capture()
        programs.start_bus(hosts)
        self.daemon = programs.Daemon(hosts)
        hosts.add(programs.Process([sys.executable, os.path.abspath(__file__), "--serve"],
                                   "server", netns=lab.SERVER))
        lab.wait_for(lambda: PORT in hosts.listeners(lab.SERVER), "the server listens")

    @contextlib.contextmanager
    def managed_by(self, mode):
        if mode == "kernel":
            self.hosts.kernel_endpoints()
            yield
            self.hosts.kernel_endpoints_flush()
        else:
            self.daemon.start()
            yield
            self.daemon.stop()

    def round(self, run, mode, count):
        with self.managed_by(mode):
            connect_once()  # not counted: the first one after a start
            time.sleep(0.05)
            self.capture.segments()
            for _ in range(count):
                connect_once()
                time.sleep(0.005)
        run.samples[mode] += latencies(self.capture.segments())
        run.tried[mode] += count

    def run(self, weather, total):
        """So many connections of each path manager, in turns; neither is always the first."""
        run = Run(weather)
        with self.loops(BUSY_LOOPS if weather == "busy" else 0):
            for number, start in enumerate(range(0, total, ROUND)):
                for mode in MODES[::(-1) ** number]:
                    self.round(run, mode, min(ROUND, total - start))
        return run

    @contextlib.contextmanager
    def loops(self, count):
        """Something else for the processors to do."""
        loops = [self.hosts.add(programs.Process(["sh", "-c", "while :; do :; done"], "loop"))
                 for _ in range(count)]
        yield
        for loop in loops:
            loop.end()


def summary(values):
    """Name -> microseconds."""
    ordered = sorted(values)
    return {"min": ordered[0], "p10": percentile(ordered, 0.10),
            "median": statistics.median(ordered), "p90": percentile(ordered, 0.90),
            "p99": percentile(ordered, 0.99), "max": ordered[-1]}


def show(run, report, since):
    """A table, and its part of the report."""
    figures = {}
    for mode in MODES:
        values = run.column(mode, since)
        figures[mode] = summary(values)
        report.add({"path_manager": mode, "weather": run.weather, "since": since,
                    "tried": run.tried[mode], "n": len(values), **figures[mode],
                    "samples": values})
    print(f"\n{run.weather}: microseconds from \"{since}\" to the SYN of the join")
    table(("path manager", "n", *figures["kernel"]),
          [(mode, f"{len(run.samples[mode])} of {run.tried[mode]}",
            *(f"{value:.1f}" for value in figures[mode].values())) for mode in MODES])


def show_bars(runs, report):
    """runs: weather -> its runs."""
    bars = Bars(report)
    for weather, those in runs.items():
        values = {mode: [run.column(mode, "established") for run in those] for mode in MODES}
        ratios = [statistics.median(ours) / statistics.median(kernel)
                  for ours, kernel in zip(values["mptcpized"], values["kernel"])]
        idle = weather == "idle"
        bars.add(f"first join, {weather}: median, of the kernel's, in each run",
                 ", ".join(f"{ratio:.2f}" for ratio in ratios), f"<= {BAR}" if idle else "-", "1",
                 max(ratios) <= BAR if idle else None)
        p99 = {mode: summary(sum(rows, []))["p99"] for mode, rows in values.items()}
        bars.add(f"first join, {weather}: p99 of all runs", f"{p99['mptcpized']:.0f} us",
                 f"<= {P99_BAR[weather]} us", f"{p99['kernel']:.0f} us",
                 p99["mptcpized"] <= P99_BAR[weather])
    bars.show()


def bench(options):
    """Inside the namespaces: everything. The exit status."""
    total = ROUND if options.quick else options.connections
    count = 1 if options.quick else options.runs
    report = Report(options, "joinlatency", {"connections": total, "round": ROUND})
    runs = {"idle": [], "busy": []}
    with lab.Lab(rates=(None, None)) as hosts:
        scene = Bench(hosts)
        for weather in ["idle", "busy"] * count:
            run = scene.run(weather, total)
            if not all(run.samples.values()):
                print(f"no joins in {run.tried}")
                return 1
            runs[weather].append(run)
            for since in SINCE:
                show(run, report, since)
        show_bars(runs, report)
    report.write()
    return 0


def main():
    if sys.argv[1:] == ["--serve"]:
        serve()
    parser = arguments(__doc__)
    parser.add_argument("--connections", type=int, default=200,
                        help="of each path manager, in a run")
    parser.add_argument("--runs", type=int, default=5, help="in each weather")
    bench_main(parser, bench)


if __name__ == "__main__":
    main()
