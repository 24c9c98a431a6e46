"""The rooms of trainers: imports run one way (programs, then modes, evaluation and training, then runs, pictures and
data), without a circle; only programs import late; and nothing knows the name of a model, a family or a data set.
"""

import ast
import graphlib
import pathlib
import subprocess
import sys

import pytest

from tests.contract.test_house import FAMILIES, imported

ROOT = pathlib.Path(__file__).parents[2]
PROGRAMS = {"train", "evaluate", "sample", "export", "list"}
# Each room and those that it may import besides itself.
BELOW = {"errors": set(), "recipes": {"errors"}, "data": {"errors", "recipes"}}
BELOW |= {"pictures": BELOW["data"] | {"data"}}
BELOW |= {"runs": BELOW["pictures"] | {"pictures"}}
BELOW |= {room: BELOW["runs"] | {"runs"} for room in ("training", "evaluation", "modes")}
BELOW |= {"cli": {"errors"}}
BELOW |= {program: set(BELOW) - PROGRAMS for program in PROGRAMS}
BELOW["train"] |= {"export"}  # a run is exported at its end
OPTIONAL = {"rdkit"}  # packages that are no requirement
NAMING = ("trainers/data/", "trainers/recipes/")  # where the data sets are told of, and the recipes


def trainers_files():
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("trainers/**/*.py"))


def tree_of(path):
    return ast.parse((ROOT / path).read_text())


def room_of(path):
    return pathlib.PurePath(path).with_suffix("").parts[1]


def wrong_rooms(room, tree):
    """What a file of trainers.`room` may not import."""
    for name in imported(tree):
        if name[0] == "trainers" and len(name) > 1 and name[1] not in BELOW[room] | {room}:
            yield ".".join(name)


def file_of(name):
    """The file that a dotted name of trainers stands in, or None."""
    for num in range(len(name), 0, -1):
        path = "/".join(name[:num]) + ".py"
        if (ROOT / path).exists():
            return path
    return None


def late_imports(tree):
    """The imports inside of functions, of packages that are required."""
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return sorted({".".join(name) for function in functions for name in imported(function)
                   if name[0] not in OPTIONAL})


def models_and_sets():
    """The names of all models, families and embedded data sets."""
    tree = tree_of("zoo/__init__.py")
    tables = [node.value for node in tree.body if isinstance(node, ast.Assign)
              and ast.unparse(node.targets[0]) == "MODELS"]
    models = {key.value for table in tables for key in table.keys}
    sets = {path.stem for path in ROOT.glob("trainers/data/embedded/*.py")} - {"__init__"}
    assert len(models) > 30 and len(sets) > 5
    return models | sets | FAMILIES


def named(tree):
    """What a file imports of a family or of an embedded set, and its strings that name one, or a model: those of flags,
    which are help and defaults, and docstrings are not counted."""
    names = models_and_sets()
    for name in imported(tree):
        if (name[0] == "zoo" and FAMILIES & set(name[1:2])) or name[:3] == ["trainers", "data", "embedded"]:
            yield ".".join(name)
    flags = [node for node in ast.walk(tree) if isinstance(node, ast.Call)
             and ast.unparse(node.func).startswith("flags.")]
    left_out = {id(node) for flag in flags for node in ast.walk(flag)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in left_out:
            if node.value.partition("/")[0] in names:
                yield node.value


@pytest.mark.parametrize("path", trainers_files())
def test_rooms_are_imported_one_way(path):
    if path != "trainers/__init__.py":
        assert list(wrong_rooms(room_of(path), tree_of(path))) == []


def test_no_circle_not_even_a_late_one():
    graph = {path: {found for name in imported(tree_of(path)) if (found := file_of(name)) and found != path}
             for path in trainers_files() if not path.endswith("__init__.py")}
    assert tuple(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("path", [path for path in trainers_files() if room_of(path) not in PROGRAMS])
def test_only_programs_import_late(path):
    assert late_imports(tree_of(path)) == []


@pytest.mark.parametrize("path", [path for path in trainers_files() if not path.startswith(NAMING)])
def test_no_name_of_a_model_a_family_or_a_data_set(path):
    assert list(named(tree_of(path))) == []


@pytest.mark.parametrize("room, source", [
    ("runs", "from trainers.training.engine import Engine"), ("runs", "import trainers.evaluation.bits"),
    ("pictures", "from trainers.runs import drawing"), ("data", "from trainers.pictures import images"),
    ("modes", "from trainers.training import previews"), ("evaluation", "from trainers.modes import paths"),
    ("training", "from trainers import train"), ("recipes", "from trainers.data import open_dataset"),
    ("sample", "from trainers import evaluate"), ("cli", "from trainers.runs import config")])
def test_a_wrong_room_is_found(room, source):
    assert len(list(wrong_rooms(room, ast.parse(f"def f():\n    {source}")))) == 1


def test_a_late_import_is_found():
    assert late_imports(ast.parse("import a\ndef f():\n    import rdkit\n    from b import c")) == ["b.c"]


@pytest.mark.parametrize("source", ["from zoo.latent import vae", "from trainers.data.embedded import shapes",
                                    "name == 'vae'", "name in ('toy2d/eight_gaussians', 'x')", "f('density', x)"])
def test_a_name_is_found(source):
    assert len(list(named(ast.parse(source)))) == 1


def test_a_flag_may_have_a_name_as_its_default():
    assert not list(named(ast.parse("flags.DEFINE_string('model', 'vae', 'vae, gan', flag_values=options)")))


@pytest.mark.parametrize("program", sorted(PROGRAMS - {"sample"}))  # whose flags are those of its modes
def test_help_needs_no_tensorflow(program):
    code = (f"import sys; from trainers import {program}; code = {program}.run(['zoo', '--help']); "
            "sys.exit(code or 'tensorflow' in sys.modules)")
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0 and "flags:" in found.stdout
