#!/usr/bin/python3
"""NetworkManager as distributions have it: what it knows of interfaces becomes their roles.

All by one transfer that has to go on over two paths, whatever NetworkManager does to them.
"""

import json
import os
import re

import harness
from harness import check, check_equal, full, needs, needs_program
from lab import SERVICE4, WORK, command, wait_for, write
from netmanager import (DISPATCHER, SCRIPT_CONF, Leases, NetworkManager, example,
                        restart_dispatcher_script)
from programs import Curl, stage, wait_for_subflows
from transfers import progress

SIZE = 120_000_000  # longer than the tests need; the throttle is opened at the end
BOTH = ["wifi0", "lte0"]
NEW = 77  # the last number of a new lease
PORTAL = f"{WORK}/www/portal"
CONNECTIVITY = f"""[connectivity]
uri=http://{SERVICE4}/portal
response=online
interval=1
"""


def needs_networkmanager(test):
    return needs(DISPATCHER, "network-manager is not installed")(needs_program("nmcli")(
        needs_program("dnsmasq")(test)))


class Scene:
    """The daemon, NetworkManager with both paths up by DHCP, and a download over both."""

    def __init__(self, lab, conf=None, more=""):
        self.lab = lab
        self.daemon = stage(lab, conf, size=SIZE)
        write(PORTAL, "online")
        self.manager = NetworkManager(lab, more)
        self.leases = [Leases(lab, path.index, 11) for path in lab.paths]
        for path in lab.paths:
            self.manager.connect(path)
        self.curl = Curl(lab, SERVICE4, "data")
        self.goes_on("the transfer goes over both paths", BOTH)

    def interface(self, name):
        rows = self.daemon.query("status")["interfaces"]
        return next(row for row in rows if row["name"] == name)

    def role_is(self, name, role, reason):
        """Waits for it; reason: a part of where the daemon says that it comes from."""
        def there():
            row = self.interface(name)
            if row["role"] != role or reason not in row["role_reason"]:
                raise ValueError(f"now {row['role']}: {row['role_reason']}")
            return True

        wait_for(there, f"{name} is {role} ({reason})")
        check(True, f"{name} is {role} ({reason})")

    def backup_is(self, name, wanted):
        wait_for(lambda: [row["backup"] for row in self.daemon.subflows()
                          if row["interface"] == name] == [wanted],
                 f"the subflow of {name} has backup={wanted}")

    def goes_on(self, what, interfaces):
        wait_for_subflows(self.daemon, interfaces)
        progress(self.curl)
        check(True, what)

    def log(self):
        return [line["reason"] for line in self.daemon.connection()["log"]]

    def finish(self):
        self.lab.open_throttle()
        self.curl.finish()
        check(True, f"{SIZE} bytes arrived as they were sent")


@needs_networkmanager
def test_networkmanager_transfer_survives_what_it_does(lab):
    """Metered, down by hand, up, another lease: one transfer goes through all of it."""
    scene = Scene(lab)
    manager = scene.manager
    scene.role_is("lte0", "on", "default")
    command("sh", "-e", stdin=example("nmcli connection modify lte0 connection.metered yes"))
    scene.role_is("lte0", "backup", "NetworkManager: metered")
    scene.backup_is("lte0", True)
    manager.modify("lte0", "connection.metered", "no")
    scene.role_is("lte0", "on", "default")
    scene.backup_is("lte0", False)
    scene.goes_on("metered and back: the transfer goes on", BOTH)

    lab.note("wifi0, which the connection was opened on, goes down")
    manager.down("wifi0")
    scene.goes_on("the transfer goes on over lte0", ["lte0"])
    check(any("about to go" in reason for reason in scene.log()),
          "it had left wifi0 before that was down")
    check(not any("address is gone" in reason or "link is down" in reason
                  for reason in scene.log()), "nothing was lost with it")
    manager.up("wifi0")
    scene.role_is("wifi0", "on", "default")
    scene.goes_on("wifi0 is up, and used", BOTH)

    lab.note("lte0 gets another lease")
    scene.leases[1].process.stop()
    scene.leases[1] = Leases(lab, 1, NEW)
    manager.modify("lte0", "ipv4.dhcp-hostname", "other")  # it asks anew, without a break
    wait_for(lambda: [row["local"] for row in scene.daemon.subflows()
                      if row["local"].startswith(f"{scene.leases[1].address}:")],
             "a subflow from the new address")
    scene.goes_on("the transfer goes on from the new address", BOTH)
    scene.finish()


@full
@needs_networkmanager
def test_networkmanager_flags_of_a_connection_are_respected(lab):
    """connection.mptcp-flags: disabled, backup, and what means on."""
    scene = Scene(lab)
    for flags, role in (("backup", "backup"), ("enabled,subflow", "on"), ("disabled", "off")):
        scene.manager.modify("lte0", "connection.metered", "yes", "connection.mptcp-flags", flags)
        scene.role_is("lte0", role, "NetworkManager: mptcp-flags")
        scene.goes_on(f"mptcp-flags {flags}: the transfer goes on",
                      ["wifi0"] if role == "off" else BOTH)
    scene.manager.modify("lte0", "connection.mptcp-flags", "default")
    scene.role_is("lte0", "backup", "NetworkManager: metered")
    scene.goes_on("the transfer goes over both again", BOTH)
    scene.finish()


