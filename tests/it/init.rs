//! `tenure init`: from files to a pipeline that passes its check and runs.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use tempfile::TempDir;
use tenure::engine::local::{InputFile, LocalSource};
use tenure::frame::{DataType, Field, Frame, Schema, Value};
use tenure::ir::Calendar;

use crate::docs::blocks;
use crate::parquet::{read_parquet, write_parquet};
use crate::schema::complaints_about;

fn tenure(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenure"));
    command.current_dir(folder).args(arguments).output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[track_caller]
fn status(output: &Output, expected: i32) {
    assert_eq!(output.status.code(), Some(expected), "{}", text(&output.stderr));
}

#[track_caller]
fn says(said: &str, words: &str) {
    assert!(said.contains(words), "`{words}` is not said:\n{said}");
}

/// One wrong digit in a year: the draft says so, and its runs end where the others do.
#[test]
fn a_date_that_lies_years_ahead_is_not_believed() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows: Vec<Vec<Value>> = (0..2_000)
        .map(|row| {
            let day = if row == 77 { 47_118 } else { 19_358 + row / 2 };
            vec![Value::Int(i64::from(row % 300)), Value::Date(day), Value::Int(i64::from(row % 9))]
        })
        .collect();
    let fields =
        [("customer_id", DataType::Int64), ("day", DataType::Date), ("amount", DataType::Int64)];
    parquet(&folder.path().join("orders.parquet"), &fields, &rows);
    let (pipeline, _) = drafted(folder.path(), &["orders.parquet"]);
    says(&pipeline, "day: {type: date, required: true, max: 2030-12-31}");
    says(&pipeline, "A date of 2099-01-02 lies years after nearly all others");
    let manifest = fs::read_to_string(folder.path().join("out/orders/manifest.json"));
    says(&manifest.expect("a manifest"), "\"as_of\": \"2025-09-");
}

/// A folder with files of text.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("written");
    }
    folder
}

/// Drafts, checks and runs; gives the pipeline and what was said of the guesses.
#[track_caller]
fn drafted(folder: &Path, arguments: &[&str]) -> (String, String) {
    let output = tenure(folder, &[&["init"], arguments].concat());
    status(&output, 0);
    let path = text(&output.stdout).trim_end().to_owned();
    let pipeline = fs::read_to_string(folder.join(&path)).expect("it was written");
    assert_eq!(complaints_about(&pipeline), "", "{pipeline}");
    let checked = tenure(folder, &["check", &path]);
    status(&checked, 0);
    assert_eq!(text(&checked.stderr), "", "{pipeline}");
    status(&tenure(folder, &["run", &path, "--quiet"]), 0);
    (pipeline, text(&output.stderr))
}

/// Rows of a published table as text, with the columns asked for.
fn rows(folder: &Path, table: &str, columns: &[&str]) -> Vec<String> {
    let frame = read_parquet(&folder.join(format!("out/{table}.parquet")));
    let place = |name: &&str| frame.schema.index_of(name).expect("a column");
    let places: Vec<usize> = columns.iter().map(place).collect();
    let cell = |row: usize, place: usize| match frame.value(row, place) {
        Value::Null => String::new(),
        value => value.to_string(),
    };
    let row = |row| places.iter().map(|place| cell(row, *place)).collect::<Vec<_>>().join("|");
    (0..frame.rows()).map(row).collect()
}

/// 2026-01-01.
const JANUARY: i64 = 20_454;

fn at(day: i64, hour: i64) -> Value {
    Value::Timestamp(((JANUARY + day) * 24 + hour) * 3_600_000_000)
}

fn parquet(path: &Path, fields: &[(&str, DataType)], rows: &[Vec<Value>]) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    let fields = fields.iter().map(|(name, data_type)| Field::new(*name, *data_type)).collect();
    let frame = Frame::from_rows(Arc::new(Schema::new(fields)), rows).expect("the rows fit");
    write_parquet(path, &frame, 7);
}

fn sample(folder: &Path) {
    fs::create_dir_all(folder.join("data")).expect("a folder");
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/sample_data/cdnow/sample_orders.parquet");
    fs::copy(sample, folder.join("data/orders.parquet")).expect("copied");
}

