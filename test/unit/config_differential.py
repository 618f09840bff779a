"""Checks that config files, made by hand and at random, are read as botocore reads them; prints TAP.

	config_differential.py build/config_driver

Each file is read in two ways, by its sections as they are written (the credentials file) and by
its profiles, sso-sessions and services (the config file): all settings are the same, and so are the
settings below settings; or both find it unreadable, for the same reason, and ours names the first line with
which botocore does.

What differs on purpose is in KNOWN, and for a file that has it the judge is botocore with just that
put right.  Seeded, so a difference can be reproduced.
"""
import configparser
import os
import random
import re
import subprocess
import sys
import tempfile

import botocore.configloader
import botocore.exceptions

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tree"))
from tap import check, done  # noqa: E402

FILES = 8000
BATCH = 1000
SEED = "config files"
MARK = "\ufeff"

# Numbers of ConfigProblem, by what botocore raises.
PROBLEMS = {"UnicodeDecodeError": 1, "MissingSectionHeaderError": 2, "ParsingError": 3, "DuplicateSectionError": 4,
            "DuplicateOptionError": 5}
NOT_TEXT, NO_SETTING = 1, 3


class Parser(configparser.RawConfigParser):
    """The parser that botocore uses, or one that folds the case of ASCII letters only."""

    ascii_keys = False

    def optionxform(self, optionstr):
        if not self.ascii_keys:
            return super().optionxform(optionstr)
        return re.sub("[A-Z]", lambda found: found.group().lower(), optionstr)


def has_mark(data):
    return data.startswith(MARK.encode())


def has_nul(data):
    return b"\0" in data


def has_letters(data):
    """A letter outside ASCII that has a lower case."""
    text = data.decode("utf-8", "replace")
    return any(not letter.isascii() and letter != letter.lower() for letter in text)


# What differs on purpose, and which files may have it.
KNOWN = {"a byte order mark is skipped": has_mark, "a NUL byte is an error": has_nul,
         "keys in other letters than ASCII's are told apart by case": has_letters}


def load(path, subsections):
    """What botocore reads from the file, in both ways, by kind and name."""
    raw = botocore.configloader.raw_config_parse(path, subsections)
    found = {("section", name): settings for name, settings in raw.items()}
    mapped = botocore.configloader.build_profile_map(raw)
    # older versions know no services, which newer ones read by the same rule
    services = botocore.configloader.build_profile_map(
        {"profile" + name[len("services"):]: settings for name, settings in raw.items() if name.startswith("services")})
    for kind, named in (("profile", mapped["profiles"]), ("sso-session", mapped["sso_sessions"]), ("services", services["profiles"])):
        found.update(((kind, name), settings) for name, settings in named.items())
    return found


def has_name_twice(headers):
    """Do two of them mean the same profile?"""
    names = [name for header in headers for name in botocore.configloader.build_profile_map({header: {}})["profiles"]]
    return len(names) > len(set(names))


def judge(path, data, corrected, subsections=True):
    """botocore's answer: what it reads, or the name of the exception that it raises."""
    Parser.ascii_keys = corrected
    if corrected and has_nul(data):
        return "NUL"
    if corrected and has_mark(data):
        data = data[len(MARK.encode()):]
    with open(path, "wb") as file:
        file.write(data)
    try:
        return load(path, subsections)
    except botocore.exceptions.ConfigParseError as problem:
        return type(problem.kwargs["error"]).__name__


