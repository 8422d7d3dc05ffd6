"""The release archives: the same bytes wherever they are made, complete, and of use where nothing else is."""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import zipfile

from support import wine

VARIANTS = ("plain",)
SOURCE = pathlib.Path(os.environ["HVCIFIX_SOURCE"])
BUILD = pathlib.Path(os.environ["HVCIFIX_BUILD"]).resolve()
FIXTURES = pathlib.Path(os.environ["HVCIFIX_FIXTURES"]).resolve()
DIST = BUILD / "dist"
PLAIN = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}


def run(*words, **keywords):
    done = subprocess.run([str(word) for word in words], capture_output=True, check=False, timeout=300,
                          stdin=subprocess.DEVNULL, **keywords)
    assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def archive(pattern):
    found, = DIST.glob(pattern)
    return found


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hvcifix-test-"))
        self.addCleanup(shutil.rmtree, self.folder)


class SameBytes(Case):
    def test_made_again_elsewhere(self):
        """Another folder, time zone, umask, and times of files."""
        other = self.folder / "another-build"
        (other / "dist").mkdir(parents=True)
        for path in BUILD.iterdir():
            if path.name != "dist":
                (other / path.name).symlink_to(path)
        shutil.copyfile(DIST / "hvcifix", other / "dist" / "hvcifix")
        version = re.search(r"-(\d+\.\d+\.\d+)-linux", archive("*.tar.gz").name)[1]
        make = self.folder / "make"  # installs what is built; the other folder has no rules of its own
        make.write_text(f'#!/bin/sh\nfor word; do case $word in DESTDIR=*) to=$word ;; esac; done\n'
                        f'exec make --no-print-directory -s BUILD={BUILD} "$to" PREFIX= install\n')
        make.chmod(0o755)
        run("sh", "-c", 'umask 077; exec scripts/dist.sh "$@"', "sh", other, version, make, cwd=SOURCE,
            env=dict(PLAIN, TZ="Asia/Kolkata", LC_ALL="C.UTF-8"))
        for name in (archive("*.tar.gz").name, archive("*.zip").name, "SHA256SUMS"):
            self.assertEqual((other / "dist" / name).read_bytes(), (DIST / name).read_bytes(), name)

    def test_objects_do_not_know_their_folder(self):
        """Some of the sources, compiled in another folder, give the same objects but for debug data."""
        for name in ("tool", "scripts", "Makefile", "cmake-module", "msbuild"):
            (shutil.copytree if (SOURCE / name).is_dir() else shutil.copy)(SOURCE / name, self.folder / name)
        (self.folder / "b").mkdir()
        (self.folder / "b" / ".deps-build").touch()
        sources = sorted(path.relative_to(SOURCE) for path in SOURCE.glob("tool/*/*.c")
                         if not path.stem.endswith("_windows") and path.stat().st_size < 9000)[::40]
        objects = [f"obj/{source.with_suffix('.o')}" for source in sources]
        run("make", "-C", self.folder, f"BUILD={self.folder / 'b'}", *(self.folder / "b" / name for name in objects), env=PLAIN)
        for name in objects:
            plain = []
            for folder in (BUILD, self.folder / "b"):
                out = self.folder / f"{len(plain)}.o"
                run("objcopy", "--strip-debug", folder / name, out)
                plain.append(out.read_bytes())
            self.assertEqual(*plain, name)

    def test_sums(self):
        lines = dict(reversed(line.split("  ")) for line in (DIST / "SHA256SUMS").read_text().splitlines())
        self.assertEqual(set(lines), {archive("*.tar.gz").name, archive("*.zip").name})
        for name, value in lines.items():
            self.assertEqual(hashlib.sha256((DIST / name).read_bytes()).hexdigest(), value)


