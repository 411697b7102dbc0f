#!/usr/bin/python3
"""Metrics: by mptcpctl, and in a file for node_exporter; read by Prometheus' own parsers."""

import os
import stat

import harness
from harness import check, check_equal
from lab import SERVER, SERVICE4, WORK, command, wait_for, write
from programs import Curl, Daemon, stage, start_bus, wait_for_subflows

try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
    from prometheus_client.parser import text_string_to_metric_families as parse_old
except ImportError:  # then the tests that need it are skipped
    pass

DIRECTORY = f"{WORK}/textfile"
FILE = f"{DIRECTORY}/mptcpize.prom"
SIZE = 80_000_000  # longer than the test needs; the throttle is opened at the end
# Quotation mark, backslash; escape sequence; no UTF-8. The kernel takes all but "/", ":", spaces.
HOSTILE = (b'a"b\\c{}', b"\x1b[7m\x9b", b"\xff\xfe,x=")
needs_parser = harness.needs_module("prometheus_client")


def families(parse, text):
    """By name; any mistake in the text is an exception. No sample twice."""
    found = list(parse(text))
    names = [family.name for family in found]
    check(len(names) == len(set(names)), f"{len(names)} families, each once")
    samples = [(sample.name, tuple(sorted(sample.labels.items())))
               for family in found for sample in family.samples]
    check(len(samples) == len(set(samples)), f"{len(samples)} samples, each once")
    return dict(zip(names, found))


def value(found, family, **labels):
    """Of the only sample with these labels."""
    values = [sample.value for sample in found[family].samples
              if labels.items() <= sample.labels.items()]
    if len(values) != 1:
        raise LookupError(f"{len(values)} samples of {family} with {labels}")
    return values[0]


def published(daemon):
    done = daemon.ctl("metrics")
    check_equal((done.returncode, done.stderr), (0, ""), "mptcpctl metrics: exit code, stderr")
    return done.stdout


@needs_parser
def test_metrics_of_a_download_are_right(lab):
    """By mptcpctl, during a download over two paths."""
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    text = published(daemon)
    check(text.endswith("\n# EOF\n"), "it ends as it has to")
    found = families(parse_open, text)
    check(all(family.type in ("gauge", "counter", "info") for family in found.values()),
          "all have types")
    check(all(family.documentation.endswith(".") for family in found.values()), "and help")
    check_equal(value(found, "mptcpize_connections", state="established", role="client"), 1,
                "connections")
    check_equal(value(found, "mptcpize_plugin_connections", plugin="fullmesh"), 1, "of fullmesh")
    for path in lab.paths:
        check_equal(value(found, "mptcpize_subflows", interface=path.name, state="established",
                          backup="no"), 1, f"subflows on {path.name}")
        check_equal(value(found, "mptcpize_interface_usable", interface=path.name), 1, "usable")
    counters = daemon.query("status")["counters"]
    check_equal(value(found, "mptcpize_subflows_created"), counters["subflows_created"], "created")
    check_equal(value(found, "mptcpize_limit", limit="max_subflows"), 4, "limit of subflows")
    check_equal(value(found, "mptcpize_build", kernel=os.uname().release), 1, "build")
    check_equal(list(daemon.query("metrics")), ["openmetrics"], "keys of --json")
    lab.open_throttle()
    curl.finish()


@needs_parser
def test_metrics_hostile_interfaces_are_escaped(lab):
    """Names of interfaces that would break out of a label, or out of a terminal."""
    start_bus(lab)
    os.makedirs(DIRECTORY)
    daemon = Daemon(lab, {"metrics": {"file": FILE, "interval": 1}}).start()
    for i, name in enumerate(HOSTILE):
        command("ip", "link", "add", os.fsdecode(name), "type", "veth", "peer", "name", f"far{i}",
                "netns", SERVER)
    wait_for(lambda: len(daemon.query("status")["interfaces"]) == 6, "all interfaces are known")
    wait_for(lambda: 'a\\"b' in text_of_file(), "the file has them")
    for what, found in (("OpenMetrics", families(parse_open, published(daemon))),
                        ("the file", families(parse_old, text_of_file()))):
        names = {sample.labels["interface"]
                 for sample in found["mptcpize_interface_usable"].samples}
        check_equal(names, {"wifi0", "lte0", 'a"b\\c{}', "\\x1b[7m?", "??,x="},
                    f"names in {what}")
    for name in HOSTILE:
        command("ip", "link", "del", os.fsdecode(name))


