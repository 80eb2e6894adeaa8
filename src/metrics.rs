//! What the sandbox, the search and its outgoing requests count anyway, as metrics beside those of every server
//! (`--metrics-address`). They are asked when somebody reads the metrics.
//!
//! To add one, add it here and to `docs/observability.md`; a test compares the two.

use std::fmt;

use pymcp_kit::metrics::prometheus_client::collector::Collector;
use pymcp_kit::metrics::prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use pymcp_kit::metrics::prometheus_client::metrics::MetricType;

/// A counter by labels, each of which has its values from a small fixed set.
fn counts<const LABELS: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    counts: impl IntoIterator<Item = ([(&'static str, String); LABELS], u64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, count) in counts {
        let mut encoder = family.encode_family(&labels)?;
        encoder.encode_counter::<NoLabelSet, u64, f64>(&count, None)?;
    }
    Ok(())
}

/// Runs of Python, and their workers.
#[cfg(feature = "python")]
pub(crate) struct PythonMetrics(pub(crate) pymcp_python::Pool);

#[cfg(feature = "python")]
impl fmt::Debug for PythonMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PythonMetrics")
    }
}

#[cfg(feature = "python")]
impl Collector for PythonMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stats = self.0.stats();
        let outcomes = pymcp_python::OUTCOMES.into_iter().zip(stats.outcomes);
        counts(
            &mut encoder,
            "pymcp_python_runs",
            "Runs of Python, by what became of them",
            outcomes.map(|(outcome, count)| ([("outcome", outcome.to_owned())], count)),
        )?;
        let killed = [
            ("time", stats.killed_for_time),
            ("memory", stats.killed_for_memory),
            ("cancelled", stats.killed_for_absence),
            ("crashed", stats.crashed),
        ];
        counts(
            &mut encoder,
            "pymcp_python_workers_killed",
            "Workers that did not end by themselves",
            killed.map(|(reason, count)| ([("reason", reason.to_owned())], count)),
        )?;
        let mut workers = encoder.encode_descriptor(
            "pymcp_python_workers",
            "Worker processes that there are",
            None,
            MetricType::Gauge,
        )?;
        workers.encode_gauge(&i64::try_from(stats.workers).unwrap_or(i64::MAX))?;
        let mut queued = encoder.encode_descriptor(
            "pymcp_python_queue_seconds",
            "Time that all runs together waited for a worker",
            None,
            MetricType::Counter,
        )?;
        queued.encode_counter::<NoLabelSet, f64, f64>(&stats.queued.as_secs_f64(), None)
    }
}

/// Searches, and the requests that they make.
#[cfg(feature = "search")]
pub(crate) struct SearchMetrics(pub(crate) pymcp_search::Search);

#[cfg(feature = "search")]
impl fmt::Debug for SearchMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SearchMetrics")
    }
}

#[cfg(feature = "search")]
impl Collector for SearchMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let reports = self.0.reports().map(|(engine, status, count)| {
            let status = status.name().replace(' ', "_");
            let labels = [("engine", engine.to_owned()), ("status", status)];
            (labels, count)
        });
        counts(
            &mut encoder,
            "pymcp_search_engine_reports",
            "What became of each engine in each search",
            reports,
        )?;
        let requests = self.0.requests();
        counts(
            &mut encoder,
            "pymcp_egress_requests",
            "Outgoing requests of the search, by what became of them",
            requests.map(|(outcome, count)| ([("outcome", outcome.to_owned())], count)),
        )
    }
}

#[cfg(all(test, feature = "python", feature = "search"))]
mod tests {
    use std::collections::BTreeSet;

    use pymcp_kit::metrics::Metrics;

    use super::*;
    use crate::server::Services;

    #[tokio::test]
    async fn the_document_has_a_row_for_each_metric_with_its_type_and_labels() {
        let Services { python, search } = Services::default();
        let metrics = Metrics::new();
        let before = metrics.text().matches("# TYPE ").count();
        metrics.register(|registry| {
            registry.register_collector(Box::new(PythonMetrics(python.pool)));
            registry.register_collector(Box::new(SearchMetrics(search.search().clone())));
        });
        let text = metrics.text();
        let document = include_str!("../docs/observability.md");
        let mut rows = 0;
        for line in text.lines() {
            let Some((name, kind)) = line
                .strip_prefix("# TYPE pymcp_")
                .and_then(|line| line.split_once(' '))
            else {
                continue;
            };
            let start = format!("| `pymcp_{name}` | {kind} | ");
            let row = document.lines().find(|row| row.starts_with(&start));
            let row = row.unwrap_or_else(|| panic!("{start}"));
            let said: BTreeSet<_> = row
                .split('|')
                .nth(3)
                .unwrap()
                .split('`')
                .skip(1)
                .step_by(2)
                .collect();
            let samples = text
                .lines()
                .filter(|line| line.starts_with(&format!("pymcp_{name}_total{{")));
            let used: BTreeSet<_> = samples
                .flat_map(|line| line.split(['{', ',']).skip(1))
                .filter_map(|pair| pair.split_once("=\"").map(|(label, _)| label))
                .collect();
            assert_eq!(said, used, "{row}");
            rows += 1;
        }
        assert_eq!(document.matches("\n| `pymcp_").count(), rows);
        assert_eq!(text.matches("# TYPE ").count(), before + rows);
        assert!(
            text.contains("pymcp_python_runs_total{outcome=\"ok\"} 0\n"),
            "{text}"
        );
        assert!(text.contains("status=\"timed_out\"} 0\n"), "{text}");
    }
}
