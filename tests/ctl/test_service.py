#!/usr/bin/python3
"""mptcpctl service, on trees of directories that stand for the root file systems of hosts.

What systemd makes of it, and what becomes of running programs, is tested where systemd runs, in
tests/vm. Environment: MPTCPCTL, the program; MPTCPIZE_SHIM, the library.
"""

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

MPTCPCTL = os.path.abspath(os.environ["MPTCPCTL"])
LIBRARY = "/usr/lib/libmptcpize.so"
HERE = "etc/systemd/system"
VENDOR = "usr/lib/systemd/system"
WEB = """# a comment
[Unit]
Description=web

[Service]
Environment=HOME=/srv "GREETING=hello world"
ExecStart=-/usr/bin/web --quietly \\
# still the same line
  --twice
"""


class Case(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        self.put(LIBRARY, "library")
        self.copy(sys.executable, "/usr/bin/web")
        self.put(f"{VENDOR}/web.service", WEB)

    def path(self, name):
        return os.path.join(self.root, name.lstrip("/"))

    def put(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def copy(self, source, name):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        shutil.copy(os.path.realpath(source), self.path(name))

    def get(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def dropin(self, unit):
        """The lines of ours that are no comments."""
        text = self.get(f"{HERE}/{unit}.d/50-mptcpize.conf")
        return [line for line in text.splitlines() if not line.startswith("#")]

    def run_ctl(self, *words, user=None):
        env = {"PATH": os.environ["PATH"], "MPTCPIZE_SHIM": LIBRARY}
        env.update({key: os.environ[key] for key in ("ASAN_OPTIONS", "UBSAN_OPTIONS")
                    if key in os.environ})
        return subprocess.run([MPTCPCTL, "service", *words], env=env, capture_output=True,
                              text=True, timeout=60, check=False, user=user)

    def ctl(self, *words):
        """What it prints as JSON, of this root."""
        done = self.run_ctl("--json", "--root", self.root, *words)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return json.loads(done.stdout)

    def fails(self, status, wanted, *words):
        done = self.run_ctl("--root", self.root, *words)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(wanted, done.stderr)

    def warns(self, wanted, *words):
        said = self.ctl(*words)["warnings"]
        self.assertEqual([wanted in line for line in said].count(True), 1, said)


class Enabling(Case):
    def test_enable_writes_a_dropin_and_leaves_the_unit(self):
        said = self.ctl("enable", "web")
        self.assertEqual((said["unit"], said["enabled"], said["effective"], said["changed"]),
                         ("web.service", True, True, True))
        self.assertEqual((said["warnings"], said["sockets"], said["mode"]), ([], [], None))
        self.assertEqual(self.dropin("web.service"),
                         ["[Service]", f'Environment="LD_PRELOAD={LIBRARY}"'])
        self.assertEqual(self.get(f"{VENDOR}/web.service"), WEB)
        mode = os.stat(self.path(said["file"])).st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o644)

    def test_enable_twice_changes_nothing(self):
        self.ctl("enable", "web")
        self.assertFalse(self.ctl("enable", "web.service")["changed"])

    def test_enable_joins_a_preload_of_the_unit(self):
        for line, old in (("LD_PRELOAD=/a.so", "/a.so"), ('"LD_PRELOAD=/a.so /b.so" X=y',
                                                          "/a.so /b.so")):
            self.put(f"{VENDOR}/web.service", f"{WEB}Environment={line}\n")
            self.ctl("enable", "web")
            self.assertEqual(self.dropin("web.service")[1:],
                             [f'Environment="LD_PRELOAD={LIBRARY}:{old}"'])
        self.put(f"{VENDOR}/web.service", f"{WEB}Environment=LD_PRELOAD=/a.so\nEnvironment=\n")
        self.ctl("enable", "web")
        self.assertEqual(self.dropin("web.service")[1:], [f'Environment="LD_PRELOAD={LIBRARY}"'])

    def test_enable_joins_what_other_dropins_say(self):
        self.put(f"{VENDOR}/service.d/10-all.conf", "[Service]\nEnvironment=LD_PRELOAD=/all.so\n")
        self.ctl("enable", "web")
        self.assertIn(f"{LIBRARY}:/all.so", self.dropin("web.service")[1])

    def test_enable_undone_by_a_later_dropin_is_said(self):
        self.put(f"{HERE}/web.service.d/90-mine.conf", "[Service]\nEnvironment=LD_PRELOAD=/x.so\n")
        self.warns("other settings of the unit undo it", "enable", "web")
        self.assertFalse(self.ctl("status", "web")["effective"])

    def test_disable_takes_away_its_own_only(self):
        self.ctl("enable", "web")
        said = self.ctl("disable", "web")
        self.assertEqual((said["enabled"], said["changed"]), (False, True))
        self.assertFalse(os.path.exists(self.path(f"{HERE}/web.service.d")))
        self.put(f"{HERE}/web.service.d/mine.conf", "[Service]\nNice=1\n")
        self.ctl("enable", "web")
        self.ctl("disable", "web")
        self.assertEqual(os.listdir(self.path(f"{HERE}/web.service.d")), ["mine.conf"])
        self.assertFalse(self.ctl("disable", "web")["changed"])

    def test_mode_of_an_escaped_unit_is_a_policy(self):
        """Names have backslashes in them, as systemd-escape(1) writes what a path may have."""
        name = "a\\x2db.service"
        self.put(f"{VENDOR}/{name}", WEB)
        self.ctl("enable", name, "--mode", "handover")
        self.assertEqual(self.ctl("status", name)["mode"], "handover")
        path = next(f"{where}/service-{name}.json" for where, _, files in os.walk(self.root)
                    if f"service-{name}.json" in files)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(json.load(file)["match"], {"unit": name})
        check = subprocess.run([MPTCPCTL, "policy", "check", os.path.dirname(path)], check=False,
                               capture_output=True, text=True)
        self.assertEqual(check.returncode, 0, check.stdout)

    def test_dropin_that_is_no_file_says_nothing(self):
        """As a link to /dev/null, which masks one; nothing waits for what a FIFO may say."""
        self.put(f"{HERE}/web.service.d/mine.conf", "")
        os.mkfifo(self.path(f"{HERE}/web.service.d/fifo.conf"))
        os.unlink(self.path(f"{HERE}/web.service.d/mine.conf"))
        os.symlink("fifo.conf", self.path(f"{HERE}/web.service.d/mine.conf"))
        self.assertTrue(self.ctl("enable", "web")["effective"])

    def test_file_that_is_no_unit_is_refused(self):
        """Its name would be a line of the drop-in, or a word of what is to be typed."""
        for name in ("a b.service", "$(id).service", "a'b.service"):
            self.put(f"{VENDOR}/{name}", WEB)
            done = subprocess.run([MPTCPCTL, "service", "enable", "--root", self.root, name],
                                  check=False, capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn("is not the name of a unit", done.stderr)

    def test_mode_makes_a_policy_and_disable_removes_it(self):
        self.ctl("enable", "web", "--mode", "handover")
        said = self.ctl("status", "web")
        self.assertEqual(said["mode"], "handover")
        directory = next(where for where, _, files in os.walk(self.root)
                         if "service-web.service.json" in files)
        with open(f"{directory}/service-web.service.json", encoding="utf-8") as file:
            self.assertEqual(json.load(file), {"match": {"unit": "web.service"},
                                               "paths": {"mode": "handover"}})
        check = subprocess.run([MPTCPCTL, "policy", "check", directory], check=False,
                               capture_output=True, text=True)
        self.assertEqual(check.returncode, 0, check.stdout)
        self.ctl("enable", "web", "--mode", "aggregate")
        self.assertEqual(self.ctl("status", "web")["mode"], "aggregate")
        self.ctl("disable", "web")
        self.assertEqual(os.listdir(directory), [])
        self.put(os.path.relpath(f"{directory}/service-web.service.json", self.root), "{}")
        self.fails(1, "not as this command makes it", "enable", "web", "--mode", "handover")
        self.fails(2, "no mode", "enable", "web", "--mode", "off")


class Units(Case):
    def test_unit_in_etc_counts_before_the_vendors(self):
        self.put(f"{HERE}/web.service", f"{WEB}Environment=LD_PRELOAD=/etc.so\n")
        self.ctl("enable", "web")
        self.assertIn("/etc.so", self.dropin("web.service")[1])

    def test_templates_and_instances_have_their_own(self):
        self.put(f"{VENDOR}/foo@.service", WEB)
        self.assertEqual(self.ctl("enable", "foo@a")["unit"], "foo@a.service")
        self.assertEqual(self.ctl("status", "foo@b")["effective"], False)
        self.assertEqual(self.ctl("enable", "foo@")["unit"], "foo@.service")
        said = self.ctl("status", "foo@b")
        self.assertEqual((said["enabled"], said["effective"]), (False, True))
        self.ctl("enable", "foo@", "--mode", "handover")
        policy = next(f"{where}/{name}" for where, _, files in os.walk(self.root)
                      for name in files if name == "service-foo@.service.json")
        self.assertIn('"foo@*.service"', self.get(os.path.relpath(policy, self.root)))

    def test_aliases_are_followed(self):
        os.makedirs(self.path(HERE))
        os.symlink("/usr/lib/systemd/system/web.service", self.path(f"{HERE}/www.service"))
        said = self.ctl("enable", "www")
        self.assertEqual(said["unit"], "web.service")
        self.assertIn("another name", said["warnings"][0])

    def test_units_that_cannot_be_enabled_are_errors(self):
        os.makedirs(self.path(HERE))
        os.symlink("/dev/null", self.path(f"{HERE}/dead.service"))
        self.put(f"{HERE}/empty.service", "")
        for status, wanted, name in ((1, "masked", "dead"), (1, "masked", "empty.service"),
                                     (1, "no unit none.service", "none"),
                                     (1, "only services", "a.timer"),
                                     (1, "only services", "multi-user.target"),
                                     (1, "not the name of a unit", "../../web.service"),
                                     (2, "units of users", "--user web")):
            for verb in ("enable", "disable", "status"):
                self.fails(status, wanted, verb, *name.split())

    def test_loops_and_monsters_are_errors(self):
        os.makedirs(self.path(HERE))
        os.symlink("b.service", self.path(f"{HERE}/a.service"))
        os.symlink("a.service", self.path(f"{HERE}/b.service"))
        self.fails(1, "can't be read", "enable", "a")
        self.put(f"{HERE}/big.service", "[Service]\n" + "X=" + "y" * 2000000 + "\n")
        self.fails(1, "too large", "enable", "big")

    def test_links_stay_within_the_root(self):
        os.makedirs(self.path(HERE))
        os.symlink("/etc/passwd", self.path(f"{HERE}/leak.service"))
        self.fails(1, "leak.service", "enable", "leak")

    @unittest.skipIf(os.geteuid() != 0, "becoming another user needs root")
    def test_others_than_root_are_refused(self):
        with tempfile.TemporaryDirectory() as place:  # where the program can be reached
            os.chmod(place, 0o755)
            program = shutil.copy(MPTCPCTL, place)
            done = subprocess.run([program, "service", "enable", "dbus"], user=65534, check=False,
                                  capture_output=True, text=True, env={"PATH": "/usr/bin"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("root", done.stderr)


class Warnings(Case):
    def service(self, *lines):
        self.put(f"{VENDOR}/web.service", WEB + "".join(f"{line}\n" for line in lines))

    def test_sandbox_is_said(self):
        for line, wanted in (("RootDirectory=/srv", "RootDirectory"),
                             ("RestrictAddressFamilies=AF_INET AF_INET6", "AF_UNIX"),
                             ("RestrictAddressFamilies=~AF_UNIX", "AF_UNIX"),
                             ("PrivateNetwork=yes", "no network"),
                             ("NoExecPaths=/", "ExecPaths"),
                             ("UnsetEnvironment=FOO LD_PRELOAD", "takes LD_PRELOAD away")):
            self.service(line)
            self.warns(wanted, "enable", "web")
        for line in ("PrivateNetwork=no", "RestrictAddressFamilies=AF_INET AF_UNIX",
                     "RestrictAddressFamilies=~AF_PACKET"):
            self.service(line)
            self.assertEqual(self.ctl("enable", "web")["warnings"], [])

    def test_environment_file_is_read(self):
        self.put("/etc/default/web", "A=b\nLD_PRELOAD=/x.so\n")
        self.service("EnvironmentFile=-/etc/default/web", "EnvironmentFile=-/etc/default/none")
        self.warns("/etc/default/web sets LD_PRELOAD", "enable", "web")

    def test_setuid_program_is_said(self):
        os.chmod(self.path("/usr/bin/web"), 0o4755)
        self.warns("setuid", "enable", "web")

    def test_missing_program_is_said(self):
        os.unlink(self.path("/usr/bin/web"))
        self.warns("/usr/bin/web can't be looked at", "enable", "web")

    @unittest.skipIf(not shutil.which("go"), "Go is not installed")
    def test_go_program_gets_gos_own(self):
        self.copy(shutil.which("go"), "/usr/bin/web")
        self.warns("Go program", "enable", "web")
        self.assertIn('Environment="GODEBUG=multipathtcp=1"', self.dropin("web.service"))
        self.service("Environment=GODEBUG=x=1")
        self.ctl("enable", "web")
        self.assertIn('Environment="GODEBUG=x=1,multipathtcp=1"', self.dropin("web.service"))

    def test_missing_library_is_an_error(self):
        os.unlink(self.path(LIBRARY))
        self.fails(1, LIBRARY, "enable", "web")
        self.assertFalse(os.path.exists(self.path(f"{HERE}/web.service.d")))


class Sockets(Case):
    def systemd(self, version):
        self.put(f"/usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-{version}.so", "")

    def test_socket_that_starts_it_is_named(self):
        self.put(f"{VENDOR}/web.socket", "[Socket]\nListenStream=80\n")
        self.put(f"{VENDOR}/other.socket", "[Socket]\nListenStream=81\nService=web.service\n")
        self.put(f"{VENDOR}/local.socket",
                 "[Socket]\nListenStream=/run/web\nService=web.service\n")
        said = self.ctl("enable", "web")
        self.assertEqual(sorted((row["unit"], row["mptcp"]) for row in said["sockets"]),
                         [("other.socket", False), ("web.socket", False)])
        self.assertEqual(len(said["warnings"]), 2)

    def test_socket_of_a_new_systemd_gets_the_protocol(self):
        self.systemd(257)
        self.put(f"{VENDOR}/web.socket", "[Socket]\nListenStream=80\n")
        self.assertEqual(self.ctl("enable", "web.socket")["warnings"], [])
        self.assertEqual(self.dropin("web.socket"), ["[Socket]", "SocketProtocol=mptcp"])
        said = self.ctl("enable", "web")
        self.assertEqual((said["sockets"], said["warnings"]),
                         ([{"unit": "web.socket", "mptcp": True}], []))
        self.ctl("disable", "web.socket")
        self.assertFalse(os.path.exists(self.path(f"{HERE}/web.socket.d")))

    def test_socket_of_an_old_systemd_is_refused(self):
        self.systemd(252)
        self.put(f"{VENDOR}/web.socket", "[Socket]\nListenStream=80\n")
        self.fails(1, "systemd 252", "enable", "web.socket")
        self.assertFalse(os.path.exists(self.path(f"{HERE}/web.socket.d")))

    def test_template_of_an_accepting_socket_is_found(self):
        self.put(f"{VENDOR}/in.socket", "[Socket]\nListenStream=79\nAccept=yes\n")
        self.put(f"{VENDOR}/in@.service", WEB)
        self.assertEqual(self.ctl("enable", "in@")["sockets"],
                         [{"unit": "in.socket", "mptcp": False}])


if __name__ == "__main__":
    sys.exit(unittest.main())
