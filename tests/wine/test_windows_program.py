"""hvcifix.exe as a file: what it needs of Windows, what it says of itself, and what it thinks of itself."""

import re
import unittest

import pefile

from support import tool, windows_case

SYSTEM_LIBRARIES = {"advapi32.dll", "bcrypt.dll", "kernel32.dll", "msvcrt.dll"}
MANIFEST = 24  # type of a resource
PROTECTION = ("HIGH_ENTROPY_VA", "DYNAMIC_BASE", "NX_COMPAT")


class Program(windows_case.WindowsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pe = pefile.PE(str(windows_case.EXE))

    def test_needs_nothing_but_windows(self):
        """No library of a compiler and none of ours: one file that can be copied."""
        self.assertEqual(self.pe.FILE_HEADER.Machine, pefile.MACHINE_TYPE["IMAGE_FILE_MACHINE_AMD64"])
        needed = {entry.dll.decode().lower() for entry in self.pe.DIRECTORY_ENTRY_IMPORT}
        self.assertLessEqual(needed, SYSTEM_LIBRARIES)
        version = self.pe.OPTIONAL_HEADER.MajorSubsystemVersion, self.pe.OPTIONAL_HEADER.MinorSubsystemVersion
        self.assertLessEqual(version, (6, 1))

    def test_is_protected(self):
        for name in PROTECTION:
            self.assertTrue(getattr(self.pe.OPTIONAL_HEADER, "IMAGE_DLLCHARACTERISTICS_" + name), name)
        done = self.exe("check", windows_case.windows_path(windows_case.EXE))
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_manifest(self):
        kind = next(entry for entry in self.pe.DIRECTORY_ENTRY_RESOURCE.entries if entry.id == MANIFEST)
        data = kind.directory.entries[0].directory.entries[0].data.struct
        manifest = self.pe.get_data(data.OffsetToData, data.Size).decode()
        self.assertRegex(manifest, "<longPathAware [^>]*>true<")
        self.assertRegex(manifest, "<activeCodePage [^>]*>UTF-8<")
        self.assertIn(f'version="{self.version()}.0"', manifest)

    @staticmethod
    def version():
        return re.match(r"hvcifix (\d+\.\d+\.\d+)\n", tool.run("--version").stdout.decode())[1]

    def test_version(self):
        """The resource says what --version says."""
        strings = {key.decode(): value.decode() for info in self.pe.FileInfo[0] if info.Key == b"StringFileInfo"
                   for table in info.StringTable for key, value in table.entries.items()}
        self.assertEqual((strings["FileVersion"], strings["ProductVersion"]), (self.version(), self.version()))
        fixed = self.pe.VS_FIXEDFILEINFO[0]
        numbers = [fixed.FileVersionMS >> 16, fixed.FileVersionMS & 0xFFFF, fixed.FileVersionLS >> 16]
        self.assertEqual(".".join(map(str, numbers)), self.version())


if __name__ == "__main__":
    unittest.main()
