use std::collections::BTreeMap;

use rmcp::model::TaskStatus;
use serde_json::value::RawValue;

use super::*;

const TTL: Duration = Duration::from_secs(300);

fn limits() -> TaskLimits {
    TaskLimits {
        tasks: 4,
        tasks_per_caller: 2,
        bytes: 1000,
        bytes_per_caller: 600,
        ..TaskLimits::default()
    }
}

fn alice() -> Principal {
    Principal::authenticated("alice")
}

/// Whoever this is, in one place.
fn caller(owner: &Principal) -> Caller {
    Caller::new(owner.clone(), None, 1)
}

fn text(bytes: usize) -> Box<RawValue> {
    RawValue::from_string(format!("\"{}\"", "x".repeat(bytes - 2))).unwrap()
}

async fn create(
    store: &MemoryTaskStore,
    owner: &Principal,
    id: &str,
    ttl: Duration,
) -> Result<(), StoreError> {
    let record = TaskRecord::new(owner.clone(), id.into(), ttl, Duration::from_secs(1));
    store.create(&caller(owner), record).await
}

async fn change(
    store: &MemoryTaskStore,
    owner: &Principal,
    id: &str,
    change: Change,
) -> Result<Option<TaskStatus>, StoreError> {
    let changed = store.change(owner, id, change).await?;
    Ok(changed.map(|changed| changed.record.status()))
}

async fn exists(store: &MemoryTaskStore, owner: &Principal, id: &str) -> bool {
    store.get(owner, id).await.unwrap().is_some()
}

#[tokio::test]
async fn a_task_is_its_owners_alone() {
    let store = MemoryTaskStore::new(limits());
    create(&store, &alice(), "1", TTL).await.unwrap();
    for other in [Principal::ANONYMOUS, Principal::authenticated("bob")] {
        assert!(!exists(&store, &other, "1").await);
        assert!(store.wait(&other, "1", 0).await.unwrap().is_none());
        let cancelled = change(&store, &other, "1", Change::Cancel).await;
        assert!(cancelled.unwrap().is_none());
    }
    let task = store.get(&alice(), "1").await.unwrap().unwrap();
    assert!(task.status() == TaskStatus::Working);
}

#[tokio::test]
async fn one_caller_cannot_take_the_room_of_all() {
    let store = MemoryTaskStore::new(limits());
    create(&store, &alice(), "1", TTL).await.unwrap();
    create(&store, &alice(), "2", TTL).await.unwrap();
    assert_eq!(
        create(&store, &alice(), "3", TTL).await,
        Err(StoreError::Full)
    );
    // What has ended is kept for as long as there is room.
    change(&store, &alice(), "1", Change::Cancel).await.unwrap();
    assert!(exists(&store, &alice(), "1").await);
    create(&store, &alice(), "3", TTL).await.unwrap();
    assert!(!exists(&store, &alice(), "1").await);
    assert!(exists(&store, &alice(), "2").await);
    // The last place is for somebody who has none.
    let [bob, carol, dave] = ["bob", "carol", "dave"].map(Principal::authenticated);
    let full = Err(StoreError::Full);
    create(&store, &bob, "4", TTL).await.unwrap();
    assert_eq!(create(&store, &bob, "5", TTL).await, full);
    create(&store, &carol, "6", TTL).await.unwrap();
    assert_eq!(create(&store, &dave, "7", TTL).await, full);
    assert_eq!(store.len(), 4);
}

#[tokio::test]
async fn anonymous_callers_are_counted_for_where_they_are() {
    let store = MemoryTaskStore::new(TaskLimits {
        tasks: 8,
        ..limits()
    });
    let nobody = Principal::ANONYMOUS;
    let at = |address: [u8; 4], connection| {
        Caller::new(Principal::ANONYMOUS, Some(address.into()), connection)
    };
    let begin = |id: &'static str| TaskRecord::new(nobody.clone(), id.into(), TTL, TTL);
    let (one, same) = (at([192, 0, 2, 1], 1), at([192, 0, 2, 1], 2));
    store.create(&one, begin("1")).await.unwrap();
    store.create(&same, begin("2")).await.unwrap();
    assert_eq!(store.create(&one, begin("3")).await, Err(StoreError::Full));
    // Somebody else, and on loopback another connection, has a share of its own; what has ended goes
    // for its own caller only.
    change(&store, &nobody, "1", Change::Cancel).await.unwrap();
    let (other, local, too) = (
        at([192, 0, 2, 2], 1),
        at([127, 0, 0, 1], 1),
        at([127, 0, 0, 1], 2),
    );
    for (caller, id) in [(&other, "4"), (&local, "5"), (&too, "6")] {
        store.create(caller, begin(id)).await.unwrap();
    }
    assert!(exists(&store, &nobody, "1").await);
    store.create(&same, begin("7")).await.unwrap();
    assert!(!exists(&store, &nobody, "1").await);
    // All of them are one principal, and find each other's by its id.
    assert!(exists(&store, &nobody, "4").await);
}

