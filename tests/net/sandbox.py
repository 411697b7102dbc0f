"""Fresh namespaces for a function to run in, and nothing left when it ends.

run(body) forks a process that is process 1 of a new PID namespace, with network and mount
namespaces of its own and an empty /run. When it ends, however it ends, the kernel kills what it
started and takes away its namespaces, sysctls, interfaces and files. The launching process stays
outside: it passes signals on, and if it is killed with SIGKILL, process 1 dies with it
(PR_SET_PDEATHSIG). unshare(1) would do almost the same, but it blocks SIGTERM while it waits.
"""

import contextlib
import ctypes
import os
import signal
import sys

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
CLONE_NEWPID = 0x20000000
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
PR_SET_PDEATHSIG = 1

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
REFUSED = 125  # exit status of the middle process: the kernel gave us no namespaces

_libc = ctypes.CDLL(None, use_errno=True)


class Interrupted(BaseException):
    """One of SIGNALS arrived. No Exception, so that nothing swallows it by accident."""

    def __init__(self, signum):
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


class Refused(Exception):
    """The kernel gave no namespaces."""


def _call(name, *args):
    if getattr(_libc, name)(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _mount(source, target, fstype, flags, data=None):
    encode = lambda text: text.encode() if text is not None else None
    _call("mount", encode(source), encode(target), encode(fstype), ctypes.c_ulong(flags),
          encode(data))


def die_with_parent():
    """Also for preexec_fn: SIGKILL as soon as the parent ends."""
    _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


@contextlib.contextmanager
def inside(netns):
    """In the with block, this thread is in the network namespace with that name.

    Children that are started there stay there. None: stay where we are.
    """
    if netns is None:
        yield
        return
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"/run/netns/{netns}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("setns", there, CLONE_NEWNET)
        try:
            yield
        finally:
            _call("setns", home, CLONE_NEWNET)
    finally:
        os.close(there)
        os.close(home)


def mounts_with(source, target):
    """A mount namespace like this one, with the directory source also at target: a descriptor."""
    home = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("unshare", CLONE_NEWNS)
        try:
            _mount(None, "/", None, MS_REC | MS_PRIVATE)
            _mount(source, target, None, MS_BIND)
            return os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            _call("setns", home, CLONE_NEWNS)
    finally:
        os.close(home)


@contextlib.contextmanager
def inside_mounts(there):
    """In the with block, this process is in that mount namespace, and so is what it starts.

    Only for a process of one thread.
    """
    home = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    directory = os.open(".", os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        _call("setns", there, CLONE_NEWNS)
        try:
            yield
        finally:
            _call("setns", home, CLONE_NEWNS)
            os.fchdir(directory)
    finally:
        os.close(directory)
        os.close(home)


def _on_signal(signum, _frame):
    # Once: the same Ctrl-C arrives from the terminal and from the launcher.
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(signum)


def _prepare_mounts():
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    _mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")


def _first_process(body, ready):
    """The life of process 1: prepares, runs body, returns the exit status."""
    try:
        die_with_parent()
        _prepare_mounts()
    except OSError as error:
        os.write(ready, b"!" + str(error).encode())
        return REFUSED
    for signum in SIGNALS:
        signal.signal(signum, _on_signal)
    try:
        os.write(ready, b"+")
        os.close(ready)
        return body() or 0
    except Interrupted as interrupted:
        return 128 + interrupted.signum


def _leave(status):
    """Ends a forked child. No atexit handlers: they belong to the launcher."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
            stream.flush()
    os._exit(status)


def _child_guard(function, *args):
    """Runs function in a forked child and ends the child, with a traceback if it must."""
    status = 1
    try:
        status = function(*args)
    except SystemExit as request:
        status = request.code if isinstance(request.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        _leave(status)


def _middle_process(body, ready, mask):
    """New PID namespaces begin with the next fork, so this process only waits for that child."""
    for signum in SIGNALS:
        signal.signal(signum, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        die_with_parent()
        _call("unshare", CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID)
        child = os.fork()
    except OSError as error:
        os.write(ready, b"!" + str(error).encode())
        return REFUSED
    if child == 0:
        _child_guard(_first_process, body, ready)
    os.write(ready, f"{child} ".encode())
    os.close(ready)
    return _wait(child)


def _wait(child):
    """Exit status of a child as a shell would say it: 128 + n if signal n killed it."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code


def _read_report(fd):
    """The PID of process 1, once it runs body. Refused if it could not be started."""
    report = b""
    while chunk := os.read(fd, 4096):
        report += chunk
    os.close(fd)
    if b"!" in report:
        raise Refused(report.split(b"!", 1)[1].decode())
    return int(report.replace(b"+", b"").split()[0])


def _forward_signals(first):
    """The first signal asks process 1 to clean up, the next one kills it and all in there."""
    seen = []

    def forward(signum, _frame):
        with contextlib.suppress(ProcessLookupError):
            os.kill(first, signal.SIGKILL if seen else signum)
        seen.append(signum)

    return {signum: signal.signal(signum, forward) for signum in SIGNALS}


def run(body):
    """Runs body() in fresh namespaces and returns its exit status (128 + n: signal n).

    Raises Refused if the kernel gives no namespaces.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    theirs = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    ours, ready = os.pipe()
    middle = os.fork()
    if middle == 0:
        os.close(ours)
        _child_guard(_middle_process, body, ready, theirs)
    os.close(ready)
    try:
        first = _read_report(ours)
    except Refused:
        os.waitpid(middle, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, theirs)
        raise
    previous = _forward_signals(first)
    signal.pthread_sigmask(signal.SIG_SETMASK, theirs)
    try:
        return _wait(middle)
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
