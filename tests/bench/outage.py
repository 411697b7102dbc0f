#!/usr/bin/python3
"""How long data stops when a path fails, compared with the kernel's own path manager.

    faults     two paths of 20 Mbit/s, a bulk transfer, and the first path fails: the longest gap at
               the receiver that begins within a second, with the second path as a standby and as a
               path like any other
    return     the first path comes back: the longest gap that this costs
    new        the only path fails, and a while later another one comes: time until data flows
    crowd      200 transfers on a link that goes down: the same for each
    idle       a path that swallows everything below an idle connection: nothing may be done
    series     throughput over time while the first path is away, for plot.py

The path managers take turns: mptcpized on the client, on both ends, and the kernel with endpoints.
Reports and asserts nothing.
"""

import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "net"))
# pylint: disable=wrong-import-position
import lab  # noqa: E402
from flows import FAULTS, MODES, Flows, Managers, now, wait_for_path  # noqa: E402
from report import Report, arguments, bench_main, percentile  # noqa: E402

CROWD_MBIT = 1000  # with less, so many transfers stall each other
SECOND = 1_000_000
STEP = SECOND // 10  # of what is plotted
KERNEL = "kernel's own"
# Later gaps are congestion control's own: a full queue on the path that has taken over.
WINDOW = SECOND
IDLE_COUNTERS = ("MPJoinSynTx", "RmAddrTx", "MPPrioTx", "MPRstTx", "MPFastcloseTx")


class Sizes:
    """How much of everything; seconds of each part of a run."""

    def __init__(self, options):
        quick = options.quick
        self.runs = options.runs or (1 if quick else 5)
        self.normal_runs = min(self.runs, 3)  # it has no bars
        self.faults = ("link down", "blackhole") if quick else tuple(FAULTS)
        self.roles = ("backup",) if quick else ("backup", "normal")
        self.before = 0.3 if quick else 0.7
        self.after = 0.8 if quick else 2.0
        self.away = 0.4 if quick else 2.0
        self.back = 1.0 if quick else 5.0
        self.new = 1.0 if quick else 5.0
        self.crowd = 20 if quick else 200
        self.crowds = 1 if quick else 3
        self.burst = 1.5 if quick else 3.0  # it takes 0.8
        self.idle = 1.0 if quick else 15.0
        self.plot = (1, 2, 2) if quick else (2, 6, 6)  # before, away, back again
        self.plots = 1 if quick else 3


def modes_of(fault, direction):
    """The modes to compare: a server has to notice by itself only what nobody tells it."""
    return MODES if fault == "blackhole" and direction == "down" else ("mptcpized", "kernel")


def bar_of(role, fault, direction, mode):
    """In milliseconds, None: no bar."""
    if role != "backup":
        return None
    if fault != "blackhole":
        return {"median": 120, "max": 250}
    return {"median": 900 if direction == "down" and mode == "mptcpized" else 450}


