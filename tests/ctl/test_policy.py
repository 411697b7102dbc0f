#!/usr/bin/python3
"""mptcpctl policy from outside: files and databases in, verdicts with their rules out.

Needs no daemon; what a user's own policies come to is tested as another user, and skipped if that
takes rights that we have not. Environment: MPTCPCTL, the program.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

MPTCPCTL = os.path.abspath(os.environ["MPTCPCTL"])
NOBODY = 65534

CURL = """{
  "match": { "app": "curl" },
  "socket": { "except": [ { "to": "198.51.100.0/24" },
                          { "port": "22,8000-8010" } ],
              "listen": [ "443" ] },
  "paths": { "mode": "aggregate", "max_subflows": 2 }
}
"""
OFF = '{ "match": { "exe": "/opt/*" },\n  "paths": { "mode": "off" } }'
BAD = '{ "match": { "app": "x" },\n  "socket": { "tos": 999, "lopback": true } }'


def ctl(*words, env=None, user=None):
    """Runs "mptcpctl policy"; without env, the databases of this machine don't count."""
    full = {"PATH": os.environ["PATH"], "MPTCPIZE_POLICY": "/nonexistent/policy.db"}
    full.update({key: os.environ[key] for key in ("ASAN_OPTIONS", "UBSAN_OPTIONS")
                 if key in os.environ})
    return subprocess.run([MPTCPCTL, "policy", *words], env=full if env is None else env,
                          capture_output=True, text=True, timeout=60, check=False, user=user)


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.db = os.path.join(self.directory, "policy.db")

    def file(self, name, text):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def compile(self, **files):
        paths = [self.file(name + ".json", text) for name, text in files.items()]
        done = ctl("compile", "--output", self.db, *paths)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done

    def json(self, *words, **more):
        done = ctl(*words, "--json", **more)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    def explain(self, *words):
        return self.json("explain", "--db", self.db, *words)

    def fails(self, status, message, *words):
        done = ctl(*words)
        self.assertEqual((done.returncode, done.stdout), (status, ""))
        self.assertIn(message, done.stderr)
        structured = ctl(words[0], "--json", *words[1:])
        self.assertEqual(structured.returncode, status)
        self.assertIn(message, json.loads(structured.stdout)["error"])


