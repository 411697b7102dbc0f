#!/usr/bin/python3
"""How the daemon starts, refuses to start, reloads, ends, and what it leaves behind."""

import contextlib
import fcntl
import os
import re
import signal
import socket

import harness
from harness import check, check_equal, needs_close_timeout
from lab import PATIENCE, SERVICE4, read, wait_for, write
from programs import (CLOSE_TIMEOUT, Curl, Daemon, bus_address, path_manager,
                      set_path_manager, stage, start_bus)

NO_NET_ADMIN = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", "--"]
BROKEN = {
    "a value of the wrong type": ('{\n  "limits": {\n    "max_subflows": "many"\n  }\n}\n', 3),
    "an unknown key": ('{\n  "colour": "blue"\n}\n', 2),
    "an unknown role": ('{\n  "interfaces": { "lte0": "sometimes" }\n}\n', 2),
    "no JSON": ('{\n  "plugin": "fullmesh"\n  "limits": {}\n}\n', 3),
    "an unknown option of the plugin": (
        '{\n  "plugins": {\n    "fullmesh": { "speed": "high" }\n  }\n}\n', 3),
}


def positions(text, conf_path):
    """Lines that error messages point to: file:line:column: what."""
    return [int(line) for line in re.findall(re.escape(conf_path) + r":(\d+):\d+: \S", text)]


def refused(daemon, wanted, prefix=()):
    """It gives up with one line that has the wanted text."""
    code, text = daemon.refusal(prefix)
    lines = [line for line in text.splitlines() if line.strip()]
    check(code != 0, f"it gives up (exit {code})")
    check(len(lines) == 1 and wanted in lines[0], f"it says why in one line: {text.strip()!r}")


def close_timeout():
    return int(read(CLOSE_TIMEOUT))


def test_service_start_and_stop_path_manager_is_put_back(lab):
    """The user-space path manager is chosen at the start, and the old one again at SIGTERM."""
    start_bus(lab)
    check_equal(path_manager(), "kernel", "path manager before")
    daemon = Daemon(lab).start()
    check_equal(path_manager(), "userspace", "path manager while it runs")
    state = daemon.query("status")["path_manager"]
    check_equal(state, {"mode": "userspace", "previous": "kernel"}, "what status says")
    check_equal(daemon.stop(), 0, "exit code after SIGTERM")
    check_equal(path_manager(), "kernel", "path manager afterwards")


def test_service_userspace_before_stays_userspace(lab):
    """Where the administrator chose user space already, it stays so."""
    start_bus(lab)
    set_path_manager("userspace")
    check_equal(Daemon(lab).start().stop(), 0, "exit code after SIGTERM")
    check_equal(path_manager(), "userspace", "path manager afterwards")


def test_service_killed_next_run_puts_path_manager_back(lab):
    """After SIGKILL the next daemon still knows what the path manager was."""
    start_bus(lab)
    daemon = Daemon(lab).start()
    daemon.kill()
    check_equal(path_manager(), "userspace", "path manager after SIGKILL")
    daemon.start()
    check_equal(daemon.query("status")["path_manager"]["previous"], "kernel", "previous one")
    check_equal(daemon.stop(), 0, "exit code after SIGTERM")
    check_equal(path_manager(), "kernel", "path manager afterwards")


def test_service_killed_restore_puts_path_manager_back(lab):
    """After SIGKILL, mptcpized --restore repairs the setting without starting a daemon."""
    start_bus(lab)
    daemon = Daemon(lab).start()
    check(daemon.refusal(more=["--restore"])[0] != 0, "--restore refuses while a daemon runs")
    check_equal(path_manager(), "userspace", "path manager")
    daemon.kill()
    check_equal(daemon.refusal(more=["--restore"])[0], 0, "exit code of --restore")
    check_equal(path_manager(), "kernel", "path manager afterwards")
    check_equal(daemon.refusal(more=["--restore"])[0], 0, "exit code of a second --restore")
    check_equal(path_manager(), "kernel", "path manager afterwards")


@needs_close_timeout
def test_service_killed_before_a_change_restore_finds_the_original(lab):
    """The record comes before the change: killed between, at most the change before is undone."""
    daemon = Daemon(lab)
    os.makedirs(daemon.runtime, exist_ok=True)
    before = close_timeout()
    for record, now in ((f"close_timeout {before} 15\n", before),
                        (f"close_timeout {before} 15\nclose_timeout 15 30\n", 15),
                        (f"close_timeout {before} 15\nclose_timeout 15 30\n", 30)):
        write(f"{daemon.runtime}/sysctl", record)
        write(CLOSE_TIMEOUT, str(now))
        code, text = daemon.refusal(more=["--restore"])
        check_equal((code, "not ours" in text), (0, False), "exit code, somebody else's value")
        check_equal(close_timeout(), before, f"close_timeout after {record!r} at {now}")
        check(not os.path.exists(f"{daemon.runtime}/sysctl"), "the record is gone")


