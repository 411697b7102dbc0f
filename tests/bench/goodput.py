#!/usr/bin/python3
"""Goodput over several paths, compared with their sum, and with the kernel's own path manager.

In turns for each set of paths: plain TCP over each path, all at the same time (their sum is the
yardstick), MPTCP with mptcpized, MPTCP with the kernel's path manager and endpoints for the same
addresses. Every transfer lasts at least 10 s (--quick: 3 s). curl downloads from nginx, both
unmodified; goodput is payload over the whole time of curl. Reports and asserts nothing.
"""

import concurrent.futures
import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "net"))
# pylint: disable=wrong-import-position
import lab  # noqa: E402
import programs  # noqa: E402
from report import Report, arguments, bench_main  # noqa: E402

SETS = ((20, 20), (20, 20, 20), (20, 20, 20, 20), (20, 5), (20, 15, 10, 5))
BAR = 95  # percent
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
        """Over each path: the client is bound to the path's interface."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            transfers = [pool.submit(self.measure, path.rate, "--interface", path.name)
                         for path in self.hosts.paths]
            return [transfer.result() for transfer in transfers]

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
                "sum": sum(alone), "runs": {"plain": plain, "mptcpized": ours, "kernel": kernel}}


def compare(result, report):
    """Percent of the sum."""
    ours, kernel = ([100 * mbit / result["sum"] for mbit in result["runs"][who]]
                    for who in ("mptcpized", "kernel"))
    report.compare(f"goodput of {len(result['paths'])} paths, {rates_name(result['paths'])} "
                   "Mbit/s", "% of sum", ours, ("kernel's own", kernel), better="higher",
                   bar={"median": BAR}, key=True)


def bench(options):
    """Inside the namespaces: everything. The exit status."""
    seconds = 3 if options.quick else options.seconds
    repeat = 1 if options.quick else options.repeat
    report = Report(options, "goodput", {"seconds": seconds, "repeat": repeat})
    for rates in SETS[:3] if options.quick else SETS:
        print(f"   {rates_name(rates)}: {3 * repeat} transfers of {seconds} s", flush=True)
        report.add(run_set(rates, seconds, repeat))
        compare(report.results[-1], report)
    report.finish()
    return 0


def main():
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="length of a transfer")
    parser.add_argument("--repeat", type=int, default=3, help="rounds")
    bench_main(parser, bench)


if __name__ == "__main__":
    main()
