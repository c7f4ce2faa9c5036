//! The tone of English texts: VADER, a lexicon with rules.
//!
//! A word of the lexicon has a rating; what stands before it may strengthen, weaken or turn it, what comes behind a
//! "but" counts more than what comes before. The sum s of all ratings of a text is brought between −1 and 1:
//!
//! ```text
//! s / √(s² + 15)
//! ```
//!
//! The rules and their numbers are those of the authors' own program, vaderSentiment 3.3.2, and so are the lexicons,
//! which carry its licence. The ports on crates.io were looked at and give other scores for "very smart, handsome"
//! (boosters count twice), so this is one more. It departs from the original in one place: ratings around a "but" are
//! weighed by where they stand, where the original looks for the first equal rating.
//!
//! Reference: Hutto and Gilbert (2014), VADER: a parsimonious rule-based model for sentiment analysis of social media
//! text.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Words in lower case and the means of their ratings, −4 to 4.
static RATINGS: LazyLock<HashMap<&str, f64>> = LazyLock::new(|| {
    let rows = rows(include_str!("sentiment/lexicon.txt"));
    rows.filter_map(|(word, rating)| Some((word, rating.parse().ok()?))).collect()
});

/// What emoji show, in words.
static EMOJI: LazyLock<HashMap<&str, &str>> =
    LazyLock::new(|| rows(include_str!("sentiment/emoji.txt")).collect());

/// The rows of a lexicon, which follow its licence and an empty line.
fn rows(file: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let rows = file.split_once("\n\n").map_or("", |(_, rows)| rows);
    rows.lines().filter_map(|row| row.split_once('\t'))
}

/// What a word that strengthens or weakens adds to the next ones.
const BOOST: f64 = 0.293;
/// What capitals add among words that have none.
const CAPITALS: f64 = 0.733;
/// What a word that negates makes of the next ones.
const NEGATED: f64 = -0.74;
/// How much of a booster is left one and two words further on.
const FADED: [f64; 3] = [1.0, 0.95, 0.9];
/// What `!` adds, up to four times, and `?` if there are two or three; more of them add `MANY`.
const EXCLAIMED: f64 = 0.292;
const ASKED: f64 = 0.18;
const MANY: f64 = 0.96;
/// Approximates the largest sum that is expected.
const LARGEST: f64 = 15.0;

/// What words and phrases add that strengthen or weaken.
static BOOSTERS: LazyLock<HashMap<&str, f64>> = LazyLock::new(|| {
    let strengthen = STRENGTHEN.split_whitespace().map(|word| (word, BOOST));
    let weaken = WEAKEN.split_whitespace().chain(["just enough", "kind of", "sort of"]);
    strengthen.chain(weaken.map(|word| (word, -BOOST))).collect()
});

static NEGATIONS: LazyLock<HashSet<&str>> = LazyLock::new(|| NEGATE.split_whitespace().collect());

const STRENGTHEN: &str = "
    absolutely amazingly awfully completely considerable considerably decidedly deeply effing
    enormous enormously entirely especially exceptional exceptionally extreme extremely fabulously
    flipping flippin frackin fracking fricking frickin frigging friggin fully fuckin fucking fuggin
    fugging greatly hella highly hugely incredible incredibly intensely major majorly more most
    particularly purely quite really remarkably so substantially thoroughly total totally tremendous
    tremendously uber unbelievably unusually utter utterly very";

const WEAKEN: &str = "
    almost barely hardly kinda kindof kind-of less little marginal marginally occasional
    occasionally partly scarce scarcely slight slightly somewhat sorta sortof sort-of";

const NEGATE: &str = "
    aint arent cannot cant couldnt darent didnt doesnt dont hadnt hasnt havent isnt mightnt mustnt
    neither neednt never none nope nor not nothing nowhere oughtnt shant shouldnt uhuh uh-uh wasnt
    werent without wont wouldnt rarely seldom despite";

/// Phrases with a rating of their own.
const PHRASES: &[(&str, f64)] = &[
    ("the shit", 3.0),
    ("the bomb", 3.0),
    ("bad ass", 1.5),
    ("badass", 1.5),
    ("bus stop", 0.0),
    ("yeah right", -2.0),
    ("kiss of death", -1.5),
    ("to die for", 3.0),
    ("beating heart", 3.5),
];

/// True for `en`, and for what says where it is spoken, such as `en-GB` or `EN_us`.
pub fn is_scored(language: &str) -> bool {
    language.trim().split(['-', '_']).next().is_some_and(|word| word.eq_ignore_ascii_case("en"))
}

