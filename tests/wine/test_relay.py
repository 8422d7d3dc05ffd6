"""The comparison of kernel calls: the same driver makes the same ones each time, and one call more is seen."""

import unittest

from support import matrix, relay

RICH = ("rich_low_80", "gcc_rich_all_in_text", "unwinding_low_80")


class Calls(unittest.TestCase):
    """On x64; the class below does the same on x86."""

    machine = "x64"

    @classmethod
    def setUpClass(cls):
        cls.host = relay.tracing(cls.machine)

    def fixture(self, name):
        return next(f.path for f in matrix.read() if f.name == name and f.machine == self.machine)

    def calls(self, *names):
        """The calls of each load of each driver."""
        runs = relay.run(self.host, [self.fixture(name) for name in names])
        for run in runs:
            self.assertEqual(len(run.calls), 2)
            self.assertTrue(all(load.startswith("start 0\n") for load in run.loads), run.loads)
        return [run.calls for run in runs]

    def test_calls_are_those_of_the_sources(self):
        """What driver.c and imports.c say, from the entry to the unload routine."""
        first = self.calls("clean")[0][0]
        self.assertEqual(first[0], "driver init")
        self.assertTrue(first[1].startswith("ntoskrnl.exe.RtlInitUnicodeString("), first[1])
        self.assertIn(r'image L"\\Device\\HvcifixFixture"', first[1])
        self.assertTrue(first[3].startswith("ntoskrnl.exe.IoCreateDevice("), first[3])
        self.assertIn("ntoskrnl.exe.RtlCompareMemory(image, address, 0x11)", first)
        self.assertEqual(first[-4], "driver unload")
        self.assertTrue(first[-1].startswith("ntoskrnl.exe.IoDeleteDevice("), first[-1])

    def test_two_runs_make_the_same_calls(self):
        for name, one, other in zip(RICH, self.calls(*RICH), self.calls(*RICH)):
            with self.subTest(name=name):
                self.assertGreater(len(one[0]), 30)
                self.assertEqual(relay.difference(one[0], one[1]), "")
                for load in other:
                    self.assertEqual(relay.difference(one[0], load), "")

    def test_one_more_call_is_seen(self):
        clean, more = self.calls("clean", "one_more_call")
        for old, new in zip(clean, more):
            self.assertEqual(len(new), len(old) + 1)
            self.assertRegex(relay.difference(old, new), r"^call \d+: .*RtlUpcaseUnicodeChar\(0x61\)")

    def test_other_arguments_are_seen(self):
        old = ["ntoskrnl.exe.RtlUpcaseUnicodeChar(0x61)", 'ntoskrnl.exe.RtlInitUnicodeString(address, image L"a, b")']
        for new in (["ntoskrnl.exe.RtlUpcaseUnicodeChar(0x62)", old[1]], [old[0], old[1].replace("a, b", "a, c")],
                    [old[0], old[1].replace("image", "address")], old[:1], []):
            self.assertNotEqual(relay.difference(old, new), "")
        self.assertEqual(relay.difference(old, list(old)), "")


class CallsOnX86(Calls):
    machine = "x86"


if __name__ == "__main__":
    unittest.main()
