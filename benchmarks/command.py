"""What the benchmarks' programs share: which models, and where the table goes."""

import argparse
import json
import pathlib
import subprocess
import sys

from trainers import list as tables


def parser(description, known):
    """An `ArgumentParser` for some of the models `known`, a file and README.md; `chosen` checks what it found."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("names", nargs="*", help=f"models, of {', '.join(known)}; all if none")
    return placed(made, known)


def placed(made, known=()):
    """Adds to an `ArgumentParser` where the table goes."""
    made.add_argument("--out", type=pathlib.Path, help="Markdown file for the table")
    made.add_argument("--readme", type=pathlib.Path, help="text with the lines <!-- NAME --> and <!-- /NAME -->, NAME "
                                                          "being the benchmark's, between which it goes too")
    made.set_defaults(known=tuple(known))
    return made


def chosen(made, arguments, name):
    """The models to measure; ends the program with one sentence if there is no such model, or no place for the table,
    before anything is measured."""
    check_place(made, arguments, name)
    if unknown := set(arguments.names) - set(arguments.known):
        made.error(f"no such model as {', '.join(sorted(unknown))}; known: {', '.join(arguments.known)}")
    return arguments.names or arguments.known


def check_place(made, arguments, name):
    """Ends the program with one sentence if the table has no place in the text that is to get it."""
    if arguments.readme:
        try:
            tables.put(arguments.readme.read_text(), name, "")
        except (OSError, ValueError) as error:
            made.error(f"--readme={arguments.readme}: {error}")


def publish(arguments, name, table):
    """Writes the table where the arguments say; where some models alone were asked for, the rows of the others stay as
    they are."""
    some = bool(getattr(arguments, "names", ()))
    if arguments.out:
        old = arguments.out.read_text() if some and arguments.out.exists() else ""
        arguments.out.write_text(merged(old, table) + "\n")
    if arguments.readme:
        text = arguments.readme.read_text()
        old = text.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0] if some else ""
        arguments.readme.write_text(tables.put(text, name, merged(old, table)))


def merged(old, new):
    """A Markdown table with the rows of a newer one in the places of those with the same first cell, the rest of these
    at its end; the newer one if their heads differ."""
    old, new = old.strip().splitlines(), new.strip().splitlines()
    if old[:2] != new[:2]:
        return "\n".join(new)
    rows = {line.split("|")[1]: line for part in (old, new) for line in part[2:]}
    return "\n".join([*new[:2], *rows.values()])


def process(module, *arguments):
    """What `python -m module ...` prints last, read as JSON; ends the program with the error's last lines if that
    fails."""
    done = subprocess.run([sys.executable, "-m", module, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{module} {' '.join(map(str, arguments))} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])