#[test]
fn a_file_of_orders_becomes_a_first_report() {
    let folder = folder(&[]);
    sample(folder.path());
    let (pipeline, said) = drafted(folder.path(), &["data/orders.parquet"]);
    assert!(pipeline.starts_with("# yaml-language-server: $schema=tenure.schema.json\n"));
    let schema = fs::read_to_string(folder.path().join("tenure.schema.json")).expect("a schema");
    assert_eq!(schema, tenure::plan::json_schema());
    let tutorial = blocks("TUTORIAL.md").into_iter().find(|block| block.info == "text");
    says(&said, &tutorial.expect("the tutorial has it").text);
    says(&said, "next: tenure check orders.yaml\n      tenure run orders.yaml\n");
    says(&pipeline, "value: {from: orders, clv: {holdout: 20 weeks, horizon: 52 weeks}}");
    assert!(folder.path().join("out/orders/report.html").is_file());
    let totals = rows(folder.path(), "orders/monthly", &["month", "revenue", "order_count"]);
    assert_eq!(totals.len(), 18);
    // The pipeline is the same text whenever it is drafted.
    let again = tenure(folder.path(), &["init", "data/orders.parquet", "--force"]);
    status(&again, 0);
    let redrafted = fs::read_to_string(folder.path().join("orders.yaml")).expect("a pipeline");
    assert_eq!(redrafted, pipeline);
}

#[test]
fn lines_with_prices_and_cancellations_are_orders_and_returns() {
    let folder = folder(&[]);
    let fields = [
        ("Invoice", DataType::String),
        ("Stock Code", DataType::String),
        ("Quantity", DataType::Int32),
        ("InvoiceDate", DataType::Timestamp),
        ("Price", DataType::Float64),
        ("Customer ID", DataType::Float64),
        ("Country", DataType::String),
    ];
    let mut lines: Vec<Vec<Value>> = Vec::new();
    let mut line = |invoice: &str, day: i64, quantity: i64, price: f64, customer: Option<f64>| {
        let customer = customer.map_or(Value::Null, Value::Float);
        let country = if day % 2 == 0 { "France" } else { "Côte d'Ivoire" };
        let (invoice, code, country) =
            (Value::text(invoice), Value::text("x, y"), Value::text(country));
        lines.push(vec![
            invoice,
            code,
            Value::Int(quantity),
            at(day, 9),
            Value::Float(price),
            customer,
            country,
        ]);
    };
    for day in 0..100 {
        let customer = 17_850.0 + (day % 9) as f64;
        let invoice = (536_365 + day).to_string();
        line(&invoice, day, 6, 2.55, Some(customer));
        line(&invoice, day, 2, 0.5, Some(customer));
        line(&format!("9{invoice}"), day, 1, 1.0, (day % 4 > 0).then_some(customer));
    }
    line("C536379", 40, -6, 2.55, Some(17_850.0));
    line("C536380", 41, -1, 1.0, None);
    parquet(&folder.path().join("retail log.parquet"), &fields, &lines);

    let (pipeline, said) = drafted(folder.path(), &["retail log.parquet"]);
    says(&pipeline, "customer: 'cast(\"Customer ID\" as int64)'");
    says(&pipeline, "value: Quantity * Price");
    let guest = "# customer: 'coalesce(cast(cast(\"Customer ID\" as int64) as string), ''guest '' || cast(Invoice as string))'\n";
    says(&pipeline, guest);
    says(&pipeline, "returned: \"starts_with(Invoice, 'C')\"");
    says(&pipeline, "bad_rows: {action: quarantine, tolerate: 10%}");
    says(&pipeline, "by: [Country]");
    says(&said, "8.6% without a value");
    // 100 orders of 16.30, and 75 of 1.00; 15.30 came back.
    let totals = [
        "revenue",
        "net_revenue",
        "order_count",
        "return_rate_numerator",
        "return_rate_n",
        "customer_count",
    ];
    let found = rows(folder.path(), "retail_log/by_country_totals", &totals);
    assert_eq!(found, ["1705.00|1689.70|175|1|176|9"]);
    let quarantine = rows(folder.path(), "retail_log/retail_log_quarantine", &["reasons"]);
    assert_eq!(quarantine.len(), 26);

    // The line that keeps rows without a customer is one that runs.
    let kept: Vec<&str> =
        pipeline.lines().filter(|line| !line.starts_with("    customer:")).collect();
    let kept = kept.join("\n").replace("# customer:", "customer:");
    fs::write(folder.path().join("retail_log.yaml"), kept).expect("written");
    status(&tenure(folder.path(), &["run", "retail_log.yaml", "--quiet"]), 0);
    let found = rows(folder.path(), "retail_log/by_country_totals", &totals);
    // 25 more orders of 1.00, and the other return.
    assert_eq!(found, ["1730.00|1713.70|200|2|202|34"]);
}

