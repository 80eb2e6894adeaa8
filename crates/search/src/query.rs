//! What is searched for, checked once.

use std::fmt;

use crate::region::{self, Region};

/// What is searched for. Only [`Query::new`] makes one, so whoever has one need not check it.
#[derive(Debug, Clone)]
pub struct Query {
    text: String,
    region: &'static Region,
    max_results: usize,
    pages: u32,
}

impl Query {
    /// Characters that a text may have.
    pub const MAX_CHARS: usize = 500;
    /// Results that may be asked for.
    pub const MAX_RESULTS: usize = 100;
    /// Pages that may be asked for.
    pub const MAX_PAGES: u32 = 10;
    /// The region that is searched in unless another is given.
    pub const REGION: &'static str = "uk-en";
    /// The results that are given unless another number is.
    pub const RESULTS: usize = 10;

    /// A query for `text` in a region (a code of [`REGIONS`](crate::REGIONS)), for so many results from so many pages
    /// of each engine.
    ///
    /// # Errors
    /// When one of them cannot be searched for.
    pub fn new(
        text: &str,
        region: &str,
        max_results: usize,
        pages: u32,
    ) -> Result<Self, InvalidQuery> {
        let text = one_line(text);
        if text.is_empty() {
            return Err(InvalidQuery::Empty);
        }
        if text.chars().count() > Self::MAX_CHARS {
            return Err(InvalidQuery::TooLong);
        }
        let region = region::find(region).ok_or_else(|| InvalidQuery::Region {
            suggestions: region::suggest(region),
        })?;
        if !(1..=Self::MAX_RESULTS).contains(&max_results) {
            return Err(InvalidQuery::MaxResults);
        }
        if !(1..=Self::MAX_PAGES).contains(&pages) {
            return Err(InvalidQuery::Pages);
        }
        Ok(Self {
            text,
            region,
            max_results,
            pages,
        })
    }

    /// The words: one line, not empty, without control characters.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The words that an engine takes which takes no more than so many characters and words: the first ones.
    pub(crate) fn shortened(&self, chars: usize, words: usize) -> String {
        let mut left = chars;
        let mut kept = String::new();
        for word in self.text.split(' ').take(words) {
            let space = usize::from(!kept.is_empty());
            let length = word.chars().count() + space;
            if length > left {
                break;
            }
            left -= length;
            if space == 1 {
                kept.push(' ');
            }
            kept.push_str(word);
        }
        if kept.is_empty() {
            kept = self.text.chars().take(chars).collect();
        }
        kept
    }

    /// Where to search.
    pub fn region(&self) -> &'static Region {
        self.region
    }

    /// 1 to [`Query::MAX_RESULTS`].
    pub fn max_results(&self) -> usize {
        self.max_results
    }

    /// 1 to [`Query::MAX_PAGES`].
    pub fn pages(&self) -> u32 {
        self.pages
    }
}

/// Words with one space between them; control characters separate words like spaces do.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Why something cannot be searched for. Each is one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidQuery {
    /// No words.
    Empty,
    /// More than [`Query::MAX_CHARS`].
    TooLong,
    /// No such region.
    Region {
        /// What may have been meant.
        suggestions: Vec<&'static Region>,
    },
    /// Not 1 to [`Query::MAX_RESULTS`].
    MaxResults,
    /// Not 1 to [`Query::MAX_PAGES`].
    Pages,
}

impl fmt::Display for InvalidQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("query must not be empty."),
            Self::TooLong => write!(
                f,
                "query must have at most {} characters.",
                Query::MAX_CHARS
            ),
            Self::Region { suggestions } => {
                f.write_str(
                    "region must be a known one such as uk-en, us-en or wt-wt (everywhere)",
                )?;
                if suggestions.is_empty() {
                    return f.write_str(".");
                }
                let codes: Vec<_> = suggestions.iter().map(|region| region.code).collect();
                write!(f, "; did you mean {}?", codes.join(" or "))
            }
            Self::MaxResults => write!(f, "max_results must be from 1 to {}.", Query::MAX_RESULTS),
            Self::Pages => write!(f, "pages must be from 1 to {}.", Query::MAX_PAGES),
        }
    }
}

impl std::error::Error for InvalidQuery {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_one_line_of_words() {
        let query = Query::new("  rust\r\n\tprogramming\0 ", "UK-en", 10, 1).unwrap();
        assert_eq!(query.text(), "rust programming");
        assert_eq!(query.region().country, Some("gb"));
    }

    #[test]
    fn a_long_query_can_be_shortened() {
        let short = |text: &str, chars, words| {
            let query = Query::new(text, "uk-en", 1, 1).unwrap();
            query.shortened(chars, words)
        };
        assert_eq!(short("ab cd ef", 8, 3), "ab cd ef");
        assert_eq!(short("ab cd ef", 7, 3), "ab cd");
        assert_eq!(short("ab cd ef", 8, 2), "ab cd");
        assert_eq!(short("éééé ab", 3, 9), "ééé");
    }

    #[test]
    fn what_cannot_be_searched_for_is_said() {
        let refusal = |text: &str, region, results, pages| {
            Query::new(text, region, results, pages)
                .unwrap_err()
                .to_string()
        };
        let long = "x".repeat(501);
        assert_eq!(refusal(" \n", "uk-en", 1, 1), "query must not be empty.");
        assert!(refusal(&long, "uk-en", 1, 1).contains("500"));
        assert!(refusal("x", "en-uk", 1, 1).ends_with("did you mean uk-en?"));
        assert!(refusal("x", "?", 1, 1).ends_with("(everywhere)."));
        assert!(refusal("x", "uk-en", 0, 1).contains("max_results"));
        assert!(refusal("x", "uk-en", 101, 1).contains("max_results"));
        assert!(refusal("x", "uk-en", 1, 11).contains("pages"));
    }
}
