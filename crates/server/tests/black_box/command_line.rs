//! The commands of the binary, against a real server and alone.

use std::process::{Command, Output};

use expect_test::expect;

use crate::process::{APP, SECRET, Server, head, token, write_file};

/// Runs the binary as this app.
fn odeum(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_odeum"))
        .args(arguments)
        .env("ODEUM_APP_ID", APP.to_string())
        .env("ODEUM_SERVER_SECRET", SECRET)
        .output()
        .expect("it is built")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

#[test]
fn call_signs_sends_prints_and_ends_by_the_code() {
    let server = Server::start("call");
    let url = format!("http://{}", server.http);
    let count = ["call", "DescribeUserNum", "RoomId=a", "RoomId=b", "--url", &url];
    for way in [&[][..], &["--post"], &["--post", "--json"], &["--is-test"]] {
        let output = odeum(&[&count, way].concat());
        assert_eq!(output.status.code(), Some(0), "{way:?}: {}", stderr(&output));
        let reply: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
        assert_eq!(reply["Data"]["UserCountList"][1]["RoomId"], "b", "{way:?}");
    }
    let delete = ["call", "DeleteStream", "RoomId=a", "UserId=u", "StreamId=s", "--url", &url];
    let refused = odeum(&[&delete[..], &["--verbose"]].concat());
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("no such room"), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("GET http://") && !stderr(&refused).contains(SECRET));
    let misspelled = odeum(&["call", "DeletStream", "--url", &url]);
    assert_eq!(misspelled.status.code(), Some(1));
    assert!(stderr(&misspelled).contains("did you mean DeleteStream?"));
}

#[test]
fn call_tells_a_server_that_is_not_there_from_one_that_is_another() {
    let nobody = odeum(&["call", "DescribeUserNum", "RoomId=a", "--url", "http://127.0.0.1:1"]);
    assert_eq!(nobody.status.code(), Some(3));
    assert!(stderr(&nobody).contains("was not reached"), "{}", stderr(&nobody));
    let server = Server::start("call-admin");
    let admin = format!("http://{}", server.admin);
    let other = odeum(&["call", "DescribeUserNum", "RoomId=a", "--url", &admin]);
    assert_eq!(other.status.code(), Some(3));
    let usage = odeum(&["call", "DescribeUserNum", "RoomId"]);
    assert_eq!(usage.status.code(), Some(2));
    assert!(stderr(&usage).contains("Key=Value"));
}

#[test]
fn what_sign_makes_check_url_finds_good_and_a_slip_it_names() {
    let url = odeum(&["sign", "--print", "url", "Action=DescribeUserNum", "RoomId[]=a"]);
    let url = stdout(&url);
    let good = odeum(&["check-url", url.trim()]);
    assert_eq!(good.status.code(), Some(0), "{}", stdout(&good));
    let upper = url.replace("SignatureNonce=", "SignatureNonce=x");
    let bad = odeum(&["check-url", upper.trim()]);
    assert_eq!(bad.status.code(), Some(1));
    assert!(stdout(&bad).starts_with("100000005"), "{}", stdout(&bad));
    let sample = odeum(&[
        "sign",
        "--app-id",
        "12345",
        "--nonce",
        "4fd24687296dd9f3",
        "--timestamp",
        "1615186943",
        "--server-secret",
        "9193cc662a4c0ec135ec71fb57194b38",
        "--print",
        "signature",
    ]);
    assert_eq!(stdout(&sample), "43e5cfcca828314675f91b001390566a\n", "the contract's sample");
}

