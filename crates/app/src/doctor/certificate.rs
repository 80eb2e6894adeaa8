//! Until when a server's TLS certificate is good.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use pymcp_kit::transport::http::Tls;

use super::checks::machine as rules;
use super::finding::Findings;

/// Judges when it ends. `subject` is what has it: a setting, or an address.
pub(super) fn judge(
    end: SystemTime,
    subject: &str,
    facts: &mut Vec<(String, String)>,
    found: &mut Findings,
) {
    let day = DateTime::<Utc>::from(end).format("%Y-%m-%d");
    facts.push(("Certificate".into(), format!("until {day}")));
    match end.duration_since(SystemTime::now()) {
        Err(_) => found.add(
            &rules::CERTIFICATE_ENDED,
            subject,
            format!("It ended on {day}."),
        ),
        Ok(left) if left < Tls::ENDS_SOON => {
            found.add(&rules::CERTIFICATE, subject, format!("It ends on {day}."));
        }
        Ok(_) => {}
    }
}
