#!/usr/bin/python3
"""mptcpctl doctor: what it finds of join authentication."""

import os

import harness
from doctor import Report, finds, listening, mends, plain_get
from harness import check, check_equal
from lab import WORK, write
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
    mends("authentication", key, "broken",
          f"head -c 32 /dev/urandom > {key} && mptcpctl reload")
    check_equal(os.stat(key).st_size, 32, "bytes of the key")


harness.main([test_doctor_program_without_keys_is_told,
              test_doctor_shared_key_is_found_and_mended])