def test_service_restore_writes_sysctls_of_mptcp_only(lab):
    """Whatever the record says."""
    daemon = Daemon(lab)
    other = "/proc/sys/net/ipv4/conf/lo/rp_filter"
    os.makedirs(daemon.runtime, exist_ok=True)
    write(other, "0")
    write(f"{daemon.runtime}/sysctl", "../ipv4/conf/lo/rp_filter 1 0\n")
    check_equal(daemon.refusal(more=["--restore"])[0], 0, "exit code of --restore")
    check_equal(read(other).strip(), "0", "the other sysctl")


def test_service_record_follows_no_link(lab):
    """What somebody has put in its place is not written to."""
    start_bus(lab)
    daemon = Daemon(lab)
    os.makedirs(daemon.runtime, exist_ok=True)
    write(f"{daemon.runtime}/victim", "untouched")
    os.symlink("victim", f"{daemon.runtime}/sysctl.new")
    daemon.start()
    check_equal(read(f"{daemon.runtime}/victim"), "untouched", "the file behind the link")
    check(read(f"{daemon.runtime}/sysctl"), "there is a record")
    check(not os.path.islink(f"{daemon.runtime}/sysctl"), "it is no link")


@needs_close_timeout
def test_service_dead_after_is_set_and_put_back(lab):
    """net.mptcp.close_timeout while it runs, by default and by configuration."""
    start_bus(lab)
    before = close_timeout()
    for conf, wanted in (({}, 15), ({"dead_after": 12}, 12)):
        daemon = Daemon(lab, conf).start()
        check_equal(close_timeout(), wanted, f"close_timeout with {conf}")
        check_equal(daemon.query("status")["dead_after"], wanted, "what status says")
        check_equal(daemon.stop(), 0, "exit code after SIGTERM")
        check_equal(close_timeout(), before, "close_timeout afterwards")


@needs_close_timeout
def test_service_dead_after_reloaded_keeps_the_original(lab):
    """A reload with another value, then SIGKILL: --restore still knows the first value."""
    start_bus(lab)
    before = close_timeout()
    daemon = Daemon(lab).start()
    for seconds in (20, 30):
        daemon.configure({"dead_after": seconds})
        check_equal(daemon.ctl("reload").returncode, 0, "exit code of reload")
        check_equal(close_timeout(), seconds, "close_timeout")
    check_equal(daemon.query("status")["dead_after"], 30, "what status says")
    daemon.kill()
    check_equal(daemon.refusal(more=["--restore"])[0], 0, "exit code of --restore")
    check_equal(close_timeout(), before, "close_timeout afterwards")


@needs_close_timeout
def test_service_dead_after_changed_by_others_stays(lab):
    """Neither a reload that doesn't change it nor the end touches the value of somebody else."""
    start_bus(lab)
    daemon = Daemon(lab).start()
    write(CLOSE_TIMEOUT, "33")
    daemon.configure({"dead_after": 15, "limits": {"max_subflows": 2}})
    check_equal(daemon.ctl("reload").returncode, 0, "exit code of reload")
    check_equal(close_timeout(), 33, "close_timeout after a reload")
    check_equal(daemon.stop(), 0, "exit code after SIGTERM")
    check_equal(close_timeout(), 33, "close_timeout afterwards")


def test_service_interrupted_ends_like_terminated(lab):
    """SIGINT, for those who start it by hand."""
    start_bus(lab)
    daemon = Daemon(lab).start()
    check_equal(daemon.process.stop(signal.SIGINT), 0, "exit code after SIGINT")
    check_equal(path_manager(), "kernel", "path manager afterwards")


def test_service_without_net_admin_refuses(lab):
    """Root without CAP_NET_ADMIN."""
    start_bus(lab)
    refused(Daemon(lab), "CAP_NET_ADMIN", NO_NET_ADMIN)
    check_equal(path_manager(), "kernel", "path manager")


def lock_as_nobody(path, stack):
    """What a user without rights can do to a file of the daemon; False: nothing."""
    os.seteuid(65534)
    try:
        file = stack.enter_context(open(path, "rb"))
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.seteuid(0)
    return True


def test_service_locks_of_others_are_no_obstacle(lab):
    """A user may lock what a user may read."""
    start_bus(lab)
    daemon = Daemon(lab).start()
    daemon.stop()
    with contextlib.ExitStack() as stack:
        names = [name for name in sorted(os.listdir(daemon.runtime))
                 if lock_as_nobody(f"{daemon.runtime}/{name}", stack)]
        check_equal(names, ["policy.db"], "files that a user can lock")
        check_equal(daemon.start().stop(), 0, "exit code of a daemon that starts now")


def test_service_bus_name_taken_refuses(lab):
    """A second daemon on the same bus; the first goes on."""
    start_bus(lab)
    first = Daemon(lab).start()
    refused(Daemon(lab, name="second"), "org.mptcpize1")
    check_equal(path_manager(), "userspace", "path manager")
    check_equal(first.query("status")["connections"], 0, "connections of the first")
    check_equal(first.stop(), 0, "exit code of the first")
    check_equal(path_manager(), "kernel", "path manager afterwards")


