"""The package for MSBuild as `make nuget` packs it: what is in it, the ways to use it, and the command lines for Windows."""

import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree as xml
import zipfile

import yaml

from engine import BUILD, HERE, IAT_IN_CODE, Projects, escape, msbuild, package, require_engine
from support import images, tool, wine

SOURCE = HERE.parents[1]
RULE = "{http://schemas.microsoft.com/build/2009/properties}"


def setUpModule():
    require_engine()


class Contents(unittest.TestCase):
    def test_what_is_in_it(self):
        version = tool.run("--version").stdout.decode().split()[1]
        self.assertEqual(package().name, f"HvciFix.{version}.nupkg")
        with zipfile.ZipFile(package()) as archive:
            names = set(archive.namelist())
            for name in ("README.md", "LICENSE.txt", "build/native/HvciFix.props", "build/native/HvciFix.targets",
                         "build/native/HvciFix.xml", "tools/x64/hvcifix.exe", "tools/linux-x64/hvcifix"):
                self.assertIn(name, names)
            self.assertFalse([name for name in names if name.startswith(("lib/", "content/"))])
            for name in ("build/native/HvciFix.props", "build/native/HvciFix.targets", "build/native/HvciFix.xml"):
                self.assertEqual(archive.read(name), (SOURCE / "msbuild" / name).read_bytes())
            self.assertEqual(archive.read("tools/x64/hvcifix.exe"), (BUILD / "hvcifix.exe").read_bytes())
            metadata = xml.fromstring(archive.read("HvciFix.nuspec"))[0]
        values = {child.tag.split("}")[1]: child.text for child in metadata}
        self.assertEqual((values["id"], values["version"], values["developmentDependency"], values["readme"],
                          values["license"]), ("HvciFix", version, "true", "README.md", "LICENSE.txt"))
        self.assertIn("native", values["tags"].split())
        for name in ("README.md", "samples/packages.config"):  # what people copy names this version
            said = re.findall(r'id="HvciFix" version="([^"]*)"|"HvciFix" Version="([^"]*)"',
                              (SOURCE / "msbuild" / name).read_text("utf-8"))
            self.assertEqual({one or other for one, other in said}, {version}, name)

    def test_the_same_files_make_the_same_package(self):
        """Times of files and of packing are not in it, but that of the commit."""
        build = pathlib.Path(tempfile.mkdtemp(prefix="hvcifix-test-"))
        self.addCleanup(shutil.rmtree, build)
        (build / "nuget").mkdir()
        for name in ("hvcifix.exe", "nuget/hvcifix"):
            shutil.copy(BUILD / name, build / name)
        environment = {key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"}
        subprocess.run(["scripts/nuget.sh", build, "0.1.0"], cwd=SOURCE, env=environment, stdin=subprocess.DEVNULL, check=True)
        git = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=SOURCE, capture_output=True, check=False)
        expected = time.gmtime(int(git.stdout))[:5] if git.returncode == 0 else (1980, 1, 1, 0, 0)
        with zipfile.ZipFile(build / "nuget" / "HvciFix.0.1.0.nupkg") as archive:
            self.assertEqual({entry.date_time[:5] for entry in archive.infolist()}, {expected})

    def test_properties_are_documented_and_on_the_page(self):
        text = (SOURCE / "msbuild/build/native/HvciFix.targets").read_text("utf-8")
        properties = {child.tag.split("}")[1] for group in xml.fromstring(text) if group.tag.endswith("PropertyGroup")
                      for child in group if child.tag.split("}")[1].startswith("HvciFix")}
        properties |= {"HvciFixBaseline", "HvciFixReport", "HvciFixSarif", "HvciFixAdditionalOptions", "HvciFixBeforeTargets"}
        page = xml.parse(SOURCE / "msbuild/build/native/HvciFix.xml").getroot()
        self.assertEqual({child.get("Name") for child in page if child.tag.endswith("Property")}, properties)
        readme = (SOURCE / "msbuild/README.md").read_text("utf-8")
        for name in properties:
            self.assertIn(f"| `{name}` |", readme)
        categories = {child.get("Name") for child in page.find(RULE + "Rule.Categories")}
        self.assertEqual({child.get("Category") for child in page if child.get("Category")}, categories)


