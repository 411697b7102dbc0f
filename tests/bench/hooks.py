#!/usr/bin/python3
"""What the hooks of the preload library cost: a call through it, and past it.

    socket     socket() and close() of an MPTCP socket, against the bare kernel and libmptcpwrap
    send       send() and recv() of a byte on an MPTCP connection, against the same past the library
    hooks      single calls that the library looks at, over functions that return at once

Each round is a process of its own (tests/shim/bench-socket.c, bench-option.c), in which the ways
take turns call by call, and gives a median. Reports and asserts nothing.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "net"))
# pylint: disable=wrong-import-position
import joinlatency  # noqa: E402
import lab  # noqa: E402
import peers  # noqa: E402
import programs  # noqa: E402
from report import Report, arguments, bench_main  # noqa: E402

SOCKET_BAR = 1.03  # times the bare kernel's
CALLS = ("send", "recv", "write", "read", "setsockopt", "getsockopt", "ioctl")
STATE = "MPTCP, connected"


def lines_of(program, *argv, behind=()):
    """The words of each line that a benchmark below the library prints."""
    build = programs.Build.find()
    preload = ":".join((build.preload(), *behind))
    done = programs.run([f"{build.root}/tests/shim/{program}", *argv],
                        env={**build.preload_environ(), "LD_PRELOAD": preload})
    if done.returncode != 0:
        raise lab.Failed(f"{program} ended with {done.returncode}: {done.stderr.strip()}")
    return [line.split(maxsplit=2) for line in done.stdout.splitlines()]


def bench_calls(report, rounds):
    """Calls of the kernel."""
    wrap = peers.find(peers.WRAP)
    times = {}
    for _ in range(rounds):
        for what, way, nsec in lines_of("bench-socket", wrap.get("library", "-"), lab.SERVICE4,
                                        str(joinlatency.PORT)):
            times.setdefault((what, way), []).append(float(nsec))
    bare = times["socket", "bare"]
    report.compare("socket() and close(), MPTCP", "ns", times["socket", "library"],
                   ("bare kernel", bare),
                   (peers.WRAP, times.get(("socket", "wrap")) or wrap["missing"]),
                   bar={"ratio": SOCKET_BAR}, key=True)
    report.compare("send() and recv() of a byte, MPTCP", "ns", times["trip", "library"],
                   ("bare kernel", times["trip", "bare"]), key=True)
    report.add({"what": "control", "nsec": times["control", "bare"]})


def bench_hooks(report, rounds):
    """Calls of nothing."""
    times = {}
    for _ in range(rounds):
        for through, past, what in lines_of("bench-option", behind=[
                f"{programs.Build.find().root}/tests/shim/stub.so"]):
            times.setdefault(what, ([], []))
            for values, value in zip(times[what], (through, past)):
                values.append(float(value))
    for call in CALLS:
        through, past = times[f"{call}, {STATE}"]
        report.compare(f"a call of {call} ({STATE}) that does nothing", "ns", through,
                       ("without the library", past))
    report.add({"what": "hooks", "nsec": times})


def bench(options):
    """Inside the namespaces: everything. The exit status."""
    rounds = 1 if options.quick else 9
    report = Report(options, "hooks", {"rounds": rounds})
    with lab.Lab(rates=(None, None)) as hosts:
        joinlatency.start_server(hosts)
        bench_calls(report, rounds)
        bench_hooks(report, rounds)
    report.finish()
    return 0


if __name__ == "__main__":
    bench_main(arguments(__doc__), bench)