class Words(Case):
    def test_usage(self):
        self.fails(2, 'unknown command "policy explian"', "explian")
        self.fails(2, 'unknown option "--dB"', "list", "--dB")
        self.fails(2, 'nothing follows "--db"', "list", "--db")
        self.fails(2, "expected: mptcpctl policy list [--db DB]", "list", "more")
        self.fails(2, "expected: mptcpctl policy show", "show")
        self.fails(2, "expected: mptcpctl policy check", "check")
        self.fails(2, "expected: mptcpctl policy explain", "explain", "curl")

    def test_policy_alone_is_usage(self):
        done = subprocess.run([MPTCPCTL, "policy"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn('"policy" is followed by one of: list, show, check, compile, explain',
                      done.stderr)

    def test_double_dash_ends_the_options(self):
        self.compile(curl=CURL)
        self.fails(1, 'there is no policy "--listen"', "show", "--db", self.db, "--", "--listen")


class Check(Case):
    def test_good_files(self):
        path = self.file("curl.json", CURL)
        done = ctl("check", path)
        self.assertEqual((done.returncode, done.stdout), (0, "1 file, no mistakes\n"))
        self.assertEqual(self.json("check", path),
                         {"files": 1, "database": None, "errors": [], "errors_left_out": 0,
                          "notes": []})

    def test_all_mistakes_are_told(self):
        bad, worse = self.file("d/bad.json", BAD), self.file("d/worse.json", "{")
        done = ctl("check", os.path.join(self.directory, "d"))
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout.splitlines(), [
            f"{bad}:2:22: expected a whole number from 0 to 255 (here: 999)",
            f'{bad}:2:27: unknown key, did you mean "loopback"? (here: "lopback")',
            f"{worse}:1:1: not valid JSON: string or '}}' expected near end of file"])
        errors = json.loads(ctl("check", "--json", bad).stdout)["errors"]
        self.assertEqual(errors[0], {
            "file": bad, "line": 2, "column": 22,
            "what": "expected a whole number from 0 to 255 (here: 999)"})

    def test_protection_of_unnamed_listeners_is_noted(self):
        require = '"auth": {"mode": "require"}'
        path = self.file("a.json", '{"match": {"app": "a"}, %s}' % require)
        done = ctl("check", path)
        self.assertEqual(done.returncode, 0)
        self.assertIn(f'{path}:1: note: "require" protects a listener from the first word',
                      done.stdout)
        self.assertIn("1 file, no mistakes\n", done.stdout)
        self.assertEqual([(note["file"], note["line"])
                          for note in self.json("check", path)["notes"]], [(path, 1)])
        path = self.file("b.json", '{"match": {"app": "b"}, %s, "socket": {"listen": ["443"]}}'
                         % require)
        self.assertEqual(self.json("check", path)["notes"], [])

    def test_missing_file_is_told(self):
        path = os.path.join(self.directory, "none.json")
        done = ctl("check", path)
        self.assertEqual((done.returncode, done.stdout),
                         (1, f"{path}: the file can't be read: No such file or directory\n"))

    def test_control_characters_are_escaped(self):
        path = self.file("a\x1b.json", "{")
        self.assertIn("a\\x1b.json:1:1:", ctl("check", path).stdout)


class Compile(Case):
    def test_makes_a_database(self):
        self.assertEqual(self.compile(curl=CURL).stdout, "1 file, no mistakes\n")
        self.assertEqual(os.stat(self.db).st_mode & 0o777, 0o644)

    def test_database_stays_the_same_file(self):
        self.compile(curl=CURL)
        before = os.stat(self.db)
        self.compile(curl=CURL.replace("443", "444"))
        after = os.stat(self.db)
        self.assertEqual((before.st_ino, before.st_size), (after.st_ino, after.st_size))
        self.assertEqual(self.explain("--listen", "curl", "*:444")["protocol"], "mptcp")

    def test_mistake_leaves_the_database_as_it_is(self):
        self.compile(curl=CURL)
        done = ctl("compile", "--output", self.db, self.file("bad.json", BAD))
        self.assertEqual(done.returncode, 1)
        self.assertIn("bad.json:2:22:", done.stdout)
        self.assertEqual([row["name"] for row in self.json("list", "--db", self.db)["policies"]],
                         ["curl"])

    def test_other_file_is_left_as_it_is(self):
        other = self.file("precious.txt", "a text\n")
        self.fails(1, "precious.txt\" is no database of policies", "compile", "--output", other,
                   self.file("curl.json", CURL))
        with open(other, encoding="ascii") as file:
            self.assertEqual(file.read(), "a text\n")

    def test_no_place_is_a_failure(self):
        path = self.file("curl.json", CURL)
        self.fails(1, "/nonexistent/db\" can't be written: No such file or directory", "compile",
                   "--output", "/nonexistent/db", path)
        self.fails(1, "can't be written: Is a directory", "compile", "--output", self.directory,
                   path)

    def test_output_and_files_belong_together(self):
        self.fails(2, "--output and files belong together", "compile", "--output", self.db)
        self.fails(2, "--output and files belong together", "compile", "x.json")

    def test_interfaces_of_this_host_are_expanded(self):
        rule = '{ "match": { "app": "x" }, "socket": { "loopback": true, "except": [ ' \
               '{ "interface": "lo" } ] } }'
        self.compile(x=rule)
        verdict = self.explain("x", "127.9.9.9")
        self.assertEqual((verdict["protocol"], verdict["reason"]),
                         ("tcp", "an exception of the policy"))


class Show(Case):
    def test_list(self):
        self.compile(curl=CURL, opt=OFF)
        value = self.json("list", "--db", self.db)
        self.assertEqual(value["databases"], [self.db])
        self.assertEqual([row["name"] for row in value["policies"]], ["opt", "curl"])
        self.assertEqual(value["policies"][1], {
            "name": "curl", "match": {"app": "curl"}, "upgrade": ["connect", "listen"],
            "exceptions": 2, "mode": "aggregate", "plugin": None, "auth": "off",
            "file": os.path.join(self.directory, "curl.json"), "database": self.db})
        lines = ctl("list", "--db", self.db).stdout.splitlines()
        self.assertEqual(lines[0], "from " + self.db)
        self.assertEqual(lines[1].split(), ["NAME", "MATCH", "UPGRADE", "PATHS", "AUTH", "FILE"])
        self.assertEqual(lines[2].split()[:4], ["opt", "exe=/opt/*", "no", "off"])
        self.assertIn("app=curl    connect, listen, 2 exceptions  aggregate", lines[3])

    def test_empty_list(self):
        os.mkdir(os.path.join(self.directory, "empty"))
        ctl("compile", "--output", self.db, os.path.join(self.directory, "empty"))
        self.assertEqual(ctl("list", "--db", self.db).stdout, f"from {self.db}\nno policies\n")

    def test_show_is_the_language(self):
        self.compile(curl=CURL)
        value = self.json("show", "--db", self.db, "curl")
        self.assertEqual(value["policy"]["paths"],
                         {"mode": "aggregate", "max_subflows": 2, "interfaces": {}, "options": {}})
        self.assertEqual(value["file"], os.path.join(self.directory, "curl.json"))
        text = ctl("show", "--db", self.db, "curl").stdout
        head, rest = text.split("\n{", 1)
        self.assertEqual(head, f"{value['file']}\nfrom {self.db}")
        self.assertEqual(json.loads("{" + rest), value["policy"])
        again = self.file("again/curl.json", "{" + rest)
        self.assertEqual(ctl("check", again).returncode, 0)

    def test_show_unknown_is_a_failure(self):
        self.compile(curl=CURL)
        self.fails(1, 'there is no policy "wget"', "show", "--db", self.db, "wget")


class Explain(Case):
    def setUp(self):
        super().setUp()
        self.compile(curl=CURL, opt=OFF)
        self.curl = os.path.join(self.directory, "curl.json")

    def verdict(self, *words):
        value = self.explain(*words)
        return value["protocol"], value["reason"], value["policy"], value["line"], value["column"]

    def test_upgraded(self):
        self.assertEqual(self.verdict("curl", "192.0.2.1"),
                         ("mptcp", "nothing is in the way", "curl", 2, None))

    def test_exception_has_its_place(self):
        self.assertEqual(self.verdict("curl", "198.51.100.1:80"),
                         ("tcp", "an exception of the policy", "curl", 3, 27))
        self.assertEqual(self.verdict("curl", "[2001:db8::1]:8010"),
                         ("tcp", "an exception of the policy", "curl", 4, 27))

    def test_listeners(self):
        self.assertEqual(self.verdict("--listen", "curl", "*:443")[0], "mptcp")
        self.assertEqual(self.verdict("--listen", "curl", "*:80"),
                         ("tcp", "the policy lists other listeners", "curl", 5, 27))

    def test_path_of_the_program(self):
        self.assertEqual(self.verdict("/opt/x/bin/tool", "192.0.2.1"),
                         ("tcp", "the policy's mode is off", "opt", 2, None))
        link = os.path.join(self.directory, "tool")
        os.symlink(shutil.which("true"), link)
        program = self.explain(link, "192.0.2.1")["program"]
        self.assertEqual((program["app"], program["exe"]),
                         ("tool", os.path.realpath(shutil.which("true"))))

    def test_who_asks(self):
        program = self.explain("--uid", "7", "--unit", "x.service", "tool", "192.0.2.1")["program"]
        self.assertEqual(program, {"app": "tool", "exe": None, "unit": "x.service", "uid": 7})
        self.assertEqual(self.explain("--uid", "root", "x", "::2")["program"]["uid"], 0)

    def test_bound_sockets(self):
        self.assertEqual(self.verdict("--from", "192.0.2.7", "curl", "192.0.2.1")[:2],
                         ("tcp", "the socket is bound to one address"))
        self.assertEqual(self.verdict("--device", "eth0", "curl", "192.0.2.1")[:2],
                         ("tcp", "the socket is bound to one device"))

    def test_loopback_is_built_in(self):
        for address in ("127.0.0.1", "::1", "0.0.0.0:80"):
            self.assertEqual(self.verdict("curl", address), ("tcp", "loopback", "curl", None, None))
        self.assertIn("rule      built in\n",
                      ctl("explain", "--db", self.db, "curl", "127.0.0.1").stdout)

    def test_no_policy(self):
        self.assertEqual(self.verdict("wget", "192.0.2.1"),
                         ("mptcp", "nothing is in the way", None, None, None))

    def test_text(self):
        self.assertEqual(ctl("explain", "--db", self.db, "--uid", "7", "curl", "[::2]:22").stdout
                         .replace(shutil.which("curl") or "-", "-"),
                         "protocol  TCP\n"
                         "reason    an exception of the policy\n"
                         f"rule      {self.curl}:4:27\n"
                         "policy    curl\n"
                         "paths     aggregate\n"
                         "auth      off\n"
                         "program   app=curl exe=- unit=- uid=7\n"
                         f"database  {self.db}\n")

    def test_authentication(self):
        policy = '{"match": {"app": "%s"}, "auth": {"mode": "require"%s}}'
        self.compile(a=policy % ("a", ""), b=policy % ("b", ', "psk": "/etc/key"'),
                     c=policy % ("c", ', "psk": "key"'))
        for name, psk, line in (("a", None, "require"), ("b", "/etc/key", "require, key: /etc/key"),
                                ("c", "key", "require, key: credential key")):
            answer = self.explain(name, "192.0.2.1")
            self.assertEqual((answer["auth"], answer["psk"]), ("require", psk))
            self.assertIn(f"auth      {line}\n",
                          ctl("explain", "--db", self.db, name, "192.0.2.1").stdout)
            shown = self.json("show", "--db", self.db, name)["policy"]["auth"]
            self.assertEqual((shown["mode"], shown.get("psk")), ("require", psk))

    def test_bad_words_are_usage(self):
        self.fails(2, '"example.com" is no address', "explain", "curl", "example.com")
        self.fails(2, '"*:80" is no address to connect to', "explain", "curl", "*:80")
        self.fails(2, '"x" is no address', "explain", "--from", "x", "curl", "::2")
        self.fails(2, '"no such user" is no user', "explain", "--uid", "no such user", "x", "::2")
        self.fails(2, '"-1" is no user', "explain", "--uid", "-1", "x", "::2")
        self.fails(2, "--listen goes neither", "explain", "--listen", "--connect", "x", "80")


class Databases(Case):
    def test_variable_names_another_database(self):
        self.compile(curl=CURL)
        env = {"MPTCPIZE_POLICY": self.db}
        self.assertEqual(self.json("list", env=env)["databases"], [self.db])

    def test_missing_database_is_a_failure(self):
        self.fails(1, '"/nonexistent/policy.db" can\'t be read: No such file', "list")

    def test_damaged_database_is_a_failure(self):
        self.compile(curl=CURL)
        with open(self.db, "r+b") as file:
            file.seek(4096 + 524288 + 100)
            file.write(b"damage")
        self.fails(1, "is no policy database of this version, or it is damaged", "list", "--db",
                   self.db)
        self.fails(1, "is no policy database", "explain", "--db", MPTCPCTL, "x", "::2")


class Own(Case):
    """A user's own policies, as a user who is not root."""

    def setUp(self):
        super().setUp()
        self.user = os.geteuid() or NOBODY
        if os.geteuid() == 0:
            os.chmod(self.directory, 0o755)
            os.makedirs(os.path.join(self.directory, "run"))
            os.chown(os.path.join(self.directory, "run"), NOBODY, -1)
            if subprocess.run([MPTCPCTL, "--version"], user=NOBODY, capture_output=True,
                              check=False).returncode != 0:
                self.skipTest("another user can't run mptcpctl here")
        else:
            os.makedirs(os.path.join(self.directory, "run"))
        self.path = self.file("config/mptcpize/apps.d/mine.json", CURL)
        self.env = {"PATH": os.environ["PATH"],
                    "XDG_CONFIG_HOME": os.path.join(self.directory, "config"),
                    "XDG_RUNTIME_DIR": os.path.join(self.directory, "run")}

    def run_as_user(self, *words, **more):
        user = self.user if os.geteuid() == 0 else None
        try:
            return ctl(*words, env=dict(self.env, **more), user=user)
        except PermissionError:
            return self.skipTest("another user can't run mptcpctl here")

    def own(self, value):
        return [row for row in value["policies"] if row["file"] == self.path]

    def test_compile_and_use(self):
        before = json.loads(self.run_as_user("list", "--json").stdout)
        self.assertEqual(self.own(before)[0]["database"], None)
        done = self.run_as_user("compile")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        database = os.path.join(self.directory, "run/mptcpize/policy.db")
        after = self.own(json.loads(self.run_as_user("list", "--json").stdout))[0]
        self.assertEqual((after["database"], after["match"]),
                         (database, {"app": "curl", "uid": self.user}))
        verdict = json.loads(self.run_as_user("explain", "--json", "curl", "198.51.100.1").stdout)
        self.assertEqual((verdict["policy"], verdict["line"], verdict["database"]),
                         ("mine", 3, database))

    def test_own_policy_is_for_its_owner_only(self):
        self.file("config/mptcpize/apps.d/root.json", '{ "match": { "uid": 0 } }')
        done = self.run_as_user("compile")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"root.json:1:21: expected user {self.user}, whose own policy this is",
                      done.stdout)

    def test_no_runtime_directory_is_a_failure(self):
        del self.env["XDG_RUNTIME_DIR"]
        done = self.run_as_user("compile")
        self.assertEqual(done.returncode, 1)
        self.assertIn("XDG_RUNTIME_DIR is not set", done.stderr)


class Root(Case):
    def test_compile_of_root_needs_an_output(self):
        if os.geteuid() != 0:
            self.skipTest("not root")
        self.fails(2, "the system's policies are compiled by mptcpized", "compile")


if __name__ == "__main__":
    sys.exit(unittest.main())
