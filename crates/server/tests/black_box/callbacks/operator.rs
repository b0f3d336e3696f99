//! The operator's side: the admin API and `odeum callbacks`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output};
use std::time::Instant;

use serde_json::Value;

use super::receiver::Receiver;
use super::{login, to};
use crate::process::{PATIENCE, Server, get};

const TOKEN: &str = "an-admin-token-of-the-tests";

/// `odeum callbacks …` against `server`.
fn callbacks(server: &Server, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_odeum"))
        .arg("callbacks")
        .args(arguments)
        .env("ODEUM_ADMIN", format!("http://{}", server.admin))
        .env("ODEUM_ADMIN_TOKEN", TOKEN)
        .output()
        .expect("it is built")
}

/// A POST to the admin API; the whole reply as text.
fn post(server: &Server, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(server.admin).expect("it listens");
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .expect("it reads");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("it answers and closes");
    reply
}

fn json(server: &Server, arguments: &[&str]) -> Value {
    let output = callbacks(server, &[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn an_operator_lists_shows_replays_and_drops() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let receiver = runtime.block_on(Receiver::start());
    let server = Server::start_with_admin("operator", TOKEN, &to(receiver.address));
    for room in ["lobby", "hall"] {
        runtime.block_on(async {
            let ann = login(&server.signal_url(), room, "ann").await.expect("a good login");
            ann.logout(room).await.expect("it is in");
        });
    }
    let began = Instant::now();
    let delivered = loop {
        let delivered = json(&server, &["list", "--state", "delivered"]);
        if delivered["callbacks"].as_array().expect("a list").len() == 8 {
            break delivered;
        }
        assert!(began.elapsed() < PATIENCE, "{delivered}");
    };
    assert_eq!(delivered["callbacks"][0]["event"], "room_close");
    let table = callbacks(&server, &["list", "--room", "hall", "--event", "room_login"]).stdout;
    let table = String::from_utf8(table).expect("text");
    assert!(table.starts_with("NUMBER") && table.lines().count() == 2, "{table}");

    let number = delivered["callbacks"][7]["number"].to_string();
    let shown = json(&server, &["show", &number]);
    assert_eq!(shown["body"]["event"], "room_create");
    assert!(shown["body"]["room_session_id"].is_u64());

    assert_eq!(json(&server, &["replay", "--room", "hall"])["replayed"], 4);
    let began = Instant::now();
    while receiver.count() < 12 {
        assert!(began.elapsed() < PATIENCE, "{} arrived", receiver.count());
    }
    assert_eq!(json(&server, &["replay", &number])["replayed"], 1);
    assert!(json(&server, &["drop", "--from", "1h"])["dropped"].is_u64());

    // One that was named and is not changed is a failure, with the reason.
    let delivered = json(&server, &["list", "--state", "delivered", "--room", "lobby"]);
    let ended = delivered["callbacks"][0]["number"].to_string();
    for (arguments, reason) in [
        (&["drop", ended.as_str()][..], "is delivered: only one that waits"),
        (&["replay", &ended, "--room", "hall"], "room lobby: not what the other options say"),
        (&["replay", "999999"], "no callback 999999"),
        (&["drop", "999999"], "no callback 999999"),
    ] {
        let refused = callbacks(&server, arguments);
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0), "{arguments:?}");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains(reason), "{arguments:?}: {said}");
        let as_json = callbacks(&server, &[arguments, &["--json"]].concat());
        assert_eq!(as_json.status.code(), Some(1));
        assert!(serde_json::from_slice::<Value>(&as_json.stdout).is_ok(), "{arguments:?}");
    }

    let refused = callbacks(&server, &["replay"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--room"));
    let refused = callbacks(&server, &["list", "--state", "lost"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("delivered"));
    let refused = callbacks(&server, &["show", "999999"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("999999"));
}

#[test]
fn a_room_of_several_apps_is_replayed_and_dropped_with_its_app_alone() {
    let other = "[[apps]]\napp_id = 8\nserver_secret = \"0123456789abcdef0123456789abcde8\"\n";
    let server = Server::start_with_admin("operator-apps", TOKEN, other);
    for change in ["replay", "drop"] {
        let refused = callbacks(&server, &[change, "--room", "lobby"]);
        assert_eq!(refused.status.code(), Some(2));
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains("app_id beside room_id"), "{said}");
        json(&server, &[change, "--room", "lobby", "--app-id", "8"]);
    }
    let body = "[1,null,null,null,null,null,null]";
    let reply = post(&server, "/admin/callbacks/drop", body);
    assert!(reply.starts_with("HTTP/1.1 400") && reply.contains("not a JSON object"), "{reply}");
}

#[test]
fn without_the_token_the_admin_api_is_closed_and_metrics_are_open() {
    let server = Server::start("no-admin-token");
    let reply = get(server.admin, "/admin/callbacks");
    assert!(reply.starts_with("HTTP/1.1 401") && reply.contains("[admin] token"), "{reply}");
    assert!(get(server.admin, "/metrics").contains("odeum_callbacks_stored_total 0"));
    let output = callbacks(&server, &["list"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("[admin] token"));
}