#[test]
fn baskets_with_numbers_of_days_find_households_and_products() {
    let folder = folder(&[(
        "product.csv",
        "PRODUCT_ID,DEPARTMENT,quantity\n1,GROCERY,a\n2,GROCERY,b\n3,DRUG GM,b\n4,DRUG GM,a\n5,GROCERY,a\n6,GROCERY,b\n",
    )]);
    let int = DataType::Int32;
    let fields = [
        ("household_key", int),
        ("basket_id", DataType::Int64),
        ("day", int),
        ("product_id", int),
        ("quantity", int),
        ("sales_value", DataType::Float64),
        ("week", int),
    ];
    let mut lines = Vec::new();
    for basket in 0..400 {
        for product in [1 + basket % 5, 6] {
            let day = 1 + basket / 6;
            let numbers = [basket % 40, 26_984_851_472 + basket, day, product, 1].map(Value::Int);
            lines.push([&numbers[..], &[Value::Float(1.25), Value::Int(1 + day / 7)]].concat());
        }
    }
    parquet(&folder.path().join("log/transaction_data.parquet"), &fields, &lines);
    let mut homes = Vec::new();
    for home in 0..15 {
        let income = ["Under 15K", "15-24K", "null"][home % 3];
        homes.push(vec![Value::text(income), Value::Float(home as f64)]);
    }
    let fields = [("INCOME_DESC", DataType::String), ("household_key", DataType::Float64)];
    parquet(&folder.path().join("hh_demographic.parquet"), &fields, &homes);

    let files = [
        "log/transaction_data.parquet",
        "hh_demographic.parquet",
        "product.csv",
        "--name",
        "grocery",
    ];
    let (pipeline, said) = drafted(folder.path(), &files);
    says(&pipeline, "time: date '2000-01-03' + day - 1");
    says(&pipeline, "customer: cast(household_key as int64)");
    says(&pipeline, "income_desc: {column: hh_demographic.INCOME_DESC, unknown: unknown}");
    says(&pipeline, "join: {with: product, keys: {product_id: PRODUCT_ID}, prefix: product_}");
    says(&said, "day 1 is taken for 2000-01-03");
    let by_income = rows(
        folder.path(),
        "grocery/by_income_desc",
        &["income_desc", "revenue", "order_count", "customer_count"],
    );
    assert_eq!(
        by_income,
        [
            "15-24K|125.00|50|5",
            "Under 15K|125.00|50|5",
            "null|125.00|50|5",
            "unknown|625.00|250|25"
        ]
    );
    let by_department =
        rows(folder.path(), "grocery/by_product_department", &["product_DEPARTMENT", "revenue"]);
    assert_eq!(by_department, ["DRUG GM|200.00", "GROCERY|800.00"]);
}

