//! A search over engines on loopback.

use std::time::Duration;

use pymcp_egress::testing::Loopback;
use pymcp_search::testing as site;
use pymcp_search::{Config, Outcome, Pace, Query, Report, Search, Secret, Status};

/// What tests wait for: short enough for that, long enough for a busy machine to answer in.
pub(crate) const ENGINE_TIME: Duration = Duration::from_secs(5);

/// What no test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything at the server, as fast as can be.
pub(crate) fn config(server: &Loopback) -> Config {
    Config {
        urls: site::urls(server),
        brave_api_key: Secret::new("a-key"),
        private_hosts: ["127.0.0.1".to_owned()].into(),
        time: 2 * PATIENCE,
        engine_time: PATIENCE,
        grace: Duration::from_secs(20),
        pace: Pace {
            every: Duration::ZERO,
            burst: 1,
        },
        ..Config::default()
    }
}

/// A search that asks these engines only.
pub(crate) fn only(server: &Loopback, engines: &[&str]) -> Search {
    among(engines, config(server))
}

/// The same, with [`ENGINE_TIME`] for a page.
pub(crate) fn hasty(server: &Loopback, engines: &[&str]) -> Search {
    let config = Config {
        time: 3 * ENGINE_TIME,
        engine_time: ENGINE_TIME,
        ..config(server)
    };
    among(engines, config)
}

fn among(engines: &[&str], mut config: Config) -> Search {
    config.engines = Some(engines.iter().map(|name| (*name).to_owned()).collect());
    Search::new(config).unwrap()
}

pub(crate) fn query(results: usize, pages: u32) -> Query {
    Query::new("rust programming", "uk-en", results, pages).unwrap()
}

pub(crate) async fn run(search: &Search, query: &Query) -> Outcome {
    search.search(query, |_| {}).await
}

/// What an engine had to say.
pub(crate) fn report<'a>(outcome: &'a Outcome, engine: &str) -> &'a Report {
    let mut reports = outcome.engines.iter();
    reports.find(|report| report.engine == engine).unwrap()
}

pub(crate) fn statuses(outcome: &Outcome) -> Vec<(&'static str, Status)> {
    let reports = outcome.engines.iter();
    reports
        .map(|report| (report.engine, report.status))
        .collect()
}
