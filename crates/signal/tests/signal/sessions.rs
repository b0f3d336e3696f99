//! Logins, their refusals and their ends, and what a session may ask for.

use std::time::Duration;

use odeum_client::LoginOptions;
use odeum_proto::signal::{Notice, Update, User, close_code};
use odeum_types::UserId;

use crate::server::{APP, ROOM, SECRET, Server, app, code, room, token, token_with};

#[tokio::test]
async fn a_login_is_told_to_those_who_asked_and_a_logout_too() {
    let server = Server::start(|_, _| {}).await;
    let is_bob = |users: &[User]| users.len() == 1 && users[0].user_id == "bob";
    let mut ada = server.login("ada").await;
    let mut bob = server.login("bob").await;
    assert_eq!(bob.logged_in.snapshot.users.len(), 1);
    let came = ada.notice().await;
    assert!(matches!(&came, Notice::UserUpdate { update: Update::Add, users } if is_bob(users)));
    bob.signalling.logout(ROOM).await.expect("it is logged in");
    assert_eq!(bob.closed().await, Some(close_code::SESSION_OVER));
    let left = ada.notice().await;
    assert!(matches!(&left, Notice::UserUpdate { update: Update::Delete, users } if is_bob(users)));
}

#[tokio::test]
async fn every_bad_token_has_its_code() {
    let server = Server::start(|_, _| {}).await;
    let other_secret = "9193cc662a4c0ec135ec71fb57194b38";
    let other_room = r#"{"room_id":"other","privilege":{"1":1,"2":1},"stream_id_list":null}"#;
    let no_login = r#"{"room_id":"","privilege":{"1":0,"2":1},"stream_id_list":null}"#;
    for (bad, expected) in [
        (String::new(), 1_102_016),
        ("05AAAA".to_owned(), 1_102_016),
        ("04!".to_owned(), 1_102_016),
        (token_with("ada", other_secret, 60, ""), 1_102_020),
        (token_with("bob", SECRET, 60, ""), 1_102_020),
        (token_with("ada", SECRET, 60, other_room), 1_102_020),
        (token_with("ada", SECRET, 60, no_login), 1_102_020),
        (token_with("ada", SECRET, -5, ""), 1_102_018),
    ] {
        let (signalling, _events) = server.connect().await;
        let refused = signalling.login(LoginOptions::new(APP.0, ROOM, "ada", &*bad)).await;
        assert_eq!(code(refused), expected, "{bad}");
    }
}

#[tokio::test]
async fn each_negative_vector_has_its_code() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../../../auth/tests/vectors.json")).expect("it is JSON");
    let server = Server::start(|_, _| {}).await;
    let mut checked = 0;
    for vector in vectors["negative"].as_array().expect("negative is a list") {
        let id = vector["id"].as_str().expect("each has an id");
        // The app here has one secret; the vector with another one is the test above.
        if vector["secret"] != SECRET {
            continue;
        }
        let expected = match id {
            "wrong-version-prefix" => 1_102_016,
            "expired" => 1_102_018,
            _ => 1_102_020,
        };
        // An app that is not served is refused before its token is looked at.
        let (app, expected) = match vector["app_id"].as_u64() {
            Some(app) => (app as u32, 1_001_004),
            None => (APP.0, expected),
        };
        let user = vector["login_user_id"].as_str().unwrap_or("user1");
        let bad = vector["token"].as_str().expect("each has a token");
        let (signalling, _events) = server.connect().await;
        let refused = signalling.login(LoginOptions::new(app, "room1", user, bad)).await;
        assert_eq!(code(refused), expected, "{id}");
        checked += 1;
    }
    assert!(checked >= 5, "{checked}");
}

#[tokio::test]
async fn bad_ids_versions_and_apps_have_their_codes() {
    let server = Server::start(|_, _| {}).await;
    let (signalling, _events) = server.connect().await;
    let long = "x".repeat(300);
    for (room, user, name, expected) in [
        ("", "ada", "", 1_002_011),
        ("a b", "ada", "", 1_002_012),
        (long.as_str(), "ada", "", 1_002_013),
        (ROOM, "", "", 1_002_005),
        (ROOM, "a b", "", 1_002_006),
        (ROOM, long.as_str(), "", 1_002_007),
        (ROOM, "ada", "a\nb", 1_002_009),
        (ROOM, "ada", long.as_str(), 1_002_010),
    ] {
        let mut options = LoginOptions::new(APP.0, room, user, token("ada"));
        options.user_name = name.to_owned();
        assert_eq!(code(signalling.login(options).await), expected, "{room} {user} {name}");
    }
    let unknown = LoginOptions::new(1, ROOM, "ada", token("ada"));
    assert_eq!(code(signalling.login(unknown).await), 1_001_004);
}