/// Orders without money, their lines with it: 3 orders a day, of which every tenth was cancelled, with one
/// to three lines of 2 things for 1.50 each. The lines have a `status` of their own.
fn orders_and_lines(folder: &Path, money: bool) {
    let (int, text) = (DataType::Int64, DataType::String);
    let (mut orders, mut lines) = (Vec::new(), Vec::new());
    for order in 0..300 {
        let status = if order % 10 == 3 { "cancelled" } else { "delivered" };
        let numbers = [1_000 + order, order % 40].map(Value::Int);
        let rest = [at(order / 3, 9), Value::text(status), Value::Float(20.0)];
        orders.push([&numbers[..], &rest].concat());
        for line in 0..1 + order % 3 {
            let numbers = [1_000 + order, 1 + (order + line) % 6, 2].map(Value::Int);
            let stock = Value::text(if order % 2 == 0 { "stocked" } else { "ordered in" });
            lines.push([&numbers[..], &[Value::Float(1.5), stock]].concat());
        }
    }
    let fields = [
        ("order_id", int),
        ("customer_id", int),
        ("ordered_at", DataType::Timestamp),
        ("status", text),
        ("amount", DataType::Float64),
    ];
    let kept = if money { 5 } else { 4 };
    let orders: Vec<Vec<Value>> = orders.iter().map(|row| row[..kept].to_vec()).collect();
    parquet(&folder.join("orders.parquet"), &fields[..kept], &orders);
    let fields = [
        ("order_id", int),
        ("product_id", int),
        ("quantity", int),
        ("unit_price", DataType::Float64),
        ("status", text),
    ];
    parquet(&folder.join("items.parquet"), &fields, &lines);
    let products = (1..=6).map(|product| {
        vec![Value::Int(product), Value::text(if product < 3 { "tea" } else { "coffee" })]
    });
    let fields = [("product_id", int), ("category", text)];
    parquet(&folder.join("products.parquet"), &fields, &products.collect::<Vec<_>>());
    // Several payments for one order: neither a table to look up in nor lines.
    let payments = (0..600).map(|row| {
        vec![
            Value::Int(1_000 + row / 2),
            Value::text(if row % 2 == 0 { "card" } else { "voucher" }),
        ]
    });
    let fields = [("order_id", int), ("method", text)];
    parquet(&folder.join("payments.parquet"), &fields, &payments.collect::<Vec<_>>());
}

#[test]
fn lines_in_a_table_of_their_own_are_joined_to_their_orders() {
    let folder = folder(&[]);
    orders_and_lines(folder.path(), false);
    let files = ["items.parquet", "orders.parquet", "payments.parquet", "products.parquet"];
    let (pipeline, said) = drafted(folder.path(), &files);
    says(
        &said,
        "several rows have the same: items is of lines of orders, of which those that were",
    );
    says(&said, "payments.parquet       left out: several of its rows have the same `order_id`");
    says(&pipeline, "    value: quantity * unit_price\n    order:\n      id: order_id ");
    // Lines have a status too, which is not that of the order.
    says(
        &pipeline,
        "    where: status <> 'cancelled'\n    select: {columns: [order_id, customer_id, ordered_at]}",
    );
    says(&pipeline, "  growth: {from: sold_lines, growth: {}}");
    says(
        &pipeline,
        "with_products: {from: sold_lines, join: {with: products, keys: [product_id]}}",
    );
    // 270 orders were not cancelled; those numbered 3, 13, … have 1, 2, 3, 1, … lines.
    let columns = ["revenue", "order_count", "customer_count", "units"];
    let total = rows(folder.path(), "orders/by_category_totals", &columns);
    assert_eq!(total, ["1620.00|270|36|1080"]);
    let found = rows(folder.path(), "orders/by_category", &["category", "revenue", "units"]);
    assert_eq!(found, ["coffee|1110.00|740", "tea|510.00|340"]);
}

#[test]
fn lines_of_orders_with_money_are_looked_at_beside_them() {
    let folder = folder(&[]);
    orders_and_lines(folder.path(), true);
    let files = ["items.parquet", "orders.parquet", "products.parquet"];
    let (pipeline, _) = drafted(folder.path(), &files);
    says(&pipeline, "  growth: {from: orders, growth: {}}");
    says(
        &pipeline,
        "with_products: {from: sold_lines, join: {with: products, keys: [product_id]}}",
    );
    let months = rows(folder.path(), "orders/monthly", &["revenue", "order_count"]);
    assert_eq!(months, ["1680.00|84", "1500.00|75", "1680.00|84", "540.00|27"]);
    let found = rows(folder.path(), "orders/by_category", &["category", "revenue", "units"]);
    assert_eq!(found, ["coffee|1110.00|740", "tea|510.00|340"]);
}

