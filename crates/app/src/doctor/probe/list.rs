//! Lists, page after page, within bounds.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::observed::{List, Outcome};
use super::Link;

/// Pages of a list.
const PAGES: usize = 200;

/// What may be kept: definitions, and the bytes of memory that they take.
#[derive(Debug)]
pub(crate) struct Budget {
    items: usize,
    bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(20_000, 64 << 20)
    }
}

impl Budget {
    pub(crate) fn new(items: usize, bytes: usize) -> Self {
        Self { items, bytes }
    }

    /// Takes something from it.
    ///
    /// # Errors
    /// What there is too much of, as a clause.
    fn take(&mut self, item: &Value) -> Result<(), &'static str> {
        self.items = self
            .items
            .checked_sub(1)
            .ok_or("it has more definitions than are read")?;
        self.bytes = self
            .bytes
            .checked_sub(weight(item))
            .ok_or("its definitions have more bytes than are read")?;
        Ok(())
    }
}

/// About how much memory a value takes.
fn weight(value: &Value) -> usize {
    /// Of a value, and of a member with its place in the object.
    const VALUE: usize = 40;
    const MEMBER: usize = 100;
    match value {
        Value::String(text) => VALUE + text.len(),
        Value::Array(items) => VALUE + items.iter().map(weight).sum::<usize>(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| MEMBER + name.len() + weight(value))
            .sum::<usize>()
            .saturating_add(VALUE),
        _ => VALUE,
    }
}

/// Reads a list to its end, or as far as the budget goes.
pub(crate) async fn read(link: &mut Link, method: &str, member: &str, budget: &mut Budget) -> List {
    let (mut list, mut cursors) = (List::default(), BTreeSet::new());
    let mut params = Value::Null;
    for _ in 0..PAGES {
        let mut outcome = link.ask(method, params).await;
        let Outcome::Result(page) = &mut outcome else {
            list.failed = Some(outcome);
            return list;
        };
        let Value::Array(items) = page[member].take() else {
            list.failed = Some(outcome);
            return list;
        };
        for item in items {
            if let Err(why) = budget.take(&item) {
                list.endless = Some(why);
                return list;
            }
            list.items.push(item);
        }
        let next = match &page["nextCursor"] {
            Value::Null => return list,
            Value::String(next) => next.clone(),
            _ => {
                list.failed = Some(outcome);
                return list;
            }
        };
        params = json!({ "cursor": next });
        if !cursors.insert(next) {
            list.endless = Some("a cursor comes twice");
            return list;
        }
    }
    list.endless = Some("it has more pages than are read");
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_counts_definitions_and_what_is_in_them() {
        let mut budget = Budget::new(2, 400);
        assert_eq!(budget.take(&json!({ "name": "x" })), Ok(()));
        let long = json!({ "name": "x".repeat(400) });
        assert!(budget.take(&long).unwrap_err().contains("bytes"));
        assert!(budget.take(&json!({})).unwrap_err().contains("definitions"));
    }
}
