//! The other actions: what they do, what they reply, and what a missing room is to each (ruling
//! 13).

use std::time::Duration;

use odeum_room::{EventKind, KickoutReason, Notice, RoomCloseReason, StreamListUpdate};
use serde_json::{Value, json};

use crate::backend::{Backend, told};

/// Asks for a list again and again, past its limit for one room.
async fn later(backend: &Backend, parameters: &str) -> Value {
    backend.advance(Duration::from_secs(10));
    backend.call(parameters).await
}

#[tokio::test]
async fn a_missing_room_has_the_code_of_each_action() {
    let backend = Backend::start().await;
    for (parameters, code) in [
        ("Action=AddStream&UserId=u&StreamId=s", 104),
        ("Action=DeleteStream&UserId=u&StreamId=s", 104),
        ("Action=KickoutUser&UserId[]=u", 104),
        ("Action=CloseRoom", 5024),
        ("Action=DescribeUsers&UserId[]=u", 50001),
    ] {
        assert_eq!(backend.code(&format!("{parameters}&RoomId=r")).await, code, "{parameters}");
    }
    for (parameters, data) in [
        (
            "Action=DescribeUserNum&RoomId[]=r",
            json!({"UserCountList": [{"RoomId": "r", "UserCount": 0, "AdminUserCount": 0}]}),
        ),
        ("Action=DescribeUserList&RoomId=r", json!({"Marker": "", "UserList": []})),
        ("Action=DescribeSimpleStreamList&RoomId=r", json!({"StreamList": []})),
    ] {
        let reply = backend.call(parameters).await;
        assert_eq!((&reply["Code"], &reply["Data"]), (&json!(0), &data), "{parameters}");
    }
}

#[tokio::test]
async fn an_added_stream_is_listed_and_told_to_all_but_its_user() {
    let backend = Backend::start().await;
    let mut ann = backend.login("hall", "ann").await;
    let mut bob = backend.login("hall", "bob").await;
    told(&mut ann);
    told(&mut bob);
    backend.events();
    let add = "Action=AddStream&RoomId=hall&UserId=ann&UserName=A&StreamId=film\
        &StreamTitle=The%20film&ExtraInfo=%7B%7D";
    assert_eq!(backend.code(add).await, 0);
    assert!(told(&mut ann).is_empty());
    let to_bob = told(&mut bob);
    assert!(
        matches!(&*to_bob[0], Notice::StreamUpdate { update: StreamListUpdate::Add, streams, .. }
            if &*streams[0].title == "The film" && &*streams[0].extra_info == "{}"),
        "{to_bob:?}"
    );
    let list = backend.call("Action=DescribeSimpleStreamList&RoomId=hall").await;
    let stream = &list["Data"]["StreamList"][0];
    assert_eq!(
        (&stream["StreamId"], &stream["UserId"], &stream["UserName"], &stream["StreamNumberId"]),
        (&json!("film"), &json!("ann"), &json!("A"), &json!(1))
    );
    assert!(stream["CreateTime"].as_u64().unwrap() > 1_600_000_000_000);
    assert_eq!(backend.code(add).await, 0, "the same again");
    assert!(told(&mut bob).is_empty(), "and no second notice");
    assert_eq!(backend.code(&add.replace("UserId=ann", "UserId=eve")).await, 1012);
    backend.publish(&bob, "camera", 1).await;
    assert_eq!(backend.code(&add.replace("film", "camera")).await, 1012);
    backend.login("cellar", "cem").await;
    let elsewhere = add.replace("RoomId=hall", "RoomId=cellar");
    assert_eq!(backend.code(&elsewhere).await, 1012, "it lies in another room");
    assert!(
        backend
            .events()
            .iter()
            .all(|event| !matches!(event, EventKind::StreamCreate { stream, .. }
            if stream.stream.as_str() == "film")),
        "an added stream makes no event"
    );
}

#[tokio::test]
async fn kicked_users_are_told_why_and_absent_ones_do_not_matter() {
    let backend = Backend::start().await;
    let mut ann = backend.login("hall", "ann").await;
    let mut bob = backend.login("hall", "bob").await;
    told(&mut ann);
    told(&mut bob);
    let kick = "Action=KickoutUser&RoomId=hall&UserId[]=ann&UserId[]=nobody&CustomReason=go%20now";
    assert_eq!(backend.code(kick).await, 0);
    let to_ann = told(&mut ann);
    assert!(
        matches!(&*to_ann[0], Notice::Kickout { reason: KickoutReason::Kicked, custom_reason }
            if &**custom_reason == "go now"),
        "{to_ann:?}"
    );
    assert_eq!(backend.code("Action=KickoutUser&RoomId=hall&UserId=nobody").await, 0);
    assert_eq!(backend.code("Action=KickoutUser&RoomId=hall&UserId=bob").await, 0);
    assert_eq!(backend.code(kick).await, 104, "the room went with its last user");
    let six = "&UserId[]=u".repeat(6);
    assert_eq!(backend.code(&format!("Action=KickoutUser&RoomId=hall{six}")).await, 50011);
}

