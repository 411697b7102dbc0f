#!/usr/bin/python3
"""The daemon and the policy database: when it is written, and what programs that have it see."""

import os
import signal

import harness
from harness import check, check_equal
from lab import ip_batch, read, wait_for, write
from policydb import Database
from programs import Daemon, start_bus

CURL = {"match": {"app": "curl"}, "paths": {"mode": "handover"}}
WGET = {"match": {"app": "wget"}, "paths": {"mode": "aggregate"}}
BROKEN = '{\n  "match": { "app": "wget" },\n  "paths": { "mode": "sometimes" }\n}\n'
NEW_ADDRESS = "198.51.100.77"


def stage(lab, **policies):
    """A bus and a daemon with these policies, ready; and the database, mapped from now on."""
    start_bus(lab)
    daemon = Daemon(lab)
    for name, policy in policies.items():
        daemon.policy(name, policy)
    daemon.start()
    return daemon, Database(f"{daemon.runtime}/policy.db")


def reload(daemon):
    """(exit code, what it says)."""
    done = daemon.ctl("reload")
    return done.returncode, done.stderr


def test_policy_start_writes_the_database(lab):
    """Policies and the host's own addresses, when the daemon says that it is ready."""
    daemon, database = stage(lab, curl=CURL, wget=WGET)
    check_equal(database.policies(), {"curl": "handover", "wget": "aggregate"}, "policies")
    own = database.own()
    for address in [path.client4 for path in lab.paths]:
        check(address in own, f"{address} is an address of this host")
    check_equal(database.generation(), 1, "generation of a new database")
    check_equal(oct(os.stat(f"{daemon.runtime}/policy.db").st_mode & 0o777), "0o644", "its mode")


def test_policy_status_shows_them(lab):
    """mptcpctl status."""
    daemon, database = stage(lab, curl=CURL)
    status = daemon.query("status")["policies"]
    check_equal(status, {"count": 1, "directories": daemon.policy_dirs,
                         "database": f"{daemon.runtime}/policy.db",
                         "generation": database.generation(), "errors": []}, "policies in status")
    text = daemon.ctl("status").stdout
    check(f"{daemon.runtime}/policy.db, generation {database.generation()}" in text, "as text")


def test_policy_none_is_a_database_all_the_same(lab):
    """No directory, no file: the own addresses are there."""
    start_bus(lab)
    daemon = Daemon(lab)
    daemon.policy_dirs = ["/nonexistent/share", "/nonexistent/etc"]
    daemon.start()
    database = Database(f"{daemon.runtime}/policy.db")
    check_equal(database.policies(), {}, "policies")
    check(lab.paths[0].client4 in database.own(), "own addresses")
    check_equal(daemon.query("status")["policies"]["errors"], [], "errors")


def test_policy_same_name_overrides(lab):
    """A file of the administrator replaces the shipped one, until it is gone."""
    start_bus(lab)
    daemon = Daemon(lab)
    daemon.policy("curl", CURL, shipped=True)
    daemon.policy("wget", WGET, shipped=True)
    daemon.policy("curl", {**CURL, "paths": {"mode": "off"}})
    daemon.start()
    database = Database(f"{daemon.runtime}/policy.db")
    check_equal(database.policies(), {"curl": "off", "wget": "aggregate"}, "policies")
    daemon.policy("curl", None)
    check_equal(reload(daemon), (0, ""), "reload")
    check_equal(database.policies(), {"curl": "handover", "wget": "aggregate"}, "policies")


def test_policy_address_added_and_removed_is_followed(lab):
    """Through the mapping that was made before; and no new generation when nothing has changed."""
    daemon, database = stage(lab, curl=CURL)
    for command, there in (("add", True), ("del", False)):
        before = database.generation()
        ip_batch([f"addr {command} {NEW_ADDRESS}/24 dev {lab.paths[1].name}"])
        wait_for(lambda: (NEW_ADDRESS in database.own()) == there, f"own after {command}")
        check(database.generation() > before, f"another generation after {command}")
        check_equal(database.policies(), {"curl": "handover"}, "policies")
    before = database.generation()
    check_equal(reload(daemon), (0, ""), "reload")
    check_equal(database.generation(), before, "generation after a reload without a change")


