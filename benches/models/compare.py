"""Fits the purchase models to a million simulated customers, by tenure and by the PyPI package lifetimes.

Both fit the same distinct histories with their counts (`weights` of lifetimes) and look for the same maximum. Prints
a row for each model: seconds of both, the ratio, and how far the log-likelihoods are apart.

usage: compare.py FOLDER < lines of `cargo bench --bench models -- FOLDER`
"""

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from lifetimes import BetaGeoFitter, ParetoNBDFitter

FITTERS = {"bg_nbd": BetaGeoFitter, "pareto_nbd": ParetoNBDFitter}


def log_likelihood(fitter, model, rows):
    """The sum over customers at the fitted parameters, in the units of the rows."""
    parameters = np.array(list(fitter.params_))
    columns = [rows[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T")]
    weights = rows["customers"].to_numpy(dtype=float)
    if model == "bg_nbd":
        # Of lifetimes it is the negative mean over customers, of logarithms of parameters.
        mean = fitter._negative_log_likelihood(np.log(parameters), *columns, weights, 0.0)
        return -mean * weights.sum()
    return float((weights * fitter._conditional_log_likelihood(parameters, *columns)).sum())


def main():
    folder = Path(sys.argv[1])
    own = {}
    for line in sys.stdin:
        parts = line.strip().split(",")
        if len(parts) == 4 and parts[0] in FITTERS:
            own[parts[0], parts[1]] = (float(parts[2]), float(parts[3]))
    print(f"{'':12} {'tenure s':>9} {'lifetimes s':>12} {'ratio':>7}   log-likelihood, lifetimes - tenure")
    for model, fitter in FITTERS.items():
        seconds, likelihood = own[model, "fit"]
        rows = pd.read_csv(folder / f"{model}.csv")
        start = time.perf_counter()
        fit = fitter(penalizer_coef=0.0)
        fit.fit(rows["frequency"], rows["recency"], rows["T"], weights=rows["customers"])
        other = time.perf_counter() - start
        difference = log_likelihood(fit, model, rows) - likelihood
        print(f"{model:12} {seconds:9.2f} {other:12.2f} {other / seconds:7.1f}   {difference:+.3f}")
    for model in FITTERS:
        seconds, _ = own[model, "score with intervals"]
        print(f"{model:12} {seconds:9.2f} s to score a million customers with intervals")


if __name__ == "__main__":
    main()
