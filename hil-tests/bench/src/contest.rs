//! One contestant's run.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use media::now;
use receiver::Receiver;
use serde::Serialize;

use crate::feed::Pipe;
use crate::peers::Contestant;

#[derive(Serialize)]
pub(crate) struct Figures {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// User and system time of the process, over the minutes of 30 pictures a second that arrived.
    pub(crate) cpu_seconds_a_minute: f64,
    /// Largest resident set, shared pages of libraries included.
    pub(crate) peak_megabytes: f64,
    /// From the process's start to the first IDR picture at the server.
    pub(crate) first_idr_ms: f64,
    /// From capture to the server, by the picture's mark.
    pub(crate) latency_p50_ms: Option<f64>,
    pub(crate) latency_p99_ms: Option<f64>,
    pub(crate) context_switches_a_second: f64,
    pub(crate) frames: u64,
    pub(crate) missing: u64,
}

/// Lets a contestant publish for so long.
pub(crate) fn run(contestant: &Contestant, seconds: u64) -> Result<Figures> {
    let receiver = Receiver::bind("127.0.0.1:0", None)?;
    let feed = contestant.pipe.as_ref().map(Pipe::feed).transpose()?;
    let started = (now(), Instant::now());
    let mut child = (contestant.command)(&receiver.url())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| contestant.name)?;
    let running = receiver
        .wait(Duration::from_secs(seconds + 20), |report| u64::from(report.duration_ms) >= seconds * 1000);
    let pid = libc::pid_t::try_from(child.id())?;
    let peak = peak_kilobytes(pid);
    // SAFETY: plain system call; the child is ours and not yet waited for.
    unsafe { libc::kill(pid, libc::SIGINT) };
    let usage = wait(pid, Duration::from_secs(5));
    let wall = started.1.elapsed().as_secs_f64();
    let _ = child.try_wait();
    running.with_context(|| format!("{} did not publish", contestant.name))?;
    let report = receiver.finish();
    if let Some(feed) = feed {
        let _ = feed.join();
    }
    let usage = usage?;
    let cpu = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
    let latency = report.latency_ms.filter(|_| contestant.pipe.is_some());
    Ok(Figures {
        name: contestant.name,
        what: contestant.what,
        cpu_seconds_a_minute: cpu / (report.frames as f64 / 1800.0),
        peak_megabytes: peak? as f64 / 1000.0,
        first_idr_ms: report.first_idr.map_or(0.0, |at| (at - started.0.micros()) as f64 / 1000.0),
        latency_p50_ms: latency.map(|latency| latency.p50),
        latency_p99_ms: latency.map(|latency| latency.p99),
        context_switches_a_second: (usage.ru_nvcsw + usage.ru_nivcsw) as f64 / wall,
        frames: report.frames,
        missing: report.missing,
    })
}

/// The kernel's high water mark of the resident set. That of rusage begins with what the parent had at the fork.
fn peak_kilobytes(pid: libc::pid_t) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM in /proc")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn seconds_of(time: libc::timeval) -> f64 {
    time.tv_sec as f64 + time.tv_usec as f64 * 1e-6
}

/// Waits for the child and what it used; kills it when it takes longer than `limit`.
fn wait(pid: libc::pid_t, limit: Duration) -> Result<libc::rusage> {
    let deadline = Instant::now() + limit;
    loop {
        let mut status = 0;
        // SAFETY: rusage is plain numbers; both pointers are valid for the call.
        let (ended, usage) = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            (libc::wait4(pid, &raw mut status, libc::WNOHANG, &raw mut usage), usage)
        };
        ensure!(ended >= 0, "wait4: {}", std::io::Error::last_os_error());
        if ended == pid {
            return Ok(usage);
        }
        if Instant::now() > deadline {
            // SAFETY: the child is ours and not yet waited for.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
