#!/usr/bin/python3
"""Checks of the source text: format, layers, sizes, self-contained headers, and documents that name what exists.

usage: lint.py [--root DIR] [--list] [RULE...]     without RULE every rule runs; exit status 1 when one finds something
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import c_source
import rules

SKIPPED_DIRS = re.compile(r"^(\.git|\.cache|build|build-.*|node_modules|__pycache__)$")
TEXT_SUFFIXES = {".c", ".h", ".py", ".sh", ".js", ".mjs", ".json", ".md", ".build", ".txt", ".yaml", ".yml", ".html", ""}
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


class Tree:
    """The files of the project and their contents, read once."""

    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self.paths = []
        for directory, dirs, files in os.walk(self.root):
            dirs[:] = sorted(d for d in dirs if not SKIPPED_DIRS.match(d))
            self.paths += [(pathlib.Path(directory) / f).relative_to(self.root).as_posix() for f in sorted(files)]
        self._texts = {}
        self._codes = {}

    def text(self, path):
        if path not in self._texts:
            self._texts[path] = (self.root / path).read_bytes().decode("utf-8", errors="replace")
        return self._texts[path]

    def code(self, path):
        if path not in self._codes:
            self._codes[path] = c_source.code_only(self.text(path))
        return self._codes[path]

    def c_files(self, *tops):
        return [p for p in self.paths if p.endswith((".c", ".h")) and p.split("/")[0] in (tops or ("include", "src", "tests", "bench"))]

    def text_files(self):
        """What people wrote; not corpora and captures."""
        for path in self.paths:
            if "/corpus/" in path or "/vectors/" in path or path.endswith("package-lock.json"):
                continue
            if pathlib.PurePosixPath(path).suffix in TEXT_SUFFIXES and b"\0" not in (self.root / path).read_bytes()[:4096]:
                yield path

    def is_hot(self, path):
        if not path.startswith("src/"):
            return False
        return path[len("src/") :].startswith(rules.HOT_FILES) or re.search(r"\bHOT\b", c_source.first_comment(self.text(path)))


@check
def format(tree):
    """every C file is as clang-format leaves it"""
    files = tree.c_files()
    if not files:
        return
    result = subprocess.run(
        ["clang-format", "--dry-run", "--Werror", *files], cwd=tree.root, capture_output=True, text=True, check=False
    )
    seen = set()
    for match in re.finditer(r"^(\S+?):(\d+):\d+: error: code should be clang-formatted", result.stderr, re.MULTILINE):
        if match.group(1) not in seen:
            seen.add(match.group(1))
            yield match.group(1), int(match.group(2)), "not formatted; run: clang-format -i " + match.group(1)
    if result.returncode != 0 and not seen:
        yield ".clang-format", 1, "clang-format failed: " + result.stderr.strip()[:500]


@check
def layers(tree):
    """a layer includes only what lies below it; other people's headers only where the table says"""
    for path in tree.c_files():
        parts = path.split("/")
        allowed = rules.LAYERS.get(parts[1])
        for line, is_system, name in c_source.includes(tree.text(path)):
            top = name.split("/")[0]
            if not is_system and parts[0] == "bench" and {parts[1], top} <= set(rules.BENCH_LAYERS):
                if rules.BENCH_LAYERS.index(top) > rules.BENCH_LAYERS.index(parts[1]):
                    yield path, line, f"bench/{parts[1]} may not include {name}"
                continue
            if not is_system and "/" in name and top in rules.LAYERS:
                if allowed is not None and top not in allowed:
                    yield path, line, f"layer {parts[1]} may not include {name}"
                continue
            owner = next((places for prefix, places in rules.THIRD_PARTY.items() if name.startswith(prefix)), None)
            if owner is not None:
                if not path.startswith(owner):
                    yield path, line, f"<{name}> belongs only in {' '.join(owner)}"
            elif is_system and not any(name == h or (h.endswith("/") and name.startswith(h)) for h in rules.SYSTEM_HEADERS):
                yield path, line, f"<{name}> is a dependency that the table in tests/lint/rules.py does not know"


@check
def only_here(tree):
    """clock, sockets, environment, randomness, output: each in one place"""
    for path in tree.c_files("include", "src"):
        code = tree.code(path)
        for pattern, what, places in rules.ONLY_HERE:
            if path.startswith(places):
                continue
            for match in re.finditer(rf"(?<![.>])(?:{pattern})", code):
                yield path, c_source.line_of(code, match.start()), f"{what} belongs in {' '.join(places) or 'no file of ours'}"


