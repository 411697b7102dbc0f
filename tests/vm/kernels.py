"""Kernels of Debian's releases, to boot in a virtual machine (machine.py).

They are downloaded by apt, as packages of a suite that this host need not be of: with lists and
caches of our own, so that nothing of the host's configuration is changed; but from the host's
mirror, by its proxy, and verified by the keys that each Debian has. They are kept, and are not
looked for again: without the directory (machine.KEPT), the next run gets newer ones.
"""

import dataclasses
import glob
import os
import re
import shutil
import tempfile

from machine import KEPT, KEYRING, Failed, Missing, command, kept

# The image, its modules and what lists them are one package, and four since Linux 7.
PARTS = re.compile(r"^linux-(?:image|base|binary|modules)-\d\S*$", re.M)
# What a test may need: besides the network, what makes the root file system.
MODULES = ("net", "lib", "crypto", "arch/x86/crypto", "drivers/net/veth.ko", "drivers/net/tun.ko",
           "drivers/net/dummy.ko", "drivers/virtio", "fs/9p", "fs/fscache", "fs/netfs",
           "fs/overlayfs")


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A kernel, and the modules of it that a test may need."""
    release: str  # as uname -r says it
    image: str
    top: str  # the directory that lib/modules is in

    @property
    def modules(self):
        """What is /lib/modules elsewhere."""
        return f"{self.top}/lib/modules"

    @staticmethod
    def of_suite(suite, package="linux-image-amd64"):
        """The kernel of a release of Debian, such as "bookworm" or "sid".

        Missing if it can't be downloaded; it needs a network.
        """
        path = kept(f"kernel-{suite}-{package}", lambda to: _download(suite, package, to))
        release, = os.listdir(f"{path}/lib/modules")
        return Kernel(release, f"{path}/vmlinuz", path)


def _mirror():
    """Where the host has Debian from."""
    rows = command("apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)",
                   "Created-By: Packages").splitlines()
    ours = [row.split("|")[2] for row in rows if row.startswith("Debian|Debian|")]
    if not ours:
        raise Missing("where this host has Debian from can't be told; try apt-get update")
    return ours[0]


def _apt_options(suite, folder):
    """The options of apt's programs, for that suite alone."""
    os.makedirs(f"{folder}/lists/partial", exist_ok=True)
    os.makedirs(f"{folder}/cache/archives/partial", exist_ok=True)
    with open(f"{folder}/sources.list", "w", encoding="ascii") as file:
        file.write(f"deb [signed-by={KEYRING}] {_mirror()} {suite} main\n")
    options = {"Dir::Etc::sourcelist": f"{folder}/sources.list",
               "Dir::Etc::sourceparts": "/dev/null", "Dir::Etc::preferences": "/dev/null",
               "Dir::Etc::preferencesparts": "/dev/null",
               "Dir::State::lists": f"{folder}/lists", "Dir::Cache": f"{folder}/cache",
               "APT::Default-Release": "", "Acquire::Languages": "none"}
    return [f"-o{key}={value}" for key, value in options.items()]


def _download(suite, package, path):
    with tempfile.TemporaryDirectory(dir=KEPT) as work:
        options = _apt_options(suite, f"{work}/apt")
        os.mkdir(f"{work}/debs")
        try:
            command("apt-get", *options, "-q", "update")
            needs = command("apt-cache", *options, "depends", "--important", "--recurse", package)
            parts = sorted(set(PARTS.findall(needs)))
            if not parts:
                raise Failed(f"{package} needs no kernel")
            command("apt-get", *options, "-q", "download", *parts, cwd=f"{work}/debs")
        except Failed as failed:
            raise Missing(f"the kernel of {suite} can't be downloaded: {failed}") from failed
        for deb in os.listdir(f"{work}/debs"):
            command("dpkg-deb", "-x", f"{work}/debs/{deb}", f"{work}/{deb}.unpacked")
        _keep(glob.glob(f"{work}/*.unpacked"), path)


def _keep(trees, path):
    """Image and modules out of unpacked packages."""
    image, = [each for tree in trees for each in glob.glob(f"{tree}/boot/vmlinuz-*")
              + glob.glob(f"{tree}/usr/lib/modules/*/vmlinuz")]
    for tree in trees:
        for below in glob.glob(f"{tree}/lib/modules/*") + glob.glob(f"{tree}/usr/lib/modules/*"):
            _copy_modules(below, f"{path}/lib/modules/{os.path.basename(below)}")
    shutil.copy(image, f"{path}/vmlinuz")
    release, = os.listdir(f"{path}/lib/modules")
    command("depmod", "--basedir", path, release)


def _copy_modules(source, target):
    """Those of MODULES, be they compressed or not, and the lists that depmod reads."""
    os.makedirs(f"{target}/kernel", exist_ok=True)
    for name in MODULES:
        for there in glob.glob(f"{source}/kernel/{name}*"):
            into = f"{target}{there[len(source):]}"
            os.makedirs(os.path.dirname(into), exist_ok=True)
            if os.path.isdir(there):
                shutil.copytree(there, into, dirs_exist_ok=True)
            else:
                shutil.copy(there, into)
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        if os.path.exists(f"{source}/{name}"):
            shutil.copy(f"{source}/{name}", target)
