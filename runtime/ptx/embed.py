#!/usr/bin/env python3
"""embed.py OUTPUT.c NAME=FILE[,FILE...]...: files as C strings, one line of text per line of C.

Files that are joined lose their #include "..." lines: what those name stands before them."""

import sys

# C17 5.2.4.1: a compiler need not take strings above 4095 bytes, so each text is an array of characters.


def text_of(paths):
    lines = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            lines += [line for line in file if not line.startswith('#include "')]
    return "".join(lines).encode("utf-8")


def main(output, arguments):
    parts = ['#include "ptx/texts.h"\n']
    for argument in arguments:
        name, files = argument.split("=")
        rows = [text + b"\n" for text in text_of(files.split(",")).split(b"\n")]
        body = "\n".join("    " + " ".join(f"{byte}," for byte in row) for row in rows)
        parts.append(f"const char {name}[] = {{\n{body}\n    0,\n}};\n")
    with open(output, "w", encoding="utf-8") as file:
        file.write("\n".join(parts))


main(sys.argv[1], sys.argv[2:])
