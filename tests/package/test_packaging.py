#!/usr/bin/python3
"""Do debian/ and mptcpize.spec say what is installed, and does mptcpize.pc lead to the header?

Environment: SOURCE, the top directory, MPTCPIZED, the program, and CACHE, a directory. Nothing is
built but a plugin. With MPTCPIZE_FULL=1, or where one is named, the tests of packages.py as well.
"""

import fnmatch
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import packages
import tap

SOURCE = os.environ["SOURCE"]
MPTCPIZED = os.path.abspath(os.environ["MPTCPIZED"])
LIBDIR = "lib/x86_64-linux-gnu"
# As debian/rules has it, on a machine of that kind.
OPTIONS = ["--prefix=/usr", f"--libdir={LIBDIR}", "--sysconfdir=/etc", "-Dtests=false",
           "-Dlib32=disabled"]
# Of mptcpize.spec.
MACROS = {"_sysconfdir": "/etc", "_bindir": "/usr/bin", "_sbindir": "/usr/sbin", "_prefix": "/usr",
          "_libdir": f"/usr/{LIBDIR}", "_datadir": "/usr/share", "_includedir": "/usr/include",
          "_mandir": "/usr/share/man"}
UNITDIRS = ("/lib/systemd/system", "/usr/lib/systemd/system")
BINARIES = ("mptcpize", "libmptcpize", "mptcpize-dev")


def read(name):
    with open(os.path.join(SOURCE, name), encoding="utf-8") as file:
        return file.read()


