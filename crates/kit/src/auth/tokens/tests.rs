//! Tokens that are accepted, refused, replaced and revoked.

use std::cell::Cell;
use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use http::Request;

use super::*;
use crate::auth::{Authenticator as _, Denied, Identity, Scopes};

fn entry(name: &str, token: &str) -> TokenEntry {
    TokenEntry {
        name: name.into(),
        hash: TokenHash::of(token),
        scopes: Scopes::parse("stock:read").unwrap(),
        expires: None,
    }
}

fn ago(seconds: u64) -> Option<SystemTime> {
    Some(SystemTime::now() - Duration::from_secs(seconds))
}

fn ahead(seconds: u64) -> Option<SystemTime> {
    Some(SystemTime::now() + Duration::from_secs(seconds))
}

async fn send(tokens: &Tokens, fields: &[(&str, &str)]) -> Result<Identity, Denied> {
    let request = fields
        .iter()
        .fold(Request::get("/mcp"), |request, (name, value)| {
            request.header(*name, *value)
        });
    let (head, ()) = request.body(()).unwrap().into_parts();
    tokens.authenticate(&head).await
}

fn check(tokens: &Tokens, token: &str) -> Result<Identity, Denied> {
    tokens.check(token, SystemTime::now)
}

const UNKNOWN: Denied = Denied::Invalid("The token is not known.");
const EXPIRED: Denied = Denied::Invalid("The token has expired.");

#[tokio::test]
async fn a_request_is_from_whoever_has_its_token() {
    let (right, old) = (new_token("zebra").unwrap(), new_token("zebra").unwrap());
    let tokens = Tokens::new(vec![
        TokenEntry {
            expires: ahead(60),
            ..entry("ci", &right)
        },
        TokenEntry {
            expires: ago(1),
            ..entry("old", &old)
        },
    ])
    .unwrap();
    let bearer = |token: &str| format!("Bearer {token}");
    let hash = TokenHash::of(&right).to_string();
    for (value, expected) in [
        (bearer(&right), Ok("token:ci")),
        (bearer(&old), Err(EXPIRED)),
        (bearer(&new_token("zebra").unwrap()), Err(UNKNOWN)),
        (bearer(&right[..right.len() - 1]), Err(UNKNOWN)),
        (bearer(&right[1..]), Err(UNKNOWN)),
        (bearer(&format!("{right}A")), Err(UNKNOWN)),
        (bearer(&right.to_uppercase()), Err(UNKNOWN)),
        // Who reads the file has the hash, and not the token.
        (bearer(&hash), Err(UNKNOWN)),
        (bearer("ci"), Err(UNKNOWN)),
        (format!("Basic {right}"), Err(Denied::Missing)),
    ] {
        let found = send(&tokens, &[("authorization", &value)]).await;
        let subject = found.as_ref().map(|identity| &*identity.subject);
        assert_eq!(subject, expected.as_ref().copied(), "{value}");
    }
    let key = send(&tokens, &[("x-api-key", &right)]).await.unwrap();
    assert_eq!(key.scopes.to_string(), "stock:read");
    assert!(key.expires.is_some() && !key.revoked.is_cancelled());
    assert_eq!(send(&tokens, &[]).await.unwrap_err(), Denied::Missing);
    let bearer = bearer(&right);
    let two = [("authorization", &*bearer), ("x-api-key", &*right)];
    assert!(matches!(
        send(&tokens, &two).await,
        Err(Denied::Malformed(_))
    ));
}

#[test]
fn every_token_is_looked_up_and_held_against_the_clock_before_anything_is_decided() {
    let tokens = Tokens::new(vec![
        entry("ci", "right"),
        TokenEntry {
            expires: ago(1),
            ..entry("old", "expired")
        },
        entry("gone", "revoked"),
    ])
    .unwrap();
    let kept = vec![entry("ci", "right"), entry("old", "expired")];
    tokens.replace(kept).unwrap();
    for token in ["right", "expired", "revoked", "unknown", ""] {
        let asked = Cell::new(0);
        let clock = || {
            asked.set(asked.get() + 1);
            SystemTime::now()
        };
        let _ = tokens.check(token, clock);
        assert_eq!(asked.get(), 1, "{token}");
    }
}

#[test]
fn a_token_ends_at_its_very_time() {
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000);
    let tokens = Tokens::new(vec![TokenEntry {
        expires: Some(end),
        ..entry("ci", "a")
    }])
    .unwrap();
    let at = |time| tokens.check("a", || time).map(|_| ());
    assert_eq!(at(end - Duration::from_millis(1)), Ok(()));
    assert_eq!(at(end), Err(EXPIRED));
}

