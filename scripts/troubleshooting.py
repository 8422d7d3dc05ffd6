"""Prints docs/TROUBLESHOOTING.md: every code that the program knows, from what `explain` says. Argument: the program."""

import pathlib
import re
import subprocess
import sys
import textwrap

SOURCE = pathlib.Path(__file__).resolve().parents[1]
HEAD = """\
# What a message means, by its code

Made by `scripts/troubleshooting.py` from what `hvcifix explain CODE` prints. Each entry: what the message says, why, what to do. Rules
(HVCI20xx to HVCI23xx) are treated at length in `RULES.md`; HVCI9xxx are the tool's own.
"""


def said(tool, *words):
    return subprocess.run([tool, *words], capture_output=True, text=True, check=True).stdout


def codes():
    header = (SOURCE / "tool" / "base" / "finding.h").read_text("utf-8")
    return sorted(set(re.findall(r"\bHVCI\d{4}(?=_)", header)))


def parts(text):
    """{heading: its paragraph as one line} of an answer of `explain`."""
    return {head: re.sub(r"\s+", " ", body).strip()
            for head, body in re.findall(r"^([A-Z][^\n]*)\n((?:    [^\n]*\n|\n)+)", text, re.M)}


def entry(tool, code):
    text = said(tool, "explain", code)
    title = text.splitlines()[0].split(",", 1)[1].strip()
    found = parts(text)
    meaning = found["What it means"]
    cure = found.get("What to do")
    if cure is None:
        cure = f"`RULES.md` and `hvcifix explain {code}` have the cure for each tool chain."
        meaning = re.split(r"(?<=\.) ", meaning)[0]
    lines = [f"## {code}: {title}", ""]
    for word, body in (("Why", meaning), ("What to do", cure)):
        body = re.sub(r"([<>*_|])", r"\\\1", body) if "`" not in body else body
        lines += textwrap.wrap(f"{word}: {body}", 140, break_on_hyphens=False, break_long_words=False) + [""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(HEAD + "\n" + "\n".join(entry(sys.argv[1], code) for code in codes()), end="")
