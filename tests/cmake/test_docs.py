"""The commands in docs/ADOPTING.md, docs/CI.md and docs/LINKING.md do what is said there, run as a new user would.

A block ```sh has one command a line; "# exit code N" behind it says how it ends, else it ends with 0. A block
```LANGUAGE FILE is the new content of that file. Recipes of services are read by their own syntax.
"""

import os
import re
import shutil
import subprocess
import unittest

import yaml

from support import cmake_project, driver_tree

VARIANTS = ("plain",)
DOCS = cmake_project.SOURCE / "docs"
OWN = "the service's own"


def blocks(name):
    """[(words behind the fence, content)] of a document."""
    return [(words.split(), content) for words, content in
            re.findall(r"^```([^\n]+)\n(.*?)^```$", (DOCS / name).read_text(), re.MULTILINE | re.DOTALL)]


class DocsCase(cmake_project.CMakeCase):
    def run_command(self, command, expect=0):
        environment = driver_tree.without_make()
        environment["PATH"] = f"{self.prefix / 'bin'}:{environment['PATH']}"
        done = subprocess.run(["sh", "-c", command], cwd=self.folder, env=environment, capture_output=True, text=True,
                              check=False, timeout=300)
        self.assertEqual(done.returncode, expect, f"{command}\n{done.stdout}{done.stderr}")
        return done.stdout

    def follow(self, name):
        """Does what the document says, from top to bottom. Returns how many commands that were."""
        count = 0
        for words, content in blocks(name):
            if words == ["sh"]:
                for line in content.splitlines():
                    command, _, code = line.partition(" # exit code ")
                    self.run_command(command, int(code or 0))
                    count += 1
            elif len(words) == 2 and words[1] not in Recipes.SERVICES:
                (self.folder / words[1]).write_text(content)
        return count


class Documents(DocsCase):
    def test_adopting(self):
        driver_tree.plant(self.folder)
        self.assertGreaterEqual(self.follow("ADOPTING.md"), 20)
        for name in ("audit.html", "audit.json", "release.html", "release.json.gz", "baseline.sarif"):
            self.assertGreater((self.folder / name).stat().st_size, 100, name)

    def test_the_tree_is_as_the_document_says(self):
        driver_tree.plant(self.folder)
        self.run_command("make")
        said = self.run_command("hvcifix enforce --mode audit out vendor")
        self.assertTrue(said.splitlines()[-1].startswith("50 images: 38 clean, 8 can be fixed, 4 refused"), said[-300:])

    def test_linking(self):
        driver_tree.plant(self.folder)
        for path in (self.folder / "drivers").glob("[t2-4]*"):
            path.unlink()
        self.assertEqual(self.follow("LINKING.md"), 5)
        self.assertTrue((self.folder / "out" / "driver.sys").exists())


class Recipes(DocsCase):
    SERVICES = ("github", "azure", "gitlab", "jenkins")

    def commands(self, service, content):
        """The recipe's commands, and the lines that have to be marked as the service's own."""
        if service == "jenkins":
            return (re.findall(r"^\s*sh '(.*)'$", content, re.MULTILINE),
                    re.findall(r"^\s*(?:recordIssues|archiveArtifacts).*$", content, re.MULTILINE))
        recipe = yaml.safe_load(content)
        if service == "github":
            steps = [step for job in recipe["jobs"].values() for step in job["steps"]]
            commands = [line for step in steps for line in step.get("run", "").splitlines()]
            own = r"^.*\buses:.*$"
        elif service == "azure":
            commands, own = [step["script"] for step in recipe["steps"] if "script" in step], r"^\s*- publish:.*$"
        else:
            commands = [line for job in recipe.values() for line in job["script"] + job["after_script"]]
            own = r"^\s*artifacts:.*$"
        return commands, re.findall(own, content, re.MULTILINE)

    def test_each_service(self):
        recipes = {words[1]: content for words, content in blocks("CI.md") if len(words) == 2}
        self.assertEqual(tuple(recipes), self.SERVICES)
        for service, content in recipes.items():
            with self.subTest(service=service):
                self.folder = self.home / service
                shutil.copytree(cmake_project.SAMPLE, self.folder)
                commands, own = self.commands(service, content)
                self.assertEqual(len(commands), 3)
                self.assertTrue(own)
                for line in own:
                    self.assertTrue(line.endswith(OWN), line)
                self.assertEqual(content.count(OWN), len(own))
                for command in commands:
                    self.run_command(command)
                named = re.findall(r"--report (\S+)", commands[-1])
                self.assertTrue(named)
                for path in named:
                    self.assertGreater((self.folder / path).stat().st_size, 100)
                    self.assertGreater(content.count(path), 1, f"nothing uses {path}")

    def test_reports_of_a_build_that_fails(self):
        """Services run the last command also then, and what was rejected is in its reports."""
        content = next(content for words, content in blocks("CI.md") if words[-1] == "github")
        shutil.copytree(cmake_project.SAMPLE, self.folder, dirs_exist_ok=True)
        (self.folder / "driver.c").write_text(cmake_project.DEFECT)
        (self.folder / "hvcifix.ini").write_text("[policy]\nmode = reject\n")
        configure, build, judge = self.commands("github", content)[0]
        self.run_command(configure)
        self.run_command(build, 1)
        self.run_command(judge, 1)
        self.assertIn("sample.sys.rejected", (self.folder / "hvcifix.sarif").read_text())

    def test_a_gate_without_a_build(self):
        self.folder = self.home / "gate"
        shutil.copytree(cmake_project.SAMPLE, self.folder)
        shutil.copytree(os.environ["HVCIFIX_FIXTURES"], self.folder / "build",
                        ignore=lambda folder, names: [name for name in names if not name.startswith("clean_x64")])
        self.assertEqual(self.follow("CI.md"), 2)


if __name__ == "__main__":
    unittest.main()
