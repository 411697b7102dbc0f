#!/usr/bin/python3
"""./setup install puts everything where it is looked for, and uninstall takes all of it away.

Environment: SOURCE, the top directory. In a copy of it, and below a directory (DESTDIR), so that
neither a build of its owner nor the system is touched.
"""

import os
import re
import shutil
import stat
import subprocess
import tempfile
import unittest

SOURCE = os.environ["SOURCE"]
OPTIONS = ["-Dbuildtype=plain", "-Dlib32=disabled", "-Dlibdir=lib"]

# Where their readers look. Below the prefix, but for those that begin with a slash.
PLACES = {
    "bin/mptcpctl": 0o755,
    "sbin/mptcpized": 0o755,
    "lib/libmptcpize.so": 0o755,
    "lib/mptcpize/fullmesh.so": 0o755,
    "lib/mptcpize/mptcpctl-top.so": 0o755,
    "lib/pkgconfig/mptcpize.pc": 0o644,
    "lib/systemd/system/mptcpized.service": 0o644,
    "lib/sysusers.d/mptcpize.conf": 0o644,
    "lib/tmpfiles.d/mptcpize.conf": 0o644,
    "include/mptcpize/key.h": 0o644,
    "include/mptcpize/plugin.h": 0o644,
    "share/bash-completion/completions/mptcpctl": 0o644,
    "share/fish/vendor_completions.d/mptcpctl.fish": 0o644,
    "share/zsh/site-functions/_mptcpctl": 0o644,
    "share/dbus-1/interfaces/org.mptcpize1.Manager.xml": 0o644,
    "share/dbus-1/system-services/org.mptcpize1.service": 0o644,
    "share/mptcpize/apps.d/sshd.json": 0o644,
    "share/mptcpize/schema.json": 0o644,
    "share/doc/mptcpize/examples/mptcpized.conf": 0o644,
    "share/doc/mptcpize/examples/standby.c": 0o644,
    "share/man/man1/mptcpctl.1": 0o644,
    "share/man/man3/mptcpize-plugin.3": 0o644,
    "share/man/man8/mptcpized.8": 0o644,
}
# Not below /usr/local, where nobody would look.
SYSTEM_PLACES = {
    "/usr": {
        "/usr/lib/NetworkManager/dispatcher.d/90-mptcpize": 0o755,
        "/usr/lib/NetworkManager/dispatcher.d/pre-down.d/90-mptcpize": 0o755,
        "/usr/share/dbus-1/system.d/org.mptcpize1.conf": 0o644,
    },
    "/usr/local": {
        "/etc/NetworkManager/dispatcher.d/90-mptcpize": 0o755,
        "/etc/NetworkManager/dispatcher.d/pre-down.d/90-mptcpize": 0o755,
        "/etc/dbus-1/system.d/org.mptcpize1.conf": 0o644,
    },
}
SHARED_PLACES = {"/usr/share/polkit-1/actions/org.mptcpize1.policy": 0o644}


