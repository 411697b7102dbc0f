#!/usr/bin/python3
"""Runs network tests, one script after the other, for test_matrix.py: there, or on this host.

    inside.py SCRIPT[:CASE[,CASE]...]...

What they print is passed on, between lines that tell which script it is of. At the end there is a
line with what the daemon says of the kernel.
"""

import contextlib
import json
import os
import subprocess
import sys
import time

NET = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "net")
LIMIT = 1800  # seconds for a script; one that hangs must not cost the results of the others
sys.path.insert(0, NET)

import lab  # pylint: disable=wrong-import-position
import programs  # pylint: disable=wrong-import-position


def run(word):
    """A script, or some cases of it."""
    name, _, cases = word.partition(":")
    argv = [sys.executable, f"{NET}/test_{name}.py", *filter(None, cases.split(","))]
    print(f"# script {name}", flush=True)
    start = time.monotonic()
    try:
        status = subprocess.run(argv, timeout=LIMIT, check=False).returncode
    except subprocess.TimeoutExpired:
        status = f"a timeout, {LIMIT} s"
    print(f"# {time.monotonic() - start:.0f} s\n# ended with {status}", flush=True)


def print_features():
    """What `mptcpctl status` says of this kernel, after a join, which shows some of it."""
    with lab.Lab() as hosts:
        daemon = programs.stage(hosts)
        with contextlib.suppress(lab.Failed):  # then it is shown as unknown
            programs.Curl(hosts, lab.SERVICE4, "data").finish()
        status = daemon.query("status")
        print("# features " + json.dumps(status.get("kernel", {}).get("features", [])), flush=True)
    return 0


def main():
    for word in sys.argv[1:]:
        run(word)
    try:
        lab.require()
        lab.run_sandboxed(print_features)
    except lab.Missing as missing:
        print(f"# no features: {missing}", flush=True)
    print("# done", flush=True)


main()
