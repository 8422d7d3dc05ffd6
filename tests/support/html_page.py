"""An HTML report read by html5lib, a parser of its own, and by an XML parser where it holds pictures."""

import re
import xml.etree.ElementTree

import html5lib

TAGS = set("""html head meta link title style body header main nav section footer article figure details summary h1 h2
    h3 h4 p a b bdi br span abbr code ul li dl dt dd div table thead tbody tr th td
    svg desc g path rect circle text""".split())
ATTRIBUTES = set("""lang charset name content http-equiv rel href class id role aria-label tabindex title viewBox
    d x y width height cx cy r""".split())


class Page:
    """A page; raises html5lib.html5parser.ParseError when it is not as HTML says."""

    def __init__(self, data):
        self.source = data.decode("utf-8", "strict")
        self.root = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(data, transport_encoding="utf-8")

    def elements(self, tag=None):
        for element in self.root.iter():
            name = element.tag if isinstance(element.tag, str) else "comment"
            if tag is None or name.rpartition("}")[2] == tag:
                yield name.rpartition("}")[2], element

    def words(self, element=None):
        """What a reader sees of it, each run of blanks as one."""
        root = self.root if element is None else element
        return re.sub(r"\s+", " ", "".join(root.itertext()))

    def of_class(self, tag, name):
        return [element for _, element in self.elements(tag) if name in (element.get("class") or "").split()]

    def images(self):
        """{path: the section with its details}"""
        return {self.words(element.find("h2")): element for element in self.of_class("section", "image")}

    def rows(self, group):
        """Paths of a table of images: 0 attention, 1 repaired, 2 remarks, 3 clean."""
        heading = f'id="group-{group}"'
        if heading not in self.source:
            return []
        part = self.source.split(heading)[1].partition("</table>")[0]
        root = html5lib.parseFragment(part.partition("<tbody>")[2], container="tbody", namespaceHTMLElements=False)
        return [self.words(row.find("td")) for row in root.iter("tr")]

    def unexpected(self):
        """Elements, attributes and addresses that a report has not."""
        found = []
        for name, element in self.elements():
            if name not in TAGS:
                found.append(name)
            for attribute, value in element.attrib.items():
                if attribute not in ATTRIBUTES:
                    found.append(f"{name} {attribute}")
                if attribute in ("href", "src") and value != "data:," and not re.fullmatch(r"#[a-z]+-\d+", value):
                    found.append(f"{name} {attribute}={value}")
        return found

    def broken_links(self):
        """Links to nowhere, and names that are given twice."""
        names = [element.get("id") for _, element in self.elements() if element.get("id")]
        links = [element.get("href")[1:] for _, element in self.elements("a")]
        return sorted(set(links) - set(names)) + sorted(name for name in set(names) if names.count(name) > 1)

    def pictures(self):
        """Each picture, read as XML."""
        return [Picture(source) for source in re.findall(r"<svg.*?</svg>", self.source, re.S)]


class Picture:
    """One <svg>; raises xml.etree.ElementTree.ParseError when it is not well-formed."""

    def __init__(self, source):
        self.root = xml.etree.ElementTree.fromstring(source)
        self.width, self.height = map(int, self.root.get("viewBox").split()[2:])
        self.title, self.description = self.root.findtext("title"), self.root.findtext("desc")

    def columns(self):
        """Of each column from the left, its rows: (letters, name, "first–last", codes)."""
        columns = {}
        for row in self.root.iter("g"):
            texts = {text.get("class").split()[0]: text.text for text in row.iter("text")}
            columns.setdefault(int(row.find("rect").get("x")), []).append(
                (texts["le"], texts["na"], texts["ad"], re.findall(r"HVCI\d+", texts.get("co") or "")))
        return [columns[x] for x in sorted(columns)]

    def outside(self):
        """Blocks that do not lie in the picture."""
        return [rect.attrib for rect in self.root.iter("rect")
                if int(rect.get("x")) + int(rect.get("width")) > self.width or int(rect.get("y")) < 0
                or int(rect.get("y")) + int(rect.get("height")) > self.height]
