use std::net::{IpAddr, SocketAddr};

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("no address found for host {host}: {cause}")]
    Resolve { host: String, cause: String },
    #[error("no connection to {host}: {cause}")]
    Connect { host: String, cause: String },
    #[error("{step} went wrong: {cause}")]
    Protocol { step: &'static str, cause: String },
    #[error("{step} failed at the server: {code} {description}")]
    Failed { step: &'static str, code: String, description: String },
    #[error("the server refused: {code} {description}")]
    Refused { code: String, description: String },
    #[error("the server ended the stream: {code} {description}")]
    Ended { code: String, description: String },
    #[error("the server closed the connection: {0}")]
    Closed(String),
    #[error("the connection broke: {0}")]
    Broken(String),
    /// There is another way to the server.
    #[error("the box no longer has the address {0} from which it sent")]
    AddressLost(IpAddr),
}

impl PublishError {
    /// The number of the status code that tells of it, from 3001 to 3005 (spec 7.3).
    pub fn code(&self) -> u16 {
        match self {
            Self::Resolve { .. } => 3001,
            Self::Connect { .. } => 3002,
            Self::Protocol { .. } | Self::Failed { .. } => 3003,
            Self::Refused { .. } | Self::Ended { .. } | Self::Closed(_) => 3004,
            Self::Broken(_) | Self::AddressLost(_) => 3005,
        }
    }

    /// The code and the description of the server's status, where it gave one.
    pub fn status(&self) -> Option<(&str, &str)> {
        match self {
            Self::Failed { code, description, .. }
            | Self::Refused { code, description }
            | Self::Ended { code, description } => Some((code, description)),
            _ => None,
        }
    }
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Published {
    /// 1001
    Connected(SocketAddr),
    /// The server takes media from now on.
    Permitted,
    /// 1002: the socket took the first packet of them.
    Started,
}
