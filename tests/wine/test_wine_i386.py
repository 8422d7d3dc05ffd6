"""The tests of test_wine.py for x86 drivers, in a Wine for i386."""

import unittest

import test_wine
from support import wine_i386


class DriversOnX86(test_wine.Drivers):
    __unittest_skip__ = False  # the Wine of test_wine.py is not needed
    machine = "x86"
    real_count = 8  # keyboard and mouse, for Windows 5.1 (128-byte sections), 5.2, 6.0 and 6.1

    @classmethod
    def setUpClass(cls):
        try:
            super().setUpClass()
        except wine_i386.Missing as missing:
            raise unittest.SkipTest(f"no Wine for i386: {missing}") from missing

    @staticmethod
    def new_wine():
        return wine_i386.Wine()


if __name__ == "__main__":
    unittest.main()
