"""The builder of jsonb: its result for a text equals that of Postgres's parser, to the last byte.

	json_build.py [TEXTS [SEED]]

Tests src/aws/json_build.c through SQL functions of a library that is built here
(json_build_functions.c): by tables of cases, and on TEXTS texts (100,000) that are changed at random.  Where
only some members are read, the parser is given the text with null in place of all other values.
Run below test/with-service.
"""
import json
import sys
import tempfile

from harness import build_library, control, main

SEED = 1900
# texts of a statement, which is to end within a session's patience, however slow the machine
TEXTS_AT_ONCE = 100000

# What is taken as it is: it is valid, and Postgres's parser is asked what it makes of it.
TAKEN = [
    ("an empty object", b"{}"),
    ("an empty array with space", b" [ \t\r\n ] "),
    ("a string alone", b'"text"'),
    ("words and numbers", b'[true, false, null, 0, -1, 12.50, 1e3, 1E-3, -0, -0.0, 0.0, 1.0e+2]'),
    ("eighteen digits and more", b"[999999999999999999, -999999999999999999, 0.999999999999999999, 9999999999999999999,"
                                 b"0.0000000000000000001, 123456789.1234567890, 100000000000000000000000000000001]"),
    ("exponents up to 400", b"[1e400, 1e-400, 1.5E+0400, 0e400]"),
    ("epoch seconds", b'{"CreationTime": 1719900000.123, "TrainingEndTime": 1719900000, "Other": 1.719900000E9}'),
    ("escapes", br'["\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00"]'),
    ("characters that are no ASCII", "[\"é€😀\", \"\x7f\"]".encode()),
    ("what is no character", b'["\x80\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\x00b", "\xf0\x9f\x98"]'),
    ("NUL and halves of pairs", br'["\u0000", "\ud83d", "\ude00\ud83d", "\ud83d\u0041", "\ud83d\ud83d\ude00"]'),
    ("bytes that are none", b'["' + b"\xff" * 5 + b'", {"' + b"\xfe" * 3 + b'": 1}]'),
    ("equal keys: the last one counts", br'{"a": 1, "b": 2, "a": null, "\u0062": {"a": 1, "a": [2]}}'),
    ("keys by length, then bytes", b'{"bb": 1, "a": 2, "b": 3, "aaa": 4, "": 5, "\xc3\xa9": 6}'),
    ("thirteen keys, in jsonb's order", json.dumps({"k%02d" % i: i for i in range(13)}).encode()),
    ("thirteen keys, the other way round", json.dumps({"k%02d" % i: i for i in reversed(range(13))}).encode()),
    ("ten thousand keys, each of them twice",
     b"{" + b",".join(b'"%d": %d' % (i * 7919 % 10000, i) for i in range(20000)) + b"}"),
    ("ten thousand elements", json.dumps(list(range(10000))).encode()),
    ("512 levels", b"[" * 512 + b"]" * 512),
    ("512 levels of objects", b'{"a":' * 511 + b"{}" + b"}" * 511),
    ("a string of 300 kB", b'["' + b"x" * 300000 + br'\n"]'),
]

# What is not taken, and what Postgres's way says of it: rejected, or jsonb.
LEFT = [
    ("nothing", b"", False),
    ("space", b"  ", False),
    ("513 levels", b"[" * 513 + b"]" * 513, False),
    ("an exponent of 401", b"[1e401]", False),
    ("an exponent that no integer holds", b"[1e99999999999999999999]", False),
    ("a number of 1,001 digits", b"[" + b"1" * 1001 + b"]", True),
    ("more bytes that are no characters than there is room for", b'["' + b"\xff" * 1000 + b'"]', True),
    ("an open string", b'["a', False),
    ("an open escape", b'["\\', False),
    ("an escape that is none", br'["\x"]', False),
    ("an escape of NUL itself", b'["\\\x00"]', False),
    ("an escape with three digits", br'["\u12G4"]', False),
    ("a control character", b'["\x1f"]', False),
    ("a line break in a string", b'["\n"]', False),
    ("a form feed as space", b"[\f1]", False),
    ("NUL behind it", b"{}\x00", False),
    ("text behind it", b"{} {}", False),
    ("a comma at the end", b"[1,]", False),
    ("a comma at the end of an object", b'{"a": 1,}', False),
    ("two commas", b"[1,,2]", False),
    ("a key that is no string", b"{a: 1}", False),
    ("no colon", b'{"a" 1}', False),
    ("no value", b'{"a":}', False),
    ("the other bracket", b'{"a": 1]', False),
    ("a leading zero", b"[01]", False),
    ("a sign", b"[+1]", False),
    ("a sign alone", b"[-]", False),
    ("no digits behind the point", b"[1.]", False),
    ("no digits before the point", b"[.5]", False),
    ("no digits in the exponent", b"[1e]", False),
    ("a longer word", b"[nulll]", False),
    ("a shorter word", b"[tru]", False),
    ("letters behind a number", b"[1x]", False),
]