#[test]
fn identity_comes_from_a_file_as_well_and_several_apps_have_to_be_told_apart() {
    let app = |id: u32| format!("[[apps]]\napp_id = {id}\nserver_secret = \"{SECRET}\"\n");
    let one = write_file("identity.toml", &format!("{}{}", head("identity"), app(7)));
    let two = write_file("identities.toml", &format!("{}{}{}", head("x"), app(7), app(8)));
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_odeum"));
        command.args(arguments).env_remove("ODEUM_APP_ID").env_remove("ODEUM_SERVER_SECRET");
        command.output().expect("it is built")
    };
    let (one, two) = (one.to_string_lossy(), two.to_string_lossy());
    let made = run(&["token", "--user-id", "ann", "--config", &one]);
    assert!(stdout(&made).starts_with("04"), "{}", stderr(&made));
    let which = run(&["token", "--user-id", "ann", "--config", &two]);
    assert_eq!(which.status.code(), Some(2));
    assert!(stderr(&which).contains("--app-id 7 or 8"), "{}", stderr(&which));
    let none = run(&["token", "--user-id", "ann"]);
    assert!(stderr(&none).contains("--config"), "{}", stderr(&none));
    let checked = run(&["check-config", &two]);
    assert!(stdout(&checked).contains("app        8"), "{}", stdout(&checked));
    let broken = write_file("broken.toml", "lisen = 1\n");
    let refused = run(&["check-config", &broken.to_string_lossy()]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("`listen`"));
}

#[test]
fn a_token_of_the_command_logs_in() {
    let server = Server::start("token");
    let made = odeum(&["token", "--user-id", "ann"]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let options = odeum_client::ConnectOptions::new(server.signal_url());
        let (signalling, _events) =
            odeum_client::Signalling::connect(&options).await.expect("it takes WebSockets");
        let token = stdout(&made).trim().to_owned();
        let login = odeum_client::LoginOptions::new(APP.0, "room", "ann", token);
        signalling.login(login).await.expect("a good token");
    });
    assert_ne!(token("ann"), stdout(&made).trim());
}

#[test]
fn verify_callback_reads_a_body_and_its_headers() {
    let body = write_file(
        "callback.json",
        "{\"timestamp\":1470820198,\"nonce\":\"123412\",\
         \"signature\":\"5bd59fd62953a8059fb7eaba95720f66d19e4517\"}",
    );
    let body = body.to_string_lossy();
    let verify = |secret: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_odeum"));
        command.args(["verify-callback", &body]).env("ODEUM_CALLBACK_SECRET", secret);
        command.output().expect("it is built")
    };
    assert_eq!(verify("secret").status.code(), Some(0));
    let bad = verify("other");
    assert_eq!(bad.status.code(), Some(1));
    assert!(stdout(&bad).starts_with("BAD"), "{}", stdout(&bad));
}

#[test]
fn completion_knows_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&odeum(&["completion", shell]));
        assert!(script.contains("verify-callback") && script.contains("check-url"), "{shell}");
    }
}

#[test]
fn help_shows_what_there_is() {
    expect![[r#"
        Self-hosted real-time audio and video rooms

        Usage: odeum <COMMAND>

        Commands:
          serve            Run the server
          call             Sign and send one call of the Server API, and print the reply
          token            Make a client token (version 04, GCM) for a user
          sign             Make the signature of a Server API request
          check-url        Say what is wrong with a signed URL
          verify-callback  Check the signatures of a callback that arrived
          callbacks        See, repeat or give up callbacks of a running server
          bench            Measure a server: what media costs it, and what arrives
          check-config     Check a configuration file without starting anything
          completion       Print a shell's completion script
          help             Print this message or the help of the given subcommand(s)

        Options:
          -h, --help     Print help
          -V, --version  Print version

        Begin with `odeum serve --dev`, which prints a page to try it on; then
        copy odeum.example.toml and `odeum serve --config odeum.toml`.
        Each command's --help has examples.
    "#]]
    .assert_eq(&stdout(&odeum(&["--help"])));
    for command in ["call", "sign", "token", "check-url", "verify-callback", "callbacks"] {
        let help = stdout(&odeum(&[command, "--help"]));
        assert!(help.contains("Examples:"), "{command}: {help}");
        assert!(!help.contains(SECRET), "{command} shows the secret of the environment");
    }
}
