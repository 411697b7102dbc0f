"""The programs of a lab: a private D-Bus, mptcpized, nginx, curl, mptcpctl.

What we built is found through the environment variable MPTCPIZE_BUILD, the meson build directory.
nginx and curl are the distribution's, unmodified: with upgraded=True they run under LD_PRELOAD.
"""

import dataclasses
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time

import sandbox
from lab import PATIENCE, SERVER, WORK, Failed, Missing, command, read, wait_for, write

PATH_MANAGER = "/proc/sys/net/mptcp/path_manager"
PM_TYPE = "/proc/sys/net/mptcp/pm_type"  # before Linux 6.15
CLOSE_TIMEOUT = "/proc/sys/net/mptcp/close_timeout"  # since Linux 6.7
SHIM_VARIABLE = "MPTCPIZE_SHIM"  # where mptcpctl looks for the library in a build tree
BUS_CONF = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
"""
NGINX_CONF = """daemon off;
user www-data;
worker_processes {workers};
pid {work}/{name}.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  default_type application/octet-stream;
  client_body_temp_path {work}/{name};
  proxy_temp_path {work}/{name};
  fastcgi_temp_path {work}/{name};
  uwsgi_temp_path {work}/{name};
  scgi_temp_path {work}/{name};
{servers}
}}
"""
UPLOADS = "location /up/ { dav_methods PUT; client_max_body_size 0; }"


@dataclasses.dataclass(frozen=True)
class Build:
    """The binaries under test."""
    root: str

    @staticmethod
    def find():
        root = os.environ.get("MPTCPIZE_BUILD")
        if not root:
            raise Missing("MPTCPIZE_BUILD is not set", "set it to the meson build directory")
        build = Build(os.path.abspath(root))
        for path in (build.daemon, build.ctl, build.shim, f"{build.plugins}/fullmesh.so"):
            if not os.path.exists(path):
                raise Missing(f"{path} does not exist", "run ./setup build first")
        return build

    @property
    def daemon(self):
        return f"{self.root}/daemon/mptcpized"

    @property
    def ctl(self):
        return f"{self.root}/daemon/ctl/mptcpctl"

    @property
    def shim(self):
        return f"{self.root}/shim/libmptcpize.so"

    @property
    def plugins(self):
        return f"{self.root}/plugins"

    def preload(self):
        """Value of LD_PRELOAD. A sanitizer's runtime has to come before all other libraries."""
        libraries = subprocess.run(["ldd", self.shim], text=True, capture_output=True, check=False)
        sanitizer = re.findall(r"libasan\.so\S* => (\S+)", libraries.stdout)
        return ":".join(sanitizer + [self.shim])

    def preload_environ(self):
        """For an unmodified program. Its own leaks are not our business."""
        return {"LD_PRELOAD": self.preload(),
                "ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=0"}

    def run_environ(self):
        """For `mptcpctl run`, which sets LD_PRELOAD itself."""
        others = self.preload().split(":")[:-1]
        return {**self.preload_environ(), "LD_PRELOAD": ":".join(others), SHIM_VARIABLE: self.shim}


