"""The targets for MSBuild in the real engine: what a build with them leaves behind, in which order, and what it says.

Traps that were seen with the targets of Visual C++ and the WDK have a scenario each.
"""

import json
import os
import re
import shutil

from engine import CLEAN, IAT_IN_CODE, Projects, msbuild, require_engine
from support import images


def setUpModule():
    require_engine()


class Incremental(Projects):
    def test_clean_no_op_source_change(self):
        project = self.project(defect=IAT_IN_CODE, properties={"HvciFixSarif": "out/report.sarif"})
        first = msbuild(project)
        self.assert_shipped(first)
        self.assertIn("HVCI2005: cured", first.output)
        order = ["PreLinkEvent", "HvciFixBeforeLink", "Link", "HvciFixEnforce", "AfterLink", "DriverTestSign", "TestSign",
                 "ApiValidator", "DriverPackageTarget", "Inf2Cat", "PackageTestSign", "_Manifest", "PostBuildEvent"]
        self.assertEqual([name for name in first.targets if name in order], order)
        self.assertEqual(first.warning_count, 0)

        before = self.facts(self.image())
        second = msbuild(project)
        self.assert_shipped(second)
        self.assertIn("HvciFixEnforce", second.targets)
        self.assertEqual((second.did("LINKED"), second.did("SIGNED")), (False, False))
        self.assertEqual(self.facts(self.image()), before)

        source = self.folder / "driver.c"
        source.write_text(source.read_text().replace('"begun"', '"begun anew"'))
        third = msbuild(project)
        self.assert_shipped(third)
        self.assertEqual((third.did("LINKED"), third.did("SIGNED")), (True, True))
        self.assertNotEqual(images.read(self.image()), before[0])

        # The up-to-date check of Visual Studio: UTF-16 with a byte-order mark, only what is there.
        logs = self.folder / "driver" / "x64" / "Release" / "driver.tlog"
        read = (logs / "HvciFix.read.1u.tlog").read_bytes()
        self.assertEqual(read[:2], b"\xff\xfe")
        self.assertEqual(read.decode("utf-16").splitlines(),
                         [f"^{project}".upper(), str(self.native.parents[1] / "tools/linux-x64/hvcifix").upper()])
        written = (logs / "HvciFix.write.1u.tlog").read_bytes().decode("utf-16").splitlines()
        self.assertEqual(written, [f"^{project}".upper(), str(self.folder / "out/report.sarif").upper()])

        # Signing fails: the WDK deletes the image and what it would delete on Clean. The report stays.
        shutil.copy(self.packaged(), self.folder / "kept.sys")
        source.write_text(source.read_text().replace("begun anew", "begun again"))
        failed = msbuild(project, "-p:Certificate=nowhere.pem")
        self.assertNotEqual(failed.code, 0)
        self.assertEqual((self.image().exists(), (self.folder / "out/report.sarif").exists()), (False, True))

        # Rebuild cleans and builds in one go.
        rebuilt = msbuild(project, "-t:Rebuild")
        self.assert_shipped(rebuilt)
        self.assertIn("HVCI2005: cured", rebuilt.output)

        cleaned = msbuild(project, "-t:Clean")
        self.assertEqual(cleaned.code, 0, cleaned.output)
        left = [path for path in self.folder.rglob("*") if "hvcifix" in path.name.lower() or path.suffix == ".sarif"]
        self.assertEqual(left, [])

    def test_policy_tool_and_settings(self):
        base = self.write("[policy]\nname = base\n", "organisation/base.ini")
        policy = self.write("[policy]\ninclude = organisation/base.ini\n", "hvcifix.ini")  # found by itself
        project = self.project(defect=IAT_IN_CODE)
        self.assert_shipped(msbuild(project))
        before = self.facts(self.image())
        self.assertFalse(msbuild(project).did("LINKED"))  # and nothing is forgotten by that

        # An included file changes, and is older than everything: the repair begins anew, with the linker's output.
        base.write_text("[policy]\nname = another base\n")
        os.utime(base, (10**9, 10**9))
        second = msbuild(project)
        self.assert_shipped(second)
        self.assertEqual((second.did("LINKED"), second.did("SIGNED")), (True, True))
        self.assertNotEqual(self.facts(self.image())[1:], before[1:])

        # So does it with another program, and with another setting.
        other = self.folder / "hvcifix"
        shutil.copy(self.native.parents[1] / "tools/linux-x64/hvcifix", other)
        for words in (f"-p:HvciFixToolPath={self.folder}",), (f"-p:HvciFixToolPath={self.folder}", "-p:HvciFixTarget=11"):
            build = msbuild(project, *words)
            self.assert_shipped(build)
            self.assertTrue(build.did("LINKED"))

        # The new policy rejects what the old one let pass, signature or not; then it lets it pass again.
        policy.write_text("[policy]\nmode = reject\n")
        rejected = msbuild(project)
        self.assert_stopped(rejected)
        self.assertEqual(rejected.codes("error"), ["HVCI2005", "HVCI9063"])
        policy.write_text("[policy]\nmode = fix\n")
        self.assert_shipped(msbuild(project))

    def test_a_signed_image_that_passed_and_a_policy_that_forbids_it(self):
        policy = self.write("[rules]\nHVCI2005 = off\n", "policy.ini")
        project = self.project(defect=IAT_IN_CODE, properties={"HvciFixPolicy": "policy.ini"})
        build = msbuild(project)
        self.assertEqual((build.code, self.codes_of(self.image())), (0, {"HVCI2005"}))  # signed as the linker wrote it
        before = self.facts(self.image())
        # A policy that still lets it pass costs no link.
        policy.write_text("[rules]\nHVCI2005 = off\n[policy]\nname = new\n")
        same = msbuild(project)
        self.assertEqual((same.code, same.did("LINKED"), self.facts(self.image())), (0, False, before))
        # One that does not does, and then it can be repaired.
        policy.write_text("[rules]\nHVCI2005 = error\n")
        changed = msbuild(project)
        self.assert_shipped(changed)
        self.assertTrue(changed.did("LINKED"))


