//! What a process costs, as the kernel tells it.

use std::fs;
use std::time::Duration;

use anyhow::Context;

/// A process whose CPU time is measured, and the kernel thread that may work for it.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// The process.
    pub pid: u32,
    /// `ksoftirqd` of its core: takes over the network's part of a send when there is much of it.
    /// None where containers hide kernel threads.
    softirq_pid: Option<u32>,
}

impl Measured {
    /// The process `pid`; with the `core` that it is pinned to, if it is.
    pub fn new(pid: u32, core: Option<usize>) -> Self {
        Self { pid, softirq_pid: core.and_then(softirq_thread) }
    }

    /// CPU time so far: all its threads, and its core's softirq thread.
    ///
    /// From schedstat, in nanoseconds; the sum of utime and stime is the same in steps of 10 ms.
    ///
    /// # Errors
    /// The process has ended.
    pub fn cpu_time(&self) -> anyhow::Result<Duration> {
        let folder = format!("/proc/{}/task", self.pid);
        let mut sum = Duration::ZERO;
        for thread in fs::read_dir(&folder).context(folder)? {
            // A thread that ended in between is gone with its time, which is tiny.
            sum += run_time(&thread?.path().join("schedstat")).unwrap_or_default();
        }
        let softirq = self.softirq_pid.map(|pid| format!("/proc/{pid}/schedstat"));
        Ok(sum + softirq.and_then(|path| run_time(path.as_ref())).unwrap_or_default())
    }

    /// Resident memory in bytes.
    ///
    /// # Errors
    /// The process has ended.
    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        let path = format!("/proc/{}/smaps_rollup", self.pid);
        let text = fs::read_to_string(&path).context(path)?;
        let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kilobytes.context("smaps_rollup has no Rss")? * 1024)
    }

    /// Open descriptors.
    ///
    /// # Errors
    /// The process has ended.
    pub fn descriptors(&self) -> anyhow::Result<usize> {
        let path = format!("/proc/{}/fd", self.pid);
        Ok(fs::read_dir(&path).context(path)?.count())
    }
}

/// How many descriptors this process may have open.
///
/// # Errors
/// A `/proc` that is not there.
pub fn descriptors_max() -> anyhow::Result<usize> {
    let limits = fs::read_to_string("/proc/self/limits").context("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next());
    // A word in place of a number is `unlimited`.
    Ok(soft.and_then(|soft| soft.parse().ok()).unwrap_or(usize::MAX))
}

fn run_time(schedstat: &std::path::Path) -> Option<Duration> {
    let text = fs::read_to_string(schedstat).ok()?;
    Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?))
}

fn softirq_thread(core: usize) -> Option<u32> {
    let name = format!("ksoftirqd/{core}");
    fs::read_dir("/proc").ok()?.filter_map(Result::ok).find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let comm = fs::read_to_string(entry.path().join("comm")).ok()?;
        (comm.trim() == name).then_some(pid)
    })
}