class Blanks(Case):
    def test_installed_below_names_with_blanks(self):
        root = self.folder / "a b"
        run("make", "--no-print-directory", "-s", f"BUILD={BUILD}", f"DESTDIR={root}", "PREFIX=/c d", "install", cwd=SOURCE,
            env=PLAIN)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["a b"])
        self.assertIn(b"1 clean", run(root / "c d" / "bin" / "hvcifix", "check", FIXTURES / "clean_x64.sys"))
        for name in ("man/man1/hvcifix.1", "cmake/HvciFix/HvciFixConfigVersion.cmake", "hvcifix/msbuild/HvciFix.targets"):
            self.assertTrue((root / "c d" / "share" / name).stat().st_size, name)

    def test_build_folder_with_a_blank(self):
        done = subprocess.run(["make", f"BUILD={self.folder}/a b", "all"], cwd=SOURCE, env=PLAIN, capture_output=True,
                              check=False, timeout=60)
        self.assertEqual((done.returncode, list(self.folder.iterdir())), (2, []))
        self.assertIn(b"a folder with a blank in its name", done.stderr)


class Linux(Case):
    def setUp(self):
        super().setUp()
        run("tar", "-x", "-f", archive("*.tar.gz"), "-C", self.folder)
        self.root, = self.folder.glob("hvcifix-*")

    def test_it_runs(self):
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder)}
        said = run(self.root / "bin" / "hvcifix", "check", FIXTURES / "clean_x64.sys", env=environment)
        self.assertIn(b"1 clean", said)
        loaded = run("ldd", self.root / "bin" / "hvcifix").decode()
        brought = {path.name for path in (self.root / "lib").iterdir()}
        for name in brought:
            self.assertRegex(loaded, rf"{re.escape(name)} => \S*/lib/{re.escape(name)}")

    def test_manual_pages(self):
        for page in ("man1/hvcifix.1", "man5/hvcifix-policy.5"):
            self.assertIn(b"hvcifix", run("man", "-l", self.root / "share" / "man" / page, env=dict(PLAIN, MANPAGER="cat")))

    def test_terms(self):
        names = {path.stem for path in (self.root / "licences").iterdir()}
        for library in ("zlib1g", "libssl", "libinih", "libcjson", "libzydis", "libarchive"):
            self.assertTrue([name for name in names if name.startswith(library)], (library, names))
        self.assertEqual((self.root / "LICENSE.txt").read_bytes(), (SOURCE / "LICENSE").read_bytes())

    def test_cmake_finds_it(self):
        (self.folder / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.20)\nproject(p NONE)\nfind_package(HvciFix 0.1 CONFIG REQUIRED)\n"
            "message(STATUS \"program ${HVCIFIX_EXECUTABLE}\")\n")
        said = run("cmake", "-S", self.folder, "-B", self.folder / "b", f"-DCMAKE_PREFIX_PATH={self.root}")
        self.assertIn(f"program {self.root.resolve()}/bin/hvcifix".encode(), said)


class Windows(Case):
    def setUp(self):
        super().setUp()
        with zipfile.ZipFile(archive("*.zip")) as file:
            self.names = file.namelist()
            self.times = {member.date_time for member in file.infolist()}
            self.extras = [member.extra for member in file.infolist() if member.extra]
            file.extractall(self.folder)
        self.root, = self.folder.glob("hvcifix-*")

    def test_what_is_in_it(self):
        self.assertEqual((self.names, len(self.times), self.extras), (sorted(self.names), 1, []))
        self.assertEqual((self.root / "bin" / "hvcifix.exe").read_bytes(), (BUILD / "hvcifix.exe").read_bytes())
        for path in (BUILD / "nuget").glob("*.nupkg"):  # tests/msbuild builds drivers with it
            self.assertEqual((self.root / path.name).read_bytes(), path.read_bytes())
        for name in ("README.md", "LICENSE.txt", "share/doc/hvcifix/TUTORIAL.md", "share/cmake/HvciFix/HvciFix.cmake",
                     "licences/libarchive-dev.txt", "licences/mingw-w64-x86-64-dev.txt"):
            self.assertTrue((self.root / name).stat().st_size, name)
        pictures = re.findall(r"\]\(([^)]*\.svg)\)", (self.root / "README.md").read_text("utf-8"))
        self.assertTrue(pictures)
        for name in pictures:
            self.assertTrue((self.root / name).stat().st_size, name)

    @unittest.skipUnless(wine.is_installed(), "Wine is not installed")
    def test_it_runs(self):
        programs = wine.Programs()
        programs.begin()
        done = programs.run(programs.command(self.root / "bin" / "hvcifix.exe", "check", FIXTURES / "clean_x64.sys"),
                            None, self.folder)
        self.assertEqual((done.returncode, b"1 clean" in done.stdout), (0, True), done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
