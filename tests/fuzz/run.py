#!/usr/bin/python3
"""Builds fuzzers with libFuzzer, lets them run, and says how far they came.

    run.py [SECONDS] [NAME...]      each for a minute, as many at a time as there are CPUs

A fuzzer begins with its seeds and with what it has found before, in build-fuzz/corpus/NAME. What
reaches something new is kept there; what fails is kept in build-fuzz/failures, and becomes a file
in tests/fuzz/corpus/NAME with the repair. At the end come the lines of what they are for: of the
files whose headers they include. Exit status: 0 nothing failed, 1 something did, 2 wrong usage, 77
there is no clang with libFuzzer, or no llvm-cov.
"""

import concurrent.futures
import glob
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = f"{TOP}/build-fuzz"
# All of it tells libFuzzer, and llvm-cov, where it has been.
SETUP = ("-Dtests=true", "-Db_sanitize=address,undefined", "-Db_lundef=false",
         "-Dc_args=-fsanitize=fuzzer-no-link -fprofile-instr-generate -fcoverage-mapping",
         "-Dc_link_args=-fprofile-instr-generate")
OPTIONS = ("-max_len=4096", "-timeout=20", "-print_final_stats=1", "-reload=0")
COLUMNS = "{:<9} {:>12} {:>8} {:>7} {:>7}"


def fuzzer_names():
    return sorted(os.path.basename(path)[5:-2] for path in glob.glob(f"{HERE}/fuzz-*.c"))


class Fuzzer:
    """One of them."""

    def __init__(self, name):
        self.name = name
        self.program = f"{BUILD}/tests/fuzz/fuzz-{name}"
        self.corpus = f"{BUILD}/corpus/{name}"
        self.failures = f"{BUILD}/failures"
        self.log = f"{BUILD}/fuzz-{name}.log"
        self.seeds = [path for path in (f"{HERE}/corpus/{name}",
                                        f"{BUILD}/tests/fuzz/{name}-seeds") if os.path.isdir(path)]
        os.makedirs(self.corpus, exist_ok=True)
        os.makedirs(self.failures, exist_ok=True)

    def _start(self, profile, log, *options):
        environment = {**os.environ, "LLVM_PROFILE_FILE": profile,
                       "ASAN_OPTIONS": "strict_string_checks=1",
                       "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
        with open(log, "w", encoding="utf-8") as output:
            return subprocess.run([self.program, *OPTIONS, *options,
                                   f"-artifact_prefix={self.failures}/{self.name}-",
                                   self.corpus, *self.seeds], env=environment, check=False,
                                  stdout=output, stderr=output).returncode

    def run(self, seconds):
        """A line of the table; and whether all went well."""
        status = self._start("/dev/null", self.log, f"-max_total_time={seconds}")
        with open(self.log, encoding="utf-8", errors="replace") as log:
            text = log.read()
        if status != 0:
            return f"{self.name:<9} failed: {self._failure(text)}", False
        done = re.findall(r"^#\d+\s+DONE\s+cov: (\d+) .*? corp: (\d+)/", text, re.M)[-1]
        runs = re.findall(r"^stat::number_of_executed_units: *(\d+)", text, re.M)[-1]
        speed = re.findall(r"^stat::average_exec_per_sec: *(\d+)", text, re.M)[-1]
        return COLUMNS.format(self.name, runs, speed, *done), True

    def _failure(self, text):
        said = re.findall(r"^.*(?:Assertion .* failed\.|ERROR: .*Sanitizer.*|runtime error: .*|"
                          r"ERROR: libFuzzer: .*)$", text, re.M)
        return f"{said[0] if said else 'no reason given'} ({self.log})"

    def parsers(self):
        """Source files of which this fuzzer includes the header."""
        with open(f"{HERE}/fuzz-{self.name}.c", encoding="utf-8") as file:
            headers = re.findall(r'#include "(.*/.*)\.h"', file.read())
        paths = [f"{TOP}/{top}{header}.c" for header in headers for top in ("daemon/", "")]
        return {path for path in paths if os.path.exists(path)}

    def profile(self):
        """A file that tells which lines the corpus reaches."""
        path = f"{self.corpus}.profile"
        self._start(path, f"{self.corpus}.log", "-runs=0")
        return path


def print_coverage(fuzzers):
    """How many lines of each parser the corpora of all these fuzzers reach."""
    merged = f"{BUILD}/fuzz.profile"
    subprocess.run(["llvm-profdata", "merge", "-sparse", "-o", merged,
                    *(fuzzer.profile() for fuzzer in fuzzers)], check=True)
    objects = [option for fuzzer in fuzzers for option in ("-object", fuzzer.program)]
    parsers = set().union(*(fuzzer.parsers() for fuzzer in fuzzers))
    report = subprocess.run(["llvm-cov", "export", "-summary-only", f"-instr-profile={merged}",
                             *objects[1:]],
                            check=True, capture_output=True, text=True).stdout
    for file in json.loads(report)["data"][0]["files"]:
        if os.path.realpath(file["filename"]) not in parsers:
            continue
        lines = file["summary"]["lines"]
        print(f"{os.path.relpath(file['filename'], TOP):<32} {lines['covered']:>4} of "
              f"{lines['count']:>4} lines, {lines['percent']:.0f} %")


def build():
    """False: it can't be built here."""
    if not all(map(shutil.which, ("clang", "llvm-cov", "llvm-profdata"))):
        return False
    if not os.path.exists(f"{BUILD}/build.ninja"):
        subprocess.run(["meson", "setup", BUILD, TOP, *SETUP], check=True,
                       stdout=subprocess.DEVNULL, env={**os.environ, "CC": "clang"})
    made = subprocess.run(["ninja", "-C", BUILD, "fuzzers"], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if made.returncode != 0:
        print(made.stdout, file=sys.stderr)
    return made.returncode == 0


def run(names, seconds):
    """Prints a line of each; whether all went well."""
    print(COLUMNS.format("fuzzer", "executions", "a second", "edges", "inputs"), flush=True)
    good = True
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        fuzzers = [Fuzzer(name) for name in names]
        for line, well in pool.map(lambda fuzzer: fuzzer.run(seconds), fuzzers):
            print(line, flush=True)
            good = good and well
    print_coverage(fuzzers)
    return good


def main(*arguments):
    seconds = 60
    if arguments and arguments[0].isdecimal():
        seconds, arguments = int(arguments[0]), arguments[1:]
    if set(arguments) - set(fuzzer_names()):
        print(f"run.py: there are these fuzzers: {' '.join(fuzzer_names())}", file=sys.stderr)
        return 2
    if not build():
        print("SKIP: in Debian it takes the packages clang, libclang-rt-dev, llvm and what the "
              "tests are built with")
        return 77
    return 0 if run(arguments or fuzzer_names(), seconds) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
