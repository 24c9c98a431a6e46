"""How far a code's dimensions stand for single factors of the data: five scores between 0 and 1, from codes and the
factors behind them.

I. Higgins et al., 2017, beta-VAE (beta-VAE score). H. Kim, A. Mnih, 2018, arXiv:1802.05983 (FactorVAE score). R. T. Q.
Chen et al., 2018, arXiv:1802.04942 (MIG, the mutual information gap). C. Eastwood, C. K. I. Williams, 2018, ICLR (DCI:
disentanglement, completeness, informativeness). A. Kumar, P. Sattigeri, A. Balakrishnan, 2018, arXiv:1711.00848 (SAP,
separated attribute predictability). Protocols as in F. Locatello et al., 2019, arXiv:1811.12359.
"""

import numpy as np

_BINS = 20  # of a latent, for mutual information
_GROUP = 64  # examples that share a factor's value
_TRAIN, _TEST = 2000, 1000  # votes
_ACTIVE = 0.05  # of a prior's standard deviation: a latent that varies less takes no part in the FactorVAE score


def scores(codes, factors, seed=0):
    """Computes {name: score} of codes [n, D] (an encoder's means) and factors [n, F] (integers, each with two values or
    more).

    Raises ValueError if the numbers of examples differ, or a factor does not vary.
    """
    codes, factors = np.asarray(codes, np.float64), np.asarray(factors)
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors):
        raise ValueError(f"codes [n, D] and factors [n, F] of the same examples are needed, found {codes.shape} and "
                         f"{factors.shape}.")
    still = [column for column in range(factors.shape[1]) if len(np.unique(factors[:, column])) < 2]
    if still:
        raise ValueError(f"factors {still} have one value only.")
    rng = np.random.default_rng(seed)
    return dict(beta_vae_score=beta_vae_score(codes, factors, rng),
                factor_vae_score=factor_vae_score(codes, factors, rng), mig=mig(codes, factors),
                sap=sap(codes, factors), **dci(codes, factors, seed))


def beta_vae_score(codes, factors, rng):
    """Computes the accuracy with which a linear classifier tells, from the mean absolute difference of pairs' codes,
    which factor the pairs share.
    """
    from sklearn.linear_model import LogisticRegression

    scaled = codes / np.maximum(codes.std(0), 1e-12)
    groups = _groups(factors)

    def votes(num):
        shared = rng.integers(0, factors.shape[1], num)
        differences = np.empty((num, codes.shape[1]))
        for row, factor in enumerate(shared):
            pairs = np.stack([rng.choice(groups[factor][value], 2) for value in _values(groups[factor], rng, _GROUP)])
            differences[row] = np.abs(scaled[pairs[:, 0]] - scaled[pairs[:, 1]]).mean(0)
        return differences, shared

    classifier = LogisticRegression(max_iter=1000).fit(*votes(_TRAIN))
    return float(classifier.score(*votes(_TEST)))


def factor_vae_score(codes, factors, rng):
    """Computes the accuracy of the majority vote for the factor that examples share, given the latent that varies least
    among them.
    """
    spread = codes.std(0)
    active = np.flatnonzero(spread > _ACTIVE)
    if not len(active):
        return 0.0
    scaled, groups = codes[:, active] / spread[active], _groups(factors)

    def votes(num):
        shared = rng.integers(0, factors.shape[1], num)
        least = np.empty(num, int)
        for row, factor in enumerate(shared):
            members = groups[factor][_values(groups[factor], rng, 1)[0]]
            least[row] = scaled[rng.choice(members, _GROUP)].var(0).argmin()
        return least, shared

    table = np.zeros((len(active), factors.shape[1]))
    np.add.at(table, votes(_TRAIN), 1)
    least, shared = votes(_TEST)
    return float(np.mean(table.argmax(1)[least] == shared))


def mig(codes, factors):
    """Computes the mean over factors v of (I(z_1; v) - I(z_2; v)) / H(v), z_1 and z_2 telling most of v of latents."""
    from sklearn.metrics import mutual_info_score

    binned = np.stack([np.digitize(z, np.histogram_bin_edges(z, _BINS)[1:-1]) for z in codes.T])
    gaps = []
    for v in factors.T:
        shared = np.sort([mutual_info_score(v, z) for z in binned])[::-1]
        gaps.append((shared[0] - (shared[1] if len(shared) > 1 else 0.0)) / mutual_info_score(v, v))
    return float(np.mean(gaps))


def sap(codes, factors):
    """Computes the mean over factors of the gap between the accuracies of the two best single latents, each in a linear
    support vector machine, half of the data held out.
    """
    from sklearn.svm import LinearSVC

    half = len(codes) // 2
    gaps = []
    for v in factors.T:
        accuracy = []
        for z in (codes / np.maximum(codes.std(0), 1e-12)).T[..., None]:
            machine = LinearSVC(C=0.01, class_weight="balanced", dual=False).fit(z[:half], v[:half])
            accuracy.append(machine.score(z[half:], v[half:]))
        best = np.sort(accuracy)[::-1]
        gaps.append(best[0] - (best[1] if len(best) > 1 else 0.0))
    return float(np.mean(gaps))


def dci(codes, factors, seed=0):
    """Computes {disentanglement, completeness, informativeness}: how concentrated the importances of latents for
    factors are by latent and by factor, and the accuracy.

    NOTE: importances of a random forest, in the place of the gradient-boosted trees of the common implementation, which
    take minutes; half of the data held out.
    """
    from sklearn.ensemble import RandomForestClassifier

    half = len(codes) // 2
    importance, accuracy = [], []
    for v in factors.T:
        forest = RandomForestClassifier(50, max_features=None, max_depth=12,
                                        random_state=seed).fit(codes[:half], v[:half])
        importance.append(forest.feature_importances_)
        accuracy.append(forest.score(codes[half:], v[half:]))
    importance = np.stack(importance, 1)  # [D, F]

    def concentration(rows):
        """Computes 1 - H(row) / log(size) of each row, weighed by the row's share of it all."""
        shares = rows / np.maximum(rows.sum(1, keepdims=True), 1e-12)
        entropy = -(shares * np.log(np.maximum(shares, 1e-12))).sum(1) / np.log(max(rows.shape[1], 2))
        return float(np.sum((1.0 - entropy) * rows.sum(1) / rows.sum()))

    return dict(dci_disentanglement=concentration(importance), dci_completeness=concentration(importance.T),
                dci_informativeness=float(np.mean(accuracy)))


def _groups(factors):
    """Returns, for each factor, {value: the examples that have it}."""
    return [{value: np.flatnonzero(column == value) for value in np.unique(column)} for column in factors.T]


def _values(group, rng, num):
    return rng.choice(list(group), num)
