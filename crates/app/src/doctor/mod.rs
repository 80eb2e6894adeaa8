//! `doctor`: what is wrong with this machine, or with any server, whom it breaks, and what to do.
//!
//! ```text
//! target ──► probe ──► Observed ──► checks ──► Findings ──► report, sarif
//!            auth  ──► AuthSeen ──►
//! ```
//!
//! | file | what it holds |
//! | --- | --- |
//! | `probe` | speaks to a server, within bounds of time and bytes |
//! | `observed` | what was seen of it |
//! | `auth`, `challenge`, `door`, `token` | the way of a client that has to authenticate |
//! | `machine`, `holder` | this machine |
//! | `checks` | the rules, and what looks for them: a family a file |
//! | `finding` | a rule, and a rule that is broken |
//! | `clients` | limits of clients, with their sources |
//! | `report`, `sarif`, `page` | what is printed, and the page of all rules |
//!
//! To add a check, see `checks`; to ask a server something more, see `probe`. An author's own checks of a program come with
//! its server ([`Prepared::check`](crate::Prepared::check)).

mod auth;
mod certificate;
mod challenge;
mod checks;
mod clients;
mod door;
pub(crate) mod finding;
mod holder;
pub(crate) mod machine;
pub(crate) mod observed;
mod page;
pub(crate) mod probe;
pub(crate) mod report;
pub(crate) mod sarif;
#[cfg(test)]
mod tests;
mod token;

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use pymcp_kit::protocol::{LEGACY_VERSIONS, MODERN_VERSION};

use self::checks::machine as machine_rules;
use self::finding::{Finding, Findings, progress};
use self::machine::Set;
use self::observed::{Observed, Over, Try};
use self::probe::web::Web;
use self::probe::{Options, Target};
use self::report::{Named, Report, Summary};
use crate::checked::{Checked, Problem};
use crate::host::Settled;
use crate::output::Output;
use crate::program::Program;
use crate::{Error, Result};

pub use self::page::doctor_page;

pub(crate) use self::checks::HIDDEN;
#[cfg(test)]
pub(crate) use self::checks::rules;

/// Seconds by which the clocks of two machines may differ.
const SKEW: i64 = 60;

/// Time that a check of an author's own may take.
const OWN_CHECK: Duration = Duration::from_secs(30);

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) options: Options,
    /// Whether authentication is looked at even if the server does not ask for it.
    pub(crate) auth: bool,
    /// The token of the requests, if there is one.
    pub(crate) bearer: Option<String>,
    pub(crate) strict: bool,
    pub(crate) sarif: bool,
}

/// What is gathered on the way to a report.
#[derive(Default)]
struct Gathered {
    facts: Vec<(String, String)>,
    settings: Vec<Set>,
    found: Findings,
}

impl Gathered {
    fn fact(&mut self, name: &str, value: impl Into<String>) {
        self.facts.push((name.to_owned(), value.into()));
    }
}

/// Looks at this machine, and at the program's own server in process.
pub(crate) async fn this_machine(
    program: &Program,
    settled: Result<Settled<'_>>,
    asked: &Asked,
    output: Output,
) -> Result<()> {
    let mut gathered = Gathered::default();
    let settled = match settled {
        Ok(settled) => settled,
        Err(error) => {
            let why = error.sentence().unwrap_or_default();
            gathered
                .found
                .add(&machine_rules::SETTING, program.name(), why);
            return finish(
                program,
                program.name(),
                Over::Memory,
                gathered,
                asked,
                output,
            );
        }
    };
    gathered.settings = machine::settings(program, &settled.sources);
    let (shared, sources) = (&settled.shared, &settled.sources);
    machine::check(
        program,
        shared,
        sources,
        &mut gathered.facts,
        &mut gathered.found,
    )
    .await;
    match settled.build(program).await {
        Err(error) => {
            let why = error.sentence().unwrap_or_default();
            gathered
                .found
                .add(&machine_rules::SERVER, program.name(), why);
        }
        Ok(mut own) => {
            if own.selected.is_selective() {
                let told = own.selected.told();
                gathered.facts.push(("Profile".to_owned(), told));
            }
            let target = Target::Own(program.name().to_owned(), own.server.clone());
            let seen = probe::observe(&target, &asked.options).await?;
            gathered.server(&seen);
            checks::judge(&seen, &mut gathered.found);
            for (name, check) in std::mem::take(&mut own.checks) {
                progress(program.name(), &format!("checking {name}"));
                let checked = tokio::time::timeout(OWN_CHECK, check).await;
                gathered.own(
                    &name,
                    checked.unwrap_or_else(|_| {
                        Checked::new().error(
                            format!("It does not end within {} s.", OWN_CHECK.as_secs()),
                            "See the log of the server.",
                        )
                    }),
                );
            }
            own.close().await;
        }
    }
    finish(
        program,
        program.name(),
        Over::Memory,
        gathered,
        asked,
        output,
    )
}

/// Looks at another server.
pub(crate) async fn server(
    program: &Program,
    target: Target,
    asked: &Asked,
    output: Output,
) -> Result<()> {
    let mut gathered = Gathered::default();
    progress(program.name(), &format!("looking at {}", target.shown()));
    let seen = probe::observe(&target, &asked.options).await?;
    gathered.server(&seen);
    checks::judge(&seen, &mut gathered.found);
    gathered.clock(&seen);
    gathered.certificate(&seen);
    if let (Target::Url(web), true) = (&target, asked.auth || seen.wants_token()) {
        gathered.auth(web, asked).await?;
    }
    finish(program, &target.shown(), seen.over, gathered, asked, output)
}

