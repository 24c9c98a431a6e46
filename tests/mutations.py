"""Deliberate mistakes, each of which must turn a test red: python -m tests.mutations [NAME ...].

A mutation is a file, a piece of its text, what replaces it, and the test that must notice. The tree is copied to a temporary folder,
mutated there, and the test run there; the test must pass on the copy as it is and fail on the mutant.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parents[1]


class Mutation(NamedTuple):
    path: str
    old: str
    new: str
    test: str


MUTATIONS = {
    "clip before the all-reduce": Mutation(
        "trainers/engine.py",
        "                    if self.replicas > 1:\n                        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)\n"
        "                    gradients, _ = tf.clip_by_global_norm([g / self.replicas for g in gradients], self.clip_norm)\n",
        "                    gradients, _ = tf.clip_by_global_norm(gradients, self.clip_norm)\n",
        "tests/test_engine.py::test_two_replicas_equal_one_with_clipping_on"),
    "gradients summed, not averaged, over the replicas": Mutation(
        "trainers/engine.py", "apply([g / self.replicas for g in gradients], weights)", "apply(gradients, weights)",
        "tests/test_engine.py::test_two_replicas_equal_one_with_clipping_on"),
    "the same noise on every replica": Mutation(
        "trainers/engine.py", "random.fold_in(self.seed, step, index, move, replica)", "random.fold_in(self.seed, step, index, move, 0 * replica)",
        "tests/test_engine.py::test_replicas_draw_different_noise"),
    "the sign of the KL": Mutation(
        "zoo/latent/vae.py", '"kl": tfd.kl_divergence(posterior, self.prior())', '"kl": -tfd.kl_divergence(posterior, self.prior())',
        "tests/test_vae.py"),
    "log-variance read as log-scale": Mutation(
        "zoo/latent/vae.py", "tf.exp(0.5 * log_variance)", "tf.exp(log_variance)", "tests/test_vae.py"),
    "importance weights without the posterior": Mutation(
        "zoo/latent/vae.py", " + prior.log_prob(z) - posterior.log_prob(z)", " + prior.log_prob(z)", "tests/test_vae.py"),
    "one sample too many in the bound": Mutation(
        "zoo/latent/bounds.py", "math.log(num_samples)", "math.log(num_samples + 1)", "tests/test_vae.py"),
}


def passes(tree, test):
    environment = os.environ | {"PYTHONPATH": str(tree)}
    return subprocess.run([sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test], cwd=tree, env=environment,
                          capture_output=True).returncode == 0


def main(names):
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".git", ".venv", "runs", "__pycache__", "*.egg-info"))
        sound = {test: passes(tree, test) for test in sorted({MUTATIONS[name].test for name in names})}
        for name in names:
            mutation = MUTATIONS[name]
            path = tree / mutation.path
            text = path.read_text()
            if text.count(mutation.old) != 1:
                outcome = "the text to mutate is not there once"
            elif not sound[mutation.test]:
                outcome = "the test fails without the mutation"
            else:
                path.write_text(text.replace(mutation.old, mutation.new))
                outcome = "NOT NOTICED" if passes(tree, mutation.test) else "noticed"
                path.write_text(text)
            print(f"{outcome:12s} {name}  ({mutation.test})", flush=True)
            if outcome != "noticed":
                survivors.append(name)
    print(f"{len(names) - len(survivors)} passed, {len(survivors)} failed")
    return bool(survivors)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(MUTATIONS)))
