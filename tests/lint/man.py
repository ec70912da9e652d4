#!/usr/bin/env python3
"""Holds the manual pages to the programs: options both ways, variables of the table of keys.

Usage: man.py TREE SOCKSIFY SOCKSIFYD
       man.py --self-test
"""

import os
import re
import subprocess
import sys

OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z0-9-]+|-[A-Za-z0-9])(?![\w-])")
KEY = re.compile(r'^KEY\(\s*\w+,\s*"(\w+)"', re.M)
# A row's letter and long option, of the wrapper's tables: KEY(ID, "VARIABLE", 'x', "proxy", OPTION(ID, 0, "check",
ROW = re.compile(r"""^(?:KEY\(\s*\w+,\s*"\w+"|OPTION\(\s*\w+),\s*(?:'(\w)'|0),\s*"([\w-]*)",""", re.M)


def of_help(text):
    """Options at the head of a line: "  -x, --proxy URL  the proxy..."."""
    found = set()
    for line in text.splitlines():
        head = re.match(r"\s+(-.*?)(?:\s{2,}|$)", line)
        if head:
            found.update(OPTION.findall(head.group(1)))
    return found


def of_page(text):
    """Options that have an entry of their own, in mdoc (.It Fl x , Fl Fl proxy) or man (.BR \\-x) source."""
    found, tagged = set(), False
    for line in text.splitlines():
        entry = line.startswith(".It ")
        if entry or tagged:
            plain = (
                line.replace("\\-", "-").replace("\\fB", "").replace("\\fR", "").replace("\\fI", "")
            )
            plain = re.sub(r"\bFl Fl (\w)", r"--\1", plain)
            plain = re.sub(r"\bFl -(\w)", r"--\1", plain)
            plain = re.sub(r"\bFl (\w)", r"-\1", plain)
            found.update(OPTION.findall(re.sub(r'["]', " ", plain)))
        tagged = line.startswith((".TP", ".TQ"))
    return found


def of_tables(text):
    """What the rows of keys.def and options.def say: letters and long options."""
    rows = [row for row in ROW.findall(text) if row[1]]
    return {"-" + letter for letter, _ in rows if letter} | {"--" + option for _, option in rows}


def check_tables(helped, tables):
    for option in sorted(helped ^ tables):
        where = "in --help, but not" if option in helped else "not in --help, but"
        yield f"socksify: {option} is {where} in keys.def and options.def"


def compare(name, helped, paged):
    for option in sorted(helped - paged):
        yield f"{name}: {option} is in --help, but has no entry in the manual page"
    for option in sorted(paged - helped):
        yield f"{name}: {option} has an entry in the manual page, but is not in --help"
    if not helped:
        yield f"{name}: --help shows no option at all"


def check_keys(table, pages):
    names = KEY.findall(table)
    if not names:
        yield "keys.def: no row was found"
    told = pages.replace("\\-", "-")
    for name in names:
        if not re.search(rf"(?<!\w){name}(?!\w)", told):
            yield f"{name} is in keys.def, but in no manual page"
    for name in sorted(set(re.findall(r"\bSOCKSIFY_[A-Z_]+\b", told)) - set(names)):
        yield f"{name} is in a manual page, but not in keys.def"


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as f:
        return f.read()


def check(tree, programs):
    keys = read(tree, "include", "config", "keys.def")
    for page, program in programs:
        helped = subprocess.run(
            [program, "--help"], capture_output=True, text=True, check=True
        ).stdout
        yield from compare(page, of_help(helped), of_page(read(tree, "man", page)))
        if page == "socksify.1":
            tables = keys + read(tree, "src", "wrapper", "options.def")
            yield from check_tables(of_help(helped), of_tables(tables))
    pages = read(tree, "man", "libsocksify.7") + read(tree, "man", "socksify.1")
    yield from check_keys(keys, pages)


def self_test():
    text = "Usage: x [-z]\n\n  -x, --proxy URL  a proxy, see --other\n      --help       this text\n  A=b\n"
    mdoc = ".It Fl x Ar URL , Fl Fl proxy Ar URL\nsee\n.Fl Fl nothing\n.It Fl -help\n"
    man = (
        '.TP\n.BR \\-x ", " \\-\\-proxy " URL"\na proxy, see \\-\\-other\n.TP\n\\fB\\-\\-help\\fR\n'
    )
    want = {"-x", "--proxy", "--help"}
    keys = 'KEY(A, "SOCKSIFY_A", "x")\nKEY(B, "SOCKSIFY_B",\n "x")\n'
    rows = 'KEY(A, "A", \'x\', "proxy", "URL")\nKEY(B, "B", 0, "",\n "")\nOPTION(H, 0, "help", "")\n'
    facts = [
        (of_tables(rows), want),
        (len(list(check_tables(want, want))), 0),
        (len(list(check_tables(want | {"--new"}, want | {"--old"}))), 2),
        (of_help(text), want),
        (of_page(mdoc), want),
        (of_page(man), want),
        (len(list(compare("x", want, want))), 0),
        (len(list(compare("x", want | {"--new"}, want))), 1),
        (len(list(compare("x", want, want | {"--old"}))), 1),
        (len(list(check_keys(keys, "SOCKSIFY_A SOCKSIFY_B"))), 0),
        (len(list(check_keys(keys, "SOCKSIFY_A SOCKSIFY_BC"))), 2),
    ]
    bad = [f for f in facts if f[0] != f[1]]
    print(
        *(f"got {got}, wanted {wanted}" for got, wanted in bad), sep="\n", end="\n" if bad else ""
    )
    return 1 if bad else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if len(sys.argv) != 4:
        print(__doc__)
        return 2
    faults = list(check(sys.argv[1], [("socksify.1", sys.argv[2]), ("socksifyd.8", sys.argv[3])]))
    print(*faults, sep="\n", end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