#[tokio::test]
async fn an_id_is_never_given_twice() {
    let store = MemoryTaskStore::new(limits());
    create(&store, &alice(), "1", TTL).await.unwrap();
    let again = create(&store, &Principal::ANONYMOUS, "1", TTL).await;
    assert_eq!(again, Err(StoreError::Unavailable));
    assert!(exists(&store, &alice(), "1").await);
}

#[tokio::test]
async fn bytes_are_bounded_and_what_shrinks_is_never_refused() {
    let store = MemoryTaskStore::new(limits());
    let ask = |key: &str, bytes| Change::Ask {
        key: key.into(),
        request: text(bytes),
    };
    for id in ["1", "2"] {
        create(&store, &alice(), id, TTL).await.unwrap();
    }
    change(&store, &alice(), "1", ask("a", 499)).await.unwrap();
    let full = Err(StoreError::Full);
    assert_eq!(change(&store, &alice(), "2", ask("a", 100)).await, full);
    let more = Change::Answer(BTreeMap::from([("a".into(), text(700))]));
    assert_eq!(change(&store, &alice(), "1", more).await, full);
    let task = store.get(&alice(), "1").await.unwrap().unwrap();
    assert_eq!(task.version, 2, "what was refused changed nothing");
    let less = Change::Answer(BTreeMap::from([
        ("a".into(), text(10)),
        ("never".into(), text(5000)),
    ]));
    change(&store, &alice(), "1", less).await.unwrap();
    change(&store, &alice(), "2", ask("a", 100)).await.unwrap();

    let bob = Principal::authenticated("bob");
    create(&store, &bob, "3", TTL).await.unwrap();
    change(&store, &bob, "3", ask("a", 580)).await.unwrap();
    let result = Change::Complete(text(550));
    assert_eq!(change(&store, &alice(), "1", result.clone()).await, full);
    let failure = Change::Fail {
        error: text(2000),
        message: String::new(),
    };
    let failed = change(&store, &bob, "3", failure).await;
    assert_eq!(failed, Ok(Some(TaskStatus::Failed)));
}

#[tokio::test(start_paused = true)]
async fn a_task_is_there_until_its_time_is_up_and_leaves_nothing() {
    let store = MemoryTaskStore::new(limits());
    create(&store, &alice(), "1", TTL).await.unwrap();
    change(&store, &alice(), "1", Change::Complete(text(500)))
        .await
        .unwrap();
    tokio::time::sleep(TTL - Duration::from_millis(10)).await;
    assert!(exists(&store, &alice(), "1").await);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!exists(&store, &alice(), "1").await);
    let state = store.0.lock();
    assert!(state.tasks.is_empty() && state.due.is_empty() && state.used_by.is_empty());
    assert!(state.used.tasks == 0 && state.used.bytes == 0);
}

#[tokio::test(start_paused = true)]
async fn memory_is_freed_when_nobody_calls() {
    let store = MemoryTaskStore::new(limits());
    create(&store, &alice(), "1", TTL).await.unwrap();
    create(&store, &alice(), "2", TTL / 100).await.unwrap();
    tokio::time::sleep(TTL / 50).await;
    assert_eq!(store.0.lock().tasks.len(), 1);
    tokio::time::sleep(TTL).await;
    let sweeper_is_gone = {
        let state = store.0.lock();
        state.tasks.is_empty() && state.sweeper.is_none()
    };
    assert!(sweeper_is_gone);
    // And again after it was empty.
    create(&store, &alice(), "3", TTL).await.unwrap();
    tokio::time::sleep(TTL * 2).await;
    assert!(store.0.lock().tasks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_ends_late_is_kept_for_a_minute() {
    let store = MemoryTaskStore::new(limits());
    create(&store, &alice(), "1", TTL).await.unwrap();
    tokio::time::sleep(TTL - Duration::from_secs(1)).await;
    change(&store, &alice(), "1", Change::Complete(text(10)))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert!(exists(&store, &alice(), "1").await);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(store.0.lock().tasks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_waits_hears_of_changes_and_of_the_end_of_time() {
    let store = MemoryTaskStore::new(limits());
    create(&store, &alice(), "1", TTL).await.unwrap();
    let owner = alice();
    let first = store.wait(&owner, "1", 0).await.unwrap().unwrap();
    assert_eq!(first.version, 1);
    let message = Change::Message("half".to_owned());
    let (second, _) = tokio::join!(
        store.wait(&owner, "1", 1),
        store.change(&owner, "1", message)
    );
    assert_eq!(second.unwrap().unwrap().version, 2);
    let begun = Instant::now();
    assert!(store.wait(&owner, "1", 2).await.unwrap().is_none());
    assert!(begun.elapsed() >= TTL);
}

#[test]
fn a_store_outlives_a_runtime() {
    let store = MemoryTaskStore::new(limits());
    for id in ["1", "2"] {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            create(&store, &alice(), id, TTL).await.unwrap();
            assert!(exists(&store, &alice(), id).await);
        });
    }
}
