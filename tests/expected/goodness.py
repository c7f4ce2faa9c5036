"""Writes goodness.csv: samples held against their populations.

A line has the strata, separated by semicolons, each with its groups as population/sampled; then how many groups are
tested, the statistic, its degrees of freedom, its p-value and Cohen's w. The variances of the weighted shares are added
up unit by unit from the probabilities of drawing one unit and two, in fractions; the statistic is found by solving
the equations of as many groups as the variances have rank. Needs mpmath for the tail of chi-square. Run in this folder.
"""

from fractions import Fraction as F
from itertools import product

from mpmath import gammainc, mp, mpf, sqrt

mp.dps = 40

CASES = [
    [[(500, 40), (300, 40), (200, 20)]],
    [[(500, 55), (300, 27), (150, 14), (50, 4)]],
    [[(60, 11), (20, 5), (10, 3), (10, 1)]],
    # Strata in proportion, and with the same number of each.
    [[(120, 14), (80, 6)], [(30, 2), (70, 8)]],
    [[(120, 9), (80, 11), (40, 4)], [(30, 8), (70, 14), (20, 2)], [(5, 5), (9, 9), (10, 10)]],
    # A group of one stratum alone, and one that none has drawn.
    [[(50, 6), (50, 14), (0, 0)], [(40, 7), (0, 0), (60, 13)]],
    [[(17, 4), (19, 8)]],
]


def pooled(strata):
    k = len(strata[0])
    drawn = [sum(n for _, n in stratum) for stratum in strata]
    whole = [sum(N for N, _ in stratum) for stratum in strata]
    expected = [sum(F(n * s[g][0], N) for s, n, N in zip(strata, drawn, whole)) for g in range(k)]
    order = sorted(range(k), key=lambda g: (expected[g], g))
    few = []
    for g in order:
        if expected[g] >= 5 and (not few or sum(expected[f] for f in few) >= 5):
            break
        few.append(g)
    rest = [g for g in range(k) if g not in few]
    together = lambda s: [(sum(s[g][0] for g in few), sum(s[g][1] for g in few))] if few else []
    return [[s[g] for g in rest] + together(s) for s in strata]


def rank_and_form(matrix, right):
    """The rank, and right' X right for a generalised inverse X, by Gauss and Jordan on a full-rank part."""
    chosen = []
    for i in range(len(right)):
        trial = chosen + [i]
        if determinant([[matrix[a][b] for b in trial] for a in trial]) != 0:
            chosen = trial
    part = [[matrix[a][b] for b in chosen] + [right[a]] for a in chosen]
    n = len(chosen)
    for i in range(n):
        pivot = next(r for r in range(i, n) if part[r][i] != 0)
        part[i], part[pivot] = part[pivot], part[i]
        part[i] = [value / part[i][i] for value in part[i]]
        for r in range(n):
            if r != i:
                part[r] = [x - part[r][i] * y for x, y in zip(part[r], part[i])]
    return n, sum(right[a] * row[-1] for a, row in zip(chosen, part))


def determinant(m):
    m = [row[:] for row in m]
    result = F(1)
    for i in range(len(m)):
        pivot = next((r for r in range(i, len(m)) if m[r][i] != 0), None)
        if pivot is None:
            return F(0)
        if pivot != i:
            m[i], m[pivot], result = m[pivot], m[i], -result
        result *= m[i][i]
        for r in range(i + 1, len(m)):
            factor = m[r][i] / m[i][i]
            m[r] = [x - factor * y for x, y in zip(m[r], m[i])]
    return result


def figures(strata):
    strata = pooled(strata)
    k = len(strata[0])
    size = sum(N for s in strata for N, _ in s)
    variance = [[F(0)] * k for _ in range(k)]
    difference = [F(0)] * k
    share = [F(sum(s[g][0] for s in strata), size) for g in range(k)]
    for s in strata:
        N, n = sum(a for a, _ in s), sum(b for _, b in s)
        weight = F(N, n) / size
        one = F(n, N)
        two = F(n * (n - 1), N * (N - 1)) if N > 1 else one
        for g in range(k):
            difference[g] += weight * s[g][1] - F(s[g][0], size)
        # The covariance of two units is that of their being drawn.
        for g, h in product(range(k), repeat=2):
            same = s[g][0] if g == h else 0
            pairs = s[g][0] * s[h][0] - same
            variance[g][h] += weight**2 * (same * (one - one**2) + pairs * (two - one**2))
    degrees, statistic = rank_and_form(variance, difference)
    w = sqrt(sum(mpf((d * d / p).numerator) / (d * d / p).denominator for d, p in zip(difference, share) if p))
    statistic = mpf(statistic.numerator) / statistic.denominator
    tail = gammainc(mpf(degrees) / 2, statistic / 2, regularized=True)
    return [k, float(statistic), degrees, float(tail), float(w)]


with open("goodness.csv", "w") as file:
    file.write("strata,groups,chi_square,degrees_of_freedom,p_value,cohens_w\n")
    for case in CASES:
        text = ";".join(" ".join(f"{N}/{n}" for N, n in stratum) for stratum in case)
        file.write(",".join([text] + [repr(value) for value in figures(case)]) + "\n")
