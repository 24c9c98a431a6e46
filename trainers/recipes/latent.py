"""Recipes of the latent-variable family: with a likelihood, without one, of codebooks, strings and strokes."""

from trainers.recipes.recipe import ANY, DRAWINGS, FEWER_DRAWS, SKETCH_RATE, SKETCHES, Published, Recipe

_IWAE_TABLE = ("Burda, Grosse and Salakhutdinov 2015 (arXiv:1509.00519), table 1, VAE, 1 stochastic layer, k = 1, "
               "MNIST binarized dynamically")
_IWAE_NET = dict(latent_size=50, network="dense", hidden=(200, 200), activation="tanh")
# 1,437 images overfit within a minute: decoupled weight decay holds the bound of held-out images.
_DIGITS = dict(optimizer=dict(name="adamw", weight_decay=0.5, decay_all=True), schedule=dict(name="cosine"), ema=0.995,
               evaluation=dict(importance_samples=500))
_AUTOENCODER_FIGURE = ("Hinton and Salakhutdinov 2006 (Science 313), figure 2, average squared error of a "
                       "784-1000-500-250-30 network; quoted from memory")
_AUTOENCODER_DIGITS = dict(optimizer=dict(name="adamw", weight_decay=0.05, decay_all=True),
                           schedule=dict(name="cosine"), ema=0.995)
_DEEP = dict(latent_size=30, hidden=(1000, 500, 250))
_WIDE = dict(latent_size=1000, hidden=())
_VQ_PAPER = "van den Oord, Vinyals and Kavukcuoglu 2017 (arXiv:1711.00937), section 4.1, CIFAR-10"
_CODES_GREY = dict(schedule=dict(name="cosine"), ema=0.999, players=dict(autoencoder={}, prior={}))
_CODES_PHOTO = dict(schedule=dict(name="cosine", warmup_steps=100), ema=0.999, players=dict(autoencoder={}, prior={}))
_CODES_DIGITS = dict(levels=17, codebook_size=32, embedding_size=16, channels=32, halvings=1, residuals=1,
                     residual_channels=32, prior_channels=16, prior_blocks=2, autoencoder_steps=2000)
# 1,437 grids of codes overfit far sooner than the images: few steps of a small prior, and much weight decay.
_CODES_SMALL = dict(steps=2600, batch_size=64,
                    optimizer=dict(name="adamw", learning_rate=2e-3, weight_decay=0.2, decay_all=True),
                    schedule=dict(name="cosine"), ema=0.995, players=dict(autoencoder={}, prior=dict(weight_decay=2.0)))
_CODES_ADAM = dict(learning_rate=2e-4)
_ZINC_PAPER = "Kusner, Paige and Hernandez-Lobato 2017 (arXiv:1703.01925), the table of ZINC, quoted from memory"
# The paper's sizes for expressions are convolutions of 2, 3 and 4 filters, a dense layer of 100, three recurrent ones
# of 100 and 25 latents. Expressions that are drawn from the grammar leave the codes nothing to say: rules drawn alike
# at every place have the same likelihood, and with beta = 1 the codes are not used.
_EXPRESSIONS = dict(latent_size=25, filters=(16, 32, 64), kernels=(2, 3, 4), dense=200, hidden=128, layers=1, beta=0.05,
                    warmup_steps=500)
# The paper's but for the decoder, three layers of 501 there: a step of theirs takes seconds on a CPU.
_MOLECULES = dict(latent_size=56, filters=(9, 9, 10), kernels=(9, 9, 11), dense=435, hidden=256, layers=1, beta=0.05,
                  warmup_steps=2000)
# The sizes of the paper's code.
_SKETCH_RNN_SIZES = dict(latent_size=128, encoder_units=256, decoder_units=512, components=20)


def _iwae(variant, published, of, arguments, steps, batch_size, learning_rate=1e-3):
    return Recipe("iwae", "mnist", variant=variant, steps=steps, batch_size=batch_size,
                  arguments=arguments | dict(estimator="dreg"),
                  optimizer=dict(learning_rate=learning_rate, epsilon=1e-4), schedule=dict(name="cosine"),
                  evaluation=dict(importance_samples=5000),
                  published=(Published("negative_log_likelihood", published, "nats",
                                       _IWAE_TABLE.replace("VAE", "IWAE").replace("1 stochastic layer, k = 1", of)),))


