//! Whom TLS trusts, and what its failures mean to a person.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, ClientConfig, ClientConnection, RootCertStore};
use tokio::net::TcpStream;

use crate::socket::{Socket, Tls};
use crate::{Address, Options};

/// The client's side of TLS with a server.
#[derive(Clone)]
pub(crate) struct Client {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Client {
    /// Fails with words for a person, as [`Client::start`] does.
    pub(crate) fn new(address: &Address, options: &Options) -> Result<Self, String> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = &options.ca_file {
            add(&mut roots, path).map_err(|error| format!("ca-file {}: {error}", path.display()))?;
        }
        let clock = Clock { floor: options.clock_floor };
        let config = ClientConfig::builder_with_details(ring::default_provider().into(), Arc::new(clock))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // The server is told the name (SNI), but no address (RFC 6066 section 3).
        let name = ServerName::try_from(address.host().to_owned())
            .map_err(|_| format!("{} is no name that a certificate can have", address.host()))?;
        Ok(Self { config: Arc::new(config), name })
    }

    /// Makes TLS of an open socket.
    pub(crate) async fn start(self, tcp: TcpStream) -> Result<Socket, String> {
        let session = ClientConnection::new(self.config, self.name).map_err(|error| error.to_string())?;
        let tls = Tls::start(tcp, session).await.map_err(|error| explain(&error))?;
        Ok(Socket::Tls(Box::new(tls)))
    }
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())?;
    let before = roots.len();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.len() == before {
        return Err("there is no certificate in it; give one in PEM".into());
    }
    Ok(())
}

/// The time at which certificates are judged.
#[derive(Debug)]
struct Clock {
    floor: SystemTime,
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let now = SystemTime::now().max(self.floor);
        now.duration_since(UNIX_EPOCH).ok().map(UnixTime::since_unix_epoch)
    }
}

fn explain(error: &io::Error) -> String {
    let Some(cause) = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                "the server closed the connection instead of beginning TLS".into()
            }
            _ => format!("TLS: {error}"),
        };
    };
    let rustls::Error::InvalidCertificate(fault) = cause else {
        return format!("TLS: {cause}");
    };
    let now = || day(SystemTime::now());
    match fault {
        CertificateError::NotValidYet => not_valid_yet(&now(), ""),
        CertificateError::NotValidYetContext { not_before, .. } => {
            let since = UNIX_EPOCH + Duration::from_secs(not_before.as_secs());
            not_valid_yet(&now(), &format!(" before {}", day(since)))
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the server's certificate has expired, if this box's clock is right: it says {}", now())
        }
        CertificateError::UnknownIssuer => {
            "nobody who is trusted has signed the server's certificate: give that of its CA as ca-file".into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is for another name: check the host in the address".into()
        }
        fault => format!("the server's certificate can't be trusted: {fault}"),
    }
}

fn not_valid_yet(now: &str, since: &str) -> String {
    format!(
        "the server's certificate is not valid{since}: this box's clock says {now}; set it or let it be set by NTP"
    )
}

/// The day of a time, UTC, as in ISO 8601.
fn day(time: SystemTime) -> String {
    let days = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / 86_400;
    // The Gregorian calendar repeats after 400 years; its years are counted from March, so that leap days come last.
    let since_march = days + 719_468;
    let (era, day_of_era) = (since_march / 146_097, since_march % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (month, day) = ((shifted + 2) % 12 + 1, day_of_year - (153 * shifted + 2) / 5 + 1);
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_798_675_200, "2026-12-31"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(day(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn certificates_are_never_judged_at_a_time_before_the_floor() {
        let floor = SystemTime::now() + Duration::from_secs(1000);
        let judged = Clock { floor }.current_time().unwrap();
        assert_eq!(judged.as_secs(), floor.duration_since(UNIX_EPOCH).unwrap().as_secs());
        assert!(Clock { floor: UNIX_EPOCH }.current_time().unwrap().as_secs() > 1_700_000_000);
    }
}
