#!/usr/bin/python3
"""The daemon as the unit runs it: a user of its own, and no capability but those of the unit."""

import configparser
import os
import pwd
import shutil

import harness
from harness import check, check_equal
from lab import SERVER, SERVICE4, WORK, command, read, wait_for, write
from programs import (Build, Daemon, Nginx, Process, path_manager, start_bus,
                      wait_for_subflows)

USER = pwd.getpwnam("daemon").pw_uid  # any that has a name: the bus takes no others
RUNTIME = "/run/mptcpize"  # where the library looks; /run is the sandbox's own
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
UNIT = "daemon/data/mptcpized.service"
OURS = "proto 226"
PLUGINS = ("announce", "backup", "fullmesh", "ndiffports")
SIZE = 8_000_000


def rights():
    """The words that start a program with what the unit leaves it."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read_string(read(f"{Build.find().root}/{UNIT}"))
    service = unit["Service"]
    names = [name.removeprefix("CAP_").lower() for name in service["CapabilityBoundingSet"].split()]
    kept = "-all," + ",".join(f"+{name}" for name in names)
    check_equal(service["AmbientCapabilities"], service["CapabilityBoundingSet"], "capabilities")
    check(service["User"] == service["Group"] == "mptcpize", "it has a user of its own")
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs",
            f"--bounding-set={kept}", f"--inh-caps={kept}", f"--ambient-caps={kept}", "--",
            "sh", "-c", f"umask {service['UMask']}; exec \"$@\"", "sh"]


def reachable(build):
    """A copy of what is built, since another user may not get to where that is."""
    for name in ("daemon/mptcpized", "daemon/ctl/mptcpctl", "shim/libmptcpize.so",
                 *(f"plugins/{each}.so" for each in PLUGINS)):
        os.makedirs(os.path.dirname(f"{WORK}/build/{name}"), exist_ok=True)
        if not os.path.exists(f"{WORK}/build/{name}"):
            shutil.copy(f"{build.root}/{name}", f"{WORK}/build/{name}")
    return Build(f"{WORK}/build")


class UserDaemon(Daemon):
    """Started as the unit would, in the directory that systemd would have made for it."""

    def __init__(self, lab, conf=None, **more):
        super().__init__(lab, conf, **more)
        self.build = reachable(self.build)
        self.runtime = f"{RUNTIME}-{self.netns}" if self.netns else RUNTIME
        os.makedirs(self.runtime, exist_ok=True)
        os.chown(self.runtime, USER, USER)

    def start(self, prefix=()):
        umask = os.umask(0)  # anybody may tell that it is ready
        try:
            return super().start(prefix or rights())
        finally:
            os.umask(umask)

    def start_as_root(self):
        return super().start(["env"])

    def owners(self):
        return {name: os.lstat(f"{RUNTIME}/{name}").st_uid for name in sorted(os.listdir(RUNTIME))}


def begin(lab, conf=None):
    """Bus, server, file, and a daemon that is not running yet."""
    start_bus(lab)
    Nginx(lab)
    Nginx.file("data", SIZE)
    return UserDaemon(lab, conf)


def download(lab, daemon):
    """curl as yet another user, with the library: (its process, where the file will be)."""
    os.makedirs(f"{WORK}/nobody", exist_ok=True)
    os.chown(f"{WORK}/nobody", 65534, 65534)
    path = f"{WORK}/nobody/got"
    env = {**daemon.build.preload_environ()}
    return lab.add(Process([*NOBODY, shutil.which("curl"), "--silent", "--show-error", "--fail",
                            "--output", path, f"http://{SERVICE4}/data"], "curl", env=env)), path


def finish(lab, curl, path):
    lab.open_throttle()
    check_equal(curl.wait(), 0, "exit code of curl")
    command("cmp", path, f"{WORK}/www/data")


def test_user_manages_paths_of_other_users_programs(lab):
    """Sysctls, rules, joins, and a policy by file, for which the program's word counts."""
    daemon = begin(lab)
    exe = os.path.realpath(shutil.which("curl"))
    daemon.policy("other", {"match": {"exe": "/usr/bin/other"}, "paths": {"max_subflows": 1}})
    daemon.policy("two", {"match": {"exe": exe, "uid": 65534}, "paths": {"max_subflows": 2}})
    write(f"/proc/sys/net/ipv4/conf/{lab.paths[1].name}/rp_filter", "1")
    daemon.start()
    check_equal(path_manager(), "userspace", "path manager")
    wait_for(lambda: OURS in command("ip", "rule"), "a rule of ours")
    curl, path = download(lab, daemon)
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    wait_for(lambda: daemon.connection()["policy"] == "two", "its policy")
    check_equal(daemon.connection()["uid"], 65534, "user of the connection")
    finish(lab, curl, path)
    check_equal(set(daemon.owners().values()), {USER}, "owner of all files")
    check_equal(daemon.stop(), 0, "exit code")
    check_equal(path_manager(), "kernel", "path manager afterwards")
    check(OURS not in command("ip", "rule"), "the rule is gone")


