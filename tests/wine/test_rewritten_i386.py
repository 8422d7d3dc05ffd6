"""The tests of test_rewritten.py for x86 drivers, in a Wine for i386."""

import unittest

import test_rewritten


class RewrittenOnX86(test_rewritten.Rewritten):
    machine = "x86"


if __name__ == "__main__":
    unittest.main()
