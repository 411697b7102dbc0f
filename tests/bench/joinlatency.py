#!/usr/bin/python3
"""How soon the second subflow is asked for, compared with the kernel's path manager and mptcpd.

A connection can take joins from the moment when the server's first data or acknowledgement after
the handshake reaches the client (ESTABLISHED). Measured is the time from that packet to the SYN
with MP_JOIN on the other interface, both as seen by one packet socket in the client's namespace.
The same from the first SYN of the connection is what an application notices. Rounds of 20
connections alternate between mptcpized, mptcpd with the smallest plugin that joins, and the
kernel's path manager, so that all have the same weather. Several runs each on an idle machine, and
with more busy loops than it has processors. Reports and asserts nothing.
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
import peers  # noqa: E402
import programs  # noqa: E402
from report import Report, arguments, bench_main, percentile, table  # noqa: E402
from segments import MP_CAPABLE, MP_DSS, MP_JOIN, SYN, Capture, token_of  # noqa: E402

PORT = 5001
ROUND = 20
BAR = 1.4  # times the kernel's median
P99_BAR = {"idle": 2000, "busy": 5000}  # microseconds
BUSY_LOOPS = 4
SOL_MPTCP = 284
MPTCP_INFO = 1
OURS, KERNEL = "mptcpized", "kernel"
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


def start_server(hosts):
    """serve(), on the server."""
    hosts.add(programs.Process([sys.executable, os.path.abspath(__file__), "--serve"], "server",
                               netns=lab.SERVER))
    lab.wait_for(lambda: PORT in hosts.listeners(lab.SERVER), "the server listens")


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

    def __init__(self, weather, modes):
        self.weather = weather
        self.samples = {mode: [] for mode in modes}
        self.tried = {mode: 0 for mode in modes}

    def column(self, mode, since):
        return [row[SINCE.index(since)] for row in self.samples[mode]]


class Bench:
    """All path managers on the same two paths, which are not shaped."""

    def __init__(self, hosts):
        self.hosts = hosts
        self.capture = Capture()
        programs.start_bus(hosts)
        self.managers = {OURS: programs.Daemon(hosts)}
        self.mptcpd = peers.Mptcpd(hosts)
        if not self.mptcpd.missing:
            self.managers[peers.MPTCPD] = self.mptcpd
        start_server(hosts)

    @contextlib.contextmanager
    def managed_by(self, mode):
        if mode == KERNEL:
            self.hosts.kernel_endpoints()
            yield
            self.hosts.kernel_endpoints_flush()
        else:
            self.managers[mode].start()
            yield
            self.managers[mode].stop()

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
        """So many connections of each path manager, in turns; none is always the first."""
        modes = [*self.managers, KERNEL]
        run = Run(weather, modes)
        with self.loops(BUSY_LOOPS if weather == "busy" else 0):
            for number, start in enumerate(range(0, total, ROUND)):
                for mode in modes[::(-1) ** number]:
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
    for mode in (mode for mode, rows in run.samples.items() if rows):
        values = run.column(mode, since)
        figures[mode] = summary(values)
        report.add({"path_manager": mode, "weather": run.weather, "since": since,
                    "tried": run.tried[mode], "n": len(values), **figures[mode],
                    "samples": values})
    print(f"\n{run.weather}: microseconds from \"{since}\" to the SYN of the join")
    table(("path manager", "n", *figures[KERNEL]),
          [(mode, f"{len(run.samples[mode])} of {run.tried[mode]}",
            *(f"{value:.1f}" for value in figures[mode].values())) for mode in figures])


def compare(weather, runs, missing, report):
    """The rows of one weather. missing: why there is no mptcpd."""
    idle = weather == "idle"

    def columns(mode, since="established"):
        return [run.column(mode, since) for run in runs if run.samples.get(mode)]

    def both(function, since="established"):
        """Ours, and the peers."""
        ours, kernel, mptcpd = (function(columns(mode, since))
                                for mode in (OURS, KERNEL, peers.MPTCPD))
        return ours, ("kernel's own", kernel), (peers.MPTCPD, mptcpd or missing or "no joins")

    report.compare(f"first join, {weather}: from ESTABLISHED to its SYN", "us",
                   *both(lambda rows: sum(rows, [])), bar={"ratio": BAR} if idle else None,
                   key=True)
    report.compare(f"first join, {weather}: 99 of 100 come within, each run", "us",
                   *both(lambda rows: [summary(row)["p99"] for row in rows]),
                   bar={"max": P99_BAR[weather]})
    report.compare(f"first join, {weather}: from the connection's SYN to its SYN", "us",
                   *both(lambda rows: sum(rows, []), "opened"))


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
            if not run.samples[OURS] or not run.samples[KERNEL]:
                print(f"no joins in {run.tried}")
                return 1
            runs[weather].append(run)
            for since in SINCE:
                show(run, report, since)
        for weather, those in runs.items():
            compare(weather, those, scene.mptcpd.missing, report)
    report.finish()
    return 0


def main():
    if sys.argv[1:] == ["--serve"]:
        serve()
    parser = arguments(__doc__)
    parser.add_argument("--connections", type=int, default=200,
                        help="of each path manager, in a run")
    parser.add_argument("--runs", type=int, default=3, help="in each weather")
    bench_main(parser, bench)


if __name__ == "__main__":
    main()