@full
@needs_networkmanager
def test_networkmanager_yields_to_the_administrator(lab):
    """What mptcpized.conf, or mptcpctl, says of an interface counts more."""
    scene = Scene(lab, conf={"interfaces": {"lte*": "on"}})
    scene.manager.modify("lte0", "connection.metered", "yes")
    scene.manager.modify("wifi0", "connection.metered", "yes")
    scene.role_is("wifi0", "backup", "NetworkManager: metered")
    scene.role_is("lte0", "on", "lte*")
    scene.daemon.configure({})
    check_equal(scene.daemon.ctl("reload").returncode, 0, "reload without that: exit code")
    scene.role_is("lte0", "backup", "NetworkManager: metered")
    check_equal(scene.daemon.ctl("interface", "lte0", "master").returncode, 0, "mptcpctl")
    scene.role_is("lte0", "master", "set at run time")
    scene.manager.modify("lte0", "connection.metered", "no")
    scene.manager.modify("lte0", "connection.metered", "yes")
    scene.role_is("lte0", "master", "set at run time")
    lab.note("what goes down is left all the same")
    scene.manager.down("lte0")
    scene.goes_on("the transfer goes on", ["wifi0"])
    check(any("about to go" in reason for reason in scene.log()), "it had left lte0 before")
    scene.finish()


@full
@needs_networkmanager
def test_networkmanager_connectivity_becomes_a_role(lab):
    """A captive portal; and the administrator's table, which makes a master of the best route."""
    write(SCRIPT_CONF, "limited = backup\nlowest-metric = master\n")
    scene = Scene(lab, more=CONNECTIVITY)
    scene.role_is("wifi0", "master", "NetworkManager: lowest route metric")
    scene.role_is("lte0", "on", "default")
    write(PORTAL, "please log in")
    scene.role_is("wifi0", "backup", "NetworkManager: connectivity portal")
    scene.role_is("lte0", "backup", "NetworkManager: connectivity portal")
    scene.goes_on("the transfer goes on with two backups", BOTH)
    write(PORTAL, "online")
    scene.role_is("wifi0", "master", "NetworkManager: lowest route metric")
    scene.role_is("lte0", "on", "default")
    scene.finish()


@full
@needs_networkmanager
def test_networkmanager_own_endpoints_do_not_get_in_the_way(lab):
    """It makes endpoints of the kernel's; all the same there is one subflow on each path."""
    scene = Scene(lab)
    endpoints = command("ip", "mptcp", "endpoint")
    for lease in scene.leases:
        check(re.search(rf"^{lease.address} id \d+ subflow ", endpoints, re.M),
              f"NetworkManager has made an endpoint of {lease.address}")
    progress(scene.curl)
    check_equal(lab.counters()["MPJoinSynTx"], 1, "joins")
    done = scene.daemon.ctl("--json", "doctor")
    remedy = next(row["remedy"] for row in json.loads(done.stdout)["findings"]
                  if row["subject"] == "lte0" and "mptcp-flags" in row["remedy"])
    lab.note(f"doctor says: {remedy}")
    command("sh", "-e", stdin=remedy)
    wait_for(lambda: scene.leases[1].address not in command("ip", "mptcp", "endpoint"),
             "no endpoint of lte0 any more")
    scene.goes_on("the transfer goes over both paths again", BOTH)
    scene.finish()


@full
@needs_networkmanager
def test_networkmanager_own_endpoints_switched_off_roles_stay(lab):
    """The default of all connections is said to be disabled: that is about endpoints only."""
    scene = Scene(lab, more=example("[connection]"))
    check_equal(command("ip", "mptcp", "endpoint"), "", "endpoints")
    scene.manager.modify("lte0", "connection.metered", "yes")
    scene.role_is("lte0", "backup", "NetworkManager: metered")
    scene.role_is("wifi0", "on", "default")
    scene.finish()


@full
@needs_networkmanager
def test_networkmanager_daemon_that_starts_later_is_told(lab):
    """The unit runs the script when the daemon has started; without the script nothing is told."""
    scene = Scene(lab)
    scene.manager.modify("lte0", "connection.metered", "yes")
    scene.role_is("lte0", "backup", "NetworkManager: metered")
    scene.daemon.stop()
    done = restart_dispatcher_script()
    check_equal((done.returncode, done.stdout, done.stderr), (0, "", ""), "without a daemon")
    scene.daemon.start()
    scene.role_is("lte0", "on", "default")
    restart_dispatcher_script()
    scene.role_is("lte0", "backup", "NetworkManager: metered")
    scene.manager.wait_until_idle()
    os.makedirs("/etc/NetworkManager/dispatcher.d/pre-down.d")
    command("sh", "-e", stdin=example("ln -s /dev/null"))
    scene.manager.modify("lte0", "connection.metered", "no")
    scene.manager.down("wifi0")
    check_equal(restart_dispatcher_script().returncode, 0, "what the unit runs")
    scene.goes_on("switched off, the transfer goes on", ["lte0"])
    scene.manager.wait_until_idle()
    scene.role_is("lte0", "backup", "NetworkManager: metered")
    check(not any("about to go" in reason for reason in scene.log()), "nothing was told")
    scene.finish()


harness.main([test_networkmanager_transfer_survives_what_it_does,
              test_networkmanager_flags_of_a_connection_are_respected,
              test_networkmanager_yields_to_the_administrator,
              test_networkmanager_connectivity_becomes_a_role,
              test_networkmanager_own_endpoints_do_not_get_in_the_way,
              test_networkmanager_own_endpoints_switched_off_roles_stay,
              test_networkmanager_daemon_that_starts_later_is_told])
