#!/usr/bin/python3
"""mptcpize, installed on a small Debian that boots in a virtual machine (machine.py, guest.py).

Takes about two minutes, and the first time what it takes to download that Debian: so only with
MPTCPIZE_FULL=1, or if a kernel's package is named on the command line.
"""

import os
import subprocess
import sys
import tempfile

import cpio
import machine
from kernels import Kernel

SKIPPED = 77
KERNEL = "linux-image-cloud-amd64"
GUEST = "/usr/local/lib/mptcpize-test/guest.py"


def overlay(path):
    """An archive of what `meson install` would install, with the service enabled."""
    build = os.environ["MPTCPIZE_BUILD"]
    with tempfile.TemporaryDirectory() as root, cpio.Writer(path) as archive:
        subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--strip",
                        "--destdir", root], check=True, stdout=subprocess.DEVNULL)
        archive.tree(root)
        unit = next(f"{folder}/mptcpized.service"[len(root):] for folder, _, files in os.walk(root)
                    if "mptcpized.service" in files)
        archive.link("etc/systemd/system/multi-user.target.wants/mptcpized.service", unit)
        archive.directory(os.path.dirname(GUEST)[1:])
        with open(f"{machine.HERE}/guest.py", "rb") as file:
            archive.bytes(GUEST[1:], file.read(), 0o755)


def boot(package):
    """Runs guest.py on that kernel. The exit status of all."""
    lines = []

    def on_line(line):
        print(line, flush=True)
        lines.append(line)

    kernel = Kernel.of_suite(machine.release()["VERSION_CODENAME"], package)
    print(f"# {kernel.release}", flush=True)
    with tempfile.TemporaryDirectory() as work:
        overlay(f"{work}/overlay.cpio")
        machine.Machine(kernel, [machine.debian(), f"{work}/overlay.cpio"]).run(GUEST, on_line)
    good = sum(line.startswith("ok ") for line in lines)
    if f"1..{good}" in lines:
        return 0
    print(f"# {good} were good, and not all", flush=True)  # the script may have ended early
    return 1


def main():
    if os.environ.get("MPTCPIZE_FULL") != "1" and not sys.argv[1:]:
        print("1..0 # SKIP it boots a virtual machine: ./setup test --full does that")
        sys.exit(SKIPPED)
    try:
        machine.require("mmdebstrap")
        machine.require_debian()
    except machine.Missing as missing:
        print(f"1..0 # SKIP {missing}")
        sys.exit(SKIPPED)
    try:
        sys.exit(boot(*(sys.argv[1:] or [KERNEL])))
    except machine.Failed as failed:
        print(f"Bail out! {failed}")
        sys.exit(1)


main()
