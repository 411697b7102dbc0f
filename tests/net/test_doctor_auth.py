#!/usr/bin/python3
"""mptcpctl doctor: what it finds of join authentication."""

import os
import socket

import harness
from doctor import Report, finds, is_healthy, listening, mends, plain_get
from harness import check, check_equal
from lab import WORK, command, wait_for, write
from programs import Build, stage


def protect(daemon, **policy):
    """Joins of plain-get are authenticated."""
    daemon.policy("get", {"match": {"app": "plain-get"}, **policy})
    check_equal(daemon.ctl("reload").returncode, 0, "exit code of reload")


def test_doctor_program_without_keys_is_told(lab):
    """Why the library has no key of it: no TLS, no hints, not there at all."""
    daemon = stage(lab)
    path = plain_get()
    protect(daemon, auth={"mode": "require"})
    env = {**Build.find().preload_environ(), "MPTCPIZE_POLICY": f"{daemon.runtime}/policy.db"}
    process = listening(lab, path, env)
    row = finds("authentication", path, "warning", "man 7 mptcpize-auth")
    check("no TLS library is in it" in row["what"] and "policy get: auth require" in row["what"],
          f"it says {row['what']!r}")
    protect(daemon, auth={"mode": "prefer"})
    finds("authentication", path, "note", "man 7 mptcpize-auth")
    protect(daemon, auth={"mode": "require"}, socket={"hints": False})
    finds("authentication", path, "warning", "mptcpctl policy show get")
    protect(daemon, auth={"mode": "off"})
    check_equal(Report().is_checked("authentication"), ("ok", True), "nothing is asked for")
    process.popen.kill()
    process.popen.wait()
    protect(daemon, auth={"mode": "require"})
    listening(lab, path)
    row = finds("authentication", path, "warning", f"mptcpctl run -- '{path}'")
    check("without the library" in row["what"], f"it says {row['what']!r}")


def test_doctor_shared_key_is_found_and_mended(lab):
    """Its file: not there, readable for others, too short; then the program needs no TLS."""
    daemon = stage(lab)
    path, key = plain_get(), f"{WORK}/key"
    protect(daemon, auth={"mode": "require", "psk": key})
    env = {**Build.find().preload_environ(), "MPTCPIZE_POLICY": f"{daemon.runtime}/policy.db"}
    listening(lab, path, env)
    check("is not there" in Report().find("authentication", key)["what"], "it is missed")
    write(key, "x" * 32)
    os.chmod(key, 0o644)
    mends("authentication", key, "broken", f"chmod 0400 {key} && mptcpctl reload")
    write(key, "x" * 31)
    check("both hosts need the same" in Report().find("authentication", key)["why"],
          "it says that a new key alone does not help")
    mends("authentication", key, "broken",
          f"head -c 32 /dev/urandom > {key} && mptcpctl reload")
    check_equal(os.stat(key).st_size, 32, "bytes of the key")


def guard(lab):
    """A daemon that guards a listener, and says so."""
    daemon = stage(lab)
    daemon.policy("guarded", {"match": {"app": "guarded"}, "socket": {"listen": ["*:8001"]},
                              "auth": {"mode": "require"}})
    check_equal(daemon.ctl("reload").returncode, 0, "exit code of reload")
    wait_for(lambda: state(daemon)["gate"] == "closed", "the gate is closed")
    return daemon


def state(daemon):
    return daemon.query("status")["authentication"]


def test_gate_in_force_is_shown_and_no_finding(lab):
    """Our own table drops joins, which is no fault; status and metrics tell of it."""
    daemon = guard(lab)
    found = state(daemon)
    check_equal((found["gate_reason"], found["port"], found["reason"]), ("", 8684, ""),
                "what is wrong")
    check("gate            closed, 0 SYNs dropped\n" in daemon.ctl("status").stdout, "as text")
    check("mptcpize_auth_gate_listeners 1\n" in daemon.ctl("metrics").stdout, "as a metric")
    check("mptcpize" in command("nft", "list", "tables"), "the table is there")
    is_healthy()
    check_equal(Report().is_checked("authentication"), ("ok", True), "check of authentication")


def test_doctor_closed_port_is_found_and_mended(lab):
    """A filter of input that drops what nobody accepts."""
    guard(lab)
    command("nft", "-f", "-", stdin="""table inet mine {
        chain in { type filter hook input priority 0; policy drop; meta l4proto tcp accept; }
    }""")
    mends("firewall", "inet mine in", "warning",
          "nft insert rule inet mine in udp dport 8684 accept")


def test_doctor_dropped_port_is_found_and_mended(lab):
    """A filter that lets all in but that; a rule for some sources only is nobody's business."""
    guard(lab)
    rules = """table inet mine {
        chain in {
            type filter hook input priority 0
            %sudp dport { 53, 8684 } drop
            udp dport 8684 accept
        }
    }"""
    command("nft", "-f", "-", stdin=rules % "ip saddr 192.0.2.7 ")
    check_equal(Report().is_checked("firewall"), ("ok", True), "a rule for one source")
    command("nft", "-f", "-", stdin="delete table inet mine\n" + rules % "")
    mends("firewall", "inet mine in", "warning",
          "nft insert rule inet mine in udp dport 8684 accept")


def test_doctor_busy_port_is_found(lab):
    """Somebody else has it; when it is free, the daemon takes it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", 8684))
        daemon = stage(lab)
        protect(daemon, auth={"mode": "require"})
        wait_for(lambda: state(daemon)["reason"], "a reason")
        row = finds("authentication", "mptcpized", "broken", "ss --udp --listening --processes")
        check("8684" in row["what"], f"it says {row['what']!r}")
        check_equal(state(daemon)["port"], None, "port")
    check_equal(daemon.ctl("reload").returncode, 0, "exit code of reload")
    wait_for(lambda: state(daemon)["port"] == 8684, "it has the port")
    is_healthy()


harness.main([test_gate_in_force_is_shown_and_no_finding,
              test_doctor_closed_port_is_found_and_mended,
              test_doctor_dropped_port_is_found_and_mended,
              test_doctor_busy_port_is_found,
              test_doctor_program_without_keys_is_told,
              test_doctor_shared_key_is_found_and_mended])
