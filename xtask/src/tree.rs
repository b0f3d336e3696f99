//! The files of the source tree, without what builds and package managers put into it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Folders that hold no source: build output, packages, version control, fuzzers' finds.
const SKIPPED: &[&str] =
    &["target", "node_modules", "dist", ".git", "corpus", "artifacts", "coverage"];

/// A text file of the tree.
#[derive(Debug, Clone)]
pub(crate) struct TextFile {
    /// Path from the root, with `/` between its parts.
    pub(crate) path: String,
    /// The whole text.
    pub(crate) text: String,
}

/// Reads every file below `root` that has one of `extensions`, in the order of their paths.
pub(crate) fn read(root: &Path, extensions: &[&str]) -> anyhow::Result<Vec<TextFile>> {
    let mut paths = Vec::new();
    collect(root, extensions, &mut paths)?;
    paths.sort();
    paths.into_iter().map(|path| read_one(root, &path)).collect()
}

fn collect(folder: &Path, extensions: &[&str], paths: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name();
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if !SKIPPED.iter().any(|skipped| name == *skipped) {
                collect(&path, extensions, paths)?;
            }
        } else if path.extension().is_some_and(|have| extensions.iter().any(|want| have == *want)) {
            paths.push(path);
        }
    }
    Ok(())
}

fn read_one(root: &Path, path: &Path) -> anyhow::Result<TextFile> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let relative = path.strip_prefix(root).expect("the walk starts at the root");
    Ok(TextFile { path: relative.to_string_lossy().replace('\\', "/"), text })
}
