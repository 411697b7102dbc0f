#!/usr/bin/python3
"""The demo: what a second path is worth to a program that knows nothing of it.

Two hosts, joined by two paths of 20 Mbit/s, in namespaces that vanish with this program. curl and
nginx are the distribution's, unmodified. The same file is downloaded three times: over plain TCP,
over MPTCP, and over MPTCP with one path pulled in the middle.

Exit status: 0; 1 with the reason, if a checksum is wrong or MPTCP is not 1.8 times as fast as TCP;
2 if this machine can't run it; 130 after Ctrl-C.
"""

import hashlib
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "net"))
# pylint: disable=wrong-import-position
import lab  # noqa: E402
import programs  # noqa: E402
import sandbox  # noqa: E402
from screen import FRAME, Line, Screen  # noqa: E402

RATE = 20  # Mbit/s of each path
SIZE = 48_000_000
FILE = "holiday.mp4"
RATIO_WANTED = 1.8
PULLED = 0  # the path that the connection was opened on: the harder case
PULL_AT = 0.4  # of the file
OUTAGE_WINDOW = 3.0  # seconds after the pull in which the longest gap is looked for
QUERY_EVERY = 0.25  # seconds between two looks at the daemon
BAR = 30


class Download:
    """curl, its output read and hashed here, with a time stamp for every arrival."""

    def __init__(self, hosts, upgraded):
        env = programs.Build.find().preload_environ() if upgraded else None
        self.arrivals = []  # (time, bytes so far)
        self.received = 0
        self.hash = hashlib.sha256()
        self.started = time.monotonic()
        self.curl = hosts.add(programs.Process(
            ["curl", "--silent", "--show-error", "--fail", "--no-buffer", "--noproxy", "*",
             f"http://{lab.SERVICE4}/{FILE}"], "curl", env=env, stdout=subprocess.PIPE))
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while chunk := os.read(self.curl.popen.stdout.fileno(), 65536):
            now = time.monotonic()
            self.received += len(chunk)
            self.arrivals.append((now, self.received))
            self.hash.update(chunk)

    def running(self):
        return self.thread.is_alive()

    @property
    def seconds(self):
        """From the start of curl to its last byte."""
        return (self.arrivals[-1][0] if self.arrivals else time.monotonic()) - self.started

    @property
    def mbit(self):
        return self.received * 8 / self.seconds / 1e6

    def finish(self):
        self.thread.join()
        code = self.curl.wait()
        if code != 0:
            raise lab.Failed(f"curl ended with {code}: {self.curl.log_text().strip()}")

    def outage(self, pulled_at):
        """Longest time without data, in seconds, of those that began within the window."""
        before = [pulled_at]
        after = [when for when, _ in self.arrivals if when > pulled_at]
        gaps = zip(before + after, after)
        return max((end - start for start, end in gaps if start < pulled_at + OUTAGE_WINDOW),
                   default=float("inf"))


class Rates:
    """Mbit/s that each interface receives, over the last half second or so."""

    SPAN = 0.5

    def __init__(self, hosts):
        self.hosts = hosts
        self.samples = [(time.monotonic(), hosts.received())]
        self.peak = RATE

    def now(self):
        self.samples.append((time.monotonic(), self.hosts.received()))
        end, last = self.samples[-1]
        while len(self.samples) > 2 and self.samples[1][0] <= end - self.SPAN:
            self.samples.pop(0)
        start, first = self.samples[0]
        return {name: (last[name] - first[name]) * 8 / max(end - start, 0.01) / 1e6
                for name in last}