class Process:
    """A child process with its output in a file."""

    def __init__(self, argv, name, netns=None, env=None, **popen):
        os.makedirs(f"{WORK}/log", exist_ok=True)
        self.name = name
        self.argv = argv
        self.ends_with = None  # the exit code that it must have at SIGTERM; None: any
        self.log = f"{WORK}/log/{name}-{time.monotonic_ns()}"
        environ = {**os.environ, "LC_ALL": "C", **(env or {})}
        with open(self.log, "wb") as log, sandbox.inside(netns):
            popen.setdefault("stdin", subprocess.DEVNULL)
            popen.setdefault("stdout", log)
            self.popen = subprocess.Popen(argv, stderr=log, env=environ, **popen)

    def log_text(self):
        return read(self.log, "")

    def state(self):
        code = self.popen.poll()
        return "running" if code is None else f"ended with {code}"

    def running(self):
        return self.popen.poll() is None

    def send(self, signum):
        self.popen.send_signal(signum)

    def freeze(self):
        """All of its threads; until thaw()."""
        self.send(signal.SIGSTOP)
        tasks = f"/proc/{self.popen.pid}/task"
        wait_for(lambda: all(read(f"{tasks}/{each}/stat").rpartition(")")[2].split()[0] == "T"
                             for each in os.listdir(tasks)), f"{self.name} stands still")

    def thaw(self):
        self.send(signal.SIGCONT)

    def wait(self, timeout=PATIENCE * 3):
        """Its exit code; Failed if it doesn't end."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} has not ended within {timeout:.0f} s") from None

    def stop(self, signum=signal.SIGTERM):
        """Sends a signal and returns the exit code."""
        self.send(signum)
        return self.wait()

    def end(self):
        """For good, whatever state it is in."""
        if self.running():
            self.popen.terminate()
            try:
                self.popen.wait(5)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()


def bus_address(name="bus"):
    return f"unix:path={WORK}/{name}"


def start_bus(lab, name="bus"):
    """A system bus of our own; the one called bus is for every program started from now on."""
    os.makedirs(WORK, exist_ok=True)
    write(f"{WORK}/{name}.conf", BUS_CONF.format(address=bus_address(name)))
    reader, writer = os.pipe()
    bus = lab.add(Process(["dbus-daemon", f"--config-file={WORK}/{name}.conf", "--nofork",
                           "--nopidfile", f"--print-address={writer}"], "dbus-daemon",
                          pass_fds=(writer,)))
    os.close(writer)
    with os.fdopen(reader) as ready:  # a line once it listens, or end of file
        if not ready.readline():
            raise Failed(f"dbus-daemon did not start: {bus.log_text().strip()}")
    if name == "bus":
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = bus_address()
    return bus


class Notify:
    """The receiving end of sd_notify(3)."""

    def __init__(self, path):
        if os.path.exists(path):
            os.unlink(path)
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.socket.bind(path)

    def wait(self, wanted, process, timeout=PATIENCE):
        """Until that line arrives, or Failed: process ended or time is over."""
        end = time.monotonic() + timeout
        while True:
            if select.select([self.socket], [], [], 0.05)[0]:
                if wanted in self.socket.recv(4096).decode().splitlines():
                    return
            elif not process.running():
                raise Failed(f"{process.name} {process.state()} before {wanted}: "
                             f"{process.log_text().strip()}")
            elif time.monotonic() > end:
                raise Failed(f"{process.name} did not say {wanted} within {timeout:.0f} s")

    def close(self):
        self.socket.close()


class Daemon:
    """mptcpized, and its command line tool. conf: a dictionary, or text as it is.

    On the client; elsewhere it has to have a bus of its own, see daemon_at().
    """

    def __init__(self, lab, conf=None, name="mptcpized", netns=None, bus=None):
        self.lab = lab
        self.name = name
        self.netns = netns
        self.env = {"DBUS_SYSTEM_BUS_ADDRESS": bus_address(bus)} if bus else {}
        self.build = Build.find()
        self.conf_path = f"{WORK}/{name}.conf"
        self.runtime = f"{WORK}/{name}"
        self.policy_dirs = [f"{WORK}/{name}-share", f"{WORK}/{name}-etc"]
        self.process = None
        for directory in (self.runtime, *self.policy_dirs):
            os.makedirs(directory, exist_ok=True)
        self.configure(conf or {})

    def configure(self, conf):
        write(self.conf_path, conf if isinstance(conf, str) else json.dumps(conf, indent=2))

    def argv(self, *more):
        return [self.build.daemon, "--config", self.conf_path, "--runtime", self.runtime,
                "--plugins", self.build.plugins, "--policies", ":".join(self.policy_dirs), *more]

    def policy(self, name, policy, shipped=False):
        """Writes a policy, a dictionary or text as it is, or with None removes it. Its path."""
        path = f"{self.policy_dirs[0 if shipped else 1]}/{name}.json"
        if policy is None:
            os.unlink(path)
        else:
            write(path, policy if isinstance(policy, str) else json.dumps(policy, indent=2))
        return path

    def start(self, prefix=()):
        """Returns when it is ready. prefix: the words of a program that starts it."""
        notify = Notify(f"{self.runtime}-notify")
        self.process = self.lab.add(Process([*prefix, *self.argv()], self.name, self.netns,
                                            env={"NOTIFY_SOCKET": notify.path, **self.env}))
        self.process.ends_with = 0
        try:
            notify.wait("READY=1", self.process)
        finally:
            notify.close()
        return self

    def refusal(self, prefix=(), more=()):
        """Runs it where it has to give up. (exit code, what it printed)."""
        process = Process([*prefix, *self.argv(*more)], f"{self.name}-refused")
        try:
            return process.wait(), process.log_text()
        finally:
            process.end()

    def stop(self):
        return self.process.stop(signal.SIGTERM)

    def kill(self):
        return self.process.stop(signal.SIGKILL)

    def log_text(self):
        return self.process.log_text()

    def ctl(self, *args, env=None):
        """mptcpctl: a CompletedProcess, with text."""
        return run([self.build.ctl, *args], env={**self.env, **(env or {})})

    def query(self, *args):
        """mptcpctl --json, parsed; Failed if it fails."""
        done = self.ctl("--json", *args)
        if done.returncode != 0:
            raise Failed(f"mptcpctl --json {' '.join(args)}: exit {done.returncode}: "
                         f"{done.stderr.strip()}")
        return json.loads(done.stdout)

    def lacks(self, feature):
        """Has it found that this kernel doesn't have that?"""
        return feature in [row["name"] for row in self.query("status")["kernel"]["features"]
                           if row["state"] in ("missing", "fallback")]

    def connections(self):
        return self.query("connections")["connections"]

    def connection(self):
        """The only connection there is, with its subflows; Failed if there is not exactly one."""
        rows = self.connections()
        if len(rows) != 1:
            raise Failed(f"{len(rows)} connections")
        return self.query("show", rows[0]["token"])

    def subflows(self, state="established"):
        """Those of the only connection, in a state."""
        return [row for row in self.connection()["subflows"] if row["state"] == state]

    def shown(self):
        """All connections, with their subflows, by token. One that ends meanwhile is left out."""
        answers = {row["token"]: self.ctl("--json", "show", row["token"])
                   for row in self.connections()}
        return {token: json.loads(answer.stdout)
                for token, answer in answers.items() if answer.returncode == 0}