/// The tone of an English text, −1 to 1; nothing if none of its words is in the lexicon.
pub fn score(text: &str) -> Option<f64> {
    let text = described(text);
    let words: Vec<Word> = text.split_whitespace().map(Word::new).collect();
    let shouted = words.iter().filter(|word| word.is_capitals).count();
    let tone = Tone { some_shout: 0 < shouted && shouted < words.len(), words };

    let mut known = false;
    let mut ratings: Vec<f64> = (0..tone.words.len())
        .map(|at| {
            let rating = tone.rating(at);
            known |= rating.is_some();
            rating.unwrap_or(0.0)
        })
        .collect();
    if !known {
        return None;
    }
    if let Some(but) = tone.words.iter().position(|word| word.small == "but") {
        ratings.iter_mut().take(but).for_each(|rating| *rating *= 0.5);
        ratings.iter_mut().skip(but + 1).for_each(|rating| *rating *= 1.5);
    }
    let sum: f64 = ratings.iter().sum();
    let sum = match sum {
        sum if sum > 0.0 => sum + emphasis(&text),
        sum if sum < 0.0 => sum - emphasis(&text),
        sum => sum,
    };
    Some(sum / (sum * sum + LARGEST).sqrt())
}

/// The text with what its emoji show in their place.
fn described(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut after_space = true;
    for character in text.chars() {
        let mut buffer = [0; 4];
        if let Some(description) = EMOJI.get(&*character.encode_utf8(&mut buffer)) {
            if !after_space {
                result.push(' ');
            }
            result.push_str(description);
            after_space = false;
        } else {
            result.push(character);
            after_space = character == ' ';
        }
    }
    result
}

/// What exclamation and question marks add.
fn emphasis(text: &str) -> f64 {
    let count = |mark| text.chars().filter(|character| *character == mark).count();
    let asked = match count('?') {
        0 | 1 => 0.0,
        few @ (2 | 3) => few as f64 * ASKED,
        _ => MANY,
    };
    count('!').min(4) as f64 * EXCLAIMED + asked
}

/// A word or emoticon of a text.
struct Word {
    small: String,
    is_capitals: bool,
}

impl Word {
    /// Without punctuation at both ends; what has two characters or fewer without it is an emoticon.
    fn new(token: &str) -> Self {
        let word = token.trim_matches(|character: char| character.is_ascii_punctuation());
        let word = if word.chars().count() <= 2 { token } else { word };
        let is_capitals =
            word.chars().any(char::is_uppercase) && !word.chars().any(char::is_lowercase);
        Word { small: word.to_lowercase(), is_capitals }
    }

    fn rating(&self) -> Option<f64> {
        RATINGS.get(self.small.as_str()).copied()
    }

    fn negates(&self) -> bool {
        NEGATIONS.contains(self.small.as_str()) || self.small.contains("n't")
    }
}

/// What a word or phrase adds if it strengthens or weakens.
fn boost(phrase: &str) -> Option<f64> {
    BOOSTERS.get(phrase).copied()
}

/// The words of a text.
struct Tone {
    words: Vec<Word>,
    /// Whether some of them, but not all, are in capitals.
    some_shout: bool,
}

