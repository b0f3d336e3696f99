//! `odeum bench`: that it measures what it says, against a server of its own and one that runs.

use std::path::PathBuf;

use serde_json::Value;

use crate::process::{APP, SECRET, Server, data_folder};

/// Runs one small measurement; its results, and its picture.
fn bench(name: &str, arguments: &[&str]) -> (Value, String) {
    let folder = data_folder(name);
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str| -> PathBuf { folder.join(name) };
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_odeum"))
        .arg("bench")
        .args(arguments)
        .args(["--windows", "2", "--window-ms", "400"])
        .arg("--json")
        .arg(file("results.json"))
        .arg("--svg")
        .arg(file("picture.svg"))
        .env("ODEUM_SERVER_SECRET", SECRET)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let results = std::fs::read_to_string(file("results.json")).unwrap();
    let picture = std::fs::read_to_string(file("picture.svg")).unwrap();
    (serde_json::from_str(&results).unwrap(), picture)
}

fn row(results: &Value, number: usize) -> &Value {
    &results["results"]["rows"][number]
}

#[test]
fn a_server_is_started_and_compared_with_the_floor() {
    let (results, picture) = bench("bench-own", &["fanout", "--viewers", "1,3"]);
    let last = row(&results, 1);
    // Two windows of ten frames of ten packets, for three viewers.
    let due = last["packets_due"].as_u64().unwrap();
    assert!((500..=720).contains(&due), "{due}");
    assert_eq!((&last["plays"], &last["users"]), (&Value::from(3), &Value::from(4)));
    for figure in ["server_us_per_packet", "floor_us_per_packet", "ratio", "core_share"] {
        assert!(last[figure].as_f64().unwrap() > 0.0, "{figure}: {last}");
    }
    assert!(last["delay"]["count"].as_u64().unwrap() > 0);
    // Server and floor, two sizes each.
    assert_eq!(picture.matches("r=\"3.5\"").count(), 4);
}

#[test]
fn everybody_in_a_room_plays_everybody_else() {
    let (results, _) = bench("bench-rooms", &["rooms", "--rooms", "1", "--users", "3"]);
    let only = row(&results, 0);
    assert_eq!((&only["publishers"], &only["plays"]), (&Value::from(3), &Value::from(6)));
    assert!(only["ratio"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_server_that_runs_is_measured_by_whip_and_whep() {
    let server = Server::start("bench-whip");
    let whip = format!("http://{}/whip/{{room}}/{{stream}}", server.http);
    let whep = format!("http://{}/whep/{{room}}/{{stream}}", server.http);
    let app = APP.0.to_string();
    let arguments =
        ["fanout", "--viewers", "2", "--whip", &whip, "--whep", &whep, "--app-id", &app];
    let (results, _) = bench("bench-whip-results", &arguments);
    let only = row(&results, 0);
    let (due, lost) = (only["packets_due"].as_u64(), only["packets_lost"].as_u64());
    assert!(due > Some(0) && lost < due, "{only}");
    // Nobody said which process it is, so nothing is told of its cost.
    assert_eq!(only["server_us_per_packet"], Value::Null);
    // What was begun is ended.
    assert_eq!(server.metric("odeum_sessions"), 0);
    server.assert_no_panic();
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (arguments, word) in [
        (&["fanout", "--viewers", "5,3"][..], "sizes grow"),
        (&["fanout", "--viewers", "0"], "from 1 on"),
        (&["fanout", "--whip", "http://x/"], "--whep"),
        (&["fanout", "--signal-url", "ws://x/"], "--app-id"),
    ] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_odeum"))
            .arg("bench")
            .args(arguments)
            .env_remove("ODEUM_APP_ID")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(word), "{said}");
    }
}
