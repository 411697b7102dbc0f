#!/usr/bin/python3
"""What compilers don't check: sizes, layers, names, heads of files, and the look of the text.

    lint.py rules TOP      every rule below, on every text file below TOP
    lint.py format TOP     clang-format, on every C file below TOP

Prints "path:line: rule: what" for each finding. Exit status: 0 none, 1 some, 2 wrong usage, 77 not
checked since a tool is missing. A rule is a generator of (line, what); RULES names them all, and
test_lint.py fails if one of them has no sample on which it fires.
"""

import os
import re
import shutil
import subprocess
import sys

import layers
import source as sources

MAX_FUNCTION = 70
MAX_FILE = 600
MAX_LINE = 100
CODE = ("c", "h", "python", "bash")
SKIPPED = 77
PUBLIC_HEADER = "plugins/include/mptcpize/plugin.h"
NOT_OURS = ("LICENSE", "tests/fuzz/corpus/")

# Documents point to standards, manuals and projects, and to nothing else.
HOSTS = re.compile(r"https?://(?!(?:[\w-]+\.)*(?:debian\.org|freedesktop\.org|gnu\.org|fsf\.org|"
                   r"kernel\.org|rfc-editor\.org|w3\.org|json-schema\.org|mptcp\.dev|"
                   r"multipath-tcp\.org|"
                   r"example\.(?:com|net|org))"
                   r"(?:[/\s:)>\"'`.,]|$)|"
                   r"github\.com/(?:multipath-tcp|mptcpize)/|\{|%s|\$|localhost|\[|[\d.]+)",
                   re.I)
# Where the text was made is no part of it. Character classes, so that no pattern finds itself.
WORDS = {
    "a placeholder": r"\b(?:TO[D]O|FI[X]ME|X[X]X|HA[C]K)(?:[:( ]|$)",  # TAP has one, in a pattern
    "a number of some tracker": r"\bissue[s]? #?\d|\bissue[s]? (?:show|list|note|close)\b",
    "how the work was cut up": r"\b[s]ession \d|\b(?:this|next|other|previous) [s]ession\b|"
                               r"\bthe lea[d]\b",
    "a path of somebody's machine": r"(?<![\w.}])/(?:wor[k]|hom[e]|roo[t]|User[s])/",
}


def rule_function_length(file, _tree):
    for function in file.functions:
        if function.length > MAX_FUNCTION:
            yield function.line, (f"{function.name} has {function.length} lines, at most "
                                  f"{MAX_FUNCTION}")


def rule_file_length(file, _tree):
    if file.kind in CODE and len(file.lines) > MAX_FILE:
        yield len(file.lines), f"{len(file.lines)} lines, at most {MAX_FILE}"


def rule_layer(file, tree):
    if file.is_c:
        for include in file.includes:
            wrong = layers.judge(file, include, tree)
            if wrong:
                yield include[0], wrong


def rule_pure(file, _tree):
    layer = layers.layer_of(file.path)
    if file.is_c and layer and layer.pure:
        for match in layers.IMPURE.finditer(file.code):
            yield file.line_of(match.start()), (f"{match.group()[:-1].strip()}() in "
                                                f"{layer.folder}, which is pure")


def rule_typedef(file, _tree):
    """Function types, and pointers to functions, have the name before or in the parentheses."""
    if not file.is_c:
        return
    for match in re.finditer(r"\btypedef\b([^;{]*)([;{])", file.code):
        if match.group(2) == "{" or not re.search(r"(?:\(\s*\*\s*\w+\s*\)|\b\w+)\s*\([^()]*"
                                                  r"(?:\([^()]*\)[^()]*)*\)\s*$", match.group(1)):
            yield file.line_of(match.start()), "a typedef that is no function type"


def rule_once(file, _tree):
    if file.kind == "h" and file.path == PUBLIC_HEADER:
        if not re.search(r"#ifndef (MPTCPIZE_PLUGIN_H)\n#define \1\n", file.code):
            yield 1, "the public header needs an include guard"
    elif file.kind == "h" and not re.search(r"^#pragma once$", file.code, re.M):
        yield 1, "no #pragma once"


def rule_head(file, tree):
    """The head of an object is in its header; other files have their own."""
    if file.is_c and not file.text.startswith("/*"):
        if file.kind == "h" or file.path[:-2] + ".h" not in tree:
            yield 1, "no comment at the head, which says what this is and why so"
    elif file.kind == "bash" and not re.match(r"#![^\n]+\n#", file.text):
        yield 1, "no comment at the head"
    elif file.kind == "python" and not re.match(r'(?:#![^\n]+\n)?"""', file.text):
        yield 1, "no docstring at the head"


