"""What the checks of C source share: code without its comments, and the functions in it."""
import re

# The last line of a definition's type, its name and parameters, up to its body; code_of's.
FUNCTION = re.compile(r"\n([A-Za-z_][^\n;=(]*)\n(\w+)\([^;{]*\)\n\{")


def code_of(text):
    """Without comments, strings and characters, its lines as they were."""
    def blank(found):
        return "".join(c if c == "\n" else " " for c in found[0])
    return re.sub(r"/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", blank, text, flags=re.S)


def functions(code):
    """(name, whether it is static, where its body begins and ends) of what is defined in code."""
    for found in FUNCTION.finditer(code):
        # its end is the first brace at the beginning of a line
        yield found[2], "static" in found[1].split(), found.end(), code.index("\n}", found.end())
