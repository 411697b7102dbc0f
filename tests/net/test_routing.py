#!/usr/bin/python3
"""Rules and routes of the daemon's own: when they are made, that they help, and that they go."""

import re

import harness
from harness import check, check_equal, needs_ipv6
from lab import SERVICE4, SERVICE6, Failed, command, ip_batch, wait_for, write
from programs import Curl, stage, wait_for_subflows

PROTOCOL = "226"
FOREIGN = ["rule add from 10.9.9.9 lookup 77 priority 100", "route add 10.8.0.0/16 dev lo table 77",
           "route add 10.7.0.0/16 dev wifi0 proto 99"]


def own():
    """All rules and routes with our number, as lines."""
    lines = []
    for family in ("-4", "-6"):
        rules = command("ip", "-N", "-d", family, "rule").splitlines()
        lines += [line for line in rules if re.search(rf"\bproto {PROTOCOL}\b", line)]
        lines += command("ip", "-N", family, "route", "show", "table", "all", "proto",
                         PROTOCOL).splitlines()
    return lines


def others():
    """Everything that is not ours."""
    lines = []
    for family in ("-4", "-6"):
        for what in (["rule"], ["route", "show", "table", "all"]):
            lines += command("ip", "-N", "-d", family, *what).splitlines()
    return sorted(line for line in lines if f"proto {PROTOCOL}" not in line)


def strict(name):
    write(f"/proc/sys/net/ipv4/conf/{name}/rp_filter", "1")


def routing_of(daemon, name):
    return next(row["routing"] for row in daemon.query("status")["interfaces"]
                if row["name"] == name)


def download(lab, host=SERVICE4):
    curl = Curl(lab, host, "data")
    curl.reaches(0.01)
    return curl


def test_routing_strict_filter_auto_joins(lab):
    """Strict rp_filter on the second uplink: with a rule of our own the join works."""
    strict("lte0")
    daemon = stage(lab)
    check(any("from 198.51.100.1" in line for line in own()), "there is a rule for lte0's address")
    check(not any("192.0.2.1" in line for line in own()), "there is none for the first uplink")
    check("rp_filter is strict" in routing_of(daemon, "lte0"), "status tells of it")
    check_equal(routing_of(daemon, "wifi0"), "", "what status tells of wifi0")
    check("198.51.100.1: own rule and table" in daemon.log_text(), "the log tells of it")
    curl = download(lab)
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    lab.open_throttle()
    curl.finish()
    check(lab.received()["lte0"] > 100_000, "lte0 has carried data")


def test_routing_strict_filter_off_only_tells(lab):
    """The same with "routing": "off": no rule, no second subflow, and status says why."""
    strict("lte0")
    daemon = stage(lab, {"routing": "off"})
    check_equal(own(), [], "rules and routes of ours")
    check("rp_filter is strict" in routing_of(daemon, "lte0"), "status tells of it")
    curl = download(lab)
    wait_for(lambda: any(row["interface"] == "lte0" for row in daemon.subflows("pending")),
             "the join over lte0 is asked for")
    lab.open_throttle()
    curl.finish()
    check_equal(lab.received()["lte0"] > 100_000, False, "lte0 has carried data")


def test_routing_set_later_follows(lab):
    """rp_filter that becomes strict, and loose again; and a reload that turns it off."""
    daemon = stage(lab)
    check_equal(own(), [], "rules and routes of ours")
    strict("lte0")
    wait_for(own, "rules and routes of ours")
    daemon.configure({"routing": "off"})
    check_equal(daemon.ctl("reload").returncode, 0, "exit code of reload")
    wait_for(lambda: not own(), "none of ours")
    daemon.configure({"routing": "auto"})
    check_equal(daemon.ctl("reload").returncode, 0, "exit code of reload")
    wait_for(own, "rules and routes of ours")
    write("/proc/sys/net/ipv4/conf/lte0/rp_filter", "2")
    wait_for(lambda: not own(), "none of ours")


def test_routing_deleted_by_others_comes_back(lab):
    """A rule of ours that somebody deletes, and a table whose routes went with their link."""
    strict("lte0")
    stage(lab)
    before = own()
    ip_batch(["rule del from 198.51.100.1"])
    wait_for(lambda: own() == before, "the rule is back")
    lab.path_down(1)
    wait_for(lambda: not own(), "none of ours, as lte0 is down")
    lab.path_up(1)
    wait_for(lambda: own() == before, "all of ours is back")


def test_routing_ends_with_the_daemon(lab):
    """At its end, and by --restore after SIGKILL; what others have made stays."""
    strict("lte0")
    ip_batch(FOREIGN)
    before = others()
    daemon = stage(lab)
    check(own(), "there are rules and routes of ours")
    check_equal(others() == before, True, "what others have made is the same")
    check_equal(daemon.stop(), 0, "exit code")
    check_equal(own(), [], "rules and routes of ours")
    daemon.start()
    check(own(), "there are rules and routes of ours")
    daemon.kill()
    check(own(), "they are still there after SIGKILL")
    check_equal(daemon.refusal(more=["--restore"])[0], 0, "exit code of --restore")
    check_equal(own(), [], "rules and routes of ours")
    check_equal(others() == before, True, "what others have made is the same")


