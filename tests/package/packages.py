"""The packages themselves: made twice, looked at by lintian, and lived with in a clean root.

Takes minutes, so it runs with MPTCPIZE_FULL=1 only, from test_packaging.py. As root. Environment:
SOURCE, the top directory, and CACHE, a directory for what is fetched from Debian.
"""

import glob
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import cleanroot
from cleanroot import Root, command

SOURCE = os.environ["SOURCE"]
CACHE = os.environ["CACHE"]
TOOLS = ("dpkg-buildpackage", "lintian", "mmdebstrap", "rpmbuild", "unshare")
OURS = ("mptcpize", "libmptcpize", "mptcpize-dev")
# As its unit does it, without systemd: with the user and the directory that the package made.
START = """
mkdir -p /run/dbus
dbus-daemon --system --fork --nopidfile
systemd-tmpfiles --create mptcpize.conf
setpriv --reuid=mptcpize --regid=mptcpize --clear-groups --inh-caps=-all,+net_admin \\
        --ambient-caps=-all,+net_admin --bounding-set=-all,+net_admin mptcpized & daemon=$!
tries=200
until mptcpctl status >/tmp/status 2>/tmp/error; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || { cat /tmp/error; exit 1; }
        kill -0 $daemon
        sleep 0.05
done
cat /tmp/status
"""
STOP = """
kill $daemon
wait $daemon
"""


