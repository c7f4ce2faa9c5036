"""Runs the nightly job through tenure and its peers, checks that they agree, and prints what it took.

    python benches/compare/compare.py --orders 20m [--runs 3] [--layout month|shuffled] [--ids dense|random|…]
                                      [--engines duckdb,polars,…|none] [--steps] [--memory-limit 512MiB]

The world is generated once and kept under target/compare. Engines take turns, so that whatever else the machine
does hits all of them; the median of their runs is shown, and the ratio to tenure in the same run.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# The keys of each table; every other column of the peers' tables must be that of tenure.
KEYS = {
    "w1": ["country", "channel", "month"],
    "w2": ["cohort", "acquired", "age"],
    "w3": ["customer_id"],
    "w4": ["period", "plan"],
    "w5_tickets": ["country", "week"],
    "w5_surveys": ["country", "plan", "month"],
    "products": ["product_id", "channel"],
}
# Of these tenure has rows that the peers leave out: cells without an order, ages at which nobody came back.
SPARSE = {"w1": "order_count = 0", "products": "order_count = 0", "w2": "retained = 0 or retained is null"}
TOLERANCE = 1e-9
PEERS = ("duckdb", "polars", "datafusion", "chdb")
# DataFusion cuts the weight of an interpolation to six digits (apache/datafusion#25266).
LOOSER = {"datafusion": {"order_value_p95": 1e-5, "first_reply_p90": 1e-5, "solved_p90": 1e-5,
                         "order_value_median": 1e-5, "first_reply_median": 1e-5, "solved_median": 1e-5}}
NIGHT = ["w1", "w2", "w3", "w4", "w5_tickets", "w5_surveys"]
STEPS = [["w1"], ["w2"], ["w3"], ["w4"], ["w5_tickets", "w5_surveys"], ["products"]]


def measured(command):
    """Wall seconds, CPU seconds and peak MiB of a command."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT)
    complaint = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{complaint.decode()}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def differences(names, ours, theirs, looser):
    """What a peer's tables have that tenure's do not, in sentences. `looser`: tolerances of columns."""
    import duckdb

    found = []
    for name in names:
        keys = KEYS[name]
        mine, other = f"'{ours}/{name}.parquet'", f"'{theirs}/{name}.parquet'"
        columns = [row[0] for row in duckdb.sql(f"describe select * from {other}").fetchall()]
        on = " and ".join(f"a.{key} is not distinct from b.{key}" for key in keys)
        wrong = " or ".join(
            f"((a.{column} is null) != (b.{column} is null)) or abs(a.{column}::double - b.{column}::double) >"
            f" {looser.get(column, TOLERANCE)} * greatest(1, abs(b.{column}::double))"
            for column in columns
            if column not in keys
        )
        rows, off = duckdb.sql(
            f"select count(*), count(*) filter ({wrong}) from {mine} a join {other} b on {on}").fetchall()[0]
        theirs_rows = duckdb.sql(f"select count(*) from {other}").fetchall()[0][0]
        sparse = SPARSE.get(name, "false")
        full = duckdb.sql(f"select count(*) from {mine} where not coalesce({sparse}, true)").fetchall()[0][0]
        here = duckdb.sql(f"select count(*) from {other} where not coalesce({sparse}, true)").fetchall()[0][0]
        if rows != theirs_rows or full != here:
            found.append(f"{name}: {theirs_rows} rows, {rows} of them known, {full} expected")
        if off:
            found.append(f"{name}: {off} of {rows} rows differ by more than {TOLERANCE}")
    return found


def take_turns(engines, runs):
    """The measures of each engine, which run one after the other so many times."""
    found = {name: [] for name in engines}
    for _ in range(runs):
        for name, command in engines.items():
            found[name].append(measured(command))
    return found


def show(title, found):
    """Prints medians, and ratios to tenure in the same turn; gives the least ratio of walls."""
    print(title)
    print(f"{'':12}{'wall s':>9}{'CPU s':>9}{'peak MiB':>10}{'× wall':>9}{'× CPU':>9}")
    ours, best = found["tenure"], None
    for name, measures in found.items():
        wall, cpu, peak = (statistics.median(column) for column in zip(*measures))
        # Each run against that of tenure which stood beside it.
        by_wall, by_cpu = (
            statistics.median(theirs[at] / mine[at] for theirs, mine in zip(measures, ours)) for at in (0, 1))
        print(f"{name:12}{wall:9.2f}{cpu:9.2f}{peak:10.0f}{by_wall:9.1f}{by_cpu:9.1f}")
        if name != "tenure":
            best = by_wall if best is None else min(best, by_wall)
    print(f"the best peer takes {best:.1f} times as long\n" if best else "", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--orders", default="1m")
    arguments.add_argument("--seed", default="1")
    arguments.add_argument("--layout", default="month", choices=["month", "shuffled"])
    arguments.add_argument("--ids", default="sparse", choices=["dense", "sparse", "random", "string"])
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--engines", default=",".join(PEERS), help="peers to run, parted by commas")
    arguments.add_argument("--steps", action="store_true", help="each step alone too")
    arguments.add_argument("--memory-limit", help="of tenure, such as 512MiB")
    arguments.add_argument("--tenure", default=str(ROOT / "target/release/tenure"))
    options = arguments.parse_args()

    work = ROOT / "target/compare"
    data = work / f"{options.orders}-{options.layout}-{options.ids}-{options.seed}"
    if not (data / "truth.json").exists():
        tables = "orders,customers,tickets,surveys"
        measured([options.tenure, "generate", data, "--orders", options.orders, "--seed", options.seed,
                  "--layout", options.layout, "--ids", options.ids, "--tables", tables])
    orders = "orders.parquet" if options.layout == "shuffled" else "orders/*.parquet"
    peers = [name for name in options.engines.split(",") if name in PEERS]
    out = {name: work / "out" / name for name in peers}
    for folder in out.values():
        folder.mkdir(parents=True, exist_ok=True)

    def engines(steps):
        pipeline = "products" if steps == ["products"] else "nightly"
        ours = [options.tenure, "run", HERE / f"{pipeline}.yaml", "--quiet", "--threads", "2",
                "--set", f"params.data={data}", "--set", f"params.orders={orders}"]
        if options.memory_limit:
            ours += ["--memory-limit", options.memory_limit]
        for step in steps:
            ours += ["--select", step]
        return {"tenure": ours} | {
            name: [sys.executable, HERE / f"peers/{name}_job.py", data, out[name], *steps] for name in peers}

    def compare(title, steps, runs):
        """Lets the engines take turns and shows the measures; gives how many complaints there were."""
        found = take_turns(engines(steps), runs)
        pipeline = "products" if steps == ["products"] else "nightly"
        complaints = [
            f"{name}: {what}"
            for name in out
            for what in differences(steps or NIGHT, ROOT / "out" / pipeline, out[name], LOOSER.get(name, {}))
        ]
        for complaint in complaints:
            print(f"DIFFERENT {complaint}")
        show(title, found)
        return len(complaints)

    title = f"{options.orders} orders, {options.layout}, {options.ids} ids, medians of {options.runs} runs in turn"
    complaints = compare(title, [], options.runs)
    for steps in STEPS if options.steps else []:
        complaints += compare(" and ".join(steps), steps, options.runs)
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
