//! A Rust file as tidy sees it: its code without comments and literals, its comments alone, and
//! which of its lines are compiled for tests only.
//!
//! This is a scanner, not a parser: it knows just enough of the language (nested comments, raw
//! strings, lifetimes beside character literals) that a rule never trips over a word in a string.

/// A scanned Rust file. All texts have the lines of the file itself; what does not belong is blank.
#[derive(Debug)]
pub(crate) struct RustSource {
    /// Path from the root.
    pub(crate) path: String,
    /// The text as it is.
    pub(crate) text: String,
    /// Code only: comments and the insides of literals are blank.
    pub(crate) code: String,
    /// Comments only.
    pub(crate) comments: String,
    /// One entry per line: whether it belongs to an item under `#[cfg(test)]`.
    pub(crate) test_lines: Vec<bool>,
}

impl RustSource {
    /// Scans `text`. Everything in a folder or file named `tests`, `benches` or `examples` is test
    /// code.
    pub(crate) fn scan(path: &str, text: &str) -> Self {
        let (code, comments) = separate(text);
        let lines = text.lines().count();
        let is_test_file = path
            .split('/')
            .map(|part| part.trim_end_matches(".rs"))
            .any(|part| matches!(part, "tests" | "benches" | "examples" | "fuzz"));
        let test_lines =
            if is_test_file { vec![true; lines] } else { lines_of_test_items(&code, lines) };
        Self { path: path.to_owned(), text: text.to_owned(), code, comments, test_lines }
    }

    /// Marks the whole file as test code: its parent declares it under `#[cfg(test)]`.
    pub(crate) fn mark_as_test(&mut self) {
        self.test_lines.fill(true);
    }

    /// The paths that this file's `#[cfg(test)] mod name;` lines may stand for, without `.rs`.
    pub(crate) fn test_modules(&self) -> Vec<String> {
        let lines: Vec<&str> = self.code.lines().collect();
        let mut modules = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let declared = line.trim().trim_start_matches("pub(crate) ").strip_prefix("mod ");
            let Some(name) = declared.and_then(|rest| rest.strip_suffix(';')) else { continue };
            if self.test_lines[at] {
                modules.push(format!("{}/{name}", self.module_folder()));
            }
        }
        modules
    }

    /// Lines of code with their numbers, from 1, that are not test code.
    pub(crate) fn shipped_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.code.lines().enumerate();
        numbered.filter(|(at, _)| !self.test_lines[*at]).map(|(at, line)| (at + 1, line))
    }

    /// The code with test items blank, lines kept.
    pub(crate) fn shipped_code(&self) -> String {
        let lines = self.code.lines().enumerate();
        let kept = lines.map(|(at, line)| if self.test_lines[at] { "" } else { line });
        kept.collect::<Vec<_>>().join("\n")
    }

    /// One entry per line: whether it counts as a line to read. Lines inside a literal, such as a
    /// snapshot's, do not.
    pub(crate) fn counted_lines(&self) -> Vec<bool> {
        let lines = self.text.lines().zip(self.code.lines().zip(self.comments.lines()));
        let is_literal = |(text, (code, comment)): (&str, (&str, &str))| {
            !text.trim().is_empty() && code.trim().is_empty() && comment.trim().is_empty()
        };
        lines.map(|line| !is_literal(line)).collect()
    }

    fn module_folder(&self) -> String {
        let stem = self.path.trim_end_matches(".rs");
        let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
        match name {
            "lib" | "main" | "mod" => folder.to_owned(),
            _ => stem.to_owned(),
        }
    }
}

/// What the scanner is inside of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Code,
    LineComment,
    BlockComment { depth: usize },
    Text { hashes: Option<usize> },
    Character,
}

/// Splits `text` into code and comments, blank where the other one (or a literal's inside) stands.
fn separate(text: &str) -> (String, String) {
    let characters: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut comments = String::with_capacity(text.len());
    let mut inside = Inside::Code;
    let mut at = 0;
    while at < characters.len() {
        let (next, length, shown) = step(&characters, at, inside);
        for character in &characters[at..at + length] {
            let blank = if *character == '\n' { '\n' } else { ' ' };
            code.push(if shown == Shown::Code { *character } else { blank });
            comments.push(if shown == Shown::Comment { *character } else { blank });
        }
        at += length;
        inside = next;
    }
    (code, comments)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Code,
    Comment,
    Nothing,
}