def is_first_problem(path, data, corrected, line, problem):
    """Is the line the first that makes the file unreadable, for that reason?"""
    lines = re.findall(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$", data)
    until = judge(path, b"".join(lines[:line]), corrected, False)
    return isinstance(judge(path, b"".join(lines[:line - 1]), corrected, False), dict) and \
        isinstance(until, str) and PROBLEMS[until] == problem


def encoded(text):
    return text.encode().hex() or "-"


def fields_of(found):
    """What the driver prints for these sections."""
    fields = []
    for (kind, name), settings in found.items():
        section = "%s %s" % (kind, encoded(name))
        fields.append(section)
        for key, value in settings.items():
            setting = "%s %s" % (section, encoded(key))
            if isinstance(value, dict):
                fields.append(setting + " nested")
                fields += ["%s %s %s" % (setting, encoded(nested), encoded(value[nested])) for nested in ASKED if nested in value]
            else:
                fields.append("%s %s" % (setting, encoded(value)))
    return sorted(fields)


def agrees(path, data, answer, theirs, corrected):
    if isinstance(theirs, str):
        if not answer.startswith("unreadable "):
            return False
        line, problem = map(int, answer.split()[1:])
        if theirs == "NUL":
            return problem == NOT_TEXT
        # botocore reads what is below settings when all else is well, and knows no line then
        return problem == NO_SETTING if theirs == "ValueError" else is_first_problem(path, data, corrected, line, problem)
    ours = answer.split("\t")
    # a value that has settings below it is shown as it is in the file, which botocore does not keep
    fields = [re.sub(r"^(\S+ \S+ \S+) 0a\S*$", r"\1 nested", field) for field in ours[1:]]
    return ours[0] == "readable" and sorted(fields) == fields_of(theirs)


# What random files are made of.
NAMES = ["p", "p", "p", "default", "default", "q", "p q", "P", "\u00e4", "x#y", "p]", "a=b", "a:b", "", "\u3000", "it's", 'say "x"', "b\\c"]
KINDS = ["profile", "profile", "profile", "sso-session", "services", "profiles", "profile-x", "Profile", "preview"]
KEYS = ["region", "region", "aws_access_key_id", "AWS_Access_Key_Id", "s3", "S3", "sagemaker", "services", "a b", "\u00e4", "[x", "k\u00a0",
        "credential_process", "x;y", "#x", "sso_region", "'q'", "-", "\u200bz"]
VALUES = ["", "", "eu-west-1", "a = b", "x # no comment", "x ; neither", "\u00e4\u00f6\u20ac", "  padded\t", "'quoted'", "[profile p]",
          "%(region)s", "$HOME", "\u00a0no-break\u00a0", "a\u2028b = c", "a\x0cb", "x" * 300, "\\", "=", "a\x1cb", "a\x85b"]
DELIMITERS = [" = ", "=", "= ", " =", ":", " : ", "\t=\t", "\u00a0=\u00a0", "==", "=:", ":="]
BLANKS = [" ", "  ", "\t", " \t ", "    ", "\u00a0", "\u2003 ", "\x0b", "\x0c", "\x1f", "\u3000"]
NESTED = ["endpoint_url", "max_concurrent_requests", "a", "A", "a b", ""]
ASKED = [nested for nested in NESTED if nested]
GARBAGE = ["what", "[", "[]", "[p", "]", "= x", ":", "[]]", "p]", "\u00e9", "<<<<<<< HEAD", "\u2028", "export X=1", MARK,
           "[\u2028]", "\u180e"]

NO_TEXT = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xe4", b"\xf4\x90\x80\x80", b"\xf0\x80\x80\x80", b"\0", b"\0", b"\xc3"]


def quoted(rng, name):
    """A header's name, written in one of the possible ways or in an invalid one."""
    way = rng.randrange(8)
    if way < 3:
        return name
    if way < 5:
        return '"%s"' % name
    if way == 5:
        return "'%s'" % name
    if way == 6:
        return "".join(rng.choice(["", "", "\\"]) + letter for letter in name)
    at = rng.randrange(len(name) + 1)
    return name[:at] + rng.choice(['"', "'", '""', "''", "\\", '"\\"']) + name[at:]


def header(rng):
    way = rng.randrange(10)
    if way == 0:
        return "[default]"
    if way == 1:
        return "[DEFAULT]"
    if way == 2:
        return "[%s]" % rng.choice(NAMES + KINDS)
    if way < 6:
        return rng.choice(["[profile %s]", "[profile  %s]", '[profile "%s"]', "[profile '%s' ]"]) % rng.choice(["p", "q", "default"])
    inner = rng.choice(KINDS) + rng.choice([" ", " ", " ", "  ", "\t", "", "\u00a0", '" ', "' '"]) + quoted(rng, rng.choice(NAMES))
    if way == 6:
        inner = rng.choice(["", " "]) + inner + rng.choice([" ", " x", "]", "\t", ' "', "\u00a0"])
    return "[%s]" % inner + rng.choice(["", "", "", "", " ", " # x", "]", "x", " = y"])


def effective(text):
    """What two lines have in common if a parser takes them for the same section or the same key."""
    text = text.strip()
    if text.startswith("[") and text.rfind("]") > 1:
        return "[", text[1:text.rfind("]")]
    return "=", re.split("[=:]", text)[0].strip().lower()


def make(rng):
    """Make one file."""
    tame = rng.random() < 0.8
    indent = rng.choice(["", "", "", "", " ", "\t", "\u00a0"])
    lines, headers, keys, nest = [], set(), set(), False
    for _ in range(rng.randrange(24)):
        way = 11 if nest and rng.random() < 0.6 else rng.randrange(20)
        if way < 4 or (tame and not headers):
            line = header(rng)
            if tame and (effective(line)[1] in headers - {"DEFAULT"} or effective(line)[0] != "["):
                continue
            # what [DEFAULT] has it has for good
            keys = set() if effective(line)[1] != "DEFAULT" else set(KEYS)
            headers.add(effective(line)[1])
            nest = False
            line = indent + line
        elif way < 11:
            line = rng.choice(KEYS) + rng.choice(DELIMITERS) + rng.choice(VALUES)
            if tame and (effective(line)[1] in keys or effective(line)[0] != "="):
                continue
            keys.add(effective(line)[1])
            nest = re.split("[=:]", line, maxsplit=1)[1].strip() == ""
            line = indent + line
        elif way < 16:
            if tame and not keys:
                continue
            more = rng.choice(NESTED) + rng.choice([" = ", "=", " ="]) + rng.choice(VALUES)
            if rng.random() < (0.02 if tame and nest else 0.4):
                more = rng.choice(VALUES + GARBAGE)
            line = indent + rng.choice(BLANKS) + more
        elif way < 17:
            line = rng.choice(["", "", " ", "\t", "\u00a0"])
        elif way < 18:
            line = rng.choice(["", " ", "    "]) + rng.choice(["#", ";", "# [default]", "; a = b", "#\u00e4"])
        elif tame:
            continue
        else:
            line = rng.choice(["", " "]) + rng.choice(GARBAGE)
        lines.append(line)
    ends = rng.choice([["\n"], ["\n"], ["\n"], ["\r\n"], ["\r"], ["\n", "\r\n", "\r"]])
    text = "".join(line + rng.choice(ends) for line in lines)
    if rng.random() < 0.1:
        text = text.rstrip("\r\n")
    data = text.encode()
    if rng.random() < 0.04:
        data = MARK.encode() + data
    if rng.random() < 0.03:
        at = rng.randrange(len(data) + 1)
        data = data[:at] + rng.choice(NO_TEXT) + data[at:]
    if rng.random() < 0.03:
        data = data.replace("\u00e4 ".encode(), "\u00c4 ".encode())
    return data


KEYS_OF_ONE = "aws_access_key_id = ONE\n"
KEYS_OF_TWO = "aws_access_key_id = TWO\n"



def every_character(first):
    """A file with each of 64 characters around a value, and in a setting below a setting."""
    letters = [(code, chr(code)) for code in range(first, first + 64) if chr(code) not in "\0\n\r"]
    return "[default]\n" + "".join("x%d =%sa%s\ny%d =\n  a = b%sA = c\n" % (code, letter, letter, code, letter) for code, letter in letters)


# Title and text.
BY_HAND = [
    ("nothing", ""),
    ("[default] before [profile default]", "[default]\n" + KEYS_OF_ONE + "region = x\n[profile default]\n" + KEYS_OF_TWO),
    ("[profile default] before [default]", "[profile default]\n" + KEYS_OF_ONE + "region = x\n[default]\n" + KEYS_OF_TWO),
    ("[profile \"default\"] last", "[default]\nregion = x\n[profile default]\nregion = y\n[profile \"default\"]\n"),
    ("a profile in three ways", "[profile p]\nregion = x\n[profile 'p']\nregion = y\n[profile  p]\nregion = z\n"),
    ("a session in two ways", "[sso-session s]\nsso_region = x\n[sso-session \"s\"]\nsso_start_url = y\n"),
    ("services in two ways", "[services s]\nsagemaker =\n  endpoint_url = x\n[services \"s\"]\nsts =\n  endpoint_url = y\n"),
    ("a section twice", "[default]\n[default]\n"),
    ("a setting twice", "[default]\nregion = x\nRegion = y\n"),
    ("[DEFAULT] before and behind", "[DEFAULT]\nregion = x\n[default]\n[profile p]\nregion = y\n[DEFAULT]\noutput = json\n"),
    ("[DEFAULT] with a setting twice", "[DEFAULT]\nregion = x\n[DEFAULT]\nregion = y\n"),
    ("[DEFAULT] alone, with what is no setting below a setting", "[DEFAULT]\ns3 =\n  x\n"),
    ("... which a section lacks", "[DEFAULT]\ns3 =\n  x\n[default]\ns3 = y\n[profile p]\n"),
    ("... which every section has", "[DEFAULT]\ns3 =\n  x\n[default]\ns3 = y\n[profile p]\ns3 = z\n"),
    ("a byte order mark", MARK + "[default]\nregion = x\n"),
    ("a byte order mark before a comment", MARK + "# x\n[default]\nregion = x\n"),
    ("two byte order marks", MARK + MARK + "[default]\nregion = x\n"),
    ("a byte order mark in another line", "[default]\n" + MARK + "region = x\n"),
    ("UTF-16", "[default]\nregion = x\n".encode("utf-16")),
    ("Latin-1 in a comment", b"# \xe4\n[default]\nregion = x\n"),
    ("a NUL in a value", "[default]\nregion = x\0y\n"),
    ("a NUL in a comment", "# \0\n[default]\nregion = x\n"),
    ("keys in two cases of a letter outside ASCII", "[default]\n\u00e4 = x\n\u00c4 = y\n"),
    ("carriage returns alone", "[default]\rregion = x\routput = y\r"),
    ("settings below settings with a blank line and a comment",
     "[default]\ns3 =\n\n  a = b\n  # c = d\n\n  a = c = d\n  A: x = y\nregion = z\n"),
    ("settings below settings that are none", "[default]\ns3 =\n  a: b\n"),
    ("a value of several lines that are no settings", "[default]\ns3 = x\n  y\n\n  z\n\nregion = z\n"),
    ("headers that are none", "[]\n"),
    ("headers within headers", "[[profile p]]\nregion = x\n[profile p] ]\n"),
    ("a profile without a name", "[profile]\nregion = x\n[profile \"\"]\nregion = y\n"),
    ("a quote that does not end", "[profile \"p]\nregion = x\n[profile p\\]\nregion = y\n"),
    *(("characters from U+%04X" % first, every_character(first))
      for first in (0, 0x40, 0x80, 0x1680, 0x1800, 0x2000, 0x2040, 0x3000, 0xFEC0)),
    ("backslashes", "[profile a\\ b]\nregion = x\n[profile \"a\\\"\\\\\\b\"]\nregion = y\n[profile 'a\\b']\n"
     "[profile 'c\\\\d']\n[profile 'e\\']\n[profile 'f\\\"']\n"),
]


class Tally:
    """How many of the files contain what is to be compared."""

    def __init__(self):
        self.readable = self.nested = self.again = 0
        self.used = dict.fromkeys(KNOWN, 0)

    def add(self, theirs):
        if isinstance(theirs, dict):
            self.readable += 1
            self.nested += any(isinstance(value, dict) for settings in theirs.values() for value in settings.values())
            self.again += has_name_twice([name for kind, name in theirs if kind == "section"])


def compare(path, data, answer, tally):
    """What is wrong with the driver's answer; None if nothing is."""
    theirs = judge(path, data, False)
    good = agrees(path, data, answer, theirs, False)
    differences = [name for name, has in KNOWN.items() if has(data)]
    if not good and differences:
        theirs = judge(path, data, True)
        good = agrees(path, data, answer, theirs, True)
        for name in differences:
            tally.used[name] += good
    tally.add(theirs)
    return None if good else "%r: %s, and botocore says %r" % (data, answer, theirs)


def main():
    if not sys.flags.utf8_mode:
        # configparser opens files in the locale's encoding: botocore's answer is that of UTF-8
        os.execv(sys.executable, [sys.executable, "-X", "utf8", "-B", *sys.argv])
    configparser.RawConfigParser = Parser
    rng = random.Random(SEED)
    titles = [title for title, _ in BY_HAND]
    files = [text if isinstance(text, bytes) else text.encode() for _, text in BY_HAND] + [make(rng) for _ in range(FILES)]
    keys = "".join("\t" + nested.encode().hex() for nested in ASKED)
    driver = subprocess.run([sys.argv[1]], input="".join(data.hex() + keys + "\n" for data in files), check=True,
                            stdout=subprocess.PIPE, encoding="ascii")
    answers = driver.stdout.splitlines()
    check([] if len(answers) == len(files) else [len(answers)], "%d files are read" % len(files))
    tally = Tally()
    with tempfile.TemporaryDirectory() as directory:
        wrong = [compare(os.path.join(directory, "config"), data, answer, tally) for data, answer in zip(files, answers)]
    for title, problem in zip(titles, wrong):
        check([problem] if problem else [], title)
    for first in range(len(titles), len(files), BATCH):
        check([problem for problem in wrong[first:first + BATCH] if problem],
              "%d random files are read as botocore reads them" % BATCH)
    # files that are all alike would compare nothing
    check([] if FILES / 3 < tally.readable < FILES * 0.9 else [tally.readable], "%d of the files are valid" % tally.readable)
    check([] if tally.nested > FILES / 20 else [tally.nested], "%d of them have settings below settings" % tally.nested)
    check([] if tally.again > FILES / 20 else [tally.again], "%d have two sections for one profile" % tally.again)
    for name, count in tally.used.items():
        check([] if count > 3 else [count], "%s: in %d files" % (name, count))
    return done()


if __name__ == "__main__":
    sys.exit(main())
