//! Each external crate has its row in the decision record of dependencies: why, and what we would
//! write instead. Versions stand in the root manifest only.

use super::Finding;

/// Where the reasons stand.
pub(super) const RECORD: &str = "docs/adr/0006-dependencies.md";

/// Checks the root manifest against the record.
pub(super) fn check_record(manifest: &toml::Table, record: &str) -> Vec<Finding> {
    let workspace = manifest.get("workspace").and_then(toml::Value::as_table);
    let section = workspace.and_then(|table| table.get("dependencies"));
    let names = section.and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
    let words: Vec<&str> =
        record.split(|one: char| !one.is_alphanumeric() && one != '-' && one != '_').collect();
    let missing = names
        .filter(|name| !name.starts_with("odeum-"))
        .filter(|name| !words.contains(&name.as_str()));
    let reason = "has no reason there: why, and what would we write instead?";
    missing.map(|name| Finding::new(RECORD, 0, format!("`{name}` {reason}"))).collect()
}

/// Checks that a crate takes its versions from the root.
pub(super) fn check_versions(path: &str, manifest: &toml::Table) -> Vec<Finding> {
    let sections = ["dependencies", "dev-dependencies", "build-dependencies"];
    let entries = sections.into_iter().filter_map(|section| manifest.get(section)?.as_table());
    let own = entries
        .flatten()
        .filter(|(_, entry)| entry.get("workspace").and_then(toml::Value::as_bool) != Some(true));
    own.map(|(name, _)| {
        Finding::new(path, 0, format!("`{name}`: versions stand in the root Cargo.toml only"))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let manifest = "[workspace.dependencies]\nodeum-room = { path = \"a\" }\nslab = \"0.4\"\n";
        let manifest = manifest.parse().unwrap();
        assert!(check_record(&manifest, "| slab | peers by a small number |").is_empty());
        assert_eq!(check_record(&manifest, "| slab-like | … |").len(), 1);
    }

    #[test]
    fn a_version_outside_the_root_manifest_is_found() {
        let good = "[dependencies]\nslab.workspace = true\n".parse().unwrap();
        assert!(check_versions("Cargo.toml", &good).is_empty());
        for bad in ["slab = \"0.4\"", "slab = { version = \"0.4\" }", "slab = { path = \"a\" }"] {
            let bad = format!("[dev-dependencies]\n{bad}\n").parse().unwrap();
            assert_eq!(check_versions("Cargo.toml", &bad).len(), 1);
        }
    }
}
