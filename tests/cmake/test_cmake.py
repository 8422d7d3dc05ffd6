"""cmake-module: drivers built with CMake, enforced behind the linker, signed, and started under Wine."""

import json
import os
import pathlib
import re
import shutil
import unittest

from support import cmake_project, wine
from support.cmake_project import CLEAN, DEFECT, GENERATORS, MODULE, SAMPLE, rights

VARIANTS = ("plain",)
# A function as driver projects have it: flags of the linker on an executable, signing behind the link.
PROJECT = """
cmake_minimum_required(VERSION 3.20...4.0)
project(drivers LANGUAGES C)
find_package(HvciFix 0.1 CONFIG REQUIRED)
find_program(OSSLSIGNCODE osslsigncode REQUIRED)

function(demo_add_driver name)
  add_executable(${name} ${ARGN})
  string(REPLACE ";" " " flags "${DRIVER_LINK_OPTIONS}")
  set_target_properties(${name} PROPERTIES SUFFIX .sys LINK_FLAGS "${flags}")
  target_include_directories(${name} PRIVATE ${DDK_INCLUDE_DIR})
  target_link_libraries(${name} PRIVATE ntoskrnl)
  if(SIGN_FIRST)
    demo_sign(${name})
  endif()
  hvcifix_enforce(${name} POLICY "policy files/top.ini" REPORT "reports/{target}.sarif" {target}.json.gz)
  if(NOT SIGN_FIRST)
    demo_sign(${name})
  endif()
endfunction()

function(demo_sign name)
  add_custom_command(TARGET ${name} POST_BUILD
    COMMAND ${OSSLSIGNCODE} sign -certs ${KEYS}/cert.pem -key ${KEYS}/key.pem -h sha256
      -in $<TARGET_FILE:${name}> -out $<TARGET_FILE:${name}>.signed
    COMMAND ${CMAKE_COMMAND} -E rename $<TARGET_FILE:${name}>.signed $<TARGET_FILE:${name}> VERBATIM)
endfunction()

demo_add_driver(demo driver.c)
"""


class Builds(cmake_project.CMakeCase):
    def write_project(self, source=DEFECT):
        (self.folder / "CMakeLists.txt").write_text(PROJECT)
        (self.folder / "driver.c").write_text(source)
        (self.folder / "policy files").mkdir()
        (self.folder / "policy files" / "top.ini").write_text("[policy]\ninclude = base.ini ; of all\n")
        self.write_policy("fix")

    def write_policy(self, mode):
        (self.folder / "policy files" / "base.ini").write_text(f"[policy]\nmode = {mode}\n")

    def life(self, generator):
        """One project from its first build to its cure at the source."""
        self.write_project()
        self.configure(generator, f"-DKEYS={self.home}")
        multi = generator == "Ninja Multi-Config"
        where = self.folder / "b" / ("Debug" if multi else "")
        image, rejected = where / "demo.sys", where / "demo.sys.rejected"

        said = self.build()
        self.assertIn("HVCI2003: cured", said)
        self.assertEqual(rights(image).get(".wx"), False)
        self.verify_signature(image)
        reports = [where / "reports" / "demo.sarif", where / "demo.json.gz"]
        self.assertEqual([path for path in reports if not path.exists()], [])
        self.assertEqual(json.loads(reports[0].read_text())["version"], "2.1.0")

        before = image.stat().st_mtime_ns, image.read_bytes()
        said = self.build()
        self.assertEqual((image.stat().st_mtime_ns, image.read_bytes()), before)
        self.assertNotIn("Linking", said)
        self.assertNotIn("HVCI", said)

        # The file that the policy includes has become stricter: linked again, rejected, and again in the next build.
        self.write_policy("reject")
        for _ in range(2):
            said = self.build(expect=1)
            self.assertIn("error HVCI2003", said)
            self.assertFalse(image.exists())
            self.assertTrue(rejected.exists())
            self.assertNotIn("Succeeded", said)  # osslsigncode
        self.verify_signature(rejected, expect=False)

        (self.folder / "driver.c").write_text(CLEAN)
        self.build()
        self.assertNotIn(".wx", rights(image))
        self.assertFalse(rejected.exists())
        self.verify_signature(image)
        self.build("--target", "clean")
        self.assertEqual(sorted(path.name for path in where.glob("demo.sys*")), [])

    def test_ninja(self):
        self.life("Ninja")

    def test_ninja_multi_config(self):
        self.life("Ninja Multi-Config")
        (self.folder / "driver.c").write_text(DEFECT)
        self.write_policy("audit")
        self.build("--config", "Release")
        self.assertTrue((self.folder / "b" / "Release" / "reports" / "demo.sarif").exists())
        self.assertEqual(rights(self.folder / "b" / "Release" / "demo.sys").get(".wx"), True)

    def test_makefiles(self):
        self.life("Unix Makefiles")

    def test_new_tool(self):
        self.write_project(CLEAN)
        self.configure("Ninja", f"-DKEYS={self.home}", f"-DHVCIFIX_EXECUTABLE={self.tool}")
        self.build()
        os.utime(self.tool)
        self.assertIn("Linking", self.build())

    def test_signed_too_early(self):
        """A command that signs in front of the check is an error that says so, and the next build fails again."""
        self.write_project()
        self.configure("Ninja", f"-DKEYS={self.home}", "-DSIGN_FIRST=ON")
        for _ in range(2):
            said = self.build(expect=1)
            self.assertIn("error HVCI9020", said)
            self.assertFalse((self.folder / "b" / "demo.sys").exists())

    def test_kept_image_fails_again(self):
        self.write_project()
        text = PROJECT.replace("REPORT", "MODE reject ON_FAIL keep REPORT")
        (self.folder / "CMakeLists.txt").write_text(text)
        for generator in ("Ninja", "Unix Makefiles"):
            self.configure(generator, f"-DKEYS={self.home}", build=generator)
            for _ in range(2):
                self.assertIn("error HVCI2003", self.build(expect=1, build=generator))

    def test_launcher(self):
        """The linker wrapper as CMake's linker launcher: no call for each target."""
        self.write_project()
        text = PROJECT.replace("  hvcifix_enforce", "  # hvcifix_enforce")
        (self.folder / "CMakeLists.txt").write_text(text)
        launcher = f"{self.tool};link;--mode;fix;--"
        for generator in GENERATORS:
            self.configure(generator, f"-DKEYS={self.home}", f"-DCMAKE_C_LINKER_LAUNCHER={launcher}", build=generator)
            self.assertIn("HVCI2003: cured", self.build(build=generator))
            image = next((self.folder / generator).glob("**/demo.sys"))
            self.assertEqual(rights(image).get(".wx"), False)
            self.verify_signature(image)