#[test]
fn what_stays_goes_on_and_what_is_gone_or_changed_ends() {
    let soon = ahead(60);
    let dated = |name: &str, expires| TokenEntry {
        expires,
        ..entry(name, name)
    };
    let tokens = Tokens::new(vec![
        entry("stays", "stays"),
        dated("longer", soon),
        dated("no-end", soon),
        dated("shorter", soon),
        dated("an-end", None),
        entry("gone", "gone"),
        entry("narrower", "narrower"),
        entry("renamed", "renamed"),
        entry("other-token", "first"),
    ])
    .unwrap();
    let sent = [
        "stays", "longer", "no-end", "shorter", "an-end", "gone", "narrower", "renamed", "first",
    ];
    let open: HashMap<_, _> = sent
        .iter()
        .map(|token| (*token, check(&tokens, token).unwrap().revoked))
        .collect();
    let replaced = tokens
        .replace(vec![
            // The order says nothing.
            entry("new", "new"),
            dated("longer", ahead(600)),
            dated("no-end", None),
            dated("shorter", ahead(30)),
            dated("an-end", soon),
            TokenEntry {
                scopes: Scopes::default(),
                ..entry("narrower", "narrower")
            },
            entry("another", "renamed"),
            entry("other-token", "second"),
            entry("stays", "stays"),
        ])
        .unwrap();
    assert_eq!(
        replaced,
        Replaced {
            added: 6,
            revoked: 6
        }
    );
    for (token, revoked) in &open {
        let stays = ["stays", "longer", "no-end"].contains(token);
        assert_eq!(revoked.is_cancelled(), !stays, "{token}");
    }
    for gone in ["gone", "first"] {
        assert_eq!(check(&tokens, gone).unwrap_err(), UNKNOWN, "{gone}");
    }
    for token in ["new", "narrower", "renamed", "second", "shorter"] {
        assert!(
            !check(&tokens, token).unwrap().revoked.is_cancelled(),
            "{token}"
        );
    }
    // What comes back is new.
    tokens.replace(vec![entry("gone", "gone")]).unwrap();
    assert!(!check(&tokens, "gone").unwrap().revoked.is_cancelled());
    assert!(open["gone"].is_cancelled() && open["stays"].is_cancelled());
}

#[test]
fn a_list_that_cannot_be_used_changes_nothing() {
    let tokens = Tokens::new(vec![entry("ci", "a")]).unwrap();
    let open = check(&tokens, "a").unwrap().revoked;
    for (entries, index, said) in [
        (
            vec![entry("b", "b"), entry("b", "c")],
            1,
            "there is a token named 'b' already",
        ),
        (
            vec![entry("b", "b"), entry("c", "b")],
            1,
            "the token 'c' has the hash of another one",
        ),
        (
            vec![entry("b", "b"), entry("c", "c"), entry("a b\n", "d")],
            2,
            "name is 'a b\\n', but must be 1 to 64 letters, digits, dots, dashes, underscores and @",
        ),
        (
            vec![entry("", "b")],
            0,
            "name is '', but must be 1 to 64 letters, digits, dots, dashes, underscores and @",
        ),
        (
            (0..=Tokens::MAX)
                .map(|n| entry(&n.to_string(), &n.to_string()))
                .collect(),
            Tokens::MAX,
            "there can be 10000 tokens",
        ),
    ] {
        let bad = tokens.replace(entries.clone()).unwrap_err();
        assert_eq!((bad.index, &*bad.to_string()), (index, said));
        assert_eq!(Tokens::new(entries).unwrap_err(), bad);
        assert!(check(&tokens, "a").is_ok() && !open.is_cancelled());
    }
    assert_eq!(tokens.len(), 1);
}

#[test]
fn there_can_be_ten_thousand_tokens_and_none() {
    let all = || (0..Tokens::MAX).map(|n| entry(&format!("user-{n}"), &format!("secret-{n}")));
    let tokens = Tokens::new(all().collect()).unwrap();
    assert_eq!(tokens.len(), 10_000);
    for n in [0, 4_999, 9_999] {
        let found = check(&tokens, &format!("secret-{n}")).unwrap();
        assert_eq!(&*found.subject, format!("token:user-{n}"));
    }
    let none = Replaced {
        added: 0,
        revoked: 0,
    };
    assert_eq!(tokens.replace(all().rev().collect()), Ok(none));
    let emptied = tokens.replace(Vec::new()).unwrap();
    assert_eq!((emptied.revoked, tokens.is_empty()), (10_000, true));
    assert_eq!(check(&tokens, "secret-0").unwrap_err(), UNKNOWN);
}

#[test]
fn a_hash_is_written_and_read_and_never_shown_by_accident() {
    // FIPS 180-2, appendix B.1.
    let hash = TokenHash::of("abc");
    let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hash.to_string(), text);
    assert_eq!(text.parse(), Ok(hash));
    assert_eq!(text.replace('b', "B").parse(), Ok(hash));
    for bad in [
        "",
        "sha256:",
        &text[7..],
        &text[..70],
        &format!("{text}0"),
        &text.replace("ba78", "xa78"),
        &text.replace("ba78", "ä78"),
        &text.replace("sha256", "sha512"),
    ] {
        assert_eq!(bad.parse::<TokenHash>(), Err(BadHash), "{bad}");
    }
    let tokens = Tokens::new(vec![entry("ci", "abc")]).unwrap();
    let shown = format!("{:?} {:?} {tokens:?}", hash, entry("ci", "abc"));
    assert!(!shown.contains("ba78"), "{shown}");
}
