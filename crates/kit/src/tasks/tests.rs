use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rmcp::model::TaskStatus;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use super::*;

const ME: Principal = Principal::ANONYMOUS;

fn me() -> Caller {
    Caller::new(ME, None, 1)
}

fn tasks() -> Tasks {
    Tasks::in_memory(TaskLimits::default())
}

async fn create(tasks: &Tasks) -> (Worker, String) {
    let (worker, task) = tasks.create(&me(), None).await.unwrap_or_else(|_| panic!());
    (worker, task.task_id)
}

async fn get(tasks: &Tasks, id: &str) -> Value {
    let Ok(record) = tasks.get(&ME, id).await else {
        return Value::Null;
    };
    serde_json::to_value(record.detailed().into_result(None)).unwrap()
}

async fn answer(tasks: &Tasks, id: &str, key: &str, value: Value) -> Result<(), RpcError> {
    let answers = BTreeMap::from([(key.into(), to_raw_value(&value).unwrap())]);
    tasks.update(&ME, id, answers).await
}

fn result(value: Value) -> Result<Box<RawValue>, RpcError> {
    Ok(to_raw_value(&value).unwrap())
}

fn question() -> Box<RawValue> {
    to_raw_value(&json!({})).unwrap()
}

/// Lets what was spawned run until it waits.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_task_can_be_found_when_its_handle_leaves() {
    let tasks = tasks();
    let (worker, task) = tasks.create(&me(), None).await.unwrap_or_else(|_| panic!());
    assert_eq!(task.task_id.len(), 32);
    assert_eq!(task.task_id, worker.handle().id());
    assert!(task.status == TaskStatus::Working);
    assert_eq!(
        (task.ttl_ms, task.poll_interval_ms),
        (Some(300_000), Some(1000))
    );
    let found = get(&tasks, &task.task_id).await;
    assert_eq!(found["status"], "working");
    assert_eq!(found["resultType"], "complete");
}

#[tokio::test]
async fn a_life_has_its_bounds() {
    let tasks = tasks();
    for (wanted, given) in [(0, 1000), (7, 7000), (10_000_000, 3_600_000)] {
        let wanted = Some(Duration::from_secs(wanted));
        let (_, task) = tasks
            .create(&me(), wanted)
            .await
            .unwrap_or_else(|_| panic!());
        assert_eq!(task.ttl_ms, Some(given));
    }
}

#[tokio::test]
async fn somebody_elses_task_does_not_exist() {
    let tasks = tasks();
    let (_worker, id) = create(&tasks).await;
    let bob = Principal::authenticated("bob");
    let refusals = [
        tasks.get(&bob, &id).await.map(drop),
        tasks.update(&bob, &id, BTreeMap::new()).await,
        tasks.cancel(&bob, &id).await,
        tasks.get(&ME, "tasks-nonexistent").await.map(drop),
    ];
    for refusal in refusals {
        assert_eq!(refusal.unwrap_err().code, Code::INVALID_PARAMS);
    }
    assert_eq!(get(&tasks, &id).await["status"], "working");
}

#[tokio::test]
async fn too_many_are_refused() {
    let tasks = Tasks::in_memory(TaskLimits {
        tasks_per_caller: 1,
        ..TaskLimits::default()
    });
    let caller = |name| Caller::new(Principal::authenticated(name), None, 1);
    let bob = caller("bob");
    let _first = tasks.create(&bob, None).await.unwrap();
    let refused = tasks.create(&bob, None).await.map(drop);
    assert_eq!(refused.unwrap_err().code, Code::BUSY);
    let carol = caller("carol");
    assert!(tasks.create(&carol, None).await.is_ok());
}

#[tokio::test]
async fn results_complete_and_errors_fail() {
    let tasks = tasks();
    let (worker, id) = create(&tasks).await;
    worker.handle().set_message("half").await;
    assert_eq!(get(&tasks, &id).await["statusMessage"], "half");
    worker
        .finish(result(json!({"content": [], "isError": true})))
        .await;
    let found = get(&tasks, &id).await;
    assert_eq!(found["status"], "completed");
    assert_eq!(found["result"]["isError"], true);
    assert!(found.get("statusMessage").is_none());

    let (worker, id) = create(&tasks).await;
    worker.finish(Err(RpcError::invalid_params("no"))).await;
    let found = get(&tasks, &id).await;
    assert_eq!(found["status"], "failed");
    assert_eq!(found["error"], json!({"code": -32602, "message": "no"}));
    assert_eq!(found["statusMessage"], "no");
}

#[tokio::test]
async fn an_error_cannot_fill_the_store() {
    let tasks = tasks();
    let (worker, id) = create(&tasks).await;
    let error = RpcError::new(Code::INTERNAL, "\u{1}".repeat(9000)).with_data(json!("x"));
    worker.finish(Err(error)).await;
    let found = get(&tasks, &id).await;
    assert_eq!(found["error"]["code"], -32603);
    assert!(found["error"].to_string().len() <= 4096);
    assert_eq!(
        found["statusMessage"].as_str().unwrap().chars().count(),
        500
    );
}

