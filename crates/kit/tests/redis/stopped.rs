//! A replica that is stopped: its tasks have the time of its drain, since any other can be asked for their results.

use std::sync::Arc;
use std::time::Duration;

use pymcp_kit::transport::http::{HttpConfig, serve};
use pymcp_kit::{Ctx, KeyRing, NoArgs, Result, Server, ServerBuilder, TaskSupport, Tool};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::replicas::client::{Client, able};
use super::{PATIENCE, redis_server, replica, until};

/// Longer than it takes to end when nothing is waited for.
const MOMENT: Duration = Duration::from_millis(300);

/// A server with a task that ends when it is told to.
fn builder(end: &Arc<Notify>) -> ServerBuilder {
    let end = Arc::clone(end);
    let work = move |_: Ctx, _: NoArgs| {
        let end = Arc::clone(&end);
        async move {
            end.notified().await;
            Result::<_>::Ok("done")
        }
    };
    Server::builder("test", "1.0.0")
        .keys(KeyRing::new([("a", vec![1; 32])]).unwrap())
        .tool(Tool::new("work", work).task(TaskSupport::Required))
}

/// A server that is served until it is stopped.
struct Serving {
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Serving {
    async fn begin(server: &Server, drain: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let config = HttpConfig {
            drain,
            ..HttpConfig::default()
        };
        let serving = tokio::spawn(serve(listener, server.clone(), config, stopped));
        Self { stop, serving }
    }

    fn stop(self) -> JoinHandle<()> {
        self.stop.send(()).unwrap();
        self.serving
    }
}

async fn begun(client: &Client) -> Value {
    let begun = client.result("tools/call", json!({ "name": "work" })).await;
    assert_eq!(begun["resultType"], "task", "{begun}");
    json!({ "taskId": begun["taskId"] })
}

#[tokio::test]
async fn a_task_that_ends_within_the_drain_is_waited_for() {
    let store = redis_server!();
    let end = Arc::default();
    let here = builder(&end).redis(&replica(&store).await).build().unwrap();
    let there = builder(&end).redis(&replica(&store).await).build().unwrap();
    let serving = Serving::begin(&here, PATIENCE).await;
    let task = begun(&Client::modern(&here, able()).known_as("ada")).await;
    assert_eq!((here.running_tasks(), there.running_tasks()), (1, 0));
    let mut ended = serving.stop();
    assert!(timeout(MOMENT, &mut ended).await.is_err());
    end.notify_one();
    timeout(PATIENCE, ended).await.unwrap().unwrap();
    let there = Client::modern(&there, able()).known_as("ada");
    let seen = there.result("tasks/get", task).await;
    assert_eq!(seen["status"], "completed", "{seen}");
    assert_eq!(here.running_tasks(), 0);
}

#[tokio::test]
async fn a_task_that_takes_longer_than_the_drain_has_failed_and_one_that_begins_later_has_not() {
    let store = redis_server!();
    let end = Arc::default();
    let here = builder(&end).redis(&replica(&store).await).build().unwrap();
    let there = builder(&end).redis(&replica(&store).await).build().unwrap();
    let serving = Serving::begin(&here, Duration::from_millis(50)).await;
    let client = Client::modern(&here, able()).known_as("ada");
    let task = begun(&client).await;
    timeout(PATIENCE, serving.stop()).await.unwrap().unwrap();
    let there = Client::modern(&there, able()).known_as("ada");
    let seen = there.result("tasks/get", task).await;
    assert_eq!(seen["status"], "failed", "{seen}");
    let why = seen["error"]["message"].as_str().unwrap();
    assert_eq!(why, "The server was stopped before this task had ended.");
    let later = begun(&client).await;
    end.notify_one();
    until(async || {
        let seen = there.result("tasks/get", later.clone()).await;
        assert_ne!(seen["status"], "failed", "{seen}");
        seen["status"] == "completed"
    })
    .await;
}

/// Nobody could ask for its result.
#[tokio::test]
async fn a_task_in_memory_is_not_waited_for() {
    let end = Arc::default();
    let server = builder(&end).build().unwrap();
    let serving = Serving::begin(&server, 2 * PATIENCE).await;
    begun(&Client::modern(&server, able()).known_as("ada")).await;
    assert_eq!(server.running_tasks(), 0);
    timeout(PATIENCE, serving.stop()).await.unwrap().unwrap();
}