class Watch:
    """What the daemon says of the connection, asked now and then."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.subflows = []
        self.act = None  # the latest line of the connection's log that has a reason
        self.next = 0.0

    def look(self):
        now = time.monotonic()
        if now < self.next:
            return
        self.next = now + QUERY_EVERY
        try:
            connection = self.daemon.connection()
        except (lab.Failed, KeyError):
            self.subflows, self.act = [], None  # none yet, or over already
            return
        self.subflows = connection["subflows"]
        acts = [entry for entry in connection["log"] if entry["reason"]]
        self.act = acts[-1] if acts else None


class Demo:
    """The three downloads and what they have in common."""

    def __init__(self, hosts, screen):
        self.hosts = hosts
        self.screen = screen
        self.daemon = None
        self.digest = None
        self.done = []  # (title, Download)
        self.pulled_at = None

    def prepare(self):
        programs.start_bus(self.hosts)
        programs.Nginx(self.hosts)
        path = programs.Nginx.file(FILE, SIZE)
        with open(path, "rb") as file:
            self.digest = hashlib.file_digest(file, "sha256").hexdigest()
        self.daemon = programs.Daemon(self.hosts).start()

    def transfer(self, title, detail, upgraded, pull=False):
        """One download, shown while it runs."""
        self.screen.say()
        self.screen.say((f"{len(self.done) + 1}  {title}", "bold"), (f"   {detail}", "dim"))
        self.screen.begin()
        download = Download(self.hosts, upgraded)
        rates, watch = Rates(self.hosts), Watch(self.daemon)
        while download.running():
            if pull and self.pulled_at is None and download.received > PULL_AT * SIZE:
                self.hosts.carrier_off(PULLED)
                self.pulled_at = time.monotonic()
            watch.look()
            self._show(download, rates.now(), watch)
            time.sleep(FRAME)
        download.finish()
        self.done.append((title, download))
        self._keep(download)

    # what is shown

    def _show(self, download, rates, watch):
        self.screen.draw(self._progress(download) + self._paths(rates) + self._subflows(watch))
        per_path = "  ".join(f"{name} {rate:4.1f}" for name, rate in rates.items())
        self.screen.plain(f"   {download.received / SIZE:4.0%}   {per_path} Mbit/s   "
                          f"{self._count(watch)}{self._pull_note()}")

    def _pull_note(self):
        if self.pulled_at is None:
            return ""
        return f"   {self.hosts.paths[PULLED].name} is pulled"

    @staticmethod
    def _count(watch):
        count = sum(row["state"] == "established" for row in watch.subflows)
        return f"{count} subflow{'s' if count != 1 else ''}" if count else "no subflows"

    def _progress(self, download):
        share = download.received / SIZE
        elapsed = time.monotonic() - download.started
        return [Line("   ", *self.screen.bar(share, BAR, "good"),
                     f"  {share:4.0%}   {download.received / 1e6:4.1f} of {SIZE / 1e6:.1f} MB"
                     f"   {elapsed:4.1f} s"),
                Line()]

    def _paths(self, rates):
        lines = []
        for path in self.hosts.paths:
            rate = rates[path.name]
            line = Line(f"   {path.name:<6} ", *self.screen.bar(rate / RATE, BAR - 7),
                        f"  {rate:4.1f} Mbit/s")
            if self.pulled_at is not None and path.index == PULLED:
                ago = time.monotonic() - self.pulled_at
                line.add(f"   pulled {ago:.1f} s ago", "bad")
            lines.append(line)
        return lines + [Line()]

    @staticmethod
    def _subflows(watch):
        lines = []
        for row in watch.subflows:
            style = "good" if row["state"] == "established" else "bad"
            lines.append(Line(f"   {row['local']:<20} -> {row['remote']:<16} ",
                              (row["state"], style), " initial" if row["initial"] else ""))
        if not lines:
            lines = [Line(("   no subflows", "dim"))]
        if watch.act:
            lines.append(Line((f"   {watch.act['reason']}", "dim")))
        return lines

    def _keep(self, download):
        good = download.hash.hexdigest() == self.digest
        lines = [Line(f"   {download.received / 1e6:.1f} MB in {download.seconds:.1f} s: ",
                      (f"{download.mbit:.1f} Mbit/s", "bold")),
                 Line(f"   SHA-256 {download.hash.hexdigest()[:16]}... ",
                      ("is right", "good") if good else ("IS WRONG", "bad"))]
        if self.pulled_at is not None:
            at = self.pulled_at - download.started
            lines.append(Line(f"   {self.hosts.paths[PULLED].name} was pulled after {at:.1f} s; "
                              f"longest gap after that: {self._outage_ms():.0f} ms"))
        self.screen.keep(lines)

    def _outage_ms(self):
        return self.done[2][1].outage(self.pulled_at) * 1000

    # how it ends

    def table(self):
        """The result, for people."""
        tcp, mptcp = self.done[0][1].mbit, self.done[1][1].mbit
        pulled = self.hosts.paths[PULLED].name
        rows = (("TCP rate", f"{tcp:.1f} Mbit/s", "plain TCP has one path"),
                ("MPTCP rate", f"{mptcp:.1f} Mbit/s", "the same programs, both paths"),
                ("ratio", f"{mptcp / tcp:.2f}", f"at least {RATIO_WANTED} is wanted"),
                ("outage", f"{self._outage_ms():.0f} ms",
                 f"longest gap in the {OUTAGE_WINDOW:.0f} s after {pulled} was pulled"))
        self.screen.say()
        for name, value, remark in rows:
            self.screen.say(f"   {name:<12}", (f"{value:>12}", "bold"), (f"   {remark}", "dim"))
        self.screen.say()

    def complaints(self):
        """What is not as it must be; none is success."""
        wrong = [title for title, download in self.done
                 if download.hash.hexdigest() != self.digest]
        ratio = self.done[1][1].mbit / self.done[0][1].mbit
        found = [f"{title}: the checksum is wrong" for title in wrong]
        if ratio < RATIO_WANTED:
            found.append(f"MPTCP was only {ratio:.2f} times as fast as TCP, "
                         f"and not {RATIO_WANTED}")
        return found


def version(*argv):
    """The version number in what a program says of itself."""
    done = programs.run(argv)
    found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    return found.group() if found else "of unknown version"


def introduce(screen, hosts):
    screen.say(("mptcpize: one connection, several paths", "bold"))
    screen.say()
    names = [path.name for path in hosts.paths]
    screen.say(f"   client {names[0]:>6} ===== {RATE} Mbit/s =====+")
    screen.say(f"          {names[1]:>6} ===== {RATE} Mbit/s =====+== server")
    screen.say((f"   curl {version('curl', '--version')}, "
                f"nginx {version('nginx', '-v')}, Linux {os.uname().release}; "
                "all of it in network namespaces", "dim"))


def show(screen):
    """Inside the namespaces: everything. The exit status."""
    with lab.Lab(rates=(RATE, RATE)) as hosts:
        try:
            demo = Demo(hosts, screen)
            introduce(screen, hosts)
            demo.prepare()
            demo.transfer("plain TCP", "curl, as it is", upgraded=False)
            demo.transfer("MPTCP", "LD_PRELOAD=libmptcpize.so curl", upgraded=True)
            demo.transfer("MPTCP, and a path is pulled", "the one that curl connected by",
                          upgraded=True, pull=True)
            demo.table()
            for complaint in demo.complaints():
                screen.say((f"FAILED: {complaint}", "bad"))
            return 1 if demo.complaints() else 0
        except lab.Failed as error:
            screen.restore()
            screen.say((f"FAILED: {error}", "bad"))
            hosts.print_logs()
            return 1
        except sandbox.Interrupted:
            screen.restore()
            screen.say("interrupted; nothing is left behind")
            raise
        except BrokenPipeError:
            return 1  # nobody is looking


def main():
    screen = Screen()
    try:
        lab.require()
        programs.Build.find()
        return lab.run_sandboxed(lambda: show(screen))
    except lab.Missing as missing:
        print(f"demo: {missing.what}.\nWhat to do: {missing.remedy}.", file=sys.stderr)
        return 2
    finally:
        screen.restore()  # also if the inner process was killed


if __name__ == "__main__":
    sys.exit(main())
