"""A Debian root without anything of ours, in memory, that vanishes with the process.

It is made by mmdebstrap once, from the mirrors that apt knows here, and kept as a tar file. Mounts
are private to this process and its children, so nothing has to be cleaned up.
"""

import ctypes
import hashlib
import os
import shlex
import stat
import subprocess
import tempfile
import time

CLONE_NEWNS = 0x00020000
MAX_AGE = 30 * 86400
# Of no package of ours: what dpkg, apt and the loader keep for themselves.
PASSING = ("dev", "proc", "run", "sys", "tmp", "var/cache", "var/log", "var/lib/apt")
PASSING_FILES = ("etc/ld.so.cache", "var/lib/dpkg/status-old", "var/lib/dpkg/diversions-old",
                 "var/lib/dpkg/statoverride-old")
# A user that the package made stays, as Debian wants it: its number may own files.
USERS = ("etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/passwd-", "etc/group-",
         "etc/shadow-", "etc/gshadow-", "etc/.pwd.lock")


class Failed(AssertionError):
    """A program of the root did not end as it had to."""


def command(*argv, **more):
    """Output of a program that has to succeed."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, stdin=subprocess.DEVNULL, **more)
    if done.returncode != 0:
        raise Failed(f"{shlex.join(argv)}: exit {done.returncode}:\n{done.stdout[-6000:]}")
    return done.stdout


def leave_mounts():
    """From here on, mounts of this process are its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    command("mount", "--make-rprivate", "/")


def mirrors():
    """apt's sources here that are Debian's, as lines of a sources.list, and the first release."""
    rows = command("apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI) $(RELEASE) "
                   "$(COMPONENT)", "Created-By: Packages").splitlines()
    debian = [row.split()[1:] for row in rows if row.startswith("Debian ")]
    return ["deb " + " ".join(row) for row in dict.fromkeys(map(tuple, debian))], debian[0][1]


def make_base(path):
    """The tar file of a minimal root, unless there is one that isn't too old."""
    if os.path.exists(path) and time.time() - os.stat(path).st_mtime < MAX_AGE:
        return
    sources, release = mirrors()
    with tempfile.NamedTemporaryFile("w", suffix=".list") as file:
        file.write("\n".join(sources) + "\n")
        file.flush()
        command("mmdebstrap", "--variant=minbase", "--format=tar", release, path + ".new",
                file.name)
    os.rename(path + ".new", path)


class Root:
    """base: the tar file; cache: a directory for the packages that apt fetches."""

    def __init__(self, base, cache):
        self.path = tempfile.mkdtemp(prefix="mptcpize-root-")
        command("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", self.path)
        command("tar", "-xf", base, "-C", self.path, "--exclude=./dev/*")
        for fstype, where in (("proc", "proc"), ("sysfs", "sys"), ("tmpfs", "run"),
                              ("tmpfs", "tmp")):
            command("mount", "-t", fstype, fstype, f"{self.path}/{where}")
        for where, source in (("dev", "/dev"), ("var/cache/apt/archives", cache)):
            command("mount", "--rbind", source, f"{self.path}/{where}")
        self.write("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
        with open("/etc/resolv.conf", encoding="utf-8") as file:
            self.write("etc/resolv.conf", file.read())

    def close(self):
        """The mounts go with the process, the directory below them now."""
        command("umount", "--recursive", "--lazy", self.path)
        os.rmdir(self.path)

    def write(self, name, text, mode=0o644):
        path = f"{self.path}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)

    def has(self, name):
        return os.path.lexists(f"{self.path}/{name}")

    def share(self, source, name):
        """A directory of this host, read-only, in the root."""
        os.makedirs(f"{self.path}/{name}", exist_ok=True)
        command("mount", "--bind", "-o", "ro", source, f"{self.path}/{name}")

    def run(self, *argv, **env):
        """In the root, with the network of this host; Failed unless it succeeds."""
        return command("chroot", self.path, *argv, env=self._environ(env))

    def run_apart(self, script):
        """A shell script in the root, with processes, network and /run of its own."""
        prepare = "mount -t proc proc /proc; mount -t tmpfs tmpfs /run; "
        return command("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "chroot",
                       self.path, "sh", "-euc", prepare + script, env=self._environ({}))

    @staticmethod
    def _environ(env):
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/nonexistent",
                "DEBIAN_FRONTEND": "noninteractive", **env}

    def apt(self, *argv):
        return self.run("apt-get", "-q", "--yes", "--no-install-recommends", *argv)

    def files(self):
        """What is there, and what it is: {path: type and contents}."""
        found = {}
        for folder, folders, names in os.walk(self.path):
            place = os.path.relpath(folder, self.path)
            folders[:] = [name for name in folders
                          if os.path.normpath(f"{place}/{name}") not in PASSING]
            for name in folders + names:
                path = os.path.normpath(f"{place}/{name}")
                if path not in PASSING_FILES + USERS:
                    found[path] = self._describe(f"{self.path}/{path}")
        return found

    @staticmethod
    def _describe(path):
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            return os.readlink(path)
        if not stat.S_ISREG(status.st_mode) or "/var/lib/dpkg/" in path:
            return oct(status.st_mode)
        with open(path, "rb") as file:
            return oct(status.st_mode) + hashlib.sha256(file.read()).hexdigest()
