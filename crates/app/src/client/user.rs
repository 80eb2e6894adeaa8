//! What a server may ask of its client while it works (forms, URLs, a model's answer, roots), and what it says meanwhile.
//! A question is answered from the command line, or on the terminal if stdin is one; else it is declined, and said so.
//! Nothing is ever opened or run.

// Sampling, roots and logging are deprecated since 2026-07-28, and servers of today have them.
#![allow(deprecated)]

mod form;

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pymcp_kit::telemetry;
use rmcp::model::{
    ClientConfig, CreateMessageRequestParams, CreateMessageResult, CustomNotification,
    ElicitRequestParams, ElicitResult, ElicitationAction, ErrorCode, ErrorData, Implementation,
    ListRootsResult, LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam,
    ProtocolVersion, ResourceUpdatedNotificationParam, Root, SamplingMessage, ServerNotification,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{ClientHandler, RoleClient};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use url::Url;

use super::arguments::did_you_mean;
use super::progress::Progress;
use crate::file;
use crate::output::visible;
use crate::program::Program;
use crate::{Error, Result};

/// The user said no to sampling (2025-11-25, client, sampling, error handling).
const REJECTED: ErrorCode = ErrorCode(-1);

/// The name of the model whose answers come from a file.
const MODEL: &str = "file";

/// The name by which `--answer` answers a request to visit a URL.
const URL: &str = "url";

/// Names of fields that are kept in mind, besides those that are answered.
const MAX_ASKED: usize = 64;

/// What a server is answered when it asks.
#[derive(Debug, Clone, Default, clap::Args)]
// An author's own may have the same name.
#[group(skip)]
#[command(next_help_heading = "What the server is answered when it asks")]
pub(crate) struct UserArgs {
    /// The answer to a field of a form (elicitation); can be repeated. `url=accept` says that the address was visited to
    /// which the server sends. Without an answer you are asked on the terminal; without a terminal it is declined.
    #[arg(long, value_name = "NAME=VALUE", value_parser = answer)]
    pub(crate) answer: Vec<(String, String)>,

    /// File with the text that a model would write (sampling). Without it that is declined.
    #[arg(long, value_name = "FILE")]
    pub(crate) sampling: Option<PathBuf>,

    /// A directory that the server may see as a root; can be repeated.
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Vec<PathBuf>,

    /// Lowest level of the server's log messages to print: debug, info, notice, warning, error, critical, alert or
    /// emergency.
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    pub(crate) log_level: Option<LoggingLevel>,

    /// Where notifications go, besides the terminal; what finds no place is dropped.
    #[arg(skip)]
    pub(crate) notices: Option<mpsc::Sender<Notice>>,
}

/// A notification of the server.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Notice {
    /// Such as `notifications/tools/list_changed`.
    pub(crate) method: String,
    /// Its parameters; null if it has none.
    pub(crate) params: Value,
}

/// The application around the client, with its user.
#[derive(Clone)]
pub(crate) struct User(Arc<Inner>);

struct Inner {
    name: String,
    config: ClientConfig,
    args: UserArgs,
    sampling: Option<String>,
    roots: Vec<Root>,
    is_terminal: bool,
    progress: Progress,
    activity: watch::Sender<Activity>,
    /// What `--answer` could answer so far.
    asked: Mutex<BTreeSet<String>>,
}

/// When the server was last heard of, and how many questions the user has to answer.
#[derive(Debug, Clone, Copy)]
struct Activity {
    at: Instant,
    asking: usize,
}

/// What the client says that it can: be asked by a form, by a URL, to write, and for directories.
pub(crate) fn capabilities() -> Value {
    json!({ "elicitation": { "form": {}, "url": {} }, "sampling": {}, "roots": {} })
}

