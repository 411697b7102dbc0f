#!/usr/bin/python3
"""mptcpctl run: programs that the preload library does not get into, and what the options do."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import harness
import sandbox
from harness import check, check_equal, needs_ipv6
from lab import SERVER, SERVICE4, SERVICE6, WORK, Failed, command, wait_for, write
from programs import Build, Nginx, Process, run

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run")
TCP, MPTCP = "6", "262"
SUPERVISOR, KEEPER = "mptcpctl-super", "mptcpctl-keeper"

# name: compiler, the rest of its command line, the environment
BUILDS = {
    "static": (["cc", "-static"], "get.c", {}),
    "static-pie": (["cc", "-static-pie"], "get.c", {}),
    "static-musl": (["musl-gcc", "-static"], "get.c", {}),
    "dynamic": (["cc"], "get.c", {}),
    "go": (["go", "build"], "get.go", {"CGO_ENABLED": "0"}),
    "go-cgo": (["go", "build"], "get.go", {"CGO_ENABLED": "1"}),
}
MISSING = {}  # name: why it could not be built


def build_programs(folder):
    """All programs, once for all tests; what can't be built here is in MISSING."""
    for name, (compiler, source, more) in BUILDS.items():
        if not shutil.which(compiler[0]):
            MISSING[name] = f"{compiler[0]} is not installed"
            continue
        env = {**os.environ, "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local",
               "GOCACHE": f"{folder}/cache", "GOPATH": f"{folder}/path", **more}
        done = subprocess.run([*compiler, "-o", f"{folder}/{name}", f"{SOURCES}/{source}"],
                              env=env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            MISSING[name] = f"{name} can't be built here: {done.stderr.strip().splitlines()[0]}"


class Session:
    """A program under mptcpctl run, which does what it is told line by line."""

    def __init__(self, lab, program, options=(), netns=None, prefix=()):
        build = Build.find()
        self.process = lab.add(Process(
            [*prefix, build.ctl, "run", *options, "--", f"{FOLDER}/{program}"], program, netns,
            env={**build.run_environ(), "XDG_RUNTIME_DIR": WORK}, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True))
        self.popen = self.process.popen

    def tell(self, *words):
        self.popen.stdin.write(" ".join(map(str, words)) + "\n")
        self.popen.stdin.flush()

    def answer(self):
        line = self.popen.stdout.readline().strip()
        if not line:
            raise Failed(f"{self.process.name} {self.process.wait()}: {self.process.log_text()}")
        return line

    def ask(self, *words):
        self.tell(*words)
        return self.answer()

    def get(self, verb, *where):
        """Downloads the file "data", which has to arrive as it is. The protocol of the socket."""
        copy = f"{WORK}/copy-{self.process.name}"
        protocol = self.ask(verb, *where, "/data", copy)
        command("cmp", copy, f"{WORK}/www/data")
        return protocol

    def end(self):
        """End of file: it has to end well. What it and mptcpctl wrote on standard error."""
        self.popen.stdin.close()
        check_equal(self.process.wait(), 0, "exit code")
        return self.process.log_text()


def serve_data(lab, netns=SERVER, size=1_000_000):
    """A web server with the file "data", which speaks MPTCP."""
    Nginx(lab, netns=netns)
    Nginx.file("data", size)


def opened(lab):
    """MPTCP connections that the client's kernel tried to open."""
    return lab.counters()["MPCapableSYNTX"]


def processes(name):
    """Process ids by the name of the process; the namespace has only ours."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="ascii") as file:
            head, tail = file.read().rsplit(")", 1)
            if head.split("(", 1)[1] == name and tail.split()[0] != "Z":
                found.append(int(pid))
    return found


def wait_for_nobody(name):
    wait_for(lambda: not processes(name), f"{name} ends")
    check(True, f"{name} has ended")


def for_each(*programs):
    """A test for each program; one that can't be built here is skipped, and says why."""
    def decorate(function):
        for program in programs:
            def test(lab, program=program):
                function(lab, program)
            test.__name__ = f"{function.__name__}_{program.replace('-', '_')}"
            test.__doc__ = f"{function.__doc__} ({program})"
            test.program = program
            TESTS.append(test)
        return function
    return decorate


def one(function):
    TESTS.append(function)
    return function


def shown(program):
    """The protocol that a program sees of its MPTCP socket: the library does not tell."""
    return TCP if program == "dynamic" else MPTCP


TESTS = []
UNREACHED = ("static", "static-pie", "static-musl", "go", "go-cgo")


@for_each(*UNREACHED, "dynamic")
def test_run_client_uses_mptcp(lab, program):
    """Each download is one MPTCP connection, and the file is right."""
    serve_data(lab)
    session = Session(lab, program)
    for count in (1, 2):
        check_equal(session.get("get", SERVICE4, 80), shown(program), "protocol of the socket")
        check_equal(opened(lab), count, "MPTCP connections opened")
    session.end()
    check_equal(lab.counters(SERVER)["MPCapableACKRX"], 2, "MPTCP connections at the server")
    wait_for_nobody(SUPERVISOR)
    wait_for_nobody(KEEPER)


@for_each(*UNREACHED)
def test_run_server_uses_mptcp(lab, program):
    """A server that listens on all addresses, and a client of the same kind."""
    os.makedirs(f"{WORK}/www", exist_ok=True)
    path = Nginx.file("data", 300_000)
    server = Session(lab, program, netns=SERVER)
    check_equal(server.ask("serve", "0.0.0.0", 8080, path), f"listening {MPTCP}", "the listener")
    build = Build.find()
    done = run([build.ctl, "run", "curl", "--silent", "--http0.9", "--output", f"{WORK}/copy",
                f"http://{SERVICE4}:8080/"], env=build.run_environ())
    check_equal(done.returncode, 0, "exit code of curl")
    command("cmp", path, f"{WORK}/copy")
    check_equal(server.answer(), MPTCP, "protocol of the accepted socket")
    check_equal(lab.counters(SERVER)["MPCapableACKRX"], 1, "MPTCP connections accepted")


@one
@needs_ipv6
def test_run_ipv6_client_uses_mptcp(lab):
    """The same over IPv6."""
    serve_data(lab)
    check_equal(Session(lab, "static").get("get", SERVICE6, 80), MPTCP, "protocol")
    check_equal(opened(lab), 1, "MPTCP connections opened")


@one
def test_run_script_of_both_kinds_uses_mptcp(lab):
    """A shell script: curl has the library, the others are supervised; one connection each."""
    build = Build.find()
    serve_data(lab)
    statics = [name for name in ("static", "go") if name not in MISSING]
    lines = [f"echo 'get {SERVICE4} 80 /data {WORK}/{name}' | {FOLDER}/{name} && "
             f"cmp {WORK}/{name} {WORK}/www/data || exit 1" for name in statics]
    write(f"{WORK}/both.sh", "#!/bin/sh\n" + "\n".join(
        [f"curl --silent --fail --output {WORK}/curl http://{SERVICE4}/data || exit 2", *lines,
         f"cmp {WORK}/curl {WORK}/www/data"]) + "\n")
    os.chmod(f"{WORK}/both.sh", 0o755)
    done = run([build.ctl, "run", f"{WORK}/both.sh"], env=build.run_environ())
    check_equal((done.returncode, done.stdout.split()), (0, [MPTCP] * len(statics)), "the script")
    check_equal(opened(lab), 1 + len(statics), "MPTCP connections opened")


@one
def test_run_library_decides_where_it_is(lab):
    """A supervised program with the library: what the library makes TCP is not upgraded again."""
    serve_data(lab)
    session = Session(lab, "dynamic", ["--supervise"])
    session.get("peek", SERVICE4, 80)
    check_equal(opened(lab), 0, "MPTCP connections opened with an option of TCP")
    session.get("get", SERVICE4, 80)
    check_equal(opened(lab), 1, "MPTCP connections opened without")


@for_each("static", "go")
def test_run_loopback_stays_tcp(lab, program):
    """To an address of loopback, and listening there."""
    serve_data(lab, netns=None)
    session = Session(lab, program, ["--verbose"])
    check_equal(session.get("get", "127.0.0.1", 80), TCP, "protocol of the socket")
    session.tell("serve", "127.0.0.1", 8080, f"{WORK}/www/data")
    check_equal(session.answer(), f"listening {TCP}", "the listener")
    check_equal(opened(lab), 0, "MPTCP connections opened")
    done = run(["curl", "--silent", "--http0.9", "--output", f"{WORK}/copy",
                "http://127.0.0.1:8080/"])
    check_equal(done.returncode, 0, "exit code of curl")
    session.answer()
    text = session.end()
    check("mptcpctl: plain TCP by policy, loopback: 2\n" in text, f"report: {text!r}")


@for_each("static", "go")
def test_run_bound_socket_stays_tcp(lab, program):
    """A client that has bound its socket to one address keeps it, and gets TCP."""
    serve_data(lab)
    session = Session(lab, program)
    check_equal(session.get("from", lab.paths[1].client4, SERVICE4, 80), TCP, "protocol")
    check_equal(opened(lab), 0, "MPTCP connections opened")
    check_equal(session.get("get", SERVICE4, 80), MPTCP, "protocol of the next one")


@one
def test_run_watched_socket_is_kept(lab):
    """A socket that epoll or another descriptor has is not replaced, and works."""
    serve_data(lab, netns=None)
    session = Session(lab, "static", ["--verbose"])
    for verb in ("watched", "twice"):
        check_equal(session.get(verb, "127.0.0.1", 80), MPTCP, f"protocol if {verb}")
    text = session.end()
    for why in ("registered with epoll", "shared by descriptors or processes"):
        check(f"could not, {why}: 1\n" in text, f"report of {why}")


@one
def test_run_mode_off_stays_tcp(lab):
    """--mode off: nothing is MPTCP, for both kinds of programs; its file is removed."""
    serve_data(lab)
    for program in ("static", "dynamic"):
        session = Session(lab, program, ["--mode", "off"])
        check_equal(session.get("get", SERVICE4, 80), TCP, f"protocol of {program}")
        check(any(name.startswith("mptcpctl-policy-") for name in os.listdir(WORK)), "a database")
        session.end()
        check(not any(name.startswith("mptcpctl-") for name in os.listdir(WORK)), "no file left")
    check_equal(opened(lab), 0, "MPTCP connections opened")


@for_each("static", "go", "dynamic")
def test_run_policy_is_heeded(lab, program):
    """--policy: a port is left out, an option is set."""
    serve_data(lab)
    lab.add(Process([sys.executable, "-m", "http.server", "81", "--directory", f"{WORK}/www"],
                    "http.server", netns=SERVER))
    wait_for(lambda: 81 in lab.listeners(SERVER), "a server on port 81")
    write(f"{WORK}/policy.json", f"""{{ "match": {{ "app": "{program}" }},
          "socket": {{ "except": [ {{ "port": "81" }} ], "congestion": "reno" }} }}""")
    session = Session(lab, program, ["--policy", f"{WORK}/policy.json", "--verbose"])
    check_equal(session.get("get", SERVICE4, 80), shown(program), "protocol to port 80")
    check_equal(session.get("get", SERVICE4, 81), TCP, "protocol to port 81")
    check("an exception of the policy: 1\n" in session.end(), "the report says why")
    check_equal(opened(lab), 1, "MPTCP connections opened")


@one
def test_run_execution_changes_the_policy(lab):
    """A process that executes the same file by another name is another program."""
    serve_data(lab)
    os.symlink("static", f"{FOLDER}/other")
    write(f"{WORK}/policy.json",
          '{ "match": { "app": "other" }, "paths": { "mode": "off" } }')
    session = Session(lab, "static", ["--policy", f"{WORK}/policy.json"])
    check_equal(session.get("get", SERVICE4, 80), MPTCP, "protocol before")
    session.tell("exec", f"{FOLDER}/other")
    check_equal(session.get("get", SERVICE4, 80), TCP, "protocol after")


@one
def test_run_other_namespace_is_left_alone(lab):
    """A program that enters another network namespace gets its sockets there."""
    build = Build.find()
    serve_data(lab)
    write(f"{WORK}/line", f"get 127.0.0.1 80 /data {WORK}/copy\n")
    done = run([build.ctl, "run", "--supervise", "sh", "-c",
                f"nsenter --net=/run/netns/{SERVER} {FOLDER}/static < {WORK}/line"],
               env=build.run_environ())
    check_equal((done.returncode, done.stdout.strip()), (0, TCP), "exit code and protocol")
    command("cmp", f"{WORK}/copy", f"{WORK}/www/data")


@for_each("static", "go")
def test_run_killed_supervisor_leaves_tcp(lab, program):
    """kill -9 of the supervisor: the program goes on, with TCP."""
    serve_data(lab)
    session = Session(lab, program)
    check_equal(session.get("get", SERVICE4, 80), MPTCP, "protocol before")
    session.tell("sockets", 20000)
    for pid in processes(SUPERVISOR):
        os.kill(pid, signal.SIGKILL)
    check_equal(session.answer(), "20000", "sockets made meanwhile")
    check_equal(processes(SUPERVISOR), [], "supervisors")
    check_equal(session.get("get", SERVICE4, 80), TCP, "protocol after")
    check_equal(opened(lab), 1, "MPTCP connections opened")
    session.end()
    wait_for_nobody(KEEPER)


@one
def test_run_killed_keeper_changes_nothing(lab):
    """kill -9 of the keeper: the supervisor goes on."""
    serve_data(lab)
    session = Session(lab, "static")
    check_equal(session.get("get", SERVICE4, 80), MPTCP, "protocol before")
    for pid in processes(KEEPER):
        os.kill(pid, signal.SIGKILL)
    check_equal(session.get("get", SERVICE4, 80), MPTCP, "protocol after")
    session.end()
    wait_for_nobody(SUPERVISOR)


@one
def test_run_signals_of_a_service_manager_are_ignored(lab):
    """SIGTERM to all processes: the program may still need the supervisor while it ends."""
    serve_data(lab)
    session = Session(lab, "static")
    session.get("get", SERVICE4, 80)
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        for pid in processes(SUPERVISOR) + processes(KEEPER):
            os.kill(pid, signum)
    check_equal(session.get("get", SERVICE4, 80), MPTCP, "protocol after")
    session.end()


@one
def test_run_unprivileged_user_uses_mptcp(lab):
    """A user without rights; the program gains none any more."""
    serve_data(lab)
    os.chmod(WORK, 0o777)
    session = Session(lab, "static", prefix=["setpriv", "--reuid", "65534", "--regid", "65534",
                                             "--clear-groups", "--inh-caps", "-all"])
    check_equal(session.get("get", SERVICE4, 80), MPTCP, "protocol")
    with open(f"/proc/{session.popen.pid}/status", encoding="ascii") as status:
        check("NoNewPrivs:\t1\n" in status.readlines(), "no_new_privs is set")
    session.end()
    wait_for_nobody(KEEPER)


@one
def test_run_nested_is_upgraded_once(lab):
    """mptcpctl run in mptcpctl run: the outer one supervises."""
    build = Build.find()
    serve_data(lab)
    session = Session(lab, "static", prefix=[build.ctl, "run", "--supervise", "--"])
    check_equal(session.get("get", SERVICE4, 80), MPTCP, "protocol")
    check_equal(opened(lab), 1, "MPTCP connections opened")
    check_equal(len(processes(SUPERVISOR)), 1, "supervisors")


@one
def test_run_switched_off_is_not_supervised(lab):
    """--no-supervise, and a kernel without MPTCP."""
    serve_data(lab)
    session = Session(lab, "static", ["--no-supervise"])
    check_equal(session.get("get", SERVICE4, 80), TCP, "protocol without supervision")
    check_equal(processes(SUPERVISOR), [], "supervisors")
    session.end()
    write("/proc/sys/net/mptcp/enabled", "0")
    session = Session(lab, "static", ["--verbose"])
    check_equal(session.get("get", SERVICE4, 80), TCP, "protocol without MPTCP")
    check("refused by the kernel, so plain TCP, Protocol not available: 1\n" in session.end(),
          "the report says so")


def main():
    for test in TESTS:
        if (program := getattr(test, "program", "static")) in MISSING:
            test.obstacle = lambda reason=MISSING[program]: reason
    harness.main(TESTS)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="mptcpize-run-") as FOLDER:
        os.chmod(FOLDER, 0o755)
        build_programs(FOLDER)
        sys.exit(main())
