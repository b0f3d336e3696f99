//! Return codes of the Server API and codes that clients are told: one table, from which
//! docs/reference/return-codes.md is written.

mod table;

use std::fmt::{self, Write};

pub use table::*;

/// One return code. A number is read within the group of its action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReturnCode {
    /// What stands in `Code`.
    pub number: u32,
    /// Where the number has this meaning.
    pub group: Group,
    /// Its name in the code.
    pub name: &'static str,
    /// What it means, as a sentence.
    pub meaning: &'static str,
}

impl fmt::Display for ReturnCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.number, f)
    }
}

/// A group of return codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Group {
    /// The checks before every action.
    Gateway,
    /// Rooms, users, streams, messages, bans.
    Room,
    /// Live streams and their distribution.
    MediaService,
    /// Recorded files.
    MediaFile,
    /// Mixing and transcoding.
    Mix,
    /// Moderation.
    Moderation,
    /// Cloud recording.
    Recording,
    /// Scene templates.
    Scene,
    /// What a client is told, over signalling.
    Client,
}

impl Group {
    /// Every group, in the order of the reference.
    const ALL: [Self; 9] = [
        Self::Gateway,
        Self::Room,
        Self::MediaService,
        Self::MediaFile,
        Self::Mix,
        Self::Moderation,
        Self::Recording,
        Self::Scene,
        Self::Client,
    ];

    /// Its heading in the reference.
    pub fn title(self) -> &'static str {
        match self {
            Self::Gateway => "Gateway: every action, before anything else",
            Self::Room => "Rooms, users, streams, messages, bans",
            Self::MediaService => "Media service: live streams and their distribution",
            Self::MediaFile => "Media files",
            Self::Mix => "Mixing and transcoding",
            Self::Moderation => "Moderation (the room group's codes come here too)",
            Self::Recording => "Cloud recording",
            Self::Scene => "Scene templates",
            Self::Client => "What clients are told",
        }
    }
}

/// The page docs/reference/return-codes.md.
pub fn reference_markdown() -> String {
    let mut page = String::from(
        "# Return codes\n\n\
         Generated from `crates/proto/src/return_code/table.rs`; do not edit.\n\n\
         A number is read within the group of the action that was called: some numbers mean\n\
         different things in two groups. Any action may also answer with a code of the gateway.\n",
    );
    for group in Group::ALL {
        let written =
            write!(page, "\n## {}\n\n| Code | Name | Meaning |\n|---|---|---|\n", group.title());
        written.expect("a String takes everything");
        for code in TABLE.iter().filter(|code| code.group == group) {
            let written = writeln!(page, "| {} | {} | {} |", code.number, code.name, code.meaning);
            written.expect("a String takes everything");
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_number_stands_once_in_its_group_and_so_does_a_name() {
        let mut numbers = HashSet::new();
        let mut names = HashSet::new();
        for code in TABLE {
            assert!(numbers.insert((code.group, code.number)), "{code:?}");
            assert!(names.insert((code.group, code.name)), "{code:?}");
            assert!(code.meaning.ends_with('.'), "{code:?}");
        }
    }

    #[test]
    fn the_reference_page_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/return-codes.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == reference_markdown(), "docs/reference/return-codes.md is stale");
    }
}
