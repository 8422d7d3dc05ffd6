"""Many images in one run: whatever --jobs says, the same reports in the same order, the same files, the same exit code.

What is expected of N jobs is what one job gives, and of one job, what a run for each image alone gives.
"""

import json
import os
import re
import resource
import shutil
import subprocess
import tempfile
import unittest

from support import images, matrix, tool

MANY = ("2", "8")
TEMPORARY = ".hvcifix-"
# The sums at the end; those of what code asks for stand only where there is something to count.
TOTALS = re.compile(rb"^(calls that may ask for executable memory: .*|[0-9]+ images?: .*)\n", re.MULTILINE)


def fixtures():
    return [fixture.path for fixture in matrix.read_some()]


def fixture(file_name):
    return next(fixture.path for fixture in matrix.read() if fixture.file_name == file_name)


def identities(paths):
    return [(os.stat(path).st_dev, os.stat(path).st_ino) for path in paths]


class Jobs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def put(self, data, *names):
        os.makedirs(os.path.dirname(self.path(*names)), exist_ok=True)
        with open(self.path(*names), "wb") as file:
            file.write(data)
        return self.path(*names)

    def copy(self, file_name, *names):
        return self.put(images.read(fixture(file_name)), *names)

    def assert_same_for_any_jobs(self, *arguments):
        """Returns the finished process of one job."""
        alone = tool.run(*arguments, "--jobs", "1")
        for jobs in MANY:
            done = tool.run(*arguments, "--jobs", jobs)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (alone.returncode, alone.stdout, alone.stderr),
                             (jobs, arguments[:6]))
        default = tool.run(*arguments)
        self.assertEqual((default.returncode, default.stdout), (alone.returncode, alone.stdout), arguments[:6])
        return alone

    def assert_no_temporary_files(self):
        left = [name for _, _, names in os.walk(self.folder) for name in names if name.startswith(TEMPORARY)]
        self.assertEqual(left, [])


class Reports(Jobs):
    def test_reports_of_all_fixtures(self):
        names = fixtures()
        self.assertGreater(len(names), 25)
        for arguments in (["check"], ["check", "--no-code", "--quiet"], ["check", "--format", "json"], ["show"],
                          ["show", "--regions"], ["show", "--references", "--format", "json"], ["fix", "--dry-run"],
                          ["fix", "--dry-run", "--drop-signature", "--format", "json"]):
            with self.subTest(arguments=arguments):
                self.assert_same_for_any_jobs(*arguments, *names)

    def test_one_run_says_what_a_run_for_each_image_says(self):
        names = fixtures()[::5]
        together = tool.run("check", "--jobs", "8", *names)
        apart = [tool.run("check", name) for name in names]
        reports = [TOTALS.sub(b"", done.stdout) for done in apart]
        self.assertEqual(TOTALS.sub(b"", together.stdout), b"".join(reports))
        self.assertEqual(together.returncode, max(done.returncode for done in apart))

    def test_order_of_a_list_and_failures_in_the_middle(self):
        good, bad = fixture("clean_x64"), fixture("wx_text_x64")
        text = self.put(b"no image", "text.sys")
        half = self.put(images.read(bad)[:700], "half.sys")
        order = [bad, self.path("missing.sys"), good, text, half, bad, self.path("nor this"), good] * 20
        done = self.assert_same_for_any_jobs("check", "--format", "json", *order)
        self.assertEqual(done.returncode, 3)
        reported = tool.parse(done.stdout)
        self.assertEqual([image["path"] for image in reported], order)
        self.assertEqual([image["status"] for image in reported],
                         ["findings", "error", "clean", "error", "error", "findings", "error", "clean"] * 20)
        done = self.assert_same_for_any_jobs("check", *order)
        self.assertIn(b"160 images: 40 clean", done.stdout.splitlines()[-1])

    def test_order_of_folders(self):
        for number in range(40):
            self.copy("clean_x64" if number % 3 else "wx_text_x64", "many", f"{number:03}.sys")
            self.put(b"passed over", "many", f"{number:03}.txt")
        self.copy("clean_x64", "many", "012", "inner.sys")
        self.put(b"nothing here", "none", "readme.txt")
        single = fixture("init_rwx_x64")
        found = sorted(os.path.join("many", name) for name in os.listdir(self.path("many")) if name.endswith(".sys"))
        found.insert(found.index(os.path.join("many", "012.sys")), os.path.join("many", "012", "inner.sys"))
        arguments = [self.path("many"), single, self.path("none"), self.path("many")]
        done = self.assert_same_for_any_jobs("check", "--format", "json", *arguments)
        self.assertEqual(done.returncode, 3)  # there is no image in one of the folders
        listed = [tool.listed(self.path("many"), *name.split(os.sep)[1:]) for name in found]
        self.assertEqual([image["path"] for image in tool.parse(done.stdout)],
                         [*listed, single, self.path("none"), *listed])
        self.assert_same_for_any_jobs("check", *arguments)

    def test_a_folder_without_images(self):
        for number in range(30):
            self.put(b"passed over", f"{number}.txt")
        done = self.assert_same_for_any_jobs("check", "--format", "json", self.folder)
        self.assertEqual((done.returncode, len(tool.parse(done.stdout))), (3, 1))

    def test_long_reports_wait_for_their_turn(self):
        # The first report is the longest by far, so the others are ready before it.
        by_size = sorted(images.listed(), key=os.path.getsize)
        order = [next(path for path in reversed(by_size) if os.path.getsize(path) < 1_000_000), *by_size[:30]]
        for form in ("text", "json"):
            self.assert_same_for_any_jobs("show", "--references", "--format", form, *order)

    def test_wrong_numbers_of_jobs(self):
        for word in ("0", "257", "-1", "x", "", "1x", "99999999999999999999", " 2"):
            done = tool.run("check", "--jobs=" + word, fixture("clean_x64"))
            self.assertEqual((done.returncode, done.stdout), (2, b""), word)
            self.assertIn(f'"{word}" is no number of jobs: 1 to 256.', done.stderr.decode())
        for jobs in ("1", "256"):
            self.assertEqual(tool.run("check", "--jobs", jobs, fixture("clean_x64"), fixture("clean_x64")).returncode, 0)
        self.assertEqual(tool.run("verify", "--jobs", "2", "a", "b").returncode, 2)