impl User {
    /// # Errors
    /// That a file or directory cannot be used.
    pub(super) fn new(program: &Program, args: UserArgs, version: ProtocolVersion) -> Result<Self> {
        let info = Implementation::new(program.name.clone(), program.version.clone());
        let config = ClientConfig::new(serde_json::from_value(capabilities())?, info);
        let sampling = args.sampling.as_deref().map(|path| {
            file::read(path, file::PATIENCE).map_err(|reason| {
                Error::setting(format!("{} (--sampling) {reason}.", path.display()))
            })
        });
        let roots = args.root.iter().map(|path| root(path));
        let (activity, _) = watch::channel(Activity {
            at: Instant::now(),
            asking: 0,
        });
        Ok(Self(Arc::new(Inner {
            name: program.name.clone(),
            config: config.with_protocol_version(version),
            sampling: sampling.transpose()?,
            roots: roots.collect::<Result<_>>()?,
            is_terminal: io::stdin().is_terminal(),
            progress: Progress::new(),
            activity,
            asked: Mutex::default(),
            args,
        })))
    }

    /// The level of log messages that was asked for.
    pub(super) fn log_level(&self) -> Option<LoggingLevel> {
        self.0.args.log_level
    }

    /// Says a line on stderr.
    pub(super) fn say(&self, line: &str) {
        self.0.progress.clear();
        telemetry::say(line);
    }

    /// The line of progress goes, since what it was of is done.
    pub(super) fn done(&self) {
        self.0.progress.clear();
    }

    /// Takes note that the server asked for it.
    fn asked(&self, name: &str) {
        let asked = &self.0.asked;
        let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        let given = self.0.args.answer.iter().any(|(given, _)| given == name);
        if given || asked.len() < MAX_ASKED {
            asked.insert(name.to_owned());
        }
    }

    /// Says which answers nobody asked for: their names may have been mistyped.
    pub(super) fn say_what_was_not_asked(&self) {
        let asked = &self.0.asked;
        let asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        let given = self.0.args.answer.iter().map(|(name, _)| name);
        let given: BTreeSet<_> = given.collect();
        for name in given.into_iter().filter(|name| !asked.contains(*name)) {
            let meant = did_you_mean(name, asked.iter().map(String::as_str));
            let name = visible(name);
            self.say(&format!(
                "{}: --answer {name} was not used: the server did not ask for it.{meant}",
                self.0.name
            ));
        }
    }

    /// Waits until the server was not heard of for so long, while it was not the user's turn.
    pub(super) async fn silent_for(&self, patience: Duration) {
        let begun = Instant::now();
        let mut activity = self.0.activity.subscribe();
        loop {
            let Activity { at, asking } = *activity.borrow_and_update();
            let end = at.max(begun) + patience;
            tokio::select! {
                _ = activity.changed() => {}
                () = sleep_until(end), if asking == 0 => return,
            }
        }
    }

    /// Answers a form, or a request to visit a URL.
    pub(super) async fn elicit(&self, asked: ElicitRequestParams) -> ElicitResult {
        let _turn = Turn::begin(&self.0.activity);
        self.0.progress.clear();
        match asked {
            ElicitRequestParams::FormElicitationParams {
                message,
                requested_schema,
                ..
            } => {
                let schema = serde_json::to_value(&requested_schema).unwrap_or_default();
                let order = requested_schema.property_order.unwrap_or_default();
                self.form(&message, &schema, &order).await
            }
            ElicitRequestParams::UrlElicitationParams { message, url, .. } => {
                self.visit(&message, &url).await
            }
            _ => ElicitResult::new(ElicitationAction::Decline),
        }
    }

