#!/usr/bin/python3
"""The lint must be able to fail: a small good tree has no findings, and each of these changes to it has exactly the one named."""

import contextlib
import io
import pathlib
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True

import lint  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent

GOOD = {
    "include/base/thing.h": """/*
 * thing - a number.
 */
#ifndef UTURN_BASE_THING_H
#define UTURN_BASE_THING_H

#include <stdint.h>

uint32_t thing_next(uint32_t value);

#endif
""",
    "src/base/thing.c": """#include "base/thing.h"

static const char *const names[] = {"printf(", "time("};

/* Words in comments do not count: malloc(1), getenv("X"), #if. */
uint32_t thing_next(uint32_t value)
{
	return value + (names[0][0] == '}');
}
""",
    "src/base/meson.build": "libbase = static_library('base', files('thing.c'))\n",
    "include/turn/empty.h": "/* empty - nothing. */\n#ifndef UTURN_TURN_EMPTY_H\n#define UTURN_TURN_EMPTY_H\n#endif\n",
    "src/turn/relay.c": """/* relay - HOT. */
#include "base/thing.h"

static uint32_t relay_next(uint32_t value)
{
	return thing_next(value);
}
""",
    "src/turn/meson.build": "files('relay.c')\n",
    "tests/base/test_thing.c": """#include <criterion/criterion.h>

Test(thing, follows_its_predecessor)
{
	cr_assert(1);
}
""",
    "tests/base/meson.build": "executable('test_thing', 'test_thing.c')\n",
    "bench/load/load.h": "/* load - nothing. */\n#ifndef UTURN_BENCH_LOAD_H\n#define UTURN_BENCH_LOAD_H\n#endif\n",
    "bench/clients/client.c": '/* client - nothing. */\n#include "base/thing.h"\n',
    "bench/clients/meson.build": "bench_sources += files('client.c')\n",
    "docs/rfc-coverage.md": "| 5 | `thing_next()` in `base/thing.c` | `thing.follows_its_predecessor` |\n",
    "README.md": "See [coverage](docs/rfc-coverage.md).\n",
    "run.sh": "#!/bin/sh\nexit 0\n",
}


def append(path, addition):
    return path, GOOD[path] + addition


def replace(path, old, new):
    assert old in GOOD[path], (path, old)
    return path, GOOD[path].replace(old, new)


def function_of(lines):
    return "\nstatic void long_one(void)\n{\n" + "\tthing_next(1);\n" * (lines - 2) + "}\n"


THING = "src/base/thing.c"
RELAY = "src/turn/relay.c"