def _is_object(file, name):
    """The only function of an object may have its name: socket() of the library's hooks, too."""
    stem = os.path.basename(file.path)
    return re.split(r"[-.]", stem)[0] == name or stem == "cleanup.h" or \
        file.path.startswith("shim/")


def rule_names(file, _tree):
    """Functions that others can call. Compilers see to it that they are in a header."""
    if not file.is_c or file.path.startswith("tests/"):
        return
    for function in file.functions:
        if re.search(r"[A-Z]", function.name):
            yield function.line, f"{function.name}: function names have no capitals"
        if function.static or function.name == "main":
            continue
        if file.path.startswith("plugins/") and function.name != "mptcpize_plugin":
            yield function.line, f"{function.name}: a plugin exports mptcpize_plugin only"
        if "_" not in function.name and not _is_object(file, function.name):
            yield function.line, f"{function.name}: neither object_verb nor the file's object"


def rule_visibility(file, _tree):
    """Everything is hidden but what the version scripts of shim/ and plugins/ list."""
    if not file.is_c or file.path.startswith(("shim/", "plugins/", "tests/")):
        return
    for match in re.finditer(r"visibility\s*\(", file.code):
        yield file.line_of(match.start()), "only the library and the plugins export names"


def rule_tab(file, _tree):
    if file.path.endswith((".go", "debian/rules")):  # as gofmt, and as make want it
        return
    for number, line in enumerate(file.lines, 1):
        if "\t" in line:
            yield number, "a tab"


def rule_line_length(file, _tree):
    """Rows of a table can't be broken in Markdown."""
    for number, line in enumerate(file.lines, 1):
        if len(line) > MAX_LINE and not (file.kind == "markdown" and line.startswith("|")):
            yield number, f"{len(line)} columns, at most {MAX_LINE}"


def rule_space(file, _tree):
    for number, line in enumerate(file.lines, 1):
        if line != line.rstrip():
            yield number, "space at the end of the line"
    if file.text and not file.text.endswith("\n"):
        yield len(file.lines), "the last line has no end"
    elif file.text.endswith("\n\n"):
        yield len(file.lines), "empty lines at the end"


def rule_words(file, _tree):
    for what, pattern in WORDS.items():
        for match in re.finditer(pattern, file.text):
            yield file.line_of(match.start()), f"{what}: {match.group()}"
    for match in HOSTS.finditer(file.text):
        yield file.line_of(match.start()), "an address that is no standard, manual or project"


RULES = {name.removeprefix("rule_").replace("_", "-"): value
         for name, value in sorted(globals().items()) if name.startswith("rule_")}


def check(files):
    """All findings of all rules: (path, line, rule, what), in order."""
    tree = {file.path for file in files}
    return sorted((file.path, line, name, what)
                  for file in files if not file.path.startswith(NOT_OURS)
                  for name, rule in RULES.items() for line, what in rule(file, tree))


def main_rules(top):
    files = sources.load(top)
    findings = check(files)
    for path, line, rule, what in findings:
        print(f"{path}:{line}: {rule}: {what}")
    print(f"{len(files)} files, {len(RULES)} rules, {len(findings)} findings")
    return 1 if findings else 0


def main_format(top):
    tool = shutil.which("clang-format")
    if not tool:
        print("SKIP: the format of C files is not checked: clang-format is not installed")
        return SKIPPED
    paths = [file.path for file in sources.load(top) if file.is_c]
    done = subprocess.run([tool, "--dry-run", "-Werror", "--style=file", *paths], cwd=top,
                          stderr=subprocess.PIPE, text=True, check=False)
    places = re.findall(r"^(\S+?:\d+):\d+: error: ", done.stderr, re.M)
    for place in dict.fromkeys(places):
        print(f"{place}: format: clang-format -i would change this")
    if done.returncode and not places:
        print(done.stderr)
    print(f"{len(paths)} C files, {len(places)} findings")
    return 1 if done.returncode else 0


def main(argv):
    commands = {"rules": main_rules, "format": main_format}
    if len(argv) != 3 or argv[1] not in commands or not os.path.isdir(argv[2]):
        print(__doc__, file=sys.stderr)
        return 2
    return commands[argv[1]](argv[2])


if __name__ == "__main__":
    sys.exit(main(sys.argv))
