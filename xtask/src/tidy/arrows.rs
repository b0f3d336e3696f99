//! The arrows between crates: who may import whom. A crate that is not in the table does not exist
//! yet as far as the house is concerned, so a new one begins with a line here.

use super::Finding;

/// What one crate may import of the others.
pub(crate) struct Arrows {
    /// The crate's folder under `crates/`.
    pub(crate) name: &'static str,
    /// What its shipped code may import.
    pub(crate) imports: &'static [&'static str],
    /// What only its tests may import beside that.
    pub(crate) tests_import: &'static [&'static str],
    /// Its job in a few words, for the reference.
    pub(crate) job: &'static str,
}

/// The table, from the bottom of the house to its top.
pub(crate) const ARROWS: &[Arrows] = &[
    Arrows { name: "types", imports: &[], tests_import: &[], job: "ids, units and secrets" },
    Arrows {
        name: "proto",
        imports: &["types"],
        tests_import: &[],
        job: "wire shapes and return codes, no logic",
    },
    Arrows {
        name: "auth",
        imports: &["types"],
        tests_import: &[],
        job: "signatures and tokens, made and checked",
    },
    Arrows {
        name: "room",
        imports: &["types"],
        tests_import: &[],
        job: "sans-IO: rooms, and what is unique in an app",
    },
    Arrows {
        name: "rtp",
        imports: &["types"],
        tests_import: &[],
        job: "sans-IO: bytes of STUN, RTP, RTCP and SDP",
    },
    Arrows {
        name: "srtp",
        imports: &["types", "rtp"],
        tests_import: &[],
        job: "sans-IO: SRTP and SRTCP, protect and unprotect",
    },
    Arrows {
        name: "bwe",
        imports: &["types", "rtp"],
        tests_import: &[],
        job: "sans-IO: what bandwidth reaches the other end",
    },
    Arrows {
        name: "sfu",
        imports: &["types", "rtp", "srtp", "bwe"],
        tests_import: &[],
        job: "sans-IO: the media plane of one worker",
    },
    Arrows {
        name: "turn",
        imports: &["types", "auth"],
        tests_import: &[],
        job: "sans-IO: TURN that leads to the media ports alone",
    },
    Arrows {
        name: "node",
        imports: &["types", "room", "rtp", "sfu", "turn"],
        tests_import: &["client", "srtp"],
        job: "sockets, threads, the clock; joins room and sfu",
    },
    Arrows {
        name: "api",
        imports: &["types", "auth", "proto", "room", "node"],
        tests_import: &["client", "sfu"],
        job: "the Server API over HTTP",
    },
    Arrows {
        name: "signal",
        imports: &["types", "auth", "proto", "room", "node"],
        tests_import: &["client", "sfu"],
        job: "the signalling WebSocket",
    },
    Arrows {
        name: "whip",
        imports: &["types", "auth", "room", "node"],
        tests_import: &["client", "sfu"],
        job: "WHIP and WHEP over HTTP",
    },
    Arrows {
        name: "store",
        imports: &["types", "room"],
        tests_import: &[],
        job: "durable state: rules, outbox, ledger; SQLite",
    },
    Arrows {
        name: "callback",
        imports: &["types", "auth", "proto", "room", "node", "store"],
        tests_import: &[],
        job: "events of rooms as signed callbacks: outbox, order, retries",
    },
    Arrows {
        name: "client",
        imports: &["types", "auth", "proto", "rtp", "srtp"],
        tests_import: &["sfu"],
        job: "client of the public protocols, for tests and load",
    },
    Arrows {
        name: "load",
        imports: &["types", "auth", "rtp", "srtp", "client"],
        tests_import: &[],
        job: "load generator: what media costs a server, and what arrives",
    },
    Arrows {
        name: "server",
        imports: &[
            "types", "auth", "proto", "room", "sfu", "node", "api", "signal", "whip", "store",
            "callback", "load",
        ],
        tests_import: &["client", "rtp"],
        job: "the binary: configuration, wiring, pages",
    },
];

/// Checks one crate's manifest against the table.
pub(super) fn check(path: &str, name: &str, manifest: &toml::Table) -> Vec<Finding> {
    let Some(arrows) = ARROWS.iter().find(|arrows| arrows.name == name) else {
        let message = "not in the table of xtask/src/tidy/arrows.rs: what may it import, and why?";
        return vec![Finding::new(path, 0, message)];
    };
    let mut findings = Vec::new();
    for import in siblings(manifest, "dependencies") {
        if !arrows.imports.contains(&import.as_str()) {
            let allowed = arrows.imports.join(", ");
            let message = format!("{name} may not import {import}; it may import: {allowed}");
            findings.push(Finding::new(path, 0, message));
        }
    }
    for import in siblings(manifest, "dev-dependencies") {
        let import = import.as_str();
        let is_itself = import == name;
        if !is_itself && !arrows.imports.contains(&import) && !arrows.tests_import.contains(&import)
        {
            let message = format!("the tests of {name} may not import {import}");
            findings.push(Finding::new(path, 0, message));
        }
    }
    findings
}

/// The folders of Odeum's own crates that a section of a manifest names.
fn siblings(manifest: &toml::Table, section: &str) -> Vec<String> {
    let table = manifest.get(section).and_then(toml::Value::as_table);
    let names = table.into_iter().flat_map(toml::Table::keys);
    names.filter_map(|name| name.strip_prefix("odeum-").map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(name: &str, manifest: &str) -> Vec<Finding> {
        check("Cargo.toml", name, &manifest.parse().unwrap())
    }

    #[test]
    fn an_arrow_that_the_table_lacks_is_found() {
        let good = "[dependencies]\nodeum-types.workspace = true\nserde.workspace = true\n";
        assert!(findings("room", good).is_empty());
        let bad = "[dependencies]\nodeum-sfu.workspace = true\n";
        assert_eq!(findings("room", bad).len(), 1);
        let sideways = "[dependencies]\nodeum-signal.workspace = true\n";
        assert_eq!(findings("api", sideways).len(), 1);
    }

    #[test]
    fn tests_may_import_more_than_the_crate_but_not_everything() {
        let good = "[dev-dependencies]\nodeum-client.workspace = true\n";
        assert!(findings("node", good).is_empty());
        let bad = "[dev-dependencies]\nodeum-server.workspace = true\n";
        assert_eq!(findings("node", bad).len(), 1);
        let shipped = "[dependencies]\nodeum-client.workspace = true\n";
        assert_eq!(findings("node", shipped).len(), 1);
    }

    #[test]
    fn a_crate_without_a_line_in_the_table_is_found() {
        assert_eq!(findings("helpers", "[dependencies]\n").len(), 1);
    }

    #[test]
    fn arrows_only_point_down() {
        for (at, arrows) in ARROWS.iter().enumerate() {
            for import in arrows.imports {
                let below = ARROWS[..at].iter().any(|lower| lower.name == *import);
                assert!(below, "{} imports {import}, which is not below it", arrows.name);
            }
        }
    }
}