def test_policy_interface_is_expanded_and_followed(lab):
    """An exception for an interface holds for its networks, also for one that comes later."""
    except_lte = {"match": {"app": "nobody"}, "socket": {"except": [{"interface": "lte0"}]}}
    daemon, database = stage(lab, nobody=except_lte)

    def protocol(destination):
        return daemon.query("policy", "explain", "--db", f"{daemon.runtime}/policy.db", "nobody",
                            f"{destination}:80")["protocol"]

    check_equal(protocol("198.51.100.9"), "tcp", "to the network of lte0")
    check_equal(protocol("192.0.2.9"), "mptcp", "to the network of wifi0")
    check_equal(protocol("203.0.113.129"), "mptcp", "to a network beyond")
    ip_batch(["addr add 203.0.113.130/25 dev lte0"])
    wait_for(lambda: "203.0.113.130" in database.own(), "the new address")
    check_equal(protocol("203.0.113.129"), "tcp", "to that network, once lte0 is in it")
    check_equal(protocol("203.0.113.130"), "tcp", "to this host itself")


def test_policy_changed_file_counts_after_reload_only(lab):
    """A change of the network does not read the files that somebody is editing."""
    daemon, database = stage(lab, curl=CURL)
    daemon.policy("curl", BROKEN)
    daemon.policy("wget", WGET)
    ip_batch([f"addr add {NEW_ADDRESS}/24 dev {lab.paths[1].name}"])
    wait_for(lambda: NEW_ADDRESS in database.own(), "the new address")
    check_equal(database.policies(), {"curl": "handover"}, "policies")
    daemon.policy("curl", {**CURL, "paths": {"mode": "off"}})
    daemon.process.send(signal.SIGHUP)
    wait_for(lambda: database.policies() == {"curl": "off", "wget": "aggregate"},
             "the new policies after SIGHUP")


def test_policy_reload_with_mistake_keeps_all(lab):
    """Database and configuration stay; the place is in the answer, and in status."""
    daemon, database = stage(lab, curl=CURL)
    before = database.generation()
    path = daemon.policy("wget", BROKEN)
    daemon.policy("curl", {**CURL, "paths": {"mode": "off"}})
    daemon.configure({"limits": {"max_subflows": 1}})
    code, text = reload(daemon)
    check_equal(code, 1, "exit code of reload")
    check(f"{path}:3:22: " in text, f"the place: {text.strip()!r}")
    check_equal(database.policies(), {"curl": "handover"}, "policies")
    check_equal(database.generation(), before, "generation")
    status = daemon.query("status")
    check_equal(status["limits"]["max_subflows"], 4, "max_subflows")
    check(status["policies"]["errors"][0].startswith(f"{path}:3:22: "), "the place in status")
    daemon.policy("wget", WGET)
    check_equal(reload(daemon), (0, ""), "reload of the mended file")
    check_equal(database.policies(), {"curl": "off", "wget": "aggregate"}, "policies")
    status = daemon.query("status")
    check_equal(status["limits"]["max_subflows"], 1, "max_subflows")
    check_equal(status["policies"]["errors"], [], "errors")


def test_policy_broken_configuration_keeps_policies(lab):
    """A mistake in mptcpized.conf keeps the policies, too."""
    daemon, database = stage(lab, curl=CURL)
    daemon.policy("wget", WGET)
    write(daemon.conf_path, "{")
    check_equal(reload(daemon)[0], 1, "exit code of reload")
    check_equal(database.policies(), {"curl": "handover"}, "policies")


