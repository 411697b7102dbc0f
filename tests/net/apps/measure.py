"""iperf3, which moves data just to measure, and paces it if told."""

import json

from apps.case import SIZE, case
from harness import check, check_equal

PACE = 4_000_000  # bit/s
SECONDS = 2


def iperf3(run, port, *more):
    """What it reports at its end. Each has a server: one that cleans up resets the next client."""
    where = ["--port", str(port)]
    run.serve(["iperf3", "--server", *where, "--logfile", "/dev/null"], port)
    report = json.loads(run.client(["iperf3", "--client", run.address, *where, "--json", *more]))
    check_equal(report.get("error"), None, f"what iperf3 minds at {' '.join(more)}")
    return report["end"]


@case("iperf3", connections=7)
def test_iperf3_both_ways_uses_both_paths(run):
    """By one and by two streams, to the server and from it; each time one connection to control."""
    amount = ("--bytes", str(SIZE))
    for port, more in ((5201, ()), (5202, ("--parallel", "2")), (5203, ("--reverse",))):
        end = iperf3(run, port, *amount, *more)
        if more == ("--reverse",) and "sum_sent" not in end:
            continue  # a server that is done early makes iperf3 3.12 forget its sums, under TCP too
        check(end["sum_sent"]["bytes"] >= SIZE, f"{more}: the data was sent")
        check(end["sum_received"]["bytes"] > 0, "and counted")  # as far as it was there by then


@case("iperf3", spread=False)
def test_iperf3_fq_rate_is_paced(run):
    """--fq-rate: MPTCP can't be paced, so that socket stays TCP; the one to control need not."""
    end = iperf3(run, 5201, "--fq-rate", str(PACE), "--time", str(SECONDS))
    sent = end["sum_sent"]
    check(sent["bytes"] * 8 < 1.5 * PACE * sent["seconds"], "sent no faster than told")
    check_equal(end["streams"][0]["sender"]["sender"], True, "it was the client that sent")
