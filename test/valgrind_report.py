"""Prints what memcheck found with the module or libcurl in the stack, from its logs.

	valgrind_report.py LOG ...

Fails if there is anything, and if the logs do not show that the module was run.
"""
import collections
import re
import sys

REPORT = re.compile(r"REPORT-BEGIN\n(.*?)REPORT-END", re.S)
OURS = re.compile(r"sagemaker_fdw|libcurl|smf_")


def main():
    found = collections.Counter()
    processes = 0
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        processes += "ERROR SUMMARY" in text
        for report in REPORT.findall(text):
            lines = [re.sub(r"^==\d+== ?", "", line) for line in report.split("\n")]
            if OURS.search(report):
                # the same place, whatever the addresses
                found[re.sub(r"0x[0-9A-F]+", "0x", "\n".join(lines[:20]))] += 1
    for report, times in found.most_common():
        print("%d times:\n%s\n" % (times, report))
    print("%d processes, %d kinds of report" % (processes, len(found)))
    return 1 if found or processes == 0 else 0


sys.exit(main())
