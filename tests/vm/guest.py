#!/usr/bin/python3
"""What happens in the machine: the service, as systemd runs it on a Debian that has just booted.

This host is the client, and has two paths to a network namespace, in which nginx is the server.
nginx and the downloads are units, which get the library by `mptcpctl service enable`. Output is
TAP. The tests build on each other: the first failure ends them.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback

SERVER = "203.0.113.1"
PATHS = ("wifi0", "lte0")
UNIT = "mptcpized.service"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
CAP_NET_ADMIN = 1 << 12
BUS = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
PATIENCE = 60.0  # seconds; long, because it's spent on failure only
WEB = """[Service]
NetworkNamespacePath=/run/netns/server
Environment=HELLO=world
ExecStart=/usr/sbin/nginx -c /etc/web.conf -g "daemon off;"
"""
NGINX = """user www-data;
events {}
http {
  access_log off;
  server { listen 80; root /srv; }
}
"""
ALONE = """[Service]
ExecStart=/usr/bin/env -i /usr/bin/sleep 3600
"""
POLKIT_RULE = """polkit.addRule(function(action, subject) {
  if (action.id == "org.mptcpize1.manage" && subject.user == "nobody")
    return polkit.Result.YES;
});
"""
DOWNLOAD = f"""[Service]
User=nobody
ExecStart=/usr/bin/curl -sS --limit-rate 50k --output /dev/null http://{SERVER}/data
"""


class Failed(Exception):
    """Something that had to happen did not."""


def run(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def command(*argv):
    done = run(*argv)
    if done.returncode != 0:
        raise Failed(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def read(path):
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def check(condition, what):
    if not condition:
        raise Failed(what)
    print(f"#           ok: {what}")


def check_equal(got, wanted, what):
    check(got == wanted, f"{what} is {got!r}" + ("" if got == wanted else f", not {wanted!r}"))


def wait_for(predicate, what):
    """Until predicate() is true; Failed after a long time."""
    end = time.monotonic() + PATIENCE
    last = None
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError, LookupError):
            try:
                if value := predicate():
                    return value
            except Failed as error:
                last = error
        time.sleep(0.1)
    raise Failed(f"not within {PATIENCE:.0f} s: {what}" + (f" ({last})" if last else ""))


def prop(name, unit=UNIT):
    """A property of a unit."""
    return command("systemctl", "show", "--value", f"--property={name}", unit).strip()


def main_pid():
    return int(prop("MainPID"))


def mptcpize():
    """The user of the service."""
    return int(command("id", "-u", "mptcpize"))


def owners():
    """Of what is in the runtime directory."""
    return {each.stat(follow_symlinks=False).st_uid for each in os.scandir("/run/mptcpize")}


def is_ready():
    return prop("ActiveState") == "active"


def path_manager():
    """"1": in user space."""
    return read("/proc/sys/net/mptcp/pm_type").strip()


def query(*args):
    """What mptcpctl --json says."""
    return json.loads(command("mptcpctl", "--json", *args))


def subflows():
    """Interfaces of the established subflows of the only connection."""
    row, = query("connections")["connections"]
    found = query("show", row["token"])["subflows"]
    return sorted(each["interface"] for each in found if each["state"] == "established")


def wait_for_subflows(*interfaces):
    def there():
        found = subflows()
        if found != sorted(interfaces):
            raise Failed(f"now {found}")
        return True

    wait_for(there, f"subflows on {interfaces}")
    check(True, f"subflows on {', '.join(interfaces)}")


def status(pid):
    """/proc/PID/status as a dictionary."""
    lines = read(f"/proc/{pid}/status").splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def ip(lines):
    done = subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True,
                          capture_output=True, check=False)
    if done.returncode != 0:
        raise Failed(done.stderr)


def build_network():
    """Two paths to the server, which is a network namespace."""
    lines = ["netns add server"]
    for number, name in enumerate(PATHS, 1):
        lines += [f"link add {name} type veth peer name far{number} netns server",
                  f"addr add 10.0.{number}.1/24 dev {name}", f"link set {name} up"]
    ip(lines)
    far = [f"addr add {SERVER}/32 dev lo", "link set lo up"]
    for number, name in enumerate(PATHS, 1):
        far += [f"addr add 10.0.{number}.2/24 dev far{number}", f"link set far{number} up"]
    command("ip", "netns", "exec", "server", "sh", "-c",
            "; ".join(f"ip {line}" for line in far) + "; ip mptcp limits set subflows 8 "
            "add_addr_accepted 8; sysctl -q net.ipv4.conf.all.rp_filter=0 "
            "net.ipv4.conf.default.rp_filter=0")
    routes()


def routes():
    for number, name in enumerate(PATHS, 1):
        command("ip", "route", "replace", "default", "via", f"10.0.{number}.2", "dev", name,
                "metric", str(100 * number))


def write_units():
    write("/etc/systemd/system/web.service", WEB)
    write("/etc/systemd/system/download.service", DOWNLOAD)
    write("/etc/systemd/system/alone.service", ALONE)
    write("/etc/web.conf", NGINX)
    with open("/srv/data", "wb") as file:
        file.truncate(100 << 20)
    command("systemctl", "daemon-reload")


# -- tests, in order

def test_boot_starts_the_service():
    """As its own user, with one capability, before anything has been set up."""
    wait_for(is_ready, "the service is active")
    now = status(main_pid())
    check_equal(command("id", "-nu", now["Uid"].split()[0]).strip(), "mptcpize", "its user")
    for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
        check_equal(int(now[name], 16), CAP_NET_ADMIN, name)
    check_equal(read(f"/proc/{main_pid()}/stat").rsplit(")", 1)[1].split()[16], "-10", "nice")
    check_equal(path_manager(), "1", "pm_type")
    check_equal(owners(), {mptcpize()}, "owners of its files")
    check_equal(query("status")["connections"], 0, "connections")


def test_exposure_is_little():
    """systemd-analyze, of the unit as it is loaded."""
    done = run("systemd-analyze", "--no-pager", "security", "--threshold=20", UNIT)
    check(done.returncode == 0, done.stdout.strip().splitlines()[-1])


def test_service_enable_gives_paths_to_units():
    """nginx and curl, started by systemd as they are, with a drop-in."""
    build_network()
    write_units()
    for name in ("web", "download.service"):
        check("daemon-reload" not in command("mptcpctl", "service", "enable", name),
              f"{name} is enabled, and systemd knows")
    command("systemctl", "start", "web")
    check("HELLO=world" in prop("Environment", "web.service"), "its own Environment= is there")
    wait_for(lambda: run("curl", "-sI", f"http://{SERVER}/data").returncode == 0, "nginx answers")
    command("systemctl", "start", "download")
    wait_for_subflows(*PATHS)
    row, = query("connections")["connections"]
    check_equal((row["program"], row["uid"]), ("curl", 65534), "program and user")
    for name in ("web", "download"):
        found = query("service", "status", name)
        check_equal((found["enabled"], found["restart_needed"]), (True, []), f"status of {name}")


def test_service_status_tells_whom_it_does_not_reach():
    """A program without its environment: first it needs a restart, then that did not help."""
    command("systemctl", "start", "alone")
    pid = int(prop("MainPID", "alone.service"))
    found = query("service", "enable", "alone")
    check_equal((found["restart_needed"], found["out_of_reach"]), ([pid], []), "before the restart")
    command("systemctl", "restart", "alone")
    pid = int(prop("MainPID", "alone.service"))
    found = query("service", "status", "alone")
    check_equal((found["restart_needed"], found["out_of_reach"]), ([], [pid]), "after the restart")
    check("do without the library" in found["warnings"][-1], "there is a warning")


def test_everybody_reads_and_only_root_changes():
    """mptcpctl as nobody."""
    check_equal(run(*NOBODY, "mptcpctl", "connections").returncode, 0, "exit code of connections")
    done = run(*NOBODY, "mptcpctl", "reload")
    check_equal(done.returncode, 1, "exit code of reload")
    check("denied" in done.stderr or "not allowed" in done.stderr or "root" in done.stderr,
          f"it says why: {done.stderr.strip()}")
    check_equal(run("mptcpctl", "reload").returncode, 0, "exit code of root's reload")
    done = run(*NOBODY, "mptcpctl", "service", "disable", "web")
    check_equal(done.returncode, 1, f"exit code of service disable: {done.stderr.strip()}")


def test_polkit_lets_others_change():
    """A rule of the administrator; polkitd answers the daemon's own user about somebody else."""
    write("/etc/polkit-1/rules.d/10-test.rules", POLKIT_RULE)
    wait_for(lambda: run(*NOBODY, "mptcpctl", "reload").returncode == 0, "nobody may reload")
    os.unlink("/etc/polkit-1/rules.d/10-test.rules")
    wait_for(lambda: run(*NOBODY, "mptcpctl", "reload").returncode == 1, "nobody may not any more")


