"""Results as TAP, each with the list of what is wrong, for the checks of the tree."""

count = 0
failures = 0


def check(wrong, title):
    """One line, and one for each thing that is wrong."""
    global count, failures
    count += 1
    print("%s %d - %s" % ("not ok" if wrong else "ok", count, title))
    failures += bool(wrong)
    for line in wrong:
        print("#   %s" % (line,))


def skip(title, why):
    global count
    count += 1
    print("ok %d - %s # SKIP %s" % (count, title, why))


def done():
    """The plan; true when anything failed."""
    print("1..%d" % count)
    return failures > 0
