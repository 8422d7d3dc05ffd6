"""Pages in a real browser: Chromium without a screen, behind a proxy that answers nothing and writes down what it is
asked for. chromium-headless-shell asks for nothing on its own account, so every request is one of the page's.
"""

import contextlib
import http.server
import itertools
import os
import re
import subprocess
import tempfile
import threading
import zlib

PROGRAM = "chromium-headless-shell"
SECONDS = 60
LIGHT, DARK = "1", "0"  # of Blink's setting preferredColorScheme


class Visit:
    """What came of opening a page."""

    def __init__(self, output, console, requests):
        self.output, self.console, self.requests = output, console, requests


class _Proxy(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.server.requests.append(f"{self.command} {self.path}")
        self.send_error(403)

    do_GET = do_HEAD = do_POST = do_CONNECT = answer

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def _proxy():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Proxy)
    server.requests = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def visit(path, *options, scheme=LIGHT):
    """Opens the file; options are Chromium's own, e.g. --dump-dom."""
    with _proxy() as proxy, tempfile.TemporaryDirectory(prefix="hvcifix-browser-") as profile:
        done = subprocess.run(
            [PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
             f"--user-data-dir={profile}", "--enable-logging=stderr", "--no-first-run",
             f"--blink-settings=preferredColorScheme={scheme}", f"--proxy-server=127.0.0.1:{proxy.server_port}",
             "--proxy-bypass-list=<-loopback>", *options, f"file://{os.path.abspath(path)}"],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=True)
        console = re.findall(r"CONSOLE[^\"]*(\".*)", done.stderr.decode("utf-8", "replace"))
        return Visit(done.stdout, console, list(proxy.requests))


def document(path):
    """The document as the browser holds it once it is loaded."""
    return visit(path, "--dump-dom")


def screenshot(path, picture, size=(1000, 1400), scheme=LIGHT):
    return visit(path, f"--screenshot={picture}", f"--window-size={size[0]},{size[1]}", scheme=scheme)


def print_to(path, pdf):
    return visit(path, f"--print-to-pdf={pdf}", "--no-pdf-header-footer")


def pdf_text(pdf):
    return subprocess.run(["pdftotext", "-layout", pdf, "-"], capture_output=True, check=True).stdout.decode("utf-8")


class Picture:
    """A PNG of 8 bits a channel, as screenshots are."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        assert data.startswith(b"\x89PNG\r\n\x1a\n"), data[:8]
        packed, at = b"", 8
        while at < len(data):
            nbytes, kind = int.from_bytes(data[at:at + 4], "big"), data[at + 4:at + 8]
            body = data[at + 8:at + 8 + nbytes]
            if kind == b"IHDR":
                self.width, self.height = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
                assert body[8] == 8 and body[9] in (2, 6) and body[12] == 0, body
                self.channels = 3 if body[9] == 2 else 4
            packed += body if kind == b"IDAT" else b""
            at += 12 + nbytes
        self.lines = self._unfilter(zlib.decompress(packed))

    def _unfilter(self, data):
        step, width = self.channels, self.width * self.channels
        lines, last = [], bytes(width)
        for at in range(0, len(data), width + 1):
            kind, line = data[at], bytearray(data[at + 1:at + 1 + width])
            if kind == 1:  # to the one at the left, each channel for itself
                for channel in range(step):
                    line[channel::step] = bytes(value & 0xFF for value in itertools.accumulate(line[channel::step]))
            elif kind == 2:  # to the one above
                line = bytes((value + up) & 0xFF for value, up in zip(line, last))
            elif kind:
                self._unfilter_slowly(kind, line, last)
            lines.append(bytes(line))
            last = line
        return lines

    def _unfilter_slowly(self, kind, line, last):
        for i, up in enumerate(last):
            left, corner = (line[i - self.channels], last[i - self.channels]) if i >= self.channels else (0, 0)
            guess = left + up - corner
            nearest = min((left, up, corner), key=lambda value: abs(guess - value))
            line[i] = (line[i] + ((left + up) // 2 if kind == 3 else nearest)) & 0xFF

    def color(self, x, y):
        return tuple(self.lines[y][x * self.channels:x * self.channels + 3])

    def colors(self):
        """All that occur, as (r, g, b)."""
        return {line[i:i + 3] for line in self.lines for i in range(0, len(line), self.channels)}
