"""A virtual machine with another kernel, but this host's own files and programs.

Its root is the host's, which it can't change: what it writes stays in its memory, and is gone when
it ends. So nothing has to be made or copied for it, and what tests need is there if it is here.
There is no systemd: the first process is a script (start.sh), which runs a command. What the host
has mounted elsewhere is seen, too, but neither /proc, /sys, /dev nor /run.
"""

import os
import re
import shlex

import cpio
from machine import HERE, Machine, command

MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
PROGRAMS = ("/bin/sh", "/sbin/insmod", "/bin/mount", "/bin/mkdir", "/sbin/switch_root")
DIRECTORIES = ("proc", "sys", "dev", "run", "host", "memory", "root", "modules")
INIT = """#!/bin/sh
set -e
export PATH=/bin:/sbin
mount -t devtmpfs devices /dev
mount -t proc processes /proc
mount -t sysfs system /sys
mount -t tmpfs -o mode=755 run /run
for module in {modules}; do insmod /modules/$module; done
mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=loose,ro host /host
mount -t tmpfs memory /memory
mkdir /memory/upper /memory/work
mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work root /root
exec switch_root /root {command}
"""


class HostMachine(Machine):
    """Runs a command, of absolute paths, as root.

    One processor: emulated, two of them now and then trip over code that one of them patches (an
    "Oops: int3" on Linux 7.2), and nothing may fail by chance in tests that run for hours.
    """
    processors = 1

    def __init__(self, kernel, **options):
        super().__init__(kernel, [], **options)

    def _initrd(self, work, script):
        """What it takes to mount the host's files."""
        modules = self._modules()
        first = ["/bin/sh", f"{HERE}/start.sh", self.kernel.modules, *script]
        with cpio.Writer(f"{work}/initrd") as archive:
            for name in DIRECTORIES:
                archive.directory(name)
            _add_programs(archive)
            for path in modules:
                with open(path, "rb") as file:
                    archive.bytes(f"modules/{os.path.basename(path)}", file.read())
            names = " ".join(map(os.path.basename, modules))
            archive.bytes("init", INIT.format(modules=names, command=shlex.join(first)).encode(),
                          0o755)
        return f"{work}/initrd"

    def _modules(self):
        """Paths of the modules that have to be loaded, in that order."""
        lines = [line.split() for name in MODULES for line in command(
            "modprobe", "--dirname", self.kernel.top, "--set-version", self.kernel.release,
            "--show-depends", name).splitlines()]
        return list(dict.fromkeys(words[1] for words in lines if words[0] == "insmod"))

    def _argv(self, initrd, console):
        return [*super()._argv(initrd, console),
                "-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
                "-device", "virtio-9p-pci,fsdev=host,mount_tag=host"]


def _add_programs(archive):
    """They and the libraries that they need, where they are on the host."""
    paths = {*PROGRAMS}
    for program in PROGRAMS:
        paths.update(re.findall(r"(/\S+) \(0x", command("ldd", program)))
    folders = {folder for path in paths for folder in _folders(path)}
    for folder in sorted(folders):
        archive.directory(folder)
    for path in sorted(paths):
        with open(path, "rb") as file:
            archive.bytes(path[1:], file.read(), 0o755)


def _folders(path):
    """All directories that a file is in: usr, usr/lib, ..."""
    parts = path[1:].split("/")[:-1]
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
