//! Ctrl-C: the first one ends what is under way, in good order.

use tokio::sync::watch;

use crate::Result;

/// Tells when a person wants what is under way to end.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    asked: watch::Receiver<()>,
    again: bool,
}

impl Stop {
    /// SIGINT, SIGTERM and SIGHUP. A second one ends the process at once.
    ///
    /// # Errors
    /// That signals cannot be listened for.
    pub(crate) fn once() -> Result<Self> {
        #[cfg(unix)]
        let mut signals = crate::signals::signals()?;
        let (sender, asked) = watch::channel(());
        tokio::spawn(async move {
            #[cfg(unix)]
            signals.next().await;
            #[cfg(not(unix))]
            if tokio::signal::ctrl_c().await.is_err() {
                return;
            }
            sender.send_replace(());
            // It stays true.
            sender.closed().await;
        });
        Ok(Self {
            asked,
            again: false,
        })
    }

    /// Each Ctrl-C, for a program that goes on: it ends what is under way at that moment, and nothing else.
    pub(crate) fn each_time() -> Self {
        let (sender, asked) = watch::channel(());
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                sender.send_replace(());
            }
        });
        Self { asked, again: true }
    }

    /// Waits for it.
    pub(crate) async fn wait(&self) {
        let mut asked = self.asked.clone();
        if self.again {
            asked.mark_unchanged();
        }
        if asked.changed().await.is_err() {
            std::future::pending().await
        }
    }
}
