//! What replicas tell each other of who may not be served any more: sessions that were ended, tokens that were revoked.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::auth::tokens::{self, Tokens};
use crate::session::{self, TELL};
use crate::store::EndedSessionStore;

use super::App;

/// How often tokens are looked for while others tell of them at once: one of these may have died before it did.
const SELDOM: Duration = Duration::from_secs(5);

/// Time at shutdown to tell of tokens that were revoked last.
const LAST: Duration = Duration::from_millis(500);

/// Tells, and hears, until it is dropped.
pub(super) struct Telling(JoinSet<()>);

impl Telling {
    /// Begins. Whoever comes first is refused already what was revoked before.
    pub(super) async fn begin(app: &Arc<App>) -> Self {
        let mut tasks = JoinSet::new();
        if let Some(store) = app.server.inner().ended_sessions.clone() {
            tasks.spawn(tell_of_sessions(Arc::clone(app), store));
        }
        if let Some(mut telling) = of_tokens(app)
            && let Some(tokens) = tokens_of(app)
        {
            tokens.share();
            // Without the store its own list decides.
            let _ = telling.hear(tokens).await;
            tasks.spawn(tell_of_tokens(Arc::clone(app), telling));
        }
        Self(tasks)
    }

    /// Tells the last of it.
    pub(super) async fn end(mut self, app: &App) {
        self.0.shutdown().await;
        if let Some(store) = app.server.inner().ended_sessions.clone() {
            session::Telling::new(store).tell(&app.sessions).await;
        }
        if let Some(telling) = of_tokens(app)
            && let Some(tokens) = tokens_of(app)
        {
            let _ = timeout(LAST, tell(app, &telling, tokens)).await;
        }
    }
}

fn tokens_of(app: &App) -> Option<&Tokens> {
    app.config.auth.authenticator.as_ref()?.tokens()
}

fn of_tokens(app: &App) -> Option<tokens::Telling> {
    let store = app.server.inner().token_changes.clone()?;
    Some(tokens::Telling::new(store))
}

async fn tell_of_sessions(app: Arc<App>, store: Arc<dyn EndedSessionStore>) {
    let mut telling = session::Telling::new(store);
    loop {
        telling.exchange(&app.sessions).await;
        sleep(TELL).await;
    }
}

async fn tell_of_tokens(app: Arc<App>, mut telling: tokens::Telling) {
    let Some(tokens) = tokens_of(&app) else {
        return;
    };
    let replicas = app.server.inner().replicas.as_ref();
    loop {
        let whole = tell(&app, &telling, tokens).await && telling.hear(tokens).await.is_ok();
        let hears = replicas.is_some_and(|replicas| replicas.hears());
        let pause = match whole && hears {
            true => SELDOM,
            false => TELL,
        };
        let heard = async {
            match replicas {
                Some(replicas) => replicas.hear_of_tokens().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tokens.news() => {}
            () = heard => {}
            () = sleep(pause) => {}
        }
    }
}

/// Tells, and has others look at once; whether that was possible.
async fn tell(app: &App, telling: &tokens::Telling, tokens: &Tokens) -> bool {
    let told = telling.tell(tokens).await;
    if told.is_ok_and(|told| told > 0)
        && let Some(replicas) = &app.server.inner().replicas
    {
        replicas.tell_of_tokens();
    }
    told.is_ok()
}
