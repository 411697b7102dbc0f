#!/usr/bin/python3
"""The network tests (tests/net) on kernels of Debian's releases, each in a virtual machine.

    test_matrix.py            a few tests, on the first kernel of KERNELS that is not this host's
    test_matrix.py --full     all that make sense there, on all of KERNELS and on this host's
    test_matrix.py SUITE [SCRIPT]...      all, or these, on that one, which may be "host", too

What came out is kept, as JSON and as a table, in build/vm/matrix; but not of the few.

Only what the kernel does is of interest here, so tests of what others do are left out (UNFIT).
"""

import glob
import os
import re
import shutil
import subprocess
import sys

import machine
import table
from hostroot import HostMachine
from kernels import Kernel
from results import FAILED, SKIPPED, Results

EXIT_SKIPPED = 77
NET = f"{machine.SOURCE}/tests/net"
INSIDE = f"{machine.HERE}/inside.py"
KEPT = f"{machine.KEPT}/matrix"
KERNELS = ("bookworm", "trixie", "sid")
HOST = "host"
SLOWER = 4  # times as usual: it's an emulation
# What is promised, in as little time as possible: that of a minute or two.
FEW = ("download:test_download_over_ipv4_uses_both_paths,"
       "test_download_from_plain_server_falls_back",
       "cut:test_cut_initial_link_down_transfer_survives",
       "hint:test_hint_of_the_library_brings_policy_and_user_timeout",
       "restart:test_restart_killed_knows_all_that_was_told")
# Not on other kernels: what depends on programs of others, terminals or time, not on the kernel.
UNFIT = {
    "programs": "real servers: minutes each where the processor is emulated",
    "auth_programs": "the same, with keys",
    "doctor": "compiles programs, and looks at files",
    "top": "a terminal",
    "networkmanager": "another daemon, which needs most of a booted system",
    "crowd": "thousands of connections: the emulation takes an hour",
    "attack": "thousands of joins: likewise",
}


def all_scripts():
    names = sorted(re.findall(r"/test_(\w+)\.py", " ".join(glob.glob(f"{NET}/test_*.py"))))
    return [name for name in names if name not in UNFIT]


class Report:
    """TAP, numbered over all kernels."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def line(self, results, text):
        print(text if text.startswith("#") else f"# {text}", flush=True)
        if ended := results.feed(text):
            self.case(results.release, *ended)

    def case(self, release, script, case, state, reason):
        self.count += 1
        self.failed += state == FAILED
        tail = f" # SKIP {reason}" if state == SKIPPED else ""
        if reason and not tail:
            print(f"# {reason}")
        print(f"{'not ok' if state == FAILED else 'ok'} {self.count} - "
              f"{release}: {script}: {case}{tail}", flush=True)

    def plan(self):
        print(f"1..{self.count}", flush=True)


def environ(slower):
    """Of the tests, as words for env(1)."""
    return [f"MPTCPIZE_BUILD={os.environ['MPTCPIZE_BUILD']}", f"MPTCPIZE_SLOWER={slower}",
            "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1"]


def run_here(words, on_line):
    argv = ["env", *environ(1), sys.executable, INSIDE, *words]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, errors="replace") as process:
        for line in process.stdout:
            on_line(line.rstrip("\n"))


def run_there(suite, kernel, words, on_line):
    console = f"{machine.KEPT}/console-{suite}.log"
    argv = ["/usr/bin/env", *environ(SLOWER), "/usr/bin/python3", INSIDE, *words]
    HostMachine(kernel).run(argv, on_line, console, timeout=5 * 3600)


def run(suite, words, report):
    """Those tests on that kernel. Its results."""
    kernel = None if suite == HOST else Kernel.of_suite(suite)
    results = Results(kernel.release if kernel else os.uname().release, suite)
    print(f"# Linux {results.release}", flush=True)
    on_line = lambda text: report.line(results, text)
    if kernel:
        run_there(suite, kernel, words, on_line)
    else:
        run_here(words, on_line)
    if not results.complete:
        raise machine.Failed(f"the tests on {results.release} did not come to their end")
    return results


def is_ours(kernel):
    """Of the series that this host runs?"""
    series = lambda release: release.split(".")[:2]
    return series(kernel.release) == series(os.uname().release)


def run_and_keep(suite, scripts, report):
    run(suite, scripts, report).save(KEPT)
    with open(f"{KEPT}/matrix.md", "w", encoding="utf-8") as file:
        file.write(table.of_folder(KEPT))


def run_all(words, report):
    if words == ["--full"]:
        shutil.rmtree(KEPT, ignore_errors=True)
        for suite in (*KERNELS, HOST):
            run_and_keep(suite, all_scripts(), report)
    elif words:
        run_and_keep(words[0], words[1:] or all_scripts(), report)
    else:
        suite = next(each for each in KERNELS if not is_ours(Kernel.of_suite(each)))
        run(suite, FEW, report)


def main():
    report = Report()
    try:
        machine.require()
        run_all(sys.argv[1:], report)
    except machine.Missing as missing:
        print(f"1..0 # SKIP {missing}")
        sys.exit(EXIT_SKIPPED)
    except machine.Failed as failed:
        print(f"Bail out! {failed}")
        sys.exit(1)
    report.plan()
    sys.exit(1 if report.failed or not report.count else 0)


main()
