//! A room that panics is dropped alone, with everything that it held.

use odeum_node::{CloseReason, CommandError, Outgoing};

use crate::support::*;

#[tokio::test]
async fn a_room_that_panics_is_dropped_alone_and_its_claims_are_free() {
    let mut config = config();
    config.room_workers = 1;
    let node = start(config);
    let mut ada = node.login("broken", "ada").await;
    let bob = node.login("whole", "bob").await;
    let added = node
        .handle
        .command(APP, &room("broken"), |now, room, claims| {
            let stream = odeum_room::AddStream {
                stream: stream("camera"),
                user: user("ada"),
                user_name: odeum_types::UserName::parse("").unwrap(),
                title: "".into(),
                extra_info: "".into(),
            };
            room.add_stream(now, &mut claims.lock(), stream)
        })
        .await;
    assert_eq!(added, Ok(Ok(())));
    assert_eq!(node.handle.statistics().await.streams, 1);

    let failed = node
        .handle
        .command(APP, &room("broken"), |_, _, claims| {
            let _held = claims.lock();
            panic!("a broken invariant");
        })
        .await;
    assert_eq!(failed, Err::<(), _>(CommandError::RoomFailed));
    assert_eq!(
        outgoing(&mut ada.inbox).await,
        Some(Outgoing::Close { reason: CloseReason::RoomFailed })
    );
    assert_eq!(node.handle.heartbeat(&bob.session, 0).await, Ok(Ok(())));
    let statistics = node.handle.statistics().await;
    assert_eq!(statistics.control.room_panics, 1);
    assert_eq!((statistics.rooms, statistics.users, statistics.sessions), (1, 1, 1));
    assert_eq!(statistics.streams, 0);
    node.login("broken", "ada").await;
}
