//! Session ids that hold their session: any replica with the same keys, and any restart, serves it.
//!
//! An id is base64url (RFC 4648 §5, without padding) of these bytes, numbers big-endian:
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | format: 1 |
//! | 4 | the key that signed it (`KeyId`) |
//! | 8, 4 | when it was issued, in seconds since 1970, and for how many seconds it is good |
//! | 16 | nonce |
//! | 1 | revision: 0 for 2024-11-05, and so on |
//! | 1 | capabilities of the client, a bit each |
//! | 1 + 0…64, 1 + 0…32 | name and version of the client, each with its length before it |
//! | 32 | signature of all of that and of the principal |
//!
//! Nothing of it is secret. The principal is in the signature alone, so an id of somebody else is as
//! good as a forged one. To add something, raise [`FORMAT`] and go on reading the one before for as
//! long as ids live.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::keys::{KeyId, KeyRing, Purpose, SIGNATURE};
use crate::principal::Principal;
use crate::protocol::{ClientCapabilities, ClientInfo, Era, LEGACY_VERSIONS, PeerInfo};
use crate::streams::random_bits;

/// Which bytes there are.
const FORMAT: u8 = 1;

/// Characters that an id may have: what clients and proxies take in a header.
pub(super) const MAX_ID: usize = 400;

/// Bytes of the client's name that an id holds.
const MAX_NAME: usize = 64;

/// Bytes of the client's version that an id holds.
const MAX_VERSION: usize = 32;

const SESSION: Purpose = Purpose("session");

/// What tells one sealed session from all others, and when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seal {
    pub(super) nonce: u128,
    /// In seconds since 1970.
    pub(super) expires: u64,
}

/// An id that was read, and not believed yet.
pub(super) struct Claimed {
    pub(super) seal: Seal,
    pub(super) peer: PeerInfo,
    key: KeyId,
    signed: Vec<u8>,
    signature: [u8; SIGNATURE],
}

impl Claimed {
    /// Whether these keys signed it for this principal. One signature is computed, whatever is wrong.
    pub(super) fn is_signed(&self, keys: &KeyRing, principal: &Principal) -> bool {
        let parts = parts(&self.signed, principal);
        keys.is_signed(self.key, SESSION, &parts, &self.signature)
    }
}

/// Everything that is signed.
fn parts<'a>(signed: &'a [u8], principal: &'a Principal) -> [&'a [u8]; 2] {
    [signed, principal.bytes()]
}

/// Makes an id, good for so many seconds from `issued`.
pub(super) fn seal(
    keys: &KeyRing,
    principal: &Principal,
    peer: &PeerInfo,
    issued: u64,
    lifetime: u32,
) -> Result<(String, Seal), getrandom::Error> {
    let nonce = random_bits()?;
    let mut bytes = vec![FORMAT];
    bytes.extend(keys.signing_id());
    bytes.extend(issued.to_be_bytes());
    bytes.extend(lifetime.to_be_bytes());
    bytes.extend(nonce.to_be_bytes());
    bytes.push(revision(peer.version));
    bytes.push(bits(peer.capabilities));
    let client = peer.client.as_ref();
    for (text, most) in [
        (client.map_or("", |client| &client.name), MAX_NAME),
        (client.map_or("", |client| &client.version), MAX_VERSION),
    ] {
        let text = &text[..text.floor_char_boundary(most)];
        // Never more than `most`, which a byte can hold.
        bytes.push(text.len() as u8);
        bytes.extend(text.as_bytes());
    }
    let signature = keys.sign(SESSION, &parts(&bytes, principal));
    bytes.extend(signature);
    let expires = issued.saturating_add(lifetime.into());
    Ok((URL_SAFE_NO_PAD.encode(bytes), Seal { nonce, expires }))
}

