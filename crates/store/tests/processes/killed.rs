//! `kill -9` at random moments: what was acknowledged is there, and what was not is there whole or
//! not at all.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use odeum_store::Store;

use crate::alone;
use crate::scene::{enqueue, waiting};

/// The folder of the store that a child of these tests writes to.
const FOLDER: &str = "ODEUM_TEST_STORE";

/// Callbacks in one commit.
const IN_ONE_COMMIT: usize = 3;

/// The child: commits as fast as it can, and says each commit's number once it is durable. Does
/// nothing when the tests run it as one of them.
#[test]
fn child_that_commits() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let mut store = Store::open(Path::new(&folder)).unwrap();
    let mut number = waiting(&store.reader().unwrap()).len() / IN_ONE_COMMIT;
    let mut out = std::io::stdout();
    loop {
        let changes = [(); IN_ONE_COMMIT].map(|()| enqueue("r", &number.to_string()));
        store.commit(&changes).unwrap();
        writeln!(out, "committed {number}").unwrap();
        out.flush().unwrap();
        number += 1;
    }
}

#[test]
fn what_was_acknowledged_outlives_a_kill() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    // Moments spread over the opening and the first commits.
    for round in 0..25_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::child_that_commits", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reading = std::thread::spawn(move || {
            let numbers = lines.map_while(Result::ok).filter_map(|line| {
                line.strip_prefix("committed ").map(|number| number.parse::<usize>().unwrap())
            });
            numbers.last()
        });
        #[expect(clippy::disallowed_methods, reason = "the moment of the kill is what varies")]
        std::thread::sleep(Duration::from_micros(20_000 + (round * 7_919) % 60_000));
        child.kill().unwrap();
        child.wait().unwrap();
        if let Some(last) = reading.join().unwrap() {
            acknowledged = last + 1;
        }

        let store = Store::open(folder.path()).unwrap();
        let bodies = waiting(&store.reader().unwrap());
        assert_eq!(bodies.len() % IN_ONE_COMMIT, 0, "half a commit");
        let commits = bodies.len() / IN_ONE_COMMIT;
        assert!(commits >= acknowledged, "{acknowledged} acknowledged, {commits} there");
        for (at, body) in bodies.iter().enumerate() {
            assert_eq!(*body, (at / IN_ONE_COMMIT).to_string(), "round {round}");
        }
    }
    assert!(acknowledged > 25, "the child committed {acknowledged} times in all: too slow to tell");
}
