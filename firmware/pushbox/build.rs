//! Tells the program when it was built: no clock that is right says less.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    // Reproducible builds say it (reproducible-builds.org, SOURCE_DATE_EPOCH).
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let given = env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse().ok());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    println!("cargo::rustc-env=PUSHBOX_BUILT={}", given.unwrap_or_else(now));
}
