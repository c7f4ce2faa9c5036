//! The blocks that say what the rows of a source are about: tickets, surveys, reviews, invoices.

use crate::diagnostic::Spanned;
use crate::document::{Expression, TimeUnit};

crate::options! {
    /// The `ticket` block.
    pub struct TicketBlock("`ticket`") {
        /// When somebody first replied; null until then.
        first_reply: Option<Expression> = None,
        /// When it was first solved; null until then.
        resolved: Option<Expression> = None,
        /// When it was closed for good; null until then.
        closed: Option<Expression> = None,
        /// By when a reply is due.
        due_reply: Option<Expression> = None,
        /// By when a solution is due.
        due_resolve: Option<Expression> = None,
        /// How long it was worked on.
        handle_time: Option<DurationRole> = None,
        /// How long the customer was kept on hold.
        hold_time: Option<DurationRole> = None,
        /// Work after the contact.
        after_work: Option<DurationRole> = None,
        /// How long the customer waited before giving up.
        waited: Option<DurationRole> = None,
        /// How long it waited for the customer, which promises do not count.
        paused: Option<DurationRole> = None,
        /// How many contacts it took.
        contacts: Option<Expression> = None,
        /// How often it was opened again.
        reopens: Option<Expression> = None,
        /// Whether the customer gave up.
        abandoned: Option<Expression> = None,
        /// Whether it is a complaint.
        complaint: Option<Expression> = None,
        /// The opening hours in which waits are counted, one of `business_hours`; absent: all hours.
        hours: Option<Spanned<String>> = None,
    }
}

crate::options! {
    /// A duration: a column of numbers, and what they count.
    pub struct DurationRole("a duration") {
        /// The column, or an expression.
        column: Expression,
        /// What the numbers count.
        unit: TimeUnit,
    }
}

crate::options! {
    /// The `survey` block.
    pub struct SurveyBlock("`survey`") {
        /// The answer.
        score: Expression,
        /// Which survey it is: `nps`, `csat`, `ces`, or another; absent: the rows are of one survey.
        question: Option<Expression> = None,
        /// What it is about: the touchpoint, such as a step of a journey.
        touchpoint: Option<Expression> = None,
        /// What the customer wrote.
        text: Option<Expression> = None,
        /// When it was sent. `time` is that of the answer then, and null without one.
        sent: Option<Expression> = None,
        /// The top of each scale, whose low end is 1.
        scales: Option<ScalesBlock> = None,
    }
}

crate::options! {
    /// The `scales` of a survey.
    pub struct ScalesBlock("`scales`") {
        /// That of satisfaction.
        csat: i64 = 5,
        /// That of effort, the top being the least effort.
        ces: i64 = 7,
    }
}

crate::options! {
    /// The `review` block.
    pub struct ReviewBlock("`review`") {
        /// The stars.
        rating: Option<Expression> = None,
        /// The most stars; the fewest are 1.
        scale: i64 = 5,
        /// A number from −1 to 1, or `positive`, `neutral`, `negative`; null where nobody can tell.
        sentiment: Option<Expression> = None,
        /// What was written. Without `sentiment`, and with `language`, it is what the tone is found by.
        text: Option<Expression> = None,
        /// Its language, such as `en`: a column, or `"'en'"` for all rows.
        language: Option<Expression> = None,
    }
}

crate::options! {
    /// The `invoice` block.
    pub struct InvoiceBlock("`invoice`") {
        /// When it is due.
        due: Expression,
        /// When it was paid in full; null while it is open.
        paid: Expression,
    }
}
