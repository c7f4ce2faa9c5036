"""The nightly job in Polars: python polars_job.py DATA OUT [w1 w2 …]

Tables that several steps share (customer and day, customer and month) are collected once, by hand: that is faster
here than one `collect_all` over everything.
"""

import os
import sys
from datetime import date

os.environ.setdefault("POLARS_MAX_THREADS", "2")

import polars as pl  # noqa: E402  (after the number of threads is set)

END = date(2026, 1, 1)


class Job:
    def __init__(self, data):
        files = f"{data}/orders.parquet" if os.path.isfile(f"{data}/orders.parquet") else f"{data}/orders/*.parquet"
        time = pl.col("ordered_at").dt.replace_time_zone(None)
        self.orders = pl.scan_parquet(files).with_columns(ordered_at=time)
        self.sold = self.orders.filter((pl.col("status") == "completed") & pl.col("amount").is_not_null())
        self.customers = pl.scan_parquet(f"{data}/customers.parquet")
        self.tickets = pl.scan_parquet(f"{data}/tickets.parquet")
        self.surveys = pl.scan_parquet(f"{data}/surveys.parquet")
        self.shared = {}

    def once(self, name, make):
        if name not in self.shared:
            self.shared[name] = make().collect(engine="streaming")
        return self.shared[name].lazy()

    def days(self):
        return self.once("days", lambda: self.sold.group_by("customer_id", day=pl.col("ordered_at").dt.date()).agg(
            orders=pl.len(), value=pl.col("amount").sum()))

    def months(self):
        return self.once("months", lambda: self.days().group_by(
            "customer_id", month=pl.col("day").dt.truncate("1mo")).agg(value=pl.col("value").sum()))

    def orders_by(self, keys, orders, sold_orders):
        sold = (pl.col("status") == "completed") & pl.col("amount").is_not_null()
        amount = pl.col("amount").cast(pl.Float64)
        cells = orders.group_by(keys).agg(
            order_count=sold.sum(),
            revenue=pl.col("amount").filter(sold).sum(),
            order_value_median=amount.filter(sold).median(),
            order_value_p95=amount.filter(sold).quantile(0.95, "linear"),
            returned=(pl.col("status") == "returned").sum(),
        )
        people = sold_orders.group_by(keys).agg(customer_count=pl.len(), repeaters=(pl.col("n") >= 2).sum())
        return cells.join(people, on=keys, how="left", nulls_equal=True).select(
            *keys, "order_count", "revenue", pl.col("customer_count").fill_null(0),
            (pl.col("revenue").cast(pl.Float64) / pl.col("order_count")).alias("average_order_value"),
            "order_value_median", "order_value_p95",
            (pl.col("repeaters") / pl.col("customer_count")).alias("repeat_purchase_rate"),
            (pl.col("returned") / (pl.col("order_count") + pl.col("returned"))).alias("return_rate"),
        ).sort(keys)

    def w1(self):
        month = pl.col("ordered_at").dt.date().dt.truncate("1mo").alias("month")
        countries = self.customers.select("customer_id", "country")
        orders = (
            self.orders.filter(pl.col("status").is_in(["completed", "returned"]))
            .select("customer_id", "channel", month, "amount", "status")
            .join(countries, on="customer_id", how="left")
        )
        each = (
            self.sold.group_by("customer_id", "channel", month).agg(n=pl.len())
            .join(countries, on="customer_id", how="left")
        )
        return self.orders_by(["country", "channel", "month"], orders, each)

    def products(self):
        orders = self.orders.filter(pl.col("status").is_in(["completed", "returned"])).select(
            "product_id", "channel", "amount", "status")
        each = self.sold.group_by("customer_id", "product_id", "channel").agg(n=pl.len())
        return self.orders_by(["product_id", "channel"], orders, each)

    def w2(self):
        month = pl.col("month")
        age = (month.dt.year() - pl.col("cohort").dt.year()) * 12 + month.dt.month().cast(pl.Int32) - pl.col(
            "cohort").dt.month().cast(pl.Int32)
        first = self.months().group_by("customer_id").agg(cohort=month.min())
        acquired = self.customers.select("customer_id", acquired="acquisition_channel")
        return (
            self.months().join(first, on="customer_id").join(acquired, on="customer_id", how="left")
            .group_by("cohort", "acquired", age=age).agg(retained=pl.len(), value=pl.col("value").sum())
            .sort("cohort", "acquired", "age")
        )

    def w3(self):
        day, last = pl.col("day"), pl.lit(END).dt.offset_by("-1d")
        people = self.days().group_by("customer_id").agg(
            frequency=pl.len().cast(pl.Int64) - 1,
            recency=(day.max() - day.min()).dt.total_days(),
            age=(last - day.min()).dt.total_days(),
            since_last=(last - day.max()).dt.total_days(),
            orders=pl.col("orders").sum(),
            value=pl.col("value").sum(),
        )
        people = people.with_columns(average_order_value=pl.col("value").cast(pl.Float64) / pl.col("orders"))

        def above(column):
            value = pl.col(column).cast(pl.Float64)
            cuts = [value.quantile(at, "linear") for at in (0.2, 0.4, 0.6, 0.8)]
            return sum((value > cut).cast(pl.Int32) for cut in cuts)

        return people.with_columns(
            r_score=5 - above("since_last"), f_score=1 + above("orders"), m_score=1 + above("value")
        ).sort("customer_id")

    def w4(self):
        months = self.months().rename({"month": "period"})
        before = months.select(
            "customer_id", pl.col("period").dt.offset_by("1mo"), start="value"
        ).filter(pl.col("period") < END)
        plans = self.customers.select("customer_id", "plan")
        value, start = pl.col("value").cast(pl.Float64), pl.col("start").cast(pl.Float64)
        both, gone = value.is_not_null() & start.is_not_null(), value.is_null()
        return (
            months.join(before, on=["customer_id", "period"], how="full", coalesce=True)
            .join(plans, on="customer_id", how="left")
            .group_by("period", "plan")
            .agg(
                active=value.count(),
                retained=both.sum(),
                retention_rate=both.sum() / start.count(),
                churn_rate=gone.sum() / start.count(),
                grr=pl.min_horizontal(value, start).filter(both).sum() / start.sum(),
                nrr=value.filter(both).sum() / start.sum(),
                expansion=(value - start).filter(both & (value > start)).sum(),
                contraction=(start - value).filter(both & (start > value)).sum(),
                churned_value=start.filter(gone).sum(),
            )
            .sort("period", "plan")
        )

    def w5_tickets(self):
        def hours(column):
            return (pl.col(column) - pl.col("created_at")).dt.total_microseconds() / 3.6e9

        reply, solved = hours("first_replied_at"), hours("solved_at")
        week = pl.col("created_at").dt.replace_time_zone(None).dt.date().dt.truncate("1w").alias("week")
        return (
            self.tickets.join(self.customers.select("customer_id", "country"), on="customer_id", how="left")
            .group_by("country", week)
            .agg(
                tickets_there=pl.len(),
                first_reply_mean=reply.mean(), first_reply_median=reply.median(),
                first_reply_p90=reply.quantile(0.9, "linear"),
                solved_mean=solved.mean(), solved_median=solved.median(), solved_p90=solved.quantile(0.9, "linear"),
                replied_in_4h=(reply <= 4).mean(), abandoned_share=pl.col("abandoned").mean(),
                first_contact=((pl.col("contacts") == 1) & (pl.col("reopens") == 0)).filter(
                    pl.col("solved_at").is_not_null()).mean(),
                handling_mean=pl.col("handle_seconds").mean(),
            )
            .sort("country", "week")
        )

    def w5_surveys(self):
        score, asked = pl.col("score"), pl.col("question")
        month = pl.col("sent_at").dt.replace_time_zone(None).dt.date().dt.truncate("1mo").alias("month")
        nps = score.filter(asked == "nps")
        return (
            self.surveys.join(self.customers.select("customer_id", "country", "plan"), on="customer_id", how="left")
            .group_by("country", "plan", month)
            .agg(
                answers=score.count(),
                nps_score=100 * ((nps >= 9).sum().cast(pl.Int64) - (nps <= 6).sum().cast(pl.Int64)) / nps.count(),
                csat_share=(score >= 4).filter(asked == "csat").mean(),
                ces_average=score.filter(asked == "ces").mean(),
            )
            .sort("country", "plan", "month")
        )


# What `products` computes is no part of the nightly job.
NIGHT = ["w1", "w2", "w3", "w4", "w5_tickets", "w5_surveys"]

if __name__ == "__main__":
    job = Job(sys.argv[1])
    for name in sys.argv[3:] or NIGHT:
        # 0 / 0 is nothing known.
        table = getattr(job, name)().fill_nan(None)
        table.collect(engine="streaming").write_parquet(f"{sys.argv[2]}/{name}.parquet")
