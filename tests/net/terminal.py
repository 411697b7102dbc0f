"""A terminal for full-screen programs: tmux, which keeps what a real one would show."""

import os
import re
import subprocess

from lab import WORK, Failed, wait_for
from programs import Process

PROMPT = "ready>"


class Terminal:
    """A shell in a terminal of that size. Lines are as people see them, without colours."""

    def __init__(self, lab, columns=120, rows=30, env=None):
        self.socket = f"{WORK}/tmux"
        self.env = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color", **(env or {})}
        self.env.pop("TMUX", None)
        conf = f"{WORK}/tmux.conf"
        with open(conf, "w", encoding="ascii") as file:
            file.write("set -g status off\nset -g default-terminal screen-256color\n"
                       "set -g remain-on-exit on\nset -g escape-time 0\n")
        # In the foreground, so that it ends with the test.
        self.server = lab.add(Process(["tmux", "-u", "-S", self.socket, "-f", conf, "-D"], "tmux",
                                      env=self.env))
        wait_for(lambda: os.path.exists(self.socket), "tmux listens")
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(rows),
                  "env", f"PS1={PROMPT}", "sh")
        self.wait(PROMPT)

    def tmux(self, *words):
        done = subprocess.run(["tmux", "-u", "-S", self.socket, *words], env=self.env, text=True,
                              capture_output=True, check=False)
        if done.returncode != 0:
            raise Failed(f"tmux {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def lines(self):
        return self.tmux("capture-pane", "-p").split("\n")

    def text(self):
        return "\n".join(self.lines())

    def wait(self, pattern, what=None):
        """Until that regular expression is on the screen: the match."""
        def there():
            found = re.search(pattern, self.text(), re.M)
            if not found:
                raise Failed(f"the screen is:\n{self.text().rstrip()}")
            return found

        return wait_for(there, what or f"{pattern!r} on the screen")

    def wait_gone(self, pattern):
        wait_for(lambda: not re.search(pattern, self.text(), re.M),
                 f"{pattern!r} is gone from the screen")

    def keys(self, *keys):
        """Names as tmux has them: Enter, C-c, Escape, or characters."""
        self.tmux("send-keys", *keys)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def run(self, *words):
        """Types a command for the shell."""
        self.type(" ".join(words))
        self.keys("Enter")

    def resize(self, columns, rows):
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def format(self, name):
        """What tmux knows: alternate_on, cursor_flag, pane_pid."""
        return self.tmux("display-message", "-p", f"#{{{name}}}").strip()

    def state(self):
        """What a program must leave as it was: modes of the line, the screen, cursor, keypad."""
        tty = self.format("pane_tty")
        modes = subprocess.run(["stty", "-g", "-F", tty], text=True, capture_output=True,
                               check=True).stdout.strip()
        return (modes, self.format("alternate_on"), self.format("cursor_flag"),
                self.format("keypad_cursor_flag"), self.format("keypad_flag"))