def copy_tree(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copytree(SOURCE, path, symlinks=True, ignore=lambda folder, names: {
        name for name in names if name.startswith((".git", ".cache", "__pycache__"))
        or folder == SOURCE and name.startswith("build")})


def make(tree, what="deb", **env):
    """./setup package in a copy of the sources. Where the packages are."""
    copy_tree(tree)
    command(f"{tree}/setup", "package", what, env={**os.environ, **env})
    return f"{tree}/build/packages"


def sums(folder):
    """{name: SHA-256} of the packages in a directory."""
    found = {}
    for path in glob.glob(f"{folder}/*.deb"):
        with open(path, "rb") as file:
            found[os.path.basename(path)] = hashlib.sha256(file.read()).hexdigest()
    return found


def first_alternatives(text):
    """Packages of a Depends field."""
    return [part.split("|")[0].split()[0] for part in text.split(",")]


def setUpModule():
    if reason := obstacle():
        raise unittest.SkipTest(reason)
    cleanroot.leave_mounts()
    os.makedirs(f"{CACHE}/archives/partial", exist_ok=True)
    cleanroot.make_base(f"{CACHE}/root.tar")


class Made(unittest.TestCase):
    """Base of the others: all of them have the same packages."""
    top = packages = None

    @classmethod
    def setUpClass(cls):
        if not Made.top:
            Made.top = tempfile.mkdtemp()
            unittest.addModuleCleanup(shutil.rmtree, Made.top)
            Made.packages = make(f"{Made.top}/first/mptcpize", DEB_BUILD_OPTIONS="nocheck")

    def root(self):
        root = Root(f"{CACHE}/root.tar", f"{CACHE}/archives")
        self.addCleanup(root.close)
        root.share(self.packages, "mnt/packages")
        root.apt("update")
        return root

    def paths(self, *names):
        """Files of our packages, as the root has them."""
        found = [glob.glob(f"{self.packages}/{name}_*.deb") for name in names]
        self.assertEqual([len(each) for each in found], [1] * len(names))
        return [f"/mnt/packages/{os.path.basename(each[0])}" for each in found]


class Packages(Made):
    """What they are."""

    def test_packages_made_again_are_the_same(self):
        again = make(f"{self.top}/another/longer/directory", DEB_BUILD_OPTIONS="",
                     TZ="Pacific/Chatham", LC_ALL="C")
        self.assertEqual(len(sums(again)), 5)
        self.assertEqual(sums(again), sums(self.packages))

    def test_lintian_finds_nothing(self):
        print(command("lintian", "--allow-root", "--fail-on", "error,warning",
                      *glob.glob(f"{self.packages}/*.changes")).strip())

    def test_sources_stay_clean(self):
        tree = f"{self.top}/first"
        self.assertEqual(os.listdir(tree), ["mptcpize"])
        self.assertFalse(set(os.listdir(f"{tree}/mptcpize")) - set(os.listdir(SOURCE))
                         - {"build"})
        self.assertEqual(set(os.listdir(f"{tree}/mptcpize/debian")),
                         set(os.listdir(f"{SOURCE}/debian")))

    def test_rpm_has_the_same_files(self):
        rpms = glob.glob(make(f"{self.top}/rpm/mptcpize", "rpm") + "/*.rpm")
        self.assertEqual(len(rpms), 3)
        form = "[%{FILEMODES:perms} %{FILENAMES}\\n]"
        theirs = [command("rpm", "-qp", "--nosignature", "--queryformat", form, path)
                  for path in rpms]
        ours = [command("dpkg-deb", "--contents", *glob.glob(f"{self.packages}/{name}_*.deb"))
                for name in OURS]
        self.assertEqual(self.names(theirs), self.names(ours))

    @staticmethod
    def names(texts):
        """Names of files; what each kind of packages has for itself is left out."""
        lines = [line for text in texts for line in text.splitlines() if line.startswith("-")]
        own = re.compile(r"/\.build-id/|/licenses/|/share/lintian/|/share/doc/[^/]*/[^/]*$")
        return {re.sub(r".*/|[.]gz$", "", line) for line in lines if not own.search(line)}


class Life(Made):
    """From nothing to nothing."""

    def prepare(self):
        """A root with what our packages depend on, and no more."""
        root = self.root()
        wanted = root.apt("install", "--simulate", *self.paths("mptcpize", "libmptcpize"))
        others = re.findall(r"^Inst (\S+) \(", wanted, re.M)
        root.apt("install", *sorted(set(others) - set(OURS)))
        return root

    def install(self, root, *names):
        return root.run("dpkg", "--install", *self.paths(*names))

    def test_installed_runs_and_purged_leaves_nothing(self):
        root = self.prepare()
        before = root.files()
        for _ in range(2):  # and once more, after it has gone
            self.install(root, "mptcpize", "libmptcpize", "mptcpize-dev")
            self.assertEqual(root.run("dpkg", "--audit"), "")
            self.check_runs(root)
            self.install(root, "mptcpize", "libmptcpize", "mptcpize-dev")  # over itself
            self.check_runs(root)
            self.check_configuration(root)
            root.run("dpkg", "--purge", *OURS)
            self.assertEqual(self.difference(before, root.files()), {})
            self.assertFalse(root.has("run/mptcpize"))

    def check_runs(self, root):
        said = root.run_apart(START + "setpriv --reuid=65534 --regid=65534 --clear-groups "
                              "mptcpctl --json status\n" + STOP)
        self.assertIn("userspace", said)
        self.assertIn("fullmesh", said)
        said = root.run("env", "LD_PRELOAD=libmptcpize.so", "mptcpctl", "run", "--", "true")
        self.assertEqual(said, "")

    def check_configuration(self, root):
        """It stays until the packages are purged."""
        root.write("etc/mptcpize/mptcpized.conf", '{ "plugin": "backup" }\n')
        root.write("etc/mptcpize/apps.d/own.json", '{ "match": { "app": "own" } }\n')
        root.write("run/mptcpize/state", "")
        root.write("etc/systemd/system/own.service.d/50-mptcpize.conf", "[Service]\n")
        root.run("mptcpized", "--check")
        root.run("dpkg", "--remove", *OURS)
        self.assertTrue(root.has("etc/mptcpize/mptcpized.conf"))
        self.assertTrue(root.has("etc/mptcpize/apps.d/own.json"))
        self.assertTrue(root.has("etc/systemd/system/own.service.d/50-mptcpize.conf"))
        self.assertFalse(root.has("usr/sbin/mptcpized"))

    @staticmethod
    def difference(before, after):
        return {path: (before.get(path), after.get(path)) for path in before.keys() | after.keys()
                if before.get(path) != after.get(path)}

    def test_other_package_of_the_name_is_replaced_and_stays_so(self):
        root = self.root()
        root.apt("install", "mptcpize", "mptcpd")
        self.assertTrue(root.has("usr/bin/mptcpize"))
        root.apt("install", *self.paths("mptcpize", "libmptcpize"))
        self.assertFalse(root.has("usr/bin/mptcpize"))
        self.assertTrue(root.has("usr/bin/mptcpctl"))
        self.assertFalse(root.has("usr/libexec/mptcpd"))
        self.assertEqual(root.run("dpkg", "--audit"), "")
        upgrade = root.apt("dist-upgrade", "--simulate")
        self.assertFalse(re.search(r"^Inst mptcpize ", upgrade, re.M), upgrade)

    def test_tests_of_the_package_pass(self):
        """What autopkgtest would do: debian/tests, with what they depend on."""
        root = self.root()
        root.share(f"{self.top}/first/mptcpize", "mnt/tree")
        for names, depends in self.autopkgtests():
            ours = sorted(set(depends) & set(OURS))
            root.apt("install", *self.paths(*ours), *sorted(set(depends) - set(OURS)))
            for name in names:
                print(root.run(f"/mnt/tree/debian/tests/{name}"))

    def autopkgtests(self):
        with open(f"{SOURCE}/debian/tests/control", encoding="utf-8") as file:
            text = file.read()
        names = re.findall(r"^Tests: (.*)$", text, re.M)
        depends = re.findall(r"^Depends: (.*)$", text, re.M)
        self.assertEqual(len(names), len(depends))
        return [(one.split(), first_alternatives(other)) for one, other in zip(names, depends)]


def obstacle():
    """Why nothing of this can run here, or nothing."""
    if os.geteuid() != 0:
        return "a root directory of its own needs root"
    lacking = [tool for tool in TOOLS if not shutil.which(tool)]
    if lacking:
        return f"not installed: {', '.join(lacking)}"
    if subprocess.run(["unshare", "--mount", "true"], check=False).returncode != 0:
        return "the kernel refuses namespaces"
    return ""