#[test]
fn lines_that_nothing_divides_are_left_out() {
    let folder = folder(&[]);
    orders_and_lines(folder.path(), true);
    let (pipeline, said) = drafted(folder.path(), &["orders.parquet", "items.parquet"]);
    says(&said, "left out: the lines of orders, but nothing divides them");
    assert!(!pipeline.contains("parquet: items"), "{pipeline}");
}

#[test]
fn a_folder_of_hive_folders_and_csv_is_taken_apart() {
    let mut files: Vec<(String, String)> = Vec::new();
    for year in [2024, 2025] {
        let mut orders =
            String::from("order_id,customer_id,ordered_at,shipped_at,amount,currency,status\n");
        for order in 0..60 {
            let (customer, month) = (order % 20, 1 + order % 12);
            let status = if order % 10 == 3 { "returned" } else { "completed" };
            let line = format!(
                "o{year}{order:03},{customer:04},{year}-{month:02}-07 09:15:00,,{}.50,EUR,{status}\n",
                10 + order
            );
            orders.push_str(&line);
            // The first order is there twice.
            orders.push_str(if order == 0 { &line } else { "" });
        }
        files.push((format!("shop/orders/year={year}/part-0.csv"), orders));
    }
    let mut customers = String::from("id,e-mail,plan,age\n");
    for customer in 0..20 {
        let plan = if customer < 7 { "free" } else { "pro" };
        customers.push_str(&format!(
            "{customer:04},{customer}@example.org,{plan},{}\n",
            20 + 2 * customer
        ));
    }
    // A customer who is there twice counts once.
    customers.push_str("0005,5@example.org,free,30\n");
    files.push(("shop/customers.csv".into(), customers));
    let files: Vec<(&str, &str)> =
        files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let folder = folder(&files);

    let (pipeline, said) = drafted(folder.path(), &["shop/", "--name", "shop", "-o", "mine.yaml"]);
    says(&pipeline, "tenure run mine.yaml");
    for line in [
        "    csv: shop/orders\n",
        "    csv: shop/customers.csv\n",
        "    key: order_id ",
        "    value: {column: amount, currency: EUR}",
        "      sold: status <> 'returned' ",
        "      customer_id: {type: string, required: true}\n",
        "      amount: {type: decimal, required: true, min: 0}\n",
        "      e-mail: {type: string, pii: true}\n",
        "  distinct: {from: orders, deduplicate: {}}",
        "  customers_once: {from: customers, deduplicate: {keys: [id]}}",
        "  plan: customers_once.plan\n",
    ] {
        says(&pipeline, line);
    }
    says(&said, "some there twice");
    let found =
        rows(folder.path(), "shop/by_plan", &["plan", "order_count", "customer_count", "revenue"]);
    // Two years of 60 orders, of which 12 came back.
    assert_eq!(found, ["free|36|6|1206.00", "pro|72|12|3132.00"]);
}

#[test]
fn a_few_days_are_looked_at_by_day_and_promise_no_forecast() {
    let mut log = String::from("user,when,paid in cents,week\n");
    for event in 0..40 {
        log.push_str(&format!(
            "u{},{}/{}/2026,{},1\n",
            event % 6,
            1 + event % 2,
            13 + event % 7,
            100 + event
        ));
    }
    let folder = folder(&[("log.csv", &log)]);
    let (pipeline, _) =
        drafted(folder.path(), &["log.csv", "--value", "paid in cents", "--time", "when"]);
    says(&pipeline, "# read as month/day/year, without the time of day\n");
    says(&pipeline, "value: {column: '\"paid in cents\"', minor_units: true}");
    says(&pipeline, "      by: [{week: 'try_cast(case when \"when\" like ''_/__/____%''");
    says(&pipeline, "growth: {period: week}");
    says(&pipeline, "# No lifetime value: 5 weeks of data say little of when customers stop.");
    let weekly = rows(folder.path(), "log/weekly", &["week", "order_count"]);
    assert_eq!(weekly.first().map(String::as_str), Some("2026-01-12|17"));
}

