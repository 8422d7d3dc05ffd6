"""What the tests of failing calls share: what the tool is asked to do, and what must hold whatever fails.

A test class names the answers of its system (ANSWERS) and runs the tool (run_many).
"""

import collections
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile
import zipfile

from support import cabinets, matrix, tool

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
from test_signatures import authenticode_digest  # noqa: E402

USES_MEMORY = os.access("/dev/shm", os.W_OK)
TEMPORARY = re.compile(r"\A\.hvcifix-\d+-\d+\.tmp\Z")
UNDO = ".hvcifix-undo"
CODE = re.compile(rb'HVCI90(06|07|08|32)|"result": "unreadable"|too little memory')
BEFORE_THE_RUN = (b"HVCI9008: |HVCI9010: (The response file cannot be read. |--output names an image)|"
                  b"HVCI9040: The policy file \\S+ cannot be read: ")

# files: {name: bytes} of what lies in the folder; log: what the library of faults has counted.
Run = collections.namedtuple("Run", "returncode stdout stderr files log")


def content(folder):
    """{name: bytes} of all files below a folder; for a link, what it leads to."""
    return {str(path.relative_to(folder)): (os.readlink(path) if path.is_symlink() else path.read_bytes())
            for path in sorted(folder.rglob("*")) if path.is_symlink() or path.is_file()}