#[tokio::test]
async fn a_closed_room_is_gone_and_its_callback_comes_only_when_asked_for() {
    let backend = Backend::start().await;
    for (flag, closes) in [("", 0), ("&RoomCloseCallback=false", 0), ("&RoomCloseCallback=True", 1)]
    {
        let mut ann = backend.login("hall", "ann").await;
        told(&mut ann);
        backend.events();
        assert_eq!(backend.code_later(&format!("Action=CloseRoom&RoomId=hall{flag}")).await, 0);
        assert!(matches!(&*told(&mut ann)[0], Notice::Kickout { .. }));
        let events = backend.events();
        let close = |event: &&EventKind| {
            matches!(event, EventKind::RoomClose { reason: RoomCloseReason::Closed })
        };
        assert_eq!(events.iter().filter(close).count(), closes, "{flag} {events:?}");
        assert_eq!(backend.code_later("Action=CloseRoom&RoomId=hall").await, 5024);
    }
    assert_eq!(backend.code("Action=CloseRoom&RoomId=hall").await, 206, "one a second");
}

#[tokio::test]
async fn users_are_listed_page_by_page_in_either_order() {
    let backend = Backend::start().await;
    let mut users = Vec::new();
    for n in 0..7 {
        users.push(backend.login("hall", &format!("u{n}")).await);
    }
    let pages = async |mode: u32| {
        let (mut names, mut marker) = (Vec::new(), String::new());
        loop {
            let page = later(
                &backend,
                &format!("Action=DescribeUserList&RoomId=hall&Mode={mode}&Limit=3&Marker={marker}"),
            )
            .await;
            assert_eq!(page["Code"], 0, "{page}");
            for user in page["Data"]["UserList"].as_array().unwrap() {
                assert_eq!(user["UserRole"], 2);
                let id = user["UserId"].as_str().unwrap().to_owned();
                assert_eq!(user["UserName"], format!("{id} by name"));
                names.push(id);
            }
            marker = page["Data"]["Marker"].as_str().unwrap().to_owned();
            if marker.is_empty() {
                return names;
            }
        }
    };
    assert_eq!(pages(0).await, ["u0", "u1", "u2", "u3", "u4", "u5", "u6"]);
    assert_eq!(pages(1).await, ["u6", "u5", "u4", "u3", "u2", "u1", "u0"]);
}

#[tokio::test]
async fn lists_have_a_limit_for_each_room() {
    let backend = Backend::start().await;
    for (action, seconds) in [("DescribeUserList", 1), ("DescribeSimpleStreamList", 10)] {
        let (hall, cellar) =
            (format!("Action={action}&RoomId=hall"), format!("Action={action}&RoomId=cellar"));
        assert_eq!(backend.code(&hall).await, 0);
        assert_eq!(backend.code(&hall).await, 207);
        assert_eq!(backend.code(&cellar).await, 0, "another room has its own");
        backend.advance(Duration::from_millis(seconds * 1000 - 1));
        assert_eq!(backend.code(&hall).await, 207);
        backend.advance(Duration::from_millis(1));
        assert_eq!(backend.code(&hall).await, 0);
    }
}

#[tokio::test]
async fn users_are_there_or_not() {
    let backend = Backend::start().await;
    let _ann = backend.login("hall", "ann").await;
    let call = "Action=DescribeUsers&RoomId=hall&UserId[]=ann&UserId[]=bob&UserId[]=ann";
    let reply = backend.call(call).await;
    let list = reply["Data"]["UserStatusList"].as_array().unwrap();
    assert_eq!(list.len(), 2, "each is answered once");
    assert_eq!((&list[0]["UserId"], &list[0]["Status"]), (&json!("ann"), &json!(1)));
    assert!(list[0]["LoginTime"].as_u64().unwrap() > 1_600_000_000_000);
    assert_eq!(list[1], json!({"UserId": "bob", "Status": 0, "LoginTime": 0, "UserRole": 2}));
}