# What is read of objects at a depth, and what is built; None: it is left to Postgres's parser.
MEMBERS = [
    ("what is read", b'{"a": 1, "x": 2, "b": {"a": 3, "x": 4}}', 1, '{"a": 1, "b": {"a": 3, "x": 4}}'),
    ("nothing that is there", b'{"x": 1, "y": [2]}', 1, "{}"),
    ("objects in objects", b'{"x": {"a": 1, "x": 2}, "y": {"x": 3}}', 2, '{"x": {"a": 1}, "y": {}}'),
    ("records in a list", b'{"Results": [{"T": {"a": 1, "x": {"a": 2}}}, {"T": {"b": 3}, "x": 4}], "N": "t"}', 4,
     '{"N": "t", "Results": [{"T": {"a": 1}}, {"T": {"b": 3}, "x": 4}]}'),
    ("no object at the depth", b'[1, {"x": 2}]', 4, '[1, {"x": 2}]'),
    ("a string alone", b'"x"', 1, '"x"'),
    ("the last of equal keys", b'{"a": 1, "x": 1, "a": 2}', 1, '{"a": 2}'),
    ("a key with escapes", br'{"\u0061": 1, "\u0078": 2, "a\u0000": 3}', 1, '{"a": 1}'),
    ("strings and brackets in others", br'{"x": "\"}{", "y": {"}": "]\\", "z": ["\\\""]}, "a": 1}', 1, '{"a": 1}'),
    ("space", b' { "x" : [ 1 ] , "a" : 1 , "y" : null } ', 1, '{"a": 1}'),
    ("what is no JSON in others", b'{"x": {1e9999,, [tru"\n"]}, "y": nonsense, "z": "\x00\xff\\q", "a": 1}', 1, '{"a": 1}'),
    ("more than 512 levels in others", b'{"x": ' + b"[" * 10000 + b"]" * 10000 + b', "a": 1}', 1, '{"a": 1}'),
    ("a large value in others", b'{"x": [' + b'"}", ' * 100000 + b'1], "a": 1}', 1, '{"a": 1}'),
    ("no JSON in what is read", b'{"x": 1, "a": tru}', 1, None),
    ("no value of others", b'{"x": , "a": 1}', 1, None),
    ("an open string in others", b'{"a": 1, "x": "}', 1, None),
    ("an open bracket in others", b'{"a": 1, "x": [}', 1, None),
    ("a bracket too many in others", b'{"a": 1, "x": []]}', 1, None),
    ("text behind a value of others", b'{"x": 1 2, "a": 1}', 1, None),
    ("a key that is no string", b'{x: 1, "a": 1}', 1, None),
    ("no colon", b'{"x" 1, "a": 1}', 1, None),
]


def literal(text):
    return "'\\x%s'::bytea" % text.hex()


def test_cases(session, tap):
    for title, text in TAKEN:
        tap.equal(session.run("SELECT json_both(%s)" % literal(text)), ["built, the same"], "built: " + title)
    for title, text, parsed in LEFT:
        tap.equal(session.run("SELECT json_both(%s)" % literal(text)), ["left, " + ("parsed" if parsed else "rejected")],
                  "left to Postgres's parser: " + title)


def test_members(session, tap):
    for title, text, depth, built in MEMBERS:
        tap.equal(session.run("SELECT json_members(%s, '{a,b}', %d)" % (literal(text), depth)),
                  ["left, rejected" if built is None else "built, the same: " + built],
                  ("left to Postgres's parser: " if built is None else "read: ") + title)


