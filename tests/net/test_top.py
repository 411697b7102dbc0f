#!/usr/bin/python3
"""mptcpctl top: on a terminal, and one interval as a table or JSON."""

import os
import re
import shutil
import signal

import harness
from bursts import Burst
from harness import check, check_equal, needs_program, topology
from lab import NAMES, SERVICE4, WORK, wait_for
from programs import Build, Daemon, Nginx, Process, run, start_bus, wait_for_subflows
from terminal import PROMPT, Terminal

SIZE = 400_000_000  # longer than the test needs; it is cut off at the end
RUNTIME = "/run/mptcpize"  # where the library looks; /run is the sandbox's own
RATE = r"\d+(?:\.\d)?[kMG]?"
NOT_NONE = r"(?!0 )" + RATE
CROWD = 3000  # connections, more than a round fetches at once
# Escape sequences that change the title and the colour, and a new line; and wide characters.
HOSTILE = "\x1b]0;x\x07\x1b[7m\n"
WIDE = "下載程式"


def stage(lab):
    """A bus, nginx with a large file, and a daemon that hears what programs say of themselves."""
    start_bus(lab)
    Nginx(lab)
    Nginx.file("data", SIZE)
    os.makedirs(RUNTIME)
    daemon = Daemon(lab)
    daemon.runtime = RUNTIME
    return daemon.start()


def program(name):
    """curl under another name, which is what the daemon calls the connection."""
    path = f"{WORK}/{name}"
    if not os.path.exists(path):
        shutil.copy(shutil.which("curl"), path)
    return path


def download(lab, name="curl", more=()):
    """A download that goes on for as long as the test."""
    return lab.add(Process([program(name), "--silent", "--output", "/dev/null", "--noproxy", "*",
                            *more, f"http://{SERVICE4}/data"], "download",
                           env=Build.find().preload_environ()))


def top(lab, daemon, *words, columns=120, rows=30):
    """mptcpctl top on a terminal, with something on the screen."""
    terminal = Terminal(lab, columns, rows, daemon.env)
    start(terminal, *words)
    return terminal


def start(terminal, *words):
    terminal.run(Build.find().ctl, "top", "--interval", "0.3", *words)
    terminal.wait(r"^\d+ connections? \(.*every 0.3 s", "the head of top")


def pid_of_top(terminal):
    shell = terminal.format("pane_pid")
    path = f"/proc/{shell}/task/{shell}/children"
    with open(path, encoding="ascii") as file:
        return int(file.read().split()[0])


@needs_program("tmux")
def test_top_download_over_two_paths_shows_both(lab):
    """The connection with its rates, its two subflows, the interfaces."""
    daemon = stage(lab)
    download(lab)
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    terminal = top(lab, daemon)
    terminal.wait(r"^1 connection \(1 established, 0 fallback\), 2 subflows")
    row = terminal.wait(rf"^0x[0-9a-f]{{8}} +curl +fullmesh +client +none +established +2 +{RATE} "
                        rf"+{NOT_NONE} +[\d.]+ .?s +\d+ +203\.0\.113\.1:80", "the connection")
    check(True, f"it is shown: {row.group()}")
    terminal.keys("Enter")
    for path in lab.paths:
        row = terminal.wait(rf"^  {path.name} established {re.escape(path.client4)}:\d+ +{RATE} +"
                            rf"{NOT_NONE} +[\d.]+ .?s +\d+ +203\.0\.113\.1:80")
        check(True, f"its subflow: {row.group()}")
        terminal.wait(rf"{path.name} +up {RATE} down {NOT_NONE}")
    terminal.wait(rf"all, bit/s +up {RATE} down {NOT_NONE}")
    terminal.keys("e")
    terminal.wait_gone("^  wifi0")
    check(True, "the subflows are gone again")


def test_top_once_rates_are_those_of_the_kernel(lab):
    """Rates times the interval are what the kernel's counters have grown by."""
    daemon = stage(lab)
    download(lab)
    wait_for_subflows(daemon, ["wifi0", "lte0"])

    def received():
        return {row["interface"]: row["bytes_received"] for row in daemon.subflows()}

    before = received()
    report = daemon.query("top", "--interval", "0.5")
    after = received()
    check_equal(len(report["connections"]), 1, "connections")
    rows = report["connections"][0]["subflows"]
    check_equal(sorted(row["interface"] for row in rows), ["lte0", "wifi0"], "subflows")
    for row in rows:
        name = row["interface"]
        moved = row["down"] * report["interval_usec"] / 1e6
        began = row["bytes_received"] - moved
        check(before[name] - 10 <= began <= row["bytes_received"] <= after[name],
              f"{name}: {before[name]} <= {began:.0f} <= {row['bytes_received']} <= {after[name]}")
        check(moved > 0, f"{name}: {moved:.0f} bytes in {report['interval_usec']} usec")
    check(abs(report["down"] - sum(row["down"] for row in rows)) <= 2, "the sum is that of all")
    done = daemon.ctl("top", "--once", "--interval", "0.2")
    check_equal((done.returncode, done.stderr), (0, ""), "as a table: exit code, stderr")
    for word in ("TOKEN", "wifi0", "lte0", "established", "RETRANSMITS"):
        check(word in done.stdout, f"{word} is in it")
    check("\x1b" not in done.stdout, "no escape sequences")


