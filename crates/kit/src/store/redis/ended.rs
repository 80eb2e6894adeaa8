//! Sessions that were ended, in a log (Redis Streams) that every replica reads.

use crate::store::{EndedSession, EndedSessionStore, StoreFuture};

use super::{Redis, script};

const ENDED: &str = "ended";

/// Sessions that are read in one round trip.
const TOGETHER: usize = 1000;

impl EndedSessionStore for Redis {
    fn add<'a>(&'a self, ended: &'a [EndedSession], most: usize) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let latest = ended.iter().map(|session| session.expires).max();
            let _: i64 = self
                .link
                .script(&script::END, |call| {
                    call.key(self.link.keys().shared(ENDED))
                        .arg(most)
                        .arg(latest.unwrap_or(0).saturating_mul(1000));
                    for EndedSession { nonce, expires } in ended {
                        call.arg(format!("{nonce:032x}:{expires}"));
                    }
                })
                .await?;
            Ok(())
        })
    }

    fn after<'a>(&'a self, position: &'a str) -> StoreFuture<'a, (Vec<EndedSession>, String)> {
        Box::pin(async move {
            let start = match position {
                "" => "-".to_owned(),
                position => format!("({position}"),
            };
            let mut range = ::redis::cmd("XRANGE");
            range
                .arg(self.link.keys().shared(ENDED))
                .arg(start)
                .arg("+")
                .arg("COUNT")
                .arg(TOGETHER);
            let found: Vec<(String, Vec<String>)> = self.link.read(&range).await?;
            let last = found.last().map_or(position, |(id, _)| id).to_owned();
            // The second is the value of the only field; what a later release says beside it is passed over.
            let ended = found.iter().filter_map(|(_, fields)| read(fields.get(1)?));
            Ok((ended.collect(), last))
        })
    }
}

fn read(text: &str) -> Option<EndedSession> {
    let mut parts = text.split(':');
    Some(EndedSession {
        nonce: u128::from_str_radix(parts.next()?, 16).ok()?,
        expires: parts.next()?.parse().ok()?,
    })
}