def command(*argv, **more):
    """Output of a program that has to succeed."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        raise AssertionError(f"{argv}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def paragraphs(text):
    """The paragraphs of a control file, as dictionaries."""
    fields = re.compile(r"^(\S+): ?(.*(?:\n[ ].*)*)", re.M)
    return [dict(fields.findall(part)) for part in re.split(r"\n\n+", text.strip())]


def claims():
    """(package, pattern) for each line of the .install files."""
    return [(package, "/" + line.split()[0]) for package in BINARIES
            for line in read(f"debian/{package}.install").splitlines()]


def claims_rpm():
    """The same of the specification. Directories are its, too, and what rpmbuild adds is not."""
    found = []
    sections = re.findall(r"^%files(.*)\n((?:[^%\n].*\n|%(?!files|changelog).*\n)+)",
                          read("mptcpize.spec"), re.M)
    for package, lines in sections:
        for line in lines.splitlines():
            if line and not line.startswith(("%license", "%doc")):
                path = re.sub(r"%\{(\w+)\}", lambda match: MACROS[match.group(1)], line)
                found.append((package.strip() or "(main)", path.rstrip("/")))
    return found


def variants(pattern):
    """Of a pattern with braces, those it stands for."""
    match = re.match(r"(.*)\{(.*)\}(.*)$", pattern)
    if not match:
        return [pattern]
    first, middle, last = match.groups()
    return [first + each + last for each in middle.split(",")]


def covers(pattern, path):
    """Is the path what the pattern names, or below it? A star is part of one name."""
    names = path.split("/")
    for variant in variants(pattern):
        wanted = variant.split("/")
        if len(wanted) <= len(names) and all(map(fnmatch.fnmatchcase, names, wanted)):
            return True
    return False


TOP = tempfile.mkdtemp()
unittest.addModuleCleanup(shutil.rmtree, TOP)


def setUpModule():
    """Build directories, where nothing is built: one for each place of units."""
    for number, unitdir in enumerate(UNITDIRS):
        command("meson", "setup", f"{TOP}/{number}", SOURCE, f"-Dunitdir={unitdir}", *OPTIONS)


class Lists(unittest.TestCase):
    """The lists of files. debhelper checks the same, but only when packages are made."""

    @staticmethod
    def installed(number):
        paths = json.loads(command("meson", "introspect", "--installed", f"{TOP}/{number}"))
        return [*paths.values(), "/etc/mptcpize/apps.d"]  # a directory, without files of ours

    def test_installed_file_is_in_one_package(self):
        for number in range(len(UNITDIRS)):
            paths = self.installed(number)
            self.assertIn("/usr/sbin/mptcpized", paths)
            for path in paths:
                owners = [package for package, pattern in claims() if covers(pattern, path)]
                self.assertEqual(len(owners), 1, f"{path} is in {owners or 'no package'}")

    def test_line_has_files(self):
        for number in range(len(UNITDIRS)):
            paths = self.installed(number)
            for package, pattern in claims():
                self.assertTrue(any(covers(pattern, path) for path in paths),
                                f"debian/{package}.install: {pattern}")

    def test_installed_file_is_in_one_rpm(self):
        paths = self.installed(1)
        rows = [(package, path) for package, path in claims_rpm() if not path.startswith("%dir")]
        self.assertEqual({package for package, _ in rows}, {"(main)", "-n lib%{name}", "devel"})
        for path in paths[:-1]:
            owners = [package for package, pattern in rows if covers(pattern, path)]
            self.assertEqual(len(owners), 1, f"{path} is in {owners or 'no package'}")
        for package, pattern in rows:
            self.assertTrue(any(covers(pattern, path) for path in paths), (package, pattern))

    def test_pattern_covers_what_debhelper_takes(self):
        for pattern, path, wanted in (("/usr/lib/*/a.so", "/usr/lib/x/a.so", True),
                                      ("/usr/lib/*/a.so", "/usr/lib/x/y/a.so", False),
                                      ("/usr/share", "/usr/share/a/b", True),
                                      ("/usr/share/a", "/usr/share/ab", False),
                                      ("/{usr/,}lib/*.service", "/lib/a.service", True)):
            self.assertEqual(covers(pattern, path), wanted, (pattern, path))


class Control(unittest.TestCase):
    def test_control_names_the_packages(self):
        source, *binaries = paragraphs(read("debian/control"))
        self.assertEqual([part["Package"] for part in binaries], list(BINARIES))
        self.assertIn("debhelper-compat (= 13)", source["Build-Depends"])
        for part in binaries:
            self.assertRegex(part["Description"].split("\n")[0], r"^[a-z].{20,80}[^.]$")
            self.assertIn("${misc:Depends}", part["Depends"])

    def test_test_exists(self):
        for part in paragraphs(read("debian/tests/control")):
            for name in part["Tests"].split():
                self.assertTrue(os.access(f"{SOURCE}/debian/tests/{name}", os.X_OK), name)

    def test_version_is_the_same_everywhere(self):
        version = re.search(r"^ *version: '(.*)',$", read("meson.build"), re.M).group(1)
        self.assertEqual(re.match(r"mptcpize \(1:([^)-]+)\)", read("debian/changelog")).group(1),
                         version)
        self.assertEqual(re.findall(r"^Version: +(.*)$", read("mptcpize.spec"), re.M), [version])
        self.assertIn(f" - {version}-1\n", read("mptcpize.spec"))

    @unittest.skipUnless(shutil.which("dpkg-parsechangelog"), "dpkg-dev is not installed")
    def test_changelog_parses(self):
        done = subprocess.run(["dpkg-parsechangelog", "-l", f"{SOURCE}/debian/changelog"],
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class PkgConfig(unittest.TestCase):
    """mptcpize.pc, as somebody uses it who writes a plugin."""

    @classmethod
    def setUpClass(cls):
        cls.root = f"{TOP}/root"
        command("ninja", "-C", f"{TOP}/0", "man/standby.c")
        command("meson", "install", "-C", f"{TOP}/0", "--no-rebuild", "--tags", "devel",
                "--destdir", cls.root)

    def pkg_config(self, *options):
        return command("pkg-config", *options, "mptcpize", env={
            **os.environ, "PKG_CONFIG_SYSROOT_DIR": self.root,
            "PKG_CONFIG_LIBDIR": f"{self.root}/usr/{LIBDIR}/pkgconfig",
            "PKG_CONFIG_ALLOW_SYSTEM_CFLAGS": "1"}).split()

    def test_variables_tell_plugindir_and_abi(self):
        self.assertTrue(self.pkg_config("--variable=plugindir")[0]
                        .endswith(f"/usr/{LIBDIR}/mptcpize"))
        header = read("plugins/include/mptcpize/plugin.h")
        numbers = re.findall(r"^#define MPTCPIZE_ABI_M(?:AJ|IN)OR (\d+)u$", header, re.M)
        self.assertEqual(self.pkg_config("--variable=abi"), [".".join(numbers)])

    def test_example_is_compiled_and_taken(self):
        flags = self.pkg_config("--cflags")
        self.assertEqual(flags, [f"-I{self.root}/usr/include"])
        command(os.environ.get("CC", "cc"), "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared",
                "-fPIC", *flags, "-o", f"{TOP}/standby.so", f"{TOP}/0/man/standby.c")
        conf = f"{TOP}/standby.conf"
        with open(conf, "w", encoding="ascii") as file:
            file.write('{ "plugin": "standby", "plugins": { "standby": { "count": 1 } } }')
        command(MPTCPIZED, "--check", "--plugins", TOP, "--config", conf,
                "--policies", TOP)
        self.assertEqual(sorted(glob.glob(f"{self.root}/usr/include/**/*.h", recursive=True)),
                         [f"{self.root}/usr/include/mptcpize/{name}.h"
                          for name in ("key", "plugin")])


if __name__ == "__main__":
    everything = os.environ.get("MPTCPIZE_FULL") == "1" or sys.argv[1:]
    tap.main([sys.modules["__main__"], *([packages] if everything else [])])
