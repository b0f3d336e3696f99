//! DeleteStream, each row of ruling 9's table, and what is told to whom (rulings 10 and 11).

use std::time::Duration;

use odeum_node::CommandError;
use odeum_room::{
    EventKind, Notice, PublishEndReason, PublishState, StreamCloseReason, StreamDeleteReason,
    StreamListUpdate,
};

use crate::backend::{Backend, told};

const CALL: &str = "Action=DeleteStream&RoomId=hall&UserId=operator&StreamId=camera";

#[tokio::test]
async fn code_0_the_stream_is_gone_for_everyone_and_its_publisher_stays() {
    let backend = Backend::start().await;
    let mut ann = backend.login("hall", "ann").await;
    let mut bob = backend.login("hall", "bob").await;
    backend.publish(&ann, "camera", 1).await;
    told(&mut ann);
    told(&mut bob);
    backend.events();

    let reply = backend.call(CALL).await;
    assert_eq!(reply["Code"], 0);
    assert_eq!(reply["Message"], "success");
    assert_eq!(reply.get("Data"), None);

    let to_bob = told(&mut bob);
    assert!(
        matches!(&*to_bob[0], Notice::StreamUpdate {
            update: StreamListUpdate::Delete(StreamDeleteReason::Deleted), streams, ..
        } if streams.len() == 1 && streams[0].stream.as_str() == "camera"),
        "{to_bob:?}"
    );
    let to_ann = told(&mut ann);
    assert!(
        matches!(&to_ann[..], [only] if matches!(&**only, Notice::PublisherState {
            state: PublishState::Ended(PublishEndReason::Deleted), ..
        })),
        "{to_ann:?}"
    );
    let events = backend.events();
    assert!(
        matches!(&events[..], [EventKind::StreamClose { reason: StreamCloseReason::Deleted, .. }]),
        "{events:?}"
    );
    let users = backend.call("Action=DescribeUsers&RoomId=hall&UserId[]=ann").await;
    assert_eq!(users["Data"]["UserStatusList"][0]["Status"], 1);
    let streams = backend.call("Action=DescribeSimpleStreamList&RoomId=hall").await;
    assert_eq!(streams["Data"]["StreamList"], serde_json::json!([]));
    backend.publish(&ann, "camera", 2).await;
    assert_eq!(backend.code(CALL).await, 0, "it may be published and deleted again");
}

#[tokio::test]
async fn codes_2_and_3_a_parameter_is_missing_malformed_or_too_long() {
    let backend = Backend::start().await;
    let ann = backend.login("hall", "ann").await;
    backend.publish(&ann, "camera", 1).await;
    for (from, to, code) in [
        ("&RoomId=hall", "", 2),
        ("&UserId=operator", "", 2),
        ("&StreamId=camera", "", 2),
        ("StreamId=camera", "StreamId=cam%20era", 2),
        ("StreamId=camera", "StreamId=camera&StreamId=b", 2),
        ("StreamId=camera", "StreamId=%zz", 2),
        ("RoomId=hall", &format!("RoomId={}", "r".repeat(128)), 3),
        ("UserId=operator", &format!("UserId={}", "u".repeat(64)), 3),
        ("StreamId=camera", &format!("StreamId={}", "s".repeat(257)), 3),
    ] {
        assert_eq!(backend.code_later(&CALL.replace(from, to)).await, code, "{to}");
    }
    assert_eq!(backend.code_later(CALL).await, 0, "none of them deleted it");
}

#[tokio::test]
async fn code_104_there_is_no_such_room() {
    let backend = Backend::start().await;
    let reply = backend.call(CALL).await;
    assert_eq!(reply["Code"], 104);
    assert_eq!(reply["Message"], "there is no room hall");
}

#[tokio::test]
async fn code_138_there_is_no_such_stream_also_on_the_second_of_two_deletions() {
    let backend = Backend::start().await;
    let ann = backend.login("hall", "ann").await;
    assert_eq!(backend.code(CALL).await, 138);
    backend.publish(&ann, "camera", 1).await;
    assert_eq!(backend.code(CALL).await, 0);
    let reply = backend.call(CALL).await;
    assert_eq!(reply["Code"], 138);
    assert_eq!(reply["Message"], "room hall has no stream camera");
}

#[tokio::test(start_paused = true)]
async fn code_124_the_deletion_could_not_be_made_durable_and_was_not_done() {
    let backend = Backend::start_with(|config| config.limits.journal_bytes_max = 1).await;
    let ann = backend.login("hall", "ann").await;
    backend.publish(&ann, "camera", 1).await;
    backend.stop_events();
    // An event is taken and never stored: the journal is full.
    let published = backend.try_publish(&ann, "second", 2).await;
    assert_eq!(published, Err(CommandError::DeadlinePassed));
    assert_eq!(backend.code(CALL).await, 124);
    assert_eq!(backend.code("Action=KickoutUser&RoomId=hall&UserId[]=ann").await, 1);
    let streams = backend.call("Action=DescribeSimpleStreamList&RoomId=hall").await;
    assert_eq!(streams["Data"]["StreamList"][0]["StreamId"], "camera", "nothing was done");
}

#[tokio::test]
async fn code_206_the_eleventh_within_a_second_and_the_second_in_the_test_environment() {
    let backend = Backend::start().await;
    let _ann = backend.login("hall", "ann").await;
    for _ in 0..10 {
        assert_eq!(backend.code(CALL).await, 138);
    }
    for _ in 0..5 {
        assert_eq!(backend.code(CALL).await, 206);
    }
    backend.advance(Duration::from_millis(999));
    assert_eq!(backend.code(CALL).await, 206);
    backend.advance(Duration::from_millis(1));
    assert_eq!(backend.code(CALL).await, 138, "the refused ones consumed nothing");

    let in_test = format!("{CALL}&IsTest=true");
    assert_eq!(backend.code(&in_test).await, 138);
    assert_eq!(backend.code(&in_test).await, 206);
    backend.advance(Duration::from_secs(1));
    assert_eq!(backend.code(&in_test).await, 138);
}

#[tokio::test]
async fn code_5018_the_server_is_shutting_down() {
    let backend = Backend::start().await;
    let ann = backend.login("hall", "ann").await;
    backend.publish(&ann, "camera", 1).await;
    backend.node.shutdown(Duration::from_secs(5)).await;
    assert_eq!(backend.code(CALL).await, 5018);
}

#[tokio::test(start_paused = true)]
async fn code_100000015_the_deadline_passed_and_a_retry_does_not_act_again() {
    let backend = Backend::start().await;
    let ann = backend.login("hall", "ann").await;
    backend.publish(&ann, "camera", 1).await;
    backend.stop_events();
    // The stream is deleted at once; the reply waits for an event that nobody acknowledges.
    let query = format!("{}&{CALL}", backend.signed());
    let first = backend.get(&query).await;
    assert_eq!(first["Code"], 100000015);
    assert_eq!(backend.get(&query).await, first, "acting again would say 138");
    assert_eq!(backend.code(CALL).await, 138);
}
