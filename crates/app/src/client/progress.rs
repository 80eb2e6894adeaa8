//! The line of progress at the bottom of a terminal, written over each time.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use rmcp::model::ProgressNotificationParam;

use crate::output::visible;

/// Characters of the bar, and of a message beside it.
const BAR: usize = 30;
const MESSAGE: usize = 40;

/// Goes to the start of the line and clears it.
const CLEAR: &str = "\r\u{1b}[K";

/// Where a call stands, on stderr if that is a terminal; nothing otherwise.
#[derive(Debug)]
pub(super) struct Progress {
    is_terminal: bool,
    shown: Mutex<bool>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            is_terminal: io::stderr().is_terminal(),
            shown: Mutex::new(false),
        }
    }

    pub(super) fn show(&self, progress: &ProgressNotificationParam) {
        if self.is_terminal {
            self.write(true, &format!("{CLEAR}{}", line(progress)));
        }
    }

    /// Clears the line, before something else is written.
    pub(super) fn clear(&self) {
        if *self.lock() {
            self.write(false, CLEAR);
        }
    }

    fn write(&self, shows: bool, text: &str) {
        *self.lock() = shows;
        let mut stderr = io::stderr().lock();
        // Whoever is not there sees no progress.
        let _ = stderr
            .write_all(text.as_bytes())
            .and_then(|()| stderr.flush());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, bool> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn line(progress: &ProgressNotificationParam) -> String {
    let done = progress.progress;
    let mut line = match progress.total.filter(|total| *total > 0.0) {
        Some(total) => {
            let part = (done / total).clamp(0.0, 1.0);
            let full = (part * BAR as f64).round() as usize;
            let (full, empty) = ("█".repeat(full), "░".repeat(BAR - full));
            format!("{full}{empty} {:>3.0} %", part * 100.0)
        }
        None => format!("… {done}"),
    };
    if let Some(message) = &progress.message {
        let message: String = message
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(MESSAGE)
            .collect();
        line.push_str("  ");
        line.push_str(&visible(&message));
    }
    line
}

#[cfg(test)]
mod tests {
    use rmcp::model::{NumberOrString, ProgressToken};

    use super::*;

    #[test]
    fn a_bar_needs_a_total() {
        let token = || ProgressToken(NumberOrString::Number(1));
        let mut progress = ProgressNotificationParam::new(token(), 5.0);
        assert_eq!(line(&progress), "… 5");
        progress.total = Some(10.0);
        progress.message = Some("half\u{1b}[2J\nmore".to_owned());
        assert_eq!(
            line(&progress),
            format!(
                "{}{}  50 %  half\\u{{1b}}[2J",
                "█".repeat(15),
                "░".repeat(15)
            )
        );
        progress.progress = f64::INFINITY;
        progress.message = None;
        assert!(line(&progress).ends_with("100 %"));
    }
}
