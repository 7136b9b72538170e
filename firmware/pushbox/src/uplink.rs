//! Keeps the box published: connects, and tries again a few times when a connection is lost (spec 10.4).

use std::future::Future;
use std::time::Duration;

use ::uplink::{Address, PublishError, Published, publish};
use anyhow::bail;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::sink::Queue;

const RETRIES: u32 = 3;
const INTERVAL: Duration = Duration::from_secs(3);
/// Publishing for so long makes up for earlier failures.
const SETTLED: Duration = Duration::from_secs(10);

pub(crate) async fn run(
    address: &Address,
    queue: &Queue,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    tokio::pin!(shutdown);
    let mut retries = 0;
    loop {
        let mut started = None;
        let report = |progress| match progress {
            Published::Connected(peer) => info!(code = 1001, %peer, "connected"),
            Published::Started => {
                started = Some(Instant::now());
                info!(code = 1002, %address, "publishing");
            }
        };
        let Err(error) = publish(address, queue, &mut shutdown, report).await else {
            info!("stopped");
            return Ok(());
        };
        if started.is_some_and(|started| started.elapsed() >= SETTLED) {
            retries = 0;
        }
        warn!(code = code(&error), %error, "not published");
        if retries == RETRIES {
            bail!("not published after {RETRIES} retries (-1307): {error}");
        }
        tokio::select! {
            () = &mut shutdown => return Ok(()),
            () = sleep(INTERVAL) => {}
        }
        retries += 1;
        info!(code = 1102, retry = retries, of = RETRIES, "trying again");
    }
}

/// The status code of spec 7.3.
fn code(error: &PublishError) -> i32 {
    match error {
        PublishError::Resolve { .. } => 3001,
        PublishError::Connect { .. } => 3002,
        PublishError::Protocol { .. } => 3003,
        PublishError::Refused { .. } | PublishError::Closed(_) => 3004,
        PublishError::Broken(_) => 3005,
    }
}
