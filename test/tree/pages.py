"""What pages of the documentation have, for docs.py: headings, anchors, sections and links.

Not accounted for: whether what a page links to elsewhere in the web is there.
"""
import pathlib
import re

# Directories that hold no pages of the tree's own.
FOREIGN = {".git", "build", "results", "tmp_check"}


class Section:
    """A heading, its level and anchor, and the text below it, up to the next heading."""

    def __init__(self, level, heading, anchor):
        self.level, self.heading, self.anchor = level, heading, anchor
        self.text = ""

    def names(self):
        """What the heading has in backticks."""
        return re.findall("`([^`]+)`", self.heading)

    def paragraphs(self):
        """What stands between blank lines, each in one line, without what is fenced."""
        return [" ".join(part.split()) for part in re.split(r"\n\s*\n", without_fences(self.text)) if part.strip()]

    def blocks(self):
        """The blocks that are fenced as sql."""
        return re.findall(r"^```sql\n(.*?)^```$", self.text, re.M | re.S)


def without_fences(text):
    return re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.M | re.S)


def slug(heading):
    """The anchor that GitHub gives a heading, if no earlier one has it."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-")


def sections(text):
    """The sections of a page, in its order."""
    found = []
    seen = {}
    fence = None
    for line in text.split("\n"):
        opened = re.match(r" *```", line)
        heading = re.match("(#+) (.*)", line)
        if fence is None and heading:
            anchor = slug(heading[2])
            seen[anchor] = seen.get(anchor, -1) + 1
            found.append(Section(len(heading[1]), heading[2], anchor + ("-%d" % seen[anchor] if seen[anchor] else "")))
            continue
        if opened:
            fence = None if fence else line
        if found:
            found[-1].text += line + "\n"
    return found


def links(text):
    """(text, target) of each link of a page to the tree itself."""
    return [(label, target) for label, target in re.findall(r"\[([^][]*)\]\(([^()\s]+)\)", without_fences(text))
            if not re.match("[a-z]+:", target)]


def rows(text):
    """The cells of each row of the tables in a text, headers and lines below them included."""
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.split("\n") if line.startswith("|")]


def pages(top):
    """The text of every page, by its path below the top."""
    found = {}
    for path in sorted(top.rglob("*.md")):
        place = path.relative_to(top)
        if not FOREIGN & set(place.parts):
            found[place.as_posix()] = path.read_text(encoding="utf-8")
    return found


def place_of(page, target):
    """(page, anchor) that a link of a page leads to; the anchor is "" without one."""
    path, _, anchor = target.partition("#")
    parts = []
    for part in (pathlib.PurePosixPath(page).parent / path).parts if path else pathlib.PurePosixPath(page).parts:
        parts = parts[:-1] if part == ".." else parts + [part]
    return "/".join(parts), anchor


def dangling(top):
    """Each link that leads to no file, or to no heading of a page."""
    texts = pages(top)
    anchors = {page: {section.anchor for section in sections(text)} for page, text in texts.items()}
    for page, text in texts.items():
        for _label, target in links(text):
            path, anchor = place_of(page, target)
            if not (top / path).exists() or (anchor and anchor not in anchors.get(path, ())):
                yield "%s: %s" % (page, target)


def text_at(top, page, target):
    """What a link leads to: the heading and what is below it, or the page."""
    path, anchor = place_of(page, target)
    found = sections((top / path).read_text(encoding="utf-8"))
    if not anchor:
        return "\n".join(section.heading + "\n" + section.text for section in found)
    for number, section in enumerate(found):
        if section.anchor == anchor:
            below = [section]
            for other in found[number + 1:]:
                if other.level <= section.level:
                    break
                below.append(other)
            return "\n".join(each.heading + "\n" + each.text for each in below)
    return ""


# ----- options and settings -----

# How doc/options.md calls the place of an option, by the contexts of its row.
PLACES = {
    frozenset({"ON_SERVER", "ON_TABLE"}): "server or foreign table",
    frozenset({"ON_SERVER"}): "server",
    frozenset({"ON_TABLE"}): "foreign table",
    frozenset({"ON_COLUMN"}): "column of a foreign table",
    frozenset({"ON_MAPPING"}): "user mapping",
    frozenset({"ON_IMPORT"}): "IMPORT FOREIGN SCHEMA",
}

# And who may set it, where that is not the owner.
SETTERS = {
    "FOR_SUPERUSER": ["set by superusers only"],
    "FOR_SUPERUSER_IF_TRUE": ["`true` set by superusers only"],
}


class Option:
    """A row of option_table in src/option.c, as far as a page says it."""

    def __init__(self, fields, names, labels):
        self.name = names.get(fields["name"], fields["name"].strip('"'))
        self.contexts = frozenset(fields["contexts"].split(" | "))
        self.place = PLACES[self.contexts]
        self.preset = fields["preset"].strip('"') if "preset" in fields else None
        self.privilege = fields.get("privilege")
        self.superuser = self.privilege is not None
        self.accepts = accepted(fields, labels)

    def facts(self):
        """What the line below its heading must have."""
        preset = [] if self.preset is None else ["default `%s`" % self.preset]
        return [self.place, *preset, *self.accepts, *SETTERS.get(self.privilege, [])]


class Setting:
    """A setting, as far as a page says it."""

    place = "setting"

    def __init__(self, name, preset, context, accepts):
        self.name, self.preset, self.accepts = name, preset, accepts
        self.superuser = context == "superuser"

    def facts(self):
        """What the line below its heading must have."""
        return ["default `%s`" % self.preset, self.accepts, "set by superusers only" if self.superuser else "set by any role"]


def number(text):
    """The value of a product of C's numbers."""
    product = 1
    for factor in text.split("*"):
        product *= float(factor)
    return product


def accepted(fields, labels):
    """What an option accepts, as a page says it: pieces that must all be there."""
    kind = fields["type"]
    if kind == "OPTION_LABEL":
        return ["`%s`" % label for label in labels[fields["labels"]]]
    if kind == "OPTION_SIZE":
        return ["%dkB to %dMB" % (number(fields["min"]) / 1024, number(fields["max"]) / 1024 / 1024)]
    if kind in ("OPTION_INTEGER", "OPTION_NUMBER", "OPTION_SECONDS"):
        return ["%.10g to %.10g%s" % (number(fields["min"]), number(fields["max"]), " seconds" if kind == "OPTION_SECONDS" else "")]
    if kind == "OPTION_BOOLEAN" and "preset" in fields:
        return ["true or false"]
    if kind == "OPTION_ACCOUNT":
        return ["12 digits"]
    return []


def options(top):
    """The rows of option_table, in its order."""
    source = (top / "src/option.c").read_text(encoding="utf-8")
    names = dict(re.findall(r'^#define (SMF_OPTION_\w+)\s+"(\w+)"', (top / "src/aws/mapping.h").read_text(encoding="utf-8"), re.M))
    labels = {name: re.findall('"(\\w+)"', body)
              for name, body in re.findall(r"(\w+_labels)\[\] = \{(.*?)\}", source, re.S)}
    table = source[source.index("static const SmfOption option_table[] = {"):].split("\n};")[0]
    found = [Option(dict(re.findall(r'\.(\w+) = ("[^"]*"|[^,"]+?)(?=,|$)', row)), names, labels)
             for row in re.findall(r"\{(\.name = [^}]*)\}", table)]
    if len(found) != table.count(".name = "):
        raise ValueError("option_table of src/option.c is not laid out as this program reads it")
    return found
