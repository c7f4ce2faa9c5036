"""Writes cdnow_weeks.csv and cdnow_spend.csv from the published log: python cdnow_weeks.py CDNOW_sample.txt

39 weeks are observed, from 1997-01-01 to 1997-09-30. Purchases of one day are one. Recency and age are in
weeks, rounded half up to two decimals as in the published summary. The mean value of a repeat purchase is
rounded to cents.
"""

import sys
from collections import Counter, defaultdict
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

end = date(1997, 9, 30)
days = defaultdict(lambda: defaultdict(Decimal))
for line in open(sys.argv[1]):
    _, customer, day, _, money = line.split()
    day = date(int(day[:4]), int(day[4:6]), int(day[6:]))
    if day <= end:
        days[customer][day] += Decimal(money)


def weeks(days):
    return (Decimal(days) / 7).quantize(Decimal("0.01"), ROUND_HALF_UP)


rows = Counter()
for bought in days.values():
    first, last = min(bought), max(bought)
    rows[len(bought) - 1, weeks((last - first).days), weeks((end - first).days)] += 1
with open("cdnow_weeks.csv", "w") as file:
    file.write("frequency,recency,age,customers\n")
    for row, customers in sorted(rows.items()):
        file.write(",".join(map(str, (*row, customers))) + "\n")

rows = Counter()
for bought in days.values():
    values = [bought[day] for day in sorted(bought)[1:]]
    if values and sum(values) > 0:
        mean = sum(values) / len(values)
        rows[len(values), mean.quantize(Decimal("0.01"), ROUND_HALF_UP)] += 1
with open("cdnow_spend.csv", "w") as file:
    file.write("purchases,mean,customers\n")
    for row, customers in sorted(rows.items()):
        file.write(",".join(map(str, (*row, customers))) + "\n")
