//! Logs (Redis Streams) that every replica reads: sessions that were ended, tokens that were revoked.

use crate::store::{
    EndedSession, EndedSessionStore, StoreError, StoreFuture, TokenChange, TokenChangeStore,
};

use super::{Redis, script};

/// Sessions that were ended.
const ENDED: &str = "ended";

/// Tokens that were revoked, or are accepted again.
const TOKENS: &str = "tokens";

/// Entries that are read in one round trip.
const TOGETHER: usize = 1000;

impl Redis {
    /// Adds entries, of which the last `most` are kept until the last of them is over, in seconds since 1970.
    async fn log(
        &self,
        kind: &str,
        field: &str,
        most: usize,
        latest: u64,
        entries: impl Iterator<Item = String>,
    ) -> Result<(), StoreError> {
        let entries: Vec<String> = entries.collect();
        let _: i64 = self
            .nodes
            .script(&script::LOG, &self.nodes.keys().shared(kind), |call| {
                call.arg(most)
                    .arg(latest.saturating_mul(1000))
                    .arg(field)
                    .arg(&entries);
            })
            .await?;
        Ok(())
    }

    /// Entries after a position, and the position of the last.
    async fn log_after(
        &self,
        kind: &str,
        position: &str,
    ) -> Result<(Vec<String>, String), StoreError> {
        let start = match position {
            "" => "-".to_owned(),
            position => format!("({position}"),
        };
        let key = self.nodes.keys().shared(kind);
        let mut range = ::redis::cmd("XRANGE");
        range
            .arg(&key)
            .arg(start)
            .arg("+")
            .arg("COUNT")
            .arg(TOGETHER);
        let found: Vec<(String, Vec<String>)> = self.nodes.read(&key, &range).await?;
        let last = found.last().map_or(position, |(id, _)| id).to_owned();
        // The second is the value of the only field; what a later release says beside it is passed over.
        let entries = found
            .into_iter()
            .filter_map(|(_, fields)| fields.into_iter().nth(1));
        Ok((entries.collect(), last))
    }
}

impl EndedSessionStore for Redis {
    fn add<'a>(&'a self, ended: &'a [EndedSession], most: usize) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let latest = ended.iter().map(|session| session.expires).max();
            let entries = ended
                .iter()
                .map(|EndedSession { nonce, expires }| format!("{nonce:032x}:{expires}"));
            self.log(ENDED, "session", most, latest.unwrap_or(0), entries)
                .await
        })
    }

    fn after<'a>(&'a self, position: &'a str) -> StoreFuture<'a, (Vec<EndedSession>, String)> {
        Box::pin(async move {
            let (entries, last) = self.log_after(ENDED, position).await?;
            let ended = entries.iter().filter_map(|entry| {
                let (nonce, expires, _) = parts(entry)?;
                Some(EndedSession { nonce, expires })
            });
            Ok((ended.collect(), last))
        })
    }
}

impl TokenChangeStore for Redis {
    fn add_changes<'a>(&'a self, changes: &'a [TokenChange], most: usize) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let latest = changes.iter().map(|change| change.expires).max();
            let entries = changes.iter().map(|change| {
                let TokenChange {
                    id,
                    expires,
                    revoked,
                } = change;
                format!("{id:032x}:{expires}:{}", u8::from(*revoked))
            });
            self.log(TOKENS, "token", most, latest.unwrap_or(0), entries)
                .await
        })
    }

    fn changes_after<'a>(
        &'a self,
        position: &'a str,
    ) -> StoreFuture<'a, (Vec<TokenChange>, String)> {
        Box::pin(async move {
            let (entries, last) = self.log_after(TOKENS, position).await?;
            let changes = entries.iter().filter_map(|entry| {
                let (id, expires, kind) = parts(entry)?;
                let revoked = match kind? {
                    "1" => true,
                    "0" => false,
                    _ => return None,
                };
                Some(TokenChange {
                    id,
                    expires,
                    revoked,
                })
            });
            Ok((changes.collect(), last))
        })
    }
}

/// `HEX:SECONDS`, and what comes after it.
fn parts(entry: &str) -> Option<(u128, u64, Option<&str>)> {
    let mut parts = entry.split(':');
    let number = u128::from_str_radix(parts.next()?, 16).ok()?;
    Some((number, parts.next()?.parse().ok()?, parts.next()))
}
