//! `odeum bench`: that it measures what it says, against a server of its own and one that runs.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::process::{APP, SECRET, Server, data_folder};

/// How long a measurement of fractions of a millisecond is begun anew that a busy machine spoiled.
const PATIENCE: Duration = Duration::from_secs(180);

/// Runs one small measurement; its results.
fn results(name: &str, arguments: &[&str]) -> Value {
    let folder = data_folder(name);
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("results.json");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_odeum"))
        .arg("bench")
        .args(arguments)
        .args(["--windows", "2", "--window-ms", "400"])
        .arg("--json")
        .arg(&file)
        .env("ODEUM_SERVER_SECRET", SECRET)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// The same with its picture.
fn bench(name: &str, arguments: &[&str]) -> (Value, String) {
    let picture = data_folder(name).join("picture.svg");
    let svg = picture.to_string_lossy().into_owned();
    let results = results(name, &[arguments, &["--svg", &svg]].concat());
    (results, std::fs::read_to_string(picture).unwrap())
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
    let sealed = ["sealed_floor_us_per_packet", "ratio_to_sealed_floor"];
    let figures = ["server_us_per_packet", "floor_us_per_packet", "ratio", "core_share"];
    for figure in figures.into_iter().chain(sealed) {
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
fn a_server_that_runs_is_measured_by_its_signalling() {
    let server = Server::start("bench-signal");
    let url = format!("ws://{}/signal", server.http);
    let (app, pid) = (APP.0.to_string(), server.id().to_string());
    let arguments =
        ["fanout", "--viewers", "2", "--signal-url", &url, "--app-id", &app, "--pid", &pid];
    let results = results("bench-signal-results", &arguments);
    let only = row(&results, 0);
    let (due, lost) = (only["packets_due"].as_u64(), only["packets_lost"].as_u64());
    assert!(due > Some(0) && lost < due, "{only}");
    assert_eq!(results["results"]["target"], Value::from(url));
    assert!(only["server_us_per_packet"].as_f64() > Some(0.0), "{only}");
    assert!(server.metric("odeum_logins_total") == 3, "two viewers and who publishes");
    // There is no floor: it would need the server's core.
    assert_eq!(only["floor_us_per_packet"], Value::Null);
    server.assert_no_panic();
}

#[test]
fn paced_packets_leave_one_by_one_and_wait_for_their_frame_where_the_app_lingers() {
    // Ten packets 0.4 ms apart: the median of them is made 1.8 ms before the last one, and waits
    // that much longer than the last one does, if the machine lets the load keep to its times.
    let pace_ms = 0.4;
    let wait_for_the_frame = |name: &str, linger: &str| {
        let arguments = ["--viewers", "2", "--sending", "paced", "--no-floor", "--linger-ms"];
        let results = results(name, &[&["fanout"], &arguments[..], &[linger]].concat());
        assert_eq!(results["results"]["sending"], Value::from("paced"));
        let delay = |of: &str, share: &str| row(&results, 0)[of][share].as_f64().unwrap();
        let is_on_time = delay("send_delay", "p95_ms") < pace_ms;
        is_on_time.then(|| delay("delay", "p50_ms") - delay("frame_delay", "p50_ms"))
    };
    let began = Instant::now();
    let (mut at_once, mut lingering) = (None, None);
    while began.elapsed() < PATIENCE {
        at_once = at_once.or_else(|| wait_for_the_frame("bench-paced", "0"));
        lingering = lingering.or_else(|| wait_for_the_frame("bench-paced-linger", "4"));
        if let (Some(at_once), Some(lingering)) = (at_once, lingering) {
            assert!(lingering > at_once + 0.5, "{at_once} {lingering}");
            return;
        }
    }
    panic!("nothing was compared: for {PATIENCE:?} the load itself came too late");
}

#[test]
fn bad_packets_of_each_kind_are_sent_and_counted_by_the_server_as_what_they_are() {
    let arguments = ["flood", "--viewers", "2", "--packets-per-second", "2000"];
    let results = &results("bench-flood", &arguments)["results"];
    let rows = results["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 18);
    for row in rows {
        let sent = row["sent"].as_u64().unwrap();
        // Of hellos that are answered a handshake takes four, from 32 clients in two windows.
        let is_answered = row["kind"].as_str().unwrap().ends_with("that are answered");
        let due = if is_answered { 200..=256 } else { 1_000..=1_700 };
        assert!(due.contains(&sent), "{row}");
        // The victim's frames are as good as what the unwatched publisher sends.
        if let Some(counted) = row["counted"].as_u64() {
            assert!(counted * 10 >= sent * 9, "{row}");
        }
        let lost = row["packets_lost"].as_u64().unwrap();
        assert!(lost * 20 <= row["packets_due"].as_u64().unwrap(), "{row}");
    }
    // Random bytes and wrong DTLS, and all nine kinds before there are keys.
    assert_eq!(rows.iter().filter(|row| row["counted"].is_null()).count(), 2 + 9);
    assert!(results["delivered_us_per_packet"].as_f64().unwrap() > 0.0);
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
