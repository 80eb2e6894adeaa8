//! What lasts as long as a session does.

use pymcp_kit::core::Unsolicited;
use pymcp_kit::{Ctx, Error, NoArgs, Resource, Result, Server, SessionKey, Tool};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::client::{Client, able, soon};

/// A tool that says whose session it was called in, and again when that is over.
fn server(told: UnboundedSender<Option<SessionKey>>) -> Server {
    let tool = Tool::new("watch", move |ctx: Ctx, _: NoArgs| watch(ctx, told.clone()));
    Server::builder("test", "1.0.0").tool(tool).build().unwrap()
}

async fn watch(ctx: Ctx, told: UnboundedSender<Option<SessionKey>>) -> Result<()> {
    let (session, over) = (ctx.session(), ctx.session_over());
    told.send(session)?;
    tokio::spawn(async move {
        over.await;
        told.send(session)
    });
    Ok(())
}

#[tokio::test]
async fn the_end_of_a_session_is_told_to_whoever_kept_something_for_it() {
    let (told, mut heard) = unbounded_channel();
    let server = server(told);
    let watch = json!({ "name": "watch", "arguments": {} });
    let (one, _stream) = Client::legacy(&server).await;
    let (other, _stream) = Client::legacy(&server).await;
    one.result("tools/call", watch.clone()).await;
    let first = heard.recv().await.unwrap();
    other.result("tools/call", watch.clone()).await;
    let second = heard.recv().await.unwrap();
    assert!(first.is_some() && second.is_some() && first != second);
    other.connection.close();
    assert_eq!(soon(heard.recv()).await, Some(second));
    assert!(heard.try_recv().is_err(), "the first one goes on");
    one.connection.close();
    assert_eq!(soon(heard.recv()).await, Some(first));

    // A request that stands alone belongs to none.
    let alone = Client::modern(&server, able());
    alone.result("tools/call", watch).await;
    assert_eq!(heard.recv().await, Some(None));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_read_leaves_what_comes_to_an_older_one() {
    let server = Server::builder("test", "1.0.0")
        .resource(Resource::new("data://x", "x", async |_: Ctx| {
            Ok::<_, Error>("x")
        }))
        .build()
        .unwrap();
    let (client, mut older) = Client::legacy(&server).await;
    let mut newer = client.connection.open_stream().unwrap();
    let uri = json!({ "uri": "data://x" });
    client.result("resources/subscribe", uri).await;
    // 64 wait for each; what is beyond both is lost.
    for _ in 0..200 {
        server.components().updated("data://x");
    }
    let heard = |stream: &mut Unsolicited| std::iter::from_fn(|| stream.try_recv().ok()).count();
    assert_eq!((heard(&mut newer), heard(&mut older)), (64, 64));
    server.components().updated("data://x");
    assert_eq!((heard(&mut newer), heard(&mut older)), (1, 0));
    drop(newer);
    server.components().updated("data://x");
    assert_eq!(heard(&mut older), 1);
}