#[tokio::test]
async fn the_twenty_first_failed_login_of_a_second_is_refused_unseen() {
    let server = Server::start(|_, limits| limits.failed_logins_per_second = 3).await;
    let (signalling, _events) = server.connect().await;
    for _ in 0..3 {
        let refused = signalling.login(LoginOptions::new(APP.0, ROOM, "ada", "")).await;
        assert_eq!(code(refused), 1_102_016);
    }
    let good = signalling.login(LoginOptions::new(APP.0, ROOM, "ada", token("ada"))).await;
    assert_eq!(code(good), 1_109_001, "no code of the token, which may be good");
}

#[tokio::test]
async fn after_its_expiry_a_token_allows_nothing_new_until_it_is_renewed() {
    let server = Server::start(|_, _| {}).await;
    let ada = server.login("ada").await;
    let signalling = &ada.signalling;
    server.advance_seconds(3_601);
    assert_eq!(code(signalling.publish(ROOM, "mine", "", "no sdp").await), 1_103_019);
    assert_eq!(code(signalling.play(ROOM, "other", "").await), 1_104_046);
    signalling.heartbeat(ROOM, 0).await.expect("the session goes on");
    assert_eq!(code(signalling.renew_token(ROOM, &token("ada")).await), 1_102_018);
    let longer = token_with("ada", SECRET, 7_200, "");
    signalling.renew_token(ROOM, &longer).await.expect("the token is good");
    assert_eq!(code(signalling.publish(ROOM, "mine", "", "no sdp").await), 1_103_003);
    assert_eq!(code(signalling.play(ROOM, "other", "").await), 1_004_002);
}

#[tokio::test]
async fn a_full_room_refuses_and_a_second_login_on_one_socket_does_too() {
    let server = Server::start(|_, _| {}).await;
    let (signalling, _events) = server.connect().await;
    let mut options = LoginOptions::new(APP.0, ROOM, "ada", token("ada"));
    options.max_member_count = 1;
    signalling.login(options.clone()).await.expect("the token is good");
    assert_eq!(code(signalling.login(options.clone()).await), 1_002_056);
    options.room_id = "other".to_owned();
    assert_eq!(code(signalling.login(options).await), 1_002_001);
    let (second, _events) = server.connect().await;
    let full = second.login(LoginOptions::new(APP.0, ROOM, "bob", token("bob"))).await;
    assert_eq!(code(full), 1_002_034);
}

#[tokio::test]
async fn requests_of_a_session_are_refused_with_their_codes() {
    let server = Server::start(|_, _| {}).await;
    let ada = server.login("ada").await;
    let long = "x".repeat(300);
    for (stream, expected) in [(long.as_str(), 1_000_014), ("", 1_000_015), ("a.b", 1_000_016)] {
        assert_eq!(code(ada.signalling.publish(ROOM, stream, "", "").await), expected);
        assert_eq!(code(ada.signalling.play(ROOM, stream, "").await), expected);
        assert_eq!(code(ada.signalling.unpublish(ROOM, stream).await), expected);
        assert_eq!(code(ada.signalling.unplay(ROOM, stream).await), expected);
    }
    let signalling = &ada.signalling;
    assert_eq!(code(signalling.publish("other", "s", "", "").await), 1_000_002);
    assert_eq!(code(signalling.publish(ROOM, "s", &"x".repeat(1_025), "").await), 1_003_051);
    assert_eq!(code(signalling.publish(ROOM, "s", "", "no sdp").await), 1_103_003);
    assert_eq!(code(signalling.play(ROOM, "s", "").await), 1_004_002);
    assert_eq!(code(signalling.unpublish(ROOM, "s").await), 1_103_055);
    assert_eq!(code(signalling.unplay(ROOM, "s").await), 1_104_005);
    assert_eq!(code(signalling.heartbeat(ROOM, 99).await), 1_100_001);
}

