//! The page of all checks, made of the rules themselves: `docs/doctor.md`.

use std::fmt::Write as _;

use super::checks::FAMILIES;

/// The tables of every check of `doctor`, as Markdown: for `docs/doctor.md`, between the markers `<!-- checks -->`.
pub fn doctor_page() -> String {
    let mut page = String::new();
    for family in FAMILIES {
        // Writing to a string cannot fail.
        let _ = write!(
            page,
            "\n### {}\n\n| id | | what is wrong | whom it breaks | mend |\n| --- | --- | --- | --- | --- |\n",
            family.title
        );
        for rule in family.rules {
            let cell = |text: &str| text.replace('|', "\\|");
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} | {} |",
                rule.id,
                rule.severity.as_str(),
                cell(rule.about),
                cell(rule.breaks),
                cell(rule.mend)
            );
        }
    }
    page
}
