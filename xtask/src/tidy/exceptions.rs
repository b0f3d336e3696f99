//! `xtask/exceptions.toml`: the files and functions that may break a rule, each with its reason.

use std::path::Path;

use anyhow::{Context, bail};

/// One permitted exception.
#[derive(Debug)]
pub(crate) struct Exception {
    /// Path from the root; for a function `path::name`.
    pub(crate) place: String,
    /// Why a reader would accept it.
    pub(crate) reason: String,
}

/// All permitted exceptions.
#[derive(Debug, Default)]
pub(crate) struct Exceptions {
    /// Files that may be longer than the limit.
    pub(crate) long_files: Vec<Exception>,
    /// Functions that may be longer than the limit.
    pub(crate) long_functions: Vec<Exception>,
    /// The only files that may say `unsafe`.
    pub(crate) unsafe_files: Vec<Exception>,
}

impl Exceptions {
    /// Reads the file at `root`.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let path = root.join("xtask/exceptions.toml");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    /// Parses the file's text.
    ///
    /// # Errors
    /// On another shape than three tables of `place = "reason"`, and on a reason of under 20
    /// characters, which is none.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut exceptions = Self::default();
        for (section, entries) in text.parse::<toml::Table>()? {
            let list = match section.as_str() {
                "long_files" => &mut exceptions.long_files,
                "long_functions" => &mut exceptions.long_functions,
                "unsafe_files" => &mut exceptions.unsafe_files,
                unknown => bail!("unknown section {unknown}"),
            };
            let entries = entries.as_table().context("a section is a table")?;
            for (place, reason) in entries {
                let reason = reason.as_str().context("a reason is a text")?.to_owned();
                if reason.len() < 20 {
                    bail!("{place}: the reason says nothing");
                }
                list.push(Exception { place: place.clone(), reason });
            }
        }
        Ok(exceptions)
    }
}

/// Whether `place` is among `exceptions`.
pub(crate) fn allows(exceptions: &[Exception], place: &str) -> bool {
    exceptions.iter().any(|exception| exception.place == place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_needs_a_reason() {
        assert!(Exceptions::parse("[long_files]\n\"a.rs\" = \"one table, read as one\"").is_ok());
        assert!(Exceptions::parse("[long_files]\n\"a.rs\" = \"later\"").is_err());
        assert!(Exceptions::parse("[long_lines]\n\"a.rs\" = \"one table, read as one\"").is_err());
    }
}
