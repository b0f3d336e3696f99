//! How the built server ends: its clients are told why.

use std::time::{Duration, Instant};

use odeum_client::{ConnectOptions, Event, Events, LoginOptions, Signalling};
use odeum_proto::signal::close_code;

use crate::process::{APP, PATIENCE, Server, token};

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
        let told = runtime.block_on(async {
            tokio::time::timeout(PATIENCE, close_code_of(events)).await.expect("it is told")
        });
        assert_eq!(told, Some(close_code::SERVER_CLOSING));
    }
}

async fn close_code_of(events: &mut Events) -> Option<u16> {
    loop {
        if let Event::Closed { code, .. } = events.next().await? {
            return code;
        }
    }
}
