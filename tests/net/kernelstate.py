"""What the kernel has of MPTCP connections, by ss, to compare with what the daemon shows."""

import re

from lab import Failed, command, wait_for

# The local address, and at the end the tokens: the peer's and ours.
SUBFLOW = re.compile(r"^\S+ +\S+ +(\S+) .* tcp-ulp-mptcp .*token:\w+\(id:\d+\)/(\w+)\(id:\d+\)")
CONNECTION = re.compile(r"\btoken:(\w+)")


def _plain(address):
    """As the daemon writes it: no device, and v4-mapped addresses as IPv4."""
    address = re.sub(r"%[^:\]]+", "", address)
    return re.sub(r"^\[::ffff:([\d.]+)\]", r"\1", address)


def _token(digits):
    return f"0x{int(digits, 16):08x}"


def kernel_state():
    """{token: sorted local addresses of its established subflows} of all open connections here."""
    found = CONNECTION.findall(command("ss", "-HMnei", "state", "established"))
    state = {_token(digits): [] for digits in found}
    for line in command("ss", "-HtneiO", "state", "established").splitlines():
        match = SUBFLOW.search(line)
        if match and _token(match[2]) in state:
            state[_token(match[2])].append(_plain(match[1]))
    return {token: sorted(locals_) for token, locals_ in state.items()}


def daemon_state(daemon):
    """The same as the daemon has it."""
    return {token: sorted(row["local"] for row in each["subflows"] if row["state"] == "established")
            for token, each in daemon.shown().items()}


def counts(daemon):
    """{token: number of subflows}, by one question."""
    return {row["token"]: row["subflows"] for row in daemon.connections()}


def wait_for_same_counts(daemon, connections, subflows):
    """Until that many connections with so many subflows each are in the kernel and the daemon."""
    def settled():
        found = kernel_state()
        odd = {token: locals_ for token, locals_ in found.items() if len(locals_) != subflows}
        if len(found) != connections or odd:
            raise Failed(f"the kernel has {len(found)}; not {subflows}: {list(odd.items())[:3]}")
        if counts(daemon) != {token: subflows for token in found}:
            raise Failed(f"the daemon has {len(counts(daemon))}")
        return found

    return wait_for(settled, f"{connections} connections with {subflows} subflows each")


def wait_for_same_state(daemon, connections, subflows):
    """The same, and that their addresses are the same, too; it asks the daemon about each one."""
    found = wait_for_same_counts(daemon, connections, subflows)
    shown = daemon_state(daemon)
    if shown != found:
        differ = [(shown.get(token), found.get(token)) for token in {**shown, **found}
                  if shown.get(token) != found.get(token)]
        raise Failed(f"daemon and kernel differ in {len(differ)}, the first: {differ[0]}")
    return found
