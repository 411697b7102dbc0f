#!/usr/bin/python3
"""mptcpctl: what it shows, and its exit codes."""

import re

import harness
from harness import check, check_equal, needs_ipv6
from lab import SERVER, SERVICE4, SERVICE6, WORK, command, wait_for
from programs import Build, Curl, Daemon, Nginx, run, stage, start_bus, wait_for_subflows

ADDRESS4 = re.compile(r"\d+\.\d+\.\d+\.\d+:\d+")
ADDRESS6 = re.compile(r"\[[0-9a-f:]+\]:\d+")
SUBFLOW_KEYS = {"state", "local", "remote", "local_id", "remote_id", "interface", "backup",
                "initial", "bytes_sent", "bytes_received", "rtt_usec", "retransmits"}
CONNECTION_KEYS = {"token", "state", "role", "plugin", "local", "remote", "uid", "program", "pid",
                   "policy", "user_timeout_msec"}
BAD_USAGE = ([], ["nonsense"], ["status", "surplus"], ["show"], ["show", "nothex"],
             ["--nonsense", "status"], ["run"], ["run", "--"])


def has_keys(row, wanted, what):
    check(wanted <= set(row), f"{what} has {sorted(wanted)}, missing: {sorted(wanted - set(row))}")


def test_ctl_status_shows_host(lab):
    """status, as JSON and as text."""
    start_bus(lab)
    daemon = Daemon(lab).start()
    status = daemon.query("status")
    has_keys(status, {"version", "kernel", "path_manager", "plugin", "connections", "subflows",
                      "limits", "interfaces", "blackhole"}, "status")
    check_equal(status["plugin"], "fullmesh", "plugin")
    check_equal((status["connections"], status["subflows"]), (0, 0), "connections, subflows")
    rows = {row["name"]: row for row in status["interfaces"]}
    for path in lab.paths:
        row = rows[path.name]
        check_equal((row["role"], row["usable"]), ("on", True), f"{path.name}: role, usable")
        check(path.client4 in row["addresses"], f"{path.name} has {path.client4}")
    check("lo" not in rows or not rows["lo"]["usable"], "lo is not usable")
    done = daemon.ctl("status")
    check_equal((done.returncode, done.stderr), (0, ""), "text: exit code, stderr")
    check("fullmesh" in done.stdout and "wifi0" in done.stdout, "plugin and interfaces in text")


def shows_connection(lab, host, pattern):
    daemon = stage(lab, size=80_000_000)
    curl = Curl(lab, host, "data")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    curl.reaches(0.02)
    rows = daemon.connections()
    check_equal(len(rows), 1, "number of connections")
    has_keys(rows[0], CONNECTION_KEYS | {"subflows"}, "row")
    check_equal(rows[0]["subflows"], 2, "subflows of the row")
    check(re.fullmatch("0x[0-9a-f]{8}", rows[0]["token"]), f"token {rows[0]['token']}")
    shown = daemon.query("show", rows[0]["token"])
    has_keys(shown, CONNECTION_KEYS | {"remotes", "log"}, "connection")
    check_equal((shown["state"], shown["role"]), ("established", "client"), "state and role")
    for row in shown["subflows"]:
        has_keys(row, SUBFLOW_KEYS, f"subflow of {row.get('interface')}")
        for end in (row["local"], row["remote"]):
            check(pattern.fullmatch(end), f"form of {end}")
        check(row["bytes_received"] > 0, f"{row['bytes_received']} bytes received")
    created = [entry for entry in shown["log"] if entry["what"].startswith("create ")]
    check_equal(len(created), 1, "creations in the log")
    check(created[0]["reason"], f"reason of the creation: {created[0]['reason']}")
    texts_agree(daemon, rows[0]["token"])
    lab.open_throttle()
    curl.finish()