def order(terminal, names):
    return [name for line in terminal.lines() for name in names if f" {name} " in line]


@needs_program("tmux")
def test_top_sort_and_filter_choose_rows(lab):
    """Keys for columns, < and >, the other way round, /."""
    daemon = stage(lab)
    names = ["alpha", "beta", "gamma"]
    for name, rate in zip(names, ("100k", "900k", "300k")):
        download(lab, name, ["--limit-rate", rate])
    wait_for(lambda: sorted(row["program"] or "" for row in daemon.connections()) == names, "all")
    terminal = top(lab, daemon)
    for keys, wanted, what in ((["P"], names, "by program"),
                               (["r"], names[::-1], "the other way round"),
                               (["P"], names, "by program again"),
                               (["D"], ["beta", "gamma", "alpha"], "by download"),
                               (["D"], ["alpha", "gamma", "beta"], "the other way round"),
                               ([">"], ["beta", "gamma", "alpha"], "by both")):
        terminal.keys(*keys)
        wait_for(lambda: order(terminal, names) == wanted, f"{what}: {wanted}")
        check(True, f"{what}: {wanted}")
    terminal.keys("/")
    terminal.type("GAM")
    terminal.wait("^only connections with: GAM_")
    wait_for(lambda: order(terminal, names) == ["gamma"], "only gamma is left")
    terminal.keys("Enter")
    terminal.wait("only: GAM$")
    terminal.keys("/")
    terminal.type("zz")
    terminal.wait("^no such connections")
    terminal.keys("Escape")
    wait_for(lambda: len(order(terminal, names)) == 3, "all three are back")
    terminal.keys("/")
    terminal.type("lte0")
    terminal.keys("Enter")
    wait_for(lambda: len(order(terminal, names)) == 3, "all three have a subflow on lte0")
    check(True, "the filter knows programs and interfaces")


@needs_program("tmux")
def test_top_resize_fits_every_window(lab):
    """Small, tiny and large windows."""
    daemon = stage(lab)
    download(lab)
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    terminal = top(lab, daemon)
    terminal.wait(" curl ")
    terminal.keys("Enter")
    terminal.wait("^  wifi0 established")
    terminal.resize(50, 8)
    terminal.wait("^PROGRAM +SUBS +UP +DOWN +RTT")
    check("TOKEN" not in terminal.text(), "fewer columns in a narrow window")
    terminal.resize(7, 2)
    terminal.wait("^1 conne$")
    check_equal([line for line in terminal.lines() if len(line) > 7], [], "lines too long")
    terminal.resize(1, 1)
    wait_for(lambda: len(terminal.text().strip()) <= 1, "a screen of one character")
    terminal.resize(200, 50)
    terminal.wait("^TOKEN +PROGRAM +PLUGIN +ROLE +POLICY +STATE +SUBS +UP")
    terminal.wait("^  lte0 established")
    check(True, "and all of it in a large one")


@needs_program("tmux")
def test_top_ends_with_the_terminal_as_it_was(lab):
    """By q, Ctrl-C, signals, and by crashing."""
    daemon = stage(lab)
    terminal = Terminal(lab, env=daemon.env)
    before = terminal.state()
    for what, end, status in (
            ("q", lambda: terminal.keys("q"), 0),
            ("Ctrl-C", lambda: terminal.keys("C-c"), 0),
            ("SIGTERM", lambda: os.kill(pid_of_top(terminal), signal.SIGTERM), 0),
            ("SIGHUP", lambda: os.kill(pid_of_top(terminal), signal.SIGHUP), 0),
            ("SIGSEGV", lambda: os.kill(pid_of_top(terminal), signal.SIGSEGV), 139),
            ("SIGABRT", lambda: os.kill(pid_of_top(terminal), signal.SIGABRT), 134)):
        start(terminal)
        check(terminal.state() != before, "the terminal is changed while it runs")
        end()
        terminal.wait(f"^{PROMPT}$", "the prompt of the shell")
        terminal.run('echo "it was $?"')
        terminal.wait(f"^it was {status}$")
        check_equal(terminal.state(), before, f"the terminal after {what}")
        terminal.run("clear")
        terminal.wait_gone("it was")


