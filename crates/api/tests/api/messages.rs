//! The actions that send messages: who gets them, what is replied, how often they may be called.

use odeum_node::CommandError;
use odeum_room::Notice;
use serde_json::{Value, json};

use crate::backend::{Backend, told};

const BROADCAST: &str =
    "Action=SendBroadcastMessage&RoomId=hall&MessageCategory=1&MessageContent=hello";
const BARRAGE: &str =
    "Action=SendBarrageMessage&RoomId=hall&MessageCategory=2&MessageContent=hello";
const COMMAND: &str = "Action=SendCustomCommand&RoomId=hall&MessageContent=look";

/// Code and Data of a reply.
fn outcome(reply: &Value) -> (u64, Value) {
    (reply["Code"].as_u64().expect("a number"), reply["Data"].clone())
}

#[tokio::test]
async fn a_broadcast_reaches_all_but_the_user_in_whose_name_it_is_sent() {
    let backend = Backend::start().await;
    let mut ann = backend.login("hall", "ann").await;
    let mut bob = backend.login("hall", "bob").await;
    told(&mut ann);
    let reply = backend.call(&format!("{BROADCAST}&UserId=ann")).await;
    assert_eq!(outcome(&reply), (0, json!({"MessageId": 1})));
    assert!(told(&mut ann).is_empty());
    let to_bob = told(&mut bob);
    assert!(
        matches!(&*to_bob[0], Notice::BroadcastMessage { from, text, .. }
            if from.user.as_str() == "ann" && from.name.as_str() == "ann by name"
                && text.as_str() == "hello"),
        "{to_bob:?}"
    );
    let reply = backend.call(&format!("{BROADCAST}&UserId=robot&UserName=Robby")).await;
    assert_eq!(outcome(&reply), (0, json!({"MessageId": 2})));
    for client in [&mut ann, &mut bob] {
        let told = told(client);
        assert!(
            matches!(&*told[0], Notice::BroadcastMessage { from, .. }
                if from.name.as_str() == "Robby"),
            "{told:?}"
        );
    }
}

#[tokio::test]
async fn a_barrage_message_has_a_name_of_category_time_and_number() {
    let backend = Backend::start().await;
    let mut ann = backend.login("hall", "ann").await;
    let (code, data) = outcome(&backend.call(&format!("{BARRAGE}&UserId=robot")).await);
    let id = data["MessageId"].as_str().expect("a text");
    assert!(code == 0 && id.starts_with("2_") && id.ends_with("_1"), "{data}");
    let told = told(&mut ann);
    assert!(
        matches!(&*told[0], Notice::BarrageMessage { id: own, .. } if own.to_string() == id),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_command_reaches_its_targets_and_names_those_who_are_not_there() {
    let backend = Backend::start().await;
    let mut ann = backend.login("hall", "ann").await;
    let mut bob = backend.login("hall", "bob").await;
    told(&mut ann);
    let fail = |users: &[&str]| {
        let list: Vec<Value> =
            users.iter().map(|user| json!({"Uid": user, "Code": 50003})).collect();
        json!({ "FailUsers": list })
    };
    for (to, expected, ann_gets, bob_gets) in [
        ("", (0, fail(&[])), 1, 1),
        ("&ToUserId[]=ann", (0, fail(&[])), 1, 0),
        ("&ToUserId[]=ann&ToUserId[]=eve", (0, fail(&["eve"])), 1, 0),
        ("&ToUserId[]=eve&ToUserId[]=dan&ToUserId[]=eve", (50003, fail(&["eve", "dan"])), 0, 0),
    ] {
        let reply = backend.call(&format!("{COMMAND}&FromUserId=robot{to}")).await;
        assert_eq!(outcome(&reply), expected, "{to}");
        assert_eq!((told(&mut ann).len(), told(&mut bob).len()), (ann_gets, bob_gets), "{to}");
    }
    let to_itself = format!("{COMMAND}&FromUserId=ann&ToUserId[]=ann");
    assert_eq!(outcome(&backend.call(&to_itself).await), (0, fail(&[])));
    assert!(told(&mut ann).is_empty(), "nobody gets what was sent in their own name");
}

#[tokio::test]
async fn a_command_of_a_body_may_name_its_targets_in_a_list() {
    let backend = Backend::start().await;
    let mut ann = backend.login("hall", "ann").await;
    let query = format!("{}&Action=SendCustomCommand", backend.signed());
    let body = r#"{"RoomId":"hall","FromUserId":"robot","ToUserId":["ann"],"MessageContent":"x"}"#;
    let reply = backend.post(&query, body).await;
    assert_eq!(outcome(&reply), (0, json!({"FailUsers": []})));
    assert!(matches!(&*told(&mut ann)[0], Notice::CustomCommand { .. }));
}

#[tokio::test]
async fn an_empty_room_has_nobody_to_send_to() {
    let backend = Backend::start().await;
    for (parameters, code) in [
        (format!("{BROADCAST}&UserId=u"), 104),
        (format!("{BARRAGE}&UserId=u"), 104),
        (format!("{COMMAND}&FromUserId=u"), 104),
    ] {
        let reply = backend.call(&parameters).await;
        assert_eq!(outcome(&reply), (code, Value::Null), "{parameters}");
    }
}

#[tokio::test]
async fn each_may_be_called_100_times_a_second_and_10_in_the_test_environment() {
    let backend = Backend::start().await;
    backend.login("hall", "ann").await;
    for (parameters, test, max) in [
        (format!("{BROADCAST}&UserId=u"), "", 100),
        (format!("{BARRAGE}&UserId=u"), "&IsTest=true", 10),
        (format!("{COMMAND}&FromUserId=u"), "&IsTest=true", 10),
    ] {
        for _ in 0..max {
            assert_eq!(backend.code(&format!("{parameters}{test}")).await, 0);
        }
        assert_eq!(backend.code(&format!("{parameters}{test}")).await, 206, "{parameters}");
    }
}

#[tokio::test]
async fn messages_pass_while_events_cannot_be_stored() {
    let backend = Backend::start_with(|config| config.limits.journal_bytes_max = 1).await;
    let mut ann = backend.login("hall", "ann").await;
    backend.stop_events();
    // An event is taken and never stored: the journal is full.
    let published = backend.try_publish(&ann, "camera", 1).await;
    assert_eq!(published, Err(CommandError::DeadlinePassed));
    assert_eq!(backend.code("Action=KickoutUser&RoomId=hall&UserId[]=ann").await, 1);
    told(&mut ann);
    let reply = backend.call(&format!("{BROADCAST}&UserId=u")).await;
    assert_eq!(outcome(&reply), (0, json!({"MessageId": 1})));
    assert!(matches!(&*told(&mut ann)[0], Notice::BroadcastMessage { .. }));
}