class FaultCases:
    ANSWERS = {}  # what each kind of call may answer: "{}:ANSWER", or "{}-:ANSWER" for that call and all after it
    MOST_NUMBERS = 400  # of one kind of call
    FEWEST_FAULTS = 6  # of one call of the tool
    COUNTS_BLOCKS = True

    def run_many(self, prepare, arguments, faults):
        """A Run for each fault, each in a folder that `prepare` has filled."""
        raise NotImplementedError

    def setUp(self):
        # Not on a disk, where there is a choice: every repair is flushed.
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="hvcifix-test-", dir="/dev/shm" if USES_MEMORY else None))
        self.addCleanup(shutil.rmtree, self.root)
        self.repaired = self.root / "repaired.sys"
        shutil.copyfile(self.fixture("init_rwx_x64"), self.repaired)
        self.assertEqual(tool.run("fix", "--in-place", self.repaired).returncode, 0)

    def fixture(self, name):
        return next(f for f in matrix.read() if f.file_name == name).path

    def numbers(self, count):
        """All calls of a kind, or as many as there is time for: the first, the last, and some between."""
        if count <= self.MOST_NUMBERS:
            return range(1, count + 1)
        return sorted({1 + i * (count - 1) // (self.MOST_NUMBERS - 1) for i in range(self.MOST_NUMBERS)})

    def answers(self, name, place):  # pylint: disable=unused-argument
        """What a call of a kind answers; `place` counts those of the kind that are tried."""
        return self.ANSWERS[name]

    def faults_of(self, counts, names):
        for name in names:
            for place, number in enumerate(self.numbers(counts[name])):
                for answer in self.answers(name, place):
                    if number == 1 or not answer.startswith("{}-:one"):
                        yield f"{name}:{answer.format(number)}"

    def try_all(self, prepare, *arguments, names=None, faults=()):
        """Every fault of the names, in turn, and the given ones: {fault: Run}."""
        before = self.root / "before"
        shutil.rmtree(before, ignore_errors=True)
        before.mkdir()
        prepare(before)
        whole, = self.run_many(prepare, arguments, [""])
        self.assertIn("memory", whole.log, whole.stderr)
        self.assertEqual(whole.log["files"], 0)
        if self.COUNTS_BLOCKS and "4" not in arguments:
            self.assertEqual(whole.log["blocks"], 0)
        faults = [*self.faults_of(whole.log, names or self.ANSWERS), *faults]
        self.assertGreaterEqual(len(faults), self.FEWEST_FAULTS)
        absorbed = 0
        runs = {}
        for fault, run in zip(faults, self.run_many(prepare, arguments, faults), strict=True):
            runs[fault] = run
            with self.subTest(arguments=" ".join(arguments), fault=fault):
                absorbed += self.judge(fault, arguments, content(before), whole, run)
        self.assertLess(absorbed, len(faults), "no fault was seen at all")
        return runs

    def judge(self, fault, arguments, before, whole, run):
        """True when the fault made no difference. Else a clear error is all that is allowed."""
        said = run.stdout + run.stderr + run.files.get("report", b"")
        if run.returncode == 2:  # nothing was begun
            self.assertRegex(run.stderr, BEFORE_THE_RUN)
            self.assertEqual(run.files, before)
            return False
        self.assertIn(run.returncode, (0, 1, 3, 4), said)
        self.assertTrue(run.log, said)
        if "4" not in arguments:  # several threads: calls differ from run to run, and the C library keeps stacks
            if "+" not in fault:
                self.assertGreater(run.log["fired"], 0)
            if self.COUNTS_BLOCKS:
                self.assertEqual(run.log["blocks"], 0, "memory was not given back")
        self.assertEqual(run.log["files"], 0, "a file was left open")

        is_print = "print:" in fault
        if "json" in arguments and run.stdout and not is_print and "fopen:" not in fault:
            json.loads(run.stdout)
        self.judge_files(fault, before, whole, run, said)
        if run.returncode == whole.returncode and self.same_words(fault, run, whole):
            self.assertTrue(run.files == whole.files, "it says what it says when all is well, and that is not so")
            return True
        self.assertIn(run.returncode, (3, 4), f"the fault was passed over in silence: {said}")
        self.assertRegex(said, CODE)
        if is_print:
            self.assertEqual(run.returncode, 4)
            self.assertIn(b"HVCI9007", run.stderr)
        return False

    def same_words(self, fault, run, whole):
        return (run.stdout, run.stderr) == (whole.stdout, whole.stderr)

    def judge_files(self, fault, before, whole, run, said):
        """Each file is as it was or as it should be, and no temporary file is left, unless the system refused to
        remove it, or it is the only whole one, and the message names it."""
        left = [path for path in run.files if TEMPORARY.match(os.path.basename(path))]
        for path in left:
            is_named = path.encode() in said and run.files[path] in whole.files.values()
            self.assertTrue(is_named or "unlink:" in fault or "delete:" in fault, "a temporary file was left behind")
        for path in before.keys() | whole.files.keys() | run.files.keys():
            found = run.files.get(path)
            if path == "report" or path in left or found in (before.get(path), whole.files.get(path)):
                continue
            self.assertTrue(left and found is None, f"{path} is neither as it was nor as it should be")
        for path, undo in ((path, path + UNDO) for path in whole.files if path + UNDO in whole.files):
            if run.files.get(path) == whole.files[path]:
                self.assertEqual(run.files.get(undo), whole.files[undo], f"nothing leads back from {path}")

    # What the folder holds.

    def one_driver(self, folder):
        shutil.copyfile(self.fixture("init_rwx_x64"), folder / "driver.sys")

    def two_drivers(self, folder):
        self.one_driver(folder)
        shutil.copyfile(self.fixture("clean_x64"), folder / "other.sys")

    def pair(self, folder):
        self.one_driver(folder)
        shutil.copyfile(self.repaired, folder / "new.sys")

    def folders(self, folder):
        self.two_drivers(folder)
        (folder / "in" / "deep").mkdir(parents=True)
        shutil.copyfile(self.fixture("clean_x86"), folder / "in" / "deep" / "c.sys")

    def catalogs(self, folder):
        self.one_driver(folder)
        digest = authenticode_digest((folder / "driver.sys").read_bytes(), "sha256")
        (folder / "driver.cat").write_bytes(b"before" + digest + b"after")
        (folder / "other.cat").write_bytes(b"no digest in here")

    def repaired_in_place(self, folder):
        for suffix in ("", UNDO):
            shutil.copyfile(f"{self.repaired}{suffix}", folder / f"driver.sys{suffix}")

    def signed(self, folder):
        shutil.copyfile(self.fixture("signed_x64"), folder / "driver.sys")

    def package(self, folder):
        """A folder with two drivers, an INF and a catalog that will not match any more."""
        for name in ("drv", "drv/deep"):
            (folder / name).mkdir()
        shutil.copyfile(self.fixture("wx_page_x64"), folder / "drv" / "deep" / "x.sys")
        shutil.copyfile(self.fixture("clean_x64"), folder / "drv" / "y.sys")
        (folder / "drv" / "x.inf").write_text('[Version]\nSignature="$WINDOWS NT$"\nDriverVer=1/1/2020,1\n')
        digest = authenticode_digest((folder / "drv" / "deep" / "x.sys").read_bytes(), "sha256")
        (folder / "drv" / "x.cat").write_bytes(b"before\4\x20" + digest + b"after")
        for path in (folder / "drv").rglob("*"):
            os.utime(path, (1e9, 1e9))

    def archive(self, folder):
        self.package(folder)
        with zipfile.ZipFile(folder / "drv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted((folder / "drv").rglob("*.*")):
                archive.write(path, path.relative_to(folder / "drv"))
        shutil.rmtree(folder / "drv")

    def cabinet(self, folder):
        self.package(folder)
        files = [cabinets.File(str(path.relative_to(folder / "drv")).replace("/", "\\").encode(), 33, 0, 32, path.read_bytes())
                 for path in sorted((folder / "drv").rglob("*.*"))]
        (folder / "drv.cab").write_bytes(cabinets.make([(cabinets.MSZIP, files)]))
        shutil.rmtree(folder / "drv")

    def response(self, folder):
        self.one_driver(folder)
        (folder / "r.rsp").write_bytes('"check" "driver.sys" --quiet'.encode("utf-16"))

    # What the tool is asked to do.

    def test_check(self):
        self.try_all(self.one_driver, "check", "driver.sys")
        self.try_all(self.two_drivers, "check", "--jobs", "1", "--format", "json", "driver.sys", "other.sys")

    def test_large_file(self):
        """Large blocks of memory come from elsewhere."""
        def prepare(folder):
            self.one_driver(folder)
            os.truncate(folder / "driver.sys", 3 << 20)

        self.try_all(prepare, "check", "driver.sys")

    def test_check_folder(self):
        self.try_all(self.folders, "check", "--jobs", "1", ".")
        self.try_all(self.folders, "check", "--jobs", "1", "--format", "json", "in", "other.sys")

    def test_show(self):
        for options in ((), ("--regions",), ("--references", "--format", "json"), ("--format", "json")):
            self.try_all(self.one_driver, "show", *options, "driver.sys")
        self.try_all(self.two_drivers, "show", "driver.sys", "--after", "other.sys")

    def test_fix_to_another_file(self):
        # What is read back is not what was written.
        self.try_all(self.one_driver, "fix", "driver.sys", "-o", "new.sys", faults=["read:2:wrong"])
        self.try_all(self.two_drivers, "fix", "driver.sys", "-o", "other.sys")
        self.try_all(self.two_drivers, "fix", "other.sys", "-o", "copy.sys", "--format", "json")

    def test_fix_in_place(self):
        self.try_all(self.two_drivers, "fix", "--jobs", "1", "--in-place", "driver.sys", "other.sys")
        self.try_all(self.one_driver, "fix", "--in-place", "--format", "json", "driver.sys")
        self.try_all(self.one_driver, "fix", "--dry-run", "driver.sys")

    def test_fix_again_in_place(self):
        """The second repair keeps what leads back from the first."""
        def prepare(folder):
            shutil.copyfile(self.fixture("all_defects_x64"), folder / "driver.sys")
            self.assertIn(tool.run("fix", "--in-place", "--only", "HVCI2102", folder / "driver.sys", alone=True)
                          .returncode, (0, 1))

        self.try_all(prepare, "fix", "--in-place", "--only", "HVCI2207", "driver.sys",
                     names=[name for name in self.ANSWERS if name not in ("memory", "readdir")])

    def test_restore(self):
        self.try_all(self.repaired_in_place, "restore", "driver.sys", faults=["read:3:wrong"])
        self.try_all(self.repaired_in_place, "restore", "--format", "json", "driver.sys")
        self.try_all(self.repaired_in_place, "restore", "driver.sys", "-o", "old.sys")
        self.try_all(self.repaired_in_place, "show", "driver.sys" + UNDO)

    def test_catalog_beside_the_image(self):
        """What counts as a signature must not be overlooked because it could not be read."""
        self.try_all(self.catalogs, "fix", "--in-place", "driver.sys")

    def test_signed(self):
        self.try_all(self.signed, "fix", "--in-place", "--drop-signature", "driver.sys")

    def test_verify(self):
        self.try_all(self.pair, "verify", "driver.sys", "new.sys")
        self.try_all(self.pair, "verify", "--format", "json", "driver.sys", "new.sys")

    def test_response_file(self):
        self.try_all(self.response, "@r.rsp")

    def test_report_file(self):
        self.try_all(self.one_driver, "check", "driver.sys", "--format", "json", "--output", "report")

    def test_doctor(self):
        """A page that could not see all is no page."""
        def asks(folder):
            shutil.copyfile(self.fixture("executable_pool_x64"), folder / "driver.sys")

        self.try_all(self.catalogs, "doctor", "driver.sys")
        self.try_all(asks, "doctor", "--format", "json", "driver.sys")

    def test_translate(self):
        def with_map(folder):
            shutil.copyfile(self.map, folder / "map.json")

        shutil.copyfile(self.fixture("all_defects_x64"), self.root / "d.sys")
        self.map = self.root / "d.json"
        self.assertEqual(tool.run("fix", self.root / "d.sys", "-o", self.root / "n.sys", "--map", self.map, alone=True)
                         .returncode, 0)
        self.try_all(with_map, "translate", "map.json", "0x1310", "n+0x2D010")

    def test_texts(self):
        self.try_all(lambda folder: None, "rules")
        self.try_all(lambda folder: None, "explain", "HVCI2005")
        self.try_all(lambda folder: None, "--help")
        self.try_all(lambda folder: None, "--version")
