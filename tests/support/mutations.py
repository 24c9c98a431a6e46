"""Deliberate mistakes, each of which must turn a test red: python -m tests.support.mutations [NAME ...].

A mutation is a file, a piece of its text, what replaces it, and the test that must notice. The tree is copied to a
temporary folder, mutated there, and the test run there; the test must pass on the copy as it is and fail on the mutant.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parents[2]


class Mutation(NamedTuple):
    path: str
    old: str
    new: str
    test: str


MUTATIONS = {
    "clip before the all-reduce": Mutation(
        "trainers/training/engine.py",
        "            mean = self._mean(gradients)\n", "            mean = gradients\n",
        "tests/trainers/test_engine.py::test_two_replicas_equal_one_with_clipping_on"),
    "gradients summed, not averaged, over the replicas": Mutation(
        "zoo/training/game.py", "gradients = [gradient / self.replicas for gradient in gradients]", "pass",
        "tests/trainers/test_engine.py::test_two_replicas_equal_one_with_clipping_on"),
    "a followed mean that is each replica's own": Mutation(
        "zoo/layers/following.py", "if averaged and replicas > 1:", "if False:",
        "tests/contract/test_following.py::test_the_engine_gives_them_their_values_after_each_move"),
    "an average with its decay from the first move on": Mutation(
        "zoo/training/averaging.py", "tf.minimum(most, (1.0 + moves) / (10.0 + moves))", "most",
        "tests/trainers/test_engine.py::test_moving_average_of_the_weights"),
    "a schedule of steps for a player with more moves": Mutation(
        "trainers/training/optimizers.py", "schedule, steps * updates, updates)", "schedule, steps, updates)",
        "tests/contract/test_playing.py::test_a_schedule_spans_a_players_own_moves"),
    "moves that all get the step's first batch": Mutation(
        "zoo/training/game.py", "batches[number], tf.cast(step", "batches[0], tf.cast(step",
        "tests/contract/test_fit.py::test_by_hand_by_the_engine_and_by_fit"),
    "a multiplier of the gradient": Mutation(
        "zoo/training/game.py", "value + factor * (own - value)", "own",
        "tests/contract/test_playing.py::test_a_multiplier_is_of_the_way_that_an_update_takes"),
    "the parts of a batch summed": Mutation(
        "zoo/training/game.py", "means = [total / tf.cast(parts, total.dtype) for total in sums]", "means = sums",
        "tests/contract/test_playing.py::test_a_batch_in_parts_is_the_batch"),
    "the same noise on every replica": Mutation(
        "zoo/training/game.py", "replica = 0 if self.players[index].shared else "
                                "tf.distribute.get_replica_context().replica_id_in_sync_group", "replica = 0",
        "tests/trainers/test_engine.py::test_replicas_draw_different_noise"),
    "an update that is made although it is too large": Mutation(
        "trainers/training/engine.py", "norm <= self.skip_norm", "norm == norm", "tests/contract/test_skipping.py"),
    "a layer of latents that costs nothing": Mutation(
        "zoo/latent/very_deep_vae.py", "0.5 * (squares - 1.0) - log_ratio", "0.5 * (squares - 1.0)",
        "tests/zoo/test_very_deep_vae.py"),
    "the sign of the KL": Mutation(
        "zoo/latent/parts/posteriors.py", "self._loc.shape[-1]) - self._log_det",
        "self._loc.shape[-1]) + self._log_det", "tests/zoo/test_posteriors.py"),
    "log-variance read as log-scale": Mutation(
        "zoo/latent/parts/posteriors.py", "DiagonalGaussian(loc, 0.5 * log_variance)",
        "DiagonalGaussian(loc, log_variance)", "tests/zoo/test_vae.py"),
    "importance weights without the posterior": Mutation(
        "zoo/latent/parts/image_vae.py", "log_prior(z) - log_q", "log_prior(z)", "tests/zoo/test_vae.py"),
    "a rank-one posterior without its correction": Mutation(
        "zoo/latent/parts/posteriors.py", "tf.math.log(root[..., 0])", "0.0 * root[..., 0]",
        "tests/zoo/test_posteriors.py"),
    "a flow's log-determinant with the wrong sign": Mutation(
        "zoo/latent/parts/posteriors.py", "return z, log_q - log_det", "return z, log_q + log_det",
        "tests/zoo/test_posteriors.py"),
    "the doubly reparameterised gradient without its shares": Mutation(
        "zoo/latent/iwae.py", "gradient * (1.0 - beta + beta * shares())[..., None]", "gradient",
        "tests/zoo/test_iwae.py::test_dreg_by_hand"),
    "a ladder that is trained by its running moments": Mutation(
        "zoo/latent/ladder_vae.py", "training=step is not None", "training=False",
        "tests/zoo/test_ladder_vae.py::test_training_normalises_by_the_batch_and_all_else_by_moments_that_follow"),
    "running moments that no batch reaches": Mutation(
        "zoo/layers/batch_normalization.py", "(1.0 - self.momentum) * own", "(1.0 - self.momentum) * running",
        "tests/zoo/test_batch_normalization.py"),
    "a spectral norm whose gradient stops": Mutation(
        "zoo/layers/spectral_normalization.py", "tf.linalg.matvec(matrix, after)", "tf.linalg.matvec(held, after)",
        "tests/zoo/test_spectral_normalization.py"),
    "a codebook that revives nothing": Mutation(
        "zoo/layers/vector_quantizer.py", "even * _drawn(z, self.entries, seed)", "self._average(self.sums, sums)",
        "tests/zoo/test_vector_quantizer.py"),
    "a DLGM whose layers replace one another": Mutation(
        "zoo/latent/dlgm.py", "self.T[layer](h) + self.G[layer](parts[layer])", "self.T[layer](h)",
        "tests/zoo/test_dlgm.py"),
    "given quadrants that are drawn": Mutation(
        "zoo/latent/conditional_vae.py", "_CERTAIN * known, raw)", "0.0 * known, raw)",
        "tests/zoo/test_conditional_vae.py"),
    "a loss that compares with the noisy example": Mutation(
        "zoo/latent/denoising_autoencoder.py", "self.measure.of(batch, self", "self.measure.of(noisy, self",
        "tests/zoo/test_denoising_autoencoder.py"),
    "salt without pepper": Mutation(
        "zoo/latent/parts/corruptions.py", "tf.cast(noise[:, 1] < 0.5, tf.float32)",
        "tf.cast(noise[:, 1] < 1.5, tf.float32)", "tests/zoo/test_denoising_autoencoder.py"),
    "beta that weighs nothing": Mutation(
        "zoo/latent/beta_vae.py", "self.warmup_steps, self.beta)", "self.warmup_steps, 1.0)",
        "tests/zoo/test_beta_vae.py"),
    "a mask off by one": Mutation(
        "zoo/layers/masked_convolution.py", "mask[half, half + 1:] = 0.0", "mask[half, half + 2:] = 0.0",
        "tests/zoo/test_pixel_cnn.py"),
    "mask A that sees its own pixel": Mutation(
        "zoo/layers/masked_convolution.py", 'source[:, None] < target if kind == "A"',
        'source[:, None] <= target if kind == "A"',
        "tests/zoo/test_pixel_cnn.py"),
    "a sampler that draws a row too early": Mutation(
        "zoo/autoregressive/parts/raster.py", "self.lag = 1 + max(", "self.lag = max(", "tests/zoo/test_pixel_cnn.py"),
    "a coupling without its log-determinant": Mutation(
        "zoo/transforms/coupling.py", "-tf.reduce_sum(s, axis=-1)", "-0.0 * tf.reduce_sum(s, axis=-1)",
        "tests/zoo/test_real_nvp.py"),
    "a flow without the logit's log-determinant": Mutation(
        "zoo/transforms/transform.py", "self.bijector.inverse_log_det_jacobian(x, event_ndims=self.event_ndims)", "0.0",
        "tests/zoo/test_real_nvp.py"),
    "a chain that forgets a log-determinant": Mutation("zoo/transforms/transform.py", "total += log_det",
                                                       "total = log_det", "tests/zoo/test_transforms.py"),
    "the sign of the generator's loss": Mutation(
        "zoo/gan/parts/losses.py", '{"fake": tf.nn.softplus(-fake_logits)}', '{"fake": -tf.nn.softplus(-fake_logits)}',
        "tests/zoo/test_gan.py"),
    "the same noise in every reverse step": Mutation(
        "zoo/diffusion/parts/samplers.py", "random.fold_in_rows(seeds, t)", "random.fold_in_rows(seeds, 0 * t)",
        "tests/zoo/test_ddpm.py"),
    "a generator with a round too few": Mutation("zoo/random/philox.py", "_ROUNDS = 10", "_ROUNDS = 9",
                                                 "tests/zoo/test_random.py"),
    "a fold that is a draw": Mutation("zoo/random/__init__.py", "stream(seed, _FOLD, item, 2)",
                                      "stream(seed, _DRAW, item, 2)", "tests/zoo/test_random.py"),
    "rows that share their noise": Mutation(
        "zoo/random/__init__.py", "philox.at_once(seeds, _DRAW, 0, number)",
        "philox.at_once(0 * seeds + seeds[:1], _DRAW, 0, number)",
        "tests/contract/test_contract.py::test_sample_row_depends_on_its_own_seed_alone_and_stays_in_the_domain[vae]"),
    "a checkpoint that is restored without a look at its checksums": Mutation(
        "trainers/runs/checkpoints.py", "        reader.get_tensor(name)\n", "        pass\n",
        "tests/trainers/test_checkpoints.py"),
    "a resumed run that starts with the first batch": Mutation(
        "trainers/training/loop.py", "self.data.training(step * self.engine.moves,", "self.data.training(0 * step,",
        "tests/trainers/test_train.py::test_a_longer_run_of_a_constant_rate_continues_the_same_run"),
    "one sample too many in the bound": Mutation(
        "zoo/latent/parts/importance_weighting.py", "math.log(num_samples)", "math.log(num_samples + 1)",
        "tests/zoo/test_vae.py"),
    "a NADE unit that sees its own pixel": Mutation(
        "zoo/layers/prefix_conditionals.py", "np.tri(block, k=-1, dtype=np.float32)",
        "np.tri(block, k=0, dtype=np.float32)", "tests/zoo/test_nade.py"),
    "a gradient that forgets what ran before": Mutation(
        "zoo/layers/prefix_conditionals.py", "[dy_blocks[k], da])", "[dy_blocks[k], 0.0 * da])",
        "tests/zoo/test_nade.py"),
    "a MADE mask that lets through too much": Mutation(
        "zoo/layers/masked_dense.py", "self.open = sources[:, None] <= targets",
        "self.open = sources[:, None] <= targets + 1", "tests/zoo/test_masked_dense.py"),
    "a vertical stack that sees its own row": Mutation(
        "zoo/layers/gated_convolution.py",
        "x, padding = tf.pad(x[:, :-1], [[0, 0], [half + 1, 0], [half, half], [0, 0]])",
        "x, padding = tf.pad(x, [[0, 0], [half, 0], [half, half], [0, 0]])",
        "tests/zoo/test_gated_pixel_cnn.py::test_logits_are_those_of_the_formula"),
    "a horizontal stack that does not see its own pixel": Mutation(
        "zoo/layers/gated_convolution.py", 'if self.kind == "A" and self.groups == 1 and half:',
        'if self.kind == "B" and self.groups == 1 and half:',
        "tests/zoo/test_gated_pixel_cnn.py::test_logits_are_those_of_the_formula"),
    "attention that sees the next place": Mutation(
        "zoo/layers/attention.py", "key < place if strict else key <= place",
        "key < place if strict else key <= place + 1", "tests/zoo/test_attention.py"),
    "a backward pass without the softmax's own term": Mutation(
        "zoo/layers/attention.py", "dp - tf.reduce_sum(do * output, -1, keepdims=True)", "dp",
        "tests/zoo/test_attention.py"),
    "a dilation that is one too short": Mutation(
        "zoo/layers/causal_convolution.py",
        "before = tf.pad(tf.tensordot(x[:-self.dilation], past, 1), [[self.dilation, 0], [0, 0], [0, 0]])",
        "before = tf.pad(tf.tensordot(x[1:x.shape[0] - self.dilation + 1], past, 1), [[self.dilation, 0], [0, 0], [0, "
        "0]])", "tests/zoo/test_wavenet.py"),
    "completion whose candidates weigh the same": Mutation(
        "zoo/autoregressive/parts/autoregressive.py", "tf.argmax(weights + gumbels, axis=1)",
        "tf.argmax(0.0 * weights + gumbels, axis=1)",
        "tests/zoo/test_autoregressive.py"),
    "a bound that counts a candidate too many": Mutation(
        "zoo/autoregressive/parts/autoregressive.py", "exact() + math.log(CANDIDATES)",
        "exact() + math.log(CANDIDATES + 1)", "tests/zoo/test_autoregressive.py"),
    "selection of the worst weights": Mutation(
        "trainers/runs/selection.py", "return value < float(self._value)",
        "return value > float(self._value) or float(self._value) == math.inf",
        "tests/trainers/test_selection.py"),
    "bits a byte that count tokens": Mutation(
        "trainers/evaluation/text.py", "(~given).sum(1) * (size / len(tokens))", "(~given).sum(1) * 1.0",
        "tests/trainers/test_text_programs.py"),
    "groups that hold an example twice": Mutation(
        "trainers/data/groups.py", "(number * k + np.arange(k)) % count", "(number * k + np.arange(k) // 2) % count",
        "tests/contract/test_conditions.py::test_groups_are_different_examples_of_one_label"),
    "a partner in the order of the first set": Mutation(
        "trainers/data/pipeline.py", 'key(seed, f"{purpose}order")', 'key(seed, "order")',
        "tests/contract/test_conditions.py::test_a_partner_has_an_order_and_a_length_of_its_own"),
    "what is not known of an example that is told": Mutation(
        "trainers/data/conditions.py", "tf.constant(part.mask)[..., None]", "tf.ones_like(part.mask)[..., None]",
        "tests/contract/test_conditions.py::test_a_condition_is_made_of_the_field_that_fits"),
    "a class that is asked for and not drawn": Mutation(
        "trainers/modes/conditions.py", "    if options.condition:\n        return asked",
        "    if options.condition and not domain.num_classes:\n        return asked",
        "tests/trainers/test_condition_programs.py::test_what_is_asked_for_is_drawn"),
}


def passes(tree, test):
    environment = os.environ | {"PYTHONPATH": str(tree)}
    return subprocess.run([sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test], cwd=tree,
                          env=environment, capture_output=True).returncode == 0


def main(names):
    if unknown := [name for name in names if name not in MUTATIONS]:
        print(f"error: no such mistake as {unknown[0]!r}; known: {'; '.join(MUTATIONS)}.", file=sys.stderr)
        return 2
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
