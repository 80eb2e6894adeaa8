//! Until when a certificate is good.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_rustls::rustls::client::verify_server_cert_signed_by_trust_anchor;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{CertificateError, Error, RootCertStore};

/// When a certificate in DER ends (its `notAfter`); `None` when it is none of X.509 version 3, which clients refuse.
///
/// rustls reads certificates to judge them, and gives nothing else of them away. So it is asked whether this one is good at
/// the end of time: it looks at the time first, and says until when it would have been.
pub fn certificate_end(certificate: &[u8]) -> Option<SystemTime> {
    let certificate = CertificateDer::from(certificate);
    let certificate = ParsedCertificate::try_from(&certificate).ok()?;
    let late = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    let nobody = RootCertStore::empty();
    let judged = verify_server_cert_signed_by_trust_anchor(&certificate, &nobody, &[], late, &[]);
    match judged {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            UNIX_EPOCH.checked_add(Duration::from_secs(not_after.as_secs()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_read() {
        let key = KeyPair::generate().unwrap();
        // The last year that is written with two digits, and the first one with four.
        for (year, seconds) in [(2049, 2_493_072_000), (2050, 2_524_608_000)] {
            let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
            params.not_after = date_time_ymd(year, 1, 1);
            let certificate = params.self_signed(&key).unwrap();
            let end = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(certificate_end(certificate.der()), Some(end));
        }
        assert_eq!(certificate_end(b"no certificate"), None);
    }
}