class Failures(Projects):
    def test_rejected_again_and_again_then_cured_at_the_source(self):
        project = self.project(defect=CLEAN, properties={"HvciFixMode": "reject"})
        self.assert_shipped(msbuild(project))
        package = self.facts(self.packaged())
        self.project(defect=IAT_IN_CODE, properties={"HvciFixMode": "reject"})
        for _ in range(2):
            build = msbuild(project)
            self.assert_stopped(build)
            self.assertTrue(build.did("LINKED"))
            self.assertTrue(self.rejected().exists())
            self.assertFalse(self.is_signed(self.rejected()))
            self.assertEqual(build.diagnostics("error"), [("driver.sys", "HVCI2005"), ("driver.sys", "HVCI9063")])
            self.assertEqual((build.warning_count, build.error_count), (0, 2))
            # What was packaged before was good, and is as it was.
            self.assertEqual(self.facts(self.packaged()), package)
        self.project(defect=CLEAN, properties={"HvciFixMode": "reject"})
        self.assert_shipped(msbuild(project))

    def test_link_skipped_after_a_failure(self):
        """Who keeps rejected images under their name is told again, and nothing is signed."""
        project = self.project(defect=IAT_IN_CODE, properties={"HvciFixMode": "reject", "HvciFixOnFail": "keep"})
        for linked in (True, False):
            build = msbuild(project)
            self.assertEqual((build.code, build.did("LINKED"), build.did("SIGNED")), (1, linked, False))
            self.assertEqual(build.codes("error"), ["HVCI2005", "HVCI9063"])
            self.assertTrue(self.image().exists() and not self.is_signed(self.image()))
        deleted = msbuild(project, "-p:HvciFixOnFail=delete")
        self.assert_stopped(deleted)
        self.assertFalse(self.rejected().exists())

    def test_continue_on_error(self):
        """Somebody calls the target and goes on whatever it says: there is nothing to sign."""
        tail = """<Target Name="Carelessly" AfterTargets="Link">
          <CallTarget Targets="HvciFixEnforce" ContinueOnError="{0}" />
        </Target>"""
        for word in ("true", "ErrorAndContinue"):
            project = self.project(defect=IAT_IN_CODE, tail=tail.format(word),
                                   properties={"HvciFixMode": "reject", "HvciFixAfterTargets": "NoSuchTarget"})
            build = msbuild(project)
            self.assertNotEqual(build.code, 0)
            self.assertIn("AfterLink", build.targets)
            self.assertIn("HVCI2005", build.codes("error"))
            self.assertEqual([path for path in self.folder.rglob("*.sys")], [])

    def test_nothing_was_judged(self):
        """No program, a policy that is not understood, and warnings that MSBuild takes for errors: not signed either."""
        nowhere = str(self.folder / "nowhere" / "hvcifix")
        policy = self.write("[policy]\nmood = fix\n", "policy.ini")
        (self.folder / "empty").mkdir()
        text = self.write("no program", "hvcifix")
        project = self.project(defect=CLEAN)
        for words, diagnostics in (
                ([f"-p:HvciFixToolPath={nowhere}"], [("driver.vcxproj", "HVCI9060")]),
                (["-p:HvciFixToolPath=empty"], [("driver.vcxproj", "HVCI9060")]),
                ([f"-p:HvciFixToolPath={text}"], [("driver.vcxproj", "HVCI9060")]),
                (["-p:HvciFixPolicy=policy.ini"], [("policy.ini(2,1)", "HVCI9040"), ("driver.sys", "HVCI9063")]),
                (["-p:HvciFixMode=repair"], [("hvcifix", "HVCI9010"), ("driver.sys", "HVCI9063")])):
            with self.subTest(words=words):
                build = msbuild(project, *words)
                self.assert_stopped(build)
                self.assertEqual(build.diagnostics("error"), diagnostics)
                self.assertTrue(self.rejected().exists())
        policy.unlink()
        self.assert_shipped(msbuild(project))

    def test_expired_waiver(self):
        waiver = ("[policy]\nmode = reject\n[waiver \"w\"]\nimage = **/driver.sys\ncode = HVCI2005\nreason = Known.\n"
                  "owner = me\nexpires = {0}\n")
        policy = self.write(waiver.format("9999-12-31"), "hvcifix.ini")
        project = self.project(defect=IAT_IN_CODE)
        allowed = msbuild(project)
        self.assertEqual((allowed.code, allowed.warning_count, self.is_signed(self.image())), (0, 0, True))
        policy.write_text(waiver.format("2020-01-01"))
        expired = msbuild(project)
        self.assert_stopped(expired)
        self.assertEqual(expired.diagnostics("error"),
                         [("hvcifix.ini(3,1)", "HVCI9042"), ("driver.sys", "HVCI2005"), ("driver.sys", "HVCI9063")])

    def test_baseline(self):
        project = self.project(defect=IAT_IN_CODE, properties={"HvciFixMode": "reject"})
        self.assert_stopped(msbuild(project, "-p:HvciFixSarif=known.sarif"))
        known = msbuild(project, "-p:HvciFixBaseline=known.sarif")
        self.assertEqual((known.code, known.error_count, self.is_signed(self.image())), (0, 0, True), known.output[-3000:])
        # When it has the finding no longer, what was signed is judged again, and rejected.
        report = json.loads((self.folder / "known.sarif").read_text("utf-8"))
        report["runs"][0]["results"] = []
        self.write(json.dumps(report), "known.sarif")
        self.assert_stopped(msbuild(project, "-p:HvciFixBaseline=known.sarif"))

    def test_other_images_fail_again(self):
        """Nobody makes them anew, and a pattern does not find them under another name."""
        bought = self.folder / "vendor" / "bought 100%; new.sys"
        bought.parent.mkdir()
        shutil.copy(os.path.join(os.environ["HVCIFIX_FIXTURES"], "all_defects_x64.sys"), bought)
        original = images.read(bought)
        project = self.project(items='<HvciFixImage Include="vendor/*.sys" />', properties={"HvciFixMode": "reject"})
        for words in ([], [], ["-t:Rebuild"], ["-p:HvciFixToolPath=nowhere"], []):
            with self.subTest(words=words):
                build = msbuild(project, *words)
                self.assertEqual((build.code, build.did("SIGNED"), bought.exists()), (1, False, False), build.output[-3000:])
                self.assertEqual("HVCI2005" in build.codes("error"), "nowhere" not in str(words))
        self.assertEqual(msbuild(project, "-t:Clean").code, 0)
        self.assertEqual(images.read(bought), original)
        self.assertEqual([path for path in self.folder.rglob("*") if "hvcifix" in path.name.lower()], [])

    def test_too_late(self):
        """Behind signing there is nothing that can be repaired, and the build says why."""
        project = self.project(defect=IAT_IN_CODE, properties={"HvciFixAfterTargets": "DriverTestSign"})
        build = msbuild(project)
        self.assertNotEqual(build.code, 0)
        self.assertEqual(build.codes("error"), ["HVCI2005", "HVCI9020", "HVCI9062"])
        self.assertFalse(self.image().exists())
        self.assertNotIn("DriverPackageTarget", build.targets)
        # AfterLink is too late, too: what a package hangs there comes behind what the WDK hangs there.
        behind = msbuild(project, "-p:HvciFixAfterTargets=AfterLink")
        self.assertEqual((behind.codes("error"), self.image().exists()), (["HVCI2005", "HVCI9020", "HVCI9062"], False))
        self.project(defect=CLEAN, properties={"HvciFixAfterTargets": "DriverTestSign"})
        self.assert_shipped(msbuild(project))  # what needs no change may be judged late
        never = msbuild(project, "-p:HvciFixAfterTargets=Lnik")
        self.assertEqual((never.code, never.diagnostics("error")), (1, [("driver.vcxproj", "HVCI9063")]))

    def test_the_linker_writes_another_file(self):
        project = self.project(defect=IAT_IN_CODE, properties={"LinkOutput": "$(OutDir)other.sys"})
        build = msbuild(project)
        self.assert_stopped(build)
        self.assertEqual((build.codes("error"), build.codes("warning")), (["HVCI9061"], ["MSB8012"]))