def test_routing_end_leaves_nothing_of_ours(lab):
    """Not even what the daemon doesn't know of: it may have failed to delete it before."""
    daemon = stage(lab)
    command("ip", "rule", "add", "from", "192.0.2.200", "lookup", "22600", "proto", PROTOCOL)
    check_equal(daemon.stop(), 0, "exit code")
    check_equal(own(), [], "rules and routes of ours")


def test_routing_crashed_daemon_is_cleaned_up(lab):
    """The next start finds what a daemon left that was killed, also where nothing is needed now."""
    strict("lte0")
    daemon = stage(lab)
    daemon.kill()
    check(own(), "there are rules and routes of ours after SIGKILL")
    write("/proc/sys/net/ipv4/conf/lte0/rp_filter", "0")
    daemon.start()
    check_equal(own(), [], "rules and routes of ours")


def test_routing_of_the_host_is_respected(lab):
    """Where the host has a rule for the address already there is none of ours."""
    strict("lte0")
    ip_batch(["rule add from 198.51.100.0/24 lookup 88",
              "route add default via 198.51.100.254 dev lte0 table 88"])
    daemon = stage(lab)
    check_equal(own(), [], "rules and routes of ours")
    check_equal(routing_of(daemon, "lte0"), "", "what status tells of lte0")
    download(lab)
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    lab.open_throttle()


def no_default(lab, version, gateway, table=None):
    """lte0 loses its default route, or it moves to a table that no rule leads to."""
    del lab
    lines = [f"-{version} route del default via {gateway} dev lte0"]
    if table:
        lines.append(f"-{version} route add default via {gateway} dev lte0 table {table}")
    for line in lines:
        command("ip", *line.split())


def joins_without_default(lab, version, host, gateway):
    no_default(lab, version, gateway, 99)
    daemon = stage(lab)
    check("no default route in the main table" in routing_of(daemon, "lte0"), "status tells of it")
    curl = download(lab, host)
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    lab.open_throttle()
    curl.finish()


def test_routing_gateway_in_another_table_joins(lab):
    """No default route of lte0 in the main table, but in one that no rule leads to: IPv4."""
    joins_without_default(lab, 4, SERVICE4, lab.paths[1].net4 + ".254")


@needs_ipv6
def test_routing_gateway_in_another_table_joins_ipv6(lab):
    """The same for IPv6, where the kernel would find no route at all."""
    joins_without_default(lab, 6, SERVICE6, lab.paths[1].net6 + "fe")


def test_routing_no_gateway_is_told(lab):
    """Without a default route anywhere nothing is added, and status says what is missing."""
    no_default(lab, 4, lab.paths[1].net4 + ".254")
    daemon = stage(lab)
    check_equal([line for line in own() if "198.51.100" in line], [], "rules and routes for lte0")
    check("add a default route" in routing_of(daemon, "lte0"), "status tells what to do")
    check("add a default route" in daemon.ctl("status").stdout, "and so does its text")


def test_routing_foreign_table_is_left_out(lab):
    """Somebody else's routes are in the first of our tables: the next one is used."""
    strict("lte0")
    ip_batch(["route add 10.6.0.0/16 dev wifi0 table 26200"])
    stage(lab)
    rules = [line for line in own() if "from 198.51.100.1" in line]
    if len(rules) != 1:
        raise Failed(f"rules: {rules}")
    check("26201" in rules[0], "the rule leads to the second table")


def join_initial():
    with open("/proc/sys/net/mptcp/allow_join_initial_addr_port", encoding="ascii") as file:
        return file.read().strip()


def test_routing_join_initial_is_set_and_put_back(lab):
    """net.mptcp.allow_join_initial_addr_port: set, and put back by reload, end and --restore."""
    daemon = stage(lab, {"allow_join_initial": False})
    check_equal(join_initial(), "0", "the sysctl")
    daemon.configure({})
    check_equal(daemon.ctl("reload").returncode, 0, "exit code of reload")
    check_equal(join_initial(), "1", "the sysctl, when the key is gone")
    daemon.configure({"allow_join_initial": False})
    check_equal(daemon.ctl("reload").returncode, 0, "exit code of reload")
    check_equal(join_initial(), "0", "the sysctl")
    check_equal(daemon.stop(), 0, "exit code")
    check_equal(join_initial(), "1", "the sysctl after the end")
    daemon.start().kill()
    check_equal(join_initial(), "0", "the sysctl after SIGKILL")
    check_equal(daemon.refusal(more=["--restore"])[0], 0, "exit code of --restore")
    check_equal(join_initial(), "1", "the sysctl after --restore")


harness.main([test_routing_strict_filter_auto_joins,
              test_routing_strict_filter_off_only_tells,
              test_routing_set_later_follows,
              test_routing_deleted_by_others_comes_back,
              test_routing_ends_with_the_daemon,
              test_routing_end_leaves_nothing_of_ours,
              test_routing_crashed_daemon_is_cleaned_up,
              test_routing_of_the_host_is_respected,
              test_routing_gateway_in_another_table_joins,
              test_routing_gateway_in_another_table_joins_ipv6,
              test_routing_no_gateway_is_told,
              test_routing_foreign_table_is_left_out,
              test_routing_join_initial_is_set_and_put_back])
