"""Projects for MSBuild's real engine (`dotnet msbuild`), and what a build of them did.

A project is a driver of one source file. It imports imitation/ in place of Visual C++ and the WDK, and the package as
`make nuget` has packed it, unpacked as NuGet unpacks it for packages.config.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import zipfile

from support import images, tool

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("HVCIFIX_BUILD", "build")).resolve()
NAMESPACE = "ä 驱动 driver's"  # every project lies in a folder with such a name
ENVIRONMENT = {"MSBUILDDISABLENODEREUSE": "1", "DOTNET_CLI_TELEMETRY_OPTOUT": "1", "DOTNET_NOLOGO": "1",
               "DOTNET_CLI_UI_LANGUAGE": "en", "DOTNET_SKIP_FIRST_TIME_EXPERIENCE": "1"}
CLEAN = ""
IAT_IN_CODE = "/merge:.rdata=.text"  # HVCI2005, which is repaired
CONFIG = {
    "Clang": "clang-19 --target=x86_64-w64-windows-gnu -O2 -ffreestanding",
    "Linker": "lld-link-19 /driver /subsystem:native /entry:DriverEntry /nodefaultlib",
    "Lib": "llvm-lib-19",
}


def require_engine():
    """Raises SkipTest, said aloud, where there is no .NET SDK: Debian has no package of it."""
    if not shutil.which("dotnet"):
        raise unittest.SkipTest("there is no .NET SDK (dotnet), so the targets for MSBuild are NOT tested here")


def package():
    found = sorted((BUILD / "nuget").glob("HvciFix.*.nupkg"))
    if not found:
        raise AssertionError(f"there is no package in {BUILD / 'nuget'}: make nuget")
    return found[-1]


class Build:
    """One run of the engine."""

    def __init__(self, done):
        self.code = done.returncode
        self.output = done.stdout.decode("utf-8", "replace")
        # The targets in the order in which they began.
        self.targets = re.findall(r'^\s*(?:\d+>)?Target "([^"]+)" in file', self.output, re.MULTILINE)
        summary = self.output.rsplit("\nBuild ", 1)[-1]
        counts = re.search(r"(\d+) Warning\(s\)\s+(\d+) Error\(s\)", summary)
        self.warning_count, self.error_count = (int(counts[1]), int(counts[2])) if counts else (None, None)
        self.summary = summary.splitlines()

    def diagnostics(self, category):
        """[(file with line, code)] as the engine's own summary lists them."""
        found = []
        for line in self.summary:
            match = re.match(rf"\s*(?:\d+>)?(.*?)\s*: {category} ([^:]*): ", line)
            if match and (os.path.basename(match[1]), match[2]) not in found:
                found.append((os.path.basename(match[1]), match[2]))
        return found

    def codes(self, category):
        return sorted({code for _, code in self.diagnostics(category)})

    def did(self, word):
        """Did LINKED, SIGNED or PACKAGED happen?"""
        return re.search(rf"^\s*(?:\d+>)?{word}$", self.output, re.MULTILINE) is not None


def msbuild(*arguments, environment=None, cwd=None):
    command = ["dotnet", "msbuild", "-nologo", "-nodeReuse:false", "-tl:off",
               "-clp:Verbosity=detailed;Summary;DisableConsoleColor", *map(str, arguments)]
    if not any(word.startswith("-m") for word in command[2:]):
        command.append("-m:1")
    done = subprocess.run(command, env=dict(os.environ, **ENVIRONMENT, **(environment or {})), cwd=cwd,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
                          check=False)
    return Build(done)