    async fn visit(&self, message: &str, url: &str) -> ElicitResult {
        self.asked(URL);
        let asks = format!("{} {}", visible(message), visible(url));
        let said = self.0.args.answer.iter().find(|(name, _)| name == URL);
        if let Some((_, said)) = said {
            self.say(&format!(
                "{}: the server asks to visit a URL: {asks}",
                self.0.name
            ));
            return ElicitResult::new(match said.as_str() {
                "accept" => ElicitationAction::Accept,
                "cancel" => ElicitationAction::Cancel,
                _ => ElicitationAction::Decline,
            });
        }
        if !self.0.is_terminal {
            self.declined(&format!("to visit a URL: {asks}"), "--answer url=accept");
            return ElicitResult::new(ElicitationAction::Decline);
        }
        self.say(&format!(
            "The server asks you to visit {}\n  {}",
            visible(url),
            visible(message)
        ));
        ElicitResult::new(
            match form::ask("Done? (y, n, or Ctrl-D to cancel) ").await {
                Some(said) if said.trim().eq_ignore_ascii_case("y") => ElicitationAction::Accept,
                Some(_) => ElicitationAction::Decline,
                None => ElicitationAction::Cancel,
            },
        )
    }

    fn declined(&self, what: &str, way: &str) {
        self.say(&format!(
            "{}: declined, since stdin is no terminal: the server asks {what}\n  {way} answers.",
            self.0.name
        ));
    }

    /// Answers as a model would, with what is in the file.
    pub(super) fn sample(
        &self,
        _: &CreateMessageRequestParams,
    ) -> Result<CreateMessageResult, ErrorData> {
        self.0
            .activity
            .send_modify(|activity| activity.at = Instant::now());
        match &self.0.sampling {
            Some(text) => {
                let message = SamplingMessage::assistant_text(text.trim_end());
                let result = CreateMessageResult::new(message, MODEL.to_owned());
                Ok(result.with_stop_reason(CreateMessageResult::STOP_REASON_END_TURN))
            }
            None => {
                self.say(&format!(
                    "{}: declined: the server asks a model to write (sampling)\n  --sampling FILE answers.",
                    self.0.name
                ));
                Err(ErrorData::new(
                    REJECTED,
                    "The user rejected the sampling request.",
                    None,
                ))
            }
        }
    }

    pub(super) fn roots(&self) -> ListRootsResult {
        ListRootsResult::new(self.0.roots.clone())
    }

    /// Shows what the server says of a call that is under way.
    ///
    /// The wire says it, in the order in which it comes: rmcp hands notifications to tasks of their own, which may be
    /// behind the answer of the call, and so behind the end of the program.
    pub(super) fn notified(&self, notification: &ServerNotification) {
        match notification {
            ServerNotification::ProgressNotification(progress) => self.progress(&progress.params),
            ServerNotification::LoggingMessageNotification(message) => self.log(&message.params),
            _ => {}
        }
    }

    fn progress(&self, progress: &ProgressNotificationParam) {
        self.0
            .activity
            .send_modify(|activity| activity.at = Instant::now());
        self.0.progress.show(progress);
        self.heard("notifications/progress", progress);
    }

    fn log(&self, message: &LoggingMessageNotificationParam) {
        match &self.0.args.notices {
            Some(_) => self.heard("notifications/message", message),
            None if self
                .log_level()
                .is_none_or(|least| rank(message.level) >= rank(least)) =>
            {
                self.say(&log_line(message));
            }
            None => {}
        }
    }

    fn heard(&self, method: &str, params: &impl Serialize) {
        if let Some(notices) = &self.0.args.notices {
            let params = serde_json::to_value(params).unwrap_or_default();
            let method = method.to_owned();
            // Whoever does not keep up misses some.
            let _ = notices.try_send(Notice { method, params });
        }
    }
}

/// While it is the user's turn.
struct Turn<'a>(&'a watch::Sender<Activity>);

impl<'a> Turn<'a> {
    fn begin(activity: &'a watch::Sender<Activity>) -> Self {
        activity.send_modify(|activity| activity.asking += 1);
        Self(activity)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|activity| {
            activity.asking -= 1;
            activity.at = Instant::now();
        });
    }
}

impl ClientHandler for User {
    fn get_info(&self) -> ClientConfig {
        self.0.config.clone()
    }

    async fn create_elicitation(
        &self,
        asked: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        Ok(self.elicit(asked).await)
    }

    async fn create_message(
        &self,
        asked: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        self.sample(&asked)
    }

