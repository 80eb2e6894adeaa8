//! Questions and `once` beside other work: in tasks that the handler spawned, on other threads, and in futures that
//! nobody waits for any more.

use std::future::{pending, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use futures_util::{FutureExt, poll};
use pymcp_kit::{Ctx, Effect, Elicited, Error, Form, NoArgs, Question, Result, Tool};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};
use tokio::task::yield_now;
use tokio::time::Instant;

use super::stage::{Stage, accept, again, answer, asked, soon, state, text};

/// A server with this tool as well.
fn with(tool: Tool) -> Stage {
    Stage::of("test", |builder| {
        builder.tool(tool.effects([Effect::AsksUser]))
    })
}

fn question(name: &str) -> impl Question<Answer = Elicited<bool>> + use<> {
    Form::<bool>::new("Go on?").named(name)
}

fn tool(name: &str) -> Value {
    json!({ "name": name })
}

/// The call again, with a yes to this question.
fn yes(call: Value, round: &Value, name: &str) -> Value {
    again(call, state(round), json!({ name: accept(true) }))
}

/// Lets what was spawned run until it waits.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

/// Where a handler and what it spawned stand.
#[derive(Default)]
struct Signals {
    begun: Notify,
    asked: Notify,
    go: Notify,
    charges: AtomicUsize,
}

/// Charges in a spawned task, and asks while that goes on.
async fn charge_beside(ctx: Ctx, signals: Arc<Signals>) -> Result<String> {
    let (inner, there) = (ctx.clone(), Arc::clone(&signals));
    let charge = tokio::spawn(async move {
        // Nobody else runs before it is inside.
        there.begun.notify_one();
        let work = async {
            there.go.notified().await;
            Ok(there.charges.fetch_add(1, Ordering::SeqCst) + 1)
        };
        inner.once("charge", work).await
    });
    signals.begun.notified().await;
    let mut question = pin!(ctx.ask(question("sure")));
    let sure = match poll!(question.as_mut()) {
        std::task::Poll::Ready(sure) => sure,
        std::task::Poll::Pending => {
            signals.asked.notify_one();
            question.await
        }
    };
    sure?;
    Ok(format!("charge {}", charge.await??))
}

