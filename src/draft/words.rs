//! What columns are called: how much a name speaks for a role.

/// A name in lower case without anything but letters and digits: `Customer ID` is `customerid`.
pub(super) fn flat(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The words of a name, in lower case: those of `InvoiceDate` and `invoice_date` are the same.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for c in name.chars() {
        let starts = !before.is_alphanumeric() || (before.is_lowercase() && c.is_uppercase());
        if c.is_alphanumeric() {
            if starts {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.extend(c.to_lowercase());
            }
        }
        before = c;
    }
    words
}

/// Endings of names that identify something.
const IDENTIFIES: &[&str] = &[
    "", "id", "key", "no", "num", "nr", "nbr", "number", "code", "uuid", "guid", "ref", "sk",
    "hash",
];

const CUSTOMERS: &[&str] = &[
    "customer",
    "cust",
    "client",
    "user",
    "household",
    "hshd",
    "hh",
    "member",
    "buyer",
    "account",
    "acct",
    "shopper",
    "subscriber",
    "consumer",
    "guest",
    "visitor",
    "person",
    "patient",
    "donor",
    "kunde",
    "kunden",
    "loyalty",
    "loyaltycard",
    "card",
    "contact",
    "player",
    "cliente",
];

const ORDERS: &[&str] = &[
    "order",
    "invoice",
    "basket",
    "transaction",
    "trans",
    "txn",
    "receipt",
    "bill",
    "cart",
    "checkout",
    "purchase",
    "sale",
    "sales",
    "booking",
    "ticket",
    "rechnung",
    "bestellung",
    "visit",
];

/// True for `STEM` followed by an ending that identifies; `bare` if nothing need follow.
fn identifies(name: &str, stems: &[&str], bare: bool) -> bool {
    let flat = flat(name);
    let rest = |stem: &&str| flat.strip_prefix(stem).map(str::to_owned);
    stems
        .iter()
        .filter_map(rest)
        .any(|rest| IDENTIFIES.contains(&rest.as_str()) && (bare || !rest.is_empty()))
}

/// How much a name speaks for the customer; 0 for not at all.
pub(super) fn customer(name: &str) -> u32 {
    let flat = flat(name);
    let unique = CUSTOMERS.iter().any(|stem| flat == format!("{stem}uniqueid"));
    match () {
        () if unique => 12,
        () if identifies(name, &CUSTOMERS[..3], false) => 10,
        () if identifies(name, CUSTOMERS, false) => 9,
        () if identifies(name, CUSTOMERS, true) => 8,
        () if ["cid", "uid"].contains(&flat.as_str()) => 8,
        () if words(name).iter().any(|word| word == "email") => 5,
        () => 0,
    }
}

/// True for names of what several lines of one order share.
pub(super) fn order(name: &str) -> bool {
    identifies(name, ORDERS, false)
        || matches!(flat(name).as_str(), "invoice" | "receipt" | "basket")
}

/// How much a name speaks for the time of an event.
pub(super) fn time(name: &str) -> u32 {
    let words = words(name);
    let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    let flat = flat(name);
    let clock =
        has(&["date", "time", "at", "on", "ts", "timestamp", "datetime", "day", "dt", "datum"])
            || ["date", "time", "timestamp"].iter().any(|end| flat.ends_with(end));
    let other = [
        "ship", "deliver", "due", "expir", "birth", "dob", "sign", "regist", "join", "updat",
        "modif", "load", "ingest", "return", "refund", "end", "estimat", "approv", "first", "last",
        "valid", "process", "paid",
    ];
    let event = [
        "order", "purchas", "invoice", "trans", "txn", "sale", "sold", "event", "bought", "basket",
        "visit", "booking", "booked", "checkout",
    ];
    let begins =
        |known: &[&str]| known.iter().any(|known| words.iter().any(|w| w.starts_with(known)));
    match () {
        () if begins(&other) => 1,
        () if begins(&event) && clock => 10,
        () if ["date", "time", "timestamp", "ts", "datetime", "day", "dt"]
            .contains(&flat.as_str()) =>
        {
            8
        }
        () if begins(&["creat", "placed", "occur"]) => 7,
        () if clock => 4,
        () => 2,
    }
}

