//! Words that do not land: notes to self, debugging left in, tests switched off, dropped results.

use super::Finding;
use crate::rust_source::RustSource;
use crate::tree::TextFile;

/// Notes to self: an issue number, or do it.
const NOTES: &[&str] = &["TODO", "FIXME", "XXX"];

/// Code that does not land, wherever it stands.
const CODE: &[(&str, &str)] = &[
    ("dbg!", "debugging left in"),
    ("todo!", "do it, or leave it out"),
    ("unimplemented!", "do it, or leave it out"),
    ("#[ignore", "a test that does not run is no test"),
];

/// Checks one Rust file.
pub(super) fn check_rust(source: &RustSource) -> Vec<Finding> {
    let mut findings = check_notes(&source.path, &source.comments);
    for (at, line) in source.code.lines().enumerate() {
        for (word, reason) in CODE {
            if line.contains(word) {
                findings.push(Finding::new(&source.path, at + 1, format!("`{word}`: {reason}")));
            }
        }
    }
    for (line, code) in source.shipped_lines() {
        if code.contains("let _ =") {
            let message = "`let _ =`: write out what is ignored, and why";
            findings.push(Finding::new(&source.path, line, message));
        }
    }
    findings
}

/// Checks a script or TypeScript file.
pub(super) fn check_script(file: &TextFile) -> Vec<Finding> {
    check_notes(&file.path, &file.text)
}

fn check_notes(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let words = line.split(|character: char| !character.is_alphanumeric());
        for note in words.filter(|word| NOTES.contains(word)) {
            let message = format!("`{note}`: an issue number, or do it");
            findings.push(Finding::new(path, at + 1, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rust(text: &str) -> usize {
        check_rust(&RustSource::scan("crates/room/src/room.rs", text)).len()
    }

    #[test]
    fn notes_and_leftovers_are_found() {
        assert_eq!(rust("// TODO: later\n"), 1);
        assert_eq!(rust("fn a() { dbg!(1); }\n"), 1);
        assert_eq!(rust("fn a() { todo!() }\n"), 1);
        assert_eq!(rust("#[ignore = \"slow\"]\nfn a() {}\n"), 1);
        assert_eq!(rust("fn a() { let _ = b(); }\n"), 1);
    }

    #[test]
    fn the_same_words_elsewhere_are_not() {
        assert_eq!(rust("const WORD: &str = \"TODO dbg! todo!\";\n"), 0);
        assert_eq!(rust("// XXXL is a size.\n"), 0);
        assert_eq!(rust("#[cfg(test)]\nmod tests {\n    fn a() { let _ = b(); }\n}\n"), 0);
    }

    #[test]
    fn a_script_is_read_whole() {
        let file = TextFile { path: "sdk/src/a.ts".to_owned(), text: "a(); // FIXME\n".to_owned() };
        assert_eq!(check_script(&file).len(), 1);
    }
}
