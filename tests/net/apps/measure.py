"""iperf3, which moves data just to measure, and paces it if told."""

import json

from apps.case import SIZE, case
from harness import check, check_equal

PACE = 4_000_000  # bit/s
SECONDS = 2


def serve(run):
    run.serve(["iperf3", "--server", "--logfile", "/dev/null"], 5201)  # reports are no errors


def iperf3(run, *more):
    """What it reports at its end."""
    report = run.client(["iperf3", "--client", run.address, "--json", *more])
    return json.loads(report)["end"]


@case("iperf3", connections=7)
def test_iperf3_both_ways_uses_both_paths(run):
    """By one and by two streams, to the server and from it; each time one connection to control."""
    serve(run)
    amount = ("--bytes", str(SIZE))
    for more in ((), ("--parallel", "2"), ("--reverse",)):
        end = iperf3(run, *amount, *more)
        if more == ("--reverse",) and "sum_sent" not in end:
            continue  # a server that is done early makes iperf3 3.12 forget its sums, under TCP too
        check(end["sum_sent"]["bytes"] >= SIZE, f"{more}: the data was sent")
        check(end["sum_received"]["bytes"] > 0, "and counted")  # as far as it was there by then


@case("iperf3", spread=False)
def test_iperf3_fq_rate_is_paced(run):
    """--fq-rate: MPTCP can't be paced, so that socket stays TCP; the one to control need not."""
    serve(run)
    end = iperf3(run, "--fq-rate", str(PACE), "--time", str(SECONDS))
    sent = end["sum_sent"]
    check(sent["bytes"] * 8 < 1.5 * PACE * sent["seconds"], "sent no faster than told")
    check_equal(end["streams"][0]["sender"]["sender"], True, "it was the client that sent")
