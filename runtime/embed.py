#!/usr/bin/env python3
"""embed.py OUTPUT.c HEADER (NAME=FILE[,FILE...]... | --table TYPE TABLE COUNT NAME=FILE...): text files as part of the program.

Each NAME becomes an array of characters of that name; with --table they become rows {"NAME", text} of a TYPE array TABLE of COUNT
rows. Files that are joined lose their #include "..." lines: what those name stands before them. C17 5.2.4.1: a
compiler need not take string literals above 4095 bytes, so each text is an array of characters, one line of text per line of C.
"""
import sys


def text_of(paths):
    """One file as it is; several without the lines that include one another."""
    lines = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            lines += [line for line in file if len(paths) == 1 or not line.startswith('#include "')]
    return "".join(lines).encode("utf-8")


def array(name, text):
    rows = [row + b"\n" for row in text.split(b"\n")]
    rows[-1] = rows[-1][:-1]  # what follows the last newline is no line
    body = "\n".join("    " + " ".join(f"{byte}," for byte in row) for row in rows if row)
    return f"{name}[] = {{\n{body}\n    0,\n}};\n"


def table(kind, name, count, pairs):
    parts = [array(f"static const char text_{i}", text_of([path])) for i, (_, path) in enumerate(pairs)]
    rows = "".join(f'    {{"{key}", text_{i}}},\n' for i, (key, _) in enumerate(pairs))
    parts.append(f"const {kind} {name}[] = {{\n{rows}}};\nconst int {count} = {len(pairs)};\n")
    return parts


def main(output, header, arguments):
    parts = [f'#include "{header}"\n']
    if arguments[0] == "--table":
        parts += table(*arguments[1:4], [pair.split("=", 1) for pair in arguments[4:]])
    else:
        parts += [array(f"const char {name}", text_of(files.split(","))) for name, files in (a.split("=", 1) for a in arguments)]
    with open(output, "w", encoding="utf-8") as file:
        file.write("\n".join(parts))


main(sys.argv[1], sys.argv[2], sys.argv[3:])
