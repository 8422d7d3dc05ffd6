"""The documents: their commands run and say what is printed there, and what the tool makes of them is what it makes now."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from support import images

VARIANTS = ("plain",)
SOURCE = pathlib.Path(os.environ["HVCIFIX_SOURCE"])
TOOL = pathlib.Path(os.environ["HVCIFIX"]).resolve()
FIXTURES = pathlib.Path(os.environ["HVCIFIX_FIXTURES"]).resolve()
DOCS = SOURCE / "docs"

# Who runs the commands of a document's blocks ```sh.
RUN_BY = {"ADOPTING.md": "tests/cmake/test_docs.py", "CI.md": "tests/cmake/test_docs.py",
          "LINKING.md": "tests/cmake/test_docs.py", "TUTORIAL.md": "tests/docs/test_pages.py",
          "TRANSLATE.md": "tests/docs/test_pages.py"}


def blocks(path):
    return [(words.split(), content) for words, content in
            re.findall(r"^```([^\n]+)\n(.*?)^```$", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)]


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hvcifix-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "bin").mkdir()
        (self.folder / "bin" / "hvcifix").symlink_to(TOOL)

    def run_command(self, command, expect):
        environment = dict(os.environ, PATH=f"{self.folder / 'bin'}:{os.environ['PATH']}")
        done = subprocess.run(["sh", "-c", command], cwd=self.folder, env=environment, capture_output=True, text=True,
                              check=False, timeout=120, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, expect, f"{command}\n{done.stdout}{done.stderr}")
        return done.stdout

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


class Followed(Case):
    def test_tutorial(self):
        driver = next(path for path in images.real_drivers_of("x64") if "KBDNT52A64" in path)
        shutil.copy(driver, self.folder / "keyboard.sys")
        (self.folder / "keyboard.sys").chmod(0o644)
        (self.folder / "crash.txt").write_text("keyboard+1040\n")
        self.assertGreaterEqual(self.follow("TUTORIAL.md"), 14)

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