def test_policy_start_with_mistake_leaves_the_file_out(lab):
    """One bad file: the daemon starts, says so, and has the others."""
    start_bus(lab)
    daemon = Daemon(lab)
    daemon.policy("curl", CURL)
    path = daemon.policy("wget", BROKEN)
    daemon.start()
    check_equal(Database(f"{daemon.runtime}/policy.db").policies(), {"curl": "handover"},
                "policies")
    check(f"{path}:3:22: " in daemon.log_text(), "the place in the log")
    errors = daemon.query("status")["policies"]["errors"]
    check(len(errors) == 1 and errors[0].startswith(f"{path}:3:22: "), f"in status: {errors}")
    check(errors[0] in daemon.ctl("status").stdout, "in status as text")


def test_policy_check_finds_mistakes(lab):
    """mptcpized --check, which writes nothing."""
    daemon = Daemon(lab)
    daemon.policy("curl", CURL)
    check_equal(daemon.refusal(more=["--check"])[0], 0, "exit code")
    path = daemon.policy("wget", BROKEN)
    code, text = daemon.refusal(more=["--check"])
    check_equal(code, 1, "exit code with a mistake")
    check(f"{path}:3:22: " in text, f"the place: {text.strip()!r}")
    check(not os.path.exists(f"{daemon.runtime}/policy.db"), "no database")


def test_policy_too_many_directories_is_usage(lab):
    """Eight at most; empty ones don't count."""
    daemon = Daemon(lab)
    daemon.policy_dirs = ["", *daemon.policy_dirs * 4, ""]
    check_equal(daemon.refusal(more=["--check"])[0], 0, "exit code with 8")
    daemon.policy_dirs.append("/nonexistent")
    check_equal(daemon.refusal(more=["--check"])[0], 2, "exit code with 9")


def test_policy_killed_daemon_leaves_and_takes_up_the_database(lab):
    """SIGKILL, then another daemon, then its end: the old mapping is always the database."""
    daemon, database = stage(lab, curl=CURL)
    daemon.kill()
    check_equal(database.policies(), {"curl": "handover"}, "policies without a daemon")
    check_equal(daemon.refusal(more=["--restore"])[0], 0, "exit code of --restore")
    before = database.generation()
    daemon.policy("wget", WGET)
    daemon.start()
    check_equal(os.stat(f"{daemon.runtime}/policy.db").st_ino, database.inode, "inode")
    check_equal(database.policies(), {"curl": "handover", "wget": "aggregate"}, "policies")
    check_equal(database.generation(), before + 1, "generation")
    check_equal(daemon.stop(), 0, "exit code after SIGTERM")
    check_equal(database.policies(), {"curl": "handover", "wget": "aggregate"}, "policies, again")
    check_equal(os.stat(f"{daemon.runtime}/policy.db").st_ino, database.inode, "inode")


def test_policy_foreign_file_is_taken_over(lab):
    """Half a database of who knows whom in the place of ours."""
    start_bus(lab)
    daemon = Daemon(lab)
    daemon.policy("curl", CURL)
    write(f"{daemon.runtime}/policy.db", "not a database")
    daemon.start()
    check_equal(Database(f"{daemon.runtime}/policy.db").policies(), {"curl": "handover"},
                "policies")
    check("not a database" not in read(f"{daemon.runtime}/policy.db"), "the text is gone")


harness.main([test_policy_start_writes_the_database,
              test_policy_status_shows_them,
              test_policy_none_is_a_database_all_the_same,
              test_policy_same_name_overrides,
              test_policy_address_added_and_removed_is_followed,
              test_policy_interface_is_expanded_and_followed,
              test_policy_changed_file_counts_after_reload_only,
              test_policy_reload_with_mistake_keeps_all,
              test_policy_broken_configuration_keeps_policies,
              test_policy_start_with_mistake_leaves_the_file_out,
              test_policy_check_finds_mistakes,
              test_policy_too_many_directories_is_usage,
              test_policy_killed_daemon_leaves_and_takes_up_the_database,
              test_policy_foreign_file_is_taken_over])