class Projects(unittest.TestCase):
    """A folder of projects; what is the same for all is made once."""

    @classmethod
    def setUpClass(cls):
        cls.shared = pathlib.Path(tempfile.mkdtemp(prefix="hvcifix-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.shared)
        cls.package_folder = cls.shared / "packages" / "HvciFix"
        with zipfile.ZipFile(package()) as archive:
            archive.extractall(cls.package_folder)
        os.chmod(cls.package_folder / "tools" / "linux-x64" / "hvcifix", 0o755)  # as NuGet does
        cls.native = cls.package_folder / "build" / "native"
        cls.certificate, cls.key = cls.shared / "certificate.pem", cls.shared / "key.pem"
        for command in (
                ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", cls.key, "-out", cls.certificate,
                 "-days", "3650", "-subj", "/CN=throw-away", "-addext", "extendedKeyUsage=codeSigning"],
                ["llvm-dlltool-19", "-m", "i386:x86-64", "-d", "kernel.def", "-l", "kernel.lib"]):
            (cls.shared / "kernel.def").write_text("LIBRARY ntoskrnl.exe\nEXPORTS\nDbgPrint\n")
            subprocess.run(list(map(str, command)), cwd=cls.shared, stdin=subprocess.DEVNULL, capture_output=True,
                           check=True)

    def setUp(self):
        root = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, root)
        self.folder = pathlib.Path(root) / NAMESPACE
        self.folder.mkdir()

    def write(self, text, name):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def project(self, name="driver", defect=CLEAN, properties=None, items="", imports=True, head="", tail=""):
        """Writes NAME.vcxproj. `properties` are set in the project's body, as a project sets them."""
        (self.folder / f"{name}.c").write_bytes((HERE / "driver.c").read_bytes())
        values = dict(CONFIG, LinkOptions=defect, LinkLibraries=f'"{self.shared / "kernel.lib"}"',
                      Certificate=self.certificate, CertificateKey=self.key, **(properties or {}))
        body = "\n".join(f"    <{key}>{escape(value)}</{key}>" for key, value in values.items())
        props = f'<Import Project="{escape(self.native / "HvciFix.props")}" />' if imports else ""
        targets = f'<Import Project="{escape(self.native / "HvciFix.targets")}" />' if imports else ""
        return self.write(f"""<Project DefaultTargets="Build">
  {head}
  <Import Project="{escape(HERE / 'imitation' / 'Cpp.Default.props')}" />
  {props}
  <PropertyGroup>
{body}
  </PropertyGroup>
  <ItemGroup>
    <ClCompile Include="{name}.c" />
    {items}
  </ItemGroup>
  <Import Project="{escape(HERE / 'imitation' / 'Cpp.targets')}" />
  {targets}
  {tail}
</Project>
""", f"{name}.vcxproj")

    def image(self, name="driver"):
        return self.folder / "x64" / "Release" / f"{name}.sys"

    def rejected(self, name="driver"):
        return self.image(name).with_name(f"{name}.sys.rejected")

    def packaged(self, name="driver"):
        return self.image(name).parent / name / f"{name}.sys"

    def side_file(self, suffix, name="driver"):
        return self.folder / name / "x64" / "Release" / f"{name}.hvcifix.{suffix}"

    def facts(self, path):
        status = os.stat(path)
        return images.read(path), status.st_mtime_ns, status.st_ino

    def is_signed(self, path):
        done = subprocess.run(["osslsigncode", "verify", "-CAfile", self.certificate, path], stdin=subprocess.DEVNULL,
                              capture_output=True, check=False)
        return done.returncode == 0 and b"Signature verification: ok" in done.stdout

    def codes_of(self, path):
        """What the tool finds in an image now, errors and warnings."""
        findings = tool.report("check", path)[1][0]["findings"]
        return {finding["code"] for finding in findings if finding["level"] != "note"}

    def assert_shipped(self, build, name="driver"):
        """The build is good, and what it ships is repaired, signed after that, packaged as it is, and catalogued."""
        self.assertEqual((build.code, build.error_count), (0, 0), build.output[-6000:])
        self.assertEqual(self.codes_of(self.image(name)), set())
        self.assertTrue(self.is_signed(self.image(name)))
        self.assertEqual(images.read(self.packaged(name)), images.read(self.image(name)))
        digest = subprocess.run(["sha256sum", self.packaged(name)], capture_output=True, check=True).stdout.split()[0]
        catalog = self.packaged(name).with_suffix(".cat").read_text("utf-8").splitlines()
        self.assertTrue(catalog[-1].lstrip("\\").startswith(digest.decode().lstrip("\\")))
        self.assertFalse(self.rejected(name).exists())

    def assert_stopped(self, build, name="driver"):
        """The build failed, and nothing that it hangs on signing has run or has anything to work on."""
        self.assertNotEqual(build.code, 0, build.output[-6000:])
        self.assertFalse(self.image(name).exists())
        for target in ("AfterLink", "DriverTestSign", "TestSign", "ApiValidator", "DriverPackageTarget", "Inf2Cat"):
            self.assertNotIn(target, build.targets)


def escape(value):
    return str(value).replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
