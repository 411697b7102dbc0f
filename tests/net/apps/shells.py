"""OpenSSH: sshd with its privilege separation, ssh, scp."""

import os

from apps.case import DATA, case, check_same, file, folder, path
from apps.proxies import BACKEND, BACKEND_SERVER
from lab import SERVICE6, command, wait_for
from programs import nginx_argv

SSHD_CONF = """Port 22
HostKey {work}/hostkey
AuthorizedKeysFile {work}/key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
Subsystem sftp internal-sftp
"""


def sshd(run):
    """Starts the server. Options for ssh and scp."""
    work = folder("ssh")
    folder("../sshd")  # where sshd locks up the part of it that strangers talk to
    for name in ("hostkey", "key"):
        if not os.path.exists(f"{work}/{name}"):
            command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{work}/{name}")
    with open(f"{work}/hostkey.pub", encoding="ascii") as key:
        words = key.read().split()[:2]
    file("ssh/known", "".join(f"{host} {' '.join(words)}\n" for host in (run.address, SERVICE6)))
    run.serve(["/usr/sbin/sshd", "-D", "-e", "-f",
               file("ssh/sshd.conf", SSHD_CONF.format(work=work))], 22)
    return ["-F", "none", "-i", f"{work}/key", "-o", f"UserKnownHostsFile={work}/known", "-o",
            "StrictHostKeyChecking=yes", "-o", "IdentityAgent=none"]


@case("/usr/sbin/sshd", "scp", connections=2)
def test_scp_both_ways_uses_both_paths(run):
    """scp: the file to the server, and back."""
    options = sshd(run)
    there, back = path("scp-there"), path("scp-back")
    run.client(["scp", "-q", *options, DATA, f"root@{run.address}:{there}"])
    run.client(["scp", "-q", *options, f"root@{run.address}:{there}", back])
    check_same(there)
    check_same(back)


@case("/usr/sbin/sshd", "ssh", ipv6=True)
def test_ssh_over_ipv6_prints_nothing_more(run):
    """ssh -6 gets a file; not a line about options of IPv6."""
    options = sshd(run)
    got = path("ssh-6")
    with open(got, "wb") as out:
        out.write(run.client(["ssh", "-6", *options, f"root@{SERVICE6}", "cat", DATA],
                             text=False))
    check_same(got)


@case("/usr/sbin/sshd", "ssh", "curl", "nginx")
def test_ssh_forwarding_uses_both_paths(run):
    """ssh -L: two downloads through one connection, by port and by local socket."""
    run.serve(nginx_argv(BACKEND_SERVER), BACKEND, upgraded=False)
    options = sshd(run)
    ssh = run.start(["ssh", *options, "-N", "-L", f"8083:{BACKEND}", f"root@{run.address}"])
    wait_for(lambda: 8083 in run.lab.listeners(), "ssh listens")
    for _ in range(2):
        run.fetch("http://127.0.0.1:8083/data", upgraded=False)
    ssh.stop()