def test_limits(session, tap):
    tap.equal(session.run("SELECT json_both(convert_to('[\"' || repeat('x', 32 * 1024 * 1024) || '\"]', 'UTF8'))"), ["left, parsed"],
              "left to Postgres's parser: a text of more than 32 MB")
    tap.equal(session.run("SELECT json_both(convert_to('[' || repeat('0,', 2 * 1024 * 1024) || '0]', 'UTF8'))"), ["built, the same"],
              "built: two million elements")
    # Postgres's own limit of a stack is not met before 100 kB, so that many functions call each other here
    session.run("SET max_stack_depth = '100kB'")
    nested = "[" * 500 + "]" * 500
    session.run("""
        CREATE FUNCTION deep(n integer) RETURNS text LANGUAGE plpgsql AS $$
        BEGIN RETURN CASE WHEN n = 0 THEN json_both('%s') ELSE deep(n - 1) END; END $$""" % nested)
    seen = set()
    for depth in range(60):
        lines, state = session.ask("SELECT deep(%d)" % depth)
        seen.add(lines[0] if state == "00000" else state)
    # the builder needs no more of the stack than Postgres's parser, in some releases less
    tap.ok(seen <= {"built, the same", "built, rejected", "left, rejected", "54001"} and "54001" in seen and "built, the same" in seen,
           "at the stack's limit the builder raises no error", seen)
    session.run("RESET max_stack_depth")


def corpus():
    """Documents of jobs as the endpoint serves them, and the cases that are neither large nor left to the parser for their size."""
    names = json.loads(control("names"))
    documents = [control("document?name=" + name) for name in names[::max(len(names) // 40, 1)]]
    return [document if isinstance(document, bytes) else document.encode() for document in documents] + [
        text for text in [text for _, text in TAKEN] + [text for _, text, parsed in LEFT if not parsed] if len(text) < 5000]


def test_changed(session, tap, texts, seed):
    documents = corpus()
    session.run("CREATE TABLE corpus AS SELECT ARRAY[%s] AS texts" % ", ".join(map(literal, documents)))
    # pages of Search have records four brackets deep
    pages = [b'{"Results": [{"TrainingJob": %s}], "NextToken": "a"}' % text for text in documents]
    pages += [text for _, text, _, _ in MEMBERS if len(text) < 5000]
    session.run("CREATE TABLE pages AS SELECT texts || ARRAY[%s] AS texts FROM corpus" % ", ".join(map(literal, pages)))
    keys = sorted({"a", "b", "aa", "k01", ""}.union(*(json.loads(text) for text in documents if b"TrainingJobName" in text)))
    for what, call in (("", "json_compare(texts, %d, %d) FROM corpus"),
                       (" of members", "json_compare_members(texts, %%d, %%d, ARRAY[%s]) FROM pages"
                        % ", ".join("'%s'" % key for key in keys))):
        built = rejected = 0
        for first in range(0, texts, TEXTS_AT_ONCE):
            answer, = session.run("SELECT " + call % (seed + first, min(TEXTS_AT_ONCE, texts - first)))
            found = [int(part.split()[0]) for part in answer.split(", ")]
            built, rejected = built + found[0], rejected + found[1]
        tap.equal(built + rejected, texts, "both ways make the same%s of %d texts, seed %d: %d built, %d rejected" % (
            what, texts, seed, built, rejected))
        tap.ok(built > texts / 5 and rejected > texts / 5, "... and at least a fifth of them are built, and a fifth rejected", (built, rejected))


def test(session, tap):
    texts = int(sys.argv[1]) if len(sys.argv) > 1 else 100000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else SEED
    with tempfile.TemporaryDirectory(prefix="sagemaker_fdw.", dir="/tmp") as directory:
        library = build_library(directory, "json_build", ["test/t/json_build_functions.c", "src/aws/json_build.c", "src/aws/json_skip.c"])
        for declaration in ("json_both(bytea) RETURNS text", "json_compare(bytea[], bigint, bigint) RETURNS text",
                            "json_members(bytea, text[], integer) RETURNS text",
                            "json_compare_members(bytea[], bigint, bigint, text[]) RETURNS text",
                            "json_time(bytea, integer, boolean) RETURNS void"):
            session.run("CREATE FUNCTION %s LANGUAGE C STRICT AS '%s'" % (declaration, library))
        test_cases(session, tap)
        test_members(session, tap)
        test_limits(session, tap)
        test_changed(session, tap, texts, seed)


if __name__ == "__main__":
    main(test)
