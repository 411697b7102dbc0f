#!/usr/bin/python3
"""mptcpctl doctor: a healthy host has no finding; each thing that is broken has just its own, and
where a command mends it, doing what the finding says makes it go away."""

import os
import pwd
import re
import shlex
import shutil
import subprocess
import tempfile

import harness
import netmanager
from doctor import (SOURCES, Report, apply, environ, finds, is_healthy, listening, mends,
                    plain_get)
from harness import check, check_equal, needs_ipv6, needs_program
from lab import SERVICE4, WORK, command, ip_batch, read, wait_for, write
from programs import (SHIM_VARIABLE, Build, Curl, Daemon, Process, run, stage, start_bus,
                      wait_for_subflows)

CHECKS = ["mptcp", "sysctls", "daemon", "networkmanager", "path-manager", "policies", "library",
          "interfaces", "routing", "firewall", "programs", "peers", "authentication"]
OTHER = "1"  # the user id of somebody who is not root


def test_doctor_healthy_host_is_fine(lab):
    """Two uplinks, a daemon, a download over both: no warning, all was looked at, exit 0."""
    daemon = stage(lab)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    report = Report()
    check_equal(report.worse(), set(), "findings")
    check_equal(report.status, 0, "exit code")
    check_equal([row["check"] for row in report.report["checks"]], CHECKS, "checks")
    check_equal((report.report["complete"], report.report["root"]), (True, True),
                "complete, root")
    for name in ("mptcp", "interfaces", "routing", "firewall", "programs", "daemon"):
        check_equal(report.is_checked(name), ("ok", True), f"check {name}")
    lab.open_throttle()
    curl.finish()


def test_doctor_text_has_every_finding(lab):
    """For people: the same findings, each with its remedy, and no colours into a pipe."""
    daemon = stage(lab)
    lab.path_down(1)
    wait_for(lambda: ("interfaces", "uplinks", "warning") in Report().worse(), "it notices")
    report = Report()
    done = run([daemon.build.ctl, "doctor"], env=environ())
    check_equal(done.returncode, 0, "exit code")
    check("\033" not in done.stdout, "no colours")
    for row in report.findings:
        check(row["what"] in done.stdout, f"text has {row['what']!r}")
        if row["remedy"]:
            check(f"# {row['remedy']}" in done.stdout, f"text has {row['remedy']!r}")
    check("1 warning" in done.stdout, f"summary: {done.stdout.splitlines()[-1]}")


def test_doctor_ordinary_user_is_told_what_was_not_seen(lab):
    """Without root: exit 0, and what nobody could look at never counts as right."""
    stage(lab)
    listening(lab, plain_get())
    ctl = shutil.copy(Build.find().ctl, f"{WORK}/mptcpctl")
    report = Report(["setpriv", "--reuid", OTHER, "--clear-groups"], ctl)
    check_equal((report.worse(), report.status), (set(), 0), "findings and exit code")
    check_equal((report.report["complete"], report.report["root"]), (False, False),
                "complete, root")
    check_equal(report.is_checked("firewall"), ("note", False), "check firewall")
    check_equal(report.find("firewall", "firewall")["remedy"], "sudo mptcpctl doctor", "remedy")
    check("1 plain TCP socket" in report.find("programs", "programs")["what"],
          "root's programs are counted, not looked at")
    check_equal(report.is_checked("routing"), ("ok", True), "check routing")
    check_equal(report.is_checked("interfaces"), ("ok", True), "check interfaces")


# The kernel

def test_doctor_sysctls_are_found_and_mended(lab):
    """Each sysctl that is in the way, set behind the daemon's back or before it."""
    stage(lab)
    for name, value, good, where, severity in (
            ("enabled", 0, 1, "mptcp", "broken"),
            ("path_manager", "kernel", "userspace", "sysctls", "broken"),
            ("add_addr_timeout", 0, 120, "sysctls", "warning"),
            ("checksum_enabled", 1, 0, "sysctls", "note"),
            ("allow_join_initial_addr_port", 0, 1, "sysctls", "note"),
            ("close_timeout", 7, None, "sysctls", "warning"),
            ("syn_retrans_before_tcp_fallback", 9, 2, "sysctls", "warning")):
        path = f"/proc/sys/net/mptcp/{name}"
        if not os.path.exists(path):
            lab.note(f"this kernel has no {name}")
            continue
        was = read(path).strip()
        write(path, str(value))
        mends(where, f"net.mptcp.{name}", severity,
              f"sysctl -w net.mptcp.{name}={good if good is not None else was}")
        check_equal(read(path).strip(), was, name)


