"""Recipes of the latent-variable family."""

from trainers.recipes.recipe import ANY, FEWER_DRAWS, Published, Recipe

_TABLE_1 = ("Burda, Grosse and Salakhutdinov 2015 (arXiv:1509.00519), table 1, VAE, 1 stochastic layer, k = 1, MNIST "
            "binarized dynamically")
_IWAE_NET = dict(latent_size=50, network="dense", hidden=(200, 200), activation="tanh")

# 1,437 images overfit within a minute: decoupled weight decay holds the bound of held-out images.
_DIGITS = dict(optimizer=dict(name="adamw", weight_decay=0.5, decay_all=True), schedule=dict(name="cosine"), ema=0.995,
               evaluation=dict(importance_samples=500))


def _iwae(variant, published, of, arguments, steps, batch_size, learning_rate=1e-3):
    return Recipe("iwae", "mnist", variant=variant, steps=steps, batch_size=batch_size,
                  arguments=arguments | dict(estimator="dreg"),
                  optimizer=dict(learning_rate=learning_rate, epsilon=1e-4), schedule=dict(name="cosine"),
                  evaluation=dict(importance_samples=5000),
                  published=(Published("negative_log_likelihood", published, "nats",
                                       _TABLE_1.replace("VAE", "IWAE").replace("1 stochastic layer, k = 1", of)),))


