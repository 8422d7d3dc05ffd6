"""`help`: manual pages and completion say what --help and `policy init` say, and programs that read them are content.

mandoc and groff judge the pages, bash completes by its script. No package brings a parser of PowerShell: of that script
the quoting and the lists are looked at.
"""

import os
import re
import subprocess
import tempfile
import unittest

from support import tool

OPTION = re.compile(r"  (?:(-\w), )?(--[\w-]+)(?: (\S+))? +(.*)")


def said(*arguments):
    done = tool.run(*arguments)
    assert (done.returncode, done.stderr) == (0, b""), done
    return done.stdout.decode("ascii")


def verbs():
    """{verb: (arguments, summary)} of --help."""
    listed = re.findall(r"^  ([a-z]+) +(\S.*)$", said("--help"), re.M)
    return dict(listed)


def options(verb):
    """[(short name, name, value name, help)] of `VERB --help`."""
    lines = said(verb, "--help").partition("\nOptions:\n")[2].partition("\n\nExample:")[0].splitlines()
    return [OPTION.fullmatch(line).groups("") for line in lines]


def policy_keys():
    """{section: keys} of the file that `policy init` writes."""
    found = {}
    for line in said("policy", "init").splitlines():
        section, key = re.fullmatch(r";?\[(\w+).*\]", line), re.fullmatch(r";([\w-]+) = .*", line)
        if section:
            keys = found.setdefault(section[1], [])
        elif key:
            keys.append(key[1])
    return found


SAME = tool.not_on_windows("its texts are the same, which Words looks at")


@SAME
class Manuals(unittest.TestCase):
    def page(self, topic):
        """The page as a reader sees it, its blanks made one."""
        path = os.path.join(tempfile.mkdtemp(prefix="hvcifix-test-"), topic)
        with open(path, "w", encoding="ascii") as file:
            file.write(said("help", topic))
        judged = subprocess.run(["mandoc", "-T", "lint", path], capture_output=True, text=True, check=False)
        self.assertEqual((judged.returncode, judged.stdout, judged.stderr), (0, "", ""))
        judged = subprocess.run(["man", "-l", "--warnings", path], capture_output=True, text=True, check=False,
                                env=dict(os.environ, LC_ALL="C.UTF-8", MANWIDTH="100"))
        self.assertEqual((judged.returncode, judged.stderr), (0, ""))
        shown = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=1000", path], capture_output=True, check=True)
        text = re.sub(r".\x08", "", shown.stdout.decode("ascii"))
        return text, re.sub(r"\s+", " ", text)

    def test_the_tool(self):
        text, words = self.page("manual")
        for verb in verbs():
            part = text.partition(f"\n   {verb}\n")[2].partition("Options:")[2].partition("\n\n")[0]
            self.assertEqual(sorted(re.findall(r"--[\w-]+", part)),
                             sorted(name for _, name, _, _ in options(verb)), verb)
            self.assertIn(f" hvcifix {verb} [OPTION]... ", words)
            about = said(verb, "--help").partition("\n\n")[2].partition("\n\nOptions:")[0]
            self.assertIn(re.sub(r"\s+", " ", about), words)
            for short, name, value, about in options(verb):
                head = " ".join(filter(None, [short and short + ",", name, value]))
                self.assertIn(f" {head} {re.sub(r' +', ' ', about)}", words)
        for code, meaning in re.findall(r"^  (\d)  (.*)$", said("--help"), re.M):
            self.assertIn(f" {code} {meaning} ", words)

    def test_the_policy(self):
        text, _ = self.page("policy-manual")
        keys = policy_keys()
        self.assertGreaterEqual(len(keys), 4)
        rules = keys["rules"]
        self.assertEqual(keys["fix"], rules)
        for section, names in keys.items():
            part = re.split(r"\n {3}\[", text)
            part = next(part for part in part if part.startswith(section))
            found = [name for name in re.findall(r"^ +([\w-]+) = ", part.partition("\nRULES")[0], re.M)]
            self.assertEqual(found, ["HVCInnnn"] if names == rules else names)
        self.assertEqual(re.findall(r"^ +(HVCI\d{4})$", text.partition("\nRULES")[2], re.M), rules)


