#!/usr/bin/python3
"""The shipped policy of the bus, under rules as strict as a distribution's: who may be the daemon,
and who may call it. And the files that name the daemon: activation and unit.
"""

import configparser
import os
import re
import shutil
import stat
import subprocess

import buscalls
import harness
import lab as labs
import programs
from buscalls import MANAGER, MANAGER_INTERFACE, NOBODY
from harness import check, check_equal
from programs import Daemon, run

DENIED = "org.freedesktop.DBus.Error.AccessDenied"
# As in Debian's system.conf, with our policy behind it.
STRICT = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>{{address}}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  {included}
</busconfig>
"""


def start_strict_bus(lab, with_policy=True):
    """programs.start_bus() with other rules."""
    path = os.path.join(buscalls.DATA, "org.mptcpize1.conf")
    included = f"<include>{os.path.abspath(path)}</include>" if with_policy else ""
    lenient, programs.BUS_CONF = programs.BUS_CONF, STRICT.format(included=included)
    try:
        programs.start_bus(lab)
    finally:
        programs.BUS_CONF = lenient


def test_policy_root_owns_and_everybody_reads(lab):
    """The daemon starts; root and others can call it."""
    start_strict_bus(lab)
    Daemon(lab).start()
    for prefix in ((), NOBODY):
        check_equal(buscalls.list_rows(0, 10, prefix=prefix), [[], 0], "an empty list")
        check_equal(buscalls.get(MANAGER, MANAGER_INTERFACE, "Plugin", prefix=prefix),
                    ["fullmesh"], "plugin")
    check_equal(buscalls.error_of("Reload", prefix=NOBODY)[0], DENIED, "error of Reload")


def test_policy_lets_subscribers_be_asked(lab):
    """If they still read: one that doesn't is sent no more then, so that events are lost."""
    start_strict_bus(lab)
    Daemon(lab).start()
    flood = f"{programs.Build.find().root}/tests/bus/flood"
    deaf = lab.add(programs.Process([flood, "subscribe"], "deaf", stdout=subprocess.PIPE))
    check_equal(deaf.popen.stdout.readline(), b"subscribed\n", "subscriber")
    for _ in range(5):
        with buscalls.connections(200):
            labs.wait_for(lambda: buscalls.get(MANAGER, MANAGER_INTERFACE,
                                               "SubflowCount")[0] >= 400, "the joins")
    check(buscalls.get(MANAGER, MANAGER_INTERFACE, "EventsLost")[0] > 0, "events are lost")


def test_policy_nobody_else_owns(lab):
    """Another user can't take the name."""
    start_strict_bus(lab)
    request = ["dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.DBus",
               "/org/freedesktop/DBus", "org.freedesktop.DBus.RequestName",
               f"string:{buscalls.NAME}", "uint32:0"]
    done = run([*NOBODY, *request])
    check(done.returncode != 0 and DENIED in done.stderr, f"refused: {done.stderr.strip()}")
    check_equal(run(request).returncode, 0, "exit code for root")


def test_policy_missing_is_said_by_the_daemon(lab):
    """Without the file the daemon gives up, and names the file."""
    start_strict_bus(lab, with_policy=False)
    code, text = Daemon(lab).refusal()
    check_equal(code, 1, "exit code")
    check("org.mptcpize1.conf" in text, f"it names the file: {text.strip()!r}")


def installed(name):
    """A file of daemon/data as meson has made it, as configparser reads such files."""
    path = os.path.join(programs.Build.find().root, "daemon/data", name)
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string(labs.read(path))
    return parser


def test_data_activation_and_unit_agree(_lab):
    """What the bus starts is the unit, and the unit starts the daemon and puts things back."""
    activation = installed("org.mptcpize1.service")["D-BUS Service"]
    check_equal(activation["Name"], buscalls.NAME, "name")
    check_equal(activation["SystemdService"], "mptcpized.service", "unit")
    service = installed("mptcpized.service")["Service"]
    check(service["ExecStart"].startswith("/") and
          service["ExecStopPost"] == f"{service['ExecStart']} --restore", "commands of the unit")


def test_data_capabilities_of_unit_are_enough(lab):
    """As root with what the unit leaves it: takes over, opens subflows, gives back."""
    kept = installed("mptcpized.service")["Service"]["CapabilityBoundingSet"].lower()
    bounding = ",+".join(name.removeprefix("cap_") for name in kept.split())
    daemon = start_confined(lab, ["setpriv", f"--bounding-set=-all,+{bounding}", "--inh-caps=-all"])
    check_equal(programs.path_manager(), "userspace", "path manager")
    with buscalls.connections(1):
        labs.wait_for(lambda: buscalls.list_rows(0, 1)[0][0]["Subflows"] == 2, "two subflows")
    check_equal(daemon.stop(), 0, "exit code")
    check_equal(programs.path_manager(), "kernel", "path manager afterwards")


