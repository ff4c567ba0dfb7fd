#!/usr/bin/python3
"""Turns the report's page and the files that it names into one C source.

usage: embed.py OUTPUT.c PAGE.html [NAME=]FILE...

Each <script src="NAME"></script> and <link rel="stylesheet" href="NAME"> of the page is replaced by the contents of the FILE of that
name. The page is cut in two at the place of the documents: the empty array in its data element.
"""

import pathlib
import re
import sys

PLACE = '<script type="application/json" id="documents">[]</script>'
LINE_BYTES = 40


def inline(page, files):
    def script(match):
        body = files.pop(match.group(1))
        if re.search(r"</script|<!--", body, re.IGNORECASE):
            sys.exit(f"embed.py: {match.group(1)}: contains text that would end or confuse a script element")
        return f"<script>\n{body.rstrip()}\n</script>"

    def style(match):
        return f"<style>\n{files.pop(match.group(1)).rstrip()}\n</style>"

    try:
        page = re.sub(r'<script src="([^"]+)"></script>', script, page)
        page = re.sub(r'<link rel="stylesheet" href="([^"]+)">', style, page)
    except KeyError as missing:
        sys.exit(f"embed.py: the page names {missing}, which was not given")
    if files:
        sys.exit("embed.py: not named by the page: " + ", ".join(files))
    return page


def array(name, text):
    data = text.encode()
    lines = [",".join(map(str, data[at : at + LINE_BYTES])) for at in range(0, len(data), LINE_BYTES)]
    return f"const unsigned char {name}[] = {{\n" + ",\n".join(lines) + f"\n}};\nconst size_t {name}_bytes = sizeof {name};\n"


def main():
    output, page_path = map(pathlib.Path, sys.argv[1:3])
    named = [argument.rpartition("=") for argument in sys.argv[3:]]
    files = {name or pathlib.Path(path).name: pathlib.Path(path).read_text(encoding="utf-8") for name, _, path in named}
    page = inline(page_path.read_text(encoding="utf-8"), files)
    if page.count(PLACE) != 1:
        sys.exit(f"embed.py: {page_path}: no single place for the documents: {PLACE}")
    before, after = page.split(PLACE)
    head, tail = PLACE.split("[]")
    text = '#include "report/page.h"\n\n' + array("report_page_head", before + head) + array("report_page_tail", tail + after)
    output.write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
