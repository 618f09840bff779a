"""Every SQL block of the documentation, run as it is printed.

Run below test/with-service: docs.py [--accept] DUMP, where DUMP is the program of
test/unit/attribute_dump.c.

The blocks of a page that are fenced as sql are run in their order, each by a psql of
its own, in a database of the page's own.  None may fail or warn.  Where nothing but
blank lines stands between a block and a fence without a language, or of "text", psql
must print what is in there.  Spaces at the ends of lines are not compared.

A block is run as it is printed but for SUBSTITUTIONS, which lead it to the local
endpoint.  And where its history ends, there now() is: PREPARE puts a function of that
name before the one of pg_catalog.  The time zone is UTC.

--accept writes into the pages what psql printed, to be read before it is committed.
"""
import os
import pathlib
import re
import subprocess
import sys

from harness import HISTORY, SECRETS, URL, Died, main

TOP = pathlib.Path(__file__).resolve().parent.parent.parent

# What is printed, as a regular expression; what is run in its place.
SUBSTITUTIONS = [
    (r"(FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS \()", r"\1endpoint_url '%s', " % URL),
    (r"aws_access_key_id '\.\.\.'", "aws_access_key_id '%s'" % HISTORY[0]),
    (r"aws_secret_access_key '\.\.\.'", "aws_secret_access_key '%s'" % HISTORY[1]),
]

# Every page's database begins with this.  New objects go to public.
PREPARE = """
CREATE SCHEMA clock;
CREATE FUNCTION clock.now() RETURNS timestamptz STABLE LANGUAGE sql
  RETURN timestamptz '2025-06-30 12:00:00+00';
DO $$
BEGIN
  EXECUTE format('ALTER DATABASE %I SET search_path = public, clock, pg_catalog', current_database());
  EXECUTE format('ALTER DATABASE %I SET timezone = ''UTC''', current_database());
  EXECUTE format('ALTER DATABASE %I SET client_min_messages = warning', current_database());
END $$;
"""

# What the front page has a reader do, for the pages that go on from there.
FRONT_PAGE = """
CREATE EXTENSION sagemaker_fdw;
CREATE SERVER sm FOREIGN DATA WRAPPER sagemaker_fdw OPTIONS (region 'us-east-1');
CREATE USER MAPPING FOR CURRENT_USER SERVER sm
  OPTIONS (aws_access_key_id '...', aws_secret_access_key '...');
CREATE SCHEMA aws;
IMPORT FOREIGN SCHEMA sagemaker FROM SERVER sm INTO aws;
"""

# The pages, and what must have been done before their first block.
PAGES = {
    "doc/columns.md": FRONT_PAGE,
}


class Block:
    """A block of SQL: where it stands, its text, and the output printed below it, if any."""

    def __init__(self, heading, line, sql):
        self.heading, self.line, self.sql = heading, line, sql
        self.output = None
        # first and last line of the output, counted from 0, the fences not among them
        self.output_lines = None


def read_blocks(text):
    """The SQL blocks of a page, in its order."""
    blocks = []
    heading = ""
    lines = text.split("\n")
    last = None                 # the block that an output may follow
    number = 0
    while number < len(lines):
        line = lines[number]
        if line.startswith("#"):
            heading = line.lstrip("#").strip()
        if not line.startswith("```"):
            if line.strip():
                last = None
            number += 1
            continue
        end = number + 1
        while lines[end] != "```":
            end += 1
        body = "\n".join(lines[number + 1:end])
        language = line[3:].strip()
        if language == "sql":
            last = Block(heading, number + 2, body)
            blocks.append(last)
        else:
            if last is not None and language in ("", "text"):
                last.output, last.output_lines = body, (number + 1, end)
            last = None
        number = end + 1
    return blocks


def substitute(sql):
    for printed, run in SUBSTITUTIONS:
        sql = re.sub(printed, run, sql)
    return sql


def trimmed(text):
    """Without spaces at the ends of lines and blank lines at both ends."""
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def psql(database, sql, *options):
    """(what psql printed, what it complained of) when it runs a text."""
    done = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-P", "pager=off", *options,
                           "-d", database, "-f", "-"], input=substitute(sql), capture_output=True,
                          encoding="utf-8", check=False)
    if SECRETS.search(done.stdout + done.stderr):
        raise Died("psql is shown a secret")
    complaint = done.stderr.strip()
    if done.returncode != 0 and not complaint:
        complaint = "exit status %d" % done.returncode
    return trimmed(done.stdout), complaint


