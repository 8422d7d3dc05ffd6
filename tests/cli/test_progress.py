"""How far a run is: shown on a terminal only, and gone at the end.

The run is stopped for a moment behind its first report, so that it is long enough for a line.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time
import unittest

from support import matrix, tool

NOT_ON_WINDOWS = "a terminal of Linux; wine/test_windows_console.py looks at a console"
VARIANTS = ("plain",)
COUNT = 1500
LINE = re.compile(rb"\rhvcifix: \d+ of %d files, \d+ files/s, (?:\d+ min )?\d+ s left" % COUNT)


def shown(written):
    """The lines of a terminal to which this was written."""
    lines, column = [[]], 0
    for character in written.decode("utf-8"):
        if character == "\r":
            column = 0
        elif character == "\n":
            lines.append([])
        else:
            lines[-1][column:] = [*lines[-1][column:], *" " * (column - len(lines[-1]))]
            lines[-1][column : column + 1] = character
            column += 1
    return ["".join(line).rstrip() for line in lines]


class Progress(unittest.TestCase):
    def setUp(self):
        clean = next(fixture.path for fixture in matrix.read() if fixture.file_name == "clean_x64")
        self.arguments = tempfile.NamedTemporaryFile("w", suffix=".rsp", encoding="utf-8")
        self.addCleanup(self.arguments.close)
        self.arguments.write(f"{clean}\n" * COUNT)
        self.arguments.flush()

    def run_on(self, *options, output="pipe", columns=100, kind="xterm", errors="terminal"):
        """(what the terminal got, what the pipe got) of a run."""
        terminal, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        pipe, pipe_end = os.pipe()
        process = subprocess.Popen([tool.TOOL, "check", *options, "@" + self.arguments.name], stdin=subprocess.DEVNULL,
                                   stdout=end if output == "terminal" else pipe_end,
                                   stderr=end if errors == "terminal" else pipe_end, env=dict(os.environ, TERM=kind))
        os.close(end), os.close(pipe_end)
        got, is_held, unread = {terminal: b"", pipe: b""}, False, {terminal, pipe}
        while unread:
            for source in select.select(list(unread), [], [], 30)[0]:
                try:
                    piece = os.read(source, 65536)
                except OSError:  # the end of a terminal
                    piece = b""
                got[source] += piece
                if not piece:
                    unread.remove(source)
            if not is_held and any(got.values()):
                process.send_signal(signal.SIGSTOP)
                time.sleep(0.6)
                process.send_signal(signal.SIGCONT)
                is_held = True
        self.assertEqual(process.wait(), 0)
        os.close(terminal), os.close(pipe)
        return got[terminal], got[pipe]

    def test_shown_and_gone(self):
        terminal, pipe = self.run_on()
        self.assertRegex(terminal, LINE)
        self.assertEqual(shown(terminal), [""])
        self.assertEqual(pipe, tool.run("check", "@" + self.arguments.name).stdout)

    def test_reports_on_the_same_terminal(self):
        terminal, _ = self.run_on("--color=never", output="terminal")
        self.assertRegex(terminal, LINE)
        self.assertEqual(shown(terminal), [*tool.run("check", "@" + self.arguments.name).stdout.decode().splitlines(), ""])

    def test_a_narrow_terminal_keeps_one_line(self):
        terminal, _ = self.run_on(columns=20)
        self.assertIn(b"\rhvcifix: ", terminal)
        self.assertLess(max(map(len, terminal.split(b"\r"))), 20)

    def test_nothing_where_nobody_looks(self):
        plain = tool.run("check", "@" + self.arguments.name)
        self.assertEqual(plain.stderr, b"")
        for options, keywords in ((["-q"], {}), ([], {"kind": "dumb"}), ([], {"errors": "pipe"})):
            with self.subTest(options=options, keywords=keywords):
                self.assertEqual(self.run_on(*options, **keywords)[0], b"")


if __name__ == "__main__":
    unittest.main()
