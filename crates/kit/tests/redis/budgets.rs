//! One budget for all replicas.

use std::time::Duration;

use pymcp_kit::auth::{Identity, Permit};
use pymcp_kit::limits::Rate;
use pymcp_kit::metrics::Metrics;
use pymcp_kit::protocol::Era;
use pymcp_kit::store::redis::Redis;
use pymcp_kit::store::{BudgetStore, Spending};
use pymcp_kit::testing::Client;
use pymcp_kit::{Ctx, NoArgs, Result, Server, Tool};
use serde_json::json;

use super::{redis_server, replica, until, who};

fn server(redis: &Redis, metrics: &Metrics) -> Server {
    async fn take(_: Ctx, _: NoArgs) -> Result<&'static str> {
        Ok("taken")
    }
    Server::builder("test", "1.0.0")
        .tool(Tool::new("take", take))
        .change_call_limits(|limits| limits.budget.per_principal = Some(Rate::per_minute(100)))
        .metrics(metrics)
        .redis(redis)
        .build()
        .unwrap()
}

fn client(server: &Server, name: &str) -> Client {
    Client::with_permit(server, Era::Modern, Permit::of(Identity::new(name)))
}

#[tokio::test]
async fn a_hundred_a_minute_are_a_hundred_at_three_replicas() {
    let server_process = redis_server!();
    let metrics = Metrics::new();
    let mut clients = Vec::new();
    for _ in 0..3 {
        let redis = replica(&server_process).await;
        clients.push(client(&server(&redis, &metrics), "ada"));
    }
    let began = std::time::Instant::now();
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..60 {
        for client in &mut clients {
            let reply = client.call("take", json!({})).await;
            match reply.is_error() {
                false => taken += 1,
                true => {
                    let said = reply.error_text();
                    assert!(said.contains("rate limit of 100/min"), "{said}");
                    refused += 1;
                }
            }
        }
    }
    // What came back meanwhile is there as well.
    let more = usize::try_from(began.elapsed().as_millis() / 600).unwrap() + 1;
    assert!((100..=100 + more).contains(&taken), "{taken}");
    assert_eq!(taken + refused, 180);
    assert!(metrics.text().contains("mcp_server_budgets_local_total 0"));
}

#[tokio::test]
async fn of_two_budgets_both_are_spent_or_none() {
    let server = redis_server!();
    let redis = replica(&server).await;
    let spend = async |tool: u32, all: u32| {
        let spendings = [
            Spending {
                name: "search",
                rate: Rate::per_hour(5),
                cost: tool,
            },
            Spending {
                name: "",
                rate: Rate::per_hour(10),
                cost: all,
            },
        ];
        let spent = redis.spend(&who("ada"), &spendings).await.unwrap();
        spent.map_err(|overspent| overspent.index)
    };
    assert_eq!(spend(1, 8).await, Ok(()));
    for _ in 0..9 {
        assert_eq!(spend(3, 3).await, Err(1));
        assert_eq!(spend(5, 1).await, Err(0));
    }
    assert_eq!(spend(4, 2).await, Ok(()));
    // What costs more than the bucket holds takes all of it.
    let all = [Spending {
        name: "",
        rate: Rate::per_hour(3),
        cost: 9,
    }];
    assert!(redis.spend(&who("bob"), &all).await.unwrap().is_ok());
    let one = [Spending {
        name: "",
        rate: Rate::per_hour(3),
        cost: 1,
    }];
    let overspent = redis.spend(&who("bob"), &one).await.unwrap().unwrap_err();
    let seconds = overspent.exceeded.retry_after_seconds();
    assert!((1190..=1200).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn without_the_store_each_replica_counts_its_part() {
    let mut server_process = redis_server!();
    let metrics = Metrics::new();
    let (first, second) = (
        replica(&server_process).await,
        replica(&server_process).await,
    );
    let mut one = client(&server(&first, &metrics), "ada");
    until(async || first.replicas() == 2 && second.replicas() == 2).await;
    server_process.kill();
    let mut taken = 0;
    for _ in 0..80 {
        let reply = one.call("take", json!({})).await;
        taken += usize::from(!reply.is_error());
    }
    assert!((50..=55).contains(&taken), "{taken}");
    let text = metrics.text();
    assert!(text.contains("mcp_server_budgets_local_total 80"), "{text}");
    assert!(text.contains("mcp_server_store_up 0"), "{text}");
}

/// Else each would take itself for the only one, and give all of a budget.
#[tokio::test]
async fn replicas_count_each_other_still_when_the_store_has_forgotten_them() {
    let mut store = redis_server!();
    let all = [
        replica(&store).await,
        replica(&store).await,
        replica(&store).await,
    ];
    let counts = || all.each_ref().map(BudgetStore::replicas);
    until(async || counts() == [3; 3]).await;
    store.kill();
    until(async || all.iter().all(|one| !one.is_reachable())).await;
    store.run().unwrap();
    // Longer than it takes until they count anew.
    for _ in 0..60 {
        assert_eq!(counts(), [3; 3]);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(all.iter().all(Redis::is_reachable));
}
