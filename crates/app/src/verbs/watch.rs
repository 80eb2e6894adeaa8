//! `watch`: what a server says unasked, as it comes.

use std::time::Duration;

use chrono::{DateTime, Local, SecondsFormat, Utc};
use clap::{ArgMatches, Args as _, Command};
use pymcp_kit::telemetry;
use rmcp::model::ServerNotification;
use rmcp::service::{Subscription, SubscriptionEnd};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::client::{self, Connection, Notice, TargetArgs, UserArgs, Watched};
use crate::host::Host;
use crate::output::{DIM, Output, OutputArgs, STRONG, visible};
use crate::verbs::parsed;
use crate::{Error, Result};

pub(crate) const NAME: &str = "watch";

/// Notifications that wait to be printed; what finds no place is lost, and said to be.
const WAITING: usize = 1024;

/// Time between two looks whether a legacy server is there.
const LOOK: Duration = Duration::from_millis(250);

/// Looks after which one over HTTP is asked: nothing else tells that it has gone.
const ASK: u32 = 40;

/// Print what a server says unasked, as it comes
///
/// It ends with Ctrl-C, or when the server goes. A server says that lists of tools, resources and prompts have
/// changed, that resources were updated, and in the legacy era log messages.
#[derive(Debug, clap::Args)]
#[group(skip)]
struct Args {
    /// A resource whose updates are wanted; can be repeated.
    #[arg(long, value_name = "URI")]
    uri: Vec<String>,

    /// End after so many notifications.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    user: UserArgs,
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) fn command() -> Command {
    Args::augment_args(Command::new(NAME))
}

pub(crate) fn run(matches: &ArgMatches, host: Host<'_>) -> Result<()> {
    let Args {
        uri,
        count,
        output,
        mut user,
        target,
    } = parsed::<Args>(matches)?;
    let (sender, notices) = mpsc::channel(WAITING);
    user.notices = Some(sender);
    let name = host.program.name.clone();
    client::run(host, &target, user, async |connection| {
        let (watched, subscription) = connection.listen(&uri).await?;
        // Not before: what changes from now on is told.
        let target = connection.target();
        let what = described(&watched, connection.is_modern());
        telemetry::say(&format!(
            "{name}: watching {target} for {what}; Ctrl-C ends it"
        ));
        let watch = Watch {
            connection,
            printer: Printer {
                output: Output::new(output),
                left: count,
            },
        };
        match subscription {
            Some(subscription) => watch.subscription(subscription, notices).await,
            None => watch.session(notices).await,
        }
    })
}

/// What is watched, as a sentence has it.
fn described(watched: &Watched, is_modern: bool) -> String {
    let lists = [
        (watched.tools, "tools"),
        (watched.resources, "resources"),
        (watched.prompts, "prompts"),
    ];
    let lists = lists.iter().filter(|(is, _)| *is);
    let mut what: Vec<String> = lists
        .map(|(_, list)| format!("changes of its {list}"))
        .collect();
    what.extend(watched.uris.iter().map(|uri| visible(uri).into_owned()));
    if !is_modern {
        what.push("log messages".to_owned());
    }
    match what.is_empty() {
        true => "nothing that it says it tells of".to_owned(),
        false => what.join(", "),
    }
}

struct Watch<'a> {
    connection: &'a Connection,
    printer: Printer,
}

impl Watch<'_> {
    /// Prints what comes in a legacy session.
    async fn session(mut self, mut notices: mpsc::Receiver<Notice>) -> Result<()> {
        let connection = self.connection;
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = 0_u32;
        loop {
            tokio::select! {
                biased;
                () = connection.stopped() => return Ok(()),
                Some(notice) = notices.recv() => {
                    if self.printer.print(&notice)? {
                        return Ok(());
                    }
                }
                _ = look.tick() => {
                    if connection.is_closed() {
                        return Err(self.gone());
                    }
                    looks += 1;
                    if looks.is_multiple_of(ASK) {
                        connection.ping().await?;
                    }
                }
            }
        }
    }

    /// Prints what comes in a subscription.
    async fn subscription(
        mut self,
        mut subscription: Subscription,
        mut notices: mpsc::Receiver<Notice>,
    ) -> Result<()> {
        let connection = self.connection;
        let ended = loop {
            let notice = tokio::select! {
                biased;
                () = connection.stopped() => break None,
                Some(notice) = notices.recv() => notice,
                next = subscription.next() => {
                    match next.map_err(|error| connection.lost(&error))? {
                        Some(notification) => noticed(&notification)?,
                        None => break subscription.end().cloned(),
                    }
                }
            };
            if self.printer.print(&notice)? {
                break None;
            }
        };
        match ended {
            None | Some(SubscriptionEnd::Graceful(_)) => {
                // The server hears of it if it is there.
                let _ = subscription.cancel().await;
                Ok(())
            }
            Some(SubscriptionEnd::Lagged { .. }) => Err(Error::other(
                "The server told more than could be printed, and some of it is lost; watch again.",
            )),
            Some(_) => Err(self.gone()),
        }
    }

    fn gone(&self) -> Error {
        Error::unreached(format!("{} has gone.", self.connection.target()))
    }
}

