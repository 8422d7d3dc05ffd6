"""What debuggers say of a repaired driver: Microsoft's own dbghelp.dll and msdia140.dll, under Wine, give every symbol,
and every address of code, the name and line in the new image that they give it in the old one.

Where an address went is taken from the map that `fix --map` writes, not from the PDB. docs/DEBUGGING.md tells what is
measured here.
"""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from support import pdb, readobj, tool, wine
from support.windows_case import windows_path

BUILD = pathlib.Path(os.environ["HVCIFIX_BUILD"])
SOURCE = pathlib.Path(os.environ["HVCIFIX_SOURCE"])
IMAGES = ["all_defects_x64", "all_defects_x86", "low_align_x64", "low_align_x86", "iat_in_text_x64", "iat_in_text_x86",
          "rich_low_80_all_defects_x64", "rich_low_80_all_defects_x86"]
STEP = 5  # of the addresses of code, every so manieth byte is asked about


class Debuggers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="hvcifix-test-")).resolve()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.wine = wine.Programs()
        cls.wine.begin()
        done = subprocess.run([SOURCE / "scripts" / "debuggers.sh", cls.folder / "microsoft"], capture_output=True,
                              text=True, check=False)
        if done.returncode != 0:
            raise unittest.SkipTest(f"Microsoft's dbghelp.dll cannot be had: {done.stdout}")

    def ask(self, image, questions, library=None):
        """{question: answer}, and the set of (name, tag, RVA) of an "e"."""
        library = windows_path(library or self.folder / "microsoft" / "dbghelp.dll")
        command = self.wine.command(BUILD / "wine-helpers" / "symbols.exe", library, windows_path(image),
                                    windows_path(image.parent))
        environment = dict(self.wine.environment, WINEDLLOVERRIDES="dbghelp,msdia140=n;mscoree,mshtml=")
        # Through files: Wine's background processes keep pipes open.
        with tempfile.TemporaryFile("w+") as asked, tempfile.TemporaryFile("w+", errors="replace") as told:
            asked.write("".join(question + "\n" for question in questions))
            asked.seek(0)
            done = subprocess.run(command, stdin=asked, stdout=told, stderr=subprocess.DEVNULL, env=environment,
                                  timeout=300, check=False)
            told.seek(0)
            lines = told.read().splitlines()
        self.assertEqual((done.returncode, lines[:1]), (0, ["matched PDB"]), lines[:5])
        answers, symbols = {}, set()
        for line in lines[1:]:
            kind, rva, text = line.split(" ", 2)
            if kind == "e":
                tag, name = text.split(" ", 1)
                symbols.add((name, tag, int(rva, 16)))
            else:
                answers[f"{kind} {rva}"] = text
        return answers, symbols

    def repair(self, name):
        image = pdb.build(name)
        new = self.folder / name / image.name
        new.parent.mkdir(exist_ok=True)
        done = tool.run("fix", image, "-o", new, "--map", self.folder / "map.json")
        self.assertEqual(done.returncode, 0, done.stdout)
        return image, new, json.loads((self.folder / "map.json").read_text())["pieces"]

    @staticmethod
    def mapped(pieces, rva):
        piece = max((each for each in pieces if each["old_rva"] <= rva), key=lambda each: each["old_rva"])
        return piece["new_rva"] + rva - piece["old_rva"]

    @staticmethod
    def first_hidden(image, new):
        """DIA looks for no place in a section of the old image whose number is above the count of sections of the new
        one (docs/DEBUGGING.md): the first RVA that it does not find."""
        old_sections, new_sections = [
            [readobj.Section(text) for text in readobj.read("--sections", path).split("Section {")[1:]]
            for path in (image, new)]
        beyond = old_sections[len(new_sections) :]
        return beyond[0].rva if beyond else 1 << 32

    def test_names_and_lines_are_those_of_the_old_image(self):
        for name in IMAGES:
            with self.subTest(name):
                image, new, pieces = self.repair(name)
                end = self.first_hidden(image, new)
                _, symbols = self.ask(image, ["e"])
                symbols = {symbol for symbol in symbols if symbol[2] < end}
                self.assertGreater(len(symbols), 20)
                expected = {(each, tag, self.mapped(pieces, rva)) for each, tag, rva in symbols}
                functions = sorted(rva for _, tag, rva in symbols if tag == "5")  # SymTagFunction
                places = {place for rva in functions for place in range(rva, rva + 200, STEP)}
                places |= {rva for _, _, rva in symbols}
                places = sorted(place for place in places if place <= functions[-1] + 20)
                old, _ = self.ask(image, [f"{kind} {place:x}" for place in places for kind in "al"])
                again, found = self.ask(new, ["e"] + [f"{kind} {self.mapped(pieces, place):x}" for place in places
                                                      for kind in "al"])
                self.assertEqual(found, expected)
                lines = 0
                for place in places:
                    for kind in "al":
                        answer = old[f"{kind} {place:x}"]
                        lines += kind == "l" and answer != "-"
                        if self.crosses(pieces, place, answer):
                            continue
                        self.assertEqual(again[f"{kind} {self.mapped(pieces, place):x}"], answer, hex(place))
                self.assertGreater(lines, 50)

    @staticmethod
    def crosses(pieces, place, answer):
        """Is the place in another piece than what it is named after? Then it is filling behind that."""
        if "+" not in answer:
            return True
        start = place - int(answer.rsplit("+", 1)[1], 16)
        return any(start < piece["old_rva"] <= place for piece in pieces)

    def test_the_old_pdb_does_not_pass_for_the_new_one(self):
        image, new, _ = self.repair("all_defects_x64")
        other = self.folder / "mixed"
        other.mkdir()
        shutil.copy(new, other)
        shutil.copy(image.with_suffix(".pdb"), other)
        with self.assertRaises(AssertionError):
            self.ask(other / new.name, ["e"])
