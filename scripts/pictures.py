"""Prints one of docs/pictures: the pages of a driver before and after its repair, as an SVG that stands alone.

The drawing and its colours are those of the HTML report of a dry run. Arguments: the program, the driver, options of fix.
"""

import re
import subprocess
import sys

MARGIN = 12  # units of the drawing
IN_A_PICTURE = re.compile(r"svg |\.(?:r|rw|rx|wx|mix|none|new) \.")  # how the lines of the style begin that are about one


def style_of(page):
    """Colours for light and dark, and what the lines on pictures say; the ground is the page's."""
    lines = page[page.index("<style>") + len("<style>"):page.index("</style>")].splitlines()
    colours = [line for line in lines if ":root{" in line]
    font = re.search(r"^svg\{.*?(font-family:[^}]*)\}", "\n".join(lines), re.M | re.S)[1]
    return "\n".join([*colours, f"svg{{background:var(--bg);{font}}}", *filter(IN_A_PICTURE.match, lines)])


def picture(tool, image, options):
    page = subprocess.run([tool, "fix", *options, "--dry-run", "--format", "html", image], capture_output=True,
                          encoding="utf-8", check=True).stdout
    width, height, content = re.search(r'<svg role="img" viewBox="0 0 (\d+) (\d+)">(.*?</svg>\n)', page, re.S).groups()
    width, height = int(width) + 2 * MARGIN, int(height) + 2 * MARGIN
    return (f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{height}" '
            f'viewBox="{-MARGIN} {-MARGIN} {width} {height}">\n<style>{style_of(page)}</style>\n{content}')


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    print(picture(sys.argv[1], sys.argv[2], sys.argv[3:]), end="")
