"""Runs unit tests and reports each of them as a line of TAP, so that skips are counted."""

import sys
import traceback
import unittest


class Result(unittest.TestResult):
    """Prints as it goes."""

    def __init__(self):
        super().__init__()
        self.reported = 0

    def _report(self, test, verdict, more=""):
        self.reported += 1
        print(f"{verdict} {self.reported} - {test.id().removeprefix('__main__.')}{more}",
              flush=True)

    def _fail(self, test, error):
        for line in "".join(traceback.format_exception(*error)).splitlines():
            print(f"# {line}")
        self._report(test, "not ok")

    def addSuccess(self, test):
        super().addSuccess(test)
        self._report(test, "ok")

    def addError(self, test, err):
        super().addError(test, err)
        self._fail(test, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._fail(test, err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._report(test, "ok", f" # SKIP {reason}")


def main(modules):
    """Runs all tests of the modules, or those named on the command line. Never returns."""
    loader = unittest.defaultTestLoader
    suites = []
    for module in modules:
        tests = loader.loadTestsFromModule(module)
        if sys.argv[1:]:
            tests = (test for suite in tests for test in suite
                     if test.id().split(".")[-1] in sys.argv[1:])
        suites.append(unittest.TestSuite(tests))
    result = Result()
    unittest.TestSuite(suites).run(result)
    print(f"1..{result.reported}")
    sys.exit(0 if result.wasSuccessful() and result.reported else 1)
