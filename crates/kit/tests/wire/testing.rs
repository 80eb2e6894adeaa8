//! What authors test with: clients of both eras, over every wire, and snapshots.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pymcp_kit::testing::{self, ANY, Client, Era, Probe};
use pymcp_kit::transport::http::{HttpConfig, serve};
use pymcp_kit::{Ctx, Effect, Elicited, Error, NoArgs, Resource, Result, Server, Tool};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::fixture;

const ERAS: [Era; 2] = [Era::Legacy, Era::Modern];

fn server() -> Server {
    fixture::server(Duration::from_secs(300)).unwrap()
}

/// Serves over loopback, in the runtime of the test.
async fn listen(server: Server) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let never = std::future::pending::<()>();
    tokio::spawn(serve(listener, server, HttpConfig::default(), never));
    address
}

/// All that a client does, whatever is between it and the fixture.
async fn converse(client: Client) {
    let mut client = client
        .answer("How wide", json!(2.5))
        .sample("sea", "It is wide.");
    let names = |listed: Vec<Value>| {
        let names = listed
            .into_iter()
            .map(|definition| definition["name"].clone());
        names.collect::<Vec<_>>()
    };
    let tools = names(client.list_tools().await);
    assert_eq!(tools, ["factorial", "hail", "measure", "summarize"]);
    assert_eq!(names(client.list_resources().await), ["large"]);
    assert_eq!(names(client.list_templates().await), ["square"]);
    assert_eq!(names(client.list_prompts().await), ["review"]);
    assert_eq!(client.server().await["instructions"], "For tests.");

    let counted = client.call("factorial", json!({ "n": 5 })).await;
    assert_eq!((counted.text(), counted.value::<u64>()), ("120", 120));
    let refused = client.call("factorial", json!({ "n": 21 })).await;
    assert!(refused.error_text().contains("20"), "{refused:?}");
    assert_eq!(client.call("dance", json!({})).await.error().0, -32602);
    assert_eq!(
        client.request("tools/dance", json!({})).await.error().0,
        -32601
    );

    let large = client.read("data://large").await;
    assert_eq!(large.text().len(), fixture::LARGE);
    assert_eq!(client.read("data://square/12").await.text(), "144");
    let sides = client.complete("data://square/{side}", "side", "9").await;
    assert_eq!(sides.first().map(String::as_str), Some("9"));
    let review = client.prompt("review", json!({ "task": "sort" })).await;
    assert_eq!(review.text(), "Review this: sort");

    assert_eq!(client.logs(), []);
    let width = client.call("measure", json!({ "at": 1 })).await;
    assert_eq!(width.value::<f64>(), 2.5);
    let said = client.call("summarize", json!({ "text": "the sea" })).await;
    assert_eq!(said.text(), "It is wide.");
    let asked: Vec<_> = client.asked().iter().map(|asked| asked.text()).collect();
    assert_eq!(asked, ["How wide is it there?", "Be brief.\nthe sea"]);
    let logs = client.logs();
    let received = ("warning".to_owned(), json!("Received width: 2.5"));
    assert!(logs.contains(&received), "{logs:?}");
}

#[tokio::test]
async fn in_memory_in_both_eras() {
    testing::both(server, converse).await;
}

#[tokio::test]
async fn over_http_in_both_eras() {
    let address = listen(server()).await;
    for era in ERAS {
        converse(Client::http(address, "/mcp", era)).await;
    }
}

#[tokio::test]
async fn a_program_over_stdio_in_both_eras() {
    let program = crate::support::fixture(&[]);
    for era in ERAS {
        let mut running = program.stdio();
        // The client leaves, and with it the server's input ends.
        converse(running.client(era)).await;
        assert!(running.wait().await.success(), "{}", running.stderr());
    }
}

#[tokio::test]
async fn a_program_over_http_in_both_eras() {
    let mut running = crate::support::fixture(&[])
        .args(["--cache-ttl", "0"])
        .http()
        .await;
    assert!(running.address().ip().is_loopback());
    for era in ERAS {
        converse(running.client(era)).await;
    }
    #[cfg(unix)]
    {
        running.terminate();
        assert!(running.wait().await.success(), "{}", running.stderr());
        assert!(running.stderr().contains("listening on http://127.0.0.1:"));
    }
}

#[tokio::test]
async fn a_program_dies_with_what_started_it() {
    let running = crate::support::fixture(&[]).http().await;
    let address = running.address();
    assert!(tokio::net::TcpStream::connect(address).await.is_ok());
    drop(running);
    // The signal is on its way when the drop is over; the port closes with the process.
    let gone = async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone)
        .await
        .unwrap();
}

#[tokio::test]
#[should_panic(expected = "there is no --nonsense")]
async fn a_program_that_does_not_listen_says_why() {
    crate::support::fixture(&[])
        .args(["--nonsense", "1"])
        .http()
        .await;
}

