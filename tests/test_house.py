"""The import rule: families do not know one another, the zoo knows no flags, files or plots, and each layer only those below it."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FAMILIES = {"density", "autoregressive", "latent", "flow", "diffusion", "gan"}
BELOW = {"random": set(), "distributions": {"random"}, "layers": {"random"}, "networks": {"random", "layers"}}
FOREIGN = {"absl", "matplotlib", "tensorflow_datasets", "trainers", "tests", "tf_keras", "ml_collections", "PIL", "tqdm"}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}".split(".") for alias in node.names)


@pytest.mark.parametrize("path", sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("zoo/**/*.py")))
def test_imports_run_one_way(path):
    here = pathlib.PurePath(path).with_suffix("").parts[1]
    for name in imported(ROOT / path):
        assert name[0] not in FOREIGN, f"{path} imports {name[0]}"
        if name[0] == "zoo" and here != "__init__" and len(name) > 1:
            there = name[1]
            assert there == here or not {here, there} <= FAMILIES, f"{path} imports the family {there}"
            assert here not in BELOW or there in BELOW[here] | {here}, f"{path} imports zoo.{there}"


@pytest.mark.parametrize("path", sorted(str(p.relative_to(ROOT)) for p in [*ROOT.glob("zoo/**/*.py"), *ROOT.glob("trainers/**/*.py")]))
def test_files_stay_readable(path):
    assert len((ROOT / path).read_text().splitlines()) <= 300
    assert ast.get_docstring(ast.parse((ROOT / path).read_text())), f"{path}: says nothing of its idea"