/// Reads one token's worth from `at`: what comes after, how many characters, and where they are
/// shown.
fn step(characters: &[char], at: usize, inside: Inside) -> (Inside, usize, Shown) {
    let here = characters[at];
    let next = characters.get(at + 1).copied();
    match inside {
        Inside::Code => step_in_code(characters, at),
        Inside::LineComment if here == '\n' => (Inside::Code, 1, Shown::Code),
        Inside::LineComment => (inside, 1, Shown::Comment),
        Inside::BlockComment { depth } => match (here, next) {
            ('/', Some('*')) => (Inside::BlockComment { depth: depth + 1 }, 2, Shown::Comment),
            ('*', Some('/')) if depth == 1 => (Inside::Code, 2, Shown::Comment),
            ('*', Some('/')) => (Inside::BlockComment { depth: depth - 1 }, 2, Shown::Comment),
            _ => (inside, 1, Shown::Comment),
        },
        Inside::Text { hashes: None } => match here {
            '\\' if next.is_some() => (inside, 2, Shown::Nothing),
            '"' => (Inside::Code, 1, Shown::Code),
            _ => (inside, 1, Shown::Nothing),
        },
        Inside::Text { hashes: Some(hashes) } => {
            let closes =
                here == '"' && (1..=hashes).all(|offset| characters.get(at + offset) == Some(&'#'));
            if closes {
                (Inside::Code, 1 + hashes, Shown::Code)
            } else {
                (inside, 1, Shown::Nothing)
            }
        }
        Inside::Character => match here {
            '\\' if next.is_some() => (inside, 2, Shown::Nothing),
            '\'' => (Inside::Code, 1, Shown::Code),
            _ => (inside, 1, Shown::Nothing),
        },
    }
}

fn step_in_code(characters: &[char], at: usize) -> (Inside, usize, Shown) {
    let here = characters[at];
    let next = characters.get(at + 1).copied();
    let after_word = at > 0 && is_word(characters[at - 1]);
    match (here, next) {
        ('/', Some('/')) => (Inside::LineComment, 2, Shown::Comment),
        ('/', Some('*')) => (Inside::BlockComment { depth: 1 }, 2, Shown::Comment),
        ('"', _) => (Inside::Text { hashes: None }, 1, Shown::Code),
        ('r', Some('"' | '#')) if !after_word || is_byte_prefix(characters, at) => {
            let hashes = characters[at + 1..].iter().take_while(|one| **one == '#').count();
            if characters.get(at + 1 + hashes) == Some(&'"') {
                (Inside::Text { hashes: Some(hashes) }, 2 + hashes, Shown::Code)
            } else {
                (Inside::Code, 1, Shown::Code)
            }
        }
        ('\'', Some('\\')) => (Inside::Character, 1, Shown::Code),
        ('\'', Some(_)) if characters.get(at + 2) == Some(&'\'') => {
            (Inside::Character, 1, Shown::Code)
        }
        _ => (Inside::Code, 1, Shown::Code),
    }
}

/// Whether the `r` at `at` belongs to `br"` or `cr"`.
fn is_byte_prefix(characters: &[char], at: usize) -> bool {
    at > 0 && matches!(characters[at - 1], 'b' | 'c') && (at < 2 || !is_word(characters[at - 2]))
}

pub(crate) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Marks the lines of every item that follows a `#[cfg(test)]`, up to its closing brace or
/// semicolon.
fn lines_of_test_items(code: &str, lines: usize) -> Vec<bool> {
    let mut marked = vec![false; lines];
    for attribute in ["#[cfg(test)]", "#[cfg(all(test"] {
        for (start, _) in code.match_indices(attribute) {
            let first = code[..start].matches('\n').count();
            let body = start + attribute.len();
            let length = item_length(&code[body..]);
            let last = first + code[start..body + length].matches('\n').count();
            marked[first..=last.min(lines.saturating_sub(1))].fill(true);
        }
    }
    marked
}

/// Bytes up to the end of the first item in `code`: a `;` outside all brackets, or the brace that
/// closes its body. Code without either is one item to its end.
pub(crate) fn item_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, character) in code.char_indices() {
        match character {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && character == '}' {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> RustSource {
        RustSource::scan("crates/room/src/room.rs", text)
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        let source = scan("let a = \"unsafe\"; // unsafe\n/* unsafe /* nested */ unsafe */ b();\n");
        assert!(!source.code.contains("unsafe"));
        assert!(source.code.contains("b();"));
        assert_eq!(source.comments.matches("unsafe").count(), 3);
    }

    #[test]
    fn raw_strings_escapes_and_characters_end_where_rust_ends_them() {
        for text in
            ["r#\"a\" TOKIO \"#; end", "\"\\\" TOKIO\"; end", "'\"'; end", "br\"TOKIO\\\"; end"]
        {
            let source = scan(text);
            assert!(source.code.contains("end"), "{text}");
            assert!(!source.code.contains("TOKIO"), "{text}");
        }
    }

    #[test]
    fn a_lifetime_does_not_open_a_character() {
        let source = scan("fn a<'x>(b: &'x str) -> char { '\\'' } fn tokio() {}");
        assert!(source.code.contains("fn tokio()"));
    }

    #[test]
    fn only_items_under_cfg_test_are_test_code() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
        assert_eq!(scan(text).test_lines, [false, true, true, true, true, false]);
        assert_eq!(scan(text).shipped_lines().count(), 2);
    }

    #[test]
    fn lines_of_a_snapshot_do_not_count() {
        let source = scan("let a = \"one\n  two\n  three\n\";\n// four\n\n");
        assert_eq!(source.counted_lines(), [true, false, false, true, true, true]);
    }

    #[test]
    fn a_module_declared_for_tests_names_its_file() {
        let source = scan("#[cfg(test)]\nmod steps;\nmod other;\n");
        assert_eq!(source.test_modules(), ["crates/room/src/room/steps"]);
    }
}