class OneFile(cmake_project.CMakeCase):
    def test_copied_module_and_defaults(self):
        """HvciFix.cmake alone, properties that variables initialise, several targets, a shared library and a module."""
        (self.folder / "cmake").mkdir()
        shutil.copy(MODULE / "HvciFix.cmake", self.folder / "cmake")
        (self.folder / "d.c").write_text(DEFECT)
        (self.folder / "sub").mkdir()
        (self.folder / "sub" / "policy.ini").write_text("[policy]\nmode = reject\n")
        (self.folder / "sub" / "CMakeLists.txt").write_text("""
include(HvciFix)
add_library(three SHARED ../d.c)
hvcifix_enforce(three POLICY policy.ini MODE audit ON_FAIL delete)
""")
        (self.folder / "CMakeLists.txt").write_text("""
cmake_minimum_required(VERSION 3.20...4.0)
project(p LANGUAGES C)
list(APPEND CMAKE_MODULE_PATH ${CMAKE_SOURCE_DIR}/cmake)
include(HvciFix)
include(HvciFix)
set(HVCIFIX_POLICY sub/policy.ini)
set(HVCIFIX_OLDEST_WINDOWS 11)
include_directories(${DDK_INCLUDE_DIR})
link_libraries(ntoskrnl)
add_link_options(${DRIVER_LINK_OPTIONS})
add_executable(one d.c)
add_library(two MODULE d.c)
set_target_properties(two PROPERTIES HVCIFIX_MODE audit)
add_executable(alias::one ALIAS one)
hvcifix_enforce(alias::one two MODE audit REPORT {target}.json)
add_subdirectory(sub)
get_target_property(found one HVCIFIX_POLICY)
message(STATUS "property ${found}")
""")
        done = self.configure("Ninja", f"-DHVCIFIX_EXECUTABLE={self.tool}")
        self.assertIn("property sub/policy.ini", done.stdout)
        said = self.build()
        self.assertEqual(said.count("would be repaired"), 3, said)
        for name in ("one", "two"):
            report = json.loads((self.folder / "b" / f"{name}.json").read_text())["images"][0]
            self.assertEqual(report["target"], "11")

    def test_variables_that_initialise_nothing(self):
        """Those of CMake before 3.23, and those that are set behind add_executable(): the call reads them."""
        (self.folder / "d.c").write_text(DEFECT)
        (self.folder / "p.ini").write_text("[policy]\nmode = audit\n")
        text = f"""
cmake_minimum_required(VERSION 3.20)
project(p LANGUAGES C)
set(CMAKE_VERSION 3.20.6)
include({MODULE}/HvciFix.cmake)
include_directories(${{DDK_INCLUDE_DIR}})
link_libraries(ntoskrnl)
add_link_options(${{DRIVER_LINK_OPTIONS}})
set(HVCIFIX_POLICY p.ini)
add_executable(one d.c)
hvcifix_enforce(one)
"""
        behind = re.sub(r"(set\(CMAKE_VERSION.*)\n", "", text).replace("set(HVCIFIX_POLICY p.ini)\n", "")
        behind = behind.replace("hvcifix_enforce", "set(HVCIFIX_POLICY p.ini)\nhvcifix_enforce")
        for name, content in ("old", text), ("behind", behind):
            (self.folder / "CMakeLists.txt").write_text(content)
            self.configure("Ninja", f"-DHVCIFIX_EXECUTABLE={self.tool}", build=name)
            self.assertIn("audit: nothing was changed", self.build(build=name))

    def test_program_on_the_path(self):
        (self.folder / "CMakeLists.txt").write_text(f"""
cmake_minimum_required(VERSION 3.20)
project(p LANGUAGES NONE)
include({MODULE}/HvciFix.cmake)
get_target_property(program HvciFix::hvcifix IMPORTED_LOCATION)
message(STATUS "program ${{program}}")
""")
        (self.folder / "bin").mkdir()
        shutil.copy(self.tool, self.folder / "bin")
        environment = dict(os.environ, PATH=f"{self.folder}/bin:{os.environ['PATH']}")
        done = cmake_project.subprocess.run(["cmake", "-S", ".", "-B", "b"], cwd=self.folder, env=environment, text=True,
                                            capture_output=True, check=True)
        self.assertIn(f"program {self.folder}/bin/hvcifix", done.stdout)


