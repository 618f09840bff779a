"""Training job documents at random from the API's model, every member present, but
for what instances were asked for: in one way, in another, or in all.

A job's bytes are fixed by the seed and its number.  Strings that are free text
hold what real ones may: emoji, quotes, backslashes, control characters, NUL,
lone surrogates; names and ARNs keep their pattern; and the JSON is written in
many styles.  Timestamps are whole or fractional seconds to the microsecond,
between 1970 and 2100.  Integers take the extremes of their size, whatever the
least value that the API documents.
"""
import bisect
import functools
import itertools
import json
import os
import random

MODEL_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "training_job.json")

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

# Characters of free text, each as it may stand between the quotes of a JSON
# string.  A lone surrogate is followed by a letter, or the next could join it.
# U+10FFFF is not among them: psql leaves it out of what it prints.
PLAIN = list(LETTERS) + list(" .,:;-_/+=@#%&()[]{}<>'?!$*|~^`")
ODD = [
    r"\"", r"\u0022", r"\\", r"\u005c", r"\/", r"\u002F", r"\b", r"\f", r"\n", r"\r", r"\t",
    r"\u0000", r"\u0001", r"\u0008", r"\u000A", r"\u001f", "\x7f", r"\u007F", r"\u0061", r"\u0041",
    "é", r"\u00e9", "ß", r"\u00DF", "Ж", r"\u0416", "中", r"\u4E2d", "\u2028", r"\u2028", "\ufeff",
    "\ufffd", r"\uFFFD", "\uffff", r"\uffff", "\ue000", "😀", r"\ud83d\ude00", r"\uD83D\uDE00",
    "🏳️\u200d🌈", "𝔘", "\U0010fffd", r"\udbff\udffd", "e\u0301", "\u202e", r"\ud800x", r"\uDC00x",
    r"\udfff\ud800x", r"\\u0000", r"\\ud800", r"\\\"", r"\\n", "{", "}", "NULL", "NaN", "1598463412.5",
]
CHARACTERS = PLAIN * 3 + ODD
# how long each is in UTF-16 units, which is how the API counts
UNITS = {piece: len(json.loads('"%s"' % piece, strict=False).encode("utf-16-le", "surrogatepass")) // 2
         for piece in CHARACTERS}

INT32 = [-2**31, 2**31 - 1, 0, 1, -1]
INT64 = [-2**63, 2**63 - 1, 0, 1, -1, 2**53 + 1, -2**31 - 1, 2**31]
# With an exponent, a number beyond 2**53 is a power of ten that is exact, so that
# readers of integers and readers of floats agree on it.
FLOATS = ["0", "0.0", "-0.0", "1.5", "-1", "1e10", "1E-7", "-2.25E+3", "123456789.123456789",
          "0.1", "1e22", "-1E+22", "5e-324",
          "2.2250738585072014E-308", "9007199254740993", "0.30000000000000004", '"NaN"',
          '"Infinity"', '"-Infinity"']
# What a job's ResourceConfig lacks: nothing, what preferences stand for, or these.
ABSENT = [[], ["InstanceType", "InstanceGroups"], ["InstanceType", "InstanceCount", "InstanceGroups"],
          ["InstancePreferences", "SelectedInstanceType", "SelectedInstanceCount"]]
HYPERPARAMETERS = 100
HYPERPARAMETER_LENGTH = 2500
# one document in so many has only long hyperparameters
HUGE_EVERY = 25
LAST_SECOND = 4102444799

# Patterns of the model that are free text behind a beginning.
FREE = {
    None: "", ".*": "", ".+": "", r"[\S\s]*": "",
    "(https|s3)://([^/]+)/?(.*)": "s3://example-{name}/",
}
# Patterns of the model that are names, and a name of each.
ARN = r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:"
ARN_LONG = r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]{9,16}:[0-9]{12}:"
HUB = r"(arn:[a-z0-9-\.]{1,63}:sagemaker:\w+(?:-\w+)+:(\d{12}|aws):hub-content\/)"
WORD = "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,%d}"
VERSIONED = "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}\\/%s\\/[a-zA-Z0-9](-*[a-zA-Z0-9]){0,63}" \
    r"(\/\d{1,4}.\d{1,4}.\d{1,4})?"