/// True for numbers of days, such as those of a study: `day`, `day_no`.
pub(super) fn day_number(name: &str) -> bool {
    matches!(
        flat(name).as_str(),
        "day" | "dayno" | "daynum" | "daynumber" | "daynr" | "dayindex" | "dayid"
    )
}

/// What a number of money is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MoneyName {
    /// The price of one thing.
    Unit,
    /// Something of that kind.
    Likely,
    /// The amount of the whole row.
    Total,
}

/// What a name says of money.
pub(super) fn money(name: &str) -> Option<MoneyName> {
    let words = words(name);
    let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    let flat = flat(name);
    let other = [
        "discount", "disc", "tax", "vat", "shipping", "freight", "cost", "fee", "tip", "margin",
        "profit", "coupon", "points", "count", "qty", "quantity", "id", "pct", "percent", "rate",
        "limit", "credit", "balance", "budget", "units", "income", "date", "at",
    ];
    if has(&other) {
        return None;
    }
    let unit = [
        "price",
        "unitprice",
        "itemprice",
        "listprice",
        "saleprice",
        "sellingprice",
        "preis",
        "prix",
    ];
    let total = [
        "amount", "revenue", "turnover", "spend", "spent", "gmv", "subtotal", "umsatz", "betrag",
        "montant",
    ];
    let totals = [
        "totalprice",
        "totalamount",
        "totalvalue",
        "salesvalue",
        "salevalue",
        "ordervalue",
        "linetotal",
        "extendedprice",
        "paymentvalue",
        "grandtotal",
        "netsales",
        "grosssales",
    ];
    match () {
        () if has(&total) || totals.iter().any(|known| flat.contains(known)) => {
            Some(MoneyName::Total)
        }
        () if has(&["total"]) => Some(MoneyName::Total),
        () if has(&unit) || unit.contains(&flat.as_str()) => Some(MoneyName::Unit),
        () if has(&["sales", "value", "paid", "payment", "net", "gross", "charge"]) => {
            Some(MoneyName::Likely)
        }
        () => None,
    }
}

/// True for whole numbers of the smallest unit of money.
pub(super) fn minor_units(name: &str) -> bool {
    words(name).iter().any(|word| matches!(word.as_str(), "cents" | "cent" | "pence" | "minor"))
}

/// True for names of how many things a row is about.
pub(super) fn quantity(name: &str) -> bool {
    let known =
        ["quantity", "qty", "units", "unitssold", "pieces", "items", "itemcount", "cds", "menge"];
    let flat = flat(name);
    known.contains(&flat.as_str())
        || words(name).iter().any(|w| matches!(w.as_str(), "quantity" | "qty"))
}

/// True for names of what became of an order.
pub(super) fn status(name: &str) -> bool {
    let flat = flat(name);
    flat.ends_with("status")
        || matches!(
            flat.as_str(),
            "state" | "orderstate" | "type" | "transactiontype" | "eventtype" | "kind"
        )
}

/// What a status says of its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Became {
    Sold,
    Returned,
    Nothing,
}

/// What the words of a status say; `None` for words that are not about orders.
pub(super) fn became(value: &str) -> Option<Became> {
    let flat = flat(value);
    let begins = |known: &[&str]| known.iter().any(|known| flat.starts_with(known));
    match () {
        () if begins(&["return", "refund", "chargeback", "chargedback", "sentback"]) => {
            Some(Became::Returned)
        }
        () if begins(&[
            "cancel",
            "void",
            "fail",
            "declin",
            "reject",
            "abandon",
            "unavailable",
            "pending",
            "draft",
            "unpaid",
            "expired",
            "test",
        ]) =>
        {
            Some(Became::Nothing)
        }
        () if begins(&[
            "complete",
            "deliver",
            "ship",
            "paid",
            "sold",
            "sale",
            "fulfil",
            "invoiced",
            "approved",
            "processing",
            "confirmed",
            "closed",
            "captured",
            "purchase",
            "success",
            "done",
            "ok",
        ]) =>
        {
            Some(Became::Sold)
        }
        () => None,
    }
}