/// Reads what may be an id.
pub(super) fn read(id: &str) -> Option<Claimed> {
    if id.len() > MAX_ID {
        return None;
    }
    let mut signed = URL_SAFE_NO_PAD.decode(id).ok()?;
    let signature = *signed.last_chunk()?;
    signed.truncate(signed.len() - SIGNATURE);
    let mut rest = &*signed;
    let [FORMAT] = take(&mut rest)? else {
        return None;
    };
    let key = take(&mut rest)?;
    let issued = u64::from_be_bytes(take(&mut rest)?);
    let lifetime = u32::from_be_bytes(take(&mut rest)?);
    let nonce = u128::from_be_bytes(take(&mut rest)?);
    let [revision, bits] = take(&mut rest)?;
    let version = *LEGACY_VERSIONS.iter().rev().nth(revision.into())?;
    let client = ClientInfo {
        name: text(&mut rest)?,
        title: None,
        version: text(&mut rest)?,
    };
    let peer = PeerInfo {
        era: Era::Legacy,
        version,
        capabilities: capabilities(bits),
        client: Some(client),
    };
    let seal = Seal {
        nonce,
        expires: issued.saturating_add(lifetime.into()),
    };
    rest.is_empty().then_some(Claimed {
        seal,
        peer,
        key,
        signed,
        signature,
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (found, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*found)
}

fn text(rest: &mut &[u8]) -> Option<Box<str>> {
    let [length] = take(rest)?;
    let (found, after) = rest.split_at_checked(length.into())?;
    *rest = after;
    Some(std::str::from_utf8(found).ok()?.into())
}

/// The number of a revision, counted from the oldest.
fn revision(version: &str) -> u8 {
    let mut all = LEGACY_VERSIONS.iter().rev();
    all.position(|known| *known == version).unwrap_or_default() as u8
}

/// A capability that is added gets the next bit.
fn bits(capabilities: ClientCapabilities) -> u8 {
    let ClientCapabilities {
        forms,
        urls,
        sampling,
        sampling_tools,
        sampling_context,
        roots,
        tasks,
    } = capabilities;
    let flags = [
        forms,
        urls,
        sampling,
        sampling_tools,
        sampling_context,
        roots,
        tasks,
    ];
    let bits = flags.iter().enumerate();
    bits.fold(0, |bits, (n, flag)| bits | u8::from(*flag) << n)
}

fn capabilities(bits: u8) -> ClientCapabilities {
    let has = |n: u8| bits & 1 << n != 0;
    ClientCapabilities {
        forms: has(0),
        urls: has(1),
        sampling: has(2),
        sampling_tools: has(3),
        sampling_context: has(4),
        roots: has(5),
        tasks: has(6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(byte: u8) -> KeyRing {
        KeyRing::new([("a", vec![byte; 32])]).unwrap()
    }

    fn a_peer(version: &'static str, name: &str, bits: u8) -> PeerInfo {
        PeerInfo {
            era: Era::Legacy,
            version,
            capabilities: capabilities(bits),
            client: Some(ClientInfo {
                name: name.into(),
                title: Some("T".into()),
                version: name.into(),
            }),
        }
    }

    fn sealed(principal: &Principal, peer: &PeerInfo) -> String {
        seal(&keys(1), principal, peer, 1000, 60).unwrap().0
    }

    #[test]
    fn an_id_holds_what_the_server_goes_by() {
        for version in LEGACY_VERSIONS {
            for bits in 0..128 {
                let (id, seal) = seal(
                    &keys(1),
                    &Principal::ANONYMOUS,
                    &a_peer(version, "x", bits),
                    1000,
                    60,
                )
                .unwrap();
                let claimed = read(&id).unwrap();
                assert!(claimed.is_signed(&keys(1), &Principal::ANONYMOUS));
                assert_eq!((claimed.seal, seal.expires), (seal, 1060));
                let peer = claimed.peer;
                assert_eq!((peer.era, peer.version), (Era::Legacy, version));
                assert_eq!(peer.capabilities, capabilities(bits));
                let client = peer.client.as_ref().unwrap();
                assert_eq!((&*client.name, &*client.version), ("x", "x"));
            }
        }
    }

    #[test]
    fn an_id_is_short_and_fit_for_a_header() {
        let bob = Principal::authenticated("b".repeat(10_000));
        for name in [
            "",
            "x",
            &"n".repeat(256),
            &"ä".repeat(128),
            &"\u{10ffff}".repeat(64),
        ] {
            let id = sealed(&bob, &a_peer("2025-11-25", name, 127));
            assert!(id.len() <= 220 && id.len() <= MAX_ID, "{}", id.len());
            assert!(id.bytes().all(|byte| byte.is_ascii_graphic()), "{id}");
            let claimed = read(&id).unwrap();
            assert!(name.starts_with(&*claimed.peer.client.as_ref().unwrap().name));
        }
    }

    #[test]
    fn an_id_is_its_principals_and_its_keys() {
        let (alice, nobody) = (Principal::authenticated("alice"), Principal::ANONYMOUS);
        let empty = Principal::authenticated("");
        let all = [&alice, &nobody, &empty, &Principal::authenticated("bob")];
        for owner in all {
            let claimed = read(&sealed(owner, &a_peer("2025-11-25", "x", 0))).unwrap();
            for other in all {
                assert_eq!(claimed.is_signed(&keys(1), other), owner == other);
            }
            assert!(!claimed.is_signed(&keys(2), owner));
        }
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = sealed(&Principal::ANONYMOUS, &a_peer("2025-11-25", "name", 1));
        let good = |id: &str| {
            read(id).is_some_and(|claimed| claimed.is_signed(&keys(1), &Principal::ANONYMOUS))
        };
        assert!(good(&id));
        for length in 0..id.len() {
            assert!(!good(&id[..length]), "{length}");
        }
        for at in 0..id.len() {
            for other in (0x21..0x7f).map(char::from) {
                let mut text = id.clone();
                text.replace_range(at..=at, other.encode_utf8(&mut [0; 4]));
                assert!(text == id || !good(&text), "{at} {other}");
            }
        }
        for more in ["A", "=", " ", "AAAA"] {
            assert!(!good(&format!("{id}{more}")), "{more}");
        }
        assert!(read(&"A".repeat(MAX_ID + 1)).is_none());
    }
}
