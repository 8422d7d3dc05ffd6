"""The HTML report, read by html5lib and, its pictures, by an XML parser: no error, nothing of an image, a path or a
policy that becomes markup, and nothing missing. What pictures say of sections is compared with llvm-readobj, what the
page says of findings with the JSON report. Browsers: test_report_html_browser.py.
"""

import gzip
import os
import pathlib
import re
import shutil
import struct
import tempfile
import unittest

import html5lib

from support import html_page, images, matrix, readobj, tool

TODAY = {"SOURCE_DATE_EPOCH": str(20779 * 86400 + 3600)}  # 2026-11-22
RIGHTS = (("R", 0x40000000), ("W", readobj.WRITE), ("X", readobj.EXECUTE), ("d", readobj.DISCARDABLE))
CONTRAST, GRAPHICS_CONTRAST = 4.5, 3.0  # of WCAG 2.1, 1.4.3 and 1.4.11

SECTION_NAMES = [b"</svg><script>alert(1)</script>", b"\"'><img src=http://outside.example/x.png onerror=alert(1)>",
                 "a\u202ecod.sys".encode(), b"\xff\xfe\x80\xc3&lt;&#x3c;", b"]]>--><!--\x01\x1b[2J",
                 "\u05d0\u05d1 12".encode(), "\ufffe\u200b\U0001fffe\u061c".encode(), b"</title></style>", b"x" * 3000]
PATHS = [b"<script>alert(2)<x>.sys", b"\"onmouseover=alert(3) x='.sys", b"new\nline.sys", b"\xff\xfebytes.sys",
         "\u202esys.exe".encode(), "\u05d0\u05d1 12 error.sys".encode(), b"&amp;&lt;.sys", b"  two  spaces  .sys",
         b"x" * 200 + b".sys", "\u4e2d\u6587.sys".encode()]
POLICY = """[policy]
name = </style><script>alert(4)</script> "quoted" \u202eevil
mode = audit
[waiver "<b>bold</b>"]
image = *all_defects*
code = HVCI2003
reason = <img src=http://outside.example/x.png> &amp; "the vendor" is asked
owner = "><svg onload=alert(5)>
expires = 2027-03-31
[waiver "soon"]
image = *
code = HVCI2102
section = *
reason = It is old.
owner = drivers@contoso.example
expires = 2026-11-30
"""


def fixture(file_name):
    return next(fixture.path for fixture in matrix.read() if fixture.file_name == file_name)


def with_section_names(data, names):
    """The image with its sections renamed, by a string table at its end where they are long."""
    pe = images.Headers(data).pe
    data, strings = bytearray(data), b""
    for section, name in zip(pe.sections, names):
        if len(name) > 8:
            name, strings = b"/%d" % (4 + len(strings)), strings + name + b"\0"
        data[section.get_file_offset():section.get_file_offset() + 8] = name.ljust(8, b"\0")
    if strings:
        symbols = pe.FILE_HEADER.get_field_absolute_offset("PointerToSymbolTable")
        data[symbols:symbols + 8] = len(data).to_bytes(4, "little") + bytes(4)
        data += (4 + len(strings)).to_bytes(4, "little") + strings
    return bytes(data)


def image_of_sections(sections):
    """A driver for x64 that consists of empty sections: [(name, pages, characteristics)]."""
    headers = bytearray(b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40))
    rva, table = 0x10000, b""
    for name, pages, flags in sections:
        table += struct.pack("<8sIIIIIIHHI", name.encode(), pages * 4096, rva, 0, 0, 0, 0, 0, 0, flags)
        rva += pages * 4096
    headers += b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, len(sections), 0, 0, 0, 240, 0x22)
    headers += struct.pack("<HBBIIIIIQIIHHHHHHIIIIHHQQQQII", 0x20B, 14, 0, 0, 0, 0, 0, 0x1000, 0x140000000, 4096, 512, 10,
                           0, 10, 0, 10, 0, 0, rva, 0x10000, 0, 1, 0x160, 1 << 20, 4096, 1 << 20, 4096, 0, 16) + bytes(128)
    return bytes(headers + table).ljust(0x10000, b"\0")


