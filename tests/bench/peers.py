#!/usr/bin/python3
"""Debian's mptcpd and libmptcpwrap, to measure ours against; nothing of them is installed.

    peers.py DIRECTORY    downloads the packages, unpacks them there, and builds mptcpd-join.c

`./setup bench` does so before it measures, since there is no network in a lab. What can't be had is
noted with the reason, and the benchmarks say that instead of figures.
"""

import glob
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "net"))
# pylint: disable=wrong-import-position
import lab  # noqa: E402
import programs  # noqa: E402

MPTCPD, WRAP = "mptcpd", "libmptcpwrap"
PACKAGES = {MPTCPD: ["mptcpd", "libell0", "libell-dev"], WRAP: ["libmptcpwrap0"]}
PLUGIN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mptcpd-join.c")
CONTROL = 1 << 15  # group of those who hear of families that come and go
NOT_FETCHED = "not there: ./setup bench downloads it"


class Unavailable(Exception):
    """A peer that can't be had here: why."""


def call(*argv, cwd=None):
    """What it prints; Unavailable with the last line of its errors."""
    if not shutil.which(argv[0]):
        raise Unavailable(f"no {argv[0]} here")
    done = subprocess.run(argv, cwd=cwd, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("E:") or "error" in
                 line] or [f"{argv[0]} failed"]
        raise Unavailable(lines[-1])
    return done.stdout


def packages_of(peer):
    """With those whose names have a number in them."""
    names = PACKAGES[peer]
    if peer == MPTCPD:
        library = re.search(r"\blibmptcpd\d+\b", call("apt-cache", "depends", "mptcpd"))
        if not library:
            raise Unavailable("no package mptcpd")
        names = [*names, library.group(), f"{library.group()}-dev"]
    return names


def unpack(peer, directory):
    """What was downloaded before is not downloaded again."""
    os.makedirs(f"{directory}/packages", exist_ok=True)
    for name in packages_of(peer):
        if not glob.glob(f"{directory}/packages/{name}_*.deb"):
            call("apt-get", "-q", "download", name, cwd=f"{directory}/packages")
        (package,) = glob.glob(f"{directory}/packages/{name}_*.deb")
        call("dpkg-deb", "-x", package, f"{directory}/root")


def only(directory, pattern):
    """The path of that name below the unpacked packages."""
    found = glob.glob(f"{directory}/root/{pattern}", recursive=True)
    if not found:
        raise Unavailable(f"its packages have no {os.path.basename(pattern)}")
    return found[0]


def build_plugin(directory):
    os.makedirs(f"{directory}/plugins", exist_ok=True)
    libraries = os.path.dirname(only(directory, "usr/lib/**/libmptcpd.so"))
    call("gcc", "-O2", "-shared", "-fPIC", "-o", f"{directory}/plugins/join.so", PLUGIN,
         f"-I{directory}/root/usr/include", f"-L{libraries}", "-lmptcpd")
    return {"program": only(directory, "usr/libexec/mptcpd"), "libraries": libraries,
            "plugins": f"{directory}/plugins"}


def version(directory, package):
    (path,) = glob.glob(f"{directory}/packages/{package}_*.deb")
    return call("dpkg-deb", "-f", path, "Version").strip()


def fetch(peer, directory):
    """What the benchmarks have to know of it."""
    try:
        unpack(peer, directory)
        found = {"version": version(directory, PACKAGES[peer][0])}
        if peer == MPTCPD:
            return {**found, **build_plugin(directory)}
        return {**found, "library": only(directory, "usr/lib/**/libmptcpwrap.so.0")}
    except Unavailable as error:
        return {"missing": f"not there: {error}"}


def find(peer):
    """What fetch() has noted: a dictionary; with the key "missing", there is none."""
    path = f"{programs.Build.find().root}/bench/peers/peers.json"
    return json.loads(lab.read(path, "{}")).get(peer, {"missing": NOT_FETCHED})


class Mptcpd:
    """It, with the smallest plugin that joins, on the client: by its second address.

    Joins are bound to no interface, which its plugins can't ask for, and so leave by the first.
    """

    def __init__(self, hosts):
        self.hosts = hosts
        self.found = find(MPTCPD)
        self.missing = self.found.get("missing")
        self.process = None
        self.before = None

    def start(self):
        """Returns when it listens to the kernel; it says nothing, and leaves the sysctl to us."""
        self.before = programs.path_manager()
        programs.set_path_manager("userspace")
        heard = self._subscriptions()
        env = {"LD_LIBRARY_PATH": self.found["libraries"],
               "JOIN_ADDRESS": self.hosts.paths[1].client4}
        self.process = self.hosts.add(programs.Process(
            [self.found["program"], "--log=stderr", f"--plugin-dir={self.found['plugins']}",
             "--path-manager=join", "--load-plugins=join"], MPTCPD, env=env))
        lab.wait_for(lambda: self._subscriptions() > heard, "mptcpd listens to the kernel")

    @staticmethod
    def _subscriptions():
        """How many sockets in this namespace hear a family of generic netlink, which is 16."""
        rows = [line.split() for line in lab.read("/proc/thread-self/net/netlink").splitlines()[1:]]
        return sum(row[1] == "16" and int(row[3], 16) & ~CONTROL != 0 for row in rows)

    def stop(self):
        self.process.stop()
        programs.set_path_manager(self.before)


def main():
    directory = os.path.abspath(sys.argv[1])
    os.makedirs(directory, exist_ok=True)
    found = {peer: fetch(peer, directory) for peer in PACKAGES}
    with open(f"{directory}/peers.json", "w", encoding="ascii") as file:
        json.dump(found, file, indent=2)
    for peer, what in found.items():
        print(f"{peer} {what.get('version') or what['missing']}")


if __name__ == "__main__":
    main()
