//! Stands for `table.rs` in a program without the feature `verbs`, which has short tables alone: nothing is wrapped.

/// The lines of a table without borders, a line for each row; the first is the head.
pub(super) fn lines<const N: usize>(
    head: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Vec<String> {
    let rows: Vec<_> = std::iter::once(head.map(str::to_owned))
        .chain(rows)
        .collect();
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max();
    let widths: [_; N] = std::array::from_fn(|at| width(at).unwrap_or_default());
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths);
        cells
            .map(|(cell, width)| format!("{cell:width$}  "))
            .collect()
    };
    rows.iter().map(line).collect()
}
