//! Ids that nobody can guess: 128 random bits.

pub(crate) fn random_bits() -> Result<u128, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(u128::from_ne_bytes(bytes))
}

/// Reads 32 hex digits in lower case, and nothing else.
pub(crate) fn parse_bits(text: &str) -> Option<u128> {
    let hex = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    hex.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}