def texts_agree(daemon, token):
    """The same as text; also with the token without 0x."""
    done = daemon.ctl("connections")
    check(done.returncode == 0 and token in done.stdout, "connections as text has the token")
    for spelling in (token, token.removeprefix("0x")):
        done = daemon.ctl("show", spelling)
        check(done.returncode == 0 and "lte0" in done.stdout, f"show {spelling} has lte0")


def test_ctl_connection_over_ipv4_is_shown(lab):
    """connections and show during a download."""
    shows_connection(lab, SERVICE4, ADDRESS4)


@needs_ipv6
def test_ctl_connection_over_ipv6_is_shown(lab):
    """connections and show during a download."""
    shows_connection(lab, SERVICE6, ADDRESS6)


def test_ctl_wrong_usage_exits_2(lab):
    """Usage errors, with a message on stderr and nothing on stdout."""
    start_bus(lab)
    daemon = Daemon(lab).start()
    for args in BAD_USAGE:
        done = daemon.ctl(*args)
        check_equal(done.returncode, 2, f"mptcpctl {' '.join(args)}: exit code")
        check(done.stderr.strip() and not done.stdout, "message on stderr only")


def test_ctl_unknown_token_exits_1(lab):
    """Nothing there by that name."""
    start_bus(lab)
    daemon = Daemon(lab).start()
    done = daemon.ctl("show", "0xdeadbeef")
    check_equal(done.returncode, 1, "exit code")
    check("0xdeadbeef" in done.stderr, f"it names the token: {done.stderr.strip()!r}")


def test_ctl_without_daemon_exits_1(lab):
    """Nobody owns the bus name; and no bus at all."""
    start_bus(lab)
    ctl = Build.find().ctl
    none = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={WORK}/nosuchbus"}
    for env in ({}, none):
        done = run([ctl, "status"], env=env)
        check_equal(done.returncode, 1, "exit code")
        check(done.stderr.strip(), f"message: {done.stderr.strip()!r}")


def test_ctl_run_exits_like_the_program(lab):
    """Exit code, arguments, standard streams; the daemon is not needed."""
    build = Build.find()
    cases = ((["true"], 0), (["sh", "-c", "exit 7"], 7), (["./nosuchprogram"], 127),
             (["nosuchprogram"], 127), ([WORK], 126))
    for argv, wanted in cases:
        done = run([build.ctl, "run", "--", *argv], env=build.run_environ())
        check_equal(done.returncode, wanted, f"exit code of run -- {' '.join(argv)}")
        check(wanted < 126 or argv[0] in done.stderr, "a message if it could not be started")
    done = run([build.ctl, "run", "--", "printf", "%s-", "a b", "--", "-x"],
               env=build.run_environ())
    check_equal(done.stdout, "a b-----x-", "arguments arrive unchanged")
    check(lab.counters()["MPCapableSYNTX"] == 0, "no MPTCP connection so far")


def test_ctl_run_upgrades_the_program(lab):
    """curl under mptcpctl run uses MPTCP."""
    build = Build.find()
    Nginx(lab)
    path = Nginx.file("data", 100_000)
    done = run([build.ctl, "run", "--", "curl", "--silent", "--fail", "--output", f"{WORK}/copy",
                f"http://{SERVICE4}/data"], env=build.run_environ())
    check_equal(done.returncode, 0, "exit code of curl")
    command("cmp", path, f"{WORK}/copy")
    wait_for(lambda: lab.counters(SERVER)["MPCapableACKRX"] == 1, "an MPTCP connection")
    check(True, "the server saw an MPTCP connection")


harness.main([test_ctl_status_shows_host,
              test_ctl_connection_over_ipv4_is_shown,
              test_ctl_connection_over_ipv6_is_shown,
              test_ctl_wrong_usage_exits_2,
              test_ctl_unknown_token_exits_1,
              test_ctl_without_daemon_exits_1,
              test_ctl_run_exits_like_the_program,
              test_ctl_run_upgrades_the_program])
