//! On what and of what something was measured: stands beside every figure.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use serde_json::{Value, json};

/// The machine and the source.
#[derive(Debug)]
pub struct Machine {
    /// The processor's name.
    cpu: String,
    /// Cores that the system has.
    cores: usize,
    /// The kernel's release.
    kernel: String,
    /// The commit of the source, with `+` behind it when files differ from it.
    commit: String,
    /// When it was measured, UTC.
    date: String,
}

impl Machine {
    /// Reads everything.
    ///
    /// # Errors
    /// A `/proc` that is not there. Without git the commit is `unknown`.
    pub fn read() -> anyhow::Result<Self> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").context("/proc/cpuinfo")?;
        let name =
            cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").context("osrelease")?;
        let word = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).output().ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            output.status.success().then(|| text.trim().to_owned())
        };
        let changed = word("git", &["status", "--porcelain", "--untracked-files=no"]);
        let mark = if changed.is_some_and(|files| !files.is_empty()) { "+" } else { "" };
        let commit = word("git", &["rev-parse", "--short=10", "HEAD"]);
        Ok(Self {
            cpu: name.map_or("unknown", |(_, name)| name.trim()).to_owned(),
            cores: cpuinfo.lines().filter(|line| line.starts_with("processor")).count(),
            kernel: kernel.trim().to_owned(),
            commit: commit.map_or("unknown".to_owned(), |commit| format!("{commit}{mark}")),
            date: word("date", &["-u", "+%Y-%m-%dT%H:%MZ"]).unwrap_or_default(),
        })
    }

    /// One line for people.
    pub fn line(&self) -> String {
        let Self { cpu, cores, kernel, commit, date } = self;
        format!("{cpu}, {cores} cores, Linux {kernel}, commit {commit}, {date}")
    }

    /// Writes `results` under the name of the measurement, with the machine, to `file`.
    ///
    /// # Errors
    /// What the file system says.
    pub fn save(&self, file: &Path, name: &str, results: Value) -> anyhow::Result<()> {
        let Self { cpu, cores, kernel, commit, date } = self;
        let all = json!({
            "benchmark": name,
            "machine": { "cpu": cpu, "cores": cores, "kernel": kernel },
            "commit": commit,
            "date": date,
            "results": results,
        });
        let text = serde_json::to_string_pretty(&all)?;
        fs::write(file, text + "\n").with_context(|| file.display().to_string())
    }
}
