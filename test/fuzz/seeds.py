"""The seeds of a fuzzer, kept in corpus/NAME.txt: a line each, "SEED BYTES".

	seeds.py unpack NAME FOLDER      a file for each seed; the folder is made anew
	seeds.py add NAME SEED < FILE    a line for the file's bytes

BYTES are printed ASCII.  What else there is stands as in a string of Python or C, \\n or \\xff, and so do a
backslash, and a space at either end.  Lines are sorted by the seed's name.  Two fuzzers share no seed: what
the bytes mean is said where NAME_fuzz.c takes them apart.
"""
import pathlib
import re
import shutil
import sys

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"


def written(data):
    """Bytes as they stand in a line."""
    text = data.decode("latin-1").encode("unicode_escape").decode("ascii")
    return re.sub(r"^ | $", r"\\x20", text)


def read(text):
    """The bytes that are written so."""
    return text.encode("ascii").decode("unicode_escape").encode("latin-1")


def seeds(name):
    """Names with bytes as they are written."""
    path = CORPUS / (name + ".txt")
    lines = path.read_text(encoding="ascii").split("\n") if path.exists() else []
    return dict(line.partition(" ")[::2] for line in lines if line)


def unpack(name, folder):
    shutil.rmtree(folder, ignore_errors=True)
    pathlib.Path(folder).mkdir(parents=True)
    for seed, text in seeds(name).items():
        pathlib.Path(folder, seed).write_bytes(read(text))


def add(name, seed):
    if not re.fullmatch(r"[\w.-]+", seed, re.A):
        sys.exit("error: a seed's name has letters, digits and -_. only")
    every = seeds(name)
    if seed in every:
        sys.exit("error: there is a seed %s" % seed)
    every[seed] = written(sys.stdin.buffer.read())
    lines = [("%s %s" % pair).rstrip(" ") for pair in sorted(every.items())]
    (CORPUS / (name + ".txt")).write_text("\n".join(lines) + "\n", encoding="ascii")


if __name__ == "__main__":
    {"unpack": unpack, "add": add}[sys.argv[1]](*sys.argv[2:])
