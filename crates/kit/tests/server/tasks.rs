//! Calls that go on as tasks: their time, their questions, and the moment at which they begin.

use std::future::pending;
use std::time::Duration;

use pymcp_kit::{
    Ctx, Effect, Elicited, Error, Form, NoArgs, Question, Result, Server, TaskSupport, Tool,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::client::{Client, Listening, able, accept, soon};

/// A client of a server with one tool, "work".
fn client(tool: Tool) -> Client {
    let server = Server::builder("test", "1.0.0").tool(tool).build().unwrap();
    Client::modern(&server, able())
}

fn question() -> impl Question<Answer = Elicited<bool>> {
    Form::<bool>::new("Sure?").named("sure")
}

/// A task, and the subscription to it.
struct Task<'a> {
    client: &'a Client,
    id: String,
    news: Listening,
}

impl<'a> Task<'a> {
    async fn begin(client: &'a Client) -> Self {
        let call = json!({ "name": "work" });
        let task = client.result("tools/call", call).await;
        assert_eq!(task["resultType"], "task", "{task}");
        let id = task["taskId"].as_str().unwrap().to_owned();
        let news = client.listen(json!({ "taskIds": [id] })).await;
        Self { client, id, news }
    }

    /// Waits until it is as wanted.
    async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let params = json!({ "taskId": self.id });
            let task = self.client.result("tasks/get", params).await;
            if wanted(&task) {
                return task;
            }
            self.news.hear().await;
        }
    }

    async fn ended(&mut self) -> Value {
        self.until(|task| {
            !["working", "input_required"].contains(&task["status"].as_str().unwrap())
        })
        .await
    }

    /// Waits until the question is open under this name.
    async fn asks(&mut self, name: &str) {
        let task = self
            .until(|task| task["inputRequests"].get(name).is_some())
            .await;
        assert_eq!(task["status"], "input_required", "{task}");
        assert_eq!(task["inputRequests"].as_object().unwrap().len(), 1);
    }

    async fn answer(&self, name: &str, answer: Value) {
        let params = json!({ "taskId": self.id, "inputResponses": { name: answer } });
        self.client.result("tasks/update", params).await;
    }
}

fn text(task: &Value) -> &str {
    let text = task["result"]["content"][0]["text"].as_str();
    text.unwrap_or_else(|| panic!("no text: {task}"))
}

#[tokio::test(start_paused = true)]
async fn a_task_keeps_to_the_time_of_its_tool() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let slow = Tool::new("work", move |ctx: Ctx, _: NoArgs| {
        let tell = tell.clone();
        tokio::spawn(async move {
            ctx.cancelled().await;
            let _ = tell.send(());
        });
        pending::<Result<&'static str>>()
    });
    let limit = Duration::from_millis(100);
    let client = client(slow.task(TaskSupport::Required).timeout(limit));
    let ended = Task::begin(&client).await.ended().await;
    assert_eq!(ended["status"], "completed", "{ended}");
    assert_eq!(ended["result"]["isError"], true, "{ended}");
    let expected = "The tool 'work' took longer than the 100 ms allowed.";
    assert_eq!(text(&ended), expected);
    // So does what it spawned.
    soon(told.recv()).await.unwrap();
}

/// One without a time limit of its own does not vanish without a word either.
#[tokio::test(start_paused = true)]
async fn a_task_ends_with_a_word_before_it_is_forgotten() {
    let slow = Tool::new("work", |_: Ctx, _: NoArgs| {
        pending::<Result<&'static str>>()
    });
    let client = client(slow.task(TaskSupport::Required));
    let ended = Task::begin(&client).await.ended().await;
    assert!(text(&ended).contains("took longer"), "{ended}");
}

/// Asks in a task that began before, or while it begins.
fn asking(while_it_begins: bool) -> Tool {
    let tool = Tool::new("work", move |ctx: Ctx, _: NoArgs| async move {
        let sure = match while_it_begins {
            true => tokio::join!(ctx.ask(question()), ctx.start_task()).0?,
            false => {
                ctx.start_task().await;
                ctx.ask(question()).await?
            }
        };
        match sure {
            Elicited::Accepted(true) => Ok("done"),
            _ => Err(Error::user("not sure")),
        }
    });
    tool.effects([Effect::AsksUser])
        .task(TaskSupport::Required)
        .asks_before_task()
}

const WAYS: [bool; 2] = [false, true];

#[tokio::test(start_paused = true)]
async fn a_question_that_is_open_while_the_task_begins_is_the_tasks() {
    for way in WAYS {
        let client = client(asking(way));
        let mut task = Task::begin(&client).await;
        task.asks("sure").await;
        task.answer("sure", accept(true)).await;
        assert_eq!(text(&task.ended().await), "done");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_leaves_the_task_alive_and_the_question_open() {
    for way in WAYS {
        let client = client(asking(way));
        let mut task = Task::begin(&client).await;
        for (name, wrong) in [
            ("sure", json!(5)),
            ("sure-2", json!({ "action": "ACCEPT" })),
            ("sure-3", json!({ "content": { "value": true } })),
        ] {
            task.asks(name).await;
            task.answer(name, wrong).await;
        }
        task.asks("sure-4").await;
        task.answer("sure-4", accept(true)).await;
        assert_eq!(text(&task.ended().await), "done");
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_for_which_its_client_is_asked_is_not_the_tools() {
    for way in WAYS {
        let limit = Duration::from_millis(100);
        let client = client(asking(way).timeout(limit));
        let mut task = Task::begin(&client).await;
        task.asks("sure").await;
        // The user thinks.
        sleep(limit * 50).await;
        task.answer("sure", accept(true)).await;
        assert_eq!(text(&task.ended().await), "done");
    }
}

/// Whoever starts the task while it is being started, goes on in it as well.
#[tokio::test(start_paused = true)]
async fn a_second_start_waits_for_the_task_like_the_first() {
    let tool = Tool::new("work", |ctx: Ctx, _: NoArgs| async move {
        let first = async {
            ctx.start_task().await;
            pending::<()>().await;
        };
        let second = async {
            ctx.start_task().await;
            // Before there is a task there is nobody to say this to.
            ctx.progress(1.0, None, Some("second")).await;
        };
        tokio::join!(first, second);
        Ok::<_, Error>("never")
    });
    let client = client(tool.task(TaskSupport::Required).asks_before_task());
    let mut task = Task::begin(&client).await;
    task.until(|task| task["statusMessage"] == "second").await;
}

#[tokio::test(start_paused = true)]
async fn a_task_has_the_doors_of_its_tool() {
    let tool = Tool::new("work", async |ctx: Ctx, _: NoArgs| {
        match (ctx.now().is_ok(), ctx.random(&mut [0]).is_ok()) {
            (true, false) => Ok("right"),
            other => Err(Error::user(format!("{other:?}"))),
        }
    });
    let client = client(tool.effects([Effect::Clock]).task(TaskSupport::Required));
    assert_eq!(text(&Task::begin(&client).await.ended().await), "right");
}