class Tests(cmake_project.CMakeCase):
    def test_images_that_are_built_elsewhere(self):
        fixtures = pathlib.Path(os.environ["HVCIFIX_FIXTURES"])
        (self.folder / "vendor").mkdir()
        for name in ("clean_x64", "all_defects_x64"):
            shutil.copy(fixtures / f"{name}.sys", self.folder / "vendor")
        (self.folder / "CMakeLists.txt").write_text("""
cmake_minimum_required(VERSION 3.20)
project(p LANGUAGES NONE)
enable_testing()
find_package(HvciFix CONFIG REQUIRED)
hvcifix_check(vendor/clean_x64.sys "${CMAKE_SOURCE_DIR}/vendor/all_defects_x64.sys" POLICY preset:windows-11
  OLDEST_WINDOWS 1607 OPTIONS --no-code)
""")
        self.configure("Ninja")
        done = cmake_project.subprocess.run(["ctest", "--test-dir", "b", "--output-on-failure"], cwd=self.folder, text=True,
                                            capture_output=True, check=False)
        self.assertRegex(done.stdout, r"hvcifix_check.clean_x64.sys \.+ +Passed")
        self.assertRegex(done.stdout, r"hvcifix_check.all_defects_x64.sys \.+\*+Failed")
        self.assertIn("error HVCI2003", done.stdout)


