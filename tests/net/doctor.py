"""What the tests of mptcpctl doctor share: its report, remedies, and a program to look at."""

import json
import os
import subprocess

from harness import check, check_equal
from lab import WORK, Failed, command
from programs import SHIM_VARIABLE, Build, Process, run

SEVERITIES = ["ok", "note", "warning", "broken"]
SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run")


def environ():
    build = Build.find()
    return {SHIM_VARIABLE: build.shim,
            "PATH": f"{os.path.dirname(build.ctl)}:{os.environ['PATH']}"}


class Report:
    """What one run of the doctor says."""

    def __init__(self, prefix=(), ctl=None):
        done = run([*prefix, ctl or Build.find().ctl, "--json", "doctor"], env=environ())
        try:
            self.report = json.loads(done.stdout)
        except ValueError:
            raise Failed(f"exit {done.returncode}, no JSON: {done.stdout} {done.stderr}") from None
        self.status = done.returncode
        self.findings = self.report["findings"]

    def worse(self, least="warning"):
        """{(check, subject, severity)} of all that is as bad as that."""
        return {(row["check"], row["subject"], row["severity"]) for row in self.findings
                if SEVERITIES.index(row["severity"]) >= SEVERITIES.index(least)}

    def find(self, check_name, subject):
        rows = [row for row in self.findings
                if (row["check"], row["subject"]) == (check_name, subject)]
        if len(rows) != 1:
            raise Failed(f"{len(rows)} findings {check_name}, {subject}: {self.findings}")
        return rows[0]

    def is_checked(self, name):
        """(worst severity, has all been looked at) of a check."""
        row = next(row for row in self.report["checks"] if row["check"] == name)
        return row["severity"], row["complete"]


def apply(remedy):
    """As somebody who has pasted it."""
    done = run(["sh", "-c", remedy], env=environ())
    check_equal((done.returncode, done.stderr), (0, ""), f"exit code and errors of '{remedy}'")


def finds(name, subject, severity, remedy, others=()):
    """The doctor finds this one, and no other that is as bad as a warning but these."""
    report = Report()
    wanted = set(others) | ({(name, subject, severity)} if severity != "note" else set())
    check_equal(report.worse(), wanted, "findings")
    broken = any(each[2] == "broken" for each in wanted)
    check_equal(report.status, 1 if broken else 0, "exit code")
    row = report.find(name, subject)
    check_equal((row["severity"], row["remedy"]), (severity, remedy), f"finding of {subject}")
    check(row["what"], f"it says {row['what']!r}, {row['why']!r}")
    return row


def mends(name, subject, severity, remedy, others=()):
    """The same, and its remedy makes all go away."""
    finds(name, subject, severity, remedy, others)
    apply(remedy)
    is_healthy()


def is_healthy():
    report = Report()
    check_equal((report.worse(), report.status), (set(), 0), "findings and exit code")


def plain_get():
    """get.c, built as any other program. Its path."""
    path = f"{WORK}/plain-get"
    command("cc", "-o", path, f"{SOURCES}/get.c")
    return path


def listening(lab, path, env=None, address="0.0.0.0"):
    """A program that listens, at all addresses if nothing else is said."""
    process = lab.add(Process([path], os.path.basename(path), env=env, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True))
    process.popen.stdin.write(f"serve {address} 8000 /dev/null\n")
    process.popen.stdin.flush()
    check(process.popen.stdout.readline().startswith("listening"), "it listens")
    return process