impl Tone {
    fn small(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |word| word.small.as_str())
    }

    /// The words from one place to before another, if there are so many.
    fn phrase(&self, from: usize, to: usize) -> Option<String> {
        let words: Vec<&str> =
            self.words.get(from..to)?.iter().map(|word| word.small.as_str()).collect();
        Some(words.join(" "))
    }

    /// What a word counts with those around it; nothing if it is not in the lexicon.
    fn rating(&self, at: usize) -> Option<f64> {
        let word = self.words.get(at)?;
        let of_kind = word.small == "kind" && self.small(at + 1) == "of";
        if boost(&word.small).is_some() || of_kind {
            return None;
        }
        let own = word.rating()?;
        let mut rating = own;
        if word.small == "no" && self.words.get(at + 1).is_some_and(|next| next.rating().is_some())
        {
            rating = 0.0;
        }
        let before = |steps: usize| at.checked_sub(steps).map_or("", |at| self.small(at));
        if before(1) == "no"
            || before(2) == "no"
            || (before(3) == "no" && matches!(before(1), "or" | "nor"))
        {
            rating = own * NEGATED;
        }
        if word.is_capitals && self.some_shout {
            rating += if rating > 0.0 { CAPITALS } else { -CAPITALS };
        }
        for (steps, faded) in (1..=3).zip(FADED) {
            let Some(other) = at.checked_sub(steps).and_then(|at| self.words.get(at)) else {
                break;
            };
            if other.rating().is_some() {
                continue;
            }
            rating += faded * self.boost_by(other, rating);
            rating = self.turned(rating, at, steps);
            if steps == 3 {
                rating = self.idiom(rating, at);
            }
        }
        let least = before(1) == "least" && !matches!(before(2), "at" | "very");
        Some(if least { rating * NEGATED } else { rating })
    }

    /// What a word before another of this rating adds to it.
    fn boost_by(&self, word: &Word, rating: f64) -> f64 {
        let Some(boost) = boost(&word.small) else { return 0.0 };
        let boost = if rating < 0.0 { -boost } else { boost };
        match (word.is_capitals && self.some_shout, rating > 0.0) {
            (false, _) => boost,
            (true, true) => boost + CAPITALS,
            (true, false) => boost - CAPITALS,
        }
    }

    /// A rating turned by the word so many steps before, if that negates.
    fn turned(&self, rating: f64, at: usize, steps: usize) -> f64 {
        let (first, second, third) =
            (self.small(at - 1), self.small(at.wrapping_sub(2)), self.small(at.wrapping_sub(3)));
        let so = |word: &str| matches!(word, "so" | "this");
        let (never, doubtless) = match steps {
            1 => (false, false),
            2 => (second == "never" && so(first), second == "without" && first == "doubt"),
            _ => (
                (third == "never" && so(second)) || so(first),
                third == "without" && (second == "doubt" || first == "doubt"),
            ),
        };
        match (never, doubtless) {
            (true, _) => rating * 1.25,
            (false, true) => rating,
            (false, false) if self.words[at - steps].negates() => rating * NEGATED,
            (false, false) => rating,
        }
    }

    /// A rating in its place a phrase's own, if the word is part of one; and phrases that strengthen or weaken.
    fn idiom(&self, mut rating: f64, at: usize) -> f64 {
        let of = |phrase: Option<String>| {
            let phrase = phrase?;
            PHRASES.iter().find(|(known, _)| *known == phrase).map(|(_, rating)| *rating)
        };
        let ends =
            [(at - 1, at + 1), (at - 2, at + 1), (at - 2, at), (at - 3, at), (at - 3, at - 1)];
        if let Some(own) = ends.into_iter().find_map(|(from, to)| of(self.phrase(from, to))) {
            rating = own;
        }
        for length in [2, 3] {
            if let Some(own) = of(self.phrase(at, at + length)) {
                rating = own;
            }
        }
        for (from, to) in [(at - 3, at), (at - 3, at - 1), (at - 2, at)] {
            rating += self.phrase(from, to).and_then(|phrase| boost(&phrase)).unwrap_or(0.0);
        }
        rating
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The scores of vaderSentiment 3.3.2, which rounds them to four digits.
    #[test]
    fn scores_are_those_of_the_authors() {
        for (text, expected) in [
            ("VADER is smart, handsome, and funny.", 0.8316),
            ("VADER is smart, handsome, and funny!", 0.8439),
            ("VADER is very smart, handsome, and funny.", 0.8545),
            ("VADER is VERY SMART, handsome, and FUNNY.", 0.9227),
            ("VADER is VERY SMART, handsome, and FUNNY!!!", 0.9342),
            ("VADER is VERY SMART, uber handsome, and FRIGGIN FUNNY!!!", 0.9469),
            ("VADER is not smart, handsome, nor funny.", -0.7424),
            ("The book was good.", 0.4404),
            ("At least it isn't a horrible book.", 0.431),
            ("The book was only kind of good.", 0.3832),
            (
                "The plot was good, but the characters are uncompelling and the dialog is not great.",
                -0.7042,
            ),
            ("Today SUX!", -0.5461),
            ("Today only kinda sux! But I'll get by, lol", 0.5249),
            ("Make sure you :) or :D today!", 0.8633),
            ("Catch utf-8 emoji such as 💘 and 💋 and 😁", 0.875),
            ("Not bad at all", 0.431),
            ("quick and friendly", 0.4939),
            ("great quality", 0.6249),
            ("just what I wanted, will buy again", 0.0),
            ("the refund took weeks", 0.0),
            ("arrived late and nobody told me", 0.0),
            ("broken when it came", -0.4767),
            ("a bit dear for what it is", 0.3818),
            ("it does what it should", 0.0),
            ("fine, but delivery was slow", 0.1027),
            ("no good", -0.3412),
            ("the least helpful shop", -0.3252),
            ("never so good", 0.5777),
            ("without doubt the best", 0.7438),
            ("sort of nice, really?", 0.4215),
            ("WHY?? Bad, bad, bad????", -0.9092),
            ("It is to die for", -0.5994),
            ("a bus stop here", -0.296),
            ("no problem or trouble", 0.5448),
            ("she is a bad ass cook", 0.6124),
        ] {
            let score = score(text).unwrap_or(0.0);
            assert!((score - expected).abs() < 5.1e-5, "{text}: {score}, not {expected}");
        }
    }

    #[test]
    fn texts_without_a_known_word_have_no_score() {
        for text in [
            "",
            "  ",
            "the parcel came on Monday",
            "?!",
            "very",
            "kind of",
            "la livraison",
            "\u{0}",
        ] {
            assert_eq!(score(text), None, "{text:?}");
        }
        // Good and bad that come to nothing are known all the same.
        assert_eq!(score("good and damaged"), Some(0.0));
    }

    #[test]
    fn languages() {
        let known = ["en", "EN", "en-GB", "en_US", " en "].map(is_scored);
        assert_eq!(known, [true; 5]);
        assert_eq!(["de", "", "eng", "english"].map(is_scored), [false; 4]);
    }

    #[test]
    fn the_lexicons_are_whole() {
        assert_eq!((RATINGS.len(), EMOJI.len()), (7488, 1212));
        assert!(RATINGS.values().all(|rating| (-4.0..=4.0).contains(rating)));
    }
}