class WaysToUse(Projects):
    def test_package_reference(self):
        """Restored by NuGet itself, from a folder."""
        project = self.project(
            defect=IAT_IN_CODE, imports=False, items='<PackageReference Include="HvciFix" Version="*" />',
            properties={"WithNuGet": "true", "TargetFrameworkMoniker": "native,Version=v0.0",
                        "NuGetTargetMoniker": "native,Version=v0.0", "RestoreProjectStyle": "PackageReference",
                        "RestoreSources": package().parent, "RestorePackagesPath": self.folder / "restored"})
        restored = msbuild(project, "-t:Restore")
        self.assertEqual((restored.code, restored.warning_count), (0, 0), restored.output[-3000:])
        programs = list((self.folder / "restored").rglob("tools/linux-x64/hvcifix"))
        self.assertEqual([bool(path.stat().st_mode & stat.S_IXUSR) for path in programs], [True])
        build = msbuild(project)
        self.assert_shipped(build)
        self.assertIn("HVCI2005: cured", build.output)

    def test_without_editing_the_project(self):
        """Three files and the program in one folder; the project imports nothing."""
        folder = self.folder / "tools of ours"
        shutil.copytree(self.native, folder)
        shutil.copy(tool.TOOL, folder / "hvcifix")
        project = self.project(defect=IAT_IN_CODE, imports=False)
        build = msbuild(project, f"-p:ForceImportAfterCppTargets={folder / 'HvciFix.targets'}")
        self.assert_shipped(build)
        self.assertIn("HVCI2005: cured", build.output)

    def test_one_file_for_all_projects(self):
        """Directory.Build.targets, behind the targets of Visual C++; what is no driver and links nothing is not touched."""
        self.write(f'<Project><Import Project="{escape(self.native / "HvciFix.targets")}" /></Project>', "Directory.Build.targets")
        project = self.project(defect=IAT_IN_CODE, imports=False, tail='<Import Project="Directory.Build.targets" />')
        self.write('<Project><Target Name="Build" /><Import Project="Directory.Build.targets" /></Project>', "other.proj")
        build = msbuild(self.write('<Project><Target Name="Build"><MSBuild Projects="driver.vcxproj;other.proj" /></Target></Project>',
                                   "all.proj"))
        self.assert_shipped(build)
        self.assertIn("HVCI2005: cured", build.output)
        self.assertEqual(build.targets.count("HvciFixEnforce"), 1, project)

    def test_installed(self):
        """Where `make install` puts program and targets."""
        prefix = self.folder / "usr"
        subprocess.run(["install", "-D", tool.TOOL, prefix / "bin/hvcifix"], check=True)
        shutil.copytree(self.native, prefix / "share/hvcifix/msbuild")
        project = self.project(defect=IAT_IN_CODE, imports=False)
        self.assert_shipped(msbuild(project, f"-p:ForceImportAfterCppTargets={prefix}/share/hvcifix/msbuild/HvciFix.targets"))

    def test_the_sample(self):
        """The sample as it stands, with stand-ins for the files of Visual C++ that it imports."""
        shutil.copytree(SOURCE / "msbuild/samples", self.folder / "samples")
        (self.folder / "samples/driver.c").write_bytes((HERE / "driver.c").read_bytes())  # without the WDK's headers
        self.project(defect=IAT_IN_CODE, imports=False)
        body = xml.parse(self.folder / "driver.vcxproj").getroot().find("PropertyGroup")
        imitation = HERE / "imitation"
        self.write(f'<Project><Import Project="{imitation}/Cpp.Default.props" /></Project>',
                   "vc/Microsoft.Cpp.Default.props")
        self.write(f"<Project>{xml.tostring(body, 'unicode')}</Project>", "vc/Microsoft.Cpp.props")
        self.write(f'<Project><Import Project="{imitation}/Cpp.targets" /></Project>', "vc/Microsoft.Cpp.targets")
        build = msbuild(self.folder / "samples/driver.vcxproj", f"-p:VCTargetsPath={self.folder / 'vc'}",
                        f"-p:HvciFixFolder={self.native}/")
        self.assertEqual((build.code, build.error_count, build.warning_count), (0, 0, 0), build.output[-3000:])
        image = self.folder / "samples/x64/Release/driver.sys"
        self.assertEqual((self.codes_of(image), self.is_signed(image)), (set(), True))
        arguments = (self.folder / "samples/driver/x64/Release/driver.hvcifix.rsp").read_bytes().decode("utf-16")
        self.assertIn('--default-target "1507"', arguments)
        self.assertEqual(tool.run("policy", "check", self.folder / "samples/hvcifix.ini").returncode, 0)


    def test_recipe(self):
        """docs/CI.md: two projects in one solution, one of them rejected; both have a report that GitHub shows."""
        text = (SOURCE / "docs/CI.md").read_text("utf-8")
        recipe = yaml.safe_load(re.search(r"^```yaml msbuild github\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[1])
        steps = recipe["jobs"]["drivers"]["steps"]
        command = next(step["run"] for step in steps if step.get("run", "").startswith("msbuild "))
        self.write(re.search(r"^```xml msbuild (\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[2], "Directory.Build.props")
        self.write("[policy]\nmode = reject\n", "hvcifix.ini")
        solution = "Microsoft Visual Studio Solution File, Format Version 12.00\n"
        sections = ""
        for number, (name, defect) in enumerate((("good", ""), ("bad", IAT_IN_CODE))):
            self.project(name, defect, head='<Import Project="Directory.Build.props" />')
            guid = f"{{00000000-0000-0000-0000-00000000000{number}}}"
            solution += (f'Project("{{8BC9CEB8-8B4A-11D0-8D11-00A0C91BC942}}") = "{name}", "{name}.vcxproj", "{guid}"\n'
                         "EndProject\n")
            sections += f"{guid}.Release|x64.ActiveCfg = Release|x64\n{guid}.Release|x64.Build.0 = Release|x64\n"
        self.write(f"{solution}Global\nGlobalSection(SolutionConfigurationPlatforms) = preSolution\nRelease|x64 = Release|x64\n"
                   f"EndGlobalSection\nGlobalSection(ProjectConfigurationPlatforms) = postSolution\n{sections}EndGlobalSection\n"
                   "EndGlobal\n", "drivers.sln")
        build = msbuild(*command.split()[1:], cwd=self.folder)
        self.assertEqual((build.code, build.codes("error")), (1, ["HVCI2005", "HVCI9063"]), build.output[-3000:])
        runs = {path.name: json.loads(path.read_text("utf-8"))["runs"]
                for path in (self.folder / steps[-1]["with"]["sarif_file"]).iterdir()}
        self.assertEqual(sorted(runs), ["bad-Release-x64.sarif", "good-Release-x64.sarif"])
        for name, (run,) in runs.items():
            self.assertTrue(run["automationDetails"]["id"].startswith(name.split("-", maxsplit=1)[0] + "/Release/x64"), run)
        place = runs["bad-Release-x64.sarif"][0]["results"][0]["locations"][0]["physicalLocation"]
        self.assertEqual((place["artifactLocation"]["uri"], place["region"]["startLine"]), ("hvcifix.ini", 1))


class OnWindows(Projects):
    """What the targets write on Windows, run by cmd.exe and hvcifix.exe under Wine."""

    def test_command_line_and_response_file(self):
        if not wine.is_installed():
            self.skipTest("Wine is not installed")
        build = msbuild(self.project(defect=IAT_IN_CODE, properties={"SignMode": "Off", "HvciFixMode": "audit",
                                                                      "HvciFixPolicy": "preset:windows-11"}))
        self.assertEqual((build.code, self.codes_of(self.image())), (0, {"HVCI2005"}), build.output[-3000:])

        # The engine here is told that it is on Windows, and says which command it would run.
        # Wine's cmd.exe does not read a batch file as UTF-8: other letters than ASCII's are in the response file only.
        odd = self.folder.parent / "100% of it, (x86) & more"
        odd.mkdir()
        shutil.copy(BUILD / "hvcifix.exe", odd)
        project = self.write(f"""<Project>
          <PropertyGroup>
            <HvciFixToolPath>{escape(odd)}</HvciFixToolPath>
            <IntDir>{escape(odd)}/</IntDir>
          </PropertyGroup>
          <Import Project="{self.native / 'HvciFix.targets'}" />
          <Target Name="Show" DependsOnTargets="HvciFixArguments">
            <WriteLinesToFile File="command.txt" Lines="$([MSBuild]::Escape('$(_HvciFixCommand)'))" Overwrite="true" />
          </Target>
        </Project>""", "show.proj")
        shown = msbuild(project, "-t:Show", "-p:OS=Windows_NT")
        self.assertEqual(shown.code, 0, shown.output[-3000:])
        command = (self.folder / "command.txt").read_text("utf-8").strip()
        tool_word, file_word = re.fullmatch(r'"([^"]+)" "@([^"]+)"', command).groups()
        self.assertEqual((tool_word, file_word), (f"{odd}/hvcifix.exe".replace("%", "%%"),
                                                  f"{odd}/show.hvcifix.rsp".replace("%", "%%")))

        # Both with paths as they are there, and the mode that repairs.
        original = images.read(self.image())
        arguments = self.side_file("rsp").read_bytes()
        self.assertEqual(arguments[:2], b"\xff\xfe")
        arguments = re.sub(r'"(/[^"]*)"', lambda path: '"' + windows(path[1]) + '"', arguments.decode("utf-16"))
        self.assertIn('--mode "audit"', arguments)
        (odd / "show.hvcifix.rsp").write_bytes(arguments.replace('"audit"', '"fix"').encode("utf-16"))
        batch = odd.parent / "run.cmd"  # as Exec writes one
        batch.write_bytes("\r\n".join(("@echo off", "chcp 65001>nul",
                                       f'"{windows(tool_word)}" "@{windows(file_word)}"', "exit %ERRORLEVEL%", "")).encode())
        programs = wine.Programs()
        programs.begin()
        done = programs.run(programs.command("cmd", "/Q", "/D", "/C", windows(batch)))
        self.assertIn("HVCI2005: cured", done.stdout.decode("utf-8"), done)
        self.assertEqual((done.returncode, self.codes_of(self.image())), (0, set()))

        # A rejection: the exit code reaches who called, the image loses its name.
        self.image().write_bytes(original)
        (odd / "show.hvcifix.rsp").write_bytes(arguments.replace('"audit"', '"reject"').encode("utf-16"))
        done = programs.run(programs.command("cmd", "/Q", "/D", "/C", windows(batch)))
        self.assertIn(b"error HVCI2005: ", done.stdout, done)
        self.assertEqual((done.returncode, self.image().exists(), images.read(self.rejected())), (1, False, original))


def windows(path):
    """As Wine names a path of this system."""
    return "Z:" + str(path).replace("/", "\\")


if __name__ == "__main__":
    unittest.main()
