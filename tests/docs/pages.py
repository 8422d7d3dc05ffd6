"""What the tests of the documents share: the documents taken apart, and a folder in which their commands run."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["HVCIFIX_SOURCE"])
TOOL = pathlib.Path(os.environ["HVCIFIX"]).resolve()
FIXTURES = pathlib.Path(os.environ["HVCIFIX_FIXTURES"]).resolve()
DOCS = SOURCE / "docs"
DOCUMENTS = (SOURCE / "README.md", *sorted(DOCS.glob("*.md")), SOURCE / "msbuild" / "README.md")

# How a line begins that is a command when it is indented by four columns or more.
PROGRAMS = ("build/\\S+", "cmake", "eval", "git", "hvcifix", "inf2cat", "make", "man", "msbuild", "nuget", "openssl",
            "osslsigncode", "signtool", "verifier")
INDENTED = re.compile(rf"^( {{4,}})(?:- run: )?((?:{'|'.join(PROGRAMS)}) [^=\s].*)$")


def blocks(path):
    """[(words behind the fence, content)] of the fenced blocks that have such words."""
    return [(words.split(), content) for words, content in
            re.findall(r"^```([^\n]+)\n(.*?)^```$", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)]


def shown_commands(path):
    """The commands outside blocks with words: indented ones, and those behind the "$" of a transcript.

    What stands two blanks behind a command explains it; lines that are indented deeper go on with it.
    """
    text = re.sub(r"^```[^\n]+\n.*?^```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    commands, depth, in_transcript = [], None, False
    for line in text.splitlines():
        in_transcript ^= line == "```"
        found = None if in_transcript else INDENTED.match(line)
        if in_transcript and line.startswith("$ "):
            commands.append(line[2:])
        elif found:
            commands.append(re.split(r"\s{2,}", found[2])[0])
            depth = len(found[1])
            continue
        elif depth is not None and line.startswith(" " * (depth + 3)):
            commands[-1] += " " + line.strip()
            continue
        depth = None
    return commands


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hvcifix-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "bin").mkdir()
        (self.folder / "bin" / "hvcifix").symlink_to(TOOL)

    def run_command(self, command, expect=0):
        environment = dict(os.environ, PATH=f"{self.folder / 'bin'}:{os.environ['PATH']}")
        done = subprocess.run(["sh", "-c", command], cwd=self.folder, env=environment, capture_output=True, text=True,
                              check=False, timeout=120, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, expect, f"{command}\n{done.stdout}{done.stderr}")
        return done.stdout