def _both(dataset, grammar="", published=((), ()), **entries):
    """Makes a recipe of each model, on rules and on characters; the grammar judges both."""
    return [Recipe(model, dataset, data=dict(tokenizer=tokenizer, grammar=grammar), published=numbers,
                   evaluation=FEWER_DRAWS, **entries)
            for model, tokenizer, numbers in zip(("grammar_vae", "character_vae"), ("grammar", "characters"),
                                                 published)]


def _published(accuracy, validity):
    return (Published("reconstruction_accuracy", accuracy, "fraction", _ZINC_PAPER),
            Published("rdkit_validity", validity, "fraction", _ZINC_PAPER))


RECIPES = [
    Recipe("vae", "digits", steps=4000, batch_size=128,
           arguments=dict(levels=17, latent_size=16, network="conv", hidden=(32, 64), activation="relu"), **_DIGITS),
    # The net and the data of the importance-weighted autoencoder's paper. There: 3,280 epochs of batches of 20, the
    # learning rate falling in eight stages (schedule `staged`). Here: 1,500 epochs of batches of 100, a cosine and a
    # warm-up, which two CPU cores do within the hour.
    Recipe("vae", "mnist", steps=900_000, batch_size=100, arguments=_IWAE_NET | dict(warmup_steps=180_000),
           optimizer=dict(epsilon=1e-4), schedule=dict(name="cosine"), evaluation=dict(importance_samples=5000),
           published=(Published("negative_log_likelihood", 86.76, "nats", _IWAE_TABLE),)),
    Recipe("vae", "binarized_mnist", steps=100_000, batch_size=100, arguments=_IWAE_NET, schedule=dict(name="cosine"),
           evaluation=dict(importance_samples=5000),
           published=(Published("negative_log_likelihood", 88.71, "nats",
                                _IWAE_TABLE.replace("dynamically", "statically")),)),
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

    # Eight numbers for 64 pixels: the squared error of principal components of as many numbers is the one to beat.
    Recipe("autoencoder", "digits", steps=4000, batch_size=128,
           arguments=dict(latent_size=8, hidden=(256, 128), distortion="squared_error"), **_AUTOENCODER_DIGITS),
    # The paper's sizes and loss. There: logistic units, pretrained layer by layer, then conjugate gradients; here
    # rectified ones and Adam from the start.
    Recipe("autoencoder", "mnist", steps=60_000, batch_size=100, arguments=_DEEP | dict(distortion="cross_entropy"),
           schedule=dict(name="cosine"), ema=0.999,
           published=(Published("reconstruction_error", 3.00, "squared error", _AUTOENCODER_FIGURE),)),
    Recipe("autoencoder", "binarized_mnist", steps=60_000, batch_size=100, arguments=_DEEP,
           schedule=dict(name="cosine"), ema=0.999),
    Recipe("autoencoder", ANY, steps=20_000, batch_size=128,
           arguments=dict(network="conv", hidden=(32, 64, 128), latent_size=32, distortion="squared_error"),
           schedule=dict(name="cosine"), ema=0.999),

    # Four times as many numbers in the code as pixels: what keeps it from copying is the noise.
    Recipe("denoising_autoencoder", "digits", steps=4000, batch_size=128,
           arguments=dict(latent_size=256, hidden=(256,), code_activation="relu", distortion="squared_error"),
           **_AUTOENCODER_DIGITS),
    # The paper's one layer of logistic units.
    Recipe("denoising_autoencoder", "mnist", steps=60_000, batch_size=100,
           arguments=_WIDE | dict(distortion="cross_entropy"), schedule=dict(name="cosine"), ema=0.999),
    Recipe("denoising_autoencoder", "binarized_mnist", steps=60_000, batch_size=100, arguments=_WIDE,
           schedule=dict(name="cosine"), ema=0.999),
    Recipe("denoising_autoencoder", ANY, steps=20_000, batch_size=128,
           arguments=dict(network="conv", hidden=(32, 64, 128), latent_size=256, code_activation="relu",
                          distortion="squared_error", corruption="gaussian"),
           schedule=dict(name="cosine"), ema=0.999),

    Recipe("vq_vae", "digits", arguments=_CODES_DIGITS, **_CODES_SMALL),
    Recipe("vq_vae", "mnist", steps=40_000, batch_size=64, arguments=dict(autoencoder_steps=20_000), **_CODES_GREY),
    # The paper's networks, 8x8 codes of 512 entries, 250,000 steps of 128, for GPUs; the prior's sizes are ours. For a
    # CPU the sizes of any other data set do: --config.model.channels=64 --config.model.prior_channels=64
    # --config.model.prior_blocks=8 --steps=20000 --config.model.autoencoder_steps=10000
    # --config.optimizer.learning_rate=1e-3 --config.ema=0.99.
    Recipe("vq_vae", "cifar10", steps=500_000, batch_size=128,
           arguments=dict(levels=256, codebook_size=512, embedding_size=64, channels=256, residual_channels=256,
                          likelihood="discretized_logistic", prior_channels=256, prior_blocks=14,
                          autoencoder_steps=250_000),
           **_CODES_PHOTO | dict(optimizer=_CODES_ADAM, ema=0.9999),
           published=(Published("bits_per_dimension", 4.67, "bits/dim", _VQ_PAPER),)),
    Recipe("vq_vae", ANY, steps=40_000, batch_size=64,
           arguments=dict(levels=256, codebook_size=512, embedding_size=64, likelihood="discretized_logistic",
                          autoencoder_steps=20_000),
           optimizer=dict(learning_rate=3e-4), **_CODES_PHOTO),

    Recipe("vq_vae_2", "digits", arguments=_CODES_DIGITS | dict(likelihood="auto"), **_CODES_SMALL),
    # For photographs of 256x256, of which 64x64 and 32x32 codes are made: the paper's sizes, for GPUs; there 2.2
    # million steps of 128, and priors of 20 layers of 512 units with attention. --config.model.classes=N for
    # class-conditional priors.
    Recipe("vq_vae_2", ANY, steps=1_000_000, batch_size=128,
           arguments=dict(levels=256, codebook_size=512, embedding_size=64, channels=128, residual_channels=64,
                          likelihood="discretized_logistic", prior_channels=512, prior_blocks=20,
                          autoencoder_steps=500_000),
           **_CODES_PHOTO | dict(optimizer=_CODES_ADAM, ema=0.9999)),

    *_both("expressions", steps=6000, batch_size=64, arguments=_EXPRESSIONS, optimizer=dict(learning_rate=3e-3),
           schedule=dict(name="cosine", warmup_steps=100), clip_norm=1.0, ema=0.99),
    # The paper's own 100,000: the file that comes with its code, symbols parted by blanks.
    *_both("lines:expressions.txt", "spaced_expressions", steps=20_000, batch_size=128, arguments=_EXPRESSIONS,
           optimizer=dict(learning_rate=2e-3), schedule=dict(name="cosine", warmup_steps=100), clip_norm=1.0,
           ema=0.999),
    # SMILES strings of the ZINC data base.
    *_both("lines:zinc.txt", "smiles", published=(_published(0.537, 0.072), _published(0.446, 0.007)), steps=30_000,
           batch_size=128, arguments=_MOLECULES, optimizer=dict(learning_rate=1e-3),
           schedule=dict(name="cosine", warmup_steps=200), clip_norm=1.0, ema=0.999, selection=dict(every=1000)),
    *_both(ANY, steps=20_000, batch_size=128, arguments=_EXPRESSIONS, schedule=dict(name="cosine", warmup_steps=100),
           clip_norm=1.0, ema=0.999),

    # A nat of KL weighs 0.2 * 48 / 16 = 0.6 in the end, so that codes say which thing it is, and most codes of the
    # prior are of some thing.
    Recipe("sketch_rnn", "sketches", steps=2000, batch_size=64,
           arguments=dict(latent_size=16, decoder_units=160, kl_weight=0.2, kl_min=0.1, annealing=0.998), **SKETCHES,
           evaluation=FEWER_DRAWS),
    Recipe("sketch_rnn", "ndjson:strokes.ndjson", steps=8000, batch_size=64,
           arguments=dict(encoder_units=128, decoder_units=256, kl_weight=0.25, kl_min=0.1, annealing=0.9995,
                          dropout=0.2), **DRAWINGS, evaluation=FEWER_DRAWS),
    Recipe("sketch_rnn", ANY, steps=100_000, batch_size=100, arguments=_SKETCH_RNN_SIZES, schedule=SKETCH_RATE,
           clip_norm=200.0, evaluation=FEWER_DRAWS),
]
