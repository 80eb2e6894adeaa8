//! What anybody may send.

use proptest::prelude::*;
use serde_json::json;

use super::issuer::{Documents, Signer, ask, authenticator, claims, config, unsigned};

/// Text that looks like a part of a token, or does not.
fn part() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,40}", "[A-Za-z0-9_-]{0,80}", "[.]{0,4}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_sent_panics_or_is_accepted(
        parts in prop::collection::vec(part(), 0..5),
        json in "[{}\\[\\]\":,a-z0-9 ]{0,60}",
        number in any::<f64>(),
        at in any::<prop::sample::Index>(),
        byte in b'!'..=b'~',
    ) {
        let signer = Signer::new("a", "ES256");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let authenticator = authenticator(config(), &Documents::of(&[&signer]));
            let good = signer.token(&claims());
            let mut sent = vec![
                parts.join("."),
                format!("{}.AAAA", unsigned(&json, &json)),
                signer.sign(&signer.header().to_string(), &json),
                signer.token(&json!({"exp": number, "nbf": number, "iat": number, "aud": json, "sub": json})),
            ];
            let mut changed = good.clone().into_bytes();
            let at = at.index(changed.len());
            if changed[at] != byte {
                changed[at] = byte;
                sent.push(String::from_utf8(changed).unwrap());
            }
            // Once before and once after the token that they are made of is remembered.
            for _ in 0..2 {
                for token in &sent {
                    prop_assert!(ask(&authenticator, token.trim()).await.is_err(), "{token}");
                }
                prop_assert!(ask(&authenticator, &good).await.is_ok());
            }
            Ok(())
        })?;
    }
}