class Outage:
    """The parts; each makes its own lab."""

    def __init__(self, sizes, report):
        self.sizes = sizes
        self.report = report

    # faults

    def fault_once(self, hosts, managers, mode, fault, direction):
        """One transfer that loses its first path: (longest gap, silence), milliseconds."""
        fail, heal = FAULTS[fault]
        with managers.managed_by(mode):
            flows = Flows(hosts, direction)
            flows.wait_for_joins()
            # The kernel tells of carriers once a second: the last time was when it came back.
            time.sleep(self.sizes.before + (1 if fault == "carrier loss" else 0))
            since = now()
            fail(hosts)
            time.sleep(self.sizes.after)
            seen = flows.stop()
            heal(hosts)
            wait_for_path(hosts.paths[0])
        until = since + int(self.sizes.after * SECOND)
        return seen.longest(since, WINDOW)[0], seen.silence(since, until)

    def fault(self, hosts, managers, fault, direction):
        """All runs of one fault, the modes in turns."""
        modes = modes_of(fault, direction)
        samples = {mode: [] for mode in modes}
        backup = managers.role == "backup"
        for number in range(self.sizes.runs if backup else self.sizes.normal_runs):
            for mode in modes[::(-1) ** number]:
                samples[mode].append(self.fault_once(hosts, managers, mode, fault, direction))
        gaps = {mode: [gap for gap, _ in values] for mode, values in samples.items()}
        for mode in modes:
            self.report.add({"what": "fault", "role": managers.role, "fault": fault,
                             "direction": direction, "path_manager": mode,
                             "longest_ms": gaps[mode],
                             "silence_ms": [silence for _, silence in samples[mode]]})
        for mode in modes[:-1]:
            where = {"mptcpized": "at the client", "both ends": "at both ends"}[mode]
            self.report.compare(
                f"{fault} ({managers.role}, {direction}, mptcpized {where}): longest gap", "ms",
                gaps[mode], (KERNEL, gaps["kernel"]),
                bar=bar_of(managers.role, fault, direction, mode),
                key=backup and fault in ("link down", "blackhole"))

    def faults(self):
        for role in self.sizes.roles:
            with lab.Lab() as hosts:
                managers = Managers(hosts, role)
                for fault in self.sizes.faults:
                    for direction in ("up", "down"):
                        print(f"   {fault}, {role}, {direction}", flush=True)
                        self.fault(hosts, managers, fault, direction)

    # the way back

    def return_once(self, hosts, managers, mode, direction):
        """A transfer whose first path is away for a while. The longest gap since it is back."""
        with managers.managed_by(mode):
            flows = Flows(hosts, direction)
            flows.wait_for_joins()
            time.sleep(self.sizes.before)
            hosts.path_down(0)
            time.sleep(self.sizes.away)
            back = now()
            hosts.path_up(0)
            time.sleep(self.sizes.back)
            return flows.stop().longest(back)[0]

    def returns(self):
        gaps = {"mptcpized": [], "kernel": []}
        with lab.Lab() as hosts:
            managers = Managers(hosts, "backup")
            for number in range(self.sizes.runs):
                for mode, values in gaps.items():
                    values.append(self.return_once(hosts, managers, mode,
                                                   ("up", "down")[number % 2]))
        for mode, values in gaps.items():
            self.report.add({"what": "return", "path_manager": mode, "longest_ms": values})
        self.report.compare("return of the first path (backup): longest gap", "ms",
                            gaps["mptcpized"], (KERNEL, gaps["kernel"]), bar={"max": 250})

    # a new path

    def new_once(self, hosts, managers, mode, direction):
        """The only path fails, and another one comes: milliseconds until data; None: never."""
        path = hosts.paths[1]
        lab.ip_batch([f"link set {path.name} down", f"addr flush dev {path.name}"])
        with managers.managed_by(mode):
            flows = Flows(hosts, direction)
            time.sleep(self.sizes.before)
            hosts.path_down(0)
            time.sleep(self.sizes.away)
            lab.ip_batch([f"link set {path.name} up"])
            usable = now()
            lab.ip_batch(path.addresses() + path.routes())
            time.sleep(1 if mode == "mptcpized" else self.sizes.new)
            seen = flows.stop()
        for path in hosts.paths:
            hosts.path_up(path.index)
            wait_for_path(path)
        return seen.flows_since(usable)

    def new(self):
        times = {"mptcpized": [], "kernel": []}
        with lab.Lab() as hosts:
            managers = Managers(hosts, "normal")
            for number in range(self.sizes.runs):
                # The kernel's is the same each time: there is none.
                for mode in times if number < 2 else ("mptcpized",):
                    times[mode].append(self.new_once(hosts, managers, mode,
                                                     ("up", "down")[number % 2]))
        for mode, values in times.items():
            self.report.add({"what": "new path", "path_manager": mode, "ms": values})
        came = {mode: [value for value in values if value is not None]
                for mode, values in times.items()}
        self.report.compare("the only path fails, a new one comes: until data flows", "ms",
                            "not each time" if None in times["mptcpized"] else came["mptcpized"],
                            (KERNEL, came["kernel"] or f"never within {self.sizes.new:.0f} s"),
                            bar={"max": 250}, key=True)

    # many

    def crowd_once(self, hosts, managers, mode):
        """Many transfers on a link that goes down."""
        with managers.managed_by(mode):
            flows = Flows(hosts, "up", self.sizes.crowd)
            flows.wait_for_joins()
            time.sleep(self.sizes.before * 2)
            since = now()
            hosts.path_down(0)
            time.sleep(self.sizes.after)
            until = now()
            seen = flows.stop()
            hosts.path_up(0)
        calm = sorted(seen.within(since - int(self.sizes.before * SECOND), since))
        gaps = sorted(seen.longest(since, WINDOW))
        return {"path_manager": mode, "moved": seen.moved((since + until) // 2),
                "p50": percentile(gaps, 0.5), "p95": percentile(gaps, 0.95), "max": gaps[-1],
                "p95_before": percentile(calm, 0.95), "longest_ms": gaps}

    def crowd(self):
        runs = {"mptcpized": [], "kernel": []}
        with lab.Lab(rates=(CROWD_MBIT, CROWD_MBIT)) as hosts:
            managers = Managers(hosts, "backup")
            for _ in range(self.sizes.crowds):
                for mode, values in runs.items():
                    values.append(self.crowd_once(hosts, managers, mode))
                    self.report.add({"what": "crowd", **values[-1]})
        crowd = f"{self.sizes.crowd} transfers, link down"
        for share, bar in (("p50", None), ("p95", {"median": 300}), ("max", None),
                           ("p95_before", None)):
            ours, kernel = ([run[share] for run in runs[mode]] for mode in ("mptcpized", "kernel"))
            self.report.compare(f"{crowd}: longest gap, {share.replace('_', ', ')}", "ms", ours,
                                (KERNEL, kernel), bar=bar, key=share == "p95")
        ours, kernel = ([self.sizes.crowd - run["moved"] for run in runs[mode]]
                        for mode in ("mptcpized", "kernel"))
        self.report.compare(f"{crowd}: not moved", "transfers", ours, (KERNEL, kernel),
                            bar={"max": 0})

    # none

    def idle_once(self, hosts, managers, what):
        """What was done below a connection that has nothing to send."""
        with managers.managed_by("mptcpized"):
            flows = Flows(hosts, what)
            flows.wait_for_joins()
            lab.wait_for(lambda: len(managers.daemon.subflows()) == 2, "two subflows")
            since, before = time.time_ns() // 1000, hosts.counters()
            time.sleep(self.sizes.burst if what == "burst" else 0)
            hosts.blackhole(0, "both")
            time.sleep(self.sizes.idle)
            log = [line for line in managers.daemon.connection()["log"]
                   if line["time_usec"] >= since]
            after = hosts.counters()
            flows.stop()
            hosts.blackhole(0, "none")
        sent = {name: after[name] - before[name] for name in IDLE_COUNTERS}
        self.report.add({"what": "idle", "after": what, "seconds": self.sizes.idle, "log": log,
                         "sent": sent})
        return len(log) + sum(sent.values())

    def idle(self):
        with lab.Lab() as hosts:
            managers = Managers(hosts, "backup")
            for what, name in (("idle", "nothing"), ("burst", "a download of 2 MB")):
                actions = self.idle_once(hosts, managers, what)
                self.report.compare(f"a blackhole of {self.sizes.idle:.0f} s, idle after {name}",
                                    "actions", [actions], bar={"max": 0})

    # over time

    def series_once(self, hosts, managers, mode):
        """Mbit/s of a download whose first path is away for a while, in steps."""
        before, away, back = self.sizes.plot
        with managers.managed_by(mode):
            flows = Flows(hosts, "down")
            flows.wait_for_joins()
            time.sleep(before + 1)  # it has to find its pace, first
            pulled = now()
            hosts.path_down(0)
            time.sleep(away)
            hosts.path_up(0)
            time.sleep(back)
            seen = flows.stop()
            wait_for_path(hosts.paths[0])
        return seen.rates(pulled - before * SECOND, pulled + (away + back) * SECOND, STEP)

    def series(self):
        """All runs, step by step; and how much came while the path was away."""
        runs = {"mptcpized": [], "kernel": []}
        before, away, back = self.sizes.plot
        with lab.Lab() as hosts:
            managers = Managers(hosts, "normal")
            for number in range(self.sizes.plots):
                for mode in list(runs)[::(-1) ** number]:
                    runs[mode].append(self.series_once(hosts, managers, mode))
        self.report.add({"what": "series", "step_s": STEP / SECOND, "begin_s": -before,
                         "lost_s": 0, "back_s": away, "unit": "Mbit/s", "runs": runs})
        for name, begin, end in (("is away", before, before + away),
                                 ("is back", before + away, before + away + back)):
            ours, kernel = ([statistics.mean(run[begin * SECOND // STEP:end * SECOND // STEP])
                             for run in runs[mode]] for mode in ("mptcpized", "kernel"))
            self.report.compare(f"download over 20+20 Mbit/s, while the first path {name}",
                                "Mbit/s", ours, (KERNEL, kernel), better="higher", key=True)


PARTS = {"faults": Outage.faults, "return": Outage.returns, "new": Outage.new,
         "crowd": Outage.crowd, "idle": Outage.idle, "series": Outage.series}


def bench(options):
    """Inside the namespaces: everything. The exit status."""
    sizes = Sizes(options)
    settings = {"runs": sizes.runs, "congestion_control": options.congestion}
    os.environ["FLOW_CONGESTION"] = options.congestion
    report = Report(options, "outage", settings)
    outage = Outage(sizes, report)
    for name in options.part or PARTS:
        print(name, flush=True)
        PARTS[name](outage)
    report.finish()
    return 0


def main():
    parser = arguments(__doc__)
    parser.add_argument("--runs", type=int, help="of each fault and path manager (5)")
    parser.add_argument("--congestion", metavar="NAME", default="cubic",
                        help="congestion control of the transfers (cubic, as Debian has it)")
    parser.add_argument("--part", action="append", choices=tuple(PARTS), help="only this one")
    bench_main(parser, bench, needs=("nft",))


if __name__ == "__main__":
    main()