#[tokio::test(start_paused = true)]
async fn a_question_is_sent_as_soon_as_the_work_beside_it_is_done() {
    let signals = Arc::<Signals>::default();
    let shared = Arc::clone(&signals);
    let stage = with(Tool::new("charge", move |ctx: Ctx, _: NoArgs| {
        charge_beside(ctx, Arc::clone(&shared))
    }));
    // In a task of its own, which nothing else wakes.
    let mut call = stage.begin_call(tool("charge"));
    let first = tokio::spawn(async move { answer(soon(call.next_event()).await) });
    soon(signals.asked.notified()).await;
    // The handler waits for nothing but its answer when the work goes on.
    settle().await;
    signals.go.notify_one();
    let waiting = Instant::now();
    let first = first.await.unwrap();
    // No timer had to remind anybody.
    assert!(waiting.elapsed().is_zero());
    assert_eq!(asked(&first), ["sure"]);
    let done = stage.wait_for(yes(tool("charge"), &first, "sure")).await;
    assert_eq!(text(&done), ("charge 1", false));
    assert_eq!(signals.charges.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn what_begins_after_the_end_of_a_round_is_not_done_in_vain() {
    let signals = Arc::<Signals>::default();
    let (tell, mut told) = mpsc::unbounded_channel();
    let shared = Arc::clone(&signals);
    let late = Tool::new("late", move |ctx: Ctx, _: NoArgs| {
        let (signals, tell, inner) = (Arc::clone(&shared), tell.clone(), ctx.clone());
        async move {
            let charge = tokio::spawn(async move {
                signals.go.notified().await;
                let work = async { Ok(signals.charges.fetch_add(1, Ordering::SeqCst)) };
                let charged = inner.once("charge", work).await;
                let _ = tell.send(charged.is_ok());
                charged
            });
            ctx.ask(question("sure")).await?;
            charge.await??;
            Ok::<_, Error>("charged")
        }
    });
    let stage = with(late);
    let first = stage.wait_for(tool("late")).await;
    assert_eq!(asked(&first), ["sure"]);
    signals.go.notify_one();
    assert_eq!(soon(told.recv()).await, Some(false));
    assert_eq!(signals.charges.load(Ordering::SeqCst), 0);
    signals.go.notify_one();
    let done = stage.wait_for(yes(tool("late"), &first, "sure")).await;
    assert_eq!(text(&done), ("charged", false));
    assert_eq!(soon(told.recv()).await, Some(true));
    assert_eq!(signals.charges.load(Ordering::SeqCst), 1);
}

/// Asks on another thread at the very moment at which the work of a `once` runs on this one.
async fn ask_beside(ctx: Ctx) -> Result<&'static str> {
    let mut question = Box::pin(ctx.ask(question("sure")));
    let work = async {
        thread::scope(|scope| {
            let beside = || question.as_mut().now_or_never();
            Ok(scope.spawn(beside).join().unwrap().is_some())
        })
    };
    // In the second round the work is not done again, and nothing was asked yet.
    match ctx.once("work", work).await? {
        true => Err(Error::user("It was refused.")),
        false => question.await.map(|_| "asked"),
    }
}

#[test]
fn a_question_beside_the_work_of_once_is_asked() {
    let stage = with(Tool::new("beside", |ctx: Ctx, _: NoArgs| ask_beside(ctx)));
    let first = stage.call(tool("beside"));
    assert_eq!(asked(&first), ["sure"]);
    let done = stage.call(yes(tool("beside"), &first, "sure"));
    assert_eq!(text(&done), ("asked", false));
}

#[test]
fn a_question_inside_the_work_of_once_is_refused_at_once() {
    let stage = with(Tool::new("inside", async |ctx: Ctx, _: NoArgs| {
        let inside = ctx.once("work", async {
            ctx.ask(question("sure")).await?;
            Ok(())
        });
        // What runs beside it does not hide it.
        let beside = ctx.once("other", async {
            yield_now().await;
            Ok(())
        });
        tokio::try_join!(inside, beside)?;
        Ok::<_, Error>("never")
    }));
    let answer = stage.call(tool("inside"));
    assert_eq!(answer["error"]["code"], -32603, "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_question_that_nobody_waits_for_any_more_is_not_asked() {
    let stage = with(Tool::new("hasty", async |ctx: Ctx, _: NoArgs| {
        tokio::select! {
            biased;
            _ = ctx.ask(question("withdrawn")) => {}
            () = ready(()) => {}
        }
        // The handler waits for something else.
        yield_now().await;
        ctx.ask(question("sure")).await?;
        Ok::<_, Error>("went on")
    }));
    let first = stage.wait_for(tool("hasty")).await;
    assert_eq!(asked(&first), ["sure"]);
    let done = stage.wait_for(yes(tool("hasty"), &first, "sure")).await;
    assert_eq!(text(&done), ("went on", false));
}

/// How a handler ends beside somebody who asks.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Done,
    Failed,
    Asked,
    TimeIsUp,
    Dropped,
}

async fn end(ctx: &Ctx, end: End) -> Result<&'static str> {
    match end {
        End::Done => Ok("done"),
        End::Failed => Err(Error::user("failed")),
        End::Asked => pending().await,
        // As long as this goes on the question is not sent.
        End::TimeIsUp | End::Dropped => ctx.once("long", pending()).await.map(|()| "never"),
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_in_a_spawned_task_is_let_go_at_the_end() {
    for how in [
        End::Done,
        End::Failed,
        End::Asked,
        End::TimeIsUp,
        End::Dropped,
    ] {
        let (tell, mut told) = mpsc::unbounded_channel();
        let stage = with(Tool::new("end", move |ctx: Ctx, _: NoArgs| {
            let (tell, inner) = (tell.clone(), ctx.clone());
            let asks = Arc::new(Notify::new());
            let there = Arc::clone(&asks);
            tokio::spawn(async move {
                // Nobody else runs before the question is open.
                there.notify_one();
                let _ = tell.send(inner.ask(question("sure")).await.is_err());
            });
            async move {
                asks.notified().await;
                end(&ctx, how).await
            }
        }));
        let mut call = stage.begin_call(tool("end"));
        match how {
            End::Dropped => {
                for _ in 0..2 {
                    assert!(call.next_event().now_or_never().is_none());
                    settle().await;
                }
                drop(call);
            }
            _ => assert!(soon(call.next_event()).await.is_some()),
        }
        assert_eq!(soon(told.recv()).await, Some(true), "{how:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_spawned_hears_that_the_time_is_up() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let stage = with(Tool::new("slow", move |ctx: Ctx, _: NoArgs| {
        let tell = tell.clone();
        tokio::spawn(async move {
            ctx.cancelled().await;
            let _ = tell.send(ctx.is_cancelled());
        });
        pending::<Result<&'static str>>()
    }));
    let late = stage.wait_for(tool("slow")).await;
    assert!(text(&late).0.contains("took longer"), "{late}");
    assert_eq!(soon(told.recv()).await, Some(true));
}
