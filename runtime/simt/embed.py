#!/usr/bin/env python3
"""Text files as a C table (shims.h). usage: embed.py OUTPUT NAME=FILE..."""
import sys

LINES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "?": "\\?"}


def literal(text):
    return "\n".join('        "' + "".join(LINES.get(c, c) for c in line) + '"' for line in text.splitlines(keepends=True))


def main():
    rows = []
    for pair in sys.argv[2:]:
        name, path = pair.split("=", 1)
        with open(path, encoding="ascii") as file:
            rows.append(f'    {{"{name}",\n{literal(file.read())}}},\n')
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write('#include "simt/shims.h"\n\nconst SimtShim simt_shims[] = {\n' + "".join(rows) + "};\n")
        out.write("const int simt_shim_count = sizeof simt_shims / sizeof simt_shims[0];\n")


main()