/// A notification of a subscription as any other.
fn noticed(notification: &ServerNotification) -> Result<Notice> {
    let mut message = serde_json::to_value(notification)?;
    let method = message["method"].as_str().unwrap_or_default().to_owned();
    let mut params = message["params"].take();
    if let Some(params) = params.as_object_mut() {
        // Which subscription it is of: there is but one.
        params.remove("_meta");
        if params.is_empty() {
            return Ok(Notice {
                method,
                params: Value::Null,
            });
        }
    }
    Ok(Notice { method, params })
}

struct Printer {
    output: Output,
    /// How many are wanted still.
    left: Option<u64>,
}

impl Printer {
    /// Prints a notification, and says whether it was the last one that is wanted.
    fn print(&mut self, notice: &Notice) -> Result<bool> {
        let now = Utc::now();
        match self.output.is_json() {
            true => self.output.line(as_json(notice, now))?,
            false => {
                let time = now.with_timezone(&Local).format("%H:%M:%S");
                let (what, more) = as_text(notice);
                let line = format!("{DIM}{time}{DIM:#} {STRONG}{what}{STRONG:#} {more}");
                self.output.line(line.trim_end())?;
            }
        }
        self.left = self.left.map(|left| left - 1);
        Ok(self.left == Some(0))
    }
}

/// An object on one line, whoever reads it.
fn as_json(notice: &Notice, time: DateTime<Utc>) -> String {
    let time = time.to_rfc3339_opts(SecondsFormat::Millis, true);
    json!({ "time": time, "method": notice.method, "params": notice.params }).to_string()
}

/// What happened, and the rest.
fn as_text(notice: &Notice) -> (String, String) {
    let params = &notice.params;
    let short = notice.method.strip_prefix("notifications/");
    let short = visible(short.unwrap_or(&notice.method)).into_owned();
    let text = |name: &str| params[name].as_str().unwrap_or_default();
    let (what, more) = match short.as_str() {
        "tools/list_changed" => ("tools changed".to_owned(), String::new()),
        "resources/list_changed" => ("resources changed".to_owned(), String::new()),
        "prompts/list_changed" => ("prompts changed".to_owned(), String::new()),
        "resources/updated" => ("updated".to_owned(), text("uri").to_owned()),
        "message" => {
            let logger = match text("logger") {
                "" => String::new(),
                logger => format!("{logger}: "),
            };
            let data = match &params["data"] {
                Value::String(text) => text.clone(),
                data => data.to_string(),
            };
            (text("level").to_owned(), format!("{logger}{data}"))
        }
        _ if params.is_null() => (short, String::new()),
        _ => (short, params.to_string()),
    };
    let one_line = |text: String| visible(&text).replace('\n', "\\n");
    (one_line(what), one_line(more))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(method: &str, params: Value) -> Notice {
        Notice {
            method: method.to_owned(),
            params,
        }
    }

    #[test]
    fn a_notification_is_one_line_in_which_a_server_can_do_no_harm() {
        for (method, params, what, more) in [
            (
                "notifications/tools/list_changed",
                Value::Null,
                "tools changed",
                "",
            ),
            (
                "notifications/resources/updated",
                json!({ "uri": "a://b\u{1b}[2J" }),
                "updated",
                "a://b\\u{1b}[2J",
            ),
            (
                "notifications/message",
                json!({ "level": "warning", "logger": "stock", "data": "low\nlower" }),
                "warning",
                "stock: low\\nlower",
            ),
            (
                "notifications/x\u{202e}",
                json!({ "a": 1 }),
                "x\\u{202e}",
                "{\"a\":1}",
            ),
        ] {
            let said = as_text(&notice(method, params));
            assert_eq!((&*said.0, &*said.1), (what, more));
        }
        let json = as_json(&notice("m", json!({ "a": "\n" })), DateTime::UNIX_EPOCH);
        assert_eq!(
            json,
            r#"{"time":"1970-01-01T00:00:00.000Z","method":"m","params":{"a":"\n"}}"#
        );
    }

    #[test]
    fn what_is_watched_is_said() {
        let mut watched = Watched {
            tools: true,
            uris: vec!["a://b".to_owned()],
            ..Watched::default()
        };
        assert_eq!(described(&watched, true), "changes of its tools, a://b");
        assert_eq!(
            described(&watched, false),
            "changes of its tools, a://b, log messages"
        );
        watched = Watched::default();
        assert_eq!(
            described(&watched, true),
            "nothing that it says it tells of"
        );
    }
}