def daemon_at(lab, netns, conf=None):
    """mptcpized in another namespace, ready."""
    start_bus(lab, f"bus-{netns}")
    return Daemon(lab, conf, f"mptcpized-{netns}", netns, f"bus-{netns}").start()


def run(argv, netns=None, env=None, timeout=PATIENCE * 3, **popen):
    """Runs a program to its end: a CompletedProcess, with text."""
    popen = {"stdin": subprocess.DEVNULL, "text": True, **popen}
    with sandbox.inside(netns):
        return subprocess.run(argv, capture_output=True, timeout=timeout, check=False,
                              env={**os.environ, "LC_ALL": "C", **(env or {})}, **popen)


def path_manager():
    """Which one new sockets of the client get: "kernel" or "userspace"."""
    if os.path.exists(PATH_MANAGER):
        return read(PATH_MANAGER).strip()
    return "userspace" if read(PM_TYPE).strip() == "1" else "kernel"


def set_path_manager(name):
    if os.path.exists(PATH_MANAGER):
        write(PATH_MANAGER, name)
    else:
        write(PM_TYPE, "1" if name == "userspace" else "0")


def nginx_argv(servers, name="nginx", workers=1):
    """How to start an nginx with these server blocks, its files below WORK."""
    for directory in ("www", name):
        os.makedirs(f"{WORK}/{directory}", exist_ok=True)
    shutil.chown(f"{WORK}/{name}", "www-data")
    write(f"{WORK}/{name}.conf",
          NGINX_CONF.format(work=WORK, name=name, workers=workers, servers=servers))
    return ["nginx", "-c", f"{WORK}/{name}.conf", "-p", WORK]