RECIPES = [
    Recipe("vae", "digits", steps=4000, batch_size=128,
           arguments=dict(levels=17, latent_size=16, network="conv", hidden=(32, 64), activation="relu"), **_DIGITS),
    # The net and the data of the importance-weighted autoencoder's paper. There: 3,280 epochs of batches of 20, the
    # learning rate falling in eight stages (schedule `staged`). Here: 1,500 epochs of batches of 100, a cosine and a
    # warm-up, which two CPU cores do within the hour.
    Recipe("vae", "mnist", steps=900_000, batch_size=100, arguments=_IWAE_NET | dict(warmup_steps=180_000),
           optimizer=dict(epsilon=1e-4), schedule=dict(name="cosine"), evaluation=dict(importance_samples=5000),
           published=(Published("negative_log_likelihood", 86.76, "nats", _TABLE_1),)),
    Recipe("vae", "binarized_mnist", steps=100_000, batch_size=100, arguments=_IWAE_NET, schedule=dict(name="cosine"),
           evaluation=dict(importance_samples=5000),
           published=(Published("negative_log_likelihood", 88.71, "nats",
                                _TABLE_1.replace("dynamically", "statically")),)),
    # Networks of two layers of 256 and 128 latents, for no more steps than the published number took.
    Recipe("vae", "binarized_mnist", variant="small", steps=65_000, batch_size=100,
           arguments=dict(latent_size=128, network="dense", hidden=(256, 256), activation="relu"),
           schedule=dict(name="cosine"), ema=0.999, selection=dict(every=2500),
           evaluation=dict(importance_samples=5000),
           published=(Published("negative_log_likelihood", 97.10, "nats",
                                "altosaar/variational-autoencoder's README, 65,000 steps"),)),
    Recipe("vae", "binarized_mnist", variant="vamp", steps=150_000, batch_size=100,
           arguments=dict(latent_size=40, network="dense", hidden=(300, 300), activation="relu", prior="vamp",
                          components=500, warmup_steps=20_000),
           optimizer=dict(learning_rate=5e-4), schedule=dict(name="cosine"), ema=0.999, selection=dict(every=5000),
           evaluation=dict(importance_samples=5000),
           published=(Published("negative_log_likelihood", 85.57, "nats",
                                "Tomczak and Welling 2018 (arXiv:1705.07120), VAE with a VampPrior, L = 1, static"),)),
    Recipe("vae", ANY, steps=20_000, batch_size=128,
           arguments=dict(network="conv", hidden=(32, 64, 128), latent_size=32, activation="relu"),
           schedule=dict(name="cosine"), ema=0.999),

    Recipe("beta_vae", "digits", steps=4000, batch_size=128, arguments=dict(levels=17, network="conv", hidden=(32, 64)),
           **_DIGITS),
    Recipe("beta_vae", "shapes", steps=6000, batch_size=64,
           arguments=dict(latent_size=10, network="conv", hidden=(32, 32, 64), beta=4.0),
           optimizer=dict(learning_rate=1e-3), schedule=dict(name="cosine"), evaluation=FEWER_DRAWS),
    Recipe("beta_vae", ANY, steps=100_000, batch_size=64, arguments=dict(network="conv", hidden=(32, 32, 64, 64)),
           optimizer=dict(learning_rate=5e-4)),
    Recipe("beta_tcvae", "digits", steps=4000, batch_size=128,
           arguments=dict(levels=17, network="conv", hidden=(32, 64)), **_DIGITS),
    Recipe("beta_tcvae", "shapes", steps=6000, batch_size=64,
           arguments=dict(latent_size=10, network="conv", hidden=(32, 32, 64)), optimizer=dict(learning_rate=1e-3),
           schedule=dict(name="cosine"), evaluation=FEWER_DRAWS),
    Recipe("beta_tcvae", ANY, steps=100_000, batch_size=64, arguments=dict(network="conv", hidden=(32, 32, 64, 64)),
           optimizer=dict(learning_rate=5e-4)),

    Recipe("conditional_vae", "digits", steps=2000, batch_size=64,
           arguments=dict(levels=17, latent_size=16, classes=10), **_DIGITS),
    # Given one quadrant, two, or three. The published numbers are of grey values as probabilities, which dynamic
    # binarization averages over.
    *(Recipe("conditional_vae", "mnist", variant=f"{quadrants}_quadrants" if quadrants > 1 else "", steps=30_000,
             batch_size=100, arguments=dict(latent_size=200) | (dict(quadrants=quadrants) if quadrants > 1 else {}),
             optimizer=dict(name="adamw", weight_decay=0.01, decay_all=True), schedule=dict(name="cosine"), ema=0.999,
             data=dict(validation=10_000), selection=dict(every=1000, patience=8),
             evaluation=dict(importance_samples=1000),
             published=(Published("negative_log_likelihood", value, "nats", f"Pyro's example, {quadrants} of 4 "
                                                                            "quadrants given, 500-500 networks and 200 "
                                                                            "latents"),))
      for quadrants, value in ((1, 71.8), (2, 51.0), (3, 24.2))),
    Recipe("conditional_vae", ANY, steps=50_000, batch_size=64, arguments=dict(latent_size=50),
           schedule=dict(name="cosine"), ema=0.999),

    Recipe("iwae", "digits", steps=4000, batch_size=64, arguments=dict(levels=17, latent_sizes=(16,), k=10), **_DIGITS),
    # The paper's networks, data and Adam's epsilon. There batches of 20, 3,280 epochs and a rate that falls in stages;
    # here 430 to 530 and a cosine, with the gradient that is the less noisy and a warm-up, which keeps the latents that
    # noise would switch off at a higher rate. For k = 50 few draws first, then a gradient of four draws picked out of
    # fifty, of little more variance than that of all in half the time.
    _iwae("", 85.54, "1 stochastic layer, k = 5", dict(k=5, warmup_steps=300_000), steps=1_500_000, batch_size=20),
    *(_iwae(variant, value, f"{layers} stochastic layer{'s' * (layers > 1)}, k = 50", steps=steps, batch_size=100,
            learning_rate=2e-3, arguments=sizes | dict(k=50, early_k=5, early_steps=200_000, backward_draws=4,
                                                       warmup_steps=80_000))
      for variant, layers, value, steps, sizes in (("k_50", 1, 84.78, 320_000, {}),
                                                   ("two_layers", 2, 82.90, 260_000,
                                                    dict(latent_sizes=(100, 50), hidden=(200, 100))))),
    Recipe("iwae", ANY, steps=50_000, batch_size=64, arguments=dict(k=10), schedule=dict(name="cosine"), ema=0.999),

    Recipe("dlgm", "digits", steps=4000, batch_size=64, arguments=dict(levels=17, latent_sizes=(16, 8)), **_DIGITS),
    Recipe("dlgm", "binarized_mnist", steps=220_000, batch_size=100, arguments=dict(hidden=300, warmup_steps=80_000),
           optimizer=dict(name="adamw", weight_decay=0.01, decay_all=True), schedule=dict(name="cosine"), ema=0.999,
           selection=dict(every=5000), evaluation=dict(importance_samples=5000),
           published=(Published("negative_log_likelihood", 86.60, "nats",
                                "Rezende, Mohamed and Wierstra 2014 (arXiv:1401.4082), table 1, rank-one posteriors, "
                                "an estimate of theirs; quoted from memory"),)),
    Recipe("dlgm", ANY, steps=50_000, batch_size=64, schedule=dict(name="cosine"), ema=0.999),

    Recipe("ladder_vae", "digits", steps=4000, batch_size=64,
           arguments=dict(levels=17, latent_sizes=(16, 8, 4), hidden=(128, 64, 32), warmup_steps=1000), **_DIGITS),
    # The paper's five layers; there 2,000 epochs of batches of 256, a warm-up of 200.
    Recipe("ladder_vae", "mnist", steps=100_000, batch_size=256,
           arguments=dict(latent_sizes=(64, 32, 16, 8, 4), hidden=(512, 256, 128, 64, 64), warmup_steps=20_000),
           schedule=dict(name="cosine"), ema=0.999, evaluation=dict(importance_samples=5000),
           published=(Published("negative_log_likelihood", 81.74, "nats",
                                "Sonderby et al. 2016 (arXiv:1602.02282), five layers"),)),
    Recipe("ladder_vae", ANY, steps=50_000, batch_size=128, arguments=dict(warmup_steps=10_000),
           schedule=dict(name="cosine"), ema=0.999),

    # Ten layers on grids of 8, 4, 2 and 1.
    Recipe("very_deep_vae", "digits", steps=1000, batch_size=64,
           arguments=dict(levels=17, width=48, latent_channels=4, encoder_blocks=(2, 1, 1, 1),
                          decoder_blocks=(4, 3, 2, 1)),
           **_DIGITS | dict(schedule=dict(name="cosine", warmup_steps=100)), skip_norm=500.0),
    # Twelve layers on grids of 28, 14, 7 and 1; sizes for two CPU cores.
    *(Recipe("very_deep_vae", data, steps=20_000, batch_size=32,
             arguments=dict(width=48, latent_channels=4, rates=(2, 2, 7), encoder_blocks=(1, 2, 2, 1),
                            decoder_blocks=(2, 4, 4, 2)),
             optimizer=dict(name="adamw", weight_decay=0.01), schedule=dict(name="cosine", warmup_steps=100), ema=0.999,
             skip_norm=1000.0, evaluation=dict(importance_samples=1000)) for data in ("binarized_mnist", "mnist")),
    # The authors' network of 39 million weights, for GPUs: 32 images a step on two, about a week. Their 43 layers are
    # told as 45 in the paper. Their norms (clipped at 200, skipped above 400) are of the loss a dimension, and ours of
    # the whole: times 3,072.
    Recipe("very_deep_vae", "cifar10", steps=1_100_000, batch_size=32,
           arguments=dict(levels=256, width=384, bottleneck=96, latent_channels=16, rates=(2, 2, 2, 4),
                          encoder_blocks=(11, 6, 6, 3, 3), decoder_blocks=(22, 11, 6, 3, 1),
                          likelihood="discretized_logistic_mixture", components=10),
           optimizer=dict(name="adamw", learning_rate=2e-4, beta_2=0.9, weight_decay=0.01),
           schedule=dict(warmup_steps=100), ema=0.9999, clip_norm=614_400.0, skip_norm=1_228_800.0,
           evaluation=dict(importance_samples=10),
           published=(Published("bits_per_dimension", 2.87, "bits/dim", "Child 2021 (arXiv:2011.10650), 45 layers, the "
                                                                        "bound of one draw; quoted from memory"),)),
    Recipe("very_deep_vae", ANY, steps=50_000, batch_size=32,
           optimizer=dict(name="adamw", learning_rate=5e-4, weight_decay=0.01),
           schedule=dict(name="cosine", warmup_steps=100), ema=0.999, skip_norm=1e6, evaluation=FEWER_DRAWS),
]