# What is wrong, the rule that must say so, the file as it then is.
BAD = [
    ("spaces for a tab", "format", replace(THING, "\treturn", "        return")),
    ("base includes turn", "layers", replace(THING, "thing.h\"", 'thing.h"\n#include "turn/empty.h"')),
    ("a header of base includes turn", "layers", replace("include/base/thing.h", "#include", '#include "turn/empty.h"\n#include')),
    ("a test of base includes wire", "layers", append("tests/base/test_thing.c", '#include "wire/cursor.h"\n')),
    ("a folder of bench includes a higher one", "layers", append("bench/clients/client.c", '#include "load/load.h"\n')),
    ("turn includes liburing", "layers", replace(RELAY, '"base/thing.h"', "<liburing.h>")),
    ("turn includes mbedTLS", "layers", replace(RELAY, '"base/thing.h"', "<mbedtls/sha1.h>")),
    ("a library nobody decided on", "layers", replace(RELAY, '"base/thing.h"', "<curl/curl.h>")),
    ("reads the clock", "only-here", replace(THING, "value +", "value + time(0) +")),
    ("makes a socket", "only-here", replace(THING, "value +", "value + socket(1, 2, 3) +")),
    ("reads the environment", "only-here", replace(THING, "value +", 'value + *getenv("X") +')),
    ("prints", "only-here", replace(THING, "value +", 'value + fprintf(stderr, "x") +')),
    ("unsafe function", "only-here", replace(THING, "value +", "value + atoi(names[0]) +")),
    ("heap on the packet path", "hot-path", replace(RELAY, "thing_next(value)", "*(uint32_t *)malloc(value)")),
    ("lock on the packet path", "hot-path", replace(RELAY, "thing_next(value)", "pthread_mutex_lock(value)")),
    ("log line on the packet path", "hot-path", replace(RELAY, "thing_next(value)", "log_info(value)")),
    ("function of 71 lines", "sizes", append(THING, function_of(71))),
    ("function of 41 lines on the packet path", "sizes", append(RELAY, function_of(41))),
    ("file of 501 lines", "sizes", append(THING, "\n/*\n" + " *\n" * (501 - 2 - GOOD[THING].count("\n") - 1) + " */\n")),
    ("comment past column 132", "sizes", append(THING, "/* " + "x" * 127 + " */\n")),
    ("#ifdef inside a function", "conditionals", replace(THING, "\treturn", "#ifdef X\n#endif\n\treturn")),
    ("a header that needs another one first", "headers", replace("include/base/thing.h", "#include <stdint.h>\n\n", "")),
    ("a header without a guard", "headers", append("include/base/thing.h", "enum thing { THING };\n")),
    ("a header that does not say what it is", "headers", replace("include/base/thing.h", "thing - a number", "Numbers")),
    ("a source file that nothing builds", "modules", replace("src/base/meson.build", "thing.c", "")),
    ("a test file that nothing runs", "modules", replace("tests/base/meson.build", "test_thing", "test_")),
    ("a note to do it later", "leftovers", append(THING, "/* TO" "DO: more */\n")),
    ("trailing blank", "text", append("README.md", "x \n")),
    ("no line end at the end", "text", append("README.md", "x")),
    ("carriage return", "text", append("README.md", "x\r\n")),
    ("shell script that does not parse", "scripts", append("run.sh", "if\n")),
    ("Python script that does not parse", "scripts", ("x.py", "def\n")),
    ("link to nowhere", "links", append("README.md", "[x](docs/none.md)\n")),
    ("coverage names a missing function", "rfc-coverage", append("docs/rfc-coverage.md", "`thing_previous()`\n")),
    ("coverage names a missing file", "rfc-coverage", append("docs/rfc-coverage.md", "`base/none.c`\n")),
    ("coverage names a missing test", "rfc-coverage", append("docs/rfc-coverage.md", "`thing.flies`\n")),
]

# And what must not be taken for a finding.
FINE = [
    ("function of 70 lines", append(THING, function_of(70))),
    ("function of 40 lines on the packet path", append(RELAY, function_of(40))),
    ("comment up to column 132", append(THING, "/* " + "x" * 126 + " */\n")),
    ("#if outside of functions", append(THING, "\n#if 1\n#define THING 1\n#endif\n")),
    ("names that only contain a forbidden one", replace(THING, "value +", "value + channel_bind(1) + wall_time(2) +")),
    ("a member called like a forbidden function", replace(THING, "value +", "value + hooks.random(1) + hooks->time(0) +")),
    ("heap before the first packet", replace(RELAY, "relay_next(uint32_t value)\n{\n", "relay_create(uint32_t value)\n{\n\tmalloc(value);\n")),
    ("a table of structs", append(THING, "\nstruct pair {\n" + "\tint a;\n" * 80 + "};\n")),
]


def findings(changes):
    """The rules that find something in the good tree with these changes."""
    with tempfile.TemporaryDirectory(prefix="uturn-lint-") as directory:
        root = pathlib.Path(directory)
        for path, text in {**GOOD, **dict(changes)}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, newline="")
        shutil.copy(HERE.parents[1] / ".clang-format", root)
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            status = lint.main(["--root", directory])
    lines = output.getvalue().splitlines()[:-1]
    assert status == (1 if lines else 0), (status, lines)
    return {line.split(": ")[1] for line in lines}, lines


def main():
    failed = 0
    for what, rule, change in [("nothing", None, None), *BAD, *((w, None, c) for w, c in FINE)]:
        expected = {rule} if rule else set()
        found, lines = findings([change] if change else [])
        if found != expected:
            failed += 1
            print(f"FAILED {what}: expected {expected or 'nothing'}, got {found or 'nothing'}", *lines, sep="\n  ")
    print(f"lint self-test: {len(BAD)} bad and {len(FINE) + 1} good samples, {failed} judged wrongly")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