def test_service_broken_configuration_refuses(lab):
    """Each message has file, line and column."""
    start_bus(lab)
    for what, (text, line) in BROKEN.items():
        daemon = Daemon(lab, text)
        code, output = daemon.refusal()
        check(code != 0, f"{what}: it gives up (exit {code})")
        check_equal(positions(output, daemon.conf_path), [line], f"{what}: line in {output!r}")
    check_equal(path_manager(), "kernel", "path manager")


def test_service_unknown_plugin_refuses(lab):
    """A plugin that does not exist is named in the message, with its place in the file."""
    start_bus(lab)
    daemon = Daemon(lab, '{\n  "plugin": "nosuchplugin"\n}\n')
    code, output = daemon.refusal()
    check(code != 0, f"it gives up (exit {code})")
    check("nosuchplugin" in output, f"it names the plugin: {output.strip()!r}")
    check_equal(positions(output, daemon.conf_path), [2], "line")


def test_service_reload_takes_new_configuration(lab):
    """SIGHUP after a change: the new limit holds for the next connection."""
    daemon = stage(lab)
    daemon.configure({"limits": {"max_subflows": 1}})
    daemon.process.send(signal.SIGHUP)
    wait_for(lambda: daemon.query("status")["limits"]["max_subflows"] == 1, "the new limit")
    Curl(lab, SERVICE4, "data").finish()
    check_equal(lab.counters()["MPJoinSynTx"], 0, "joins sent with max_subflows 1")


def test_service_reload_of_broken_file_keeps_configuration(lab):
    """SIGHUP after a mistake: it says where, and goes on as before."""
    daemon = stage(lab, {"limits": {"max_subflows": 2}})
    for what, (text, line) in BROKEN.items():
        write(daemon.conf_path, text)
        known = positions(daemon.log_text(), daemon.conf_path)
        daemon.process.send(signal.SIGHUP)
        wait_for(lambda: positions(daemon.log_text(), daemon.conf_path) == known + [line],
                 f"a message about {what}")
        check(True, f"{what}: it says where")
    check_equal(daemon.query("status")["limits"]["max_subflows"], 2, "max_subflows")
    curl = Curl(lab, SERVICE4, "data")
    wait_for(lambda: len(daemon.subflows()) == 2, "two subflows")
    curl.finish()
    check_equal(daemon.stop(), 0, "exit code after SIGTERM")


def test_service_bus_restarted_is_reached_again(lab):
    """The bus ends and another one starts: paths are managed meanwhile, and the name comes back."""
    daemon = stage(lab)
    lab.processes[0].stop()
    wait_for(lambda: "the bus is gone" in daemon.log_text(), "word of the loss")
    Curl(lab, SERVICE4, "data").finish()
    check_equal(lab.joined(), 1, "joins without a bus")
    start_bus(lab)
    wait_for(lambda: daemon.query("status")["plugin"] == "fullmesh", "an answer on the new bus")
    check_equal(daemon.stop(), 0, "exit code after SIGTERM")


@contextlib.contextmanager
def mute_bus(path):
    """One that takes connections and never says a word, as a bus does that is starting."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        yield listener
    os.unlink(path)


def test_service_bus_that_never_answers_is_not_waited_for(lab):
    """When the bus comes back as one that says nothing: paths are managed all the same."""
    daemon = stage(lab)
    lab.processes[0].stop()
    with mute_bus(bus_address().removeprefix("unix:path=")) as mute:
        mute.settimeout(PATIENCE)
        with mute.accept()[0]:
            Curl(lab, SERVICE4, "data").finish()
            check_equal(lab.joined(), 1, "joins")
            check_equal(daemon.stop(), 0, "exit code after SIGTERM")


harness.main([test_service_start_and_stop_path_manager_is_put_back,
              test_service_userspace_before_stays_userspace,
              test_service_killed_next_run_puts_path_manager_back,
              test_service_killed_restore_puts_path_manager_back,
              test_service_killed_before_a_change_restore_finds_the_original,
              test_service_restore_writes_sysctls_of_mptcp_only,
              test_service_record_follows_no_link,
              test_service_dead_after_is_set_and_put_back,
              test_service_dead_after_reloaded_keeps_the_original,
              test_service_dead_after_changed_by_others_stays,
              test_service_interrupted_ends_like_terminated,
              test_service_without_net_admin_refuses,
              test_service_locks_of_others_are_no_obstacle,
              test_service_bus_name_taken_refuses,
              test_service_broken_configuration_refuses,
              test_service_unknown_plugin_refuses,
              test_service_reload_takes_new_configuration,
              test_service_reload_of_broken_file_keeps_configuration,
              test_service_bus_restarted_is_reached_again,
              test_service_bus_that_never_answers_is_not_waited_for])
