use std::net::{IpAddr, SocketAddr};

/// Why a connection ended. Each kind belongs to one status code of spec 7.3.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// 3001
    #[error("no address found for host {host}: {cause}")]
    Resolve { host: String, cause: String },
    /// 3002
    #[error("no connection to {host}: {cause}")]
    Connect { host: String, cause: String },
    /// 3003
    #[error("{step} went wrong: {cause}")]
    Protocol { step: &'static str, cause: String },
    /// 3003
    #[error("{step} failed at the server: {code} {description}")]
    Failed { step: &'static str, code: String, description: String },
    /// 3004
    #[error("the server refused: {code} {description}")]
    Refused { code: String, description: String },
    /// 3004
    #[error("the server ended the stream: {code} {description}")]
    Ended { code: String, description: String },
    /// 3004
    #[error("the server closed the connection: {0}")]
    Closed(String),
    /// 3005
    #[error("the connection broke: {0}")]
    Broken(String),
    /// 3005, and there is another way to the server.
    #[error("the box no longer has the address {0} from which it sent")]
    AddressLost(IpAddr),
}

impl PublishError {
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
