"""Where the benchmarks' tables go."""

import argparse

from benchmarks import command

HEAD = "| model | s |\n|---|---|\n"


def publish(tmp_path, table, *names):
    arguments = argparse.Namespace(out=tmp_path / "T.md", readme=tmp_path / "README.md", names=list(names))
    command.publish(arguments, "speed", table)
    return arguments.out.read_text(), arguments.readme.read_text()


def test_rows_of_models_that_were_not_measured_stay(tmp_path):
    (tmp_path / "README.md").write_text("before\n<!-- speed -->\n<!-- /speed -->\nafter\n")
    whole = HEAD + "| `a` | 1 |\n| `b, --jit` | 2 |\n"
    assert publish(tmp_path, whole) == (whole, f"before\n<!-- speed -->\n{whole}<!-- /speed -->\nafter\n")
    some = HEAD + "| `b, --jit` | 3 |\n| `c` | 4 |\n| `a` | 5 |\n"
    both = HEAD + "| `a` | 5 |\n| `b, --jit` | 3 |\n| `c` | 4 |\n"
    assert publish(tmp_path, some, "a", "b", "c") == (both, f"before\n<!-- speed -->\n{both}<!-- /speed -->\nafter\n")
    # all were asked for: nothing else stays
    assert publish(tmp_path, HEAD + "| `c` | 6 |\n")[0] == HEAD + "| `c` | 6 |\n"
    other = "| model | ms |\n|---|---|\n| `a` | 7 |\n"
    assert publish(tmp_path, other, "a")[0] == other  # another table is no place for rows
