#!/usr/bin/python3
"""What connections cost the daemon: its processor and its memory, against mptcpd.

    processor  of the whole process, all threads, for 1,000 connections that each get a second
               subflow and are closed; the kernel's own share is not in it
    memory     resident, at the start and for each of many live connections

mptcpd has the smallest plugin that joins, and so does nothing else; mptcpized does all that it does
by default. They take turns. Connections come in batches, the next one when all of the last have
joined, since mptcpd is deaf for ever once events were lost; a round in which a whole batch waits in
vain is left out, and said to be. Reports and asserts nothing.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "net"))
# pylint: disable=wrong-import-position
import lab  # noqa: E402
import peers  # noqa: E402
import programs  # noqa: E402
import scale  # noqa: E402
from report import Report, arguments, bench_main  # noqa: E402

OURS = "mptcpized"
COUNT = 1000
BATCH = 40
JOIN_SECONDS = 5


class Sizes:
    """How much of everything."""

    def __init__(self, quick):
        self.rounds = 1 if quick else 7
        self.live = 1000 if quick else 5000


def processor(daemon):
    """Milliseconds that its threads have used so far."""
    tasks = f"/proc/{daemon.process.popen.pid}/task"
    return sum(int(lab.read(f"{tasks}/{task}/schedstat").split()[0])
               for task in os.listdir(tasks)) / 1e6


class Bench:
    """Two paths, not shaped, a server, and both daemons, of which one runs."""

    def __init__(self, hosts):
        self.hosts = hosts
        scale.make_room()
        programs.start_bus(hosts)
        self.daemons = {OURS: programs.Daemon(hosts)}
        self.missing = peers.find(peers.MPTCPD).get("missing")
        if not self.missing:
            self.daemons[peers.MPTCPD] = peers.Mptcpd(hosts)
        scale.start_server(hosts)

    def joins(self):
        return self.hosts.counters()["MPJoinSynAckRx"]

    def connect(self):
        """A batch of connections. What keeps them, when all have joined, or none will any more."""
        before = self.joins()
        dialer = scale.Dialer(self.hosts, BATCH, 1)
        dialer.done()
        try:
            lab.wait_for(lambda: self.joins() >= before + BATCH, "joins", JOIN_SECONDS)
        except lab.Failed:
            if self.joins() == before:
                raise
            print(f"   note: {self.joins() - before} joins instead of {BATCH}", flush=True)
        return dialer

    @staticmethod
    def settle(daemon):
        """Until it has nothing to do any more."""
        seen = [processor(daemon)]

        def idle():
            seen.append(processor(daemon))
            return len(seen) > 20 and seen[-1] - seen[-20] < 1

        lab.wait_for(idle, "the daemon rests")

    def once(self, daemon, live):
        """One round of a daemon that runs: what the report shows of it."""
        start = scale.resident(daemon)
        self.connect().close()  # what is only needed once
        self.settle(daemon)
        before = processor(daemon)
        for _ in range(COUNT // BATCH):
            self.connect().close()
        self.settle(daemon)
        used = processor(daemon) - before
        dialers = [self.connect() for _ in range(live // BATCH)]
        each = (scale.resident(daemon) - start) / live
        for dialer in dialers:
            dialer.close()
        return {"processor_ms": used, "start_kib": start / 1024, "each_bytes": each}

    def round(self, name, live, figures):
        """Adds those of one round."""
        daemon = self.daemons[name]
        daemon.start()
        try:
            for what, value in self.once(daemon, live).items():
                figures.setdefault(what, []).append(value)
        except lab.Failed as error:
            print(f"   left out, a round of {name}: {error}", flush=True)
            figures["left_out"] = figures.get("left_out", 0) + 1
        daemon.stop()

    def all(self, sizes):
        """Name of a daemon -> name of a figure -> values."""
        found = {name: {} for name in self.daemons}
        for number in range(sizes.rounds):
            for name in list(found)[::(-1) ** number]:
                self.round(name, sizes.live, found[name])
        return found


def bench(options):
    """Inside the namespaces: everything. The exit status."""
    sizes = Sizes(options.quick)
    report = Report(options, "cost", {"rounds": sizes.rounds, "batch": BATCH})
    with lab.Lab(rates=(None, None)) as hosts:
        scene = Bench(hosts)
        found = scene.all(sizes)
    for what, name, unit in (
            ("processor_ms", "processor of the daemon for 1,000 connections", "ms"),
            ("start_kib", "memory of the daemon at its start", "KiB"),
            ("each_bytes", f"memory for each of {sizes.live} live connections", "B")):
        mptcpd = found.get(peers.MPTCPD, {}).get(what) or scene.missing or "no round with joins"
        report.compare(name, unit, found[OURS].get(what), (peers.MPTCPD, mptcpd), key=True)
    report.add(found)
    report.finish()
    return 0


if __name__ == "__main__":
    bench_main(arguments(__doc__), bench)
