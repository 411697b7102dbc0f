"""NetworkManager as distributions have it, on the client of a lab, with its dispatcher.

Its files are in mounts that only the sandbox sees, and it has the lab's bus. There is no udev in
here: NetworkManager does without where /sys can't be written to. The lab's addresses and routes of
the client go; those of NetworkManager take their place, from one DHCP server for each path.
"""

import os
import re

from lab import PATIENCE, SERVER, WORK, Failed, command, ip_batch, read, wait_for, write
from programs import Build, Process, run

LIBRARY = "/usr/lib/NetworkManager"
DISPATCHER = f"{LIBRARY}/nm-dispatcher"
SCRIPTS = f"{LIBRARY}/dispatcher.d"
SCRIPT = f"{SCRIPTS}/90-mptcpize"
SCRIPT_CONF = f"{WORK}/networkmanager.conf"
DIRECTORIES = ("/etc/NetworkManager", "/var/lib/NetworkManager", SCRIPTS)
CONF = """[main]
plugins=keyfile
no-auto-default=*
dns=none
rc-manager=unmanaged
hostname-mode=none
auth-polkit=false
[device]
managed=1
"""


def example(beginning):
    """The example of the manual that begins so, without prompts."""
    page = read(os.path.join(os.path.dirname(__file__), "../../man/mptcpize-networkmanager.7"))
    for text in re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", page, re.S | re.M):
        text = re.sub("^# ", "", text, flags=re.M)
        if text.startswith(beginning):
            return text
    raise Failed(f"no example {beginning!r} in the manual")


class Leases:
    """The DHCP server of a path, which gives one address: the last number of it."""

    def __init__(self, lab, index, last):
        path = lab.paths[index]
        self.address = f"{path.net4}.{last}"
        self.process = lab.add(Process(
            ["dnsmasq", "--keep-in-foreground", "--port=0", "--conf-file=/dev/null", "--no-ping",
             "--leasefile-ro", "--user=root", "--log-facility=-", "--log-dhcp", "--bind-interfaces",
             f"--interface={path.far}", "--pid-file", "--dhcp-authoritative",
             f"--dhcp-range={self.address},{self.address},120",
             f"--dhcp-option=option:router,{path.net4}.254"], f"dnsmasq-{path.far}", netns=SERVER))


def _mount():
    for directory in DIRECTORIES:
        command("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", directory)
    command("mount", "-t", "sysfs", "-o", "ro", "sysfs", "/sys")
    for directory in ("/etc/NetworkManager/conf.d", "/etc/NetworkManager/system-connections",
                      f"{SCRIPTS}/pre-up.d", f"{SCRIPTS}/pre-down.d", f"{SCRIPTS}/no-wait.d"):
        os.mkdir(directory, 0o700)


def _install_script():
    """As meson does; but it reads a file of the lab, and looks again sooner."""
    script = read(f"{Build.find().root}/daemon/data/90-mptcpize")
    for key, value in (("CONF", SCRIPT_CONF), ("LOOK_AGAIN", "1")):
        script = re.sub(f"^{key}=.*$", f"{key}={value}", script, flags=re.M)
    write(SCRIPT, script)
    os.chmod(SCRIPT, 0o755)
    os.symlink("../90-mptcpize", f"{SCRIPTS}/pre-down.d/90-mptcpize")


def _link_bus():
    """Where nm-dispatcher's scripts look for the bus: they get no other environment than PATH."""
    os.makedirs("/run/dbus", exist_ok=True)
    os.symlink(f"{WORK}/bus", "/run/dbus/system_bus_socket")


class NetworkManager:
    """Running, with no connections. more: further lines of its configuration. Needs the bus."""

    def __init__(self, lab, more=""):
        ip_batch([f"addr flush dev {path.name}" for path in lab.paths])
        _mount()
        _install_script()
        _link_bus()
        write("/etc/NetworkManager/NetworkManager.conf", CONF + more)
        path = f"{os.path.dirname(Build.find().ctl)}:{os.environ['PATH']}"
        self.dispatcher = lab.add(Process([DISPATCHER, "--persist", "--debug"], "nm-dispatcher",
                                          env={"PATH": path}))
        self.process = lab.add(Process(["NetworkManager", "--debug"], "NetworkManager"))
        wait_for(lambda: self._manages(lab), "NetworkManager manages the paths")

    def _manages(self, lab):
        if not self.process.running():
            raise Failed(f"NetworkManager {self.process.state()}")
        rows = self.cli("-t", "-f", "DEVICE,STATE", "device").splitlines()
        return all(f"{path.name}:disconnected" in rows for path in lab.paths)

    def wait_until_idle(self):
        """Until the dispatcher has run what it was asked to."""
        def is_idle():
            log = self.dispatcher.log_text()
            return all(f"{event}completed" in log
                       for event in re.findall(r"(req:\d+ .*: )new request", log))

        wait_for(is_idle, "the dispatcher has no more to do")

    @staticmethod
    def cli(*words):
        """What nmcli prints; Failed if it fails."""
        done = run(["nmcli", *words], timeout=3 * PATIENCE)
        if done.returncode != 0:
            raise Failed(f"nmcli {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def connect(self, path):
        """A profile with the name of the interface, by DHCP, and up."""
        self.cli("connection", "add", "type", "ethernet", "con-name", path.name, "ifname",
                 path.name, "autoconnect", "no", "ipv4.route-metric", str(path.metric),
                 "ipv6.method", "disabled")
        self.up(path.name)

    def up(self, name):
        self.cli("connection", "up", name)

    def down(self, name):
        self.cli("connection", "down", name)

    def modify(self, name, *settings):
        """Changes the profile of a connection that is up, and applies it as far as possible."""
        self.cli("connection", "modify", name, *settings)
        self.cli("device", "reapply", name)


def restart_dispatcher_script():
    """What the unit of mptcpized does when that has started."""
    path = f"{os.path.dirname(Build.find().ctl)}:{os.environ['PATH']}"
    return run([SCRIPT, "", "start"], env={"PATH": path})
