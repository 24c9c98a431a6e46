"""The import rule, and what no model may use: families do not know one another, the zoo knows no flags, files or plots,
each layer only those below.

And that every deliberate mistake of `tests.support.mutations` finds its text and its test.
"""

import ast
import pathlib
import re

import pytest

from tests.support.mutations import MUTATIONS

ROOT = pathlib.Path(__file__).parents[2]
FAMILIES = {"density", "autoregressive", "latent", "flow", "diffusion", "gan"}
BELOW = {"random": set(), "domain": set(), "control": set(), "paper": set(), "checks": {"random"},
         "capabilities": {"random", "checks"},
         "layers": {"random"}, "networks": {"random", "layers"}, "distributions": {"random"}, "solvers": {"random"},
         "transforms": {"random", "distributions", "layers", "solvers"}, "training": {"random", "layers", "checks"},
         "model": {"random", "layers", "training", "domain", "capabilities", "paper"}}
CONTRACT = {"random", "domain", "control", "capabilities", "model", "paper"}
BELOW |= {"metrics": CONTRACT, "operations": CONTRACT}
BELOW |= {family: CONTRACT | {"checks", "distributions", "layers", "networks", "metrics", "transforms", "solvers"}
          for family in FAMILIES}
FOREIGN = {"absl", "matplotlib", "tensorflow_datasets", "trainers", "tests", "tf_keras", "ml_collections", "PIL",
           "tqdm"}
# State that replicas would share or a server would start over from, code that no SavedModel holds, and Keras 2.
REFUSED = re.compile(
    r"""(^|\.)(SeedGenerator|\w*Dropout\w*|GaussianNoise|Lambda|py_function|numpy_function|py_func|make_py_function)$
                         |(^|\.)random\.(normal|uniform|truncated_normal|categorical|gamma
                                      |shuffle|Generator|set_seed|get_global_generator)$
                         |^(tfp|tensorflow_probability(\.python)?)\.layers(\.|$)""",
    re.VERBOSE,
)


def zoo_files():
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("zoo/**/*.py"))


def imported(tree):
    """The dotted names that a file imports, as lists."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}".split(".") for alias in node.names)


def wrong_imports(here, tree):
    """What a file of zoo.`here` may not import."""
    for name in imported(tree):
        inside = name[0] == "zoo" and here in BELOW
        if name[0] == "" or name[0] in FOREIGN or (inside and (len(name) == 1 or name[1] not in BELOW[here] | {here})):
            yield ".".join(name)


def refused(tree):
    """What a file uses, or imports, of what no model may."""
    used = (ast.unparse(node) for node in ast.walk(tree) if isinstance(node, (ast.Attribute, ast.Name)))
    return sorted({name for name in [*used, *(".".join(name) for name in imported(tree))] if REFUSED.search(name)})


@pytest.mark.parametrize("path", zoo_files())
def test_imports_run_one_way(path):
    here = pathlib.PurePath(path).with_suffix("").parts[1]
    assert list(wrong_imports(here, ast.parse((ROOT / path).read_text()))) == []


@pytest.mark.parametrize("here, source", [
    ("latent", "import zoo"), ("latent", "from zoo import MODELS"), ("latent", "from zoo.flow import real_nvp"),
    ("flow", "import zoo.latent.vae"),
    ("latent", "from zoo.serving import export"), ("latent", "from . import vae"),
    ("gan", "from .losses import minimax"), ("gan", "import matplotlib.pyplot as plt"),
    ("metrics", "from zoo.gan.gan import GAN"), ("training", "from zoo.model import Player"),
    ("model", "from zoo.latent import vae"), ("domain", "from zoo.model import Player"),
    ("operations", "from zoo import latent"), ("model", "import zoo"),
    ("layers", "from zoo import networks"), ("networks", "from zoo.model import Domain"),
    ("serving", "from trainers import train"),
     ("transforms", "from zoo.flow import real_nvp"), ("transforms", "from zoo.networks import dense"),
    ("solvers", "from zoo.model import Domain"),
     ("solvers", "from zoo.transforms import coupling"), ("layers", "from zoo.transforms import transform"),
    ("networks", "from zoo.solvers import fixed")])
def test_wrong_imports_are_found(here, source):
    assert len(list(wrong_imports(here, ast.parse(f"def f():\n    {source}")))) == 1


@pytest.mark.parametrize("path", zoo_files())
def test_no_state_no_python_and_no_keras_2(path):
    assert refused(ast.parse((ROOT / path).read_text())) == []


@pytest.mark.parametrize("source", [
    "keras.random.SeedGenerator(1)", "keras.layers.Dropout(0.1)", "from keras.layers import Dropout",
    "layers.SpatialDropout2D(0.1)", "keras.layers.Lambda(f)",
    "keras.layers.GaussianNoise(1.0)", "tf.py_function(f, [x], tf.float32)", "tf.numpy_function(f, [x], tf.float32)",
    "tf.random.normal([2])",
    "tf.random.uniform([2])", "from tensorflow.random import normal", "keras.random.normal([2])", "np.random.normal()",
    "tf.random.Generator.from_seed(1)",
    "tfp.layers.DenseFlipout(3)", "from tensorflow_probability import layers", "tf.random.set_seed(1)"])
def test_what_is_refused_is_found(source):
    assert refused(ast.parse(source))


@pytest.mark.parametrize("source",
                         ["tf.random.stateless_normal([2], seed)", "random.normal_rows(seeds, [2])",
                          "tfp.distributions.Normal(0.0, 1.0)",
                          "keras.layers.LayerNormalization()", "from zoo import random"])
def test_what_is_allowed_is_not_refused(source):
    assert not refused(ast.parse(source))


@pytest.mark.parametrize("path",
                         sorted(str(p.relative_to(ROOT))
                                for p in [*ROOT.glob("zoo/**/*.py"), *ROOT.glob("trainers/**/*.py")]))
def test_files_stay_readable(path):
    assert len((ROOT / path).read_text().splitlines()) <= 300
    assert ast.get_docstring(ast.parse((ROOT / path).read_text())), f"{path}: says nothing of its idea"


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_is_of_text_that_is_there(name):
    mutation = MUTATIONS[name]
    assert (ROOT / mutation.path).read_text().count(mutation.old) == 1 and mutation.new != mutation.old
    path, *test = mutation.test.split("::")
    assert not test or f"def {test[0].partition('[')[0]}(" in (ROOT / path).read_text()
    assert (ROOT / path).exists()
