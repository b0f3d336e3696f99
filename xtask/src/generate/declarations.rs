//! What a Rust file declares, with its documentation: the ground of pages that are made from code.
//!
//! Reads code as rustfmt leaves it (one member a line, four spaces a level), which `cargo fmt
//! --check` guarantees.

/// A documented declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declaration {
    /// Its name.
    pub(super) name: String,
    /// Its documentation as one paragraph.
    pub(super) docs: String,
    /// What it is.
    pub(super) kind: Kind,
}

/// What a declaration is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A constant with the text of its value.
    Constant { value: String },
    /// A struct.
    Struct { fields: Vec<Field> },
    /// An enum.
    Enum { variants: Vec<Variant> },
}

/// A field of a struct or variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) type_name: String,
    pub(super) docs: String,
    /// Whether it may be left out on the wire.
    pub(super) is_optional: bool,
}

/// A variant of an enum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variant {
    pub(super) name: String,
    pub(super) docs: String,
    /// The type in its parentheses, when it has one.
    pub(super) payload: Option<String>,
    /// The fields in its braces.
    pub(super) fields: Vec<Field>,
}

/// The documentation at the head of a file, as it is laid out there.
pub(super) fn file_docs(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    plain(&lines.map(str::trim).collect::<Vec<_>>().join("\n"))
}

/// Every constant, struct and enum before the file's tests, public or of the crate.
pub(super) fn read(text: &str) -> Vec<Declaration> {
    let mut found: Vec<Declaration> = Vec::new();
    let mut docs: Vec<&str> = Vec::new();
    let mut is_optional = false;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        if line == "#[cfg(test)]" {
            break;
        }
        if let Some(doc) = line.strip_prefix("///") {
            docs.push(doc.trim());
            continue;
        }
        if line.starts_with("#[") {
            is_optional |= line.contains("serde(default");
            continue;
        }
        let member = Member { line, indent, docs: plain(&docs.join(" ")), is_optional };
        if let Some((name, rest)) = declaration(line, "const ") {
            let value = value_of(rest, &mut lines);
            found.push(Declaration { name, docs: member.docs, kind: Kind::Constant { value } });
        } else if let Some((name, _)) = declaration(line, "struct ") {
            let kind = Kind::Struct { fields: Vec::new() };
            found.push(Declaration { name, docs: member.docs, kind });
        } else if let Some((name, _)) = declaration(line, "enum ") {
            let kind = Kind::Enum { variants: Vec::new() };
            found.push(Declaration { name, docs: member.docs, kind });
        } else if !member.docs.is_empty() {
            add_member(found.last_mut(), member);
        }
        docs.clear();
        is_optional = false;
    }
    found
}

struct Member<'a> {
    line: &'a str,
    indent: usize,
    docs: String,
    is_optional: bool,
}

/// `pub(crate) const NAME…`: the name and what follows it.
fn declaration<'a>(line: &'a str, keyword: &str) -> Option<(String, &'a str)> {
    let rest = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
    let rest = rest.strip_prefix(keyword)?;
    let length = rest.find(|one: char| !one.is_alphanumeric() && one != '_').unwrap_or(rest.len());
    Some((rest[..length].to_owned(), &rest[length..]))
}

/// The value between `=` and `;`, over lines if need be.
fn value_of<'a>(rest: &str, lines: &mut impl Iterator<Item = &'a str>) -> String {
    let mut text = rest.to_owned();
    while !text.trim_end().ends_with(';') {
        let Some(line) = lines.next() else { break };
        text.push(' ');
        text.push_str(line.trim());
    }
    let value = text.split_once('=').map(|(_, value)| value).unwrap_or_default();
    value.trim().trim_end_matches(';').to_owned()
}

fn add_member(declaration: Option<&mut Declaration>, member: Member<'_>) {
    let Some(declaration) = declaration else { return };
    match &mut declaration.kind {
        Kind::Struct { fields } if member.indent == 4 => fields.extend(field(member)),
        Kind::Enum { variants } if member.indent == 4 => variants.push(variant(member)),
        Kind::Enum { variants } if member.indent == 8 => {
            if let Some(last) = variants.last_mut() {
                last.fields.extend(field(member));
            }
        }
        _ => {}
    }
}

fn field(member: Member<'_>) -> Option<Field> {
    let line = member.line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
    let (name, type_name) = line.strip_suffix(',')?.split_once(": ")?;
    Some(Field {
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        docs: member.docs,
        is_optional: member.is_optional,
    })
}

fn variant(member: Member<'_>) -> Variant {
    let line = member.line.trim_end_matches(',').trim_end_matches('{').trim();
    let (name, payload) = match line.split_once('(') {
        Some((name, payload)) => (name, Some(payload.trim_end_matches(')').to_owned())),
        None => (line, None),
    };
    Variant { name: name.to_owned(), docs: member.docs, payload, fields: Vec::new() }
}

/// Takes rustdoc's link brackets off: a page of Markdown has no such links.
fn plain(docs: &str) -> String {
    docs.replace("[`", "`").replace("`]", "`").replace("crate::", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "\
//! A head.
//!
//! More of [`it`].

/// How many.
/// At most.
pub(crate) const MANY_MAX: usize =
    4 * 2;

/// A thing.
#[derive(Debug)]
pub struct Thing {
    /// Its name.
    #[serde(default)]
    pub name: String,
}

/// Messages.
pub enum Message {
    /// Opens.
    Open(Thing),
    /// Ends.
    End {
        /// Why.
        code: u32,
    },
}

#[cfg(test)]
mod tests {
    /// Not this one.
    const NOT: u32 = 1;
}
";

    #[test]
    fn constants_structs_and_enums_come_with_their_docs() {
        let found = read(SAMPLE);
        let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["MANY_MAX", "Thing", "Message"]);
        assert_eq!(found[0].docs, "How many. At most.");
        assert_eq!(found[0].kind, Kind::Constant { value: "4 * 2".to_owned() });
        let Kind::Struct { fields } = &found[1].kind else { panic!("a struct") };
        assert_eq!((fields[0].name.as_str(), fields[0].is_optional), ("name", true));
        let Kind::Enum { variants } = &found[2].kind else { panic!("an enum") };
        assert_eq!(variants[0].payload.as_deref(), Some("Thing"));
        assert_eq!(variants[1].fields[0].docs, "Why.");
    }

    #[test]
    fn the_head_of_a_file_loses_its_link_brackets() {
        assert_eq!(file_docs(SAMPLE), "A head.\n\nMore of `it`.");
    }
}
