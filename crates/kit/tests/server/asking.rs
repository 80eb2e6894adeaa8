//! What is made of questions is of one moment and for one client, and not everybody may ask.

use pymcp_kit::{
    CacheHint, Completion, CompletionRequest, Ctx, Effect, Error, NoArgs, Prompt, Resource, Result,
    Server, Tool,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Client, able, accept};

/// What somebody does who goes on without an answer.
async fn guess(ctx: Ctx) -> Result<&'static str> {
    match ctx.elicit::<bool>("Sure?").await {
        Ok(_) => Ok("asked"),
        Err(_) => Ok("guessed"),
    }
}

/// The call again, with a yes to its only question.
fn yes(mut call: Value, round: &Value) -> Value {
    assert_eq!(round["resultType"], "input_required", "{round}");
    let questions = round["inputRequests"].as_object().unwrap();
    let name = questions.keys().next().unwrap();
    call["inputResponses"] = json!({ name: accept(true) });
    call["requestState"] = round["requestState"].clone();
    call
}

#[tokio::test(start_paused = true)]
async fn what_was_done_without_an_answer_is_not_kept_for_those_who_can_be_asked() {
    let tool = Tool::new("guess", |ctx: Ctx, _: NoArgs| guess(ctx))
        .effects([Effect::AsksUser])
        .cached();
    let server = Server::builder("test", "1.0.0").tool(tool).build().unwrap();
    let (mute, able) = (
        Client::modern(&server, json!({})),
        Client::modern(&server, able()),
    );
    let call = json!({ "name": "guess" });
    for _ in 0..2 {
        let guessed = mute.result("tools/call", call.clone()).await;
        assert_eq!(guessed["content"][0]["text"], "guessed");
        let round = able.result("tools/call", call.clone()).await;
        let told = able.result("tools/call", yes(call.clone(), &round)).await;
        assert_eq!(told["content"][0]["text"], "asked");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_made_of_questions_is_fresh_for_nobody() {
    let server = Server::builder("test", "1.0.0")
        .resource(
            Resource::new("data://guess", "guess", guess)
                .effects([Effect::AsksUser])
                .cache_hint(CacheHint::FIXED),
        )
        .resource(
            Resource::new("data://known", "known", async |_: Ctx| {
                Ok::<_, Error>("known")
            })
            .cache_hint(CacheHint::FIXED),
        )
        .build()
        .unwrap();
    let able = Client::modern(&server, able());
    let freshness = |read: &Value| {
        let text = read["contents"][0]["text"].as_str().unwrap().to_owned();
        (text, read["ttlMs"].clone(), read["cacheScope"].clone())
    };
    let known = able
        .result("resources/read", json!({ "uri": "data://known" }))
        .await;
    let expected = ("known".to_owned(), json!(600_000), json!("public"));
    assert_eq!(freshness(&known), expected);

    let uri = json!({ "uri": "data://guess" });
    let round = able.result("resources/read", uri.clone()).await;
    assert_eq!(round.get("ttlMs"), None);
    let told = able
        .result("resources/read", yes(uri.clone(), &round))
        .await;
    let expected = ("asked".to_owned(), json!(0), json!("private"));
    assert_eq!(freshness(&told), expected);
    // Nor for somebody who can be asked, if this one cannot.
    let mute = Client::modern(&server, json!({}));
    let guessed = mute.result("resources/read", uri).await;
    let expected = ("guessed".to_owned(), json!(0), json!("private"));
    assert_eq!(freshness(&guessed), expected);
}

#[derive(Deserialize, JsonSchema)]
struct Topic {
    #[allow(dead_code)]
    topic: String,
}

/// A modern client may be asked by what its user started only; there is no round to a completion.
#[tokio::test(start_paused = true)]
async fn a_completion_cannot_ask_a_modern_client() {
    let prompt = Prompt::new("talk", async |_: Ctx, _: Topic| {
        Ok::<_, Error>("Talk.".to_owned())
    })
    .complete("topic", async |ctx: Ctx, typed: CompletionRequest| {
        ctx.elicit::<bool>("Sure?").await?;
        Ok::<_, Error>(Completion::of([typed.value]))
    })
    .effects([Effect::AsksUser]);
    let server = Server::builder("test", "1.0.0")
        .prompt(prompt)
        .build()
        .unwrap();
    let params = json!({
        "ref": { "type": "ref/prompt", "name": "talk" },
        "argument": { "name": "topic", "value": "t" },
    });
    let able = Client::modern(&server, able());
    let refused = able.ask("completion/complete", params).await;
    assert_eq!(refused["error"]["code"], -32603, "{refused}");
}