def survive(signum):
    """The service is started again, and knows and manages the connection."""
    before = main_pid()
    os.kill(before, signum)
    wait_for(lambda: main_pid() not in (0, before) and is_ready(), "another process")
    wait_for_subflows(*PATHS)
    command("ip", "link", "set", "lte0", "down")
    wait_for_subflows("wifi0")
    command("ip", "link", "set", "lte0", "up")
    routes()
    wait_for_subflows(*PATHS)


def test_killed_comes_back():
    """SIGKILL: the connection is managed again."""
    survive(signal.SIGKILL)
    check_equal(path_manager(), "1", "pm_type")


def test_stopped_is_seen_by_the_watchdog():
    """SIGSTOP: systemd misses it, kills it, and starts it again."""
    write(f"/etc/systemd/system/{UNIT}.d/quick.conf", "[Service]\nWatchdogSec=2\n")
    command("systemctl", "daemon-reload")
    command("systemctl", "restart", UNIT)
    wait_for_subflows(*PATHS)
    survive(signal.SIGSTOP)
    said = command("journalctl", "--no-pager", f"--unit={UNIT}")
    check("Watchdog timeout" in said, "the journal has the reason")
    check_equal(prop("NRestarts"), "1", "restarts since")


def test_stop_puts_back_and_the_bus_starts_again():
    """systemctl stop; then a call of mptcpctl is enough."""
    command("systemctl", "stop", "download", UNIT)
    check_equal(path_manager(), "0", "pm_type after the stop")
    check(os.path.exists("/run/mptcpize/policy.db"), "the database stays")
    check_equal(query("status")["connections"], 0, "what status says")
    wait_for(is_ready, "the service is active")  # its name is on the bus sooner
    check_equal(path_manager(), "1", "pm_type")


