#!/usr/bin/python3
"""The script for NetworkManager's dispatcher: what it tells mptcpctl, for what nmcli says.

Both are stubs here; tests/net/test_networkmanager.py has the real ones. Needs no rights.
Environment: DISPATCHER, the script; SOURCE, the top directory. Runs with each awk that there is.
"""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from pages import displays

DISPATCHER = os.path.abspath(os.environ["DISPATCHER"])
PAGE = "man/mptcpize-networkmanager.7"
AWKS = [path for path in map(shutil.which, ("mawk", "gawk", "original-awk", "busybox")) if path]
WIFI = "6587613f-d328-4b83-ad61-016cf55e1e14"
WWAN = "2364c6d4-1b12-4e14-ab78-59b0ae8d9cb5"

# nmcli prints what a file says: of devices, or of the connections that it is asked for.
NMCLI = """#!/bin/sh
case "$*" in
*"device show"*) cat '{home}/devices' ;;
*"connection show"*)
        for uuid; do
                grep -s -A1 "^connection.uuid:$uuid" '{home}/connections' && echo
        done ;;
esac
"""
MPTCPCTL = """#!/bin/sh
printf '%s|' "$@" >>'{home}/told'
echo >>'{home}/told'
exit {status}
"""
# Tells each answer of the real one.
FLOCK = """#!/bin/sh
{flock} "$@"
status=$?
echo $status >>'{home}/locks'
exit $status
"""
SLEEP = """#!/bin/sh
exec 9<&-
while [ -e '{home}/wait' ]; do /bin/sleep 0.05; done
exit 1
"""


def device(name, uuid="", state="100 (connected)", metered="no (guessed)", reach=4, ip_name=None,
           metric=None):
    rows = [f"GENERAL.DEVICE:{name}", f"GENERAL.IP-IFACE:{name if ip_name is None else ip_name}",
            f"GENERAL.STATE:{state}", f"GENERAL.METERED:{metered}",
            f"GENERAL.IP4-CONNECTIVITY:{reach} (words)", "GENERAL.IP6-CONNECTIVITY:1 (none)",
            f"GENERAL.CON-UUID:{uuid}", "IP4.ROUTE[1]:dst = 192.0.2.0/24, nh = 0.0.0.0, mt = 1",
            "IP6.ROUTE[1]:dst = fe80::/64, nh = ::, mt = 1"]
    if metric is not None:
        rows.append(f"IP6.ROUTE[2]:dst = ::/0, nh = 2001:db8::1, mt = {metric}")
    return "\n".join(rows) + "\n\n"


