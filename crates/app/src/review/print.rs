//! A review for people, as wide as the terminal.

use std::fmt::Write as _;

use super::{Reach, Review};
use crate::Result;
use crate::output::{BAD, DIM, Output, STRONG, WARN, columns, visible};

/// Columns that text is wrapped at, whatever the terminal has.
const NARROWEST: usize = 40;

/// Effects up to this place of the list are the worst.
const WORST: [&str; 4] = ["runs-untrusted-code", "spawns", "writes-files", "network"];

/// Prints a review.
///
/// # Errors
/// That stdout cannot be written.
pub(crate) fn print(review: &Review, output: Output) -> Result<()> {
    output.line(text(review, usize::from(columns()).max(NARROWEST)).trim_end())
}

fn text(review: &Review, width: usize) -> String {
    let mut page = Page {
        text: String::new(),
        width,
    };
    page.line(&format!("{STRONG}{}{STRONG:#}", visible(&review.server)));
    if let Some(profile) = &review.profile {
        page.wrapped("  ", &format!("profile  {profile}"));
    }
    if let Some(reach) = &review.reach {
        page.heading("What it may do, the worst first");
        page.reach(reach);
    }
    if !review.claims.is_empty() {
        page.heading("What its tools say of themselves");
        page.reach(&review.claims);
    }
    if let Some(callers) = &review.callers {
        page.heading("Who may call");
        match callers.unauthenticated {
            true => page.line(&format!("  {BAD}{}{BAD:#}", visible(&callers.who))),
            false => page.wrapped("  ", &callers.who),
        }
        for (scopes, by) in &callers.scopes {
            page.line(&format!("  scope {STRONG}{}{STRONG:#}", visible(scopes)));
            page.wrapped("    ", &by.join(", "));
        }
    }
    if !review.limits.is_empty() {
        page.heading("Limits");
        for limit in &review.limits {
            page.wrapped("  ", &format!("{}: {}", limit.what, limit.most));
        }
    }
    if !review.dangers.is_empty() {
        page.heading("Dangerous settings");
        for danger in &review.dangers {
            page.line(&format!("  {BAD}{}{BAD:#}", visible(&danger.setting)));
            page.wrapped("    ", &danger.why);
        }
    }
    page.heading("What a model reads");
    for read in &review.reads {
        let mut line = format!("  {STRONG}{}{STRONG:#}", visible(&read.item));
        if read.hidden > 0 {
            let s = if read.hidden == 1 { "" } else { "s" };
            let _ = write!(line, "  {BAD}{} hidden character{s}{BAD:#}", read.hidden);
        }
        page.line(&line);
        for text in &read.texts {
            page.line(&format!("    {DIM}{}{DIM:#}", visible(&text.place)));
            page.wrapped("      ", &text.text);
        }
    }
    if !review.unknown.is_empty() {
        page.heading("What cannot be seen from here");
        for unknown in &review.unknown {
            page.wrapped("  ", unknown);
        }
    }
    if let Some(digest) = &review.digest {
        page.line("");
        page.line(digest);
    }
    page.text
}

struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn heading(&mut self, heading: &str) {
        self.line("");
        self.line(&format!("{STRONG}{heading}{STRONG:#}"));
    }

    fn reach(&mut self, all: &[Reach]) {
        for reach in all {
            let style = match (reach.effect, WORST.contains(&reach.effect)) {
                (_, true) | ("destructive", _) => BAD,
                ("reads-files" | "environment" | "open-world" | "changes", _) => WARN,
                _ => DIM,
            };
            let (effect, means) = (reach.effect, reach.means);
            self.line(&format!("  {style}{effect}{style:#}  may {means}"));
            if !reach.what.is_empty() {
                let what: Vec<_> = reach.what.iter().map(String::as_str).collect();
                self.wrapped("    ", &what.join(", "));
            }
            self.wrapped("      by ", &reach.by.join(", "));
        }
    }

    /// Text of a stranger behind an indentation, whose words stand at the beginning of the first line alone.
    fn wrapped(&mut self, indent: &str, text: &str) {
        let text = visible(text);
        let width = self.width.saturating_sub(indent.len()).max(1);
        let mut before = indent.to_owned();
        for line in text.lines() {
            for part in wrap(line, width) {
                self.line(&format!("{before}{part}"));
                before = " ".repeat(indent.len());
            }
        }
    }
}

/// A line in parts of at most so many characters, between words where there are any.
fn wrap(line: &str, width: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = line.trim_end();
    while let Some((most, _)) = rest.char_indices().nth(width) {
        let blank = rest[..most].rfind(' ').filter(|at| *at > 0);
        // A blank right behind the part is one to break at as well.
        let at = match rest[most..].starts_with(' ') {
            true => most,
            false => blank.unwrap_or(most),
        };
        let (part, behind) = rest.split_at(at);
        parts.push(part.trim_end());
        rest = behind.trim_start_matches(' ');
    }
    parts.push(rest);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_wrapped_between_words_and_nothing_is_lost() {
        for (line, width, parts) in [
            ("", 5, &[""][..]),
            ("short", 5, &["short"]),
            ("one two three", 7, &["one two", "three"]),
            ("one two three", 6, &["one", "two", "three"]),
            ("undividable", 5, &["undiv", "idabl", "e"]),
            ("  kept in front", 8, &["  kept", "in front"]),
            ("für Übermut", 4, &["für", "Über", "mut"]),
        ] {
            assert_eq!(wrap(line, width), parts, "{line}");
        }
    }
}
