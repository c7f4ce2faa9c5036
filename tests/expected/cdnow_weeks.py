"""Writes cdnow_weeks.csv from the published log: python cdnow_weeks.py CDNOW_sample.txt

39 weeks are observed, from 1997-01-01 to 1997-09-30. Purchases of one day are one. Recency and age are in
weeks, rounded half up to two decimals as in the published summary.
"""

import sys
from collections import Counter, defaultdict
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

end = date(1997, 9, 30)
days = defaultdict(set)
for line in open(sys.argv[1]):
    customer, day = line.split()[1:3]
    day = date(int(day[:4]), int(day[4:6]), int(day[6:]))
    if day <= end:
        days[customer].add(day)


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