    async fn list_roots(
        &self,
        _: RequestContext<RoleClient>,
    ) -> Result<ListRootsResult, ErrorData> {
        Ok(self.roots())
    }

    async fn on_resource_updated(
        &self,
        updated: ResourceUpdatedNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.heard("notifications/resources/updated", &updated);
    }

    async fn on_resource_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.heard("notifications/resources/list_changed", &());
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.heard("notifications/tools/list_changed", &());
    }

    async fn on_prompt_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.heard("notifications/prompts/list_changed", &());
    }

    async fn on_custom_notification(
        &self,
        notification: CustomNotification,
        _: NotificationContext<RoleClient>,
    ) {
        self.heard(&notification.method, &notification.params);
    }
}

/// `[warning] stock: almost empty`
fn log_line(message: &LoggingMessageNotificationParam) -> String {
    let level = serde_json::to_value(message.level).unwrap_or_default();
    let level = level.as_str().unwrap_or_default();
    let logger = message.logger.as_ref().map(|logger| format!("{logger}: "));
    let text = match &message.data {
        Value::String(text) => text.clone(),
        // As FastMCP and our kit write them.
        Value::Object(data) if data.get("msg").is_some_and(Value::is_string) => {
            let mut more = data.clone();
            let text = more.remove("msg");
            more.retain(|_, value| !value.is_null());
            let text = text.as_ref().and_then(Value::as_str).unwrap_or_default();
            match more.is_empty() {
                true => text.to_owned(),
                false => format!("{text} {}", Value::Object(more)),
            }
        }
        other => other.to_string(),
    };
    visible(&format!("[{level}] {}{text}", logger.unwrap_or_default())).into_owned()
}

fn rank(level: LoggingLevel) -> u8 {
    match level {
        LoggingLevel::Debug => 0,
        LoggingLevel::Info => 1,
        LoggingLevel::Notice => 2,
        LoggingLevel::Warning => 3,
        LoggingLevel::Error => 4,
        LoggingLevel::Critical => 5,
        LoggingLevel::Alert => 6,
        LoggingLevel::Emergency => 7,
    }
}

fn level(text: &str) -> Result<LoggingLevel, String> {
    serde_json::from_value(text.to_ascii_lowercase().into())
        .map_err(|_| "a level such as debug, info, warning or error".to_owned())
}

fn answer(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a name and a value, such as size=5".to_owned()),
    }
}

/// A directory as a root.
fn root(path: &Path) -> Result<Root> {
    let cannot = || Error::setting(format!("--root {} must be a directory.", path.display()));
    let full = path.canonicalize().map_err(|_| cannot())?;
    let url = Url::from_directory_path(&full).map_err(|()| cannot())?;
    let uri = url.as_str().trim_end_matches('/');
    let root = Root::new(uri);
    Ok(match full.file_name() {
        Some(name) if full.is_dir() => root.with_name(name.to_string_lossy()),
        _ if full.is_dir() => root,
        _ => return Err(cannot()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_messages_are_lines() {
        for (data, line) in [
            (json!("low"), "[warning] stock: low"),
            (
                json!({ "msg": "low", "extra": null }),
                "[warning] stock: low",
            ),
            (
                json!({ "msg": "low", "extra": { "left": 2 } }),
                "[warning] stock: low {\"extra\":{\"left\":2}}",
            ),
            (json!({ "left": 2 }), "[warning] stock: {\"left\":2}"),
            (json!("\u{1b}[2J"), "[warning] stock: \\u{1b}[2J"),
        ] {
            let mut message = LoggingMessageNotificationParam::new(LoggingLevel::Warning, data);
            message.logger = Some("stock".to_owned());
            assert_eq!(log_line(&message), line);
        }
    }

    #[test]
    fn roots_are_directories() {
        let here = tempfile::tempdir().unwrap();
        let found = root(here.path()).unwrap();
        assert!(found.uri.starts_with("file:///"), "{}", found.uri);
        assert!(root(&here.path().join("none")).is_err());
    }
}
