//! How the built server ends: its clients are told why.

mod process;

use std::time::{Duration, Instant};

use odeum_client::{ConnectOptions, Event, LoginOptions, Signalling};
use odeum_proto::signal::close_code;

use process::{APP, PATIENCE, Server, token};

#[test]
fn sigterm_tells_every_client_and_ends_within_five_seconds() {
    let mut server = Server::start("life");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut clients: Vec<_> = ["ada", "bob"]
        .map(|user| {
            runtime.block_on(async {
                let options = ConnectOptions::new(server.signal_url());
                let (signalling, events) =
                    Signalling::connect(&options).await.expect("it takes WebSockets");
                let login = LoginOptions::new(APP.0, "room", user, token(user));
                signalling.login(login).await.expect("a good token");
                (signalling, events)
            })
        })
        .into();
    let began = Instant::now();
    let status = server.terminate();
    assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
    assert_eq!(status.code(), Some(0), "{}", server.report());
    for (_signalling, events) in &mut clients {
        let closed = runtime.block_on(tokio::time::timeout(PATIENCE, async {
            loop {
                match events.next().await {
                    Some(Event::Closed { code, .. }) => return code,
                    Some(_) => {}
                    None => return None,
                }
            }
        }));
        assert_eq!(closed.expect("it is told"), Some(close_code::SERVER_CLOSING));
    }
}