@needs_program("tmux")
def test_top_survives_the_daemon(lab):
    """It is stopped and started, killed, and stands still."""
    daemon = stage(lab)
    download(lab)
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    terminal = top(lab, daemon)
    terminal.wait(" curl ")
    for what, end in (("SIGTERM", daemon.stop), ("SIGKILL", daemon.kill)):
        end()
        terminal.wait("^waiting for the daemon")
        check(True, f"it waits after {what}")
        daemon.start()
        terminal.wait_gone("waiting for the daemon")
        wait_for_subflows(daemon, ["wifi0", "lte0"])
        terminal.wait(" curl |unknown| - ")
        terminal.wait(r"\(1 established")
        check(True, "and goes on")
    daemon.process.freeze()
    terminal.wait("^waiting for the daemon")
    terminal.keys("?")
    terminal.wait("sort by another column")
    terminal.keys("q")
    terminal.wait("^waiting for the daemon", "any key leaves the help")
    terminal.keys("q")
    terminal.wait(f"^{PROMPT}$")
    check(True, "keys are heard while the daemon stands still")
    daemon.process.thaw()


@needs_program("tmux")
def test_top_hostile_names_do_no_harm(lab):
    """Programs whose names are escape sequences, and wide characters."""
    daemon = stage(lab)
    for name in (HOSTILE, WIDE):
        download(lab, name)
    wait_for(lambda: len(daemon.connections()) == 2, "two connections")
    terminal = top(lab, daemon)
    title = terminal.format("pane_title")
    terminal.wait(r" \?\]0;x")
    terminal.wait(WIDE)
    check_equal(terminal.format("pane_title"), title, "the title of the terminal")
    rows = [line for line in terminal.lines() if line.startswith("0x")]
    check_equal(len(rows), 2, "rows")
    columns = {sum(2 if ord(c) > 0x2e80 else 1 for c in row[:row.index("fullmesh")])
               for row in rows}
    check_equal(len(columns), 1, "columns at which the plugin stands")
    done = daemon.ctl("top", "--once", "--interval", "0.1")
    check("\x1b" not in done.stdout and "]0;x" in done.stdout, "escaped in the table, too")


def test_top_without_a_terminal_says_so(lab):
    """Pipes, TERM=dumb, TERM that nobody knows; and no daemon."""
    start_bus(lab)
    ctl = Build.find().ctl
    done = run([ctl, "top", "--once"])
    check_equal(done.returncode, 1, "exit code without a daemon")
    daemon = Daemon(lab).start()
    done = daemon.ctl("top")
    check_equal((done.returncode, done.stdout), (1, ""), "exit code and output without a terminal")
    check("no terminal" in done.stderr and "--once" in done.stderr, done.stderr.strip())
    for name in ("dumb", "nonsense", ""):
        done = run(["script", "--quiet", "--return", "--command", f"{ctl} top", "/dev/null"],
                   env={"TERM": name})
        check_equal(done.returncode, 1, f"exit code with TERM={name}")
        check(f'TERM is "{name}"' in done.stdout and "\x1b" not in done.stdout,
              done.stdout.strip())
    for words in (["--interval", "0"], ["--interval", "x"], ["--interval", "nan"], ["surplus"]):
        check_equal(daemon.ctl("top", *words).returncode, 2, f"exit code of top {words}")
    done = daemon.ctl("top", "--once", "--interval", "0.1")
    check_equal((done.returncode, done.stdout), (0, "no connections\n"), "nothing to show")


@needs_program("tmux")
@topology(NAMES[:2], (None, None))
def test_top_crowd_is_usable(lab):
    """Thousands of connections: all are counted, and the last can be looked at."""
    start_bus(lab)
    daemon = Daemon(lab).start()
    burst = Burst(lab)
    burst.do(f"open {CROWD} 1")
    wait_for(lambda: daemon.query("status")["connections"] == CROWD, "the daemon knows them all")
    terminal = top(lab, daemon)
    terminal.wait(rf"^{CROWD} connections \(\d+ established, 0 fallback\), {2 * CROWD} subflows")
    terminal.keys("T", "End")
    last = max(row["token"] for row in daemon.connections())
    terminal.wait(f"^{last} ")
    terminal.keys("e")
    terminal.wait("^  lte0 established")
    report = daemon.query("top", "--interval", "0.2")
    check_equal((len(report["connections"]), sum(len(row["subflows"])
                                                 for row in report["connections"])),
                (CROWD, 2 * CROWD), "connections and subflows of --json")


harness.main([test_top_download_over_two_paths_shows_both,
              test_top_once_rates_are_those_of_the_kernel,
              test_top_sort_and_filter_choose_rows,
              test_top_resize_fits_every_window,
              test_top_ends_with_the_terminal_as_it_was,
              test_top_survives_the_daemon,
              test_top_hostile_names_do_no_harm,
              test_top_without_a_terminal_says_so,
              test_top_crowd_is_usable])
