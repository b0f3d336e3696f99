//! File heads: the first line says what the file is and why it exists.

use super::Finding;
use crate::rust_source::RustSource;
use crate::tree::TextFile;

/// A Rust file starts with `//!` and words after it.
pub(super) fn check_rust(source: &RustSource) -> Option<Finding> {
    let head = source.text.lines().next().unwrap_or_default();
    let says = head.strip_prefix("//!").map(str::trim).unwrap_or_default();
    if says.is_empty() {
        return Some(Finding::new(&source.path, 1, "line 1 is `//!`: what is this file, and why?"));
    }
    says.starts_with("Placeholder")
        .then(|| Finding::new(&source.path, 1, "a placeholder is not a file: write it or drop it"))
}

/// A script or TypeScript file starts with a comment, after `#!` if it has one.
pub(super) fn check_script(file: &TextFile) -> Option<Finding> {
    let mut lines = file.text.lines().skip_while(|line| line.starts_with("#!"));
    let head = lines.next().unwrap_or_default();
    let is_comment = ["//", "/*", "#", "\"\"\""].iter().any(|mark| head.starts_with(mark));
    (!is_comment)
        .then(|| Finding::new(&file.path, 1, "line 1 is a comment: what is this file, and why?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rust(text: &str) -> Option<Finding> {
        check_rust(&RustSource::scan("crates/room/src/room.rs", text))
    }

    fn script(text: &str) -> Option<Finding> {
        check_script(&TextFile { path: "sdk/src/engine.ts".to_owned(), text: text.to_owned() })
    }

    #[test]
    fn a_rust_file_without_a_head_is_found() {
        assert!(rust("//! Rooms.\nuse a;\n").is_none());
        assert!(rust("use a;\n//! Rooms.\n").is_some());
        assert!(rust("//!\nuse a;\n").is_some());
        assert!(rust("").is_some());
        assert!(rust("//! Placeholder until then.\n").is_some());
    }

    #[test]
    fn a_script_without_a_head_is_found() {
        assert!(script("// The engine.\n").is_none());
        assert!(script("#!/bin/bash\n# Builds.\n").is_none());
        assert!(script("import a;\n").is_some());
        assert!(script("#!/bin/bash\nset -e\n").is_some());
    }
}