@check
def hot_path(tree):
    """no heap, no lock, no log line in the files of the packet path"""
    for path in filter(tree.is_hot, tree.c_files("src")):
        code = tree.code(path)
        for function in c_source.functions(code):
            if function.name.endswith(rules.HOT_EXEMPT_FUNCTIONS):
                continue
            for pattern, what in rules.HOT_FORBIDDEN:
                for match in re.finditer(pattern, code[function.start : function.end]):
                    line = c_source.line_of(code, function.start + match.start())
                    yield path, line, f"{what} on the packet path, in {function.name}"


@check
def sizes(tree):
    """files, functions and lines of comment stay short (clang-format sees to lines of code, as far as they can be broken)"""
    for path in tree.c_files():
        lines = tree.text(path).splitlines()
        if len(lines) > rules.FILE_LINES_MAX:
            yield path, len(lines), f"{len(lines)} lines; at most {rules.FILE_LINES_MAX}"
        uncommented = c_source.without_comments(tree.text(path)).splitlines()
        for number, (line, code) in enumerate(zip(lines, uncommented), 1):
            columns = [len(l.rstrip().expandtabs(rules.TAB_COLUMNS)) for l in (line, code)]
            if columns[0] > rules.COLUMNS_MAX and columns[0] > columns[1]:
                yield path, number, f"a comment past column {rules.COLUMNS_MAX}"
        limit = rules.HOT_FUNCTION_LINES_MAX if tree.is_hot(path) else rules.FUNCTION_LINES_MAX
        for function in c_source.functions(tree.code(path)):
            if function.lines > limit:
                yield path, function.first_line, f"{function.name} has {function.lines} lines; at most {limit}"


@check
def conditionals(tree):
    """no #if inside a function body: what the kernel or a library has is found out once, and becomes a value or a file"""
    for path in tree.c_files("include", "src"):
        code = tree.code(path)
        for function in c_source.functions(code):
            for match in re.finditer(r"^[ \t]*#[ \t]*if", code[function.start : function.end], re.MULTILINE):
                yield path, c_source.line_of(code, function.start + match.start()), f"#if inside {function.name}"


@check
def headers(tree):
    """each header compiles alone, may be included twice, and opens by saying what it is"""
    paths = [p for p in tree.c_files() if p.endswith(".h")]

    def compile_alone(path):
        with tempfile.NamedTemporaryFile("w", suffix=".c") as source:
            absolute = tree.root / path
            source.write(f'#include "{absolute}"\n#include "{absolute}"\n')
            source.flush()
            return subprocess.run(
                ["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-Iinclude", "-Ibench", "-Itests/rig", source.name],
                cwd=tree.root,
                capture_output=True,
                text=True,
                check=False,
            )

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, result in zip(paths, pool.map(compile_alone, paths)):
            if result.returncode != 0:
                first = next((l for l in result.stderr.splitlines() if "error:" in l), result.stderr.strip()[:200])
                yield path, 1, "does not compile alone: " + first.strip()
    for path in paths:
        name = pathlib.PurePosixPath(path).stem
        if path.startswith("include/") and not re.match(rf"\s*(?:\w+/)?{name} - \S", re.sub(r"^\s*\*", "", c_source.first_comment(tree.text(path)))):
            yield path, 1, f'does not open with a comment "{name} - what it is"'


@check
def modules(tree):
    """every source file is built, every unit test file is run"""
    for path in tree.c_files("src", "tests", "bench"):
        if not path.endswith(".c"):
            continue
        directory, _, name = path.rpartition("/")
        # Its own folder's meson.build or script, or a meson.build above; what tests share is built by whoever needs it.
        builds = [p for p in tree.paths if p.endswith("meson.build")]
        if directory != "tests/rig":
            builds = [p for p in builds if (directory + "/").startswith(p[: -len("meson.build")])]
        builds += [p for p in tree.text_files() if p.rpartition("/")[0] == directory and not p.endswith((".c", ".h", ".md"))]
        if not any(re.search(rf"\b{re.escape(name[:-2])}\b", tree.text(b)) for b in builds):
            yield path, 1, "is built by no meson.build"


@check
def leftovers(tree):
    """no note to do it later"""
    words = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
    for path in tree.text_files():
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            if words.search(line):
                yield path, number, "a note to do it later: do it, or write an issue"