MADE_ARN = "arn:aws:sagemaker:{region}:{account}:"
NAMES = {
    WORD % 62: "{name}-{name}", WORD % 119: "{name}--{name}",
    "[-0-9a-zA-Z]+": "sg-{name}", r"[A-Za-z0-9\.\-_]+": "{name}.{name}_1-x",
    "[a-zA-Z_][a-zA-Z0-9_]*": "KEY_{name}", "[a-zA-Z0-9:/_-]*": "alias/{name}:{name}",
    "(fs-[0-9a-f]{8,})": "fs-{hex}", r"\d+K": "128K",
    r"(arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:[a-z\-]*\/)?"
    r"([a-zA-Z0-9]([a-zA-Z0-9-]){0,62})(?<!-)": MADE_ARN + "algorithm/{name}",
    r"arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+":
        "arn:aws:iam::{account}:role/service-role/{name}+=,.@-_",
    r"arn:[\p{Alnum}\-]+:lambda:[\p{Alnum}\-]+:[0-9]{12}:function:.*":
        "arn:aws:lambda:{region}:{account}:function:{name}",
    ARN + "training-job/" + WORD % 62: MADE_ARN + "training-job/{name}",
    ARN + "hyper-parameter-tuning-job/.*": MADE_ARN + "hyper-parameter-tuning-job/{name}",
    ARN + "labeling-job/.*": MADE_ARN + "labeling-job/{name}",
    ARN + "automl-job/.*": MADE_ARN + "automl-job/{name}",
    ARN + "processing-job/" + WORD % 62: MADE_ARN + "processing-job/{name}",
    ARN + "training-plan/.*": MADE_ARN + "training-plan/{name}",
    ARN + "mlflow-[a-zA-Z-]*/.*": MADE_ARN + "mlflow-tracking-server/{name}",
    ARN_LONG + r"model-package-group/[\S]{1,2048}": MADE_ARN + "model-package-group/{name}",
    ARN_LONG + r"model-package/[\S]{1,2048}": MADE_ARN + "model-package/{name}/7",
    HUB + VERSIONED % "DataSet": "arn:aws:sagemaker:{region}:aws:hub-content/{name}/DataSet/{name}/1.0.22",
    HUB + VERSIONED % "Model": "arn:aws:sagemaker:{region}:{account}:hub-content/{name}/Model/{name}",
}


@functools.lru_cache(maxsize=None)
def load_model():
    with open(MODEL_FILE, encoding="utf-8") as file:
        return json.load(file)


