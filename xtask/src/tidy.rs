//! `tidy`: the rules of CONTRIBUTING.md that a machine can check. Each rule is a pure function of a
//! file or a manifest in a module of its own, with a test that shows it failing; this file feeds
//! them.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use crate::rust_source::RustSource;
use crate::tree::{self, TextFile};

pub(crate) mod arrows;
mod dependencies;
mod exceptions;
mod heads;
mod purity;
mod sizes;
mod unsafe_code;
mod words;

use exceptions::Exceptions;

/// A place that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Path from the root.
    pub(crate) path: String,
    /// Line from 1; 0 for the file as a whole.
    pub(crate) line: usize,
    /// What is wrong and what would be right.
    pub(crate) message: String,
}

impl Finding {
    pub(crate) fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Checks the tree at `root` and prints every finding.
pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let mut findings = check(root)?;
    findings.sort();
    for finding in &findings {
        eprintln!("{finding}");
    }
    if findings.is_empty() {
        println!("tidy: every rule holds");
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("tidy: {} findings; the rules are in CONTRIBUTING.md", findings.len());
    Ok(ExitCode::FAILURE)
}

fn check(root: &Path) -> anyhow::Result<Vec<Finding>> {
    let exceptions = Exceptions::read(root)?;
    let mut findings = Vec::new();

    let rust = scan_rust(&tree::read(root, &["rs"])?);
    for source in &rust {
        findings.extend(heads::check_rust(source));
        findings.extend(sizes::check(source, &exceptions));
        findings.extend(purity::check(source));
        findings.extend(unsafe_code::check(source, &exceptions));
        findings.extend(words::check_rust(source));
    }
    for script in tree::read(root, &["ts", "js", "mjs", "sh", "py"])? {
        findings.extend(heads::check_script(&script));
        findings.extend(words::check_script(&script));
        findings.extend(sizes::check_columns(&script.path, &script.text));
    }
    findings.extend(sizes::check_stale(&rust, &exceptions));
    findings.extend(unsafe_code::check_stale(&rust, &exceptions));
    findings.extend(check_crates(root)?);
    Ok(findings)
}

fn scan_rust(files: &[TextFile]) -> Vec<RustSource> {
    let mut sources: Vec<RustSource> =
        files.iter().map(|file| RustSource::scan(&file.path, &file.text)).collect();
    let test_modules: Vec<String> = sources.iter().flat_map(RustSource::test_modules).collect();
    for source in &mut sources {
        let stem = source.path.trim_end_matches(".rs");
        let is_declared_for_tests = test_modules
            .iter()
            .any(|module| stem == module || stem.starts_with(&format!("{module}/")));
        if is_declared_for_tests {
            source.mark_as_test();
        }
    }
    sources
}

fn check_crates(root: &Path) -> anyhow::Result<Vec<Finding>> {
    let read = |path: &str| std::fs::read_to_string(root.join(path)).context(path.to_owned());
    let workspace = read("Cargo.toml")?.parse::<toml::Table>().context("Cargo.toml")?;
    let mut findings = dependencies::check_record(&workspace, &read(dependencies::RECORD)?);
    for manifest in tree::read(&root.join("crates"), &["toml"])? {
        let Some(name) = manifest.path.strip_suffix("/Cargo.toml") else { continue };
        if name.contains('/') {
            continue;
        }
        let path = format!("crates/{}", manifest.path);
        let table = manifest.text.parse::<toml::Table>().with_context(|| path.clone())?;
        findings.extend(arrows::check(&path, name, &table));
        findings.extend(dependencies::check_versions(&path, &table));
        if purity::is_sans_io(name) {
            let clippy = format!("crates/{name}/clippy.toml");
            let text = std::fs::read_to_string(root.join(&clippy)).ok();
            findings.extend(purity::check_clippy(&clippy, text.as_deref()));
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_declared_for_tests_by_its_parent_is_test_code() {
        let files = [
            ("crates/room/src/lib.rs", "//! a\n#[cfg(test)]\nmod simulation;\n"),
            ("crates/room/src/simulation.rs", "//! b\nfn c() {}\n"),
            ("crates/room/src/simulation/clients.rs", "//! b\nfn c() {}\n"),
            ("crates/room/src/stream.rs", "//! b\nfn c() {}\n"),
        ]
        .map(|(path, text)| TextFile { path: path.to_owned(), text: text.to_owned() });
        let shipped: Vec<usize> =
            scan_rust(&files).iter().map(|source| source.shipped_lines().count()).collect();
        assert_eq!(shipped, [1, 0, 0, 2]);
    }

    #[test]
    fn a_finding_names_file_and_line() {
        assert_eq!(Finding::new("a.rs", 3, "bad").to_string(), "a.rs:3: bad");
        assert_eq!(Finding::new("a.rs", 0, "bad").to_string(), "a.rs: bad");
    }
}
