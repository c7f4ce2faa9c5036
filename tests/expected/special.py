"""Prints special.csv: ln Γ, digamma and trigamma at 30 digits, rounded to doubles. Needs mpmath."""

from mpmath import loggamma, mp, mpf, psi

mp.dps = 40
points = [mpf(10) ** mpf(e) for e in [-6, -5, -4, -3, -2, -1]]
points += [mpf(n) / 8 for n in range(1, 120, 3)]
points += [mpf(n) for n in (20, 33, 50, 100, 333, 1000, 4321, 10000, 1e5, 1e6, 1e7, 1e8)]
points += [mpf("0.2425945"), mpf("0.792922"), mpf("1.4616321449683623"), mpf("2.425907"), mpf("4.413602")]
print("x,ln_gamma,digamma,trigamma")
for x in sorted(points):
    x = mpf(float(x))
    print(",".join(repr(float(value)) for value in (x, loggamma(x), psi(0, x), psi(1, x))))
