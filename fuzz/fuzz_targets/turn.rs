//! What strangers send to the TURN relay: nothing panics, nothing is relayed for who has proved
//! nothing, and a stream is either cut into frames or closed.
#![no_main]

use std::net::SocketAddr;
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use odeum_turn::{Action, Client, Gate, Limits, Peers, frame_length};
use odeum_types::{Redacted, UnixMillis};

fuzz_target!(|bytes: &[u8]| {
    let source = SocketAddr::from(([198, 51, 100, 7], 4000));
    let media = SocketAddr::from(([203, 0, 113, 9], 7881));
    let peers = Peers::new([(media, media)]);
    let gate = Gate::new("odeum".to_owned(), Redacted::new("secret".to_owned()), [7; 32]);
    let mut client = Client::new(source, Limits { bytes_per_second: 1_000_000 });
    let action = client.handle(Instant::now(), UnixMillis(1_700_000_000_000), &gate, &peers, bytes);
    let is_harmless = matches!(action, Action::Nothing | Action::Reply(_) | Action::Refuse { .. });
    assert!(is_harmless, "{action:?}");
    if let Ok(Some(length)) = frame_length(bytes) {
        assert!((4..=2_048).contains(&length));
    }
});