class Nginx:
    """nginx on the server, or where it is told, port 80 of all addresses; takes uploads to /up/.

    dual: by one socket for both families, so that IPv4 comes as v4-mapped.
    """

    def __init__(self, lab, upgraded=True, netns=SERVER, dual=False):
        name = "nginx" if netns == SERVER else f"nginx-{netns}"
        argv = nginx_argv(f"  server {{ {self._listen(dual)} root {WORK}/www; {UPLOADS} }}", name)
        os.makedirs(f"{WORK}/www/up", exist_ok=True)
        shutil.chown(f"{WORK}/www/up", "www-data")
        env = Build.find().preload_environ() if upgraded else None
        self.process = lab.add(Process(argv, name, netns=netns, env=env))
        wait_for(lambda: self._listens(lab, netns), "nginx listens on port 80")

    @staticmethod
    def _listen(dual):
        if dual:
            return "listen [::]:80 ipv6only=off;"
        listen6 = "listen [::]:80 ipv6only=on;" if os.path.exists("/proc/sys/net/ipv6") else ""
        return f"listen 0.0.0.0:80; {listen6}"

    def _listens(self, lab, netns):
        if not self.process.running():
            raise Failed(f"nginx {self.process.state()}: {self.process.log_text().strip()}")
        return 80 in lab.listeners(netns)

    @staticmethod
    def file(name, size):
        """A file of random bytes to download. Its path."""
        path = f"{WORK}/www/{name}"
        command("dd", "if=/dev/urandom", f"of={path}", "bs=65536", "iflag=fullblock,count_bytes",
                f"count={size}", "status=none")
        return path


class Curl:
    """A download to a file. host: an address, without brackets."""

    def __init__(self, lab, host, name, upgraded=True, more=()):
        self.expected = f"{WORK}/www/{name}"
        self.path = f"{WORK}/got-{name}-{time.monotonic_ns()}"
        self.size = os.stat(self.expected).st_size
        bracketed = f"[{host}]" if ":" in host else host
        env = Build.find().preload_environ() if upgraded else None
        self.process = lab.add(Process(
            ["curl", "--silent", "--show-error", "--fail", "--globoff", "--noproxy", "*",
             "--output", self.path, *more, f"http://{bracketed}/{name}"], "curl", env=env))

    def received(self):
        """Bytes so far."""
        return os.stat(self.path).st_size if os.path.exists(self.path) else 0

    def reaches(self, share):
        """Waits until that share of the file is there."""
        wait_for(lambda: self._received_or_failed() >= share * self.size,
                 f"{share:.0%} of the download")

    def _received_or_failed(self):
        if self.process.popen.poll():
            raise Failed(f"curl {self.process.state()}: {self.process.log_text().strip()}")
        return self.received()

    def finish(self):
        """Waits for the end. Failed unless every byte is right."""
        code = self.process.wait()
        if code != 0:
            raise Failed(f"curl {self.process.state()}: {self.process.log_text().strip()}")
        command("cmp", self.path, self.expected)
        os.unlink(self.path)


def stage(lab, conf=None, upgraded=True, size=4_000_000, **nginx):
    """The usual scene: bus, nginx with a file "data" of that size, and the daemon, ready."""
    start_bus(lab)
    Nginx(lab, upgraded, **nginx)
    Nginx.file("data", size)
    return Daemon(lab, conf).start()


def start_with(lab, **policies):
    """A bus, and the daemon with these policies, ready."""
    start_bus(lab)
    daemon = Daemon(lab)
    for name, policy in policies.items():
        daemon.policy(name, policy)
    return daemon.start()


def wait_for_subflows(daemon, interfaces):
    """Until the only connection has established subflows on just these interfaces."""
    def there():
        found = sorted(str(row["interface"]) for row in daemon.subflows())
        if found != sorted(interfaces):
            raise Failed(f"now {found}")
        return True

    wait_for(there, f"established subflows on {sorted(interfaces)}")
