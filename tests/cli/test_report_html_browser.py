"""The HTML report in a real browser, Chromium: no errors, nothing that is fetched, light and dark, wide and narrow, and
printed to PDF with everything that it says.
"""

import os
import re
import unittest

import test_report_html as pages
from support import browser, html_page, images, tool

VARIANTS = ("plain",)
NOT_ON_WINDOWS = "the page is the same there, byte for byte (test_report_html.py)"

BROKEN = b"""<!DOCTYPE html><html lang="en"><title>x</title><script>document.title = "owned"; throw new Error("deliberate")
</script><img src="http://outside.example/x.png" alt=""><p>x</p></html>"""


def without_blanks(text):
    return re.sub(r"\s+", "", text)


class Browser(pages.Pages):
    def report(self, *arguments):
        path = os.path.join(self.folder, "report.html")
        tool.run(*arguments, "--report", path, environment=pages.TODAY)
        return path

    def test_errors_and_requests_would_be_seen(self):
        visit = browser.document(self.put("broken.html", BROKEN))
        self.assertIn("deliberate", "".join(visit.console))
        self.assertEqual(visit.requests, ["GET http://outside.example/x.png"])
        self.assertIn(b"<title>owned</title>", visit.output)

    def test_hostile_page_runs_and_fetches_nothing(self):
        path = self.report(*self.hostile())
        visit = browser.document(path)
        self.assertEqual((visit.console, visit.requests), ([], []))
        loaded = html_page.Page(visit.output)  # what the browser made of it
        self.assertEqual((loaded.unexpected(), loaded.broken_links()), ([], []))
        self.assertEqual(loaded.words(), html_page.Page(images.read(path)).words())

    def test_light_and_dark_wide_and_narrow(self):
        path = self.report("fix", "--dry-run", pages.fixture("rich_low_80_all_defects_x64"))
        themes = images.read(path).decode("utf-8").split("prefers-color-scheme:dark")
        for scheme, theme, size in zip((browser.LIGHT, browser.DARK), themes, ((900, 900), (400, 1100))):
            colors = {name: bytes.fromhex(value) for name, value in re.findall(r"--([a-z-]+):#([0-9a-f]{6})", theme)}
            file = os.path.join(self.folder, "shot.png")
            visit = browser.screenshot(path, file, size, scheme)
            self.assertEqual((visit.console, visit.requests), ([], []))
            picture = browser.Picture(file)
            self.assertEqual((picture.width, picture.height), size)
            self.assertEqual(bytes(picture.color(0, 0)), colors["bg"])
            seen = picture.colors()
            for name in ("fg", "good", "wx", "wx-key"):
                self.assertTrue(colors[name] in seen, (name, scheme))

    def test_paper_has_everything(self):
        names = ("clean_x64", "init_rwx_x64", "rich_low_80_all_defects_x64", "init_written_refuse_x64", "signed_x64")
        arguments = ["fix", "--dry-run", *(pages.fixture(name) for name in names)]
        path, pdf = self.report(*arguments), os.path.join(self.folder, "report.pdf")
        visit = browser.print_to(path, pdf)
        self.assertEqual((visit.console, visit.requests), ([], []))
        paper = without_blanks(browser.pdf_text(pdf))
        for image in tool.parse(tool.run(*arguments, "--format", "json").stdout):
            self.assertIn(without_blanks(os.path.basename(image["path"])), paper)
            for finding in image["findings"]:
                self.assertIn(without_blanks(finding["message"])[:60], paper)
                self.assertIn(finding["code"], paper)
        self.assertIn(without_blanks("memory integrity forbids it"), paper)  # what is folded on screens


if __name__ == "__main__":
    unittest.main()