/// True for flags of what came back: `returned`, `is_refunded`.
pub(super) fn returned_flag(name: &str) -> bool {
    words(name)
        .iter()
        .any(|word| matches!(word.as_str(), "returned" | "refunded" | "return" | "refund"))
}

/// True for names of personal data.
pub(super) fn personal(name: &str) -> bool {
    let words = words(name);
    let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    let flat = flat(name);
    has(&[
        "email", "mail", "phone", "mobile", "address", "street", "birthday", "dob", "ip", "iban",
        "passport", "ssn",
    ]) || [
        "firstname",
        "lastname",
        "surname",
        "fullname",
        "customername",
        "dateofbirth",
        "birthdate",
        "username",
    ]
    .contains(&flat.as_str())
}

/// How much a name speaks for a way to divide customers or rows.
pub(super) fn dimension(name: &str) -> u32 {
    let words = words(name);
    let has =
        |known: &[&str]| words.iter().any(|word| known.iter().any(|known| word.starts_with(known)));
    match () {
        () if has(&["segment", "tier", "plan", "group", "cluster", "level"]) => 5,
        () if has(&["country", "region", "channel", "market", "nation"]) => 4,
        () if has(&[
            "age",
            "income",
            "gender",
            "sex",
            "category",
            "department",
            "brand",
            "source",
        ]) =>
        {
            3
        }
        () if has(&[
            "city", "state", "type", "class", "size", "comp", "marital", "device", "product",
        ]) =>
        {
            2
        }
        () => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_by_name() {
        for name in [
            "customer_id",
            "cid",
            "Customer ID",
            "CustomerID",
            "household_key",
            "user_id",
            "HSHD_NUM",
            "CUST_NO",
        ] {
            assert!(customer(name) >= 8, "{name}");
        }
        assert!(customer("customer_unique_id") > customer("customer_id"));
        for name in [
            "customer_city",
            "order_id",
            "Country",
            "customers",
            "custom",
            "user_agent",
            "hh_comp_desc",
        ] {
            assert_eq!(customer(name), 0, "{name}");
        }
    }

    #[test]
    fn times_by_name() {
        assert!(time("InvoiceDate") > time("created_at"));
        assert!(time("ordered_at") > time("shipped_at"));
        assert!(time("order_purchase_timestamp") > time("order_approved_at"));
        assert!(time("t_dat") > time("due_date"));
        assert!(day_number("DAY") && !day_number("days_since"));
    }

    #[test]
    fn money_by_name() {
        assert_eq!(money("sales_value"), Some(MoneyName::Total));
        assert_eq!(money("TotalPrice"), Some(MoneyName::Total));
        assert_eq!(money("UnitPrice"), Some(MoneyName::Unit));
        assert_eq!(money("Price"), Some(MoneyName::Unit));
        assert_eq!(money("retail_disc"), None);
        assert_eq!(money("coupon_match_disc"), None);
        assert_eq!(money("SPEND"), Some(MoneyName::Total));
    }

    #[test]
    fn orders_and_what_became_of_them() {
        assert!(
            order("basket_id") && order("Invoice") && order("InvoiceNo") && !order("order_status")
        );
        assert_eq!(became("Canceled"), Some(Became::Nothing));
        assert_eq!(became("refunded"), Some(Became::Returned));
        assert_eq!(became("delivered"), Some(Became::Sold));
        assert_eq!(became("Bavaria"), None);
    }
}