#[tokio::test]
async fn a_token_may_allow_only_some_streams_until_it_is_renewed() {
    let server = Server::start(|_, _| {}).await;
    let (signalling, _events) = server.connect().await;
    let only = r#"{"room_id":"lobby","privilege":{"1":1,"2":1},"stream_id_list":["mine"]}"#;
    let options = LoginOptions::new(APP.0, ROOM, "ada", token_with("ada", SECRET, 60, only));
    signalling.login(options).await.expect("the token is good");
    assert_eq!(code(signalling.publish(ROOM, "other", "", "no sdp").await), 1_103_019);
    assert_eq!(code(signalling.publish(ROOM, "mine", "", "no sdp").await), 1_103_003);
    assert_eq!(code(signalling.renew_token(ROOM, &token("bob")).await), 1_102_020);
    signalling.renew_token(ROOM, &token("ada")).await.expect("the token is good");
    assert_eq!(code(signalling.publish(ROOM, "other", "", "no sdp").await), 1_103_003);
}

#[tokio::test]
async fn a_kicked_user_is_told_why_and_closed() {
    let server = Server::start(|_, _| {}).await;
    let mut ada = server.login("ada").await;
    let users = [UserId::parse("ada").expect("a valid user id")];
    let room = room();
    let kicked = server.node.command(APP, &room, move |now, room, _| {
        room.kick_users(now, &users, "enough");
    });
    kicked.await.expect("the room is there");
    let expected = Notice::Kickout { code: 1_002_055, custom_reason: "enough".to_owned() };
    assert_eq!(ada.notice().await, expected);
    assert_eq!(ada.closed().await, Some(close_code::SESSION_OVER));
}

#[tokio::test]
async fn a_relogin_elsewhere_ends_the_older_session() {
    let server = Server::start(|_, _| {}).await;
    let mut older = server.login("ada").await;
    let _newer = server.login("ada").await;
    assert!(matches!(older.notice().await, Notice::Kickout { code: 1_002_050, .. }));
    assert_eq!(older.closed().await, Some(close_code::SESSION_OVER));
}

#[tokio::test]
async fn a_shutdown_tells_every_client() {
    let server = Server::start(|_, _| {}).await;
    let mut ada = server.login("ada").await;
    server.node.shutdown(Duration::from_secs(1)).await;
    assert_eq!(ada.closed().await, Some(close_code::SERVER_CLOSING));
}

#[tokio::test]
async fn while_a_secret_is_rotated_tokens_of_both_are_good_and_afterwards_of_one() {
    const NEW: &str = "fedcba9876543210fedcba9876543210";
    let server = Server::start(|_, _| {}).await;
    let login = async |user: &str, secret: &str| {
        let (signalling, _events) = server.connect().await;
        let token = token_with(user, secret, 60, "");
        let login = signalling.login(LoginOptions::new(APP.0, ROOM, user, token)).await;
        login.map_or_else(|error| code(Err::<(), _>(error)), |_| 0)
    };
    assert_eq!((login("a", SECRET).await, login("b", NEW).await), (0, 1_102_020));
    server.apps.replace([(APP, app(&[NEW, SECRET]))]);
    assert_eq!((login("c", SECRET).await, login("d", NEW).await), (0, 0));
    server.apps.replace([(APP, app(&[NEW]))]);
    assert_eq!((login("e", SECRET).await, login("f", NEW).await), (1_102_020, 0));
}

#[tokio::test]
async fn an_app_that_is_removed_takes_no_login_and_its_rooms_go_on() {
    let server = Server::start(|_, _| {}).await;
    let ada = server.login("ada").await;
    server.apps.replace([]);
    server.node.update_apps(Vec::new());
    let (late, _events) = server.connect().await;
    let login = late.login(LoginOptions::new(APP.0, ROOM, "bob", token("bob"))).await;
    assert_eq!(code(login), 1_001_004);
    ada.signalling.heartbeat(ROOM, 0).await.expect("the session goes on");
    assert_eq!(code(ada.signalling.publish(ROOM, "mine", "", "no sdp").await), 1_103_003);
    let users = server.node.query(APP, &room(), |room| room.user_count()).await;
    assert_eq!(users, Ok(1));
}