class Repairs(Jobs):
    def fill(self, name):
        """A folder with a copy of every fixture."""
        for path in fixtures():
            self.put(images.read(path), name, os.path.basename(path))
        return self.path(name)

    def test_the_same_files(self):
        folder = self.fill("work")
        before = {name: images.read(os.path.join(folder, name)) for name in os.listdir(folder)}
        outputs, contents = [], []
        for jobs in ("1", *MANY):
            for name, data in before.items():
                self.put(data, "work", name)
            done = tool.run("fix", "--in-place", "--drop-signature", "--format", "json", "--jobs", jobs, folder)
            outputs.append((done.returncode, done.stdout))
            contents.append({name: images.read(os.path.join(folder, name)) for name in os.listdir(folder)})
            self.assert_no_temporary_files()
        for number, jobs in enumerate(MANY, 1):
            self.assertEqual(outputs[number], outputs[0], jobs)
            self.assertEqual(contents[number], contents[0], jobs)
        repaired = [name for name in before if contents[0][name] != before[name]]
        fixed = [os.path.basename(image["path"].replace("\\", "/")) for image in json.loads(outputs[0][1])["images"]
                 if image["status"] == "fixed"]
        self.assertEqual(sorted(repaired), sorted(fixed))
        self.assertGreater(len(fixed), 5)

    def statuses(self, *paths):
        code, reported = tool.report("fix", "--in-place", "--jobs", "8", *paths)
        self.assertEqual([image["path"] for image in reported], list(paths))
        self.assertEqual(code, 0)
        self.assert_no_temporary_files()
        return [image["status"] for image in reported]

    def test_the_same_file_many_times(self):
        for _ in range(5):
            driver = self.copy("init_rwx_x64", "driver.sys")
            self.assertEqual(self.statuses(*[driver] * 60), ["fixed"] + ["clean"] * 59)

    def test_the_same_file_by_other_names(self):
        driver = self.copy("init_rwx_x64", "a", "driver.sys")
        roundabout = os.path.join(self.folder, "a", "..", "a", ".", "driver.sys")
        others = [self.copy("init_rwx_x64", f"other{number}.sys") for number in range(20)]
        self.assertEqual(self.statuses(*others[:10], driver, *others[10:], roundabout, driver),
                         ["fixed"] * 21 + ["clean"] * 2)

    @tool.not_on_windows("links are made there by another call, and with other rights")
    def test_the_same_file_by_links(self):
        driver = self.copy("init_rwx_x64", "driver.sys")
        link = self.path("link.sys")
        os.symlink("driver.sys", link)
        self.assertEqual(self.statuses(*[driver, link] * 20), ["fixed"] + ["clean"] * 39)
        self.assertTrue(os.path.islink(link))
        # A hard link is a name of its own: a repair gives one name the new file, and the others keep the old one.
        driver, hard = self.copy("init_rwx_x64", "first.sys"), self.path("second.sys")
        os.link(driver, hard)
        self.assertEqual(self.statuses(*[driver, hard] * 20), ["fixed"] * 2 + ["clean"] * 38)
        self.assertEqual(len(set(identities([driver, hard]))), 2)
        self.assertEqual(images.read(driver), images.read(hard))

    def test_a_file_that_cannot_be_written_does_not_stop_the_others(self):
        paths = [self.copy("init_rwx_x64", f"{number}.sys") for number in range(24)]
        os.chmod(paths[7], 0o444)
        code, reported = tool.report("fix", "--in-place", "--jobs", "8", *paths)
        self.assertEqual(code, 4)
        self.assertEqual([image["status"] for image in reported], ["fixed"] * 7 + ["error"] + ["fixed"] * 16)
        self.assert_no_temporary_files()


