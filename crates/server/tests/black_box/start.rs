//! The built binary from outside: what it refuses to start with, what it serves, how it reloads and
//! ends.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::process::{PATIENCE, SECRET, Server, get, get_of_host, head, now_s, write_file};

/// The `Code` for a request that `app` did not sign: it tells whether the app is known.
fn code_for_unsigned(server: &Server, app: u32) -> String {
    let reply = get(
        server.http,
        &format!(
            "/?Action=DescribeUserNum&AppId={app}&Timestamp={}&SignatureNonce=n\
             &Signature=0&SignatureVersion=2.0",
            now_s()
        ),
    );
    let code = reply.split("\"Code\":").nth(1).expect("a reply of the gateway");
    code.split(',').next().expect("split gives one").to_owned()
}

fn apps(name: &str, ids: &[u32]) -> String {
    let one = |id| format!("[[apps]]\napp_id = {id}\nserver_secret = \"{SECRET}\"\n");
    format!("{}{}", head(name), ids.iter().map(one).collect::<String>())
}

/// The start with this configuration ends with code 2 and one line that has every word of `words`.
#[track_caller]
fn check_refused(name: &str, text: &str, words: &[&str]) {
    let path = write_file(name, text);
    let Output { status, stderr, .. } = Command::new(env!("CARGO_BIN_EXE_odeum"))
        .args(["serve", "--config", &path.to_string_lossy()])
        .output()
        .expect("it is built");
    let stderr = String::from_utf8(stderr).expect("it is text");
    assert_eq!(status.code(), Some(2), "{stderr}");
    let message = stderr.lines().last().expect("it says why");
    for word in words {
        assert!(message.contains(word), "{word} in {stderr}");
    }
}

#[test]
fn an_unusable_configuration_ends_with_code_2_and_says_why() {
    check_refused(
        "unknown.toml",
        &format!("lisen = \"x\"\n{}", apps("refused", &[1])),
        &["lisen", "`listen`"],
    );
    let short = apps("refused", &[1]).replace(SECRET, "too short");
    check_refused("short.toml", &short, &["app 1", "32"]);
    let missing = apps("refused", &[1]).replace("server_secret", "callback_secret");
    check_refused("missing.toml", &missing, &["server_secret"]);
}

#[test]
fn a_port_in_use_ends_with_code_2_and_names_the_key() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it is bound").to_string();
    let text = apps("refused", &[1]).replacen("127.0.0.1:0", &address, 1);
    check_refused("taken.toml", &text, &["listen", &address]);
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it is bound").to_string();
    let media = format!("[media]\nlisten = \"{address}\"");
    let text = apps("refused", &[1]).replace("[media]\nlisten = \"127.0.0.1:0\"", &media);
    check_refused("taken-media.toml", &text, &["media", &address]);
}

#[test]
fn a_dev_server_serves_its_pages_to_this_machine_only() {
    let server = Server::dev();
    assert!(get(server.http, "/healthz").starts_with("HTTP/1.1 200"));
    assert!(get(server.admin, "/healthz").starts_with("HTTP/1.1 200"));
    assert!(get(server.admin, "/metrics").contains("\nodeum_rooms 0\n"));
    assert!(get(server.http, "/metrics").starts_with("HTTP/1.1 404"));
    let session = "/try/session?user=ada&room=lobby";
    assert!(get(server.http, session).contains("\"token\":\"04"));
    for path in [session, "/try"] {
        assert!(get_of_host(server.http, path, "rebound.example").starts_with("HTTP/1.1 403"));
    }
    assert!(get_of_host(server.http, "/elsewhere", "rebound.example").starts_with("HTTP/1.1 404"));
}

/// The soft limit of open files of a server that a shell started with these limits, and whether it
/// warned of too few.
fn open_files_with(soft: u32, hard: u32) -> (String, bool) {
    let script = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$0\" \"$@\"");
    let free = "127.0.0.1:0";
    let mut process = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_odeum"), "serve", "--dev"])
        .args(["--listen", free, "--media-listen", free, "--admin-listen", free])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("there is a shell");
    let output = BufReader::new(process.stdout.take().expect("it is piped"));
    let listens = output.lines().any(|line| line.is_ok_and(|line| line.starts_with("listening ")));
    assert!(listens, "it starts");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.id()));
    let limits = limits.expect("it runs on Linux");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("its line");
    let soft = line.split_whitespace().nth(3).expect("the soft limit").to_owned();
    process.kill().expect("it runs");
    let stderr = process.wait_with_output().expect("it ended").stderr;
    (soft, String::from_utf8_lossy(&stderr).contains("limits.connections_max"))
}

#[test]
fn all_open_files_that_the_system_allows_are_taken_and_too_few_are_told() {
    assert_eq!(open_files_with(300, 900), ("900".to_owned(), true));
}

#[test]
fn sigterm_ends_the_server_at_once_with_code_0() {
    let mut server = Server::dev();
    let _idle = TcpStream::connect(server.http).expect("it listens");
    let began = Instant::now();
    assert_eq!(server.terminate().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(TcpStream::connect(server.http).is_err());
}

#[test]
fn sighup_takes_new_apps_and_a_broken_file_changes_nothing() {
    const UNKNOWN_APP: &str = "100000010";
    const WRONG_SIGNATURE: &str = "100000005";
    let path = write_file("reload.toml", &apps("reload", &[1]));
    let server = Server::run(&["serve", "--config", &path.to_string_lossy()]);
    assert_eq!(code_for_unsigned(&server, 1), WRONG_SIGNATURE);
    assert_eq!(code_for_unsigned(&server, 2), UNKNOWN_APP);
    write_file("reload.toml", "this is no configuration");
    server.signal("-HUP");
    write_file("reload.toml", &apps("reload", &[1, 2]));
    server.signal("-HUP");
    let began = Instant::now();
    while code_for_unsigned(&server, 2) != WRONG_SIGNATURE {
        assert!(began.elapsed() < PATIENCE, "app 2 never came");
    }
    assert_eq!(code_for_unsigned(&server, 1), WRONG_SIGNATURE);
}