#[tokio::test]
async fn a_result_without_room_is_a_failure_that_says_so() {
    let tasks = Tasks::in_memory(TaskLimits {
        bytes: 100,
        ..TaskLimits::default()
    });
    let (worker, id) = create(&tasks).await;
    worker
        .finish(result(json!({"text": "x".repeat(200)})))
        .await;
    let found = get(&tasks, &id).await;
    assert_eq!(found["status"], "failed");
    assert!(found["statusMessage"].as_str().unwrap().contains("room"));
}

#[tokio::test]
async fn a_panic_never_leaves_a_task_working() {
    let tasks = tasks();
    let (worker, id) = create(&tasks).await;
    let work = tokio::spawn(async move {
        let _worker = worker;
        panic!("a handler's mistake");
    });
    assert!(work.await.is_err());
    let found = get(&tasks, &id).await;
    assert_eq!(found["status"], "failed");
    assert_eq!(found["error"]["code"], -32603);
    assert!(found["statusMessage"].is_string());
}

#[tokio::test]
async fn a_worker_may_be_dropped_outside_of_a_runtime() {
    let tasks = tasks();
    let (worker, id) = create(&tasks).await;
    std::thread::spawn(move || drop(worker)).join().unwrap();
    assert_eq!(get(&tasks, &id).await["status"], "failed");
}

#[tokio::test]
async fn a_question_is_asked_and_answered() {
    let tasks = tasks();
    let (worker, id) = create(&tasks).await;
    let request = json!({"method": "elicitation/create", "params": {"message": "Sure?"}});
    let request = to_raw_value(&request).unwrap();
    let work = tokio::spawn(async move {
        let answer = worker.handle().ask("sure", request).await.unwrap();
        worker.finish(Ok(answer)).await;
    });
    settle().await;
    let found = get(&tasks, &id).await;
    assert_eq!(found["status"], "input_required");
    assert_eq!(
        found["inputRequests"]["sure"]["method"],
        "elicitation/create"
    );
    answer(&tasks, &id, "other", json!(1)).await.unwrap();
    assert_eq!(get(&tasks, &id).await["status"], "input_required");
    answer(&tasks, &id, "sure", json!({"action": "accept"}))
        .await
        .unwrap();
    answer(&tasks, &id, "sure", json!({"action": "decline"}))
        .await
        .unwrap();
    work.await.unwrap();
    let found = get(&tasks, &id).await;
    assert_eq!(found["status"], "completed");
    assert_eq!(found["result"], json!({"action": "accept"}));
    assert!(found.get("inputRequests").is_none());
}

#[tokio::test]
async fn several_questions_may_be_answered_one_by_one() {
    let tasks = tasks();
    let (worker, id) = create(&tasks).await;
    let work = tokio::spawn(async move {
        let task = worker.handle().clone();
        let (name, sure) = tokio::join!(task.ask("name", question()), task.ask("sure", question()));
        let both = format!("[{},{}]", name.unwrap(), sure.unwrap());
        worker
            .finish(Ok(RawValue::from_string(both).unwrap()))
            .await;
    });
    settle().await;
    assert_eq!(
        get(&tasks, &id).await["inputRequests"],
        json!({"name": {}, "sure": {}})
    );
    answer(&tasks, &id, "sure", json!(true)).await.unwrap();
    let found = get(&tasks, &id).await;
    assert_eq!(found["status"], "input_required");
    assert_eq!(found["inputRequests"], json!({"name": {}}));
    answer(&tasks, &id, "name", json!("Ada")).await.unwrap();
    work.await.unwrap();
    assert_eq!(get(&tasks, &id).await["result"], json!(["Ada", true]));
}

#[tokio::test]
async fn a_key_is_never_used_twice() {
    let tasks = tasks();
    let (worker, id) = create(&tasks).await;
    let task = worker.handle().clone();
    for key in ["name", "name-2", "name-3"] {
        let (asked, given) = tokio::join!(task.ask("name", question()), async {
            settle().await;
            assert_eq!(get(&tasks, &id).await["inputRequests"], json!({ key: {} }));
            answer(&tasks, &id, key, json!(key)).await
        });
        given.unwrap();
        assert_eq!(asked.unwrap().get(), format!("\"{key}\""));
    }
    // Nor when an author hits on a made-up one.
    let asked = tokio::time::timeout(Duration::from_millis(1), task.ask("name-2", question()));
    assert!(asked.await.is_err());
    assert_eq!(get(&tasks, &id).await["status"], "working", "withdrawn");
    answer(&tasks, &id, "name-2-2", json!(1)).await.unwrap();
    let record = tasks.get(&ME, &id).await.unwrap_or_else(|_| panic!());
    assert!(record.answers.is_empty() && record.requests.is_empty());
}

#[tokio::test]
async fn questions_are_counted() {
    let tasks = tasks();
    let (worker, _) = create(&tasks).await;
    for _ in 0..256 {
        let mut asked = Box::pin(worker.handle().ask("again", question()));
        assert!(futures_util::poll!(asked.as_mut()).is_pending());
    }
    let refused = worker.handle().ask("again", question()).await;
    assert_eq!(refused.map(drop), Err(AskError::TooMany));
}

