//! How much each client may ask for.

use clap::Args;
use pymcp_kit::CallLimits;
use pymcp_kit::limits::{FloodLimits, Rate};

use super::value::{at_most, rate, tool_budget};

/// Heading of `--help-all`.
const LIMITS: &str = "Limits";

/// How much each client may ask for. All of it is counted in this process, but budgets where replicas share a store.
#[derive(Debug, Clone, Args)]
// An author's own may have the same name.
#[group(skip)]
pub(crate) struct Limits {
    /// Requests of one address over HTTP, such as 1000/min; off for no limit. What comes from this machine is counted by
    /// connection, since a proxy may call for many.
    #[arg(long, default_value = "off", value_name = "RATE", value_parser = rate, hide_short_help = true, help_heading = LIMITS)]
    pub(crate) address_rate: AtMost<Rate>,

    /// Requests of one authenticated principal over HTTP, such as 1000/min; off for no limit.
    #[arg(long, default_value = "off", value_name = "RATE", value_parser = rate, hide_short_help = true, help_heading = LIMITS)]
    pub(crate) principal_rate: AtMost<Rate>,

    /// Sessions that one client opens over HTTP, such as 600/min; off for no limit.
    #[arg(long, default_value = "600/min", value_name = "RATE", value_parser = rate, hide_short_help = true, help_heading = LIMITS)]
    pub(crate) session_rate: AtMost<Rate>,

    /// What one authenticated principal may use of all components together, such as 60/min; off for no limit. A call
    /// costs 1, unless its component says otherwise.
    #[arg(long, default_value = "off", value_name = "RATE", value_parser = rate, hide_short_help = true, help_heading = LIMITS)]
    pub(crate) budget: AtMost<Rate>,

    /// What one authenticated principal may use of a tool, such as `search=10/min`; several are separated by commas.
    #[arg(long, value_name = "NAME=RATE", value_parser = tool_budget, value_delimiter = ',', hide_short_help = true, help_heading = LIMITS)]
    pub(crate) tool_budget: Vec<(String, Rate)>,

    /// Calls of one authenticated principal that run at a time, 1 to 10000; more wait in turn. off for no limit.
    #[arg(long, default_value = "off", value_name = "CALLS", value_parser = at_most, hide_short_help = true, help_heading = LIMITS)]
    pub(crate) concurrency: AtMost<usize>,

    /// Calls of all clients that run at a time, 1 to 10000; more wait, the clients in turn. off for no limit.
    #[arg(long, default_value = "off", value_name = "CALLS", value_parser = at_most, hide_short_help = true, help_heading = LIMITS)]
    pub(crate) total_concurrency: AtMost<usize>,
}

/// A limit, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AtMost<T>(pub(crate) Option<T>);

impl Limits {
    /// Sets the bounds of calls; a limit that the author set stays where there is none here.
    pub(crate) fn of_calls(&self, calls: &mut CallLimits) {
        let Self {
            budget,
            concurrency,
            total_concurrency,
            ..
        } = self;
        calls.budget.per_principal = budget.0.or(calls.budget.per_principal);
        calls.budget.tools.extend(self.tool_budget.iter().cloned());
        calls.concurrency.per_principal = concurrency.0.or(calls.concurrency.per_principal);
        calls.concurrency.in_all = total_concurrency.0.or(calls.concurrency.in_all);
    }

    /// Sets the bounds of requests over HTTP, in the same way; that of sessions has a default here.
    pub(crate) fn of_requests(&self, flood: &mut FloodLimits) {
        flood.per_address = self.address_rate.0.or(flood.per_address);
        flood.per_principal = self.principal_rate.0.or(flood.per_principal);
        flood.sessions = self.session_rate.0;
    }

