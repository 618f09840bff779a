"""Writes what the benchmark's endpoint serves: a few jobs of about 11 KB, with holes.

They are those of the test endpoint's bulk jobs, except that all have ended: a refresh asks
for running jobs each time.  The file begins with the number of jobs; then, for each of them,
come three texts: the document of Describe, the summary of List, the record of Search.  A text is
its length, a newline, and its bytes, in which a control character stands for a hole:

    0x01            the job's number, six digits
    0x02            the region
    0x03 number ;   a time: so many milliseconds after the creation
    0x04 number ;   the time of the last change, likewise
"""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "service"))
import jobs
from store import LIST_MEMBERS, SEARCH_MEMBERS, BULK_TAGS, chosen, tag_list

ACCOUNT, REGION = "345678901234", "@region@"


def with_holes(text):
    text = re.sub(rb'"LastModifiedTime": "@at:(\d+)@"', b'"LastModifiedTime": \x04\\1;', text)
    text = re.sub(rb'"@at:(\d+)@"', b"\x03\\1;", text)
    return text.replace(b"@index@", b"\x01").replace(b"@region@", b"\x02")


def main():
    ended = jobs.Bulk(ACCOUNT, REGION, 0).ended
    out = sys.stdout.buffer
    out.write(b"%d\n" % len(ended))
    for document in ended:
        spelled = jobs.read_spelled(document)
        summary = jobs.render(chosen(spelled, LIST_MEMBERS))
        record = jobs.render({**chosen(spelled, SEARCH_MEMBERS), "Tags": tag_list(BULK_TAGS)})
        for text in (document, summary, record):
            text = with_holes(text)
            out.write(b"%d\n%s\n" % (len(text), text))


if __name__ == "__main__":
    main()
