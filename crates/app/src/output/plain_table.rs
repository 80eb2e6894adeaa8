//! Stands for `table.rs` in a program without the feature `verbs`, which has short tables alone: nothing is wrapped.

use super::{Output, STRONG, visible};
use crate::Result;

impl Output {
    /// Prints a table without borders, a line for each row.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub(crate) fn table<const N: usize>(
        self,
        head: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> Result<()> {
        let head = head.map(str::to_owned);
        let rows = rows.into_iter();
        let rows = rows.map(|row| row.map(|cell| visible(&cell).into_owned()));
        let lines: Vec<_> = std::iter::once(head).chain(rows).collect();
        let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max();
        let widths: [_; N] = std::array::from_fn(|at| width(at).unwrap_or_default());
        for (at, line) in lines.iter().enumerate() {
            let cells = line.iter().zip(widths);
            let text: String = cells
                .map(|(cell, width)| format!("{cell:width$}  "))
                .collect();
            let text = text.trim_end();
            match at {
                0 => self.line(format_args!("{STRONG}{text}{STRONG:#}"))?,
                _ => self.line(text)?,
            }
        }
        Ok(())
    }
}
