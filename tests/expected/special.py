"""Writes special.csv (ln Γ, digamma, trigamma) and incomplete.csv (beta, incomplete gamma and beta).

Each value is computed at 40 digits or more and rounded to a double. Needs mpmath. Run in this folder.
"""

from mpmath import exp, log, loggamma, mp, mpf, psi, quad

mp.dps = 40


def table(path, header, rows):
    with open(path, "w") as file:
        file.write(header + "\n")
        for row in rows:
            file.write(",".join(v if isinstance(v, str) else repr(float(v)) for v in row) + "\n")


points = [mpf(10) ** mpf(e) for e in [-6, -5, -4, -3, -2, -1]]
points += [mpf(n) / 8 for n in range(1, 120, 3)]
points += [mpf(n) for n in (20, 33, 50, 100, 333, 1000, 4321, 10000, 1e5, 1e6, 1e7, 1e8)]
points += [mpf("0.2425945"), mpf("0.792922"), mpf("1.4616321449683623"), mpf("2.425907"), mpf("4.413602")]
points = [mpf(float(x)) for x in sorted(points)]
table("special.csv", "x,ln_gamma,digamma,trigamma", [(x, loggamma(x), psi(0, x), psi(1, x)) for x in points])



def series(first, ratio):
    """The sum of positive terms, each a ratio of the one before, that fall in the end."""
    total, term, k = first, first, 0
    while term > total * mpf(10) ** -mp.dps * 1e-6:
        term *= ratio(k)
        total += term
        k += 1
    return total


def gamma_p(a, x):
    """DLMF 8.7.1."""
    return exp(a * log(x) - x - loggamma(a + 1)) * series(mpf(1), lambda k: x / (a + k + 1))


def gamma_q(a, x):
    """With as many digits as it takes to have 40 left."""
    digits = mp.dps
    mp.dps = digits + 330
    value = 1 - gamma_p(a, x)
    mp.dps = digits
    return value


def beta_i(a, b, x):
    """DLMF 8.17.8."""
    first = exp(a * log(x) + b * log(1 - x) - loggamma(a + 1) - loggamma(b) + loggamma(a + b))
    return first * series(mpf(1), lambda k: (a + b + k) / (a + 1 + k) * x)


rows = []


def row(name, x, y, z, value):
    if 1e-300 < abs(value) or value == 0:
        rows.append((name, x, y, z, value))


def double(values):
    return [mpf(float(v)) for v in values]


shapes = double([1e-4, 0.01, 0.3, 0.7929, 1, 2.5, 11.9, 12.1, 77, 1e3, 1e5, 1e8])
for a in shapes:
    for b in shapes:
        mp.dps = 60
        row("ln_beta", a, b, mpf(0), loggamma(a) + loggamma(b) - loggamma(a + b))
        mp.dps = 40
for a in double([1e-3, 0.2, 0.5, 1, 2.5, 10, 30, 200, 3e3, 1e5]):
    for ratio in [0.01, 0.3, 0.9, 0.999, 1, 1.001, 1.1, 2, 8]:
        x = mpf(float(a * mpf(ratio)))
        # The larger of the two follows from the smaller; of the smaller all digits are wanted.
        if a > 1000 and abs(ratio - 1) > 0.01:
            continue
        if x < a + 1:
            row("gamma_p", a, x, mpf(0), gamma_p(a, x))
        else:
            row("gamma_q", a, x, mpf(0), gamma_q(a, x))
for a in double([-3000, -40.5, -7, -2.5, -1, -0.21, -1e-9, 0, 1e-6, 0.3937865, 0.9, 1]):
    for z in double([1e-8, 1e-4, 0.02, 0.135, 0.6, 0.99, 1, 1.5, 7, 60, 900, 1e6]):
        # A substitution makes the integrand smooth at every scale.
        end = log(1 + 130 / z)
        ends = [end * k / 20 for k in range(21)]
        value = quad(lambda u: exp(a * u - z * (exp(u) - 1)), ends)
        row("scaled_upper_gamma", a, z, mpf(0), value)
for a in double([0.05, 0.5, 1, 3.3, 12, 40, 1e3, 1e5]):
    for b in double([0.07, 0.5, 1, 5.5, 13, 60, 2e3, 3e5]):
        mean = a / (a + b)
        sd = (mean * (1 - mean) / (a + b + 1)) ** mpf(0.5)
        for at in [-3, -1, 0, 1]:
            x = mpf(float(mean + at * sd))
            # Where it is near 1 it is 1 minus the other; of smaller ones all digits are wanted.
            if 0 < x < mean + sd / 2 and x < 0.99:
                mp.dps = 60
                row("incomplete_beta", a, b, x, beta_i(a, b, x))
                mp.dps = 40
for degrees in double([1, 2, 3, 7, 30, 400]):
    for x in double([degrees * k for k in (1.5, 3, 10)]):
        row("chi_square", degrees, x, mpf(0), gamma_q(degrees / 2, x / 2))
table("incomplete.csv", "function,x,y,z,value", rows)
