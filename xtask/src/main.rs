//! The project's own tools: `cargo xtask tidy` checks the house rules that no compiler knows, and
//! `cargo xtask gen [--check]` writes the references that come from code.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod generate;
mod rust_source;
mod tidy;
mod tree;

const USAGE: &str = "usage: cargo xtask tidy | gen [--check]";

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["tidy"] => tidy::run(&root()),
        ["gen"] => generate::run(&root(), generate::Mode::Write),
        ["gen", "--check"] => generate::run(&root(), generate::Mode::Check),
        _ => {
            eprintln!("{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}

/// The root of the source tree: xtask lives one folder below it.
fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask is a folder of the root").to_path_buf()
}
