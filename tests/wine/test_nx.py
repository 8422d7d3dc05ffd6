"""`fix --nx`, against the arguments that really arrive when Wine runs the driver before and after.

The calls of the kernel must be the same in the same order, with the same arguments, but for the flag that each
redirected function gets; and the driver's answers must be the same.
"""

import os
import shutil
import tempfile
import unittest

from support import images, matrix, relay, strict_loader, tool

NX_POOL, NX_MAPPING = 0x200, 0x40000000
FIXTURES = ("executable_pool", "executable_pool_o0", "executable_maps", "executable_all_low_80", "gcc_executable_pool",
            "gnu_executable_pool")
WALKED = ("executable_pool", "executable_pool_guard", "executable_pool_runs", "gcc_executable_pool",
          "gnu_executable_pool")


def with_flag(function, arguments):
    """The arguments as they must arrive after the repair."""
    wanted = list(arguments)
    if function.startswith("ExAllocatePool") and not wanted[0] & 1:
        wanted[0] |= NX_POOL
    if function == "ExInitializeNPagedLookasideList":
        wanted[3] |= NX_POOL
    if function == "MmMapLockedPagesSpecifyCache" and not wanted[1] & 0xFF:
        wanted[5] |= NX_MAPPING
    return wanted


def calls_of(output, names):
    """{file name: [(function, image, [(number, text)])]} of the calls that return into each driver."""
    found = {name: [] for name in names}
    image = name = None
    for line in output.splitlines():
        loaded = relay.LOADED.match(line)
        if loaded and loaded[1] in names:
            name = loaded[1]
            image = relay.Image(int(loaded[2], 16), names[name])
        call = relay.CALL.match(line)
        if image and call and image.holds(int(call[3], 16)):
            arguments = [(int(number, 16), text) for number, text in relay.ARGUMENT.findall(call[2])]
            found[name].append((call[1].rpartition(".")[2], image, arguments))
    return found


def is_flagged(function, place):
    return (function.startswith("ExAllocatePool") and place == 0 or
            function == "ExInitializeNPagedLookasideList" and place == 3 or
            function == "MmMapLockedPagesSpecifyCache" and place in (1, 5))


def normal(function, image, arguments):
    """Numbers as they are, where a flag may come; all else in the form that is the same in every run."""
    return [number & 0xFFFFFFFF if is_flagged(function, place) else image.normal(number, text)
            for place, (number, text) in enumerate(arguments)]


class Flags(unittest.TestCase):
    machine = "x64"

    @classmethod
    def setUpClass(cls):
        cls.host = relay.tracing(cls.machine)
        cls.folder = tempfile.mkdtemp(prefix="hvcifix-test-", dir=os.environ["HVCIFIX_BUILD"])
        cls.addClassCleanup(shutil.rmtree, cls.folder)

    def repaired(self, paths):
        """Repairs each; the new files have names of their own, so that the trace tells them apart."""
        made = []
        for number, path in enumerate(paths):
            new = os.path.join(self.folder, f"new{number}_{os.path.basename(path)}")
            done = tool.run("fix", "--nx", "--drop-signature", "-o", new, path)
            self.assertIn(done.returncode, (0, 1), done.stdout)
            made.append(new)
        return made

    def drive(self, paths):
        places = self.host.places(paths)
        names = {place.rpartition("/")[2]: relay.image_nbytes(path) for place, path in zip(places, paths)}
        for _ in range(5):
            output = self.host.drive_all(places, 1)
            if not any(line in relay.NOT_READY for line in output.splitlines()):
                break
        answers = relay.parse(output, list(names), list(names.values()))
        return calls_of(output, names), [run.loads for run in answers]

    def compare(self, olds):
        news = self.repaired(olds)
        old_calls, old_answers = self.drive(olds)
        new_calls, new_answers = self.drive(news)
        flag_count = 0
        for old, new, old_said, new_said in zip(old_calls.values(), new_calls.values(), old_answers, new_answers):
            self.assertEqual(old_said, new_said)
            self.assertEqual([call[0] for call in old], [call[0] for call in new])
            for (function, image, arguments), (_, new_image, new_arguments) in zip(old, new):
                wanted = normal(function, image, arguments)
                if any(is_flagged(function, place) for place in range(len(wanted))):
                    flagged = with_flag(function, wanted)
                    flag_count += flagged != wanted
                    wanted = flagged
                self.assertEqual(wanted, normal(function, new_image, new_arguments), function)
        print(f"{self.machine}: {len(olds)} drivers, {flag_count} calls with a new flag")
        return flag_count

    def test_fixtures(self):
        paths = [f.path for f in matrix.read() if f.name in FIXTURES and f.machine == self.machine]
        self.assertEqual(len(paths), len(FIXTURES))
        self.assertGreater(self.compare(paths), 40)

    def test_real_drivers(self):
        drivers = images.real_drivers_of(self.machine)
        if not drivers:
            self.skipTest("the package with real drivers could not be had")
        self.compare(drivers)  # their allocations run only when a device is there

    def test_strict_loader(self):
        """Rights of pages as memory integrity gives them, other bases, Windows' rules for images, and callers that are
        found at each instruction, in stubs too (which is counted, so code that has none by itself is left out)."""
        paths = [f.path for f in matrix.read() if f.name in WALKED and f.machine == self.machine]
        for old, new in zip(paths, self.repaired(paths)):
            self.assertEqual(strict_loader.differences(old, new), "", old)


class FlagsOnX86(Flags):
    machine = "x86"


if __name__ == "__main__":
    unittest.main()
