//! The measures that people ask for by name, what they are called here, and the case file that proves each.
//!
//! A test looks each metric up in its case file, so this list cannot claim what nobody checks.

/// A measure of the field.
pub(super) struct Measure {
    pub name: &'static str,
    /// Metrics or kinds of metrics.
    pub here: &'static [&'static str],
    /// The files under `tests/cases/`. Each metric is in one of them at least.
    pub cases: &'static [&'static str],
}

const fn of(
    name: &'static str,
    here: &'static [&'static str],
    cases: &'static [&'static str],
) -> Measure {
    Measure { name, here, cases }
}

/// Answers, service, reviews and invoices; then what is easily got wrong.
#[rustfmt::skip]
pub(super) const MEASURES: &[Measure] = &[
    of("Customer satisfaction (CSAT): share of the top two, any other cut, mean", &["csat", "csat_mean"], &["70_surveys", "93_other_scales"]),
    of("Net promoter score (NPS)", &["nps"], &["70_surveys", "95_last_answer"]),
    of("Customer effort (CES) of 5 and of 7: mean, share of low effort", &["ces_mean", "ces_low_effort"], &["70_surveys", "93_other_scales"]),
    of("Survey response rate", &["response_rate", "response_count"], &["70_surveys"]),
    of("Customer pulse", &["pulse"], &["77_pulse"]),
    of("Follow-up rate, time to follow-up", &["follow_up_rate", "follow_up_time"], &["90_follow_ups"]),
    of("First response time", &["first_response_time"], &["71_tickets", "74_business_hours"]),
    of("Resolution time, first and full", &["resolution_time", "full_resolution_time"], &["71_tickets"]),
    of("Average handling time (AHT)", &["handling_time"], &["71_tickets"]),
    of("First-contact resolution (FCR)", &["first_contact_resolution"], &["76_first_contact"]),
    of("Resolution rate", &["resolution_rate"], &["71_tickets"]),
    of("SLA compliance, for each target", &["sla_compliance"], &["71_tickets", "74_business_hours", "96_paused"]),
    of("Abandonment rate, with or without short abandons", &["abandonment_rate"], &["71_tickets"]),
    of("Complaint resolution time", &["complaint_resolution_time"], &["71_tickets"]),
    of("Reopen rate", &["reopen_rate"], &["71_tickets"]),
    of("Tickets per customer; tickets and their share by topic", &["tickets_per_customer", "ticket_count", "share"], &["71_tickets", "94_tickets_by_topic"]),
    of("Mean, median, longest and any percentile of a wait", &["first_response_time", "handling_time"], &["71_tickets"]),
    of("Mean and any quantile of a column", &["mean", "quantile"], &["08_metric_kinds"]),
    of("Review rating: mean, Bayesian mean, lower bound of the share of good ones", &["review_rating", "review_rating_bayes", "review_positive_lower"], &["72_voice", "78_review_prior"]),
    of("Sentiment shares, net sentiment, coverage, of scores", &["sentiment_positive", "sentiment_neutral", "sentiment_negative", "net_sentiment", "sentiment_coverage"], &["72_voice"]),
    of("The same of texts", &["sentiment_positive", "sentiment_neutral", "sentiment_negative", "net_sentiment", "sentiment_coverage"], &["91_sentiment_of_text"]),
    of("Themes: share and score", &["theme_share", "theme_score"], &["79_themes"]),
    of("Late-payment share, days overdue, money overdue", &["late_payment_rate", "days_overdue", "overdue_value"], &["73_invoices"]),
    of("A denominator of 0", &["csat", "nps", "tickets_per_customer", "first_contact_resolution"], &["70_surveys", "94_tickets_by_topic", "76_first_contact"]),
    of("Ties: events of one moment", &["pulse", "first_contact_resolution", "follow_up_rate"], &["77_pulse", "76_first_contact", "90_follow_ups"]),
    of("Open cases", &["first_response_time", "resolution_time", "sla_compliance", "follow_up_time"], &["71_tickets", "90_follow_ups"]),
    of("A night on which the clocks change", &["first_response_time", "resolution_time"], &["74_business_hours", "92_calendar_of_waits"]),
    of("A leap day; a holiday over the end of a month", &["resolution_time", "sla_compliance"], &["92_calendar_of_waits"]),
];