def test_doctor_endpoint_of_the_kernel_is_found(lab):
    """An endpoint that somebody added does nothing; and the remedy deletes it."""
    stage(lab)
    ip_batch([f"mptcp endpoint add {lab.paths[1].client4} dev lte0 subflow"])
    mends("path-manager", f"endpoint {lab.paths[1].client4}", "warning",
          "ip mptcp endpoint delete id 1")
    check_equal(command("ip", "mptcp", "endpoint"), "", "endpoints")


# The daemon

def test_doctor_stopped_daemon_is_found(lab):
    """Stopped, it is one finding; started again, all is well."""
    daemon = stage(lab)
    daemon.stop()
    finds("daemon", "mptcpized", "broken", "mptcpized")
    check_equal(Report().is_checked("policies"), ("note", False), "check policies")
    daemon.start()
    is_healthy()


def test_doctor_killed_daemon_leaves_path_manager(lab):
    """Killed, it leaves the sysctl behind, and --restore puts it back."""
    daemon = stage(lab)
    daemon.kill()
    finds("sysctls", "net.mptcp.path_manager", "warning", "mptcpized --restore",
          {("daemon", "mptcpized", "broken")})
    check_equal(daemon.refusal(more=["--restore"])[0], 0, "exit code of --restore")
    finds("daemon", "mptcpized", "broken", "mptcpized")


def test_doctor_no_bus_is_found(lab):
    """Without a system bus nobody can be asked, and nothing else is wrong."""
    del lab
    os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={WORK}/nosuchbus"
    finds("daemon", "system bus", "broken", "systemctl start dbus")


def test_doctor_policy_with_error_is_found(lab):
    """A file with a mistake is not in force; mended, what the finding says reads it."""
    start_bus(lab)
    daemon = Daemon(lab)
    path = daemon.policy("bad", '{ "match": { "app": "x" }, "nonsense": 1 }')
    daemon.start()
    remedy = f"mptcpctl policy check '{path}' && mptcpctl reload"
    row = finds("policies", path, "broken", remedy)
    check("nonsense" in row["what"], "it names the mistake")
    check(run(["sh", "-c", remedy], env=environ()).returncode, "the remedy fails as it is")
    daemon.policy("bad", {"match": {"app": "x"}})
    apply(f"{remedy} > {WORK}/null")
    is_healthy()


def test_doctor_missing_files_are_found(lab):
    """The database, the hint socket, the library."""
    daemon = stage(lab)
    os.unlink(f"{daemon.runtime}/hint")
    finds("library", f"{daemon.runtime}/hint", "broken", "systemctl restart mptcpized")
    daemon.stop()
    daemon.start()
    os.chmod(f"{daemon.runtime}/policy.db", 0o600)
    finds("policies", f"{daemon.runtime}/policy.db", "broken", "systemctl restart mptcpized")
    os.chmod(f"{daemon.runtime}/policy.db", 0o644)
    is_healthy()
    done = run([daemon.build.ctl, "--json", "doctor"], env={SHIM_VARIABLE: f"{WORK}/none.so"})
    check_equal(done.returncode, 1, "exit code without the library")
    check(f"{WORK}/none.so" in done.stdout, "it names the library")


# The network

def test_doctor_interface_down_is_found(lab):
    """The second uplink goes down: one path is left, and a note says which is missing."""
    stage(lab)
    lab.path_down(1)
    wait_for(lambda: Report().worse(), "it notices")
    finds("interfaces", "lte0", "note", "ip link set 'lte0' up",
          {("interfaces", "uplinks", "warning")})
    apply("ip link set 'lte0' up")
    lab.path_up(1)
    wait_for(lambda: not Report().worse(), "it is well again")