class Settings(Projects):
    def test_audit(self):
        project = self.project(defect=IAT_IN_CODE, properties={"HvciFixMode": "audit"})
        build = msbuild(project)  # what would be repaired stops nothing, and is not repaired
        self.assertEqual((build.code, build.warning_count, build.error_count), (0, 0, 0), build.output[-3000:])
        self.assertIn("would be repaired", build.output)
        self.assertEqual((self.codes_of(self.image()), self.is_signed(self.image())), ({"HVCI2005"}, True))
        self.write("[fix]\nHVCI2005 = never\n", "hvcifix.ini")
        before = self.facts(self.image())
        build = msbuild(project, f"-bl:{self.folder / 'log.binlog'}")
        self.assertEqual((build.code, build.warning_count, build.error_count), (0, 1, 0), build.output[-3000:])
        self.assertEqual(build.diagnostics("warning"), [("driver.sys", "HVCI2005")])
        self.assertEqual(self.facts(self.image()), before)
        replayed = msbuild(self.folder / "log.binlog")  # the binary log tells the same
        self.assertEqual((replayed.warning_count, replayed.error_count), (1, 0), replayed.output[-3000:])
        self.assertIn("driver.hvcifix.rsp", replayed.output)

        # MSBuild's own switches know the codes.
        for words, code, counts in (
                (["-p:MSBuildWarningsAsMessages=HVCI2005"], 0, (0, 0)),
                (["-p:MSBuildTreatWarningsAsErrors=true", "-p:MSBuildWarningsNotAsErrors=HVCI2005"], 0, (1, 0))):
            build = msbuild(project, *words)
            self.assertEqual((build.code, (build.warning_count, build.error_count)), (code, counts), words)

    def test_warnings_as_errors(self):
        self.write("[policy]\nmode = fix\n[rules]\nHVCI2005 = warning\n[fix]\nHVCI2005 = never\n", "hvcifix.ini")
        project = self.project(defect=IAT_IN_CODE)
        build = msbuild(project)
        self.assertEqual((build.code, build.warning_count, self.is_signed(self.image())), (0, 1, True))
        for words in (["-p:MSBuildTreatWarningsAsErrors=true"], ["-p:MSBuildWarningsAsErrors=HVCI2005"],
                      ["-p:HvciFixTreatWarningsAsErrors=true"]):
            with self.subTest(words=words):
                build = msbuild(project, *words)
                self.assert_stopped(build)
                self.assertIn("HVCI2005", build.codes("error"))
                self.assertEqual(build.warning_count, 0)
                self.assertTrue(self.rejected().exists())

    def test_who_is_not_touched(self):
        """Many builds in one run of the engine: each has folders of its own, and none but the last two is enforced."""
        rows = [("HvciFixEnabled=false", "Build"), ("PlatformToolset=WindowsUserModeDriver10.0", "Build"),
                ("ConfigurationType=Application;PlatformToolset=v143", "Build"),
                ("ConfigurationType=DynamicLibrary;PlatformToolset=v143", "Build"),
                ("ConfigurationType=StaticLibrary;HvciFixEnabled=true", "Build"), ("DesignTimeBuild=true", "Build"),
                ("SelectedFiles=driver.c", "SelectedCompile"), ("Unlinked=1", "Link"),
                ("ConfigurationType=DynamicLibrary", "Build"),
                ("ConfigurationType=Application;PlatformToolset=v143;HvciFixEnabled=true", "Build")]
        self.project(defect=IAT_IN_CODE, properties={"HvciFixMode": "audit"})
        calls = "\n".join(
            f'<MSBuild Projects="driver.vcxproj" Targets="{target}" Properties="{words};IntDir={n}/;OutDir={n}/out/" />'
            for n, (words, target) in enumerate(rows))
        build = msbuild(self.write(f'<Project><Target Name="Build">{calls}</Target></Project>', "all.proj"))
        self.assertEqual((build.code, build.error_count), (0, 0), build.output[-3000:])
        judged = [(self.folder / str(n) / "driver.hvcifix.state").exists() for n in range(len(rows))]
        self.assertEqual(judged, [False] * (len(rows) - 2) + [True] * 2)
        self.assertEqual(build.targets.count("HvciFixEnforce"), 2)

    def test_values(self):
        """Each property is set only where it is empty; the oldest Windows comes from the WDK's name of it."""
        rows = [("TargetVersion=Windows7", "7 fix"), ("TargetVersion=Windows8", "8 fix"),
                ("TargetVersion=WindowsV6.3", "8.1 fix"), ("TargetVersion=Windows10", "1507 fix"),
                ("TargetVersion=Windows11", "11 fix"), ("TargetVersion=Unheard", " fix"),
                ("TargetVersion=Windows7;HvciFixTarget=1809;HvciFixMode=audit", "1809 audit"),
                ("HvciFixPolicy=preset:whcp", " ")]  # a policy says the mode itself
        self.project(tail='<Target Name="Show"><Message Importance="high" Text="VALUES $(HvciFixTarget) $(HvciFixMode)." />'
                          "</Target>")
        calls = "".join(f'<MSBuild Projects="driver.vcxproj" Targets="Show" Properties="{words}" />' for words, _ in rows)
        build = msbuild(self.write(f'<Project><Target Name="Build">{calls}</Target></Project>', "all.proj"))
        self.assertEqual(re.findall(r"VALUES (.*)\.", build.output), [values for _, values in rows])

    def test_switches_that_say_neither(self):
        """`1`, which MSBuild does not read as true, must not mean that nobody looks."""
        for name, value in (("HvciFixEnabled", "1"), ("HvciFixTreatWarningsAsErrors", "all")):
            build = msbuild(self.project(defect=IAT_IN_CODE, properties={name: value}))
            self.assert_stopped(build)
            self.assertEqual(build.diagnostics("error"), [("driver.vcxproj", "HVCI9063")])
            self.assertIn(f"{name} is '{value}'", build.output)

    def test_set_behind_the_import(self):
        """As Directory.Build.targets does it where NuGet imports the package before."""
        self.write("[policy]\nmode = reject\n", "late.ini")
        values = {"HvciFixEnabled": "true", "HvciFixPolicy": "late.ini", "HvciFixTarget": "7"}
        project = self.project(
            defect=IAT_IN_CODE, properties={"TargetVersion": "Windows10", "PlatformToolset": "v143",
                                            "ConfigurationType": "Application"},
            tail=f"<PropertyGroup>{''.join(f'<{key}>{value}</{key}>' for key, value in values.items())}</PropertyGroup>")
        self.assert_stopped(msbuild(project))
        arguments = self.side_file("rsp").read_bytes().decode("utf-16")
        self.assertIn('--target "7"', arguments)
        self.assertNotIn("--mode", arguments)  # the policy says it
        self.project(defect=IAT_IN_CODE, tail="<PropertyGroup><HvciFixEnabled>false</HvciFixEnabled></PropertyGroup>")
        self.assertNotIn("HvciFixEnforce", msbuild(project).targets)

    def test_more_images_and_two_projects_at_once(self):
        extra = self.folder / "more; files" / "extra 100%.sys"
        extra.parent.mkdir()
        shutil.copy(os.path.join(os.environ["HVCIFIX_FIXTURES"], "all_defects_x64.sys"), extra)
        self.project("one", IAT_IN_CODE, tail="""<Target Name="Made" AfterTargets="Link" BeforeTargets="HvciFixEnforce">
          <ItemGroup><HvciFixImage Include="more%3b files/*.sys" /></ItemGroup></Target>""")
        self.project("two", IAT_IN_CODE)
        solution = self.write('<Project><Target Name="Build"><MSBuild Projects="one.vcxproj;two.vcxproj" '
                              'BuildInParallel="true" /></Target></Project>', "all.proj")
        build = msbuild(solution, "-m:2")
        for name in ("one", "two"):
            self.assert_shipped(build, name)
        self.assertEqual(self.codes_of(extra), set())