def test_old_files_of_root_become_its():
    """As an earlier version, which ran as root, left them; programs have the database mapped."""
    command("systemctl", "stop", UNIT)
    inode = os.stat("/run/mptcpize/policy.db").st_ino
    for path in ("/run/mptcpize", *(each.path for each in os.scandir("/run/mptcpize"))):
        os.chown(path, 0, 0)
    command("systemd-tmpfiles", "--create", "mptcpize.conf")  # as packages and ./setup do
    command("systemctl", "start", UNIT)
    check_equal(owners(), {mptcpize()}, "owners of its files")
    check_equal(os.stat("/run/mptcpize/policy.db").st_ino, inode, "the database's inode")


def test_root_by_hand_leaves_the_service_able():
    """What root makes in the directory of the service is the service's, at any moment."""
    command("systemctl", "stop", UNIT)
    command("systemctl", "reset-failed", UNIT)  # of so many starts one after the other
    for each in os.scandir("/run/mptcpize"):
        os.unlink(each.path)
    command("mptcpized", "--restore")
    check_equal(owners(), {mptcpize()}, "owners after --restore")
    # pylint: disable-next=consider-using-with
    daemon = subprocess.Popen(["mptcpized"], stderr=subprocess.DEVNULL)
    wait_for(lambda: "true" in command("busctl", "call", *BUS, "NameHasOwner", "s",
                                       "org.mptcpize1"), "the daemon of root is on the bus")
    command("mptcpctl", "interface", "lte0", "backup", "--keep")
    daemon.kill()
    daemon.wait()
    check_equal(owners(), {mptcpize()}, "owners after a daemon of root was killed")
    command("systemctl", "start", UNIT)
    role, = [each["role"] for each in query("interface")["interfaces"] if each["name"] == "lte0"]
    check_equal(role, "backup", "the role that was kept")
    command("mptcpctl", "interface", "lte0", "default")