@SAME
class Bash(unittest.TestCase):
    def complete(self, *words, cwd=None):
        """What bash offers for the last of the words."""
        script = 'source /dev/stdin; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _hvcifix; printf "%s\\n" "${COMPREPLY[@]}"'
        done = subprocess.run(["bash", "--norc", "-uc", script, "bash", "hvcifix", *words], input=said("help", "bash"),
                              capture_output=True, text=True, check=False, cwd=cwd)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.split("\n")[:-1] if done.stdout != "\n" else []

    def test_it_is_registered(self):
        done = subprocess.run(["bash", "--norc", "-c", "source /dev/stdin; complete -p hvcifix"], text=True,
                              input=said("help", "bash"), capture_output=True, check=True)
        self.assertEqual(done.stdout, "complete -F _hvcifix hvcifix\n")

    def test_verbs_and_options(self):
        self.assertEqual(self.complete(""), list(verbs()))
        self.assertEqual(self.complete("ch"), ["check"])
        for verb in verbs():
            listed = [name for short, long, _, _ in options(verb) for name in (short, long) if name]
            self.assertEqual(sorted(self.complete(verb, "-")), sorted(listed))

    def test_values(self):
        self.assertEqual(self.complete("check", "--color", ""), ["auto", "always", "never"])
        for words in (["--format", "js"], ["--format", "=", "js"]):
            self.assertEqual(self.complete("check", *words), ["json"])
        self.assertIn("text", self.complete("check", "--format", "="))
        self.assertIn("server-2019", self.complete("fix", "--target", "ser"))
        self.assertIn("HVCI2005", self.complete("explain", "HVCI20"))
        self.assertEqual(self.complete("policy", "i"), ["init"])
        self.assertEqual(self.complete("policy", "init", "--preset", "w"), ["windows-11", "windows-10-1507", "whcp"])
        self.assertEqual(self.complete("check", "-j", ""), [])

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("a b.sys", "a'c.sys"):
                open(os.path.join(folder, name), "w", encoding="ascii").close()
            for words in (["check", "a"], ["fix", "a b.sys", "-o", "a"], ["policy", "check", "a"],
                          ["link", "--policy", "x", "--", "a"], ["enforce", "--policy", "=", "a"]):
                self.assertEqual(sorted(self.complete(*words, cwd=folder)), ["a b.sys", "a'c.sys"], words)


@SAME
class PowerShell(unittest.TestCase):
    def test_quoting_and_lists(self):
        script = said("help", "powershell")
        code = "\n".join(line for line in script.splitlines() if not line.lstrip().startswith("#"))
        bare = re.sub(r"'(?:[^'\n]|'')*'|\"[^\"\n`]*\"", "", code)
        self.assertNotIn("'", bare)
        for opening, closing in ("()", "{}", "[]"):
            self.assertEqual(bare.count(opening), bare.count(closing))
        listed = re.search(r"\$options = @\{\n(.*?)\n    \}", script, re.S)[1]
        for verb in verbs():
            row = re.search(rf"'{verb}' = @\((.*)\)", listed)[1]
            self.assertEqual(re.findall(r"'(-[^']*)'", row),
                             [name for short, long, _, _ in options(verb) for name in (short, long) if name])


class Words(unittest.TestCase):
    def test_verbs_and_what_there_is_not(self):
        listed = re.search(r"\nhvcifix help TOPIC prints .*: (.*)\.\n", said("help"))[1].split(", ")
        self.assertEqual(listed, ["manual", "policy-manual", "bash", "powershell"])
        for topic in listed:
            self.assertGreater(len(said("help", topic)), 2000)
        for verb in ["check"] if tool.IS_WINDOWS else verbs():
            self.assertEqual(said("help", verb), said(verb, "--help"))
        self.assertEqual(said("help"), said("--help"))
        done = tool.run("help", "gibberish\x1b")
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn(b'There is no verb or topic "gibberish\\x1B"', done.stderr)
        self.assertEqual(tool.run("help", "a", "b").returncode, 2)


if __name__ == "__main__":
    unittest.main()