class Pages(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def put(self, name, data):
        path = os.path.join(os.fsencode(self.folder), os.fsencode(name))
        with open(path, "wb") as file:
            file.write(data)
        return os.fsdecode(path)

    def page(self, *arguments):
        """(the page that `arguments --format html` prints, read; the JSON report of the same run)"""
        done = tool.run(*arguments, "--format", "html", environment=TODAY)
        json = tool.parse(tool.run(*arguments, "--format", "json", environment=TODAY).stdout)
        return html_page.Page(done.stdout), json

    def assert_sound(self, page):
        self.assertEqual((page.unexpected(), page.broken_links()), ([], []))
        for picture in page.pictures():
            self.assertEqual(picture.outside(), [])
            self.assertTrue(picture.title and picture.description)

    def assert_said(self, text, words):
        if re.sub(r"\s+", " ", text) not in words:
            self.fail(f"{text!r} is not on the page")

    def hostile(self):
        """Images and a policy that say nothing but markup: the words of a command."""
        paths = [self.put(f"{number}-{name}.sys", with_section_names(images.read(fixture(name)), names))
                 for number, names in enumerate((SECTION_NAMES, SECTION_NAMES[::-1]))
                 for name in ("all_defects_x64", "rich_low_80_all_defects_x64", "init_written_refuse_x64")]
        paths += [self.put(name, images.read(fixture("init_rwx_x64"))) for name in tool.nameable(PATHS)]
        return ["enforce", "--policy", self.put("policy.ini", POLICY.encode()), *paths]


class Parsed(Pages):
    def test_the_parsers_can_object(self):
        for broken in ("<!DOCTYPE html><p></svg>", "<!DOCTYPE html><title>x</title><a b=1 b=2>", "<p>x"):
            with self.assertRaises(html5lib.html5parser.ParseError):
                html_page.Page(broken.encode())
        page = html_page.Page(b"<!DOCTYPE html><title>x</title><script src=http://x/></script><a href=#y-1 onclick=z>x</a>")
        self.assertEqual(page.unexpected(), ["script", "script src", "script src=http://x/", "a onclick"])
        self.assertEqual(page.broken_links(), ["y-1"])

    def test_hostile_words_stay_words(self):
        page, report = self.page(*self.hostile())
        self.assert_sound(page)
        words = page.words()
        for text in ('</style><script>alert(4)</script> "quoted" \\xE2\\x80\\xAEevil', "<b>bold</b>",
                     '<img src=http://outside.example/x.png> &amp; "the vendor" is asked', '"><svg onload=alert(5)>',
                     "</svg><script>alert(1)</script>", "\\xFF\\xFE\\x80\\xC3&lt;&#x3c;", "\\xEF\\xBF\\xBE", "\\xD8\\x9C"):
            self.assertIn(text, words)
        self.assertIsNone(re.search("[\0-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffe]",
                                    page.source))
        self.assertEqual(sum(len(page.rows(group)) for group in range(4)), len(report))

    def test_everything_that_the_json_report_says(self):
        """Findings with cure, changes with proof, waivers with reason, owner and end, under the image's own heading."""
        names = ("clean_x64", "init_rwx_x64", "rich_low_80_all_defects_x64", "straddle_low_80_all_defects_x86",
                 "init_written_refuse_x64", "user_wx_text_x64", "signed_x64", "all_defects_arm64")
        paths = [fixture(name) for name in names] + [self.put("no image.sys", b"no image")]
        policy = self.put("policy.ini", re.sub(r"(name = ).*", r"\1Contoso", POLICY).encode())
        for arguments in (["fix", "--dry-run", *paths], ["check", "--policy", policy, *paths]):
            page, report = self.page(*arguments)
            self.assert_sound(page)
            details = page.images()
            clean = [image["path"] for image in report if image["status"] == "clean"]
            self.assertEqual(page.rows(3), clean)
            self.assertEqual(sorted(details), sorted(image["path"] for image in report if image["path"] not in clean))
            for image in report:
                if image["path"] in clean:
                    continue
                words = page.words(details[image["path"]])
                remaining = image.get("remaining_findings", [])
                old = {finding["code"] for finding in remaining}  # where some are left, those are told
                for finding in remaining + [finding for finding in image["findings"] if finding["code"] not in old]:
                    waiver = finding.get("waiver", {})
                    for text in (finding["code"], finding["message"], finding["windows"], finding["cure"],
                                 *finding["evidence"][:16], *(waiver[key] for key in waiver)):
                        # A refusal repeats the cure of the finding that it is about.
                        if text and not (finding["code"] == "HVCI9022" and text == finding["cure"]):
                            self.assert_said(text, words)
                for change in image["changes"]:
                    for text in (change["why"], change["proof"], change["assurance"], change["new"]):
                        self.assert_said(text or "", words)
                for difference in image.get("verification", {}).get("differences", []):
                    self.assert_said(difference["why_allowed"], words)

    def test_the_findings_of_a_baseline_are_counted(self):
        image, baseline = fixture("init_rwx_x64"), os.path.join(self.folder, "old.sarif")
        tool.run("check", "--quiet", image, "--report", baseline)
        for arguments, count in (([], 0), (["--baseline", baseline], 1)):
            page, report = self.page("check", image, *arguments)
            known = sum(finding.get("known", False) for finding in report[0]["findings"])
            tiles = [page.words(tile) for _, tile in page.elements("li") if "baseline" in page.words(tile)]
            self.assertEqual((known, tiles), (count, ["1 of them in the baseline"] * count))
            self.assertEqual(baseline in page.words(page.of_class("dl", "facts")[0]), bool(arguments))

    def test_a_mode_without_a_policy_file(self):
        page, _ = self.page("enforce", "--mode", "audit", fixture("clean_x64"))
        self.assertRegex(page.words(page.of_class("dl", "facts")[0]), "Policy ?built in ?Its mode ?audit")

    def test_two_thousand_images(self):
        """Clean images have one line each, and no picture. Slow builds of the tool get fewer."""
        count = 2000 if os.environ["HVCIFIX_VARIANT"] == "plain" else 100
        clean, broken = images.read(fixture("clean_x64")), images.read(fixture("init_rwx_x64"))
        for number in range(count):
            self.put(f"{number:04}.sys", broken if number in (3, count - 1) else clean)
        page = self.put("page.html", b"")
        done = tool.run("check", "--quiet", self.folder, "--report", page, alone=True)  # compared by other tests
        self.assertEqual(done.returncode, 0, done.stderr)
        page = html_page.Page(images.read(page))
        self.assert_sound(page)
        self.assertEqual([len(page.rows(group)) for group in range(4)], [0, 0, 2, count - 2])
        self.assertEqual(len(page.pictures()), 2)
        self.assertLess(len(page.source), 30_000 + 300 * count)

    def test_the_same_bytes_whatever_the_day_and_the_threads(self):
        paths = [fixture(name) for name in ("clean_x64", "rich_low_80_all_defects_x64", "init_written_refuse_x64")] * 4
        pages = {tool.run("fix", "--dry-run", "--format", "html", "-j", jobs, *paths, environment=day).stdout
                 for jobs, day in (("1", {}), ("4", {"SOURCE_DATE_EPOCH": "0"}))}
        self.assertEqual(len(pages), 1)

    def test_compressed(self):
        plain, packed = self.put("a.html", b""), self.put("a.html.gz", b"")
        tool.run("check", "--quiet", fixture("init_rwx_x64"), "--report", plain, "--report", packed)
        self.assertEqual(gzip.decompress(images.read(packed)), images.read(plain))


class Pictures(Pages):
    @staticmethod
    def by_readobj(path):
        """[(letters, name)] of the sections in order of address; of images without odd alignment."""
        sections = [readobj.Section(part) for part in readobj.read("--sections", path).split("Section {")[1:]]
        return [("".join(letter if section.flags & flag else "" if letter == "d" else "-" for letter, flag in RIGHTS),
                 section.name) for section in sorted(sections, key=lambda section: section.rva)]

    @staticmethod
    def joined(rows):
        """Without the headers, neighbours that look alike joined."""
        rows = [row for row in rows if row[1] != "headers"]
        return [row for row, last in zip(rows, [None, *rows]) if row != last]

    def test_before_and_after_are_what_llvm_readobj_reads(self):
        moved = 0
        for name in ("init_rwx_x64", "rich_wx_text_x64", "rich_iat_in_text_x64", "straddle_init_rwx_x86", "rich_low_80_x64"):
            path, out, page = fixture(name), os.path.join(self.folder, name), self.put("page.html", b"")
            self.assertEqual(tool.run("fix", path, "-o", out, "--report", page).returncode, 0)
            page = html_page.Page(images.read(page))
            self.assert_sound(page)
            (picture,) = page.pictures()
            before, after = picture.columns()
            if "low_" in name:  # mapped as one piece
                self.assertEqual({letters for letters, _, _, _ in before}, {"RWX"})
            else:
                self.assertEqual(self.joined(row[:2] for row in before), self.joined(self.by_readobj(path)), name)
            self.assertEqual(self.joined(row[:2] for row in after), self.joined(self.by_readobj(out)), name)
            self.assertTrue(any("W" in letters and "X" in letters or codes for letters, _, _, codes in before))
            self.assertFalse(any("W" in letters and "X" in letters for letters, _, _, _ in after))
            moved += bool(page.of_class("table", "moves"))
        self.assertGreater(moved, 0)

    def test_every_piece_that_leaves_has_its_number(self):
        page, _ = self.page("fix", "--dry-run", fixture("rich_low_80_all_defects_x64"))
        (table,) = page.of_class("table", "moves")
        numbers = [page.words(number) for number in table.iter("span") if number.get("class") == "number"]
        (picture,) = page.pictures()
        drawn = [text.text for text in picture.root.iter("text") if text.get("class") == "nu"]
        self.assertEqual(sorted(drawn), numbers)
        self.assertEqual(numbers, ["1", "2", "3"])

    def test_thousands_of_pages_fit_one_sheet(self):
        flags = (0x40000040, 0xC0000080, 0x60000020)
        sections = [(f"s{number}", 1 + number * 7 % 90, flags[number % 3]) for number in range(1200)]
        sections[1100] = ("bad", 3, 0xE0000020)
        page, report = self.page("check", self.put("large.sys", image_of_sections(sections)))
        self.assertIn("HVCI2003", [finding["code"] for finding in report[0]["findings"]])
        self.assert_sound(page)
        (picture,) = page.pictures()
        (rows,) = picture.columns()
        self.assertLess(len(rows), 30)
        bad = [row for row in rows if "HVCI2003" in row[3]]
        self.assertEqual([(letters, name) for letters, name, _, _ in bad], [("RWX", "bad")])
        ends = [tuple(int(end, 16) for end in addresses.split("–")) for _, _, addresses, _ in rows]
        self.assertEqual(ends[0][0], 0)
        for (_, last), (first, _) in zip(ends, ends[1:]):
            self.assertEqual(last + 1, first)
        self.assertEqual(ends[-1][1], 0xFFFF + 4096 * sum(pages for _, pages, _ in sections))
        self.assertLess(len(page.source), 60_000)

    def test_colours_can_be_told_from_their_ground(self):
        def luminance(color):
            parts = [int(color[i:i + 2], 16) / 255 for i in (1, 3, 5)]
            parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
            return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

        def contrast(a, b):
            lighter, darker = sorted((luminance(a), luminance(b)), reverse=True)
            return (lighter + 0.05) / (darker + 0.05)

        self.assertAlmostEqual(contrast("#777777", "#ffffff"), 4.48, 2)  # known to fail by a little
        style = (pathlib.Path(os.environ["HVCIFIX_SOURCE"]) / "tool" / "report" / "html_style.c").read_text("utf-8")
        themes = [dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{6})", part)) for part in style.split("prefers-color-scheme:dark")]
        for theme in (themes[0], themes[1].copy()):
            self.assertEqual(set(theme), set(themes[0]))
            for text in ("fg", "muted", "link", "error", "warning", "note", "good", "waived"):
                for ground in ("bg", "panel"):
                    self.assertGreaterEqual(contrast(theme[text], theme[ground]), CONTRAST, (text, ground))
            for kind in ("r", "rw", "rx", "wx", "mix"):
                for text in ("fg", "muted", "error", "note"):
                    self.assertGreaterEqual(contrast(theme[text], theme[kind]), CONTRAST, (text, kind))
                self.assertGreaterEqual(contrast(theme["on"], theme[kind + "-key"]), CONTRAST, kind)
                self.assertGreaterEqual(contrast(theme["bg"], theme[kind + "-key"]), GRAPHICS_CONTRAST, kind)
            self.assertGreaterEqual(contrast(theme["on"], theme["go"]), CONTRAST)