def test_drop_ins_of_the_manual_give_more():
    """Low ports can't be announced, and can with the drop-in; the other one is taken, too."""
    command("systemctl", "reset-failed", UNIT)
    command("systemctl", "restart", "download")
    wait_for_subflows(*PATHS)
    announce = ("mptcpctl", "announce", "add", query("connections")["connections"][0]["token"],
                "10.0.2.1:81")
    done = run(*announce)
    check_equal(done.returncode, 1, f"exit code of announce: {done.stderr.strip()}")
    check("CAP_NET_BIND_SERVICE" in done.stderr, "it says what is lacking")
    for name, bit in (("CAP_NET_BIND_SERVICE", 10), ("CAP_SYS_PTRACE", 19)):
        write(f"/etc/systemd/system/{UNIT}.d/{name}.conf",
              f"[Service]\nCapabilityBoundingSet={name}\nAmbientCapabilities={name}\n")
        command("systemctl", "daemon-reload")
        command("systemctl", "restart", UNIT)
        check(int(status(main_pid())["CapEff"], 16) & 1 << bit, f"it has {name}")
        check(int(status(main_pid())["CapEff"], 16) & CAP_NET_ADMIN, "and CAP_NET_ADMIN")
    wait_for_subflows(*PATHS)
    command(*announce)
    check(True, "announced")
    command("systemctl", "stop", "download")


def test_joins_are_guarded_within_the_sandbox():
    """Of a policy that requires authentication: the gate, the port, a key that is a credential."""
    write("/etc/mptcpize/keys/guest", "k" * 32)
    os.chmod("/etc/mptcpize/keys/guest", 0o400)
    write("/etc/mptcpize/apps.d/guarded.json", json.dumps({
        "match": {"app": "guarded"}, "socket": {"listen": ["*:8001"]},
        "auth": {"mode": "require", "psk": "guest.psk"}}))
    write(f"/etc/systemd/system/{UNIT}.d/key.conf",
          "[Service]\nLoadCredential=guest.psk:/etc/mptcpize/keys/guest\n")
    command("systemctl", "daemon-reload")
    command("systemctl", "reset-failed", UNIT)
    command("systemctl", "restart", UNIT)
    found = query("status")["authentication"]
    check_equal((found["gate"], found["port"], found["reason"]), ("closed", 8684, ""),
                "gate, port, and what is wrong")
    check("8001" in command("nft", "list", "table", "inet", "mptcpize"), "the listener is in it")
    check(":8684" in command("ss", "--udp", "--listening", "--numeric"), "the port is open")
    os.unlink("/etc/mptcpize/apps.d/guarded.json")
    command("mptcpctl", "reload")
    wait_for(lambda: query("status")["authentication"]["gate"] == "off", "nothing is guarded")
    wait_for(lambda: run("nft", "list", "table", "inet", "mptcpize").returncode, "the table goes")


def test_service_disable_leaves_nothing():
    """The drop-ins and their directories are gone; the units are as they were."""
    for name in ("web", "download"):
        command("mptcpctl", "service", "disable", name)
        check(not os.path.exists(f"/etc/systemd/system/{name}.service.d"), f"{name}: no directory")
        check("LD_PRELOAD" not in prop("Environment", f"{name}.service"), f"{name}: no variable")
    check_equal(read("/etc/systemd/system/web.service"), WEB, "the unit")
    done = run("mptcpctl", "--json", "service", "status", "web")
    check_equal(len(json.loads(done.stdout)["restart_needed"]) > 0, True, "nginx needs a restart")


TESTS = [test_boot_starts_the_service,
         test_exposure_is_little,
         test_service_enable_gives_paths_to_units,
         test_service_status_tells_whom_it_does_not_reach,
         test_everybody_reads_and_only_root_changes,
         test_polkit_lets_others_change,
         test_killed_comes_back,
         test_stopped_is_seen_by_the_watchdog,
         test_stop_puts_back_and_the_bus_starts_again,
         test_old_files_of_root_become_its,
         test_root_by_hand_leaves_the_service_able,
         test_drop_ins_of_the_manual_give_more,
         test_joins_are_guarded_within_the_sandbox,
         test_service_disable_leaves_nothing]


def main():
    print(f"1..{len(TESTS)}")
    for number, test in enumerate(TESTS, 1):
        print(f"# {test.__name__}: {' '.join(test.__doc__.split())}")
        try:
            test()
        except Exception:
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
            for line in run("journalctl", "--no-pager", "--lines=60").stdout.splitlines():
                print(f"#   {line}")
            print(f"not ok {number} - {test.__name__}")
            sys.exit(1)
        print(f"ok {number} - {test.__name__}")


main()
