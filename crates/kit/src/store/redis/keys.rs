//! What the keys of the store are called: `PREFIX:{OWNER}:KIND:REST`.
//!
//! `OWNER` stands for a principal and is the hash tag, so that all of one principal is in one slot of a cluster, where a
//! script can change several keys at once. It is a hash: subjects are often addresses of people, and any length.

use crate::limits::process;
use crate::principal::Principal;
use crate::store::bus::{Owner, hash};

/// Characters of a prefix.
const MAX_PREFIX: usize = 64;

/// The keys of one server.
#[derive(Debug, Clone)]
pub(crate) struct Keys(String);

impl Keys {
    /// `None` when it is no prefix: 1 to 64 letters, digits, `.`, `_` and `-`.
    pub(crate) fn new(prefix: &str) -> Option<Self> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let good = (1..=MAX_PREFIX).contains(&prefix.len()) && prefix.chars().all(fits);
        good.then(|| Self(prefix.to_owned()))
    }

    /// A key of this principal. `kind` is one of the words in `docs/scaling.md`.
    pub(crate) fn of(&self, owner: &Principal, kind: &str, rest: &str) -> String {
        self.of_owner(Owner::of(owner), kind, rest)
    }

    /// [`Keys::of`] whoever this stands for.
    pub(crate) fn of_owner(&self, owner: Owner, kind: &str, rest: &str) -> String {
        format!("{}:{{{owner}}}:{kind}:{rest}", self.0)
    }

    /// The same for what is found by a name that others can guess: owners of different processes may be different people,
    /// so those are kept apart.
    pub(crate) fn of_person(&self, owner: &Principal, kind: &str, rest: &str) -> String {
        match owner {
            &Principal::OWNER => format!("{}:{{~{:x}}}:{kind}:{rest}", self.0, process()),
            other => self.of(other, kind, rest),
        }
    }

    /// A key of the server itself.
    pub(crate) fn shared(&self, kind: &str) -> String {
        format!("{}:{{}}:{kind}", self.0)
    }
}

/// Stands for a text of any length: 128 bits of its SHA-256 in hex.
pub(crate) fn short(text: &str) -> String {
    format!("{:032x}", hash(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_prefix_and_a_tag_for_the_principal() {
        let keys = Keys::new("zebra-2").unwrap();
        let alice = keys.of(&Principal::authenticated("alice@example.org"), "n", "1");
        assert!(alice.starts_with("zebra-2:{") && alice.ends_with("}:n:1"));
        assert!(!alice.contains("alice"));
        let bob = keys.of(&Principal::authenticated("bob"), "n", "1");
        let nobody = keys.of(&Principal::ANONYMOUS, "n", "1");
        let dash = keys.of(&Principal::authenticated("-"), "n", "1");
        assert!(alice != bob && bob != nobody && dash != nobody);
        let owner = keys.of(&Principal::OWNER, "n", "1");
        assert!(![&alice, &bob, &nobody, &dash].contains(&&owner));
        // The owners of two processes are not the same person, whatever else is.
        let here = format!("zebra-2:{{~{:x}}}:b:1", process());
        assert_eq!(keys.of_person(&Principal::OWNER, "b", "1"), here);
        let bob = Principal::authenticated("bob");
        assert_eq!(keys.of_person(&bob, "b", "1"), keys.of(&bob, "b", "1"));
        for bad in ["", "a:b", "{a}", "a b", &"x".repeat(65)] {
            assert!(Keys::new(bad).is_none(), "{bad}");
        }
    }
}
