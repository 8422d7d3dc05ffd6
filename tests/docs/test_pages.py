"""The documents: their commands run and say what is printed there, and what the tool makes of them is what it makes now."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest
import xml.etree.ElementTree as ElementTree

from pages import DOCS, DOCUMENTS, FIXTURES, SOURCE, TOOL, Case, blocks
from support import images

VARIANTS = ("plain",)

# Who runs the commands of a document's blocks ```sh.
RUN_BY = {"ADOPTING.md": "tests/cmake/test_docs.py", "CI.md": "tests/cmake/test_docs.py",
          "LINKING.md": "tests/cmake/test_docs.py", "TUTORIAL.md": "tests/docs/test_pages.py",
          "TRANSLATE.md": "tests/docs/test_pages.py"}


def tutorial_driver():
    return next(path for path in images.real_drivers_of("x64") if "KBDNT52A64" in path)


class Followed(Case):
    def follow(self, name):
        """Runs the commands from top to bottom; what stands in a block ```text is among what the last ones printed."""
        count, said = 0, ""
        for words, content in blocks(DOCS / name):
            if words == ["sh"]:
                said = ""
                for line in content.splitlines():
                    command, _, code = line.partition(" # exit code ")
                    said += self.run_command(command, int(code or 0))
                    count += 1
            elif words == ["text"]:
                self.assertIn(content, said)
        return count

    def test_tutorial(self):
        shutil.copy(tutorial_driver(), self.folder / "keyboard.sys")
        (self.folder / "keyboard.sys").chmod(0o644)
        (self.folder / "crash.txt").write_text("keyboard+1040\n")
        self.assertGreaterEqual(self.follow("TUTORIAL.md"), 16)

    def test_translate(self):
        shutil.copy(FIXTURES / "all_defects_x64.sys", self.folder / "old.sys")
        (self.folder / "crash.txt").write_text("new+1310\n")
        self.assertEqual(self.follow("TRANSLATE.md"), 6)
        self.assertEqual((self.folder / "crash-old.txt").read_text(), "new+310\n")

    def test_somebody_runs_each_document(self):
        for path in sorted(DOCS.glob("*.md")):
            if any(words == ["sh"] for words, _ in blocks(path)):
                self.assertIn(path.name, RUN_BY)
                self.assertIn(path.name, (SOURCE / RUN_BY[path.name]).read_text("utf-8"))


class Made(Case):
    def test_troubleshooting(self):
        made = subprocess.run([sys.executable, SOURCE / "scripts" / "troubleshooting.py", TOOL], capture_output=True,
                              text=True, check=True).stdout
        self.assertEqual((DOCS / "TROUBLESHOOTING.md").read_text("utf-8"), made)
        rules = subprocess.run([TOOL, "rules"], capture_output=True, text=True, check=True).stdout
        self.assertLessEqual(set(re.findall(r"^(HVCI\d{4})", rules, re.M)), set(re.findall(r"^## (HVCI\d{4}): ", made, re.M)))

    def test_pictures(self):
        """docs/pictures are what the HTML report draws now; each is shown somewhere, and needs nothing beside it."""
        of = {"demo.svg": [FIXTURES / "all_defects_x64.sys"],
              "tutorial.svg": [tutorial_driver(), "--nx", "--drop-signature"]}
        self.assertEqual({path.name for path in (DOCS / "pictures").iterdir()}, set(of))
        texts = {path: path.read_text("utf-8") for path in DOCUMENTS}
        for name, words in of.items():
            made = subprocess.run([sys.executable, SOURCE / "scripts" / "pictures.py", TOOL, *words], capture_output=True,
                                  check=True).stdout
            self.assertEqual((DOCS / "pictures" / name).read_bytes(), made, name)
            self.assertTrue(any(f"(pictures/{name})" in text for text in texts.values()), name)
            xml = ElementTree.fromstring(made)
            self.assertEqual(xml.tag, "{http://www.w3.org/2000/svg}svg")
            used = set(re.findall(rb"var\((--[a-z-]+)\)", made))
            colours = [set(re.findall(rb"(--[a-z-]+):", line)) for line in made.splitlines() if b":root{" in line]
            self.assertEqual(len(colours), 2)  # light and dark
            for each in colours:
                self.assertLessEqual(used, each)
            self.assertIsNone(re.search(rb"href|\bsrc=|url\(|@import|<script", made))
        for path, text in texts.items():
            for target in re.findall(r"!\[[^\]]*\]\(([^)]*)\)", text):
                self.assertTrue((path.parent / target).exists(), f"{path.name}: {target}")

    def test_calls_drivers(self):
        """Each driver of the packages; Wine's as long as Wine is the one of the page."""
        listed = pathlib.Path(os.environ["HVCIFIX_BUILD"]) / "real-images.txt"
        made = subprocess.run([sys.executable, SOURCE / "scripts" / "calls_drivers.py", TOOL, listed], capture_output=True,
                              text=True, check=True).stdout
        (packages, wine), (packages_made, wine_made) = (
            text.split("\n## Wine's own drivers\n") for text in ((DOCS / "CALLS-DRIVERS.md").read_text("utf-8"), made))
        self.assertEqual(packages, packages_made)
        self.assertGreaterEqual(int(re.search(r"are decided \((\d+) %\)", packages)[1]), 90)
        if re.findall(r"`[0-9a-f]{16}`", wine) == re.findall(r"`[0-9a-f]{16}`", wine_made):
            self.assertEqual(wine, wine_made)

    def test_the_transcript_in_the_readme(self):
        """Both parts of it, whole, are in what `make demo` prints."""
        (self.folder / "build").mkdir()
        (self.folder / "build" / "hvcifix").symlink_to(TOOL)
        (self.folder / "build" / "fixtures").symlink_to(FIXTURES)
        said = subprocess.run([SOURCE / "scripts" / "demo.sh", "build"], cwd=self.folder, capture_output=True, text=True,
                              check=True).stdout
        shown = re.search(r"^```\n(\$ hvcifix fix.*?)^```$", (SOURCE / "README.md").read_text("utf-8"), re.M | re.S)[1]
        pieces = shown.split("\n...\n")
        self.assertEqual(len(pieces), 2)
        for piece in pieces:
            self.assertIn(piece, said)


if __name__ == "__main__":
    unittest.main()