#[test]
fn refunds_and_numbers_that_are_times_are_seen() {
    let folder = folder(&[]);
    let fields = [
        ("user_id", DataType::String),
        ("ts", DataType::Int64),
        ("amount", DataType::Float64),
        ("order_status", DataType::String),
    ];
    let mut rows = Vec::new();
    for event in 0..120 {
        let user = Value::text(format!("u{}", event % 11));
        let millis = Value::Int(1_600_000_000_000 + event * 86_400_000);
        let amount = if event % 20 == 7 { -5.25 } else { 10.125 };
        let status = ["delivered", "shipped", "canceled"][event as usize % 3];
        rows.push(vec![user, millis, Value::Float(amount), Value::text(status)]);
    }
    parquet(&folder.path().join("with.parquet"), &fields[..3], &rows);
    let (pipeline, said) = drafted(folder.path(), &["with.parquet"]);
    says(&pipeline, "time: date '1970-01-01' + cast(floor(ts / 86400000) as int64)");
    says(&pipeline, "value: {column: amount, decimals: 3}");
    says(&pipeline, "refunds: net");
    says(&said, "5.0% of the amounts are below 0");

    // A status says more than signs do, and divides nothing beside.
    parquet(&folder.path().join("monthly.parquet"), &fields, &rows);
    let (pipeline, _) = drafted(folder.path(), &["monthly.parquet"]);
    says(&pipeline, "\n  monthly_data:\n    parquet: monthly.parquet\n");
    says(&pipeline, "sold: order_status <> 'canceled'");
    assert!(!pipeline.contains("by_order_status"));
}

#[test]
fn what_cannot_be_guessed_is_asked_for() {
    let mut log = String::from("card,bought,euros\n");
    for event in 0..30 {
        log.push_str(&format!("{},2026-01-{:02},{}.25\n", 7_000 + event % 9, 1 + event, event));
    }
    let folder = folder(&[("log.csv", &log.replace("card,", "token,"))]);
    let output = tenure(folder.path(), &["init", "log.csv"]);
    status(&output, 2);
    let said = text(&output.stderr);
    says(
        &said,
        "error: no column says who the customer is\n  log.csv: token (int64), bought (date), euros (",
    );
    says(&said, "help: name it by hand: `tenure init log.csv --customer COLUMN`");
    assert!(!folder.path().join("log.yaml").exists());

    let output = tenure(folder.path(), &["init", "log.csv", "--customer", "tokn"]);
    status(&output, 2);
    says(&text(&output.stderr), "a similar name exists: `token`");
    let output =
        tenure(folder.path(), &["init", "log.csv", "--customer", "token", "--time", "euros"]);
    status(&output, 2);
    says(&text(&output.stderr), "a time is a date or a timestamp, and this is decimal");
    let (pipeline, said) =
        drafted(folder.path(), &["log.csv", "--customer", "token", "--value", "2 * euros"]);
    says(&pipeline, "customer: token");
    says(&pipeline, "value: '2 * euros'");
    says(&said, "as `--customer` says");
}

#[test]
fn nothing_is_written_over() {
    let folder = folder(&[("orders.yaml", "mine"), ("tenure.schema.json", "{}")]);
    sample(folder.path());
    let output = tenure(folder.path(), &["init", "data/orders.parquet"]);
    status(&output, 2);
    says(
        &text(&output.stderr),
        "error: orders.yaml is there already, and is left as it is\n  = help: ",
    );
    let left = |name: &str| fs::read_to_string(folder.path().join(name)).expect("it is there");
    assert_eq!(left("orders.yaml"), "mine");
    let output = tenure(folder.path(), &["init", "data/orders.parquet", "--force"]);
    status(&output, 0);
    assert!(left("orders.yaml").contains("version: 1"));
    assert_eq!(left("tenure.schema.json"), "{}");
    says(&text(&output.stderr), "`tenure schema > tenure.schema.json` renews it");
    let output = tenure(folder.path(), &["init", "data/orders.parquet", "-o", "no/where.yaml"]);
    status(&output, 6);
}

