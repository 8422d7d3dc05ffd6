"""Coverage of tool/, read from gcov's own counters in a build made with --coverage."""

import json
import pathlib
import subprocess


def reset(build):
    """Forgets what earlier runs counted."""
    for counters in pathlib.Path(build).rglob("*.gcda"):
        counters.unlink()


def count_lines(build, source):
    """{file: {line: times it ran}} for the files of tool/."""
    files = {}
    for notes in sorted(pathlib.Path(build, "obj", "tool").rglob("*.gcno")):
        done = subprocess.run(["gcov", "--json-format", "--stdout", "--object-file", notes, notes], cwd=source,
                              capture_output=True, check=False)
        for text in done.stdout.splitlines():
            for file in json.loads(text)["files"]:
                if not file["file"].startswith("tool/"):
                    continue
                lines = files.setdefault(file["file"], {})
                for line in file["lines"]:
                    number = line["line_number"]
                    lines[number] = lines.get(number, 0) + line["count"]
    return files


def ranges(numbers):
    """[1, 2, 3, 7] -> "1-3 7"."""
    parts, numbers = [], sorted(numbers)
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return " ".join(f"{first}-{last}" if first != last else f"{first}" for first, last in parts)


def report(build, source, uncovered_path):
    """Prints a line for each file and a total; writes the lines that never ran to a file."""
    files = count_lines(build, source)
    total = covered_total = 0
    print("\ncoverage of tool/ (lines that ran / lines with code)")
    with open(uncovered_path, "w", encoding="utf-8") as uncovered:
        for name, lines in sorted(files.items()):
            covered = sum(1 for count in lines.values() if count)
            total += len(lines)
            covered_total += covered
            print(f"  {name:<50} {covered:>5} / {len(lines):<5} {100 * covered / max(len(lines), 1):5.1f} %")
            missed = [number for number, count in lines.items() if not count]
            if missed:
                uncovered.write(f"{name}: {ranges(missed)}\n")
    print(f"  {'total':<50} {covered_total:>5} / {total:<5} {100 * covered_total / max(total, 1):5.1f} %")
    print(f"  lines that never ran: {uncovered_path}\n")