def must(database, sql, *options):
    """What psql printed for statements that must succeed."""
    output, complaint = psql(database, sql, *options)
    if complaint:
        raise Died("%s: %s" % (sql, complaint))
    return output


def make_database(session, suffix, *preparations):
    """A database for one page."""
    name = "%s_%s" % (os.environ["SAGEMAKER_FDW_TEST_DATABASE"], suffix)
    session.run("CREATE DATABASE %s" % name)
    for sql in (PREPARE, *preparations):
        must(name, sql)
    return name


def test_page(tap, page, database, accept):
    """Run a page.  Returns its blocks, and what each printed."""
    path = TOP / page
    text = path.read_text(encoding="utf-8")
    blocks = read_blocks(text)
    tap.ok(blocks, "%s has SQL" % page)
    printed = []
    for block in blocks:
        output, complaint = psql(database, block.sql)
        title = "%s:%d: %s" % (page, block.line, block.heading)
        printed.append(output)
        if complaint:
            tap.ok(False, title, complaint)
        elif block.output is None:
            tap.ok(True, title)
        else:
            tap.ok(accept or output == trimmed(block.output), title, output)
    if accept:
        lines = text.split("\n")
        for block, output in reversed(list(zip(blocks, printed))):
            if block.output is not None:
                first, end = block.output_lines
                lines[first:end] = output.split("\n")
        path.write_text("\n".join(lines), encoding="utf-8")
    return blocks, printed


def test_reader(tap):
    """What read_blocks() finds, and does not."""
    found = read_blocks("# One\n```sql\nSELECT 1;\n```\n\n```\n 1\n```\nText\n```\nnone\n```\n## Two\n```sql\nSELECT 2;\n\n"
                        "SELECT 3;\n```\nText\n```\nno output\n```\n```sh\nls\n```\n```sql\nSELECT 4;\n```\n```text\n4\n```\n")
    tap.equal([(block.heading, block.line, block.sql, block.output) for block in found],
              [("One", 3, "SELECT 1;", " 1"), ("Two", 15, "SELECT 2;\n\nSELECT 3;", None), ("Two", 27, "SELECT 4;", "4")],
              "SQL blocks are found with the output that follows them")


def test_columns(tap, database, dump):
    """The page of columns is what its generator writes, and what IMPORT makes."""
    generated = subprocess.run([sys.executable, "-B", TOP / "test/doc/columns.py", dump], check=True,
                               capture_output=True, encoding="utf-8").stdout
    page = (TOP / "doc/columns.md").read_text(encoding="utf-8")
    tap.ok(page == generated, "doc/columns.md is what test/doc/columns.py writes",
           "write it again: test/doc/columns.py DUMP > doc/columns.md")
    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| `([^`|]+)` \|", page, re.M)
    tap.equal(["%s|%s" % row for row in rows], must(database, """
        SELECT attname, CASE atttypid WHEN 'timestamptz'::regtype THEN 'timestamptz'
                                      ELSE format_type(atttypid, NULL) END
          FROM pg_attribute WHERE attrelid = 'aws.training_jobs'::regclass AND attnum > 0 ORDER BY attnum;
        """, "-A", "-t").split("\n"), "and it has the columns of the imported table, in order")
    labels = dict(re.findall(r"^\| `(sagemaker_\w+)` \| (.*) \|$", page, re.M))
    tap.equal({name: re.findall("`(\\w+)`", text) for name, text in labels.items()}, {
        name: must(database, "SELECT unnest(enum_range(NULL::%s));" % name, "-A", "-t").split("\n")
        for name in ("sagemaker_training_job_status", "sagemaker_secondary_status", "sagemaker_profiling_status")},
        "and the labels of the enum types, in order")


def test(session, tap):
    *options, dump = sys.argv[1:]
    accept = options == ["--accept"]
    databases = []
    try:
        test_reader(tap)
        for page, before in PAGES.items():
            databases.append(make_database(session, pathlib.Path(page).stem.lower(), before))
            test_page(tap, page, databases[-1], accept)
            if page == "doc/columns.md":
                test_columns(tap, databases[-1], dump)
    finally:
        for database in databases:
            session.run("DROP DATABASE %s WITH (FORCE)" % database)


if __name__ == "__main__":
    main(test)
