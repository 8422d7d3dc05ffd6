"""Native images with another layout (tests/relayout): what is written is proved, and behaves as before.

A sample of the images that the test run offers gets random layouts with two seeds. The tools of the Windows SDK among
them run under Wine, before and after, with the same output and the same files.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from support import images, wine

sys.path.insert(0, str(pathlib.Path(os.environ["HVCIFIX_SOURCE"]) / "tests" / "relayout"))
import table  # pylint: disable=import-error,wrong-import-position

PROGRAM = pathlib.Path(os.environ["HVCIFIX_BUILD"]) / "tests" / "relayout"
SAMPLE_COUNT = 16  # of each machine
LARGEST_NBYTES = 600_000
SEEDS = (1, 20)
LEAST_VERIFIED = 0.75  # of each machine; over all images it is more (docs/RELAYOUT.md)
TOOLS_SEED = 5
SOURCES = {
    "s.hlsl": "float4 main(float4 c : COLOR) : SV_Target { return c * 2; }\r\n",
}
# Command lines and the files that they make.
COMMANDS = (
    (("certmgr.exe", "-?"), ()),
    (("fxc.exe", "/nologo", "/T", "ps_4_0", "s.hlsl", "/Fo", "s.cso"), ("s.cso",)),
    (("uuidgen.exe", "-?"), ()),
    (("makecat.exe", "-?"), ()),
    (("ctrpp.exe", "-?"), ()),
)


def relayout(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, errors="replace", check=False)


class Sample(unittest.TestCase):
    def test_none_is_wrong_and_most_are_verified(self):
        real = [path for path in images.listed() if not path.startswith(os.environ["HVCIFIX_FIXTURES"])]
        small = [path for path in table.collect(real) if os.path.getsize(path) < LARGEST_NBYTES]
        if not small:
            self.skipTest("no images but fixtures")
        native = []
        for machine in ("x64", "x86"):
            mine = [path for path in small if table.machine_of(path) == machine]
            native += mine[:: max(1, len(mine) // SAMPLE_COUNT)]
        for seed in SEEDS:
            lines = [line for line in table.ask_all(PROGRAM, seed, native) if line.result != "not_native"]
            self.assertEqual([line.text for line in lines if line.result not in ("verified", "refused")], [])
            for machine in ("x64", "x86"):
                verified = [line.result == "verified" for line in lines if line.machine == machine]
                with self.subTest(seed=seed, machine=machine):
                    self.assertGreaterEqual(sum(verified), LEAST_VERIFIED * len(verified))
            moved = [line for line in lines if line.result == "verified" and line.moved_count != 0]
            self.assertGreater(len(moved), len(lines) / 2)

    def test_a_section_that_code_reads_left_alone_is_no_proof(self):
        """The program can say "refused": images without base relocations that hold addresses cannot move."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "old.exe"
            fixture = pathlib.Path(os.environ["HVCIFIX_FIXTURES"]) / "iat_in_text_x86.sys"
            content = bytearray(fixture.read_bytes())
            headers = images.Headers(bytes(content))
            entry = headers.optional.DATA_DIRECTORY[5].get_file_offset()
            content[entry : entry + 8] = bytes(8)
            path.write_bytes(content)
            self.assertIn("\trefused\t", relayout(path).stdout)


class Headers(unittest.TestCase):
    """What linkers and packers leave in section headers, and Windows does not read, is in nobody's way."""

    def relayout_with(self, change):
        """The results for a driver of each machine, with each header changed by change(section, number)."""
        results = []
        with tempfile.TemporaryDirectory() as folder:
            for machine in ("x64", "x86"):
                content = bytearray((pathlib.Path(os.environ["HVCIFIX_FIXTURES"]) / f"rich_{machine}.sys").read_bytes())
                for number, section in enumerate(images.Headers(bytes(content)).pe.sections):
                    change(section, number)
                    at = section.get_file_offset()
                    content[at : at + section.sizeof()] = section.__pack__()
                path = pathlib.Path(folder) / f"{machine}.sys"
                path.write_bytes(content)
                results += [line.split("\t")[2] for seed in SEEDS for line in relayout("-s", seed, path).stdout.splitlines()]
        return results

    def test_names(self):
        for name in ("", "PAGE%u"):
            with self.subTest(name=name):
                def rename(section, number, name=name):
                    section.Name = (name % number if name else "").encode().ljust(8, b"\0")
                self.assertEqual(self.relayout_with(rename), ["verified"] * 2 * len(SEEDS))

    def test_alignment_of_object_files(self):
        def align(section, _number):
            section.Characteristics |= 0x00300000
        self.assertEqual(self.relayout_with(align), ["verified"] * 2 * len(SEEDS))


class Tools(unittest.TestCase):
    """The tools of the Windows SDK for x64."""

    @classmethod
    def setUpClass(cls):
        cls.folder = next((pathlib.Path(path).parent for path in images.listed() if path.endswith("/x64/fxc.exe")), None)
        if cls.folder is None:
            raise unittest.SkipTest("the Windows SDK's tools are not there")
        if not wine.is_installed():
            raise unittest.SkipTest("Wine is not installed")
        cls.programs = wine.Programs()
        cls.programs.begin()

    def outcome(self, folder, command, made):
        done = self.programs.run(self.programs.command(folder / command[0], *command[1:]), cwd=folder)
        files = [(folder / name).read_bytes() for name in made if (folder / name).exists()]
        own = ("Z:" + str(folder).replace("/", "\\")).encode()
        return done.returncode, done.stdout.replace(own, b""), done.stderr.replace(own, b""), files

    def test_same_output_and_files(self):
        with tempfile.TemporaryDirectory() as scratch:
            old, new = pathlib.Path(scratch) / "old", pathlib.Path(scratch) / "new"
            for folder in (old, new):
                folder.mkdir()
                for name, text in SOURCES.items():
                    (folder / name).write_text(text, newline="")
            for command, _ in COMMANDS:
                shutil.copy(self.folder / command[0], old)
            said = relayout("-s", TOOLS_SEED, "-o", new, *(old / command[0] for command, _ in COMMANDS)).stdout
            self.assertEqual(said.count("\tverified\t"), len(COMMANDS), said)
            for command, made in COMMANDS:
                with self.subTest(command=command):
                    self.assertNotEqual((old / command[0]).read_bytes(), (new / command[0]).read_bytes())
                    before = self.outcome(old, command, made)
                    self.assertEqual(before, self.outcome(new, command, made))
                    self.assertTrue(before[1] or before[3])
                    self.assertEqual(len(before[3]), len(made))


if __name__ == "__main__":
    unittest.main()
