//! What takes time: progress, tasks, and their end before they are done.
//!
//! Nothing here waits by the clock: `data://operations` changes when work begins and when it ends.

use pymcp_kit::testing::message::{error_text, text};
use serde_json::{Value, json};

use super::client::{Client, ERAS, Era, Open, capable, takes_tasks};
use super::server;

const OPERATIONS: &str = "data://operations";

/// What is being worked on.
async fn operations(client: &mut Client) -> Value {
    serde_json::from_str(&client.read(OPERATIONS).await).unwrap()
}

/// Waits until this is what is being worked on, from what was before it and nothing in between.
async fn until(client: &mut Client, before: Value, wanted: Value) {
    loop {
        let now = operations(client).await;
        if now == wanted {
            return;
        }
        assert_eq!(now, before);
        let told = client.hear("notifications/resources/updated").await;
        assert_eq!(told["uri"], OPERATIONS);
    }
}

async fn connect(era: Era, capabilities: Value) -> Client {
    let mut client = Client::connect(&server(), era, capabilities).await;
    let wanted = json!({ "resourceSubscriptions": [OPERATIONS] });
    client.listen(wanted).await;
    client
}

#[tokio::test]
async fn a_long_operation_says_how_far_it_is() {
    for era in ERAS {
        let mut client = connect(era, json!({})).await;
        let arguments = json!({ "seconds": 0, "steps": 3 });
        let told = client.call("long_operation", arguments).await;
        assert_eq!(text(&told), "Done in 3 steps.");
        let progress: Vec<_> = client
            .unread()
            .filter(|message| message["method"] == "notifications/progress")
            .map(|message| (&message["params"]["progress"], &message["params"]["total"]))
            .map(|(progress, total)| (progress.as_f64().unwrap(), total.as_f64().unwrap()))
            .collect();
        assert_eq!(progress, [(0.0, 3.0), (1.0, 3.0), (2.0, 3.0), (3.0, 3.0)]);
        assert_eq!(operations(&mut client).await, json!([]));
    }
}

/// It would take a minute, and ends when its client says so.
#[tokio::test]
async fn a_long_operation_ends_at_once_when_it_is_cancelled() {
    for era in ERAS {
        let mut client = connect(era, json!({})).await;
        let arguments = json!({ "seconds": 60, "steps": 1 });
        let open = client.begin_call("long_operation", arguments).await;
        client.hear("notifications/progress").await;
        let running = json!([{ "tool": "long_operation", "step": 1, "of": 1 }]);
        assert_eq!(operations(&mut client).await, running);
        client.cancel(&open).await;
        until(&mut client, running, json!([])).await;
        // A request that was cancelled has no answer.
        assert!(client.unread().all(|message| message["result"].is_null()));
    }
}

/// Without tasks the same tool is a call like any other.
#[tokio::test]
async fn research_asks_what_an_ambiguous_topic_means() {
    for era in ERAS {
        let mut client = connect(era, capable()).await;
        let arguments = json!({ "topic": "mercury", "seconds": 0 });
        let open = client.begin_call("research", arguments.clone()).await;
        let question = client.question(&open).await;
        let meanings = &question.params["requestedSchema"]["properties"]["meaning"]["enum"];
        assert_eq!(*meanings, json!(["the planet", "the metal", "the god"]));
        let meaning = json!({ "action": "accept", "content": { "meaning": "the god" } });
        let open = client.reply(open, &question, meaning).await;
        let told = client.answer(&open).await;
        let topic = &told["result"]["structuredContent"]["topic"];
        assert_eq!(topic, "mercury (the god)", "{told}");
        // Every stage was gone through once, also where the question made the call begin again.
        let stages = |message: &&Value| message["method"] == "notifications/progress";
        assert_eq!(client.unread().filter(stages).count(), 4);

        let open = client.begin_call("research", arguments).await;
        let question = client.question(&open).await;
        let declined = json!({ "action": "decline" });
        let open = client.reply(open, &question, declined).await;
        let refused = client.answer(&open).await;
        assert!(error_text(&refused).contains("more exactly"), "{refused}");
        let plain = json!({ "topic": "tea", "seconds": 0 });
        let told = client.call("research", plain).await;
        assert_eq!(told["result"]["structuredContent"]["topic"], "tea");
    }
}

/// A task, and a subscription to it.
async fn begin_task(client: &mut Client, arguments: Value) -> String {
    let open: Open = client.begin_call("research", arguments).await;
    let handle = client.answer(&open).await["result"].clone();
    assert_eq!(handle["resultType"], "task", "{handle}");
    let id = handle["taskId"].as_str().unwrap().to_owned();
    client.listen(json!({ "taskIds": [id] })).await;
    id
}

/// Waits until the task is as wanted.
async fn task_until(client: &mut Client, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let task = client.result("tasks/get", json!({ "taskId": id })).await;
        if wanted(&task) {
            return task;
        }
        client.hear("notifications/tasks").await;
    }
}

#[tokio::test]
async fn research_is_a_task_with_stages_and_a_question() {
    let mut client = connect(Era::Modern, takes_tasks()).await;
    let arguments = json!({ "topic": "python", "seconds": 0 });
    let id = begin_task(&mut client, arguments).await;
    let asking = task_until(&mut client, &id, |task| task["status"] == "input_required").await;
    let question = &asking["inputRequests"]["meaning"];
    assert_eq!(question["method"], "elicitation/create", "{asking}");
    let answers =
        json!({ "meaning": { "action": "accept", "content": { "meaning": "the snake" } } });
    let params = json!({ "taskId": id, "inputResponses": answers });
    client.result("tasks/update", params).await;
    let done = task_until(&mut client, &id, |task| task["status"] == "completed").await;
    let topic = &done["result"]["structuredContent"]["topic"];
    assert_eq!(topic, "python (the snake)", "{done}");
    assert_eq!(operations(&mut client).await, json!([]));
}

/// It would take forty seconds, and ends when its client says so.
#[tokio::test]
async fn a_task_ends_at_once_when_it_is_cancelled() {
    let mut client = connect(Era::Modern, takes_tasks()).await;
    let arguments = json!({ "topic": "tea", "seconds": 10 });
    let id = begin_task(&mut client, arguments).await;
    let first = |task: &Value| task["statusMessage"] == "Looking for sources";
    let working = task_until(&mut client, &id, first).await;
    assert_eq!(working["status"], "working");
    let running = json!([{ "tool": "research", "step": 1, "of": 4 }]);
    assert_eq!(operations(&mut client).await, running);
    client.result("tasks/cancel", json!({ "taskId": id })).await;
    // Had it only been forgotten, its next stage would be here in time.
    until(&mut client, running, json!([])).await;
    task_until(&mut client, &id, |task| task["status"] == "cancelled").await;
}
