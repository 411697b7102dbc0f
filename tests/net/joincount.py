"""Counts joins as MPJoinSynTx does, where the kernel has no such counter.

A SYN that is sent again has the sequence number of the first one, so it is counted once.
"""

import json
import subprocess

NAME = "MPJoinSynTx"
TABLE = "joincount"
RULES = f"""table inet {TABLE} {{
  set joins {{ typeof tcp sport . tcp sequence; size 65535; flags dynamic; }}
  chain output {{
    type filter hook output priority 0;
    tcp flags & (syn | ack) == syn tcp option mptcp subtype 1 \\
      add @joins {{ tcp sport . tcp sequence }}
  }}
}}
"""


def start():
    """From now on, in the namespace of this process."""
    subprocess.run(["nft", "-f", "-"], input=RULES, text=True, check=True)


def count():
    """How many there were since, in the namespace of this process."""
    done = subprocess.run(["nft", "-j", "list", "set", "inet", TABLE, "joins"], text=True,
                          capture_output=True, check=True)
    rows = json.loads(done.stdout)["nftables"]
    return sum(len(row["set"].get("elem", [])) for row in rows if "set" in row)
