use serde_json::json;

use super::*;
use crate::manifest::Class;

fn manifest(name: &str, maximum: u32, projection: Projection) -> Manifest {
    let server = json!({ "identity": { "version": "1", "name": name } });
    let tool = json!({
        "scopes": ["s"],
        "definition": {
            "name": "take",
            "description": "Takes \u{202e}fruit\u{e0041}.",
            "inputSchema": { "properties": { "count": { "maximum": maximum } } },
        },
    });
    let items = [
        (ItemKind::Tool, "take".to_owned(), tool),
        (ItemKind::Server, "server".to_owned(), server),
    ];
    Manifest::new(projection, items).unwrap()
}

fn stall() -> Manifest {
    manifest("stall", 9, Projection::Code)
}

fn text() -> String {
    Lock::of(&stall()).to_text().unwrap()
}

#[track_caller]
fn refused(text: &str) -> String {
    let why = Lock::parse(text).unwrap_err().to_string();
    assert!(!why.contains('\n') && !why.ends_with('.'), "{why}");
    why
}

#[test]
fn a_lock_is_for_people_too_and_is_read_as_it_was_written() {
    let text = text();
    assert!(
        text.starts_with(
            "{\n  \"lock\": 1,\n  \"projection\": \"code/1\",\n  \"digest\": \"sha256:"
        )
    );
    assert!(text.ends_with("}\n") && text.is_ascii(), "{text}");
    let place = |word: &str| text.find(word).unwrap();
    assert!(place("\"definition\"") < place("\"scopes\""));
    assert!(
        text.contains("\"Takes \\u202efruit\\udb40\\udc41.\""),
        "{text}"
    );
    let lock = Lock::parse(&text).unwrap();
    assert_eq!(lock, Lock::of(&stall()));
    assert_eq!(lock.to_text().unwrap(), text);
    assert_eq!(lock.drift(&stall()).unwrap(), []);
}

#[test]
fn what_differs_is_told_and_what_cannot_be_compared_is_refused() {
    let lock = Lock::of(&stall());
    let changes = lock
        .drift(&manifest("stall", 99, Projection::Code))
        .unwrap();
    let [change] = &*changes else {
        panic!("{changes:?}")
    };
    let at = "/definition/inputSchema/properties/count/maximum";
    assert_eq!((change.path.as_str(), change.class), (at, Class::Breaking));
    for (other, why) in [
        (
            manifest("stall", 9, Projection::Full),
            "has the projection code/1, and full/1 is needed",
        ),
        (
            manifest("market", 9, Projection::Code),
            "is that of the server stall, and this is market",
        ),
    ] {
        assert_eq!(lock.drift(&other).unwrap_err().to_string(), why);
    }
}

#[test]
fn what_is_no_lock_is_refused_with_its_place() {
    let whole = text();
    for (text, why) in [
        ("", "is empty"),
        (" \n", "is empty"),
        (&whole[..whole.len() / 2], "is not JSON: EOF while parsing"),
        (
            "# Cargo\nversion = 4\n",
            "is not JSON: expected value at line 1",
        ),
        ("{}", "is none: .: missing field `lock`"),
        ("[]", "is none: "),
        (
            &whole.replace("\"lock\": 1", "\"lock\": 2"),
            "has the version 2 of the format, and version 1 is known",
        ),
        (
            &whole.replace("\"lock\": 1", "\"lock\": 1, \"unlocked\": true"),
            "is none: unlocked: unknown field `unlocked`",
        ),
        (
            &whole.replacen("\"kind\"", "\"colour\": 1, \"kind\"", 1),
            "is none: items[0].colour: unknown field `colour`",
        ),
        (
            &whole.replace("\"kind\": \"tool\"", "\"kind\": \"toll\""),
            "is none: items[1].kind: unknown variant `toll`",
        ),
        (
            &whole.replace("code/1", "code/2"),
            "has a projection that is not known; there are code/1, full/1, shown/1",
        ),
        (
            &whole.replace("\"maximum\": 9", "\"maximum\": 9, \"maximum\": 9"),
            "names a member twice (line ",
        ),
        (
            &whole.replace("sha256:", "md5:"),
            "is none: digest: A digest is 'sha256:'",
        ),
        (
            &"[".repeat(200),
            "is nested deeper than 123 levels (line 1)",
        ),
        (
            &format!("[{}0]", "0,".repeat(1_000_000)),
            "has more than 1000000 values",
        ),
        (
            &" ".repeat(Lock::MAX_BYTES + 1),
            "has more than 16777216 bytes",
        ),
    ] {
        let found = refused(text);
        let shown: String = text.chars().take(100).collect();
        assert!(found.starts_with(why), "{shown}: {found}");
    }
}

#[test]
fn what_was_edited_is_refused_with_the_item() {
    let whole = text();
    let take = whole.replace("\"maximum\": 9", "\"maximum\": 99");
    assert_eq!(
        refused(&take),
        "was edited: the digest of tool take is another; write the lock anew, and do not edit it"
    );
    // With a digest of its own for the item, that of all is another.
    let wide = manifest("stall", 99, Projection::Code);
    let [old, new] = [&stall(), &wide].map(|of| of.items()[1].digest.to_string());
    let take = take.replace(&old, &new);
    assert!(refused(&take).starts_with("was edited: its digest is another"));
    let other = whole.replace("code/1", "full/1");
    assert!(refused(&other).starts_with("was edited"));
}

#[test]
fn several_sign_and_a_signature_is_of_one_lock() {
    let [(one, _), (other, _)] = [(); 2].map(|()| SigningKey::generate().unwrap());
    let mut lock = Lock::of(&stall());
    assert_eq!(lock.signers().count(), 0);
    lock.sign(&one).unwrap();
    lock.sign(&other).unwrap();
    lock.sign(&one).unwrap();
    let text = lock.to_text().unwrap();
    let lock = Lock::parse(&text).unwrap();
    let signers: Vec<_> = lock.signers().collect();
    assert_eq!(signers.len(), 2);
    assert!(signers.contains(&one.public()) && signers.contains(&other.public()));

    // Another's signature, a signature of another lock, and a claim.
    let mut wide = Lock::of(&manifest("stall", 99, Projection::Code));
    wide.signatures = lock.signatures.clone();
    let why = refused(&wide.to_text().unwrap());
    assert!(
        why.starts_with("was edited, or signed for another one"),
        "{why}"
    );
    let (third, _) = SigningKey::generate().unwrap();
    let claimed = text.replace(&one.public().to_string(), &third.public().to_string());
    assert!(refused(&claimed).contains(&third.public().to_string()));
    let cut = text.replace("ed25519:", "ed25519:A");
    assert!(refused(&cut).starts_with("is none: signatures[0].key: 'key' must be a public key"));

    let mut full = Lock::of(&stall());
    for _ in 0..Lock::MAX_SIGNATURES {
        full.sign(&SigningKey::generate().unwrap().0).unwrap();
    }
    assert!(full.sign(&one).is_err());
    full.signatures.extend(lock.signatures);
    assert_eq!(
        refused(&full.to_text().unwrap()),
        "has more than 16 signatures"
    );
}
