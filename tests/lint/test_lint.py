#!/usr/bin/python3
"""Each rule of lint.py fires on a small bad sample, where it should, and on nothing else."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import lint
import source

HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = "/* What this is. */\n"
LONG = "int long_one(void) {\n" + "        nothing();\n" * (lint.MAX_FUNCTION - 1) + "}\n"

# rule, what is wrong, path, text, line of the finding (0: the text is right).
# A path that ends in .h or .c makes known what other samples include.
SAMPLES = (
    ("function-length", "a long C function", "daemon/a.c", HEAD + LONG, 2),
    ("function-length", "one just short enough", "daemon/a.c",
     HEAD + LONG.replace("        nothing();\n", "", 1), 0),
    ("function-length", "a brace in a string", "daemon/a.c",
     HEAD + 'static const char *a_text = "{";\n\n' + LONG, 4),
    ("function-length", "behind a macro", "daemon/a.c",
     HEAD + "DEFINE_CLEANUP(struct a *, a_free)\n\n" + LONG, 4),
    ("function-length", "a table is no function", "daemon/a.c",
     HEAD + "static const int a_table[] = {\n" + "        1,\n" * 90 + "};\n", 0),
    ("function-length", "a long Python function", "tests/a.py",
     '"""A."""\n\n\ndef long():\n' + "    nothing()\n" * 70, 4),
    ("function-length", "a long shell function", "tests/a.sh",
     "#!/bin/bash\n# A.\n\nlong() {\n" + "        nothing\n" * 69 + "}\n", 4),
    ("file-length", "a long file", "daemon/a.c", HEAD + "extern int a;\n" * 600, 601),
    ("file-length", "one just short enough", "daemon/a.c", HEAD + "extern int a;\n" * 599, 0),
    ("layer", "util includes core", "daemon/util/a.c", HEAD + '#include "../core/model.h"\n', 2),
    ("layer", "util includes jansson", "daemon/util/a.c", HEAD + "#include <jansson.h>\n", 2),
    ("layer", "util/json.h includes jansson", "daemon/util/json.h",
     HEAD + "#pragma once\n#include <jansson.h>\n", 0),
    ("layer", "core includes kern", "daemon/core/a.c", HEAD + '#include "../kern/kern.h"\n', 2),
    ("layer", "core includes kern, from daemon/", "daemon/core/a.c",
     HEAD + '#include "kern/kern.h"\n', 2),
    ("layer", "core includes util and plugin.h", "daemon/core/a.c",
     HEAD + '#include "model.h"\n#include "../util/json.h"\n#include <mptcpize/plugin.h>\n', 0),
    ("layer", "core includes jansson", "daemon/core/a.c", HEAD + "#include <jansson.h>\n", 2),
    ("layer", "core includes the log", "daemon/core/a.c", HEAD + '#include "../util/log.h"\n', 2),
    ("layer", "core includes a clock", "daemon/core/a.c", HEAD + "#include <time.h>\n", 2),
    ("layer", "core includes libnl", "daemon/core/a.c", HEAD + "#include <netlink/msg.h>\n", 2),
    ("layer", "core includes systemd", "daemon/core/a.c",
     HEAD + "#include <systemd/sd-event.h>\n", 2),
    ("layer", "core includes linux headers", "daemon/core/a.c",
     HEAD + "#include <linux/mptcp.h>\n", 2),
    ("layer", "a codec logs", "daemon/kern/codec-a.c", HEAD + '#include "../util/log.h"\n', 2),
    ("layer", "kern includes libnl", "daemon/kern/a.c",
     HEAD + "#include <netlink/msg.h>\n#include <linux/mptcp.h>\n", 0),
    ("layer", "kern includes bus", "daemon/kern/a.c", HEAD + '#include "../bus/bus.h"\n', 2),
    ("layer", "kern includes systemd", "daemon/kern/a.c",
     HEAD + "#include <systemd/sd-event.h>\n", 2),
    ("layer", "host includes kern", "daemon/host/a.c", HEAD + '#include "../kern/kern.h"\n', 2),
    ("layer", "bus includes kern.h", "daemon/bus/a.c", HEAD + '#include "../kern/kern.h"\n', 0),
    ("layer", "bus includes a codec", "daemon/bus/a.c",
     HEAD + '#include "../kern/codec-mptcp.h"\n', 2),
    ("layer", "bus includes host", "daemon/bus/a.c", HEAD + '#include "../host/plugin.h"\n', 2),
    ("layer", "bus includes libnl", "daemon/bus/a.c", HEAD + "#include <netlink/msg.h>\n", 2),
    ("layer", "daemon.c includes them all", "daemon/daemon.c",
     HEAD + '#include "bus/bus.h"\n#include "kern/kern.h"\n#include <systemd/sd-bus.h>\n', 0),
    ("layer", "daemon.c includes ctl", "daemon/daemon.c", HEAD + '#include "ctl/ctl.h"\n', 2),
    ("layer", "daemon.c includes libnl", "daemon/daemon.c",
     HEAD + "#include <netlink/msg.h>\n", 2),
    ("layer", "ctl includes core", "daemon/ctl/a.c", HEAD + '#include "../core/model.h"\n', 2),
    ("layer", "ctl includes the daemon", "daemon/ctl/a.c", HEAD + '#include "../daemon.h"\n', 2),
    ("layer", "a plugin includes ours", "plugins/a.c", HEAD + '#include "core/model.h"\n', 2),
    ("layer", "a plugin includes a clock", "plugins/a.c", HEAD + "#include <time.h>\n", 2),
    ("layer", "the shim includes ours", "shim/a.c", HEAD + '#include "util/log.h"\n', 2),
    ("layer", "the shim includes jansson", "shim/a.c", HEAD + "#include <jansson.h>\n", 2),
    ("layer", "an include in a comment", "daemon/core/a.c",
     HEAD + "/*\n#include <time.h>\n*/\n", 0),
    ("pure", "core opens a file", "daemon/core/a.c",
     HEAD + 'static void *a_open(void) {\n        return fopen("a", "r");\n}\n', 3),
    ("pure", "a plugin prints", "plugins/a.c",
     HEAD + 'static void a_say(void) {\n        printf("a");\n}\n', 3),
    ("pure", "core formats text", "daemon/core/a.c",
     HEAD + 'static void a_say(char *a) {\n        snprintf(a, 1, "printf(a)");\n}\n', 0),
    ("typedef", "of a struct", "daemon/a.c",
     HEAD + "typedef struct a {\n        int b;\n} a;\n", 2),
    ("typedef", "of a number", "daemon/a.c", HEAD + "typedef unsigned int a;\n", 2),
    ("typedef", "of a function", "daemon/a.c", HEAD + "typedef int a_fn(int (*b)(int));\n", 0),
    ("typedef", "of a pointer to a function", "daemon/a.c",
     HEAD + "typedef const struct a *(*a_fn)(int b,\n                  void *c);\n", 0),
    ("once", "a header without", "daemon/a.h", HEAD + "int a_do(void);\n", 1),
    ("once", "only in a comment", "daemon/a.h", "/*\n#pragma once\n*/\n", 1),
    ("once", "the public header", lint.PUBLIC_HEADER, HEAD + "#pragma once\n", 1),
    ("head", "a C file without", "daemon/b.c", "#include <errno.h>\n", 1),
    ("head", "a C file whose header has it", "daemon/util/json.c", '#include "json.h"\n', 0),
    ("head", "a header without", "daemon/a.h", "#pragma once\n", 1),
    ("head", "a script without", "tests/a.sh", "#!/bin/bash\nset -e\n", 1),
    ("head", "a Python file without", "tests/a.py", "import os\n", 1),
    ("names", "capitals", "daemon/a.c", HEAD + "static void aDo(void) {\n}\n", 2),
    ("names", "no object", "daemon/a.c", HEAD + "void go(void) {\n}\n", 2),
    ("names", "a plugin with two doors", "plugins/a.c", HEAD + "int a_do(void) {\n}\n", 2),
    ("names", "a static function", "plugins/a.c", HEAD + "static int a_do(void) {\n}\n", 0),
    ("visibility", "the daemon exports a name", "daemon/a.c",
     HEAD + '__attribute__((visibility("default"))) int a_b;\n', 2),
    ("tab", "in C", "daemon/a.c", HEAD + "extern\tint a;\n", 2),
    ("tab", "in Go, whose formatter wants them", "tests/a.go", "// A.\nfunc a() {\n\tb()\n}\n", 0),
    ("tab", "in a script", "tests/a.sh", "#!/bin/bash\n# A.\n\ttrue\n", 3),
    ("line-length", "101 columns", "daemon/a.c", HEAD + "/* " + "a" * 95 + " */\n", 2),
    ("line-length", "100 columns", "daemon/a.c", HEAD + "/* " + "a" * 94 + " */\n", 0),
    ("line-length", "a row of a table", "README.md", "| " + "a" * 110 + " |\n", 0),
    ("space", "at the end of a line", "daemon/a.c", HEAD + "extern int a; \n", 2),
    ("space", "no end of the last line", "daemon/a.c", HEAD + "extern int a;", 2),
    ("space", "empty lines at the end", "daemon/a.c", HEAD + "extern int a;\n\n", 3),
    ("words", "a placeholder", "daemon/a.c", HEAD + "/* TO" + "DO: later */\n", 2),
    ("words", "a tracker", "README.md", "See issue" + " #12.\n", 1),
    ("words", "how the work was cut up", "README.md", "In this" + " session.\n", 1),
    ("words", "a path of a machine", "README.md", "Look at /ho" + "me/me/notes.\n", 1),
    ("words", "a place on the net", "README.md", "https:" + "//mirror.test/ has it.\n", 1),
    ("words", "a standard", "README.md", "https:" + "//www.rfc-editor.org/rfc/rfc8684\n", 0),
)

# Files that samples include; right themselves.
AROUND = {path: HEAD + "#pragma once\n" for path in (
    "daemon/core/model.h", "daemon/util/log.h", "daemon/util/json.h", "daemon/kern/kern.h",
    "daemon/kern/codec-mptcp.h", "daemon/host/plugin.h", "daemon/bus/bus.h", "daemon/ctl/ctl.h",
    "daemon/daemon.h")}


def findings(path, text):
    files = {**AROUND, path: text}
    return lint.check([source.Source(*item) for item in files.items()])


class TestRules(unittest.TestCase):
    def test_check_sample_gives_its_finding(self):
        for rule, what, path, text, line in SAMPLES:
            with self.subTest(rule=rule, what=what):
                found = [(where, number) for where, number, name, _ in findings(path, text)
                         if name == rule]
                self.assertEqual(found, [(path, line)] if line else [])

    def test_check_right_sample_gives_nothing_of_other_rules_either(self):
        for rule, what, path, text, line in SAMPLES:
            if not line:
                with self.subTest(rule=rule, what=what):
                    self.assertEqual(findings(path, text), [])

    def test_samples_every_rule_has_a_bad_one(self):
        self.assertEqual({sample[0] for sample in SAMPLES if sample[4]}, set(lint.RULES))

    def test_samples_every_kind_of_word_has_one(self):
        texts = [text for rule, _, _, text, line in SAMPLES if rule == "words" and line]
        for what, pattern in lint.WORDS.items():
            with self.subTest(what=what):
                self.assertTrue(any(lint.re.search(pattern, text) for text in texts))


class TestProgram(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.top)

    def write(self, path, text):
        os.makedirs(os.path.dirname(os.path.join(self.top, path)), exist_ok=True)
        with open(os.path.join(self.top, path), "w", encoding="utf-8") as file:
            file.write(text)

    def lint(self, *argv, env=None):
        return subprocess.run([sys.executable, "-B", os.path.join(HERE, "lint.py"), *argv],
                              capture_output=True, text=True, check=False, env=env)

    def test_rules_bad_file_exits_1_and_says_where(self):
        self.write("daemon/a.c", HEAD + "extern\tint a;\n")
        done = self.lint("rules", self.top)
        self.assertEqual(done.returncode, 1)
        self.assertIn("daemon/a.c:2: tab: a tab\n", done.stdout)

    def test_rules_good_file_exits_0(self):
        self.write("daemon/a.c", HEAD + "extern int a;\n")
        self.assertEqual(self.lint("rules", self.top).returncode, 0)

    def test_rules_build_directory_and_binaries_are_left_out(self):
        self.write("build/meson-private/x", "")
        self.write("build/a.c", "extern\tint a;\n")
        self.write("a.bin", "\0\t")
        self.assertEqual(self.lint("rules", self.top).returncode, 0)

    def test_main_wrong_usage_exits_2(self):
        for argv in ((), ("rules",), ("nonsense", self.top), ("rules", "/dev/null")):
            self.assertEqual(self.lint(*argv).returncode, 2)

    @unittest.skipUnless(shutil.which("clang-format"), "clang-format is not installed")
    def test_format_bad_file_exits_1_good_file_0(self):
        shutil.copy(os.path.join(HERE, "../../.clang-format"), self.top)
        self.write("daemon/a.c", HEAD + "extern int   a;\n")
        done = self.lint("format", self.top)
        self.assertEqual(done.returncode, 1)
        self.assertIn("daemon/a.c:2: format:", done.stdout)
        self.write("daemon/a.c", HEAD + "extern int a;\n")
        self.assertEqual(self.lint("format", self.top).returncode, 0)

    def test_format_without_tool_exits_77_and_says_so(self):
        done = self.lint("format", self.top, env={"PATH": self.top})
        self.assertEqual(done.returncode, lint.SKIPPED)
        self.assertIn("SKIP: ", done.stdout)


if __name__ == "__main__":
    unittest.main()
