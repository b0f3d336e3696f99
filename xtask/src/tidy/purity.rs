//! Who may touch the world: the sans-IO crates never do, and of the others only `node` opens UDP
//! sockets and only `server` reads arguments, environment and files.
//!
//! Clippy bans the calls too (`clippy.toml` in each sans-IO crate), after types are resolved; this
//! rule also sees whole modules, imports and `async`.

use super::Finding;
use crate::rust_source::{RustSource, is_word};

/// Crates whose time, randomness and bytes are arguments.
const SANS_IO: &[&str] = &["types", "room", "rtp", "srtp", "sfu"];

/// A path of code, and why it is banned.
struct Ban {
    path: &'static str,
    reason: &'static str,
}

const fn ban(path: &'static str, reason: &'static str) -> Ban {
    Ban { path, reason }
}

/// Banned in sans-IO crates, wherever in a path they stand.
const SANS_IO_BANS: &[Ban] = &[
    ban("Instant::now", "`now` is an argument"),
    ban("SystemTime::now", "`now` is an argument"),
    ban("std::fs", "no files"),
    ban("std::env", "only the server reads the environment"),
    ban("std::process", "no processes"),
    ban("std::thread", "no threads"),
    ban("std::net::UdpSocket", "only node opens sockets"),
    ban("std::net::TcpStream", "only node opens sockets"),
    ban("std::net::TcpListener", "only node opens sockets"),
    ban("std::net::ToSocketAddrs", "no name look-ups"),
    ban("std::sync::Mutex", "no locks: one owner, `&mut self`"),
    ban("std::sync::RwLock", "no locks: one owner, `&mut self`"),
    ban("std::sync::Condvar", "no locks: one owner, `&mut self`"),
    ban("std::sync::Barrier", "no locks: one owner, `&mut self`"),
    ban("std::sync::mpsc", "no channels: outputs are polled"),
    ban("std::sync::atomic", "nothing is shared between threads"),
    ban("std::collections::HashMap", "its order is random: FxHashMap, or BTreeMap where it shows"),
    ban("std::collections::HashSet", "its order is random: FxHashSet, or BTreeSet where it shows"),
    ban("tokio", "no runtime"),
    ban("rand", "seeds are arguments"),
    ban("aws_lc_rs::rand", "seeds are arguments"),
    ban("libc", "no system calls"),
    ban("socket2", "only node opens sockets"),
];

/// Words of the language that only IO code needs.
const SANS_IO_WORDS: &[&str] = &["async", "await", "thread_local", "println", "eprintln"];

/// Banned in every crate but the ones named.
const SHELL_BANS: &[(Ban, &[&str])] = &[
    (
        ban("std::net::UdpSocket", "only node and clients open UDP sockets"),
        &["node", "client", "load"],
    ),
    (ban("tokio::net::UdpSocket", "only node opens UDP sockets"), &["node", "client"]),
    (ban("std::env", "only server reads arguments and environment"), &["server", "load"]),
    (ban("std::fs", "only server and store have files"), &["server", "store", "load"]),
    (ban("tokio::fs", "only server and store have files"), &["server"]),
];

/// What a sans-IO crate's `clippy.toml` bans at least.
const CLIPPY_BANS: &[&str] = &[
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::net::UdpSocket",
    "std::thread::spawn",
    "std::sync::Mutex",
    "std::fs::File",
];

/// Whether the crate in `crates/<name>` is sans-IO.
pub(super) fn is_sans_io(name: &str) -> bool {
    SANS_IO.contains(&name)
}

/// Checks the shipped code of one Rust file.
pub(super) fn check(source: &RustSource) -> Vec<Finding> {
    let Some(name) = crate_of(&source.path) else { return Vec::new() };
    let mut bans: Vec<&Ban> = SHELL_BANS
        .iter()
        .filter(|(_, allowed)| !is_sans_io(name) && !allowed.contains(&name))
        .map(|(ban, _)| ban)
        .collect();
    let mut words: &[&str] = &[];
    if is_sans_io(name) {
        bans.extend(SANS_IO_BANS);
        words = SANS_IO_WORDS;
    }

    let code = source.shipped_code();
    let mut findings = Vec::new();
    for (line, path) in paths(&code) {
        if let Some(ban) = bans.iter().find(|ban| stands_in(ban.path, &path)) {
            let message = format!("`{}` in {name}: {}", ban.path, ban.reason);
            findings.push(Finding::new(&source.path, line, message));
        }
    }
    for (at, line) in code.lines().enumerate() {
        for word in line.split(|one: char| !is_word(one)).filter(|word| words.contains(word)) {
            findings.push(Finding::new(&source.path, at + 1, format!("`{word}` in {name}: no IO")));
        }
    }
    findings
}

/// Checks that a sans-IO crate has a `clippy.toml` which bans what it must; a crate's file replaces
/// the root's, so each has a whole one.
pub(super) fn check_clippy(path: &str, text: Option<&str>) -> Vec<Finding> {
    let Some(text) = text else {
        return vec![Finding::new(path, 0, "missing: a sans-IO crate bans IO for clippy too")];
    };
    let missing = CLIPPY_BANS.iter().filter(|ban| !text.contains(&format!("\"{ban}\"")));
    missing.map(|ban| Finding::new(path, 0, format!("does not ban {ban}"))).collect()
}

