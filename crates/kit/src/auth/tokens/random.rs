//! How a token looks: `zebra_2_` and 48 characters of base64url, which are 32 random bytes and a checksum of 4.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::build_error::BuildError;

/// Random bytes of a token.
const RANDOM: usize = 32;
/// Bytes of its checksum; with the random ones a multiple of three, so that base64 has no odd end.
const CHECK: usize = 4;
/// Characters of both.
const CHARACTERS: usize = (RANDOM + CHECK) / 3 * 4;

/// A new token of the program `name`: 256 random bits of the operating system, in visible ASCII that is safe in URLs and
/// headers.
///
/// It begins with the program's name in small letters, so that whoever finds it, and what scans files for secrets, knows
/// what it opens: those of `zebra-2` match `zebra_2_[A-Za-z0-9_-]{48}`. Its last characters are a checksum over the rest
/// ([`is_intact`]).
///
/// # Errors
/// The operating system has no randomness to give.
pub fn new_token(name: &str) -> Result<String, BuildError> {
    let mut bytes = [0; RANDOM];
    getrandom::fill(&mut bytes)
        .map_err(|_| BuildError("The operating system's random number generator failed.".into()))?;
    let prefix = prefix(name);
    let bytes = [&bytes[..], &checksum(&prefix, &bytes)].concat();
    Ok(prefix + &URL_SAFE_NO_PAD.encode(bytes))
}

/// Whether a text is a token as [`new_token`] makes them, whole and without a slip: for scanners, and to tell a token
/// that was cut from one that is not known. It says nothing about whether anybody accepts it.
pub fn is_intact(token: &str) -> bool {
    let parts = token
        .len()
        .checked_sub(CHARACTERS)
        .and_then(|at| token.split_at_checked(at));
    let Some((prefix, rest)) = parts.filter(|(prefix, _)| prefix.ends_with('_')) else {
        return false;
    };
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(rest) else {
        return false;
    };
    let (random, check) = bytes.split_at(RANDOM);
    check == checksum(prefix, random)
}

/// Letters and digits of the name, all else an underscore, and one at the end.
fn prefix(name: &str) -> String {
    let plain = |c: char| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_lowercase(),
        false => '_',
    };
    name.chars().map(plain).chain(['_']).collect()
}

fn checksum(prefix: &str, random: &[u8]) -> [u8; CHECK] {
    let whole = Sha256::new()
        .chain_update(prefix)
        .chain_update(random)
        .finalize();
    let mut check = [0; CHECK];
    check.copy_from_slice(&whole[..CHECK]);
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_random_and_says_whose_it_is() {
        let token = new_token("Zebra-2").unwrap();
        let rest = token.strip_prefix("zebra_2_").unwrap();
        assert_eq!(rest.len(), 48);
        assert!(
            rest.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
        assert_ne!(token, new_token("Zebra-2").unwrap());
    }

    #[test]
    fn a_slip_in_a_token_is_seen() {
        let token = new_token("zebra-2").unwrap();
        assert!(is_intact(&token));
        let other = |at: usize| {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            String::from_utf8(bytes).unwrap()
        };
        for bad in [
            String::new(),
            "ä".repeat(40),
            token[1..].to_owned(),
            token[..token.len() - 1].to_owned(),
            token.replace("zebra", "horse"),
            other(10),
            other(token.len() - 1),
        ] {
            assert!(!is_intact(&bad), "{bad}");
        }
    }
}
