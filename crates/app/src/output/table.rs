//! Tables that fit the terminal.

use comfy_table::{ContentArrangement, Table, presets};

use super::{Output, STRONG, columns, visible};
use crate::Result;

impl Output {
    /// Prints a table without borders, as wide as the terminal.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub(crate) fn table<const N: usize>(
        self,
        head: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> Result<()> {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(columns())
            .set_header(head);
        for row in rows {
            table.add_row(row.map(|cell| visible(&cell).into_owned()));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for (at, line) in table.lines().enumerate() {
            let line = line.trim_end();
            match at {
                0 => self.line(format_args!("{STRONG}{line}{STRONG:#}"))?,
                _ => self.line(line)?,
            }
        }
        Ok(())
    }
}