class Dispatcher(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.home)
        self.awk = AWKS[0]
        self.look_again = "never"  # sleep(1) fails
        self.patience = "60"
        self.stub("nmcli", NMCLI)
        self.stub("mptcpctl", MPTCPCTL, status=0)
        self.write("devices", device("wlan0", WIFI))

    def write(self, name, text):
        with open(f"{self.home}/{name}", "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        with open(f"{self.home}/{name}", encoding="utf-8") as file:
            return file.read()

    def stub(self, name, text, **values):
        self.write(name, text.format(home=self.home, **values))
        os.chmod(f"{self.home}/{name}", 0o755)

    def flags(self, **flags):
        """connection.mptcp-flags of the two connections."""
        ids = {"wifi": WIFI, "wwan": WWAN}
        self.write("connections", "\n".join(
            f"connection.uuid:{ids[name]}\nconnection.mptcp-flags:{value}\n"
            for name, value in flags.items()))

    def run_script(self, *words, path=None):
        """What it told mptcpctl: a list of [interface, role, reason]."""
        with open(DISPATCHER, encoding="utf-8") as file:
            script = file.read()
        for key, value in (("CONF", f"{self.home}/networkmanager.conf"),
                           ("LOCK", f"{self.home}/lock"), ("LOOK_AGAIN", self.look_again),
                           ("PATIENCE", self.patience)):
            script, count = re.subn(f"^{key}=.*$", f"{key}={value}", script, flags=re.M)
            self.assertEqual(count, 1)
        self.write("90-mptcpize", script)
        self.write("told", "")
        link = f"{self.home}/awk"
        if os.path.lexists(link):
            os.unlink(link)
        os.symlink(self.awk, link)
        self.done = subprocess.run(
            ["sh", f"{self.home}/90-mptcpize", *words], capture_output=True, text=True, check=False,
            env={"PATH": path or f"{self.home}:{os.environ['PATH']}"}, timeout=60)
        self.assertEqual((self.done.returncode, self.done.stdout), (0, ""))
        return self.all_told()

    def wait_for(self, is_so, now):
        end = time.monotonic() + 20
        while not is_so():
            self.assertLess(time.monotonic(), end, now())
            time.sleep(0.02)

    def told_later(self, wanted):
        """Waits for something that no event has told."""
        self.wait_for(lambda: wanted in self.all_told(), self.all_told)

    def all_told(self):
        return [self.told(line) for line in self.read("told").splitlines(True)
                if line.endswith("\n")]

    def told(self, line):
        verb, interface, role, reason, end = line.split("|")
        self.assertEqual((verb, end), ("advise", "\n"))
        return [interface, role, reason.removeprefix("NetworkManager: ")]

    def roles(self, *words):
        told = self.run_script(*words)
        self.assertEqual(self.done.stderr, "")
        return [each[:2] for each in told]

    def role(self):
        """What it tells when wlan0 comes up; the same by each awk."""
        found = []
        for self.awk in AWKS:
            found.append(self.roles("wlan0", "up"))
            self.assertEqual(found[-1], found[0], self.awk)
        self.assertEqual([name for name, _role in found[0]], ["wlan0"])
        return found[0][0][1]


class Events(Dispatcher):
    def test_events_of_an_interface_tell_of_that_one(self):
        self.write("devices", device("wlan0", WIFI, metered="yes") + device("wwan0", WWAN))
        for action in ("up", "reapply", "dhcp4-change", "dhcp6-change"):
            self.assertEqual(self.run_script("wlan0", action), [["wlan0", "backup", "metered"]])

    def test_events_of_all_tell_of_those_that_are_connected(self):
        self.write("devices", device("wlan0", WIFI, metered="yes")
                   + device("eth0", state="30 (disconnected)")
                   + device("docker0", "77", state="100 (connected (externally))")
                   + device("cdc-wdm0", WWAN, ip_name="wwan0"))
        for words in (("", "connectivity-change"), ("", "start")):
            self.assertEqual(self.roles(*words), [["wlan0", "backup"], ["wwan0", "default"]])

    def test_end_of_an_interface_takes_it_out_first(self):
        self.assertEqual(self.roles("wlan0", "pre-down"), [["wlan0", "leaving"]])
        self.assertEqual(self.roles("wlan0", "down"), [["wlan0", "default"]])

    def test_other_events_tell_nothing(self):
        for action in ("pre-up", "vpn-up", "vpn-down", "vpn-pre-down", "hostname", "nonsense", ""):
            self.assertEqual(self.roles("wlan0", action), [])
        self.assertEqual(self.roles(), [])
        self.assertEqual(self.roles("", "down"), [])

    def test_event_before_the_interface_is_connected_tells_nothing(self):
        self.write("devices", device("wlan0", WIFI, state="70 (connecting (getting IP))"))
        self.assertEqual(self.roles("wlan0", "dhcp4-change"), [])

    def test_without_a_daemon_it_does_not_fail(self):
        self.stub("mptcpctl", MPTCPCTL, status=1)
        self.assertEqual(self.role(), "default")

    def test_without_nmcli_it_does_not_fail(self):
        os.unlink(f"{self.home}/nmcli")
        self.stub("nmcli", "#!/bin/sh\necho 'Error: NetworkManager is not running.' >&2\nexit 8\n")
        self.assertEqual(self.roles("wlan0", "up"), [])


class Table(Dispatcher):
    def test_metered_is_backup(self):
        for metered, role in (("yes", "backup"), ("yes (guessed)", "backup"), ("no", "default"),
                              ("no (guessed)", "default"), ("unknown", "default")):
            self.write("devices", device("wlan0", WIFI, metered=metered))
            self.assertEqual(self.role(), role, metered)

    def test_less_than_full_connectivity_is_backup(self):
        for reach, role in enumerate(("default", "backup", "backup", "backup", "default")):
            self.write("devices", device("wlan0", WIFI, reach=reach)
                       .replace("IP6-CONNECTIVITY:1", "IP6-CONNECTIVITY:0"))
            self.assertEqual(self.role(), role, reach)

    def test_the_better_connectivity_counts(self):
        self.write("devices", device("wlan0", WIFI, reach=1)
                   .replace("IP6-CONNECTIVITY:1", "IP6-CONNECTIVITY:4"))
        self.assertEqual(self.role(), "default")

    def test_flags_of_the_connection_come_first(self):
        self.write("devices", device("wlan0", WIFI, metered="yes"))
        for flags, role in (("0x1 (disabled)", "off"), ("0x1", "off"), ("1", "off"),
                            ("0x40", "backup"), ("0xe0", "backup"), ("0x22", "on"), ("0x10", "on"),
                            ("0x30", "on"), ("0x80", "on"), ("0x2", "on"), ("0x0", "backup"),
                            ("0xc", "backup")):
            self.flags(wifi=flags, wwan="0x1")
            self.assertEqual(self.role(), role, flags)

    def test_flags_of_each_connection_are_its_own(self):
        self.write("devices", device("wlan0", WIFI) + device("wwan0", WWAN))
        self.flags(wifi="0x40", wwan="0x1")
        self.assertEqual(self.roles("", "start"), [["wlan0", "backup"], ["wwan0", "off"]])


class Again(Dispatcher):
    """There is no event when the connectivity of one interface comes back."""

    def limited(self, *names):
        self.write("new", "".join(device(name, WIFI, reach=2 if name in names else 4)
                                  for name in ("wlan0", "eth0")))
        os.rename(f"{self.home}/new", f"{self.home}/devices")

    def test_limited_connectivity_is_looked_at_again_until_it_is_full(self):
        self.look_again = "0.05"
        self.limited("wlan0", "eth0")
        self.run_script("", "connectivity-change")
        self.limited("eth0")
        self.told_later(["wlan0", "default", "nothing against it"])
        self.limited()
        self.told_later(["eth0", "default", "nothing against it"])
        lock = ["flock", "--timeout", "20", f"{self.home}/lock", "true"]
        self.assertEqual(subprocess.run(lock, check=False).returncode, 0, "it goes on looking")

    def test_limited_connectivity_is_looked_at_whatever_others_lock(self):
        """Anybody may open the script, and so lock it; nobody else may open the lock."""
        self.look_again = "0.05"
        self.limited("wlan0")
        self.write("90-mptcpize", "")
        with open(f"{self.home}/90-mptcpize", encoding="ascii") as script:
            fcntl.flock(script, fcntl.LOCK_EX)
            self.run_script("", "connectivity-change")
            self.wait_for(lambda: os.path.exists(f"{self.home}/lock"), lambda: "no lock")
            self.limited()
            self.told_later(["wlan0", "default", "nothing against it"])
        self.assertEqual(oct(os.stat(f"{self.home}/lock").st_mode & 0o777), oct(0o600))

    def test_limited_connectivity_is_looked_at_by_one_process(self):
        self.limited("wlan0")
        self.stub("flock", FLOCK, flock=shutil.which("flock"))
        self.stub("sleep", SLEEP)
        self.addCleanup(os.unlink, f"{self.home}/wait")
        self.write("wait", "")
        self.write("locks", "")
        for _ in range(5):
            self.run_script("", "connectivity-change")
        self.wait_for(lambda: len(self.read("locks")) == 10, lambda: self.read("locks"))
        self.assertEqual(sorted(self.read("locks").split()), ["0", "1", "1", "1", "1"])


class Conf(Dispatcher):
    def conf(self, text):
        self.write("networkmanager.conf", text)

    def test_roles_of_the_file_replace_the_table(self):
        self.conf("# ours\n\nmetered = off   # costs\nmetered-guessed=default\n limited = on\n")
        for values, role in (({"metered": "yes"}, "off"), ({"metered": "yes (guessed)"}, "default"),
                             ({"reach": 3}, "on"),
                             ({"metered": "yes (guessed)", "reach": 3}, "on")):
            self.write("devices", device("wlan0", WIFI, **values))
            self.assertEqual(self.role(), role, values)

    def test_example_of_the_manual_is_taken(self):
        self.conf(next(text for text in displays(PAGE) if text.startswith("metered = off")))
        for values, role in (({"metered": "yes"}, "off"),
                             ({"metered": "yes (guessed)", "metric": 100}, "master")):
            self.write("devices", device("wlan0", WIFI, **values))
            self.assertEqual(self.role(), role, values)

    def test_lowest_metric_is_nothing_without_the_file(self):
        self.write("devices", device("wlan0", WIFI, metric=100))
        self.assertEqual(self.role(), "default")

    def test_lowest_metric_is_judged_among_all(self):
        self.conf("lowest-metric = master\n")
        self.write("devices", device("eth0", "77", metric=1000) + device("wlan0", WIFI, metric=600)
                   + device("tun0", "78"))
        self.assertEqual(self.roles("eth0", "up"),
                         [["eth0", "default"], ["wlan0", "master"], ["tun0", "default"]])

    def test_nmcli_that_hangs_is_given_up(self):
        """As when the bus or NetworkManager hangs; what needs no answer is told all the same."""
        self.stub("nmcli", "#!/bin/sh\nexec tail -f /dev/null\n")
        self.patience = "0.2"
        self.assertEqual(self.run_script("wlan0", "up"), [])
        self.assertEqual(self.run_script("wlan0", "pre-down"),
                         [["wlan0", "leaving", "about to go down"]])

    def test_nonsense_is_told_and_left_out(self):
        self.conf("metered = often\nmeteredd = off\nlimited = off\n")
        self.write("devices", device("wlan0", WIFI, metered="yes"))
        self.assertEqual(self.run_script("wlan0", "up"), [["wlan0", "backup", "metered"]])
        for line in ("metered = often", "meteredd = off"):
            self.assertIn(line, self.done.stderr)
        self.assertEqual(self.done.stderr.count("\n"), 2)


if __name__ == "__main__":
    unittest.main()