class Mistakes(cmake_project.CMakeCase):
    HEAD = """
cmake_minimum_required(VERSION 3.20)
project(p LANGUAGES NONE)
find_package(HvciFix CONFIG REQUIRED)
add_executable(t t.c)
add_library(s STATIC t.c)
add_library(i INTERFACE)
add_executable(x IMPORTED)
add_executable(u t.c)
"""
    # What stands in the file, and what the error says to do.
    CASES = [
        ("hvcifix_enforce()", "needs at least one name"),
        ("hvcifix_enforce(t POLCY x.ini)", 'there is no target "POLCY". Targets come first, then the keywords POLICY'),
        ("hvcifix_enforce(t POLICY)", "a value is missing behind POLICY"),
        ("hvcifix_enforce(t POLICY absent.ini)", "hvcifix policy init --output"),
        ("hvcifix_enforce(t POLICY $<CONFIG>.ini)", "no generator expression"),
        ("hvcifix_enforce(t POLICY preset:nix)", "POLICY preset:nix is no preset"),
        ("hvcifix_enforce(t MODE repair)", "MODE is one of audit, fix, reject"),
        ("hvcifix_enforce(t ON_FAIL burn)", "ON_FAIL is one of rename, delete, keep"),
        ("hvcifix_enforce(t OLDEST_WINDOWS 95)", "is no Windows release that is known here"),
        ("hvcifix_enforce(t OPTIONS --colour)", '"--colour" is no option'),
        ("hvcifix_enforce(t BASELINE old.sarif)", "there is no file"),
        ("hvcifix_enforce(t u REPORT r.sarif)", "Write {target} into its"),
        ("hvcifix_enforce(t REPORT $<TARGET_NAME>.sarif)", "no other generator"),
        ("hvcifix_enforce(s)", "is no image but STATIC_LIBRARY"),
        ("hvcifix_enforce(i)", "is no image but INTERFACE_LIBRARY"),
        ("hvcifix_enforce(x)", "Use hvcifix_check(<file>)"),
        ("hvcifix_enforce(t)\nhvcifix_enforce(t)", "is enforced already"),
        ("add_subdirectory(sub)\nhvcifix_enforce(inner)", "sub/CMakeLists.txt"),
        ("hvcifix_check(t.sys)", "Call enable_testing()"),
        ("enable_testing()\nhvcifix_check(t.sys a/t.sys)", "already"),
        ("enable_testing()\nhvcifix_check(t.sys OPTIONS --mode fix)", "--mode is no option of check"),
        ("set(CMAKE_GENERATOR \"Visual Studio 17 2022\")\nhvcifix_enforce(t)", "HVCIFIX_MSBUILD_DIR"),
    ]

    def test_wrong_arguments(self):
        (self.folder / "t.c").write_text("")
        (self.folder / "sub").mkdir()
        (self.folder / "sub" / "CMakeLists.txt").write_text("add_executable(inner ../t.c)\n")
        for text, cure in self.CASES:
            with self.subTest(text=text):
                (self.folder / "CMakeLists.txt").write_text(self.HEAD + text + "\n")
                shutil.rmtree(self.folder / "b", ignore_errors=True)
                done = self.cmake("-S", ".", "-B", "b", f"-DHvciFix_DIR={self.package}")
                said = " ".join(done.stderr.split())
                self.assertNotEqual(done.returncode, 0, said)
                self.assertIn(cure, said)

    def test_absolute_report_of_all_configurations(self):
        (self.folder / "t.c").write_text("")
        (self.folder / "CMakeLists.txt").write_text(self.HEAD + "hvcifix_enforce(t REPORT /tmp/r.sarif)\n")
        done = self.cmake("-G", "Ninja Multi-Config", "-S", ".", "-B", "b", f"-DHvciFix_DIR={self.package}")
        self.assertIn("Write $<CONFIG> into it", " ".join(done.stderr.split()))

    def test_packages_that_do_not_fit(self):
        for words, cure in (("9.0", "version: 0.1.0"), ("0.0.9", "version: 0.1.0"), ("0.1.9", "version: 0.1.0")):
            (self.folder / "CMakeLists.txt").write_text(
                f"cmake_minimum_required(VERSION 3.20)\nproject(p LANGUAGES NONE)\nfind_package(HvciFix {words} CONFIG REQUIRED)\n")
            done = self.cmake("-S", ".", "-B", "b" + words, f"-DCMAKE_PREFIX_PATH={self.prefix}")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(cure, " ".join(done.stderr.split()))
        for words in ("0.1", "0.1.0 EXACT", "0.1...<2", ""):
            (self.folder / "CMakeLists.txt").write_text(
                f"cmake_minimum_required(VERSION 3.20)\nproject(p LANGUAGES NONE)\nfind_package(HvciFix {words} CONFIG REQUIRED)\n")
            done = self.cmake("-S", ".", "-B", "b", f"-DCMAKE_PREFIX_PATH={self.prefix}")
            self.assertEqual(done.returncode, 0, (words, done.stderr))

    def test_without_the_program(self):
        shutil.copytree(self.package, self.folder / "share" / "cmake" / "HvciFix")
        (self.folder / "CMakeLists.txt").write_text(self.HEAD)
        done = self.cmake("-S", ".", "-B", "b", f"-DHvciFix_DIR={self.folder}/share/cmake/HvciFix")
        self.assertIn("HVCIFIX_EXECUTABLE can name another", " ".join(done.stderr.split()))
        (self.folder / "CMakeLists.txt").write_text(self.HEAD.replace("find_package(HvciFix CONFIG REQUIRED)",
                                                                      f"include({MODULE}/HvciFix.cmake)"))
        for name in ("bin/hvcifix", self.tool.parent, self.folder / "absent"):  # not in full, a folder, not there
            done = self.cmake("-S", ".", "-B", "b", f"-DHVCIFIX_EXECUTABLE={name}")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("Set it to the program itself, with its full path", " ".join(done.stderr.split()))