#[tokio::test]
async fn a_user_may_say_no_and_a_client_may_not_be_able() {
    testing::both(server, async |client| {
        let mut client = client.decline(ANY);
        let measured = client.call("measure", json!({ "at": 1 })).await;
        assert_eq!(measured.value::<f64>(), 1.0);
    })
    .await;
    testing::both(server, async |client| {
        let mut client = client.cancel("How wide");
        let measured = client.call("measure", json!({ "at": 1 })).await;
        assert_eq!(measured.error_text(), "Cancelled by the user.");
    })
    .await;
    testing::both(server, async |client| {
        let (era, mut client) = (client.era(), client.capabilities(json!({})));
        let refused = client.call("measure", json!({ "at": 1 })).await;
        match era {
            Era::Legacy => assert!(refused.error_text().contains("elicitation")),
            Era::Modern => assert_eq!(refused.error().0, -32021),
        }
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "How wide is it there?")]
async fn a_question_without_an_answer_is_shown() {
    let mut client = Client::modern(&server());
    client.call("measure", json!({ "at": 1 })).await;
}

#[tokio::test]
async fn changes_progress_and_roots_are_heard_of() {
    async fn work(ctx: Ctx, _: NoArgs) -> Result<String> {
        // Before the progress, which a modern client would hear again in the second round.
        let roots = ctx.roots().await?;
        for step in [1.0, 2.0] {
            ctx.progress(step, Some(2.0), None).await;
        }
        Ok(format!("{}", roots.len()))
    }
    let build = || {
        Server::builder("test", "1.0.0")
            .tool(Tool::new("work", work).effects([Effect::AsksUser]))
            .resource(Resource::new("data://x", "x", async |_: Ctx| {
                Ok::<_, Error>("x")
            }))
            .build()
            .unwrap()
    };
    for era in ERAS {
        let server = build();
        let address = listen(server.clone()).await;
        for client in [
            Client::new(&server, era),
            Client::http(address, "/mcp", era),
        ] {
            let mut client = client.roots(["file:///a", "file:///b"]);
            assert_eq!(client.call("work", json!({})).await.text(), "2");
            let steps: Vec<_> = client.progress().iter().map(|told| told.progress).collect();
            assert_eq!(steps, [1.0, 2.0]);
            client.listen(&["data://x"]).await;
            server.components().updated("data://x");
            let updated = client.notified("notifications/resources/updated").await;
            assert_eq!(updated["uri"], "data://x");
            server
                .components()
                .switch(pymcp_kit::Kind::Tool, "work", false);
            client.notified("notifications/tools/list_changed").await;
            assert_eq!(client.list_tools().await.len(), 0);
            server
                .components()
                .switch(pymcp_kit::Kind::Tool, "work", true);
            client.notified("notifications/tools/list_changed").await;
            assert_eq!(client.list_tools().await.len(), 1);
        }
    }
}

#[tokio::test]
async fn a_replay_finds_out_what_is_done_before_a_question() {
    async fn order(ctx: Ctx, made: Arc<AtomicU32>, careful: bool) -> Result<bool> {
        if !careful {
            made.fetch_add(1, Ordering::Relaxed);
        }
        ctx.info("Asking.").await;
        let sure = ctx.elicit::<bool>("Sure?").await?;
        if careful {
            made.fetch_add(1, Ordering::Relaxed);
        }
        Ok(matches!(sure, Elicited::Accepted(true)))
    }
    for (careful, times) in [(true, 1), (false, 2)] {
        let answer =
            |_: &str, _: &Value| json!({ "action": "accept", "content": { "value": true } });
        let mut probe = Probe::with_capabilities(json!({ "elicitation": {} }), answer);
        let made = Arc::new(AtomicU32::new(0));
        let held = Arc::clone(&made);
        let replayed = probe
            .replay(move |ctx| order(ctx, Arc::clone(&held), careful))
            .await;
        assert!(replayed.unwrap());
        assert_eq!((probe.runs(), made.load(Ordering::Relaxed)), (2, times));
        assert_eq!(probe.logs().len(), 2);

        let made = Arc::new(AtomicU32::new(0));
        let once = order(probe.ctx(), Arc::clone(&made), careful);
        assert!(probe.run(once).await.unwrap());
        assert_eq!((probe.runs(), made.load(Ordering::Relaxed)), (1, 1));
    }
}

// ------------------------------------------------------------------------------------- snapshots

#[tokio::test]
async fn the_fixture_is_as_on_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/snapshots");
    testing::snapshot(&server(), folder).await;
}

#[tokio::test]
async fn a_server_with_tools_only_or_nothing_passes() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = Server::builder("test", "1.0.0").build().unwrap();
    testing::snapshot(&nothing, folder.path()).await;
    let add = Tool::new("add", async |_: Ctx, _: NoArgs| Ok::<_, Error>(1_u32))
        .description("Adds.")
        .read_only()
        .destructive(false)
        .idempotent(true)
        .open_world(false);
    let tools = Server::builder("test", "1.0.0").tool(add).build().unwrap();
    let definition = &Client::modern(&tools).list_tools().await[0];
    std::fs::create_dir(folder.path().join("tools")).unwrap();
    let file = folder.path().join("tools/add.json");
    std::fs::write(file, format!("{definition:#}\n")).unwrap();
    testing::snapshot(&tools, folder.path()).await;
}

#[tokio::test]
async fn what_clients_cannot_use_is_complained_of() {
    let vague = Tool::new("vague", async |_: Ctx, _: NoArgs| Ok::<_, Error>(()));
    let server = Server::builder("test", "1.0.0")
        .tool(vague)
        .build()
        .unwrap();
    let complaints = testing::complaints(&server).await;
    assert!(
        complaints.contains(&"tools vague: no description".to_owned()),
        "{complaints:?}"
    );
}
