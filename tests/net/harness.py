"""Runs network tests: each function gets namespaces and a lab of its own.

A test is a function test_<what>_<situation>_<result>(lab). It says with lab.note() what it does
and with check() what it has checked, and fails by an exception. Output is TAP; the exit status is
0, 1 if a test failed, 77 if none could run here.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import traceback

import lab
import programs

SKIPPED = 77
FULL = os.environ.get("MPTCPIZE_FULL") == "1"


def topology(names=lab.NAMES[:2], rates=(20, 20), delay=(), loss=()):
    """Decorator: the paths of a test, where two of 20 Mbit/s are not what it needs.

    delay: ms one way; loss: percent. What has one of them is a path through a program.
    """
    def decorate(function):
        function.topology = (names, rates, delay, loss)
        return function
    return decorate


def full(function):
    """Decorator: the test takes long, and is for MPTCPIZE_FULL=1 and for those who name it."""
    function.full = True
    return function


def _needs(there, reason):
    """Decorator: the test is skipped, for that reason, if there() is not so."""
    def decorate(function):
        before = getattr(function, "obstacle", lambda: "")
        function.obstacle = lambda: before() or ("" if there() else reason)
        return function
    return decorate


def needs(path, reason):
    """Decorator: the test is skipped, for that reason, where path does not exist."""
    return _needs(lambda: os.path.exists(path), reason)


def needs_program(name):
    """Decorator: the test is skipped where a program is not installed."""
    return _needs(lambda: shutil.which(name), f"{name} is not installed")


def _has_gate():
    daemon = programs.Build.find().daemon
    linked = subprocess.run(["ldd", daemon], text=True, capture_output=True, check=False)
    return "libnftables" in linked.stdout


def needs_gate(function):
    """Decorator: the test is skipped where there can be no gate, or nobody to look at it."""
    return needs_program("nft")(_needs(_has_gate, "built without libnftables")(function))


def needs_module(name):
    """Decorator: the test is skipped where Python lacks a module."""
    return _needs(lambda: importlib.util.find_spec(name), f"Python has no {name}")


needs_ipv6 = needs("/proc/sys/net/ipv6", "this kernel has no IPv6")
needs_close_timeout = needs(programs.CLOSE_TIMEOUT, "this kernel has no net.mptcp.close_timeout")


class Skip(Exception):
    """This machine can't run the rest of the test: why not."""


def need_feature(daemon, name):
    """Skips the rest of the test if the daemon has found that this kernel lacks that."""
    if daemon.lacks(name):
        raise Skip(f"this kernel lacks {name}")


def check(condition, what):
    """One line of the test's report; Failed if it is not so."""
    if not condition:
        raise lab.Failed(what)
    print(f"#           ok: {what}", flush=True)


def check_equal(got, wanted, what):
    if got != wanted:
        raise lab.Failed(f"{what}: {got!r} instead of {wanted!r}")
    print(f"#           ok: {what} is {wanted!r}", flush=True)


def _run_in_lab(function, reason):
    """Inside the namespaces. 0; SKIPPED, with why in the pipe reason; or 1, with all logs."""
    with lab.Lab(*getattr(function, "topology", ())) as hosts:
        try:
            function(hosts)
            hosts.end_well()
            return 0
        except Skip as skip:
            os.write(reason, str(skip).encode())
            return SKIPPED
        except Exception:
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
            hosts.print_logs()
            return 1


def _run_one(function):
    """One test. (status, reason of a skip)."""
    reason = getattr(function, "obstacle", lambda: "")()
    if reason:
        return SKIPPED, reason
    print(f"# {function.__name__}: {' '.join((function.__doc__ or '').split())}", flush=True)
    reader, writer = os.pipe()
    status = lab.run_sandboxed(lambda: _run_in_lab(function, writer))
    os.close(writer)
    with os.fdopen(reader) as why:
        return status, why.read()


def _report(number, name, status, reason):
    if status == SKIPPED:
        print(f"ok {number} - {name} # SKIP {reason}", flush=True)
    else:
        print(f"{'not ok' if status else 'ok'} {number} - {name}", flush=True)


def _selected(tests):
    """Those named on the command line, or else all that are not too long."""
    if wanted := sys.argv[1:]:
        return [test for test in tests if test.__name__ in wanted]
    return [test for test in tests if FULL or not getattr(test, "full", False)]


def main(tests):
    """The whole program of a test script. Never returns."""
    tests = _selected(tests)
    try:
        programs.Build.find()
    except lab.Missing as missing:
        print(f"Bail out! {missing}")
        sys.exit(1)
    try:
        lab.require()
        lab.run_sandboxed(lambda: 0)
        print(f"1..{len(tests)}", flush=True)
        statuses = []
        for number, test in enumerate(tests, 1):
            status, reason = _run_one(test)
            _report(number, test.__name__, status, reason)
            statuses.append(status)
            if status > 128:
                sys.exit(status)
    except lab.Missing as missing:
        print(f"1..0 # SKIP {missing}")
        sys.exit(SKIPPED)
    if all(status == SKIPPED for status in statuses):
        sys.exit(SKIPPED)
    sys.exit(1 if any(status not in (0, SKIPPED) for status in statuses) else 0)
