"""A virtual machine that boots a kernel and a small Debian with systemd, runs a script, and ends.

The root file system is what the kernel unpacks into its memory at the start: archives (cpio.py),
one over the other, so no kernel needs a driver for a disk. What is the same each time (kernel,
Debian) is kept in a directory; what is built is put over it. The machine is emulated: nothing of
the host but qemu is needed, and a boot takes about ten seconds.

    machine = Machine(Kernel.of_suite("bookworm"), [debian(), overlay])
    machine.run("/lib/test/guest.py")

The script has the second serial line as its output, and what it writes there comes out line by
line; the first one is the console, and goes to a file.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile

import cpio

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
KEPT = os.environ.get("MPTCPIZE_VM", f"{SOURCE}/build/vm")  # what is the same each time
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
PROGRAMS = ("qemu-system-x86_64", "depmod", "apt-get", "dpkg-deb")
# What our programs and the laboratory of tests/net need, besides what every Debian has.
PACKAGES = ("systemd-sysv", "dbus", "polkitd", "python3-minimal", "libpython3-stdlib",
            "nginx-light", "curl", "iproute2", "procps", "kmod", "nftables", "libnl-3-200",
            "libnl-genl-3-200", "libjansson4", "libncursesw6", "libnettle8", "libnftables1")
UNWANTED = ("doc", "man", "locale", "info")  # below /usr/share
# Units of Debian that the machine has no use for, and that would only take time.
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "nginx.service",
          "e2scrub_all.timer", "fstrim.timer", "getty@tty1.service", "serial-getty@ttyS0.service",
          "systemd-tmpfiles-clean.timer", "e2scrub_reap.service")
SCRIPT_UNIT = """[Unit]
Description=What this machine was started for
After=multi-user.target
SuccessAction=poweroff-force
FailureAction=poweroff-force

[Service]
Type=oneshot
Environment=PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/root
ExecStart={script}
StandardInput=null
StandardOutput=file:/dev/ttyS1
StandardError=inherit
"""
CONSOLE = "console=ttyS0 systemd.show_status=0 panic=-1 mitigations=off random.trust_cpu=on"


class Missing(Exception):
    """This host can't run the machine: what is wrong, and what to do about it."""


class Failed(Exception):
    """The machine could not be made or did not end by itself."""


def require(*more):
    """Raises Missing, with the first thing that this host lacks; more: programs."""
    if os.geteuid() != 0:
        raise Missing("the host's files are root's to read; run it as root, for example with sudo")
    if os.uname().machine != "x86_64":
        raise Missing(f"there is no such machine on {os.uname().machine}; try it on x86_64")
    for program in (*PROGRAMS, *more):
        if shutil.which(program) is None:
            raise Missing(f"the program {program} is not installed; run ./setup deps test full")
    if not os.path.exists(KEYRING):
        raise Missing("Debian's keys are not here; install the package debian-archive-keyring")


def require_debian():
    """Raises Missing if what is built here doesn't run on a Debian that debian() makes."""
    if release().get("ID") != "debian":
        raise Missing("what is built here would have to run on a Debian, and this is none")


def release():
    """/etc/os-release as a dictionary."""
    with open("/etc/os-release", encoding="utf-8") as file:
        pairs = (line.strip().split("=", 1) for line in file if "=" in line)
        return {key: value.strip('"') for key, value in pairs}


def command(*argv, **options):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise Failed(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def kept(name, make):
    """The path of what is kept under that name; make(path) makes it, if it is not there."""
    path = f"{KEPT}/{name}"
    if not os.path.exists(path):
        os.makedirs(KEPT, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=KEPT) as work:
            make(f"{work}/new")
            os.rename(f"{work}/new", path)
    return path


# -- root file systems

def debian():
    """An archive of a small Debian, of the host's release: what is built here runs there."""
    suite = release()["VERSION_CODENAME"]
    key = hashlib.sha256(repr((PACKAGES, UNWANTED, MASKED)).encode()).hexdigest()[:12]
    return kept(f"{suite}-{key}.cpio", lambda path: _make_debian(suite, path))


def _make_debian(suite, path):
    hide = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in UNWANTED]
    with tempfile.TemporaryDirectory(dir=KEPT) as work:
        command("mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}",
                 *hide, suite, f"{work}/root.tar")
        with cpio.Writer(path) as archive:
            archive.tar(f"{work}/root.tar")
            archive.link("init", "usr/lib/systemd/systemd")
            archive.bytes("etc/machine-id", b"")
            for unit in MASKED:
                archive.link(f"etc/systemd/system/{unit}", "/dev/null")


# -- machines

class Machine:
    """A kernel and archives, of which later ones are put over earlier ones."""
    processors = 2

    def __init__(self, kernel, archives, memory_mb=2048, append=""):
        self.kernel = kernel
        self.archives = archives
        self.memory_mb = memory_mb
        self.append = append

    def _initrd(self, work, script):
        """All in one file."""
        with cpio.Writer(f"{work}/script.cpio") as archive:
            unit = SCRIPT_UNIT.format(script=script).encode()
            archive.bytes("etc/systemd/system/vm-script.service", unit)
            archive.link("etc/systemd/system/multi-user.target.wants/vm-script.service",
                         "../vm-script.service")
            archive.directory("usr/lib/modules")
            archive.tree(self.kernel.modules, "usr/lib/modules")
        with open(f"{work}/initrd", "wb") as whole:
            for path in (*self.archives, f"{work}/script.cpio"):
                with open(path, "rb") as part:
                    shutil.copyfileobj(part, whole)
        return f"{work}/initrd"

    def _argv(self, initrd, console):
        return ["qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu", "max",
                "-smp", str(self.processors), "-m", str(self.memory_mb), "-nodefaults",
                "-no-user-config", "-no-reboot", "-display", "none",
                "-kernel", self.kernel.image, "-initrd", initrd,
                "-append", f"{CONSOLE} {self.append}",
                "-serial", f"file:{console}", "-serial", "stdio"]

    def run(self, script, on_line=print, console=f"{KEPT}/console.log", timeout=600):
        """Boots, runs the script (a command line with a path), gives what it says to on_line.

        Returns when the machine has switched itself off; Failed if it has not by then.
        """
        with tempfile.TemporaryDirectory(dir=KEPT) as work:
            argv = ["timeout", "--kill-after=5", str(timeout),
                    *self._argv(self._initrd(work, script), console)]
            with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  text=True, errors="replace") as process:
                for line in process.stdout:
                    on_line(line.rstrip("\r\n"))
            if process.returncode != 0:
                raise Failed(f"the machine ended with {process.returncode}; see {console}")