def test_doctor_role_off_is_told(lab):
    """An uplink that is off by configuration is a note, and that one path is left a warning."""
    stage(lab, {"interfaces": {"lte0": "off"}})
    remedy = "mptcpctl interface 'lte0' on --keep"
    finds("interfaces", "lte0", "note", remedy, {("interfaces", "uplinks", "warning")})
    check_equal(run(["sh", "-c", remedy], env=environ()).returncode, 0, "exit code of the remedy")
    wait_for(lambda: not Report().worse(), "it is well again")


def test_doctor_docker_interface_is_only_noted(lab):
    """What is off by default is none of our uplinks."""
    ip_batch(["link add docker0 type veth peer name other0", "link set docker0 up",
              "link set other0 up", "addr add 172.17.0.1/16 dev docker0"])
    stage(lab)
    report = Report()
    check_equal(report.worse(), set(), "findings")
    check_equal(report.find("interfaces", "docker0")["severity"], "note", "severity of docker0")


def test_doctor_inner_interfaces_are_no_alarm(lab):
    """A bridge for guests with its port, and an IPv6 network without a way out: all is well."""
    ip_batch(["link add guests0 type bridge", "link set guests0 up",
              "link add port0 type veth peer name port1", "link set port0 master guests0 up",
              "link set port1 up", "addr add 192.168.77.1/24 dev guests0",
              "addr add fd00:77::1/64 dev wifi0 nodad"])
    stage(lab)
    report = Report()
    check_equal(report.worse(), set(), "findings")
    row = report.find("routing", "guests0")
    check_equal((row["severity"], row["remedy"]),
                ("note", "mptcpctl interface 'guests0' off --keep"), "finding of the bridge")
    check("port0" not in {each["subject"] for each in report.findings}, "none of its port")


def test_doctor_names_are_words_of_a_shell(lab):
    """A name that a shell would run: what is pasted does not."""
    name = "';id>&2;'"
    ip_batch([f'link add "{name}" type veth peer name other0', f'link set "{name}" up',
              "link set other0 up"])
    stage(lab)
    row = Report().find("interfaces", name)
    check_equal(shlex.split(row["remedy"]), ["ip", "address", "show", "dev", name], "remedy")
    apply(f"{row['remedy']} >/dev/null")


def strict(value="1"):
    write("/proc/sys/net/ipv4/conf/lte0/rp_filter", value)


def test_doctor_strict_filter_is_found(lab):
    """Strict rp_filter on the second uplink, and nobody helps: answers are dropped."""
    strict()
    stage(lab, {"routing": "off"})
    mends("routing", "lte0", "broken", "sysctl -w net.ipv4.conf.lte0.rp_filter=2")


def test_doctor_strict_filter_with_own_rule_is_fine(lab):
    """The same, and the daemon's rule leads back: a note."""
    strict()
    stage(lab)
    report = Report()
    check_equal(report.worse(), set(), "findings")
    row = report.find("routing", "lte0")
    check_equal(row["severity"], "note", "severity")
    check("own rule and table" in row["what"], f"it says {row['what']!r}")


def test_doctor_missing_route_is_found(lab):
    """No default route on the second uplink, whose gateway only the user knows."""
    gateway = lab.paths[1].net4 + ".254"
    stage(lab)
    ip_batch([f"route del default via {gateway} dev lte0"])
    remedy = "ip -4 route add default via GATEWAY dev lte0 metric 1000"
    finds("routing", "lte0", "warning", remedy)
    apply(remedy.replace("GATEWAY", gateway))
    wait_for(lambda: not Report().worse(), "it is well again")


@needs_ipv6
def test_doctor_missing_ipv6_is_told(lab):
    """IPv6 on one uplink only, and two uplinks in one network: notes."""
    stage(lab)
    ip_batch([f"addr del {lab.paths[1].client6}/64 dev lte0",
              f"addr add {lab.paths[0].net4}.77/24 dev lte0"])
    wait_for(lambda: any("has no IPv6" in row["what"] for row in Report().findings), "it is told")
    report = Report()
    check_equal(report.worse(), set(), "findings")
    check(any(row["subject"] == "wifi0, lte0" and "both are in 192.0.2.0/24" in row["what"]
              for row in report.findings), "both are in one network")


