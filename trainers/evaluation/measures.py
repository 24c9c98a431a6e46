"""What is measured of a trained model, a function per capability; each number comes as (metric, Estimate, unit, kind,
protocol).

Likelihoods and bounds over all examples of a split; how far samples are from examples (energy distance), or
reconstructions where there is neither a likelihood nor a sample; how many of a data set's known modes samples cover;
and how likely the true values are of what is hidden of an example, given the rest.
"""

import math
import sys
import time

_LIKELIHOOD, _BOUND, _SAMPLES, _HIDDEN = 1, 2, 3, 4  # folded into --seed
_SECONDS_PER_LINE = 10


class Progress:
    """Tells how far an evaluation is, and its rate in examples/s: a bar, or plain lines where the output is no
    terminal."""

    def __init__(self, name, total):
        import tqdm

        self._name, self._total, self._done = name, total, 0
        self._began = self._told = time.monotonic()
        self._bar = (
            tqdm.tqdm(total=total, desc=name, unit="example", dynamic_ncols=True, leave=False)
            if sys.stderr.isatty()
            else None
        )

    def add(self, num):
        self._done += num
        now = time.monotonic()
        if self._bar:
            self._bar.update(num)
        elif now - self._told > _SECONDS_PER_LINE:
            self._told = now
            print(f"{self._name}  {self._done}/{self._total}  {self._rate():.1f} examples/s", flush=True)

    def _rate(self):
        return self._done / max(time.monotonic() - self._began, 1e-9)

    def close(self):
        if self._bar:
            self._bar.close()
        print(f"{self._name}: {self._done} examples, {self._rate():.1f} examples/s", flush=True)


class Evaluation:
    """A run, the examples it is evaluated on, and what they are.

    Args:
        run: `trainers.runs.run.Run`. dataset: an open data set. split: its split. num: how many of its examples.
            batch_size: in memory at once.
        seed: an integer. importance_samples: of the importance-weighted bound.
    """

    def __init__(self, run, dataset, split, num, batch_size, seed, importance_samples):
        from trainers.data import protocol
        from zoo import random
        from zoo.domain import describe

        self.run, self.dataset, self.split, self.num, self.batch_size = run, dataset, split, num, min(batch_size, num)
        self.model, self.domain = run.model, run.model.domain
        self.seed, self.noise, self.importance_samples = seed, random.seed(seed), importance_samples
        self.protocol = protocol(dataset, self.domain, run.config.data) | dict(num_examples=num, evaluation_seed=seed)
        if run.selected:
            self.protocol["selected_step"] = run.selected  # by the validation split
        if fitted_to := run.description.get("data", {}).get("fitted_to"):
            self.protocol["fitted_to"] = fitted_to
        if changes := run.description.get("changes"):
            self.protocol["changed_on_resume"] = [f"{c['key']} from {c['before']} to {c['now']}" for c in changes]
        if self.domain.conditional:  # p(x | condition) is another quantity than p(x)
            self.protocol["given"] = " and ".join(map(describe, self.domain.conditions().values())).removeprefix("a ")

    def batches(self, num):
        """The first `num` examples as pairs (x, condition), in batches; those of a partner are left out."""
        from trainers.data import evaluation_batches
        return (self.domain.split(batch)[:2] for batch in evaluation_batches(
            self.dataset, self.split, self.domain, self.batch_size, self.seed, self.run.config.data, limit=num))

    def per_example(self, name, function, purpose):
        """function(x, seeds, condition) of every example, [num]; an example's seed depends on its place in the split
        alone."""
        import numpy as np

        return np.concatenate(list(self.by_batch(name, function, purpose)))

    def by_batch(self, name, function, purpose):
        """The same, a batch after another."""
        import numpy as np
        import tensorflow as tf

        from zoo import random
        from zoo.domain import take_rows

        function = tf.function(function, reduce_retracing=True)
        seed, start, progress = random.fold_in(self.noise, purpose), 0, Progress(name, self.num)
        for x, condition in self.batches(self.num):
            num = int(x.shape[0])
            # the last batch, filled up, needs no trace of its own
            index = np.minimum(np.arange(self.batch_size), num - 1)
            x, condition = take_rows((x, condition), index)
            yield function(x, random.rows(seed, self.batch_size, start), condition).numpy()[:num]
            start += num
            progress.add(num)
        progress.close()


