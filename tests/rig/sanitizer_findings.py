#!/usr/bin/env python3
"""Prints what sanitizers found, by the log of a test run; status 1 if there is anything.

A leak counts unless every frame of its stack is the sanitizer's or libcriterion's.
"""

import re
import sys

LEAK = re.compile(r"^(?:Direct|Indirect) leak of .*\n((?: +#\d+ .*\n)+)", re.MULTILINE)
FRAME = re.compile(r"^ +#\d+ (.*)$", re.MULTILINE)
NOT_OURS = re.compile(r"__interceptor_|libcriterion|libsanitizer|libasan")


def findings(text):
    for leak in LEAK.finditer(text):
        if not all(NOT_OURS.search(frame) for frame in FRAME.findall(leak.group(1))):
            yield leak.group(0)
    for line in re.findall(r"^.*(?:runtime error:|ERROR: AddressSanitizer:).*$", text, re.MULTILINE):
        yield line + "\n"


def self_test():
    criterion = "Direct leak of 48 byte(s) in 1 object(s) allocated from:\n    #0 0x7 in __interceptor_calloc a.cpp:7\n    #1 0x8  (/lib/libcriterion.so.3+0x1)\n"
    ours = criterion + "    #2 0x9 in trains_create ../src/io/train.c:40\n"
    assert list(findings(criterion)) == []
    assert list(findings("x\n" + ours + "\n" + criterion)) == [ours]
    assert list(findings("a.c:1:2: runtime error: shift\n")) != []


self_test()
with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
    found = list(findings(log.read()))
print("".join(found[:20]), end="")
sys.exit(1 if found else 0)