# The firewall

NFT = """table inet mine {{
  chain out {{ type filter hook {hook} priority 0; {rule}; }}
}}
"""


def with_rule(rule, severity, hook="output"):
    """A rule of nftables is found by its handle, and its remedy deletes it."""
    command("nft", "-f", "-", stdin=NFT.format(hook=hook, rule=rule))
    listed = command("nft", "-a", "list", "chain", "inet", "mine", "out")
    place = f"inet mine out handle {re.findall(r'# handle (.+)', listed)[-1]}"
    if severity is None:
        report = Report()
        check_equal([row for row in report.findings if "handle" in row["subject"]], [],
                    f"findings of '{rule}'")
    else:
        mends("firewall", place, severity, f"nft delete rule {place}")
        left = command("nft", "-a", "list", "chain", "inet", "mine", "out")
        check_equal(left.count("# handle"), listed.count("# handle") - 1, "handles left")
    command("nft", "delete", "table", "inet", "mine")


def test_doctor_nftables_rules_are_found(lab):
    """Rules that strip or drop Multipath TCP, or a path; and others, that don't."""
    stage(lab)
    for rule, severity in (("tcp option mptcp exists drop", "broken"),
                           ("reset tcp option mptcp", "broken"),
                           ("tcp option mptcp subtype 1 counter drop", "broken"),
                           ("tcp flags syn tcp option mptcp exists reject", "broken"),
                           ("ip daddr 10.9.9.9 tcp option mptcp exists drop", "warning"),
                           ('oifname "lte0" drop', "broken"),
                           ('oifname { "lte0", "ppp0" } counter drop', "broken"),
                           ("ip saddr 198.51.100.0/24 drop", "broken"),
                           ("ct state invalid drop", "note"),
                           ("tcp option mptcp missing drop", None),
                           ('oifname "lte0" tcp dport 25 drop', None),
                           ('oifname "ppp0" drop', None),
                           ("ip saddr 10.9.9.0/24 drop", None),
                           ("ct state new counter", None)):
        with_rule(rule, severity)
    with_rule("tcp option mptcp exists drop", "note", "forward")


@needs_program("iptables")
def test_doctor_iptables_rules_are_found(lab):
    """Those that nft can't show."""
    stage(lab)
    for table, rule, severity in (
            ("mangle", "OUTPUT -p tcp -j TCPOPTSTRIP --strip-options 30", "broken"),
            ("filter", "OUTPUT -p tcp -m tcp --tcp-option 30 -j DROP", "broken"),
            ("filter", "OUTPUT -m conntrack --ctstate INVALID -j DROP", "note")):
        done = run(["iptables", "-t", table, "-A", *rule.split()])
        if done.returncode != 0:
            lab.note(f"left out, as iptables can't do it here: {done.stderr.strip()}")
            continue
        mends("firewall", f"iptables {table} OUTPUT", severity, f"iptables -t {table} -D {rule}")


# NetworkManager