def likelihoods(evaluation):
    """Numbers (metric, Estimate, unit, kind, protocol) of what the model knows of log p(x): exact, or every bound that
    it has."""
    import tensorflow as tf

    from zoo.capabilities import likelihood_kind
    from zoo.metrics import likelihood

    model, domain, k = evaluation.model, evaluation.domain, evaluation.importance_samples
    found = []
    if likelihood_kind(model) == "exact":
        values = evaluation.per_example("log_prob", lambda x, seeds, c: model.log_prob(x, condition=c), _LIKELIHOOD)
        density = (
            f"density of (level + u) / {evaluation.dataset.levels}, u ~ U[0, 1), scaled to {list(domain.range or ())}"
        )
        protocol = dict(measure=density) if domain.dequantized else {}
        found.append(("negative_log_likelihood", likelihood.nats(values), "nats", "exact", protocol))
    if hasattr(model, "elbo"):
        protocol = dict(noise_draws=1)
        if hasattr(model, "rate_distortion"):
            # [num, 2]
            parts = evaluation.per_example("elbo",
                                           lambda x, seeds, c: tf.stack(model.rate_distortion(x, seeds, condition=c),
                                                                        -1), _BOUND)
            found += [(name, likelihood.estimate(part), "nats", "estimate", protocol) for name,
                      part in zip(("rate", "distortion"), parts.T)]
            values = -parts.sum(1)
        else:
            values = evaluation.per_example("elbo", lambda x, seeds, c: model.elbo(x, seeds, condition=c), _BOUND)
        found.append(("negative_elbo", likelihood.nats(values), "nats", "upper_bound", protocol))
        if hasattr(model, "log_prob"):
            values, protocol = evaluation.per_example(
                "log_prob", lambda x, seeds, c: model.log_prob(x, seeds, num_samples=k, condition=c),
                _LIKELIHOOD), dict(importance_samples=k)
            found.append(("negative_log_likelihood", likelihood.nats(values), "nats", "upper_bound", protocol))
    if found and domain.kind == "waveform":
        per_sample = likelihood.bits_per_dimension(values, math.prod(domain.shape), None)
        found.append(("bits_per_sample", per_sample, "bits/sample", found[-1][3], dict(rate=evaluation.dataset.rate)))
    if found and domain.kind == "tokens" and likelihood_kind(model) == "exact":
        from trainers.evaluation import text

        found += text.measure(evaluation)
    if found and len(domain.shape) == 3 and (domain.kind in ("binary", "levels") or domain.dequantized):
        found.append(bits(values, evaluation, found[-1]))
    return found


def bits(values, evaluation, nats):
    """Bits per dimension of the tightest values of log p(x), [num] in nats; `nats` is their mean's number."""
    from zoo.metrics import likelihood

    _, _, _, kind, protocol = nats
    domain = evaluation.domain
    dimensions, levels = math.prod(domain.example_shape), None
    if domain.dequantized:
        # E_u log p(level + u) <= log P(level): by Jensen's inequality even an exact density bounds the probability of
        # the levels.
        low, high = domain.range
        values, levels, kind = values + dimensions * math.log(high - low), evaluation.dataset.levels, "upper_bound"
    return "bits_per_dimension", likelihood.bits_per_dimension(values, dimensions, levels), "bits/dim", kind, protocol


def everything(evaluation):
    """All numbers that can be measured of the model on its data."""
    from trainers.evaluation import estimates, reconstruction
    from zoo.capabilities import likelihood_kind

    found = likelihoods(evaluation) + estimates.measure(evaluation, bits)
    if hasattr(evaluation.model, "codes"):
        found += code_usage(evaluation)
    elif hasattr(evaluation.model, "rate_distortion") and hasattr(evaluation.model, "encode"):
        found.append(active_units(evaluation))
    if hasattr(evaluation.model, "encode"):
        from trainers.evaluation import factors

        found += factors.measure(evaluation)
    if hasattr(evaluation.model, "missing_log_prob") and math.prod(evaluation.domain.places) > 1:
        found += completions(evaluation)
    if likelihood_kind(evaluation.model) is None and hasattr(evaluation.model, "encode"):
        found += reconstruction.measure(evaluation)
    # the distance of two texts' token numbers means nothing, nor does that of two phases
    if hasattr(evaluation.model, "sample") and evaluation.domain.kind not in ("tokens", "waveform", "strokes"):
        found += sample_metrics(evaluation)
    if evaluation.domain.kind == "tokens" and not evaluation.dataset.text.windows:
        from trainers.evaluation import strings

        found += strings.measure(evaluation)
    return found


def code_usage(evaluation):
    """Of each codebook the perplexity of the codes of all examples, and the share of its entries that occur."""
    import numpy as np
    import tensorflow as tf

    from zoo.layers.vector_quantizer import perplexity
    from zoo.metrics.likelihood import Estimate

    model, found, start = evaluation.model, [], 0
    codes = evaluation.per_example("codes",
                                   lambda x, seeds, c: tf.concat([tf.reshape(k, [tf.shape(x)[0], -1])
                                                                  for k in model.codes(x)], 1), _LIKELIHOOD)
    for name, quantizer in zip(model.level_names, model.quantizers):
        counts = np.bincount(codes[:, start:start + quantizer.places].ravel(), minlength=quantizer.entries)
        start += quantizer.places
        usage = tf.constant(counts / counts.sum(), tf.float32)
        protocol = dict(entries=quantizer.entries, places=quantizer.places)
        found += [(f"{name}perplexity", Estimate(float(perplexity(usage)), math.nan), "entries", "estimate", protocol),
                  (f"{name}codes_used", Estimate(float(np.mean(counts > 0)), math.nan), "fraction", "estimate",
                   protocol)]
    return found


