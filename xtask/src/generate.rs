//! `gen`: references that come from code. A page that differs from its code is an error of
//! `gen --check`, which is part of the tests.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

mod crates;
mod declarations;
mod limits;
mod signalling;

/// What to do with a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Write it.
    Write,
    /// Compare it with what would be written.
    Check,
}

/// A page and the code that makes it.
struct Reference {
    /// Path from the root.
    path: &'static str,
    /// Makes the page's whole text.
    make: fn(&Path) -> anyhow::Result<String>,
}

const REFERENCES: &[Reference] = &[
    Reference { path: "docs/limits.md", make: limits::page },
    Reference { path: "docs/reference/crates.md", make: |_| Ok(crates::page()) },
    Reference {
        path: "docs/reference/return-codes.md",
        make: |_| Ok(odeum_proto::return_code::reference_markdown()),
    },
    Reference { path: "docs/reference/signalling.md", make: signalling::page },
];

/// Writes or checks every page.
pub(crate) fn run(root: &Path, mode: Mode) -> anyhow::Result<ExitCode> {
    let mut stale = Vec::new();
    for reference in REFERENCES {
        let path = root.join(reference.path);
        let fresh = (reference.make)(root).with_context(|| reference.path)?;
        match mode {
            Mode::Write => {
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder)?;
                }
                fs::write(&path, fresh).with_context(|| path.display().to_string())?;
            }
            Mode::Check if is_stale(fs::read_to_string(&path).ok().as_deref(), &fresh) => {
                stale.push(reference.path);
            }
            Mode::Check => {}
        }
    }
    for path in &stale {
        eprintln!("{path}: differs from the code; run `cargo xtask gen`");
    }
    Ok(if stale.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn is_stale(written: Option<&str>, fresh: &str) -> bool {
    written != Some(fresh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_missing_or_differs_is_stale() {
        assert!(is_stale(None, "a\n"));
        assert!(is_stale(Some("b\n"), "a\n"));
        assert!(!is_stale(Some("a\n"), "a\n"));
    }

    #[test]
    fn every_page_says_that_it_is_generated_and_ends_with_one_newline() {
        for reference in REFERENCES {
            let page = (reference.make)(&crate::root()).expect("its sources are in the tree");
            assert!(page.to_lowercase().contains("generated"), "{}", reference.path);
            assert!(page.ends_with('\n') && !page.ends_with("\n\n"), "{}", reference.path);
        }
    }
}
