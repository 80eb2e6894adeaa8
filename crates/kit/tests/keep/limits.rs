//! What the limits keep: something for each principal, however many calls there are.

use std::sync::Arc;
use std::time::Duration;

use pymcp_kit::auth::Permit;
use pymcp_kit::core::Connection;
use pymcp_kit::limits::Rate;
use pymcp_kit::{Ctx, Error, NoArgs, Principal, Server, Tool};
use serde_json::json;

use super::MEMORY;
use super::stage::{alone, answer, modern, request};

/// Those who send twice as much as they may.
const GREEDY: usize = 10;
/// Those who send just what they may.
const HONEST: usize = 40;
/// Calls that a principal may make each minute.
const LIMIT: u32 = 30;
/// An hour of them.
const MINUTES: u32 = 60;
/// More than what is kept of a principal, times their number.
const BESIDE: usize = 64 << 10;

#[test]
fn of_a_hundred_thousand_calls_by_fifty_principals_nobody_gets_too_much_or_too_little() {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let server = Server::builder("test", "1.0.0")
        .tool(Tool::new("nothing", async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>(())
        }))
        .change_call_limits(|limits| {
            limits.budget.per_principal = Some(Rate::per_minute(LIMIT));
            let tools = &mut limits.budget.tools;
            tools.insert("nothing".to_owned(), Rate::per_minute(2 * LIMIT));
            limits.concurrency.per_principal = Some(4);
            limits.concurrency.in_all = Some(64);
        })
        .build()
        .unwrap();
    let connections: Vec<Arc<Connection>> = (0..GREEDY + HONEST)
        .map(|n| Connection::stateless(Principal::authenticated(format!("principal-{n}"))))
        .collect();
    let call = request(
        "tools/call",
        &modern(json!({ "name": "nothing", "arguments": {} }), json!({})),
    );
    let is_served = |connection: &Arc<Connection>| {
        let body = server.parse(call.as_bytes()).unwrap();
        let Ok(mut exchange) = server
            .receive(
                connection,
                &Permit::unrestricted_as(connection.principal().clone()),
                body,
            )
            .into_exchange()
        else {
            panic!("it did not begin");
        };
        let answer = answer(&mut exchange).expect("it is ready at once");
        // The result has no other member of this name.
        !String::from_utf8_lossy(&answer).contains(r#""isError":true"#)
    };
    let each = Duration::from_secs(60) / LIMIT;
    let (mut calls, mut served) = (0, vec![0_u32; connections.len()]);
    let mut early = None;
    runtime.block_on(async {
        for round in 0..MINUTES * LIMIT {
            for (number, connection) in connections.iter().enumerate() {
                let times = if number < GREEDY { 2 } else { 1 };
                for _ in 0..times {
                    calls += 1;
                    served[number] += u32::from(is_served(connection));
                }
            }
            if round == LIMIT {
                early = Some(MEMORY.allocated());
            }
            tokio::time::advance(each).await;
        }
    });
    let kept = MEMORY.allocated().saturating_sub(early.unwrap());
    assert!(calls >= 100_000, "{calls}");
    let may = MINUTES * LIMIT;
    for (number, &served) in served.iter().enumerate() {
        let is_greedy = number < GREEDY;
        assert!(served >= may, "{number}: {served} of {may}");
        assert!(is_greedy || served == may, "{number}: {served} of {may}");
        assert!(served * 100 <= may * 102, "{number}: {served} of {may}");
    }
    assert!(kept <= BESIDE, "{kept} bytes more than at the start");
}