def active_units(evaluation):
    """How many latents say something of the example; where hardly any does, the posterior collapsed onto the prior, and
    that is said."""
    from zoo.metrics import latents
    from zoo.metrics.likelihood import Estimate

    variance = latents.Variance()
    for codes in evaluation.by_batch("encode", lambda x, seeds, c: evaluation.model.encode(x, condition=c),
                                     _LIKELIHOOD):
        variance.add(codes)
    active, size = variance.active_units()
    if latents.collapsed(active, size):
        print(f"warning: posterior collapse: {active} of {size} latents depend on the example.", file=sys.stderr,
              flush=True)
    return "active_units", Estimate(active, math.nan), "count", "estimate", dict(latents=size,
                                                                                 active="variance of the code's mean "
                                                                                        f"above {latents.ACTIVE}")


def completions(evaluation):
    """For each mask, -log p of the true values of what it hides, given the rest: the first examples of the split, as
    many as the recipe says."""
    import numpy as np
    import tensorflow as tf

    from trainers.data import masks
    from trainers.runs.drawing import map_rows
    from zoo import random
    from zoo.domain import concat_rows
    from zoo.metrics import likelihood

    model, found = evaluation.model, []
    num = min(evaluation.run.config.evaluation.completions, evaluation.num)
    x, conditions = zip(*evaluation.batches(num))
    x, condition = tf.concat(x, 0), concat_rows(conditions)
    function = tf.function(lambda x, mask, seeds, c: model.missing_log_prob(x, mask, seeds, c), reduce_retracing=True)
    for name in masks.names(model.domain.places, model.domain.kind):
        mask, progress = masks.of(name, model.domain, x), Progress(f"missing, {name} given", num)
        exact = model.completes_exactly(mask) if hasattr(model, "completes_exactly") else True
        values = map_rows(function, x, mask, random.rows(random.fold_in(evaluation.noise, _HIDDEN), num), condition,
                          rows=min(evaluation.batch_size, 20))
        progress.add(num)
        progress.close()
        counted = masks.counted(model.domain, x)
        protocol = dict(given=f"{name}: {mask[counted].mean():.0%} of the places", num_examples=num,
                        hidden_places=float(np.mean((~mask & counted).reshape(num, -1).sum(1))))
        if not exact:
            protocol["of"] = f"what {model.completion} draws"
        found.append((f"missing_negative_log_likelihood_{name}", likelihood.nats(values), "nats",
                      "exact" if exact else "upper_bound", protocol))
    return found


def sample_metrics(evaluation):
    """Numbers (metric, Estimate, unit, kind, protocol) that compare generated samples with as many examples of the
    split."""
    import numpy as np

    from trainers.evaluation.reconstruction import span, unit
    from trainers.runs.drawing import draw
    from zoo import random
    from zoo.domain import concat_rows
    from zoo.metrics import divergences

    model, domain = evaluation.model, evaluation.domain
    num = min(evaluation.run.config.evaluation.samples, evaluation.num)
    x, conditions = zip(*evaluation.batches(num))
    x, condition = np.concatenate(x), concat_rows(conditions)
    progress = Progress("sample", num)
    generated = draw(model, random.fold_in(evaluation.noise, _SAMPLES), num, condition=condition)
    progress.add(num)
    progress.close()
    protocol = dict(generated_samples=num, num_examples=num)
    scaled = protocol | (dict(scale="pixels on [0, 1]") if span(domain) else {})
    found = [("energy_distance", divergences.energy_distance(unit(generated, domain), unit(x, domain)),
              "distance", "estimate", scaled)]
    if known := known_modes(evaluation.dataset.name):
        found += _modes(generated, *known, protocol)
    return found


def known_modes(dataset):
    """(centres [modes, D], standard deviation) of a data set that is a mixture of Gaussians apart from one another, or
    None."""
    import numpy as np

    if dataset != "toy2d/eight_gaussians":
        return None
    angle = np.arange(8) * (np.pi / 4)
    return 2.0 * np.stack([np.cos(angle), np.sin(angle)], axis=-1), 0.1


def _modes(generated, centres, std, protocol):
    from zoo.metrics import modes
    from zoo.metrics.likelihood import Estimate

    found = modes.modes(generated, centres, std)
    protocol = dict(generated_samples=protocol["generated_samples"], num_examples=0, modes=len(centres),
                    near="within 3 standard deviations")
    fraction, num = found.high_quality, len(generated)
    return [("modes_covered", Estimate(found.covered, math.nan), "count", "estimate", protocol),
            ("high_quality_fraction", Estimate(fraction, math.sqrt(fraction * (1 - fraction) / num)), "fraction",
             "estimate", protocol)]
