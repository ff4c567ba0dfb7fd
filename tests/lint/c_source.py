"""Just enough understanding of C to lint it: text without comments and strings, includes, function bodies."""

import re

_TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/|//[^\n]*)|(?P<string>"(?:\\.|[^"\\\n])*")|(?P<char>'(?:\\.|[^'\\\n])*')""", re.DOTALL
)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"])([^>"\n]+)[>"]', re.MULTILINE)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)


def blank(text):
    """The same text with everything but its line ends replaced by spaces: line numbers stay."""
    return re.sub(r"[^\n]", " ", text)


def code_only(text):
    """Comments and the contents of literals blanked."""

    def replace(match):
        token = match.group()
        return blank(token) if match.lastgroup == "comment" else token[0] + blank(token[1:-1]) + token[-1]

    return _TOKEN.sub(replace, text)


def without_comments(text):
    return _TOKEN.sub(lambda m: blank(m.group()) if m.lastgroup == "comment" else m.group(), text)


def first_comment(text):
    match = re.match(r"\s*/\*(.*?)\*/", text, re.DOTALL)
    return match.group(1) if match else ""


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def includes(text):
    """Yields (line, is_system, name)."""
    text = without_comments(text)
    for match in _INCLUDE.finditer(text):
        yield line_of(text, match.start(2)), match.group(1) == "<", match.group(2)


class Function:
    def __init__(self, name, start, end, first_line, last_line):
        self.name = name
        self.start = start  # of the opening brace
        self.end = end  # past the closing brace
        self.first_line = first_line
        self.last_line = last_line

    @property
    def lines(self):
        """From the line of the opening brace to that of the closing one."""
        return self.last_line - self.first_line + 1


def functions(code):
    """The function bodies in text that code_only() made. A body is a brace at depth 0 after a closing parenthesis."""
    code = _DIRECTIVE.sub(lambda m: blank(m.group()), code)
    found = []
    depth = 0
    statement = 0  # where the declaration before the brace begins
    opened = None
    for match in re.finditer(r"[{};]", code):
        char, position = match.group(), match.start()
        if char == "{":
            if depth == 0:
                head = code[statement:position]
                name = re.search(r"(\w+)\s*\(", head)
                is_function = head.rstrip().endswith(")") and name and "=" not in head.split("(")[0]
                opened = (name.group(1) if name else "", position) if is_function else None
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                if opened:
                    name, start = opened
                    found.append(Function(name, start, position + 1, line_of(code, start), line_of(code, position)))
                opened = None
                statement = position + 1
        elif depth == 0:
            statement = position + 1
    return found