class Generator:
    """One document."""

    def __init__(self, seed, index, account_id, region):
        self.rng = random.Random("generate %s %d" % (seed, index))
        self.index, self.account_id, self.region = index, account_id, region
        self.absent = self.rng.choice(ABSENT)
        # a document is compact or spacious, and escapes slashes or does not
        self.spaces = self.rng.choice([[""], ["", "", " ", "\n  ", "\t"], [" "], ["\r\n"]])
        self.slash = self.rng.choice(["/", "\\/"])

    # -- how JSON is written ------------------------------------------------

    def string(self, text):
        """A JSON string of plain text: names and labels."""
        return '"%s"' % text.replace("/", self.slash)

    def space(self):
        return self.rng.choice(self.spaces)

    def pair(self, key, value):
        return self.space() + key + self.space() + ":" + self.space() + value

    def join(self, begin, items, end):
        return begin + (self.space() + ",").join(items) + self.space() + end

    # -- values -------------------------------------------------------------

    def free_text(self, shortest, longest):
        """What stands between the quotes of a free text, at most so many characters of it."""
        count = self.rng.choice([shortest, self.rng.randrange(shortest, longest + 1)])
        pieces = self.rng.choices(CHARACTERS, k=count)
        # a piece of ODD can be several characters long
        ends = list(itertools.accumulate(map(UNITS.__getitem__, pieces)))
        return "".join(pieces[:bisect.bisect_right(ends, longest)])

    def name(self, length=12):
        return "".join(self.rng.choices(LETTERS, k=length))

    def made_name(self, form):
        return form.format(name=self.name(), region=self.region, account=self.account_id,
                           hex="%017x" % self.rng.randrange(16**17))

    def timestamp(self):
        whole = self.rng.choice([0, LAST_SECOND] + [self.rng.randrange(LAST_SECOND)] * 18)
        digits = self.rng.choice([0, 3, 6])
        fraction = self.rng.randrange(10**digits)
        number = whole * 10**digits + fraction
        form = self.rng.randrange(4)
        if form == 0:
            return "%d%s-%d" % (number, self.rng.choice("eE"), digits) if digits else str(whole)
        if form == 1 and number >= 10:
            text = str(number)
            exponent = len(text) - 1 - digits
            sign = self.rng.choice(["", "+"]) if exponent >= 0 else ""
            return "%s.%s%s%s%d" % (text[0], text[1:], self.rng.choice("eE"), sign, exponent)
        return "%d.%0*d" % (whole, digits, fraction) if digits else str(whole)

    def hyper_parameters(self):
        huge = self.index % HUGE_EVERY == 0
        return [('p%03d.%s' % (i, self.free_text(0, 20)),
                 self.free_text(2400 if huge else 0,
                                HYPERPARAMETER_LENGTH if huge or i % 50 == 7 else 40))
                for i in range(HYPERPARAMETERS)]

    def map(self, spec, key):
        if key == "HyperParameters":
            pairs = self.hyper_parameters()
        else:
            keys = [self.made_name(NAMES[spec["key"]["pattern"]]) if spec["key"]["pattern"] in NAMES
                    else "%d%s" % (i, self.free_text(0, 12)) for i in range(self.rng.randrange(1, 5))]
            pairs = [(name, self.free_text(spec["value"].get("min", 0), 60)) for name in keys]
        return self.join("{", [self.pair('"%s"' % name, '"%s"' % text) for name, text in pairs], "}")

    def value(self, spec, key):
        """A value for a member of the model, as JSON text."""
        kind = spec["type"]
        if kind == "structure":
            members = [item for item in spec["members"].items()
                       if key != "ResourceConfig" or item[0] not in self.absent]
            self.rng.shuffle(members)
            return self.join("{", [self.pair('"%s"' % name, self.value(member, name))
                                   for name, member in members], "}")
        if kind == "list":
            count = self.rng.randrange(1, 4)
            return self.join("[", [self.space() + self.value(spec["member"], key)
                                   for _ in range(count)], "]")
        if kind == "map":
            return self.map(spec, key)
        if kind == "timestamp":
            return self.timestamp()
        if kind == "boolean":
            return self.rng.choice(["true", "false"])
        if kind == "integer":
            return str(self.rng.choice(INT32 + [self.rng.randrange(2**31)]))
        if kind == "long":
            return str(self.rng.choice(INT64 + [self.rng.randrange(2**63)]))
        if kind == "float":
            return self.rng.choice(FLOATS + [repr(self.rng.random()), repr(self.rng.gauss(0, 1e6))])
        if "enum" in spec:
            return self.string(self.rng.choice(spec["enum"]))
        pattern = spec.get("pattern")
        if pattern in NAMES:
            return self.string(self.made_name(NAMES[pattern]))
        begin = self.made_name(FREE[pattern])
        longest = min(spec.get("max", 256), self.rng.choice([40, 40, 256, 1024])) - len(begin)
        return '"%s%s"' % (begin, self.free_text(spec.get("min", 0), longest))

    def document(self):
        """(name, bytes) of the job."""
        name = "generated-%05d" % self.index
        fixed = {
            "TrainingJobName": name,
            "TrainingJobArn": "arn:aws:sagemaker:%s:%s:training-job/%s" % (
                self.region, self.account_id, name),
        }
        attributes = list(load_model()["describe"])
        self.rng.shuffle(attributes)
        items = []
        for spec in attributes:
            key = spec["attribute"]
            value = self.string(fixed[key]) if key in fixed else self.value(spec, key)
            items.append(self.pair('"%s"' % key, value))
        return name, (self.space() + self.join("{", items, "}") + self.space()).encode("utf-8")


@functools.lru_cache(maxsize=4)
def generated(seed, count, account_id, region):
    """Jobs in the form of jobs.history(): (name, bytes, tags)."""
    jobs = []
    for index in range(count):
        name, document = Generator(seed, index, account_id, region).document()
        jobs.append((name, document, {"seed": str(seed), "index": str(index)}))
    return jobs
