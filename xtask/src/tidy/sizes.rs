//! Sizes: a file, a function and a line are short enough to be read in one go. Text inside
//! literals, such as a test's snapshot, does not count.

use super::Finding;
use super::exceptions::{Exceptions, allows};
use crate::rust_source::{RustSource, is_word, item_length};

/// Lines of one file's shipped code; its tests may have as many.
const FILE_LINES_MAX: usize = 400;
/// Lines of one function, from `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;
/// Columns of one line.
const COLUMNS_MAX: usize = 100;
/// A word this long (an address, a test vector) cannot be broken, so its line may be longer.
const UNBREAKABLE_WORD: usize = 60;

/// A text between quotes of this many characters may make its line wider.
const UNBREAKABLE_TEXT: usize = 48;

/// Checks file, functions and lines of one Rust file.
pub(super) fn check(source: &RustSource, exceptions: &Exceptions) -> Vec<Finding> {
    let mut findings = check_columns(&source.path, &source.text);
    let lines = longer_half(source);
    if lines > FILE_LINES_MAX && !allows(&exceptions.long_files, &source.path) {
        let message = format!("{lines} lines; a file has at most {FILE_LINES_MAX}: split by noun");
        findings.push(Finding::new(&source.path, 0, message));
    }
    for function in functions(source) {
        let place = format!("{}::{}", source.path, function.name);
        if function.lines > FUNCTION_LINES_MAX && !allows(&exceptions.long_functions, &place) {
            let message = format!(
                "`{}` has {} lines; a function has at most {FUNCTION_LINES_MAX}",
                function.name, function.lines
            );
            findings.push(Finding::new(&source.path, function.line, message));
        }
    }
    findings
}

/// Counted lines of the shipped code or of the tests, whichever is more.
fn longer_half(source: &RustSource) -> usize {
    let lines = source.counted_lines().into_iter().zip(&source.test_lines);
    let (mut shipped, mut test) = (0, 0);
    for (_, is_test) in lines.filter(|(counts, _)| *counts) {
        *(if *is_test { &mut test } else { &mut shipped }) += 1;
    }
    shipped.max(test)
}

/// Checks the width of each line of a text. What cannot be broken may make it wider: a long word,
/// or a long text between quotes (a test's name, a message). So do generated files.
pub(super) fn check_columns(path: &str, text: &str) -> Vec<Finding> {
    if text.lines().next().is_some_and(|head| head.contains("do not edit")) {
        return Vec::new();
    }
    let wide = text.lines().enumerate().filter(|(_, line)| {
        let long_word = || line.split_whitespace().any(|word| is_long(word, UNBREAKABLE_WORD));
        let quoted = || line.split(['"', '`']).skip(1).step_by(2);
        is_long(line, COLUMNS_MAX + 1)
            && !long_word()
            && !quoted().any(|text| is_long(text, UNBREAKABLE_TEXT))
    });
    let message = format!("wider than {COLUMNS_MAX} columns");
    wide.map(|(at, _)| Finding::new(path, at + 1, message.clone())).collect()
}

fn is_long(text: &str, characters: usize) -> bool {
    text.chars().count() >= characters
}

/// An exception that nothing needs any more is dropped from the list.
pub(super) fn check_stale(sources: &[RustSource], exceptions: &Exceptions) -> Vec<Finding> {
    let is_long_file = |place: &str| {
        let file = sources.iter().find(|source| source.path == place);
        file.is_some_and(|source| longer_half(source) > FILE_LINES_MAX)
    };
    let is_long_function = |place: &str| {
        let (path, name) = place.split_once("::").unwrap_or((place, ""));
        let file = sources.iter().find(|source| source.path == path);
        let mut all = file.map(functions).unwrap_or_default().into_iter();
        all.any(|function| function.name == name && function.lines > FUNCTION_LINES_MAX)
    };
    let files = exceptions.long_files.iter().filter(|one| !is_long_file(&one.place));
    let functions = exceptions.long_functions.iter().filter(|one| !is_long_function(&one.place));
    files
        .chain(functions)
        .map(|one| {
            let message =
                format!("no longer needs its exception ({}): drop it from the list", one.reason);
            Finding::new(&one.place, 0, message)
        })
        .collect()
}

struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// Every function with a body, nested ones too.
fn functions(source: &RustSource) -> Vec<Function> {
    let code = &source.code;
    let counted = source.counted_lines();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let starts_a_word = !code[..at].chars().next_back().is_some_and(is_word);
        let name: String = code[at + 3..].chars().take_while(|one| is_word(*one)).collect();
        if !starts_a_word || name.is_empty() {
            continue;
        }
        let item = &code[at..at + item_length(&code[at..])];
        if item.ends_with('}') {
            let first = code[..at].matches('\n').count();
            let last = first + item.matches('\n').count();
            let lines = counted[first..=last].iter().filter(|counts| **counts).count();
            found.push(Function { name, line: first + 1, lines });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str, exceptions: &Exceptions) -> Vec<Finding> {
        check(&RustSource::scan("crates/room/src/room.rs", text), exceptions)
    }

    fn with(section: &str, place: &str) -> Exceptions {
        let text = format!("[{section}]\n\"{place}\" = \"one table that is read as one\"");
        Exceptions::parse(&text).unwrap()
    }

    #[test]
    fn a_long_file_is_found_unless_excepted() {
        let long = "//! a\n".repeat(FILE_LINES_MAX + 1);
        assert_eq!(findings(&long, &Exceptions::default()).len(), 1);
        assert!(findings(&long, &with("long_files", "crates/room/src/room.rs")).is_empty());
        assert!(findings(&"//! a\n".repeat(400), &Exceptions::default()).is_empty());
    }

    #[test]
    fn a_long_function_is_found_unless_excepted() {
        let long = format!("fn short() {{}}\nfn deep() {{\n{}}}\n", "a();\n".repeat(70));
        let found = findings(&long, &Exceptions::default());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 2);
        let excepted = with("long_functions", "crates/room/src/room.rs::deep");
        assert!(findings(&long, &excepted).is_empty());
    }

    #[test]
    fn a_long_snapshot_makes_neither_file_nor_function_long() {
        let text = format!("//! a\nfn short() {{\n    a(\"{}\");\n}}\n", "one\n".repeat(500));
        assert!(findings(&text, &Exceptions::default()).is_empty());
    }

    #[test]
    fn tests_have_a_limit_of_their_own() {
        let half = "//! a\n".repeat(390);
        let text = format!("{half}#[cfg(test)]\nmod tests {{\n{}}}\n", "a();\n".repeat(390));
        assert!(findings(&text, &Exceptions::default()).is_empty());
        let text = format!("{half}#[cfg(test)]\nmod tests {{\n{}}}\n", "a();\n".repeat(400));
        assert_eq!(findings(&text, &Exceptions::default()).len(), 1);
    }

    #[test]
    fn a_declaration_without_body_is_no_function() {
        let text = format!("trait A {{\nfn a(&self);\n{}}}\n", "\n".repeat(90));
        assert!(findings(&text, &Exceptions::default()).is_empty());
    }

    #[test]
    fn a_wide_line_is_found_unless_one_word_makes_it_so() {
        assert_eq!(check_columns("a.sh", &"ab ".repeat(34)).len(), 1);
        assert!(check_columns("a.sh", &"a".repeat(120)).is_empty());
        assert!(check_columns("a.sh", &"é ".repeat(50)).is_empty());
        let name = "who comes back in time was never seen to leave the room";
        assert!(check_columns("a.mjs", &format!("{}test(\"{name}\");", " ".repeat(50))).is_empty());
        assert_eq!(check_columns("a.mjs", &format!("{}\"short\"", "ab ".repeat(34))).len(), 1);
        let generated = format!("// Made by a program: do not edit.\n{}", "ab ".repeat(34));
        assert!(check_columns("a.ts", &generated).is_empty());
    }

    #[test]
    fn an_exception_that_is_not_needed_is_found() {
        let source = RustSource::scan("crates/room/src/room.rs", "//! a\nfn deep() {}\n");
        let file = with("long_files", "crates/room/src/room.rs");
        let function = with("long_functions", "crates/room/src/room.rs::deep");
        let sources = [source];
        assert_eq!(check_stale(&sources, &file).len(), 1);
        assert_eq!(check_stale(&sources, &function).len(), 1);
    }
}