class VisualStudio(cmake_project.CMakeCase):
    def test_the_project_imports_the_msbuild_files(self):
        """There the driver kit signs before any POST_BUILD command. The generator runs on Windows only; what it is asked
        to write into the project is looked at."""
        msbuild = cmake_project.SOURCE / "msbuild" / "build" / "native"
        known = (msbuild / "HvciFix.targets").read_text()
        (self.folder / "p.ini").write_text("[policy]\n")
        (self.folder / "CMakeLists.txt").write_text(Mistakes.HEAD + """
set(CMAKE_GENERATOR "Visual Studio 17 2022")
hvcifix_enforce(t POLICY p.ini MODE reject OLDEST_WINDOWS 1607 REPORT a.sarif $<CONFIG>/b.html ON_FAIL delete OPTIONS --quiet)
foreach(name VS_PROJECT_IMPORT VS_GLOBAL_HvciFixEnabled VS_GLOBAL_HvciFixPolicy VS_GLOBAL_HvciFixMode VS_GLOBAL_HvciFixTarget
    VS_GLOBAL_HvciFixOnFail VS_GLOBAL_HvciFixReport VS_GLOBAL_HvciFixAdditionalOptions VS_GLOBAL_HvciFixToolPath)
  get_target_property(value t ${name})
  message(STATUS "${name}=${value}")
endforeach()
""")
        done = self.cmake("-S", ".", "-B", "b", f"-DHvciFix_DIR={self.package}", f"-DHVCIFIX_MSBUILD_DIR={msbuild}")
        folder, build = self.folder, self.folder / "b"
        for line in (f"VS_PROJECT_IMPORT={msbuild}/HvciFix.props;{msbuild}/HvciFix.targets", "VS_GLOBAL_HvciFixEnabled=true",
                     f"VS_GLOBAL_HvciFixPolicy={folder}/p.ini", "VS_GLOBAL_HvciFixMode=reject",
                     "VS_GLOBAL_HvciFixTarget=1607", "VS_GLOBAL_HvciFixOnFail=delete", 
                     f"VS_GLOBAL_HvciFixReport={build}/a.sarif;{build}/$(Configuration)/b.html",
                     'VS_GLOBAL_HvciFixAdditionalOptions="--quiet"',
                     f"VS_GLOBAL_HvciFixToolPath={self.tool}"):
            self.assertIn(f"-- {line}\n", done.stdout)
            self.assertIn(f"$({line.partition('=')[0].removeprefix('VS_GLOBAL_')})" if "GLOBAL" in line else "<Project", known)


class OwnWine(wine.Wine):
    """In a prefix of its own: other tests end the server of theirs."""

    def __init__(self):
        super().__init__()
        self.prefix = self.prefix.parent / "wine-cmake"
        self.environment["WINEPREFIX"] = str(self.prefix)


@unittest.skipUnless(wine.is_installed(), "Wine is not installed")
class Samples(cmake_project.CMakeCase):
    def test_samples_are_built_enforced_signed_and_start(self):
        system = OwnWine()
        system.prepare()
        self.addCleanup(system.stop)
        shutil.copytree(SAMPLE, self.folder / "sample")
        text = (self.folder / "sample" / "CMakeLists.txt").read_text()
        self.assertEqual([line.rpartition("# ")[2] for line in text.splitlines() if "# added" in line],
                         [f"added: {number} of 3" for number in (1, 2, 3)])
        # The sample itself is clean; with a defect it is repaired, and starts all the same.
        source = self.folder / "sample" / "driver.c"
        for name, defect in (("mingw-w64", False), ("clang-cl", True), ("mingw-w64", True)):
            with self.subTest(toolchain=name, defect=defect):
                source.write_text(DEFECT if defect else (SAMPLE / "driver.c").read_text())
                build = f"{name}-{defect}"
                self.configure("Ninja", f"-DCMAKE_TOOLCHAIN_FILE={SAMPLE / (name + '.cmake')}", source="sample", build=build)
                said = self.build(build=build)
                self.assertIn("1 fixed" if defect else "1 clean", said)
                image, signed = self.folder / build / "sample.sys", self.folder / build / "signed.sys"
                cmake_project.subprocess.run(["osslsigncode", "sign", "-certs", self.home / "cert.pem", "-key",
                                              self.home / "key.pem", "-in", image, "-out", signed], check=True,
                                             capture_output=True)
                self.verify_signature(signed)
                lines = system.load(signed, 1)[0].splitlines()
                self.assertEqual(lines[0], "start 0", lines)
                self.assertIn("stop 0, then stopped", lines)


if __name__ == "__main__":
    unittest.main()