# As systemd mounts them for ProtectKernelTunables=.
READ_ONLY_BUT = """shift; path=$1; umask $2; shift 2
mount --bind /proc/sys /proc/sys && mount --bind $path $path &&
mount -o remount,bind,ro /proc/sys && exec "$@\""""


def test_data_files_of_unit_are_enough(lab):
    """With all other tunables read-only, and nothing for others but what is given to them."""
    service = installed("mptcpized.service")["Service"]
    check_equal(service["ProtectKernelTunables"], "yes", "all tunables but those are protected")
    prefix = ["unshare", "--mount", "sh", "-c", READ_ONLY_BUT, "sh"]
    daemon = start_confined(lab, prefix, service["ReadWritePaths"], service["UMask"])
    check_equal(programs.path_manager(), "userspace", "path manager")
    labs.wait_for(lambda: os.path.exists(f"{daemon.runtime}/state"), "the file of state")
    modes = {name: oct(stat.S_IMODE(os.stat(f"{daemon.runtime}/{name}").st_mode))
             for name in ("policy.db", "hint", "state", "sysctl")}
    check_equal(modes, {"policy.db": "0o644", "hint": "0o666", "state": "0o600",
                        "sysctl": "0o600"}, "modes of the files")
    check_equal(daemon.stop(), 0, "exit code")
    check_equal(programs.path_manager(), "kernel", "path manager afterwards")


def no_analysis():
    """What is missing for the next test, or \"\"."""
    if not shutil.which("systemd-analyze"):
        return "systemd-analyze is not installed"
    knows = "--offline" in run(["systemd-analyze", "--help"]).stdout
    return "" if knows else "systemd-analyze is older than version 250"


def test_data_unit_exposes_little(_lab):
    """The figure of systemd-analyze: what the unit needs, and no more."""
    path = os.path.join(programs.Build.find().root, "daemon/data/mptcpized.service")
    done = run(["systemd-analyze", "security", "--offline=yes", "--threshold=20", path])
    check(done.returncode == 0, done.stdout.strip().splitlines()[-1])


test_data_unit_exposes_little.obstacle = no_analysis


@harness.needs_program("systemd-analyze")
def test_data_unit_is_understood(_lab):
    """systemd knows every word of it; its programs are those that were built."""
    build = programs.Build.find()
    text = labs.read(os.path.join(build.root, "daemon/data/mptcpized.service"))
    path = f"{labs.WORK}/mptcpized.service"
    labs.write(path, re.sub(r"=\S*/mptcpized", f"={build.daemon}", text))
    done = run(["systemd-analyze", "verify", "--man=no", path])
    said = [line for line in done.stderr.splitlines() if "mptcpized.service" in line]
    check_equal((done.returncode, said), (0, []), "exit code and complaints")


@harness.needs_program("systemd-sysusers")
def test_data_user_and_directory_are_made(_lab):
    """In a root of its own: the user of the unit, and its directory."""
    root = f"{labs.WORK}/root"
    os.makedirs(f"{root}/etc")
    for tool, name, more in (("systemd-sysusers", "sysusers", []),
                             ("systemd-tmpfiles", "tmpfiles", ["--create"])):
        done = run([tool, f"--root={root}", *more, os.path.join(buscalls.DATA, f"mptcpize.{name}")])
        check_equal((done.returncode, done.stderr.count("mptcpize.")), (0, 0), f"{tool}'s end")
    user = next(line.split(":") for line in labs.read(f"{root}/etc/passwd").splitlines()
                if line.startswith("mptcpize:"))
    made = os.stat(f"{root}/run/mptcpize")
    check_equal((made.st_uid, made.st_gid), (int(user[2]), int(user[3])), "owner of the directory")
    check_equal(oct(stat.S_IMODE(made.st_mode)), "0o755", "its mode")
    check_equal(installed("mptcpized.service")["Service"]["User"], user[0], "the unit's user")


def start_confined(lab, prefix, *more):
    """Daemon.start(), by another program."""
    start_strict_bus(lab)
    daemon = Daemon(lab)
    notify = programs.Notify(f"{daemon.runtime}-notify")
    daemon.process = lab.add(programs.Process([*prefix, "--", *more, *daemon.argv()], "mptcpized",
                                              env={"NOTIFY_SOCKET": notify.path}))
    try:
        notify.wait("READY=1", daemon.process)
    finally:
        notify.close()
    return daemon


buscalls.main([test_policy_root_owns_and_everybody_reads,
               test_policy_lets_subscribers_be_asked,
               test_policy_nobody_else_owns,
               test_policy_missing_is_said_by_the_daemon,
               test_data_activation_and_unit_agree,
               test_data_capabilities_of_unit_are_enough,
               test_data_files_of_unit_are_enough,
               test_data_unit_exposes_little,
               test_data_unit_is_understood,
               test_data_user_and_directory_are_made])
