"""Who may include whom. The first layer whose folder holds a file is the file's layer."""

import dataclasses
import os
import re

# Headers of other projects. What fits none of these is libc.
FOREIGN = {
    "libnl": r"netlink/.*",
    "linux": r"(?:linux|asm|asm-generic)/.*",
    "systemd": r"systemd/.*",
    "jansson": r"jansson\.h",
    "curses": r"(?:curses|term)\.h",
    "cmocka": r"cmocka\.h",
    "nettle": r"nettle/.*",
    "nftables": r"nftables/.*",
    "plugin.h": r"mptcpize/plugin\.h",
}

# The libc of code that is pure: values in, values out. No clock, file, socket call or log.
PURE = {"arpa/inet.h", "assert.h", "ctype.h", "errno.h", "fnmatch.h", "inttypes.h", "limits.h",
        "netinet/in.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h",
        "string.h", "sys/socket.h"}

# What those headers have that is not pure all the same.
IMPURE = re.compile(r"\b(?:v?f?printf|v?dprintf|puts|putchar|perror|fopen|fdopen|popen|tmpfile|"
                    r"freopen|scanf|getenv|setenv|system|rand|srand|random|srandom|"
                    r"arc4random\w*|socket|bind|connect|sendto|sendmsg|recvmsg|exit|abort)\s*\(")


@dataclasses.dataclass(frozen=True)
class Layer:
    """A folder, and what its files may include: folders and files of ours, foreign headers."""
    folder: str
    ours: tuple
    foreign: tuple = ()
    pure: bool = False
    silent: tuple = ()  # headers in the folders of ours that are not for this layer


UTIL, CORE, KERN = "daemon/util/", "daemon/core/", "daemon/kern/"
HOST, BUS, CTL, HINT = "daemon/host/", "daemon/bus/", "daemon/ctl/", "daemon/hint/"
AUTH = "daemon/auth/"
# What all three programs see of the policy language.
POLICY = ("policy/format.h", "policy/eval.h", "policy/report.h", "policy/hint.h",
          "policy/unit.h")
LOG = "daemon/util/log.h"  # core, codecs and plugins never log
CONFIG = "config.h"        # made by meson
EVERYTHING = (UTIL, CORE, KERN, HOST, BUS, HINT, AUTH, "policy/eval.h", "daemon/", CONFIG)

LAYERS = (
    # jansson only where JSON is read or written, see conf.h; its header is util/json.h.
    Layer("daemon/util/json.h", (UTIL,), ("jansson",)),
    Layer("daemon/util/json.c", (UTIL,), ("jansson",)),
    Layer(UTIL, (UTIL,)),
    Layer(CORE, (UTIL, CORE, "policy/hint.h"), ("plugin.h",), pure=True, silent=(LOG,)),
    Layer("daemon/kern/codec-", (UTIL, CORE, KERN), ("libnl", "linux", "plugin.h"), silent=(LOG,)),
    Layer(KERN, (UTIL, CORE, KERN), ("libnl", "linux", "plugin.h")),
    Layer(HOST, (UTIL, CORE, HOST, "policy/compile.h", "policy/eval.h", "policy/format.h",
                 "policy/store.h", CONFIG),
          ("plugin.h",)),
    Layer(HINT, (UTIL, CORE, HINT) + POLICY, ("linux",)),
    # The protocol of join authentication: bytes and events in, bytes and decisions out.
    Layer(AUTH + "keys.c", (UTIL, AUTH), ("nettle",), pure=True),
    *(Layer(AUTH + part, (UTIL, CORE, AUTH, "policy/format.h"), pure=True, silent=(LOG,))
      for part in ("keys.", "window.", "wire.", "record.", "hold.", "throttle.", "session.",
                   "quiet.", "table.", "protocol.", "protocol-")),
    # Writes by libnftables, and reads by netlink.
    Layer(AUTH + "gate", (UTIL, CORE, AUTH, "daemon/kern/attr.h", "daemon/kern/netlink.h"),
          ("linux", "nftables")),
    Layer(AUTH, (UTIL, CORE, AUTH, "daemon/kern/kern.h", "policy/listeners.h") + POLICY,
          ("systemd", "linux")),
    Layer(BUS, (UTIL, CORE, BUS, AUTH, "daemon/kern/kern.h", "daemon/host/rules.h",
                "daemon/host/blackhole.h", "policy/eval.h", "policy/explain.h", CONFIG),
          ("systemd", "plugin.h")),
    # The numbers of subflows: mptcpctl asks the kernel itself, with the daemon's code.
    Layer("daemon/ctl/top/traffic.c", (UTIL, CTL, "daemon/core/address.h",
                                       "daemon/kern/codec-diag.h", "daemon/kern/netlink.h")),
    Layer("daemon/ctl/top/traffic-rate.", (UTIL, CTL), pure=True),
    Layer("daemon/ctl/top/top-data.", (UTIL, CTL), ("jansson",), pure=True),
    Layer("daemon/ctl/top/top-view.", (UTIL, CTL), pure=True),
    Layer("daemon/ctl/top/top-rows.", (UTIL, CTL), pure=True),
    Layer("daemon/ctl/top/top-layout.", (UTIL, CTL), pure=True),
    Layer("daemon/ctl/top/top-screen.c", (UTIL, CTL), ("curses",)),
    Layer(CTL, (UTIL, CTL, CONFIG, "policy/", "shim/database.h"), ("systemd", "jansson", "linux")),
    Layer("daemon/", EVERYTHING, ("systemd", "plugin.h")),
    Layer("plugins/include/", (), pure=True),
    Layer("plugins/", ("plugins/",), ("plugin.h",), pure=True),
    Layer("policy/eval.", POLICY, pure=True),
    Layer("policy/report.", POLICY, pure=True),
    Layer("policy/unit.", POLICY, pure=True),
    # The compiler, for the daemon and mptcpctl.
    Layer("policy/", (UTIL, "policy/"), ("jansson",), silent=(LOG,)),
    Layer("shim/", ("shim/", CONFIG) + POLICY),
)


def layer_of(path):
    """None: tests, which may see everything."""
    return next((layer for layer in LAYERS if path.startswith(layer.folder)), None)


def _foreign(name):
    return next((key for key, pattern in FOREIGN.items() if re.fullmatch(pattern, name)), None)


def _resolve(path, name, known):
    """Path of a file of ours as the compiler finds it: beside the file, below daemon/, on top."""
    for folder in (os.path.dirname(path), "daemon", ""):
        candidate = os.path.normpath(os.path.join(folder, name))
        if candidate in known:
            return candidate
    return name


def _judge_foreign(layer, name):
    kind = _foreign(name)
    if kind and kind not in layer.foreign:
        return f"<{name}> ({kind}) is not for {layer.folder}"
    if not kind and layer.pure and name not in PURE:
        return f"<{name}> is not for {layer.folder}, which is pure"
    return None


def _judge_ours(layer, target):
    if target in layer.silent:
        return f"{target} is not for {layer.folder}"
    for allowed in layer.ours:
        # "daemon/" is only the files right there.
        if target.startswith(allowed) and (allowed != "daemon/" or "/" not in target[7:]):
            return None
    return f"{target} is not for {layer.folder}"


def judge(source, line_and_what, known):
    """What is wrong with an include of a source, or None. known: the paths of all our files."""
    layer = layer_of(source.path)
    what = line_and_what[1]
    if layer is None:
        return None
    if what.startswith("<"):
        return _judge_foreign(layer, what[1:-1])
    return _judge_ours(layer, _resolve(source.path, what[1:-1], known))
