"""What hvcifix.exe writes to a console, to a pipe and to a file.

The console is Wine's, on a terminal of Linux; screen.exe runs in it, sets a code page, starts the program, and reads
what stands on the screen afterwards. Wine's console takes the mode for colours but shows their codes as characters, so
that they can be read too.
"""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import threading
import time
import unittest

from support import tool, windows_case

NAME = "\u017e\u00fc\u4e2d\u043a.sys"
RED = "\x1b[1;31merror\x1b[0m"
COLORS_ON = 4  # ENABLE_VIRTUAL_TERMINAL_PROCESSING
LIMIT_SECONDS = 60
HELD_SECONDS = 3
KEYS_SECONDS = 1.5  # before keys are pressed: the program waits for a file that is held
INTERRUPTED = 0xC000013A  # STATUS_CONTROL_C_EXIT


class Screen:
    """What screen.exe said (tests/wine/screen_windows.c)."""

    def __init__(self, text):
        head, _, screen = text.partition("screen:\n")
        facts = dict(line.split(":", 1) for line in head.splitlines())
        self.code_pages = facts["code pages"].split()
        self.modes = [int(mode) for mode in facts["modes"].split()]
        self.exit_code = int(facts["exit"])
        self.lines = screen.splitlines()


class Console(windows_case.WindowsCase):
    def setUp(self):
        super().setUp()
        self.copy("wx_text_x64", self.folder / NAME)

    def on_a_console(self, *arguments, code_page=437, environment=None, keys=b""):
        """`keys` are pressed as soon as the program has shown something, or after a second."""
        result = self.folder / "result.txt"
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        helper = windows_case.BUILD / "wine-helpers" / "screen.exe"
        command = self.wine.command(helper, windows_case.windows_path(result), code_page,
                                    windows_case.windows_path(windows_case.EXE), *arguments)
        kept = {key: value for key, value in self.wine.environment.items() if key != "NO_COLOR"}
        process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, cwd=self.folder,
                                   env=dict(kept, TERM="xterm", **(environment or {})), start_new_session=True,
                                   preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        ended = threading.Event()
        thread = threading.Thread(target=self.drain, args=(master, ended, keys))
        thread.start()
        try:
            self.assertEqual(process.wait(LIMIT_SECONDS), 0)
        finally:
            process.kill()
            ended.set()
            thread.join()
            os.close(master)
        return Screen(result.read_bytes().decode("utf-16-le", "surrogatepass"))

    def drain(self, terminal, ended, keys):
        """Takes what the console draws; else it would wait for its terminal."""
        self.drawn, begun = b"", time.monotonic()
        while not ended.is_set():
            try:
                if select.select([terminal], [], [], 0.1)[0]:
                    self.drawn += os.read(terminal, 65536)
                if keys and time.monotonic() - begun > KEYS_SECONDS:
                    os.write(terminal, keys)
                    keys = b""
            except OSError:  # what Linux says at the end of a terminal
                return

    def test_characters_in_any_code_page(self):
        expected = tool.run("check", "--color=never", NAME, cwd=self.folder)
        self.assertIn(NAME.encode(), expected.stdout)
        for code_page in (437, 850, 1252, 932, 65001):
            with self.subTest(code_page=code_page):
                screen = self.on_a_console("check", "--color=never", NAME, code_page=code_page)
                self.assertEqual(screen.exit_code, expected.returncode)
                self.assertEqual(screen.lines, expected.stdout.decode().splitlines())
                self.assertEqual(screen.code_pages, [str(code_page)])  # and never another while it ran

    def test_standard_error_too(self):
        screen = self.on_a_console(NAME)
        self.assertEqual((screen.exit_code, screen.lines), (2, tool.run(NAME).stderr.decode().splitlines()))
        self.assertIn(f'"{NAME}" is no verb', screen.lines[0])

    def test_long_output(self):
        """More than one call of the system takes, in characters of two units, one of them where the first call ends."""
        word = "\U0001f600" * 5000
        screen = self.on_a_console(word, code_page=850)
        self.assertEqual(screen.exit_code, 2)
        shown = "".join(screen.lines).encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        self.assertTrue(shown.startswith(f'hvcifix : error HVCI9010: "{word}" is no verb'), shown[:300])

    def test_a_long_report(self):
        name = "handlers_x64.sys"
        self.copy("handlers_x64", self.folder / name)
        expected = tool.run("show", "--references", name, cwd=self.folder).stdout.decode().splitlines()
        self.assertGreater(len(expected), 250)
        screen = self.on_a_console("show", "--references", name)
        self.assertEqual(screen.lines[-250:], expected[-250:])

    def test_colours(self):
        for options, environment, is_coloured in (([], {}, True), ([], {"NO_COLOR": "1"}, False),
                                                  (["--color=never"], {}, False),
                                                  (["--color=always"], {"NO_COLOR": "1"}, True)):
            with self.subTest(options=options, environment=environment):
                screen = self.on_a_console("check", *options, NAME, environment=environment)
                self.assertEqual(RED in screen.lines[0], is_coloured, screen.lines[0])
                self.assertEqual("\x1b" in "".join(screen.lines), is_coloured)

    def test_the_console_is_asked_for_colours_and_left_as_it_was(self):
        for options in ([], ["--color=always"]):
            holder = self.beside("60000", "alone", NAME)
            release = threading.Timer(HELD_SECONDS, holder.kill)
            release.start()  # hvcifix.exe waits for the file meanwhile, so that the mode can be seen
            screen = self.on_a_console("check", *options, NAME)
            release.join()
            self.assertEqual(screen.exit_code, 1)
            self.assertEqual(screen.modes, [screen.modes[0], screen.modes[0] | COLORS_ON, screen.modes[0]])
            self.assertFalse(screen.modes[0] & COLORS_ON)

    def test_progress_is_shown_and_gone(self):
        """One thread waits for a file that is held; the others go on meanwhile, but for the last."""
        names = [f"{number}.sys" for number in range(40)]
        for name in names:
            self.copy("clean_x64", self.folder / name)
        names = [NAME, *names]
        expected = tool.run("check", "--color=never", *names, cwd=self.folder)
        holder = self.beside("60000", "alone", NAME)
        release = threading.Timer(HELD_SECONDS, holder.kill)
        release.start()
        screen = self.on_a_console("check", "--color=never", "-j1", *names)
        release.join()
        self.assertEqual((screen.exit_code, screen.lines), (1, expected.stdout.decode().splitlines()))
        self.assertIn(b"of 41 files, ", self.drawn)

    def test_ctrl_c(self):
        """What is not begun stays as it is, and the program ends as Windows ends one that was interrupted."""
        names = [NAME, *(f"{number}.sys" for number in range(20))]
        for name in names:
            self.copy("all_defects_x64", self.folder / name)
        before = (self.folder / NAME).read_bytes()
        holder = self.beside("60000", "alone", NAME)
        release = threading.Timer(HELD_SECONDS, holder.kill)
        release.start()
        screen = self.on_a_console("fix", "--in-place", "--color=never", "-j1", *names, keys=b"\x03")
        release.join()
        self.assertEqual(screen.exit_code, INTERRUPTED, screen.lines)
        self.assertEqual(screen.lines[-1], "hvcifix : interrupted; no file is left half-written.")
        self.assertEqual({(self.folder / name).read_bytes() for name in names}, {before})
        self.assert_only("result.txt", *names)

    def test_reports_that_go_elsewhere_have_no_colour(self):
        expected = tool.run("check", NAME, cwd=self.folder).stdout
        screen = self.on_a_console("check", NAME, "--output", "report.txt")
        self.assertEqual((screen.exit_code, screen.lines), (1, []))
        self.assertEqual((self.folder / "report.txt").read_bytes(), expected)

    def test_pipes_and_files_get_utf8(self):
        """From a file, a pipe of Linux and a pipe of Windows the same bytes, with the line ends of every system."""
        expected = tool.run("check", NAME, cwd=self.folder)
        self.assertEqual(self.exe("check", NAME).stdout, expected.stdout)  # a file
        command = self.wine.command(windows_case.EXE, "check", NAME)
        piped = subprocess.run(command, env=self.wine.environment, cwd=self.folder, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT_SECONDS, check=False)
        self.assertEqual((piped.returncode, piped.stdout, piped.stderr), (1, expected.stdout, b""))
        done = self.launch("check " + NAME, "pipe")
        self.assertEqual((done.returncode, done.stdout), (1, expected.stdout))
        self.assertNotIn(b"\r", expected.stdout)

    def test_a_reader_that_goes_away_is_no_success(self):
        """Exit code 4, on a pipe that nobody reads any more."""
        read_end, write_end = os.pipe()
        os.close(read_end)
        command = self.wine.command(windows_case.EXE, "check", NAME)
        done = subprocess.run(command, env=self.wine.environment, cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=write_end, stderr=subprocess.PIPE, timeout=LIMIT_SECONDS, check=False)
        os.close(write_end)
        self.assertEqual(done.returncode, 4)
        self.assertIn(b"HVCI9007: The report could not be written completely.", done.stderr)


if __name__ == "__main__":
    unittest.main()
