#!/usr/bin/python3
"""How long data stops when a path fails, compared with the kernel's own path manager.

    faults     two paths of 20 Mbit/s, a bulk transfer, and the first path fails: the longest gap at
               the receiver that begins within a second, with the second path as a standby and as a
               path like any other
    return     the first path comes back: the longest gap that this costs
    new        the only path fails, and a while later another one comes: time until data flows
    crowd      200 transfers on a link that goes down: the same for each
    idle       a path that swallows everything below an idle connection: nothing may be done

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
from report import Bars, Report, arguments, bench_main, percentile  # noqa: E402

CROWD_MBIT = 1000  # with less, so many transfers stall each other
SECOND = 1_000_000
# Later gaps are congestion control's own: a full queue on the path that has taken over.
WINDOW = SECOND
IDLE_COUNTERS = ("MPJoinSynTx", "RmAddrTx", "MPPrioTx", "MPRstTx", "MPFastcloseTx")


class Sizes:
    """How much of everything; seconds of each part of a run."""

    def __init__(self, options):
        quick = options.quick
        self.runs = options.runs or (1 if quick else 20)
        self.normal_runs = min(self.runs, 5)  # it has no bars
        self.faults = ("link down", "blackhole") if quick else tuple(FAULTS)
        self.roles = ("backup",) if quick else ("backup", "normal")
        self.before = 0.3 if quick else 1.0
        self.after = 0.8 if quick else 3.0
        self.away = 0.4 if quick else 3.0
        self.back = 1.0 if quick else 10.0
        self.new = 1.0 if quick else 10.0
        self.crowd = 20 if quick else 200
        self.crowds = 1 if quick else 5
        self.burst = 1.5 if quick else 3.0  # it takes 0.8
        self.idle = 1.0 if quick else 20.0


def text(values):
    """Median and worst of milliseconds."""
    return f"median {statistics.median(values):.0f}, worst {max(values):.0f} ms" if values else "-"


def modes_of(fault, direction):
    """The modes to compare: a server has to notice by itself only what nobody tells it."""
    return MODES if fault == "blackhole" and direction == "down" else ("mptcpized", "kernel")


def bar_of(role, fault, direction, mode):
    """(median, worst) in milliseconds, None: no bar."""
    if role != "backup":
        return None, None
    if fault != "blackhole":
        return 120, 250
    return (900 if direction == "down" and mode == "mptcpized" else 450), None


class Outage:
    """The parts; each makes its own lab."""

    def __init__(self, sizes, report):
        self.sizes = sizes
        self.report = report
        self.bars = Bars(report)

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
            self.fault_bar(managers.role, fault, direction, mode, gaps)

    def fault_bar(self, role, fault, direction, mode, gaps):
        median, worst = bar_of(role, fault, direction, mode)
        good = None
        if median:
            good = (statistics.median(gaps[mode]) <= median
                    and (worst is None or max(gaps[mode]) <= worst))
        bar = "-" if median is None else f"median {median}" + (f", worst {worst}" if worst else "")
        where = {"mptcpized": "client", "both ends": "both ends"}[mode]
        self.bars.add(f"{fault}, {role}, {direction}, {where}", text(gaps[mode]), bar,
                      text(gaps["kernel"]), good)

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
        self.bars.add("return to the primary, backup", text(gaps["mptcpized"]), "worst 250",
                      text(gaps["kernel"]), max(gaps["mptcpized"]) <= 250)

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
        shown = {}
        for mode, values in times.items():
            self.report.add({"what": "new path", "path_manager": mode, "ms": values})
            came = [value for value in values if value is not None]
            shown[mode] = text(came)
            if len(came) < len(values):
                shown[mode] = f"{len(values) - len(came)} of {len(values)} never; {text(came)}"
        good = None not in times["mptcpized"] and max(times["mptcpized"]) <= 250
        self.bars.add("the only path fails, a new one comes", shown["mptcpized"], "250",
                      shown["kernel"], good)

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
        stayed = {mode: sum(self.sizes.crowd - run["moved"] for run in values)
                  for mode, values in runs.items()}
        for share, bar in (("p50", None), ("p95", 300), ("max", None), ("p95_before", None)):
            columns = {mode: [run[share] for run in values] for mode, values in runs.items()}
            good = None
            if bar:
                good = not stayed["mptcpized"] and statistics.median(columns["mptcpized"]) <= bar
            self.bars.add(f"{self.sizes.crowd} transfers, link down, {share.replace('_', ' ')}",
                          text(columns["mptcpized"]), f"{bar}, all moved" if bar else "-",
                          text(columns["kernel"]), good)
        self.bars.add("   of them not moved", str(stayed["mptcpized"]), "0",
                      str(stayed["kernel"]), not stayed["mptcpized"])

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
                self.bars.add(f"actions in a blackhole of {self.sizes.idle:.0f} s, idle after "
                              f"{name}", str(actions), "0", "0", actions == 0)


PARTS = {"faults": Outage.faults, "return": Outage.returns, "new": Outage.new,
         "crowd": Outage.crowd, "idle": Outage.idle}


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
    outage.bars.show()
    report.write()
    return 0


def main():
    parser = arguments(__doc__)
    parser.add_argument("--runs", type=int, help="of each fault and path manager (20)")
    parser.add_argument("--congestion", metavar="NAME", default="cubic",
                        help="congestion control of the transfers (cubic, as Debian has it)")
    parser.add_argument("--part", action="append", choices=tuple(PARTS), help="only this one")
    bench_main(parser, bench, needs=("nft",))


if __name__ == "__main__":
    main()