#[tokio::test]
async fn cancelling_ends_questions_and_drops_what_comes_late() {
    let tasks = tasks();
    let (worker, id) = create(&tasks).await;
    let task = worker.handle().clone();
    let (asked, (), ()) = tokio::join!(task.ask("a", question()), task.cancelled(), async {
        settle().await;
        tasks.cancel(&ME, &id).await.unwrap();
    });
    assert_eq!(asked.map(drop), Err(AskError::Ended));
    let cancelled = get(&tasks, &id).await;
    assert_eq!(cancelled["status"], "cancelled");
    assert!(cancelled.get("inputRequests").is_none());
    let asked = task.ask("b", question()).await;
    assert_eq!(asked.map(drop), Err(AskError::Ended));
    task.set_message("late").await;
    worker.finish(result(json!({}))).await;
    tasks.cancel(&ME, &id).await.unwrap();
    assert_eq!(get(&tasks, &id).await, cancelled);
    task.cancelled().await;
}

#[tokio::test]
async fn cancelling_what_is_done_changes_nothing() {
    let tasks = tasks();
    let (worker, id) = create(&tasks).await;
    worker.finish(result(json!({}))).await;
    let done = get(&tasks, &id).await;
    tasks.cancel(&ME, &id).await.unwrap();
    assert_eq!(get(&tasks, &id).await, done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_and_finishing_at_once_has_one_winner() {
    let tasks = tasks();
    for _ in 0..200 {
        let (worker, id) = create(&tasks).await;
        let cancel = tokio::spawn({
            let (tasks, id) = (tasks.clone(), id.clone());
            async move { tasks.cancel(&ME, &id).await }
        });
        let finish = tokio::spawn(worker.finish(result(json!({"x": 1}))));
        cancel.await.unwrap().unwrap();
        finish.await.unwrap();
        let found = get(&tasks, &id).await;
        match found["status"].as_str().unwrap() {
            "completed" => assert_eq!(found["result"], json!({"x": 1})),
            "cancelled" => assert!(found.get("result").is_none()),
            other => panic!("{other}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn work_hears_that_its_time_is_up() {
    let tasks = tasks();
    let (worker, id) = create(&tasks).await;
    let task = worker.handle().clone();
    let (asked, ()) = tokio::join!(task.ask("a", question()), task.cancelled());
    assert_eq!(asked.map(drop), Err(AskError::Ended));
    assert_eq!(get(&tasks, &id).await, Value::Null);
    worker.finish(result(json!({}))).await;
    assert_eq!(get(&tasks, &id).await, Value::Null);
}

#[tokio::test]
async fn listeners_hear_what_a_client_would_see() {
    let heard: Arc<Mutex<Vec<(u64, TaskStatus)>>> = Arc::default();
    let limits = TaskLimits::default();
    let store = Arc::new(MemoryTaskStore::new(limits));
    let tasks = Tasks::with_listener(store, limits, {
        let heard = Arc::clone(&heard);
        move |record| {
            let news = (record.version, record.status());
            heard.lock().unwrap().push(news);
        }
    });
    let (worker, id) = create(&tasks).await;
    let task = worker.handle().clone();
    let (asked, ()) = tokio::join!(task.ask("a", question()), async {
        settle().await;
        answer(&tasks, &id, "never", json!(1)).await.unwrap();
        answer(&tasks, &id, "a", json!(1)).await.unwrap();
    });
    asked.unwrap();
    worker.finish(result(json!({}))).await;
    tasks.cancel(&ME, &id).await.unwrap();
    let heard = heard.lock().unwrap();
    use TaskStatus::{Completed, InputRequired, Working};
    // The fourth version is that the answer was taken.
    assert_eq!(*heard, [(2, InputRequired), (3, Working), (5, Completed)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_at_once() {
    let tasks = Tasks::in_memory(TaskLimits {
        tasks_per_caller: 1000,
        ..TaskLimits::default()
    });
    let done = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for number in 0..1000 {
        let (worker, id) = create(&tasks).await;
        let (tasks, done) = (tasks.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            worker.handle().set_message("asking").await;
            let answer = worker.handle().ask("number", question()).await.unwrap();
            worker.finish(Ok(answer)).await;
            done.fetch_add(1, Ordering::Relaxed);
        });
        clients.push(tokio::spawn(async move {
            let mut seen = 0;
            loop {
                let waited = tasks.0.store.wait(&ME, &id, seen).await;
                let record = waited.unwrap().unwrap();
                match record.status() {
                    TaskStatus::InputRequired => {
                        answer(&tasks, &id, "number", json!(number)).await.unwrap();
                    }
                    TaskStatus::Completed => break,
                    _ => {}
                }
                seen = record.version;
            }
            assert_eq!(get(&tasks, &id).await["result"], json!(number));
        }));
    }
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(done.load(Ordering::Relaxed), 1000);
}