    /// The flag of a limit that needs to know who asks, if one is set.
    pub(crate) fn of_principals(&self) -> Option<&'static str> {
        [
            ("principal-rate", self.principal_rate.0.is_some()),
            ("budget", self.budget.0.is_some()),
            ("tool-budget", !self.tool_budget.is_empty()),
            ("concurrency", self.concurrency.0.is_some()),
        ]
        .into_iter()
        .find_map(|(flag, is_set)| is_set.then_some(flag))
    }

    /// The flags of the limits that are set and count in this process, for the log; budgets count in a store if there is one.
    pub(crate) fn counting(&self, has_store: bool) -> Vec<&'static str> {
        [
            ("--address-rate", self.address_rate.0.is_some()),
            ("--principal-rate", self.principal_rate.0.is_some()),
            ("--budget", self.budget.0.is_some() && !has_store),
            ("--tool-budget", !self.tool_budget.is_empty() && !has_store),
            ("--concurrency", self.concurrency.0.is_some()),
            ("--total-concurrency", self.total_concurrency.0.is_some()),
        ]
        .into_iter()
        .filter_map(|(flag, is_set)| is_set.then_some(flag))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches as _};

    use super::*;

    fn limits(arguments: &[&str]) -> Result<Limits, String> {
        let command = Limits::augment_args(Command::new("test").no_binary_name(true));
        let matches = command.try_get_matches_from(arguments);
        let matches = matches.map_err(|error| error.to_string())?;
        Limits::from_arg_matches(&matches).map_err(|error| error.to_string())
    }

    #[test]
    fn by_default_the_program_has_the_limits_of_the_kit() {
        let limits = limits(&[]).unwrap();
        let mut calls = CallLimits::default();
        limits.of_calls(&mut calls);
        assert_eq!(calls, CallLimits::default());
        let mut flood = FloodLimits::default();
        limits.of_requests(&mut flood);
        assert_eq!(flood, FloodLimits::default());
        assert_eq!(
            (limits.of_principals(), limits.counting(false)),
            (None, vec![])
        );
    }

    #[test]
    fn each_setting_sets_its_limit() {
        let limits = limits(&[
            "--address-rate=1000/s",
            "--principal-rate=100/s",
            "--session-rate=OFF",
            "--budget=60/min",
            "--tool-budget=search=10/min,take = 5/h",
            "--tool-budget=greet=1/s",
            "--concurrency=4",
            "--total-concurrency=64",
        ])
        .unwrap();
        let mut flood = FloodLimits::default();
        limits.of_requests(&mut flood);
        assert_eq!(
            flood,
            FloodLimits {
                per_address: Some(Rate::per_second(1000)),
                per_principal: Some(Rate::per_second(100)),
                sessions: None,
            }
        );
        let mut calls = CallLimits::default();
        limits.of_calls(&mut calls);
        assert_eq!(calls.budget.per_principal, Some(Rate::per_minute(60)));
        let tools = [
            ("search", Rate::per_minute(10)),
            ("take", Rate::per_hour(5)),
            ("greet", Rate::per_second(1)),
        ];
        assert_eq!(
            calls.budget.tools,
            tools.map(|(name, rate)| (name.to_owned(), rate)).into()
        );
        let concurrency = calls.concurrency;
        assert_eq!(
            (concurrency.per_principal, concurrency.in_all),
            (Some(4), Some(64))
        );
        assert_eq!(limits.of_principals(), Some("principal-rate"));
        assert_eq!(limits.counting(false).len(), 6);
        assert_eq!(limits.counting(true).len(), 4);
    }

    #[test]
    fn what_the_author_limits_stays_limited() {
        let (own, other) = (Rate::per_second(7), Rate::per_second(8));
        let mut calls = CallLimits::default();
        calls.budget.per_principal = Some(own);
        calls.budget.tools = [("a".to_owned(), own), ("b".to_owned(), own)].into();
        limits(&["--tool-budget=b=8/s"])
            .unwrap()
            .of_calls(&mut calls);
        assert_eq!(calls.budget.per_principal, Some(own));
        assert_eq!(
            (calls.budget.tools["a"], calls.budget.tools["b"]),
            (own, other)
        );
    }

    #[test]
    fn what_is_no_limit_is_refused_with_what_is_one() {
        for (argument, allowed) in [
            ("--budget=60", "off, or a rate such as 60/min"),
            ("--session-rate=0/s", "off, or a rate such as 60/min"),
            (
                "--tool-budget=10/min",
                "a tool and its rate, such as search=10/min",
            ),
            (
                "--tool-budget==10/min",
                "a tool and its rate, such as search=10/min",
            ),
            ("--concurrency=0", "off, or a whole number from 1 to 10000"),
        ] {
            let refused = limits(&[argument]).unwrap_err();
            assert!(refused.contains(allowed), "{refused}");
        }
    }

    #[test]
    fn the_limits_of_principals_are_known() {
        for argument in [
            "--principal-rate=1/s",
            "--budget=1/s",
            "--tool-budget=a=1/s",
            "--concurrency=1",
        ] {
            assert!(
                limits(&[argument]).unwrap().of_principals().is_some(),
                "{argument}"
            );
        }
        for argument in [
            "--address-rate=1/s",
            "--session-rate=1/s",
            "--total-concurrency=1",
        ] {
            assert!(
                limits(&[argument]).unwrap().of_principals().is_none(),
                "{argument}"
            );
        }
    }
}