@tool.not_on_windows("a full device, a closed stream and a limit on sizes are made by calls of Linux")
class FailingWrites(Jobs):
    def start(self, *arguments, **keywords):
        return subprocess.run(tool.command(*arguments), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=300,
                              check=False, **keywords)

    def drivers(self):
        return [self.copy("init_rwx_x64", f"{number}.sys") for number in range(24)]

    def assert_repaired(self, paths):
        expected = self.path("expected")
        self.assertEqual(tool.run("fix", fixture("init_rwx_x64"), "-o", expected).returncode, 0)
        for path in paths:
            self.assertEqual(images.read(path), images.read(expected), path)
        self.assert_no_temporary_files()

    def test_report_to_a_full_device(self):
        for jobs in ("1", "8"):
            paths = self.drivers()
            with open("/dev/full", "wb") as full:
                self.assertEqual(self.start("check", "--jobs", jobs, *paths, stdout=full).returncode, 4)
                self.assertEqual(self.start("fix", "--in-place", "--jobs", jobs, *paths, stdout=full).returncode, 4)
            self.assert_repaired(paths)

    def test_report_to_a_closed_stream_goes_into_no_file(self):
        for jobs in ("1", "8"):
            paths = self.drivers()
            done = self.start("fix", "--in-place", "--jobs", jobs, *paths, preexec_fn=lambda: (os.close(0), os.close(1)))
            self.assertEqual(done.returncode, 4, done.stderr)
            self.assert_repaired(paths)

    def test_report_to_a_reader_that_goes_away(self):
        many = [fixture("wx_text_x64")] * 3000
        for jobs in ("1", "8"):
            with subprocess.Popen(tool.command("check", "--jobs", jobs, *many), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE) as process:
                self.assertIn(b"HVCI2003", process.stdout.readline())
                process.stdout.close()
                self.assertEqual(process.wait(60), 4)
                self.assertIn(b"HVCI9007", process.stderr.read())

    def test_a_limit_on_the_size_of_files(self):
        paths = self.drivers()
        before = images.read(paths[0])
        for jobs in ("1", "8"):
            done = self.start("fix", "--in-place", "--jobs", jobs, *paths, stdout=subprocess.PIPE,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024)))
            self.assertEqual(done.returncode, 4, done.stderr)
            self.assertEqual(done.stdout.count(b" : error HVCI9007: "), len(paths))
            self.assertEqual([images.read(path) for path in paths], [before] * len(paths))
            self.assert_no_temporary_files()


if __name__ == "__main__":
    unittest.main()
