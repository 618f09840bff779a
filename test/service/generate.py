"""Training job documents at random from the API's model, every member present.

The bytes are fixed for a seed.  Strings that are free text hold what real ones
may: emoji, quotes, backslashes, control characters, NUL, lone surrogates; and
the JSON is written in many styles.  Timestamps are whole or fractional seconds
to the microsecond, between 1970 and 2100.
"""
import json
import os
import random

MODEL_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "training_job.json")

TEXT = (list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") * 2 +
        list(" .,:;-_/+=@#%&()[]{}<>'\"\\\"\\\t\n\r\b\f") +
        ["\x00", "\x01", "\x1f", "\x7f", "é", "ß", "Ж", "中", "\u2028", "\ufffd", "\uffff",
         "😀", "🏳️", "𝔘", "\ud800", "\udc00", "\\u0000"])
NAME = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

INT32 = [-2**31, 2**31 - 1, 0, 1, -1]
INT64 = [-2**63, 2**63 - 1, 0, 1, -1, 2**53 + 1]
FLOATS = ["0.0", "-0.0", "1.5", "1e10", "1E-7", "-2.25E+3", "123456789.123456789", '"NaN"',
          '"Infinity"', '"-Infinity"']
HYPERPARAMETERS = 100
HYPERPARAMETER_LENGTH = 2500


def load_model():
    with open(MODEL_FILE, encoding="utf-8") as file:
        return json.load(file)


class Generator:
    """Documents, one after another, from one stream of random numbers."""

    def __init__(self, seed, account_id, region):
        self.rng = random.Random("generate %s" % seed)
        self.account_id, self.region = account_id, region
        self.model = load_model()["describe"]

    # -- how JSON is written ------------------------------------------------

    def string(self, text):
        """A JSON string, each character written in one of the ways allowed."""
        out = ['"']
        escape_all = self.rng.random() < 0.1
        for char in text:
            code = ord(char)
            short = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n",
                     "\r": "\\r", "\t": "\\t"}.get(char)
            if short is not None:
                out.append(short if self.rng.random() < 0.7 else "\\u%04x" % code)
            elif char == "/" and self.rng.random() < 0.3:
                out.append("\\/")
            elif code < 0x20 or 0xD800 <= code <= 0xDFFF:
                out.append("\\u%04X" % code)
            elif code >= 0x80 and (escape_all or self.rng.random() < 0.5):
                if code >= 0x10000:
                    high, low = divmod(code - 0x10000, 0x400)
                    out.append("\\u%04x\\u%04X" % (0xD800 + high, 0xDC00 + low))
                else:
                    out.append("\\u%04x" % code)
            elif escape_all and code < 0x80:
                out.append("\\u%04x" % code)
            else:
                out.append(char)
        out.append('"')
        return "".join(out)

    def space(self):
        return self.rng.choice(["", "", "", " ", "\n  ", "\t"])

    def join(self, begin, items, end):
        return begin + ",".join(self.space() + item for item in items) + self.space() + end

    # -- values -------------------------------------------------------------

    def free_text(self, longest):
        length = self.rng.randrange(0, min(longest, 40) + 1)
        text = "".join(self.rng.choice(TEXT) for _ in range(length))
        # a high surrogate before a low one would be a character after all
        return text.replace("\ud800\udc00", "\ud800-\udc00")

    def name(self, length=12):
        return "".join(self.rng.choice(NAME) for _ in range(length))

    def timestamp(self):
        seconds = self.rng.randrange(0, 4102444800)
        form = self.rng.randrange(5)
        if form == 0:
            return str(seconds)
        if form == 1:
            return "%d.%03d" % (seconds, self.rng.randrange(1000))
        if form == 2:
            return "%d.%06d" % (seconds, self.rng.randrange(1000000))
        digits = "%d%03d" % (seconds, self.rng.randrange(1000))
        exponent = len(digits) - 4
        if form == 3:
            return "%s.%sE%d" % (digits[0], digits[1:], exponent)
        return "%se-3" % digits

    def value(self, spec, key):
        """A value for a member of the model, as JSON text."""
        kind = spec["type"]
        if kind == "structure":
            members = list(spec["members"].items())
            self.rng.shuffle(members)
            return self.join("{", [self.string(name) + self.space() + ":" + self.space() +
                                   self.value(member, name) for name, member in members], "}")
        if kind == "list":
            count = self.rng.randrange(1, 4)
            return self.join("[", [self.value(spec["member"], key) for _ in range(count)], "]")
        if kind == "map":
            if key == "HyperParameters":
                pairs = {"p%03d.%s" % (i, self.name(4)):
                         "".join(self.rng.choice(TEXT[:140]) for _ in range(
                             self.rng.choice([3, 20, HYPERPARAMETER_LENGTH if i < 3 else 50])))
                         for i in range(HYPERPARAMETERS)}
            else:
                pairs = {"KEY_%d" % i: self.free_text(512) for i in range(self.rng.randrange(1, 5))}
            return self.join("{", [self.string(name) + ":" + self.space() + self.string(text)
                                   for name, text in pairs.items()], "}")
        if kind == "timestamp":
            return self.timestamp()
        if kind == "boolean":
            return self.rng.choice(["true", "false"])
        if kind == "integer":
            return str(self.rng.choice(INT32 + [self.rng.randrange(2**31)]))
        if kind == "long":
            return str(self.rng.choice(INT64 + [self.rng.randrange(2**63)]))
        if kind in ("float", "double"):
            return self.rng.choice(FLOATS)
        if "enum" in spec:
            return self.string(self.rng.choice(spec["enum"]))
        pattern = spec.get("pattern", ".*")
        if "arn:" in pattern:
            return self.string("arn:aws:sagemaker:%s:%s:thing/%s" % (self.region, self.account_id,
                                                                      self.name()))
        if pattern in (".*", ".+", r"[\S\s]*", r"[\s\S]*"):
            return self.string(self.free_text(spec.get("max", 256)))
        return self.string(self.name())

    def document(self, index):
        """(name, bytes) of one job."""
        name = "generated-%05d" % index
        fixed = {
            "TrainingJobName": self.string(name),
            "TrainingJobArn": self.string("arn:aws:sagemaker:%s:%s:training-job/%s"
                                          % (self.region, self.account_id, name)),
            "FailureReason": self.string(self.free_text(1024)),
        }
        attributes = list(self.model)
        self.rng.shuffle(attributes)
        items = [self.string(spec["attribute"]) + self.space() + ":" + self.space() +
                 (fixed.get(spec["attribute"]) or self.value(spec, spec["attribute"]))
                 for spec in attributes]
        return name, self.join("{", items, "}").encode("utf-8")


def generated(seed, count, account_id, region):
    """Jobs in the form of jobs.history(): (name, bytes, tags)."""
    generator = Generator(seed, account_id, region)
    jobs = []
    for index in range(count):
        name, document = generator.document(index)
        jobs.append((name, document, {"seed": str(seed), "index": str(index)}))
    return jobs
