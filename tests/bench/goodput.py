#!/usr/bin/python3
"""Goodput over several paths, compared with their sum, and with the kernel's own path manager.

In one run for each set of paths: plain TCP over each path alone (their sum is the yardstick), MPTCP
with mptcpized, MPTCP with the kernel's path manager and endpoints for the same addresses. Every
transfer lasts at least 30 s (--quick: 3 s). curl downloads from nginx, both unmodified; goodput is
payload over the whole time of curl. Reports and asserts nothing.
"""

import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "net"))
# pylint: disable=wrong-import-position
import lab  # noqa: E402
import programs  # noqa: E402
from report import Bars, Report, arguments, bench_main, table  # noqa: E402

SETS = ((20, 20), (20, 5), (20, 20, 20, 20), (20, 15, 10, 5))
BAR = 0.95
SPARE = 1.03  # more bytes than the rate alone would need, so that no transfer is too short


def rates_name(rates):
    return "+".join(f"{rate:g}" for rate in rates)


def download(url, size, *more, env=None):
    """One transfer of the first bytes of the file: (Mbit/s, seconds)."""
    done = programs.run(["curl", "--silent", "--show-error", "--fail", "--noproxy", "*",
                         "--output", "/dev/null", "--range", f"0-{int(size) - 1}",
                         "--write-out", "%{size_download} %{time_total}", *more, url],
                        env=env, timeout=600)
    if done.returncode != 0:
        raise lab.Failed(f"curl: {done.stderr.strip()}")
    count, seconds = map(float, done.stdout.split())
    return count * 8 / seconds / 1e6, seconds


class Bench:
    """One set of paths."""

    def __init__(self, hosts, seconds):
        self.hosts = hosts
        self.seconds = seconds
        self.url = f"http://{lab.SERVICE4}/zeros"
        self.shortest = float("inf")
        programs.start_bus(hosts)
        programs.Nginx(hosts)
        # A hole: costs no memory, whatever is read from it.
        with open(f"{lab.WORK}/www/zeros", "wb") as file:
            file.truncate(8 << 30)
        self.daemon = programs.Daemon(hosts, {"limits": {"max_subflows": 8}})

    def measure(self, rate, *more, env=None):
        size = rate * 1e6 / 8 * self.seconds * SPARE
        mbit, seconds = download(self.url, size, *more, env=env)
        self.shortest = min(self.shortest, seconds)
        return mbit

    def plain(self):
        """Over each path alone: the client is bound to the path's interface."""
        return [self.measure(path.rate, "--interface", path.name) for path in self.hosts.paths]

    def both(self):
        """What the upgraded curl gets, under whichever path manager is on."""
        env = programs.Build.find().preload_environ()
        before = self.hosts.counters()["MPJoinSynAckRx"]
        mbit = self.measure(sum(path.rate for path in self.hosts.paths), env=env)
        joins = self.hosts.counters()["MPJoinSynAckRx"] - before
        if joins != len(self.hosts.paths) - 1:
            print(f"   note: {joins} joins instead of {len(self.hosts.paths) - 1}")
        return mbit

    def ours(self):
        self.daemon.start()
        try:
            return self.both()
        finally:
            self.daemon.stop()

    def kernel(self):
        self.hosts.kernel_endpoints()
        try:
            return self.both()
        finally:
            self.hosts.kernel_endpoints_flush()


def run_set(rates, seconds, repeat):
    """Measures one set of paths. A dictionary for the report."""
    with lab.Lab(lab.NAMES[:len(rates)], rates) as hosts:
        bench = Bench(hosts, seconds)
        plain, ours, kernel = [], [], []
        for number in range(repeat):
            plain.append(bench.plain())
            # Neither is always the first.
            for take, into in ((bench.ours, ours), (bench.kernel, kernel))[::(-1) ** number]:
                into.append(take())
        alone = [statistics.median(column) for column in zip(*plain)]
        return {"paths": list(rates), "shortest_transfer_s": bench.shortest, "plain": alone,
                "sum": sum(alone), "mptcpized": statistics.median(ours),
                "kernel": statistics.median(kernel),
                "runs": {"plain": plain, "mptcpized": ours, "kernel": kernel}}


def row(result):
    shares = [result[who] / result["sum"] for who in ("mptcpized", "kernel")]
    return (rates_name(result["paths"]), " ".join(f"{mbit:.1f}" for mbit in result["plain"]),
            f"{result['sum']:.1f}", f"{result['mptcpized']:.1f}", f"{shares[0]:.3f}",
            f"{result['kernel']:.1f}", f"{shares[1]:.3f}", f"{result['shortest_transfer_s']:.1f} s")


HEAD = ("paths, Mbit/s", "plain TCP, each", "sum", "mptcpized", "of sum", "kernel", "of sum",
        "shortest")


def bench(options):
    """Inside the namespaces: everything. The exit status."""
    seconds = 3 if options.quick else options.seconds
    report = Report(options, "goodput", {"seconds": seconds, "repeat": options.repeat})
    for rates in SETS[:2] if options.quick else SETS:
        print(f"{rates_name(rates)}: {(len(rates) + 2) * options.repeat} transfers of "
              f"{seconds} s", flush=True)
        report.add(run_set(rates, seconds, options.repeat))
    table(HEAD, [row(result) for result in report.results])
    bars = Bars(report)
    for result in report.results:
        share = {who: result[who] / result["sum"] for who in ("mptcpized", "kernel")}
        bars.add(f"goodput of {rates_name(result['paths'])} Mbit/s, of the sum",
                 f"{share['mptcpized']:.3f}", f">= {BAR}", f"{share['kernel']:.3f}",
                 share["mptcpized"] >= BAR)
    bars.show()
    report.write()
    return 0


def main():
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=int, default=30, help="length of a transfer")
    parser.add_argument("--repeat", type=int, default=1, help="rounds; the median is reported")
    bench_main(parser, bench)


if __name__ == "__main__":
    main()
