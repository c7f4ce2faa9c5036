//! Words in texts, whatever their case and accents.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::expression::Expr;
use super::typing::TypeError;
use crate::frame::Value;

/// Words, or phrases of several, to look for in texts.
///
/// A text is a row of words: runs of letters and digits. What stands between two of them does not matter, so that
/// "e-mail" is the phrase "e mail". Letters count without case and accents ("Verspätet" is "verspatet"), and those
/// that are two letters in other spellings as those two: "ß" is "ss". Scripts that put no space between words have
/// a word only where something else sets it apart.
pub struct Words(Vec<Vec<String>>);

impl Words {
    /// Those of the texts that hold a letter or digit.
    pub fn new(words: &[&str]) -> Self {
        Words(words.iter().map(|word| split(word)).filter(|word| !word.is_empty()).collect())
    }

    /// True if one of them is in the text.
    pub fn are_in(&self, text: &str) -> bool {
        let text = split(text);
        self.0.iter().any(|phrase| text.windows(phrase.len()).any(|part| part == phrase.as_slice()))
    }
}

/// The words of a text, folded.
fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for character in text.nfkd().filter(|character| !is_combining_mark(*character)) {
        if !character.is_alphanumeric() {
            words.push(std::mem::take(&mut word));
            continue;
        }
        for small in character.to_lowercase().filter(|small| !is_combining_mark(*small)) {
            match small {
                'ß' => word.push_str("ss"),
                'æ' => word.push_str("ae"),
                'œ' => word.push_str("oe"),
                'ø' => word.push('o'),
                'đ' => word.push('d'),
                'ł' => word.push('l'),
                'ı' => word.push('i'),
                'ς' => word.push('σ'),
                other => word.push(other),
            }
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// Whether all arguments behind the first are texts written out, each with a letter or digit.
pub(super) fn literal(arguments: &[Expr]) -> Result<(), TypeError> {
    for (index, word) in arguments.iter().enumerate().skip(1) {
        let Some(Value::String(text)) = word.as_literal() else {
            return Err(TypeError::at(index, "`mentions` takes words in quotes"));
        };
        if split(text).is_empty() {
            return Err(TypeError::at(index, "there is no letter or digit in the word"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_at_their_borders() {
        let check = |words: &[&str], text: &str, expected: bool| {
            assert_eq!(Words::new(words).are_in(text), expected, "{words:?} in {text:?}");
        };
        check(&["late"], "Late again!", true);
        check(&["late"], "later", false);
        check(&["late"], "translate", false);
        check(&["late", "courier"], "the COURIER, then", true);
        check(&["verspatet"], "VERSPÄTET.", true);
        check(&["verspätet"], "verspa\u{308}tet", true);
        check(&["Straße"], "STRASSE 5", true);
        check(&["coeur"], "le cœur", true);
        check(&["ΛΟΓΟΣ"], "λόγος", true);
        check(&["İstanbul"], "istanbul", true);
        check(&["too late"], "much too-late", true);
        check(&["too late"], "too, much, late", false);
        check(&["e-mail"], "no E-Mail came", true);
        check(&["don't"], "I DON’T know", true);
        check(&["1"], "1st", false);
        check(&["late"], "", false);
        check(&[], "late", false);
        check(&["…"], "…", false);
    }
}
