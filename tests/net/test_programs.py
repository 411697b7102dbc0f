#!/usr/bin/python3
"""Real programs, unmodified: plain TCP as the control, then under the library, over two paths.

With MPTCPIZE_FULL=1 all of them, otherwise those that are quick to install and to run. Names of
cases on the command line select some.
"""

import importlib
import os
import sys

import harness
from apps.case import CASES

FAMILIES = ("web", "proxies", "databases", "shells", "files", "measure", "runtimes", "browser")

for family in FAMILIES:
    importlib.import_module(f"apps.{family}")  # adds to CASES
everything = os.environ.get("MPTCPIZE_FULL") == "1" or sys.argv[1:]
harness.main([test for test in CASES if everything or not test.full])