#[test]
fn texts_that_cannot_be_read_are_borne() {
    let mut log = b"customer_id,date,amount,note\n".to_vec();
    for event in 0..200 {
        let line = format!("{},2026-{:02}-03,{event}.5,caf", event % 40, 1 + event % 9);
        log.extend(line.as_bytes());
        // Latin-1 in every tenth line, where UTF-8 is two bytes.
        log.extend(if event % 10 == 0 { &b"\xe9\n"[..] } else { "é\n".as_bytes() });
    }
    let folder = folder(&[("semicolons.csv", "customer_id;date;amount\n1;2026-01-01;5\n")]);
    fs::write(folder.path().join("log.csv"), log).expect("written");
    let (pipeline, _) = drafted(folder.path(), &["log.csv"]);
    says(&pipeline, "tolerate: 15%}");
    says(
        &pipeline,
        "# 10% of the rows have a text that is not UTF-8; a larger share fails the run",
    );

    let output = tenure(folder.path(), &["init", "semicolons.csv"]);
    status(&output, 2);
    says(&text(&output.stderr), "`customer_id;date;amount`: its cells are not separated by commas");
}

#[test]
fn a_sample_is_bounded_and_comes_from_everywhere() {
    let folder = folder(&[]);
    let path = folder.path().join("orders.parquet");
    let rows: Vec<Vec<Value>> = (0..700).map(|row| vec![Value::Int(row)]).collect();
    parquet(&path, &[("number", DataType::Int64)], &rows);
    let file = InputFile::open("orders", &path).expect("a file");
    assert_eq!(file.row_groups(), 100);
    let source = LocalSource { files: vec![file] };
    let schema = Arc::new(Schema::new(vec![Field::new("number", DataType::Int64)]));
    let calendar = Calendar::default();
    let numbers = |most: usize| {
        let sample = source.sample("orders", &schema, most, &calendar).expect("rows");
        let values = sample.column("number");
        assert_eq!(values.len(), sample.rows);
        values.iter().filter_map(Value::as_i64).collect::<Vec<_>>()
    };
    assert_eq!(numbers(700), (0..700).collect::<Vec<_>>());
    let few = numbers(32);
    // Two rows from the beginning of each of 16 row groups, of which the last is one.
    assert_eq!((few.len(), &few[..4], &few[30..]), (32, &[0, 1, 42, 43][..], &[693, 694][..]));
    // All row groups are asked before there are enough.
    let many = numbers(600);
    assert!(many.len() >= 500 && many.is_sorted(), "{} rows", many.len());

    let whole = DataType::Int64;
    assert_eq!(source.least("number", whole, &calendar), Some(Value::Int(0)));
    assert_eq!(source.greatest("number", whole, &calendar), Some(Value::Int(699)));
    assert_eq!((source.nulls("number"), source.nulls("other")), (Some(0), Some(700)));
}

#[test]
fn addresses_that_lead_nowhere_are_told_of() {
    let folder = folder(&[("notes.txt", "hello"), ("empty.csv", "customer_id,ordered_at\n")]);
    for (arguments, expected, said) in [
        (&["init", "s3://bucket/orders"][..], 2, "`s3://` addresses are not read"),
        (&["init", "data/*.parquet"], 2, "no file is found at `data/*.parquet`"),
        (&["init", "notes.txt"], 2, "`notes.txt` is neither Parquet nor CSV"),
        (&["init", "empty.csv"], 5, "`empty.csv` has no rows"),
        (&["init", "empty.csv", "--name", "My Shop"], 2, "is not a name of the form"),
        (&["init"], 2, "<FILE>"),
    ] {
        let output = tenure(folder.path(), arguments);
        status(&output, expected);
        says(&text(&output.stderr), said);
    }
    fs::write(folder.path().join("broken.parquet"), "PAR1 and no more").expect("written");
    status(&tenure(folder.path(), &["init", "broken.parquet"]), 4);
}
