"""Source files as the lint sees them: kind, lines, and for C a copy without comments and strings.

The copy has the same length and the same line breaks as the text, so that offsets and line numbers
agree; what a comment, string or character constant held is blank there.
"""

import ast
import dataclasses
import functools
import os
import re

KINDS = {".c": "c", ".h": "h", ".py": "python", ".sh": "bash", ".build": "meson", ".md": "markdown",
         ".xml": "xml", ".sym": "sym"}
# Comments, strings and character constants; line continuations belong to a comment or string.
C_OPAQUE = re.compile(r"""/\*.*?(?:\*/|\Z) | //(?:\\\n|[^\n])* |
                          "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""", re.X | re.S)
C_KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "typeof", "__attribute__",
              "_Static_assert", "defined", "_cleanup_", "_Atomic"}


@dataclasses.dataclass(frozen=True)
class Function:
    name: str
    line: int
    end: int
    static: bool

    @property
    def length(self):
        return self.end - self.line + 1


def _blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def _kind(path, text):
    name = os.path.basename(path)
    if name.startswith("meson_options"):
        return "meson"
    extension = os.path.splitext(name)[1]
    first = text.split("\n", 1)[0]
    if not extension and first.startswith("#!"):
        return "python" if "python" in first else "bash" if first.endswith("sh") else "other"
    return KINDS.get(extension, "other")


class Source:
    """One file; path is relative to the top of the tree."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.kind = _kind(path, text)
        self.lines = text.split("\n")
        if self.lines[-1] == "":
            self.lines.pop()

    @property
    def is_c(self):
        return self.kind in ("c", "h")

    @functools.cached_property
    def code(self):
        """C without comments, strings and character constants."""
        return C_OPAQUE.sub(_blank, self.text)

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1

    @functools.cached_property
    def includes(self):
        """(line, what), what with its quotes or angle brackets. The quoted are blank in code."""
        found = []
        for match in re.finditer(r"^[ \t]*#[ \t]*include[ \t]+([<\"][^>\"\n]+[>\"])", self.text,
                                 re.M):
            if self.code[match.start():].lstrip(" \t").startswith("#"):
                found.append((self.line_of(match.start()), match.group(1)))
        return found

    @functools.cached_property
    def functions(self):
        return {"c": self._c_functions, "h": self._c_functions, "python": self._python_functions,
                "bash": self._bash_functions}.get(self.kind, list)()

    def _c_functions(self):
        """Definitions: a { at depth 0 behind the ) of a list of parameters."""
        code = re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", _blank, self.code, flags=re.M)
        found, depth, start, body = [], 0, 0, None
        for match in re.finditer(r'[{};]|"', code):
            token = match.group()
            if token == "{":
                if depth == 0:
                    body = _signature(code[start:match.start()])
                depth += 1
            elif token == "}":
                depth -= 1
                if depth == 0:
                    if body:
                        name, lead, static = body
                        found.append(Function(name, self.line_of(start + lead),
                                              self.line_of(match.start()), static))
                    start, body = match.end(), None
            elif depth == 0:
                start = match.end()
        return found

    def _python_functions(self):
        return [Function(node.name, node.lineno, node.end_lineno, False)
                for node in ast.walk(ast.parse(self.text))
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]

    def _bash_functions(self):
        found, open_ = [], None
        for number, line in enumerate(self.lines, 1):
            match = re.match(r"(?:function\s+)?([\w-]+)\s*\(\)\s*[{(]\s*$", line)
            if match and not open_:
                open_ = match.group(1), number
            elif open_ and re.match(r"[})]", line):
                found.append(Function(*open_, number, False))
                open_ = None
        return found


def _signature(head):
    """(name, offset of its first character in head, static) of a function definition, or None."""
    head = re.sub(r"^\s*[A-Z_]+\([^()]*\)[ \t]*\n", _blank, head)  # DEFINE_CLEANUP(...)
    text = head.rstrip()
    if re.search(r"=\s*$|\b(?:struct|union|enum)\s+\w*\s*$", text) or not text.endswith(")"):
        return None
    for match in re.finditer(r"\b([A-Za-z_]\w*)\s*\(", text):
        if match.group(1) not in C_KEYWORDS:
            lead = len(head) - len(head.lstrip())
            return match.group(1), lead, bool(re.match(r"\s*(?:.*\s)?static\b", head, re.S))
    return None


def is_build_directory(path):
    return os.path.exists(os.path.join(path, "meson-private"))


def tree(root):
    """All files of a tree: paths relative to root, in order. Without .git and build directories."""
    for directory, names, files in os.walk(root):
        names[:] = sorted(name for name in names
                          if name not in (".git", "__pycache__", ".cache", ".ruff_cache")
                          and not is_build_directory(os.path.join(directory, name)))
        for name in sorted(files):
            path = os.path.join(directory, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield os.path.relpath(path, root)


def load(root):
    """Every text file of the tree."""
    sources = []
    for path in tree(root):
        with open(os.path.join(root, path), "rb") as file:
            data = file.read()
        if b"\0" not in data:
            sources.append(Source(path, data.decode("utf-8", errors="replace")))
    return sources