def text_of_file(path=FILE):
    with open(path, encoding="utf-8") as file:
        return file.read()


@needs_parser
def test_metrics_file_is_written_and_removed(lab):
    """For node_exporter: its format, its rights; another place after a reload; gone at the end."""
    os.umask(0o077)  # as the service has it
    start_bus(lab)
    os.makedirs(DIRECTORY)
    daemon = Daemon(lab, {"metrics": {"file": FILE, "interval": 1}}).start()
    wait_for(lambda: os.path.exists(FILE), "the file")
    found = families(parse_old, text_of_file())
    check_equal({family.type for family in found.values()}, {"gauge", "counter"}, "types")
    check_equal(value(found, "mptcpize_connections", state="new", role="client"), 0, "connections")
    check_equal(found["mptcpize_events"].type, "counter", "type of a counter")
    check("# UNIT" not in text_of_file() and "# EOF" not in text_of_file(), "no OpenMetrics in it")
    check_equal(stat.S_IMODE(os.stat(FILE).st_mode), 0o644, "its mode")
    first = os.stat(FILE).st_ino
    wait_for(lambda: os.stat(FILE).st_ino != first, "another file in its place")
    check_equal(os.listdir(DIRECTORY), ["mptcpize.prom"], "files, nothing left over")
    other = f"{DIRECTORY}/other.prom"
    daemon.configure({"metrics": {"file": other}})
    check_equal(daemon.ctl("reload").returncode, 0, "reload")
    wait_for(lambda: os.listdir(DIRECTORY) == ["other.prom"], "the other file in its place")
    daemon.configure({})
    check_equal(daemon.ctl("reload").returncode, 0, "reload")
    wait_for(lambda: os.listdir(DIRECTORY) == [], "no file without the key")
    daemon.configure({"metrics": {"file": FILE}})
    daemon.stop()
    daemon.start()
    wait_for(lambda: os.path.exists(FILE), "the file")
    daemon.kill()
    check(os.path.exists(FILE), "a daemon that is killed leaves it")
    write(f"{FILE}.tmp", "half of")
    daemon.start()
    wait_for(lambda: not os.path.exists(f"{FILE}.tmp"), "the next one takes it over")
    check_equal(daemon.stop(), 0, "exit code")
    check_equal(os.listdir(DIRECTORY), [], "files at the end")


def test_metrics_file_that_cannot_be_written_is_told_of_once(lab):
    """No such directory; then there is."""
    start_bus(lab)
    daemon = Daemon(lab, {"metrics": {"file": FILE, "interval": 1}}).start()
    complaint = f"metrics can't be written to {FILE}: No such file or directory"
    wait_for(lambda: complaint in daemon.log_text(), "the complaint")
    wait_for(lambda: daemon.query("status")["connections"] == 0, "it works all the same")
    os.makedirs(DIRECTORY)
    wait_for(lambda: os.path.exists(FILE), "the file")
    wait_for(lambda: f"metrics are written to {FILE} again" in daemon.log_text(), "and a word")
    check_equal(daemon.log_text().count(complaint), 1, "complaints")


harness.main([test_metrics_of_a_download_are_right,
              test_metrics_hostile_interfaces_are_escaped,
              test_metrics_file_is_written_and_removed,
              test_metrics_file_that_cannot_be_written_is_told_of_once])
