"""What MSBuild takes for a diagnostic, after the patterns of its CanonicalError class.

A line is one when, in its first 400 characters and in any case, it has: an optional origin that ends with a colon
(without further colons but that of a drive letter, which a project number like "12>" may precede), an optional
subcategory without colon that ends with a blank, "error" or "warning", optionally a blank, blanks and a code without
blank or colon, blanks, a colon. Else the shape of gcc and clang counts: file:line:column: error: text.
"""

import re

SCANNED_CHARACTERS = 400

CANONICAL = re.compile(
    r"^\s*"
    r"(?:(?P<origin>(?:\d+>)?[a-z]?:[^:]*|[^:]*):)?"
    r"(?P<subcategory>[^:]*? )?"
    r"(?P<category>error|warning)"
    r"(?: \s*(?P<code>[^: ]*))?\s*:"
    r"(?P<text>.*)$", re.IGNORECASE | re.DOTALL)

COMPILER = re.compile(r"^\s*(?P<origin>.*):[0-9]*:[0-9]*: (?P<category>error|warning):(?P<text>.*)",
                      re.IGNORECASE | re.DOTALL)


def parse(line):
    """(origin, category, code, text) of a diagnostic, or None."""
    head, rest = line[:SCANNED_CHARACTERS], line[SCANNED_CHARACTERS:]
    match = CANONICAL.match(head)
    if match:
        return ((match["origin"] or "").strip(), match["category"].lower(), match["code"] or "",
                (match["text"] + rest).strip())
    match = COMPILER.match(head)
    return (match["origin"].strip(), match["category"].lower(), "", match["text"].strip()) if match else None


def diagnostics(output):
    """All diagnostics in a tool's output; a line ends where .NET's line reader ends it: at CR, LF or both."""
    return [found for found in map(parse, re.split(r"\r\n|\r|\n", output)) if found]
