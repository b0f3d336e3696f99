//! `unsafe` stands only in the listed files, and each block says why it is sound.

use super::Finding;
use super::exceptions::{Exceptions, allows};
use crate::rust_source::{RustSource, is_word};

/// How many lines above an `unsafe` its `SAFETY:` comment may start.
const SAFETY_LINES_ABOVE: usize = 8;

/// Checks one Rust file.
pub(super) fn check(source: &RustSource, exceptions: &Exceptions) -> Vec<Finding> {
    let comments: Vec<&str> = source.comments.lines().collect();
    let mut findings = Vec::new();
    for line in unsafe_lines(source) {
        if !allows(&exceptions.unsafe_files, &source.path) {
            let message = "`unsafe` outside the files that xtask/exceptions.toml lists";
            findings.push(Finding::new(&source.path, line, message));
            continue;
        }
        let above = &comments[line.saturating_sub(1 + SAFETY_LINES_ABOVE)..line];
        if !above.iter().any(|comment| comment.contains("SAFETY:") || comment.contains("# Safety"))
        {
            let message = "`unsafe` without a `// SAFETY:` right above it";
            findings.push(Finding::new(&source.path, line, message));
        }
    }
    findings
}

/// A listed file that no longer says `unsafe` leaves the list.
pub(super) fn check_stale(sources: &[RustSource], exceptions: &Exceptions) -> Vec<Finding> {
    let uses_unsafe = |place: &str| {
        let file = sources.iter().find(|source| source.path == place);
        file.is_some_and(|source| !unsafe_lines(source).is_empty())
    };
    let stale = exceptions.unsafe_files.iter().filter(|one| !uses_unsafe(&one.place));
    stale.map(|one| Finding::new(&one.place, 0, "has no `unsafe`: drop it from the list")).collect()
}

/// Line numbers, from 1, where the keyword stands.
fn unsafe_lines(source: &RustSource) -> Vec<usize> {
    let lines = source.code.lines().enumerate();
    let with_keyword = lines.filter(|(_, line)| {
        line.split(|character: char| !is_word(character)).any(|word| word == "unsafe")
    });
    with_keyword.map(|(at, _)| at + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "crates/node/src/udp.rs";

    fn listed() -> Exceptions {
        let text = format!("[unsafe_files]\n\"{PATH}\" = \"system calls that std does not have\"");
        Exceptions::parse(&text).unwrap()
    }

    fn findings(text: &str, exceptions: &Exceptions) -> usize {
        check(&RustSource::scan(PATH, text), exceptions).len()
    }

    #[test]
    fn unsafe_outside_the_listed_files_is_found() {
        let text = "// SAFETY: it is.\nunsafe { a() }\n";
        assert_eq!(findings(text, &Exceptions::default()), 1);
        assert_eq!(findings(text, &listed()), 0);
    }

    #[test]
    fn unsafe_without_its_reason_is_found() {
        assert_eq!(findings("unsafe { a() }\n", &listed()), 1);
    }

    #[test]
    fn the_lint_of_the_same_name_is_no_use_of_it() {
        assert_eq!(findings("#![allow(unsafe_code)]\n", &listed()), 0);
    }

    #[test]
    fn a_listed_file_without_unsafe_is_found() {
        let sources = [RustSource::scan(PATH, "//! a\n")];
        assert_eq!(check_stale(&sources, &listed()).len(), 1);
    }
}
