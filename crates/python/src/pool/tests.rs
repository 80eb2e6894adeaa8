use super::*;

#[tokio::test]
async fn a_worker_is_kept_ready_as_soon_as_a_killed_one_is_gone() {
    let pool = Pool::new(Config {
        workers: 1,
        isolation: Isolation::Process,
        // It lives, and never says that it is ready.
        program: Program {
            path: "/bin/cat".into(),
            arguments: Vec::new(),
        },
        ..Config::default()
    });
    let [busy, killed] = [(); 2].map(|()| Alive::new(&pool.0.alive));
    pool.0.keep_ready();
    let mut alive = pool.0.alive.subscribe();
    drop(killed);
    let started = alive.wait_for(|count| *count == 2);
    let started = tokio::time::timeout(Duration::from_secs(20), started).await;
    assert!(started.is_ok_and(|started| started.is_ok()));
    drop(busy);
    pool.close().await;
    assert_eq!(*pool.0.alive.borrow(), 0);
}