@harness.needs(netmanager.DISPATCHER, "network-manager is not installed")
@needs_program("nmcli")
def test_doctor_networkmanager_endpoints_are_told(lab):
    """The real one makes endpoints unasked, and knows what is metered; its remedies stay."""
    stage(lab)
    manager = netmanager.NetworkManager(lab)
    os.unlink(netmanager.SCRIPT)  # which would make the metered one a backup by itself
    for path, metered in zip(lab.paths, ("no", "yes")):
        manager.cli("connection", "add", "type", "ethernet", "con-name", path.name, "ifname",
                    path.name, "autoconnect", "no", "ipv4.method", "manual", "ipv4.addresses",
                    f"{path.client4}/24", "ipv4.gateway", f"{path.net4}.254", "ipv4.route-metric",
                    str(path.metric), "ipv6.method", "disabled", "connection.metered", metered)
        manager.up(path.name)
    wait_for(lambda: command("ip", "mptcp", "endpoint").count("subflow") == 2, "two endpoints")
    report = Report()
    check_equal(report.worse(), set(), "findings")
    rows = [row for row in report.findings if row["check"] == "networkmanager"]
    remedies = {row["remedy"] for row in rows}
    check_equal(remedies, {"mptcpctl interface 'lte0' backup --keep"} | {
        r"printf '[connection]\nconnection.mptcp-flags=1\n' "
        ">/etc/NetworkManager/conf.d/mptcp.conf && nmcli general reload conf && "
        f"nmcli connection up '{name}'" for name in ("wifi0", "lte0")}, "remedies")
    for remedy in remedies:
        check_equal(run(["sh", "-c", remedy], env=environ()).returncode, 0, f"exit of {remedy}")
    wait_for(lambda: Report().is_checked("networkmanager") == ("ok", True), "all is well")
    check_equal(command("ip", "mptcp", "endpoint").strip(), "", "endpoints")


# Programs

def downloading(lab, path, env=None):
    """A program in the middle of a download, told by its standard input."""
    process = lab.add(Process([path], os.path.basename(path), env=env, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True))
    process.popen.stdin.write(f"get {SERVICE4} 80 /data {WORK}/copy\n")
    process.popen.stdin.flush()
    wait_for(lambda: os.stat(f"{WORK}/copy").st_size > 0, "the download begins")
    return process


def ends(lab, process):
    lab.open_throttle()
    process.popen.stdin.close()
    check_equal(process.wait(), 0, "exit code")
    os.unlink(f"{WORK}/copy")
    wait_for(lambda: Report().is_checked("programs") == ("ok", True), "no finding of programs")


def is_told(lab, path, words, remedy):
    """With LD_PRELOAD, a warning; without, a note."""
    for env, severity in ((Build.find().preload_environ(), "warning"), ({}, "note")):
        lab.set_rate(0, 20)
        lab.set_rate(1, 20)
        process = downloading(lab, path, env)
        row = finds("programs", path, severity, remedy)
        check(words in row["what"], f"it says {words!r}")
        ends(lab, process)


def test_doctor_static_program_is_told(lab):
    """A static program with a connection; under a supervisor, as the remedy says, it is MPTCP."""
    stage(lab, size=30_000_000)
    path = f"{WORK}/static-get"
    command("cc", "-static", "-o", path, f"{SOURCES}/get.c")
    is_told(lab, path, "it is a static program (1 plain TCP connection,",
            f"mptcpctl run --supervise -- '{path}'")


@needs_program("go")
def test_doctor_go_program_is_told(lab):
    """A Go program with a connection."""
    stage(lab, size=30_000_000)
    path = f"{WORK}/go-get"
    with tempfile.TemporaryDirectory() as folder:
        done = run(["go", "build", "-o", path, f"{SOURCES}/get.go"], timeout=300, env={
            "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local",
            "GOCACHE": f"{folder}/cache", "GOPATH": f"{folder}/path"})
    check_equal(done.returncode, 0, f"exit code of go build {done.stderr}")
    is_told(lab, path, "it is a Go program", f"mptcpctl run --supervise -- '{path}'")


def test_doctor_setuid_program_is_told(lab):
    """A setuid copy of curl: the library does not get into it."""
    stage(lab, size=30_000_000)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # /run has no setuid programs
        os.chmod(folder, 0o755)
        path = shutil.copy(os.path.realpath(shutil.which("curl")), f"{folder}/setuid-curl")
        shutil.chown(path, int(OTHER))
        owner = pwd.getpwuid(int(OTHER)).pw_name
        os.chmod(path, 0o4755)
        process = lab.add(Process([path, "--silent", "--noproxy", "*", "--output", "/dev/null",
                                   f"http://{SERVICE4}/data"], "setuid-curl",
                                  env=Build.find().preload_environ()))
        wait_for(lambda: ("programs", path) in {(row["check"], row["subject"])
                                                for row in Report().findings}, "it is told")
        row = Report().find("programs", path)
        check_equal((row["severity"], row["remedy"]),
                    ("warning", f"sudo -u '{owner}' mptcpctl run -- '{path}'"), "finding")
        check("it gains rights" in row["what"], "it says why")
        lab.open_throttle()
        check_equal(process.wait(), 0, "exit code")