impl Gathered {
    /// What is worth knowing of a server.
    fn server(&mut self, seen: &Observed) {
        let info = seen.server_info();
        if let Some(name) = info["name"].as_str() {
            let version = info["version"].as_str().unwrap_or_default();
            self.fact("Server", format!("{name} {version}"));
        }
        let mut revisions: Vec<&str> = Vec::new();
        let spoken = |result: Option<&serde_json::Value>, version: &str| {
            result.is_some_and(|result| result["protocolVersion"] == version)
        };
        for version in LEGACY_VERSIONS.into_iter().rev() {
            let later = seen.revisions.iter().find(|(asked, _)| *asked == version);
            let later = later.and_then(|(_, outcome)| outcome.result());
            if spoken(later, version) || spoken(seen.initialize.result(), version) {
                revisions.push(version);
            }
        }
        if seen.discover.result().is_some() {
            revisions.push(MODERN_VERSION);
        }
        if !revisions.is_empty() {
            let untried = seen.initialize.result().is_some() && seen.revisions.is_empty();
            let more = match untried {
                true => " (others were not tried, since it starts slowly)",
                false => "",
            };
            self.fact("Revisions", format!("{}{more}", revisions.join(", ")));
        }
        if let (Some(start), Over::Stdio | Over::Http | Over::Sse) = (seen.start, seen.over) {
            self.fact("First answer", format!("after {} ms", start.as_millis()));
        }
        if !seen.is_understood() {
            return;
        }
        let lists = &seen.lists;
        let tools = lists.tools.items.len();
        let tokens = checks::tokens(&lists.tools.items);
        self.fact(
            "Tools",
            format!("{tools}, about {tokens} tokens for a model (estimated)"),
        );
        self.fact("Resources", lists.resources.items.len().to_string());
        self.fact("Templates", lists.templates.items.len().to_string());
        self.fact("Prompts", lists.prompts.items.len().to_string());
        if !seen.calls.is_empty() {
            let names: Vec<_> = seen.calls.iter().map(|(name, _)| name.as_str()).collect();
            self.fact("Called", names.join(", "));
        }
    }

    /// Compares the clocks.
    fn clock(&mut self, seen: &Observed) {
        let first = seen
            .http
            .as_ref()
            .and_then(|http| http.tried.get(&Try::First));
        let Some(date) = first.and_then(|reply| reply.header("date")) else {
            return;
        };
        let Ok(theirs) = DateTime::parse_from_rfc2822(date) else {
            return;
        };
        let ours = DateTime::<Utc>::from(SystemTime::now());
        let ahead = (theirs.with_timezone(&Utc) - ours).num_seconds();
        if ahead.abs() > SKEW {
            let (by, where_) = (ahead.abs(), if ahead > 0 { "ahead" } else { "behind" });
            let what = format!("The clock of the server is {by} s {where_}.");
            self.found.add(&machine_rules::CLOCK, &seen.target, what);
        }
    }

    /// Says until when the certificate is good that the server showed.
    fn certificate(&mut self, seen: &Observed) {
        let first = seen
            .http
            .as_ref()
            .and_then(|http| http.tried.get(&Try::First));
        if let Some(end) = first.and_then(|reply| reply.certificate_end) {
            certificate::judge(end, &seen.target, &mut self.facts, &mut self.found);
        }
    }

    async fn auth(&mut self, web: &Web, asked: &Asked) -> Result<()> {
        let bearer = asked.bearer.as_deref();
        let walked = auth::walk(&web.endpoint, bearer, asked.options.patience).await?;
        let issuers: Vec<_> = walked.issuers.iter().map(|one| one.name.as_str()).collect();
        if !issuers.is_empty() {
            self.fact("Tokens of", issuers.join(", "));
        }
        if let Some(scope) = walked
            .challenge
            .as_ref()
            .and_then(|one| one.scope.as_deref())
        {
            self.fact("Scopes asked for", scope);
        }
        if let Some(post) = walked.token.as_ref().and_then(|one| one.post.as_ref()) {
            self.fact("With the token", format!("status {}", post.status));
        }
        checks::auth::judge(&walked, asked.auth, &mut self.found);
        Ok(())
    }

    /// What a check of an author's own came to.
    fn own(&mut self, name: &str, checked: Checked) {
        for (fact, value) in checked.facts {
            self.fact(&fact, value);
        }
        for Problem {
            severity,
            what,
            mend,
        } in checked.problems
        {
            self.found.push(Finding {
                id: Cow::Owned(name.to_owned()),
                severity,
                subject: name.to_owned(),
                at: None,
                what,
                breaks: Cow::Borrowed("What this program needs for its own components."),
                mend: Cow::Owned(mend),
            });
        }
    }
}

/// Prints what was gathered.
fn finish(
    program: &Program,
    target: &str,
    over: Over,
    gathered: Gathered,
    asked: &Asked,
    output: Output,
) -> Result<()> {
    let findings = gathered.found.sorted();
    let summary = Summary::of(&findings);
    let report = Report {
        program: Named {
            name: program.name().to_owned(),
            version: program.version().to_owned(),
        },
        target: target.to_owned(),
        facts: gathered.facts,
        settings: gathered.settings,
        findings,
        clients: clients::facts(over).collect(),
        summary,
    };
    if asked.sarif {
        let log = sarif::Log {
            name: format!("{} doctor", report.program.name),
            version: &report.program.version,
            target: &report.target,
            findings: &report.findings,
            failure: None,
        };
        output.value(&log.of(checks::rules()))?;
    } else if output.is_json() {
        output.value(&report)?;
    } else {
        report::print(&report, output)?;
    }
    match summary.fails(asked.strict) {
        true => Err(Error::printed(1)),
        false => Ok(()),
    }
}
