//! `clv` on the CDNOW sample, at the numbers of the literature: Fader, Hardie and Lee (2005), with the
//! digits of the exact maximum of the published likelihood.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tenure::frame::{Frame, Value};

use crate::parquet::read_parquet;

/// The sample, 39 weeks observed, 39 weeks held out.
fn run(folder: &Path, options: &str) -> PathBuf {
    let sample =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_data/cdnow/sample_orders.parquet");
    let text = format!(
        "version: 1\nname: cdnow\nas_of: 1998-07-01\nsources:\n  orders: {{parquet: {}, customer: customer_id, \
         time: ordered_at, value: amount}}\nstages:\n  value: {{from: orders, clv: {{holdout: 273d{options}}}}}\n",
        sample.display()
    );
    fs::write(folder.join("it.yaml"), text).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_tenure"))
        .current_dir(folder)
        .args(["run", "it.yaml", "--quiet"])
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder.join("out/cdnow")
}

/// The number in a column of the row in which other columns have these values.
#[track_caller]
fn number(frame: &Frame, keys: &[(&str, Value)], name: &str) -> f64 {
    let columns: Vec<_> =
        keys.iter().map(|(key, value)| (frame.column(key).expect("a column"), value)).collect();
    let rows: Vec<usize> = (0..frame.rows())
        .filter(|&row| columns.iter().all(|(column, value)| column[row] == **value))
        .collect();
    assert_eq!(rows.len(), 1, "{keys:?}");
    frame.column(name).expect("a column")[rows[0]].as_f64().expect("a number")
}

#[track_caller]
fn close(found: f64, expected: f64, relative: f64) {
    assert!((found - expected).abs() <= relative * expected.abs(), "{found} is not {expected}");
}

fn parameters(frame: &Frame, expected: &[(&str, &str, f64)]) {
    for (model, parameter, value) in expected {
        let keys = [
            ("fit", Value::text("calibration")),
            ("model", Value::text(model)),
            ("parameter", Value::text(parameter)),
        ];
        close(number(frame, &keys, "estimate"), *value, 1e-6);
    }
}

#[test]
fn raw_dates_give_the_published_fit_and_forecast() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = run(folder.path(), "");
    parameters(
        &read_parquet(&out.join("value_parameters.parquet")),
        &[
            ("bg_nbd", "r", 0.2425945),
            ("bg_nbd", "alpha", 4.413602),
            ("bg_nbd", "a", 0.7929220),
            ("bg_nbd", "b", 2.425907),
            ("gamma_gamma", "p", 6.249572),
            ("gamma_gamma", "q", 3.744225),
            ("gamma_gamma", "gamma", 15.44352),
        ],
    );
    let fits = read_parquet(&out.join("value_fits.parquet"));
    let of = |model: &str, column: &str| {
        let keys = [("fit", Value::text("calibration")), ("model", Value::text(model))];
        number(&fits, &keys, column)
    };
    close(of("bg_nbd", "log_likelihood"), -9582.4292, 1e-8);
    close(of("gamma_gamma", "log_likelihood"), -4055.9177, 1e-8);
    close(of("bg_nbd", "customers"), 2357.0, 0.0);
    close(of("gamma_gamma", "customers"), 946.0, 0.0);
    close(of("bg_nbd", "holdout_actual"), 1882.0, 0.0);
    close(of("bg_nbd", "holdout_expected"), 1653.42, 1e-4);
    close(of("bg_nbd", "mae"), 0.78546, 1e-4);
    close(of("bg_nbd", "rmse"), 1.60801, 1e-4);
    close(of("bg_nbd", "msle"), 0.23427, 1e-4);
    close(of("bg_nbd", "correlation"), 0.62563, 1e-4);
    close(of("bg_nbd", "bias"), -0.1215, 1e-3);
    assert!(of("bg_nbd", "naive_bias") > 0.5, "carrying rates on promises far too much");

    let tracking = read_parquet(&out.join("value_tracking.parquet"));
    for (week, actual, expected) in [
        (13, 828.0, 722.5),
        (26, 1746.0, 1736.4),
        (39, 2457.0, 2501.5),
        (52, 3183.0, 3134.1),
        (65, 3844.0, 3680.7),
        (78, 4339.0, 4165.7),
    ] {
        let keys = [("elapsed", Value::Int(week))];
        close(number(&tracking, &keys, "cumulative_actual"), actual, 0.0);
        let found = number(&tracking, &keys, "cumulative_expected");
        assert!((found - expected).abs() <= 0.1, "{found} is not {expected}");
    }
}

#[test]
fn rounded_summaries_give_the_published_maximum() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = run(folder.path(), ", decimals: 2");
    parameters(
        &read_parquet(&out.join("value_parameters.parquet")),
        &[
            ("bg_nbd", "r", 0.2425929),
            ("bg_nbd", "alpha", 4.413532),
            ("bg_nbd", "a", 0.7928861),
            ("bg_nbd", "b", 2.425753),
            ("gamma_gamma", "p", 6.248802),
            ("gamma_gamma", "q", 3.744588),
            ("gamma_gamma", "gamma", 15.44775),
        ],
    );
    let fits = read_parquet(&out.join("value_fits.parquet"));
    let keys = [("fit", Value::text("calibration")), ("model", Value::text("bg_nbd"))];
    close(number(&fits, &keys, "log_likelihood"), -9582.4256, 1e-8);
}

/// The value of a customer is what its formula says, and a lifetime is worth more than a year.
#[test]
fn values_follow_their_formula() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = run(folder.path(), ", discount: 0%/year, margin: 40%");
    let value = read_parquet(&out.join("value.parquet"));
    let column = |frame: &Frame, name: &str| frame.column(name).expect("a column");
    let (clv, spend) = (column(&value, "clv"), column(&value, "expected_spend"));
    let purchases = column(&value, "expected_purchases");
    for row in 0..value.rows() {
        let of = |column: &[Value]| column[row].as_f64().expect("a number");
        close(of(&clv), 0.4 * of(&spend) * of(&purchases), 1e-12);
    }
    let mut tenths = [0; 11];
    for decile in column(&value, "decile") {
        tenths[decile.as_i64().expect("a decile") as usize] += 1;
    }
    assert_eq!(tenths, [0, 236, 236, 236, 235, 236, 236, 235, 236, 236, 235]);

    let year = run(folder.path(), "");
    let sum = |out: &Path| {
        let fits = read_parquet(&out.join("value_fits.parquet"));
        number(&fits, &[("fit", Value::text("final")), ("model", Value::text("bg_nbd"))], "clv_sum")
    };
    let in_a_year = sum(&year);
    let in_a_lifetime = sum(&run(folder.path(), ", horizon: lifetime"));
    assert!(in_a_lifetime > 3.0 * in_a_year, "{in_a_lifetime} and {in_a_year}");
    // Horizons ahead approach the lifetime from below.
    let in_sixty_years = sum(&run(folder.path(), ", horizon: 60 years"));
    assert!(in_sixty_years < in_a_lifetime && in_sixty_years > 0.97 * in_a_lifetime);
}