def test_doctor_program_with_library_is_told_of_policy(lab):
    """Off by policy, with the library in it; and started without the library."""
    daemon = stage(lab, size=30_000_000)
    path = plain_get()
    daemon.policy("get", {"match": {"app": "plain-get"}, "paths": {"mode": "off"}})
    check_equal(daemon.ctl("reload").returncode, 0, "exit code of reload")
    env = {**Build.find().preload_environ(), "MPTCPIZE_POLICY": f"{daemon.runtime}/policy.db"}
    process = downloading(lab, path, env)
    row = finds("programs", path, "note", f"mptcpctl policy explain '{path}' '{SERVICE4}:80'")
    check("left its sockets alone" in row["what"], "it says why")
    ends(lab, process)
    lab.set_rate(0, 20)
    process = downloading(lab, path)
    row = finds("programs", path, "note", f"mptcpctl run -- '{path}'")
    check("without the library" in row["what"], "it says why")
    ends(lab, process)


def test_doctor_listener_at_one_address_is_told_of_policy(lab):
    """It has the library, and stays TCP. The remedy says why, of the socket that it is."""
    daemon = stage(lab)
    path = plain_get()
    listening(lab, path, Build.find().preload_environ(), "192.0.2.1")
    finds("programs", path, "note",
          f"mptcpctl policy explain --listen '{path}' '192.0.2.1:8000'")
    told = daemon.ctl("policy", "explain", "--listen", path, "192.0.2.1:8000")
    check("bound to one address" in told.stdout, "the remedy tells why")


# Peers

def test_doctor_plain_server_is_told(lab):
    """The server speaks plain TCP: the kernel has counted it, and the connection is listed."""
    stage(lab, upgraded=False, size=30_000_000)
    check_equal(Report().is_checked("peers"), ("ok", True), "check peers before")
    curl = Curl(lab, SERVICE4, "data")
    curl.reaches(0.01)
    report = Report()
    check_equal((report.worse(), report.status), (set(), 0), "findings and exit code")
    counted = report.find("peers", "MPCapableFallbackSYNACK")
    check(counted["what"].startswith("1 since boot: a server answered"), f"{counted['what']!r}")
    peer = report.find("peers", f"peer {SERVICE4}")
    check_equal((peer["severity"], peer["remedy"]),
                ("note", f"ssh {SERVICE4} sysctl net.mptcp.enabled"), "finding of the peer")
    lab.open_throttle()
    curl.finish()


harness.main([test_doctor_healthy_host_is_fine,
              test_doctor_text_has_every_finding,
              test_doctor_ordinary_user_is_told_what_was_not_seen,
              test_doctor_sysctls_are_found_and_mended,
              test_doctor_endpoint_of_the_kernel_is_found,
              test_doctor_stopped_daemon_is_found,
              test_doctor_killed_daemon_leaves_path_manager,
              test_doctor_no_bus_is_found,
              test_doctor_policy_with_error_is_found,
              test_doctor_missing_files_are_found,
              test_doctor_interface_down_is_found,
              test_doctor_role_off_is_told,
              test_doctor_docker_interface_is_only_noted,
              test_doctor_inner_interfaces_are_no_alarm,
              test_doctor_names_are_words_of_a_shell,
              test_doctor_strict_filter_is_found,
              test_doctor_strict_filter_with_own_rule_is_fine,
              test_doctor_missing_route_is_found,
              test_doctor_missing_ipv6_is_told,
              test_doctor_nftables_rules_are_found,
              test_doctor_iptables_rules_are_found,
              test_doctor_networkmanager_endpoints_are_told,
              test_doctor_static_program_is_told,
              test_doctor_go_program_is_told,
              test_doctor_setuid_program_is_told,
              test_doctor_program_with_library_is_told_of_policy,
              test_doctor_listener_at_one_address_is_told_of_policy,
              test_doctor_plain_server_is_told])
