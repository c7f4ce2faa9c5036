"""Writes purchase_models.csv: likelihoods and forecasts of customers of extreme populations.

By the formulas of the papers, hypergeometric functions and all, at 80 digits and more. Needs mpmath.
Run in this folder.
"""

from mpmath import beta, exp, hyp2f1, log, loggamma, mp, mpf, quad

mp.dps = 80
RATE = mpf(float("0.00269"))


def ln_beta(a, b):
    return loggamma(a) + loggamma(b) - loggamma(a + b)


def bg(parameters, x, t_x, age, time, modified):
    """Fader, Hardie and Lee (2005); Batislam et al. (2007)."""
    r, alpha, a, b = parameters
    one = 1 if modified else 0
    common = loggamma(r + x) - loggamma(r) + r * log(alpha)
    alive = exp(ln_beta(a, b + x + one) - ln_beta(a, b) - (r + x) * log(alpha + age))
    dead = mpf(0)
    if x > 0 or modified:
        dead = exp(ln_beta(a + 1, b + x - 1 + one) - ln_beta(a, b) - (r + x) * log(alpha + t_x))
    p_alive = alive / (alive + dead)
    b = b + x + one
    c = a + b - 1
    z = time / (alpha + age + time)
    inner = ((alpha + age) / (alpha + age + time)) ** (r + x) * hyp2f1(r + x, b, c, z)
    expected = c / (a - 1) * (1 - inner)

    # The discounted stream from its expected total, as an integral over time.
    worth = None
    if x in (1, 3, 26) and max(alpha, b) < 100:
        digits, mp.dps = mp.dps, 25
        base = alpha + age

        def present(t):
            inner = (base / (base + t)) ** (r + x) * hyp2f1(r + x, b, c, t / (base + t))
            return RATE * exp(-RATE * t) * c / (a - 1) * (1 - inner)

        worth = p_alive * quad(present, [0, 3, 30, 200, 1000, 4000, 25000])
        mp.dps = digits
    return common + log(alive + dead), p_alive, p_alive * expected, worth


def pareto(parameters, x, t_x, age, time):
    """Fader and Hardie (2005), A note on deriving the Pareto/NBD model."""
    r, alpha, s, beta = parameters

    def part(t):
        if alpha >= beta:
            return hyp2f1(r + s + x, s + 1, r + s + x + 1, (alpha - beta) / (alpha + t)) / (alpha + t) ** (r + s + x)
        return hyp2f1(r + s + x, r + x, r + s + x + 1, (beta - alpha) / (beta + t)) / (beta + t) ** (r + s + x)

    common = loggamma(r + x) - loggamma(r) + r * log(alpha) + s * log(beta)
    alive = exp(-(r + x) * log(alpha + age) - s * log(beta + age))
    dead = s / (r + s + x) * (part(t_x) - part(age))
    p_alive = alive / (alive + dead)
    expected = (r + x) * (beta + age) / ((alpha + age) * (s - 1))
    expected *= 1 - ((beta + age) / (beta + age + time)) ** (s - 1)
    z = RATE * (beta + age)
    # e^z E_s(z); the function of that name loses all digits for large s.
    digits, mp.dps = mp.dps, 30
    end = log(1 + 80 / z)
    scaled = quad(lambda u: exp(-z * (exp(u) - 1) - (s - 1) * u), [end * k / 16 for k in range(17)])
    mp.dps = digits
    worth = (r + x) * (beta + age) / (alpha + age) * scaled
    return common + log(alive + dead), p_alive, p_alive * expected, p_alive * worth


def bgbb(parameters, x, t_x, n, time):
    """Fader, Hardie and Shang (2010), equations 5, 11, 13 and 14; p_alive at n + 1."""
    a, b, g, d = parameters
    x, t_x, n, time = int(x), int(t_x), int(n), int(time)
    whole = beta(a, b) * beta(g, d)
    like = beta(a + x, b + n - x) * beta(g, d + n)
    like += sum(beta(a + x, b + j - x) * beta(g + 1, d + j) for j in range(t_x, n))
    like /= whole
    p_alive = beta(a + x, b + n - x) * beta(g, d + n + 1) / whole / like
    later = beta(a + x + 1, b + n - x) / whole / like
    expected = later * sum(beta(g, d + n + k) for k in range(1, time + 1))
    v = exp(-RATE)
    worth = later * beta(g, d + n + 1) * v * hyp2f1(1, d + n + 1, g + d + n + 1, v)
    return log(like), p_alive, expected, worth


POPULATIONS = {
    "bg_nbd": ["0.2426 4.41 0.79 2.43", "0.3 4 0.2 0.3", "2e3 3e4 0.8 2.4", "0.25 0.001 1.0001 3", "8 20 9.5 400",
               "0.2 5 40 1e4", "0.5 7 0.01 0.02"],
    "mbg_nbd": ["0.525 6.18 0.891 1.61", "0.3 4 0.2 0.3", "2e3 3e4 0.8 2.4", "0.25 0.001 1.0001 3", "0.2 5 40 1e4"],
    "pareto_nbd": ["0.553 10.58 0.606 11.67", "0.553 11.67 0.606 10.58", "2 7 0.5 7", "0.3 0.001 0.7 40",
                   "0.3 40 0.7 0.001", "500 1e4 3 80", "0.4 9 300 1e5", "0.4 9 1.0001 12", "1e-3 5 1e-3 5"],
    "bg_bb": ["1.204 0.75 0.657 2.783", "0.01 0.02 0.03 0.04", "500 900 0.5 3", "1 1 1.0001 20", "0.5 3 80 1e4"],
}
CUSTOMERS = [(0, 0, 0.25, 1), (0, 0, 38.86, 39), (0, 0, 1500, 52), (1, 1, 1, 52), (2, 30.43, 38.86, 39), (3, 3, 500, 10),
             (26, 30.86, 31, 52), (30, 39, 39, 2000), (200, 150, 180, 52), (2500, 2499, 2500, 100)]
WHOLE = [(0, 0, 1, 1), (0, 0, 6, 5), (0, 0, 1500, 52), (1, 1, 1, 52), (2, 4, 6, 5), (3, 3, 500, 10), (6, 6, 6, 5),
         (30, 39, 39, 2000), (120, 150, 180, 52), (400, 500, 520, 100)]

with open("purchase_models.csv", "w") as file:
    names = "model,first,second,third,fourth,frequency,recency,age,time,rate"
    file.write(names + ",log_likelihood,p_alive,expected,discounted\n")
    for model, populations in POPULATIONS.items():
        for population in populations:
            parameters = [mpf(float(text)) for text in population.split()]
            for row in WHOLE if model == "bg_bb" else CUSTOMERS:
                row = [mpf(float(number)) for number in row]
                # Where hypergeometric series of a thousand factors cancel, so many more digits are taken.
                mp.dps = 80 if row[0] < 1000 else 300
                if model == "bg_bb":
                    found = bgbb(parameters, *row)
                elif model == "pareto_nbd":
                    found = pareto(parameters, *row)
                else:
                    found = bg(parameters, *row, model == "mbg_nbd")
                cells = [*map(float, parameters), *map(float, row), float(RATE)]
                last = "" if found[3] is None else repr(float(found[3]))
                file.write(",".join([model, *map(repr, cells), *(repr(float(v)) for v in found[:3]), last]) + "\n")
                file.flush()