def test_user_dead_path_is_closed(lab):
    """What is done by sock_diag, too."""
    daemon = begin(lab)
    daemon.start()
    curl, path = download(lab, daemon)
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    lab.path_down(1)
    wait_for_subflows(daemon, ["wifi0"])
    lab.path_up(1)
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    finish(lab, curl, path)


def test_user_killed_restores_and_goes_on(lab):
    """SIGKILL; --restore by the same user; and the next one finds the connection."""
    daemon = begin(lab)
    daemon.start()
    curl, path = download(lab, daemon)
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    daemon.kill()
    check_equal(path_manager(), "userspace", "path manager after SIGKILL")
    check_equal(daemon.refusal(rights(), ["--restore"])[0], 0, "exit code of --restore")
    check_equal(path_manager(), "kernel", "path manager after --restore")
    daemon.start()
    wait_for(lambda: len(daemon.subflows()) == 2, "the connection, with its subflows")
    finish(lab, curl, path)


def test_user_goes_on_after_root(lab):
    """Started by hand as root where the service does, and killed: its files stay usable."""
    daemon = begin(lab)
    daemon.start()
    curl, path = download(lab, daemon)
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    database = os.stat(f"{RUNTIME}/policy.db").st_ino
    for start in (daemon.start_as_root, daemon.start):
        daemon.kill()
        start()
        wait_for(lambda: len(daemon.subflows()) == 2, "the connection, with its subflows")
        check_equal(set(daemon.owners().values()), {USER}, "owner of all files")
        check("ignored" not in daemon.log_text(), "what the last one knew is read")
    check_equal(os.stat(f"{RUNTIME}/policy.db").st_ino, database, "the database's inode")
    finish(lab, curl, path)


def test_user_starts_whatever_root_left(lab):
    """--restore before there was a service, a start that failed, a role set at run time."""
    daemon = begin(lab)
    path = ["env", f"RUNTIME_DIRECTORY={RUNTIME}"]
    check_equal(daemon.refusal(path, ["--restore"])[0], 0, "exit code of --restore")
    check_equal(daemon.owners(), {"lock": USER}, "owner of what it made")
    check_equal(daemon.refusal([*path, "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/none"])[0], 1,
                "exit code without a bus")
    check_equal(set(daemon.owners().values()), {USER}, "owner of what is left")
    daemon.start_as_root()
    check_equal(daemon.ctl("interface", "lte0", "backup", "--keep").returncode, 0, "exit code")
    daemon.kill()
    check_equal(set(daemon.owners().values()), {USER}, "owner of all files")
    check_equal(os.stat(f"{RUNTIME}/hint").st_mode & 0o777, 0o666, "mode of the socket for hints")
    daemon.start()
    check_equal(daemon.query("interface", "lte0")["role"], "backup", "the role")


def test_user_low_port_is_not_announced(lab):
    """It needs CAP_NET_BIND_SERVICE, and the log of the connection says so."""
    daemon = begin(lab)
    daemon.start()
    start_bus(lab, "bus-server")
    server = UserDaemon(lab, {"plugin": "announce", "plugins": {"announce": {"port": 443}}},
                        name="mptcpized-server", netns=SERVER, bus="bus-server")
    server.start()
    curl, path = download(lab, daemon)

    def log():
        return server.ctl("show", server.connections()[0]["token"]).stdout

    wait_for(lambda: "needs CAP_NET_BIND_SERVICE" in log(), "the reason")
    finish(lab, curl, path)


harness.main([test_user_manages_paths_of_other_users_programs,
              test_user_dead_path_is_closed,
              test_user_killed_restores_and_goes_on,
              test_user_goes_on_after_root,
              test_user_starts_whatever_root_left,
              test_user_low_port_is_not_announced])