@check
def text(tree):
    """line ends, trailing blanks, last line"""
    for path in tree.text_files():
        content = tree.text(path)
        if "\r" in content:
            yield path, 1, "carriage return"
        if content and not content.endswith("\n"):
            yield path, content.count("\n") + 1, "no line end at the end of the file"
        for number, line in enumerate(content.splitlines(), 1):
            if line.endswith((" ", "\t")):
                yield path, number, "trailing blank"


@check
def scripts(tree):
    """shell and Python scripts parse"""
    for path in tree.text_files():
        first = tree.text(path).split("\n", 1)[0]
        if path.endswith(".py") or ("python" in first and first.startswith("#!")):
            try:
                compile(tree.text(path), path, "exec")
            except SyntaxError as error:
                yield path, error.lineno or 1, f"does not parse: {error.msg}"
        elif path.endswith(".sh") or re.match(r"#!.*\b(ba)?sh\b", first):
            shell = "bash" if "bash" in first else "sh"
            result = subprocess.run([shell, "-n", path], cwd=tree.root, capture_output=True, text=True, check=False)
            if result.returncode != 0:
                yield path, 1, "does not parse: " + result.stderr.strip()[:200]


@check
def links(tree):
    """relative links in Markdown lead somewhere"""
    for path in [p for p in tree.paths if p.endswith(".md")]:
        body = re.sub(r"```.*?```", lambda m: c_source.blank(m.group()), tree.text(path), flags=re.DOTALL)
        for match in re.finditer(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", body):
            target = match.group(1)
            if not re.match(r"[a-z]+:", target) and not (tree.root / path).parent.joinpath(target).exists():
                yield path, c_source.line_of(body, match.start()), f"leads nowhere: {target}"


@check
def rfc_coverage(tree):
    """docs/rfc-coverage.md names files, functions and tests that exist"""
    path = "docs/rfc-coverage.md"
    if path not in tree.paths:
        yield path, 1, "is missing"
        return
    sources = tree.c_files()
    words = set()
    for source in sources:
        words.update(re.findall(r"\w+", tree.code(source)))
    scripts_text = "\n".join(tree.text(p) for p in tree.text_files() if p.startswith("tests/") and not p.endswith((".c", ".h")))
    criterion_test = re.compile(r"\bTest\(\s*(\w+)\s*,\s*(\w+)|\bParameterizedTest\([^,]*,\s*(\w+)\s*,\s*(\w+)")
    tests = {f"{a or c}.{b or d}" for p in sources for a, b, c, d in criterion_test.findall(tree.code(p))}
    for script in [p for p in tree.paths if re.search(r"/test_\w+\.py$", p)]:
        suite = pathlib.PurePosixPath(script).stem.removeprefix("test_")
        tests.update(f"{suite}.{name}" for name in re.findall(r"^def (\w+)", tree.text(script), re.MULTILINE))
    for number, line in enumerate(tree.text(path).splitlines(), 1):
        for name in re.findall(r"`([^`]+)`", line):
            bare = name.removesuffix("()")
            if "/" in name:
                places = (bare, "src/" + bare, "include/" + bare, "tests/" + bare)
                known = any(tree.root.joinpath(p).exists() or tree.root.joinpath(p + ".c").exists() for p in places)
            elif re.fullmatch(r"\w+\.(c|h|py|sh|md)", bare):
                known = any(p.endswith("/" + bare) for p in tree.paths)
            elif re.fullmatch(r"\w+\.\w+", bare):
                known = bare in tests
            elif re.fullmatch(r"[a-z_]\w*", bare):
                known = bare in words or bare in scripts_text
            else:
                continue
            if not known:
                yield path, number, f"`{name}` does not exist"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--root", default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--list", action="store_true", help="name the rules")
    parser.add_argument("rule", nargs="*")
    options = parser.parse_args(arguments)
    named = {function.__name__.replace("_", "-"): function for function in CHECKS}
    if options.list:
        print("\n".join(f"{name:14} {function.__doc__}" for name, function in named.items()))
        return 0
    unknown = [rule for rule in options.rule if rule not in named]
    if unknown:
        parser.error("no such rule: " + " ".join(unknown))
    tree = Tree(options.root)
    found = 0
    for name in options.rule or named:
        for path, line, message in named[name](tree):
            found += 1
            print(f"{path}:{line}: {name}: {message}")
    print(f"lint: {len(tree.c_files())} C files, {len(options.rule or named)} rules, {found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