fn crate_of(path: &str) -> Option<&str> {
    path.strip_prefix("crates/")?.split_once("/src/").map(|(name, _)| name)
}

/// Whether `banned` is a run of whole segments of `path`: from its start if it begins with a
/// crate's name, anywhere if it begins with a type's.
fn stands_in(banned: &str, path: &str) -> bool {
    let banned: Vec<&str> = banned.split("::").collect();
    let path: Vec<&str> = path.split("::").collect();
    let begins_with_type = banned[0].starts_with(char::is_uppercase);
    let starts = if begins_with_type { path.len() } else { 1 };
    (0..starts).any(|start| path[start..].starts_with(&banned))
}

/// Every path of the code with its line: those of `use` trees in full, and those written in place.
fn paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut rest = code;
    while let Some(start) = rest.find(is_word) {
        line += rest[..start].matches('\n').count();
        rest = &rest[start..];
        let length = match rest.strip_prefix("use ").and_then(|tree| tree.find(';')) {
            Some(end) => {
                let tree = &rest["use ".len().."use ".len() + end];
                expand("", tree, &mut |path| found.push((line, path)));
                "use ".len() + end
            }
            None => {
                let inside = |one: char| is_word(one) || one == ':';
                let length = rest.find(|one| !inside(one)).unwrap_or(rest.len());
                if rest[..length].contains("::") {
                    found.push((line, rest[..length].to_owned()));
                }
                length
            }
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    found
}

/// Writes out a `use` tree: `std::{fs, net::{UdpSocket as A}}` is `std::fs` and
/// `std::net::UdpSocket`.
fn expand(prefix: &str, tree: &str, emit: &mut impl FnMut(String)) {
    for branch in split_outside_braces(tree) {
        let branch = branch.trim().trim_start_matches("::");
        let branch =
            branch.split(" as ").next().filter(|_| !branch.contains('{')).unwrap_or(branch);
        match branch.split_once('{') {
            Some((head, inner)) => {
                let inner = inner.trim_end().strip_suffix('}').unwrap_or(inner);
                expand(&format!("{prefix}{}", head.trim()), inner, emit);
            }
            None if branch == "self" => emit(prefix.trim_end_matches("::").to_owned()),
            None if !branch.is_empty() => emit(format!("{prefix}{}", branch.trim())),
            None => {}
        }
    }
}

fn split_outside_braces(tree: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let is_border = |character: char| {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    };
    tree.split(is_border).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(name: &str, text: &str) -> usize {
        check(&RustSource::scan(&format!("crates/{name}/src/peer.rs"), text)).len()
    }

    #[test]
    fn a_sans_io_crate_that_touches_the_world_is_found() {
        for text in [
            "let now = Instant::now();",
            "let now = std::time::Instant::now();",
            "use std::net::{IpAddr, UdpSocket};",
            "use std::{fmt, sync::{Arc, Mutex}};",
            "use std::fs;",
            "use std::thread::{self, JoinHandle};",
            "std::thread::sleep(a);",
            "use std::collections::{BTreeMap, HashMap};",
            "use tokio::sync::oneshot;",
            "let a: u64 = rand::random();",
            "async fn a() {}",
        ] {
            assert!(findings("sfu", text) > 0, "{text}");
        }
    }

    #[test]
    fn types_that_only_describe_the_world_are_fine() {
        for text in [
            "use std::net::{IpAddr, SocketAddr};",
            "use std::time::{Duration, Instant};",
            "fn a(now: Instant) {}",
            "use std::sync::Arc;",
            "let a = env!(\"CARGO_PKG_VERSION\");",
            "// Instant::now() is the caller's.",
            "use crate::operand::Rand;",
        ] {
            assert_eq!(findings("sfu", text), 0, "{text}");
        }
    }

    #[test]
    fn tests_of_a_sans_io_crate_may() {
        let text = "#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
        assert_eq!(findings("room", text), 0);
    }

    #[test]
    fn only_node_opens_udp_sockets_and_only_server_reads_files() {
        assert_eq!(findings("api", "use std::net::UdpSocket;"), 1);
        assert_eq!(findings("node", "use std::net::UdpSocket;"), 0);
        assert_eq!(findings("signal", "let a = std::fs::read(b);"), 1);
        assert_eq!(findings("server", "let a = std::fs::read(b);"), 0);
        assert_eq!(findings("node", "let now = Instant::now();"), 0);
    }

    #[test]
    fn a_clippy_file_that_is_missing_or_lame_is_found() {
        assert_eq!(check_clippy("crates/room/clippy.toml", None).len(), 1);
        let lame = check_clippy("crates/room/clippy.toml", Some("disallowed-methods = []"));
        assert_eq!(lame.len(), CLIPPY_BANS.len());
    }
}