def files(top):
    """All that is below a directory, directories too."""
    return {os.path.relpath(os.path.join(folder, name), top)
            for folder, folders, names in os.walk(top) for name in folders + names}


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.top)
        shutil.copytree(SOURCE, f"{cls.top}/tree", symlinks=True, ignore=lambda folder, names: {
            name for name in names if name.startswith((".git", ".cache", "__pycache__"))
            or folder == SOURCE and name.startswith("build")})

    def setUp(self):
        self.root = tempfile.mkdtemp(dir=self.top)

    def setup(self, prefix, *argv):
        done = subprocess.run([f"{self.top}/tree/setup", *argv], capture_output=True, text=True,
                              env={**os.environ, "DESTDIR": self.root, "PREFIX": prefix},
                              check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def read(self, path):
        with open(self.root + path, encoding="utf-8") as file:
            return file.read()

    def check_places(self, prefix):
        places = {f"{prefix}/{path}": mode for path, mode in PLACES.items()}
        for path, mode in {**places, **SYSTEM_PLACES[prefix], **SHARED_PLACES}.items():
            self.assertTrue(os.path.exists(self.root + path), path)
            found = stat.S_IMODE(os.stat(self.root + path).st_mode)
            self.assertEqual(oct(found), oct(mode), path)
        self.assertTrue(os.path.isdir(f"{self.root}/etc/mptcpize/apps.d"))

    def check_contents(self, prefix):
        """Paths in what is installed are those of the installed."""
        unit = self.read(f"{prefix}/lib/systemd/system/mptcpized.service")
        self.assertEqual(re.findall(r"^ExecStart=(\S+)", unit, re.M), [f"{prefix}/sbin/mptcpized"])
        for path in files(self.root):
            if not path.endswith((".so", "mptcpized", "mptcpctl")) and \
                    os.path.isfile(f"{self.root}/{path}"):
                text = self.read(f"/{path}")
                self.assertNotRegex(text, r"@\w+@", path)
                self.assertNotIn(self.top, text, path)

    def test_install_everything_is_in_its_place_until_uninstall(self):
        for prefix in SYSTEM_PLACES:
            os.makedirs(f"{self.root}{prefix}/share")
            before = files(self.root)
            self.assertIn("uninstall", self.setup(prefix, "install", *OPTIONS))
            self.check_places(prefix)
            self.check_contents(prefix)
            self.setup(prefix, "install", *OPTIONS)  # twice: nothing is forgotten by that
            self.setup(prefix, "uninstall")
            self.assertEqual(files(self.root), before)

    def test_uninstall_keeps_what_is_not_ours(self):
        self.setup("/usr/local", "install", *OPTIONS)
        others = ["/etc/mptcpize/mptcpized.conf", "/usr/local/lib/mptcpize/another.so"]
        for path in others:
            with open(self.root + path, "w", encoding="ascii") as file:
                file.write("{}\n")
        self.assertIn("etc/mptcpize", self.setup("/usr/local", "uninstall"))
        self.assertEqual({f"/{path}" for path in files(self.root)
                          if os.path.isfile(f"{self.root}/{path}")}, set(others))

    def run_setup(self, *argv, **env):
        """From the directory self.root, with that in the environment."""
        return subprocess.run([f"{self.top}/tree/setup", *argv], capture_output=True, text=True,
                              cwd=self.root, env={**os.environ, **env}, check=False)

    def test_uninstall_takes_the_installation_that_is_named(self):
        """DESTDIR is of the caller's directory, and another installation stays."""
        for place in ("a b", "c"):
            done = self.run_setup("install", *OPTIONS, DESTDIR=place)
            self.assertEqual(done.returncode, 0, done.stderr)
        for place, other in (("a b", "c"), ("c", None)):
            self.assertEqual(self.run_setup("uninstall", DESTDIR=place).returncode, 0)
            self.assertEqual(os.listdir(self.root), [other] if other else [])
            self.assertEqual(self.run_setup("uninstall", DESTDIR=place).returncode, 1)

    def test_install_prefix_that_no_unit_could_name_is_an_error(self):
        for prefix in ("usr", "/opt/a b"):
            done = self.run_setup("install", DESTDIR="x", PREFIX=prefix)
            self.assertEqual((done.returncode, prefix in done.stderr), (2, True), done.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "becomes another user")
    def test_build_where_one_may_not_write_is_an_error(self):
        for folder in (self.top, f"{self.top}/tree"):
            os.chmod(folder, 0o755)
        if os.path.exists(f"{self.top}/tree/build"):
            os.rename(f"{self.top}/tree/build", f"{self.top}/build")
            self.addCleanup(os.rename, f"{self.top}/build", f"{self.top}/tree/build")
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                               f"{self.top}/tree/setup", "build"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("can't be written", done.stderr)

    def test_uninstall_of_nothing_is_an_error(self):
        done = self.run_setup("uninstall", DESTDIR=self.root)
        self.assertEqual(done.returncode, 1)
        self.assertIn("nothing is known", done.stderr)


if __name__ == "__main__":
    unittest.main()
