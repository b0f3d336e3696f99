//! What time does: heartbeat timeouts and tokens: rulings 17, 20 and 25.

use std::time::Duration;

use expect_test::expect;
use odeum_room::RoomConfig;

use crate::script::{check, check_with};

#[test]
fn a_silent_session_is_timed_out_after_100_seconds() {
    check(
        "login ann
         login bob
         publish ann cam
         connected ann cam
         at 60
         heartbeat bob 0
         at 99
         streams
         at 100
         at 159
         users ascending 9
         at 160",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                event room_login bob First user_seq 2
                ann.1 #1: users ADD bob
            > publish ann cam
            > connected ann cam
                bob.1 #1: streams ADD cam(ann) stream_seq 1
                event stream_create cam of ann New number 1 stream_seq 1 Some(Vp8)
                ann.1 #2: publisher cam Publishing
            > at 60
                ann.1 #3: users count 2
            > heartbeat bob 0
            > at 99
            > streams
                1 cam of ann at 0
            > at 100
                ann.1 #4: kickout HeartbeatTimeout ""
                disconnect ann.1/1 SessionEnded
                close peer ann.1>cam
                event stream_close cam of ann HeartbeatTimeout number 1 stream_seq 2 since 0
                release stream cam
                bob.1 #2: streams DELETE HeartbeatTimeout cam(ann) stream_seq 2
                event room_logout ann HeartbeatTimeout user_seq 3
                release ann.1
                bob.1 #3: users DELETE ann
                bob.1 #4: users count 1
            > at 159
            > users ascending 9
                bob
            > at 160
                bob.1 #5: kickout HeartbeatTimeout ""
                disconnect bob.1/1 SessionEnded
                event room_logout bob HeartbeatTimeout user_seq 4
                release bob.1
                event room_close LastTimedOut
        "#]],
    );
}

#[test]
fn a_dropped_socket_that_resumes_in_time_was_never_away() {
    check(
        "login ann
         at 50
         login bob
         publish ann cam
         connected ann cam
         drop ann
         at 149
         resume ann from 2
         at 150
         at 248
         at 249",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > at 50
            > login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                event room_login bob First user_seq 2
                ann.1 #1: users ADD bob
            > publish ann cam
            > connected ann cam
                bob.1 #1: streams ADD cam(ann) stream_seq 1
                event stream_create cam of ann New number 1 stream_seq 1 Some(Vp8)
                ann.1 #2: publisher cam Publishing
            > drop ann
            > at 149
            > resume ann from 2
                resumed
                ann.1 #3: users count 2
            > at 150
                bob.1 #2: kickout HeartbeatTimeout ""
                disconnect bob.1/1 SessionEnded
                event room_logout bob HeartbeatTimeout user_seq 3
                release bob.1
                ann.1 #4: users DELETE bob
                ann.1 #5: users count 1
            > at 248
            > at 249
                ann.1 #6: kickout HeartbeatTimeout ""
                disconnect ann.1/2 SessionEnded
                close peer ann.1>cam
                event stream_close cam of ann HeartbeatTimeout number 1 stream_seq 2 since 50
                release stream cam
                event room_logout ann HeartbeatTimeout user_seq 4
                release ann.1
                event room_close LastTimedOut
        "#]],
    );
}

#[test]
fn a_dropped_socket_that_does_not_resume_is_a_silent_session() {
    check(
        "login ann
         login bob
         drop ann
         at 90
         heartbeat bob 0
         at 110
         resume ann from 0",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                event room_login bob First user_seq 2
                ann.1 #1: users ADD bob
            > drop ann
            > at 90
            > heartbeat bob 0
            > at 110
                event room_logout ann HeartbeatTimeout user_seq 3
                release ann.1
                bob.1 #1: users DELETE ann
                bob.1 #2: users count 1
            > resume ann from 0
                refused: the user has no session ann.1 in the room
        "#]],
    );
}

#[test]
fn every_message_of_a_client_is_a_sign_of_life() {
    let config = RoomConfig { heartbeat_timeout: Duration::from_secs(10), ..RoomConfig::default() };
    check_with(
        config,
        "login ann
         at 9
         publish ann cam
         at 18
         connected ann cam
         play ann cam
         at 27
         unplay ann cam
         at 36
         stop ann cam
         at 45
         renew ann 9000
         at 54
         at 55",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > at 9
            > publish ann cam
            > at 18
            > connected ann cam
                event stream_create cam of ann New number 1 stream_seq 1 Some(Vp8)
                ann.1 #1: publisher cam Publishing
            > play ann cam
                from ann.1>cam
            > at 27
            > unplay ann cam
                close peer ann.1>cam
            > at 36
            > stop ann cam
                close peer ann.1>cam
                event stream_close cam of ann Stopped number 1 stream_seq 2 since 18
                release stream cam
            > at 45
            > renew ann 9000
            > at 54
            > at 55
                ann.1 #2: kickout HeartbeatTimeout ""
                disconnect ann.1/1 SessionEnded
                event room_logout ann HeartbeatTimeout user_seq 2
                release ann.1
                event room_close LastTimedOut
        "#]],
    );
}

#[test]
fn an_expiring_token_is_announced_once_and_removes_nobody() {
    check(
        "login ann token=90
         at 59
         at 60
         at 95
         renew ann 130
         at 99
         heartbeat ann 1
         at 100
         at 140",
        expect![[r#"
            > login ann token=90
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > at 59
            > at 60
                ann.1 #1: token will expire in 30
            > at 95
            > renew ann 130
            > at 99
            > heartbeat ann 1
            > at 100
                ann.1 #2: token will expire in 30
            > at 140
        "#]],
    );
}

#[test]
fn a_renewed_token_that_expires_sooner_is_announced_in_time() {
    check(
        "login ann token=9000
         at 1
         renew ann 40
         at 9
         at 10",
        expect![[r#"
            > login ann token=9000
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > at 1
            > renew ann 40
            > at 9
            > at 10
                ann.1 #1: token will expire in 30
        "#]],
    );
}

#[test]
fn an_expired_token_removes_its_user_where_the_app_asks_for_it() {
    let config = RoomConfig { kick_on_token_expiry: true, ..RoomConfig::default() };
    check_with(
        config,
        "login ann token=50
         login bob token=90
         publish ann cam
         connected ann cam
         at 49
         at 50
         at 90",
        expect![[r#"
            > login ann token=50
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob token=90
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                event room_login bob First user_seq 2
                ann.1 #1: users ADD bob
            > publish ann cam
            > connected ann cam
                bob.1 #1: streams ADD cam(ann) stream_seq 1
                event stream_create cam of ann New number 1 stream_seq 1 Some(Vp8)
                ann.1 #2: publisher cam Publishing
            > at 49
                ann.1 #3: token will expire in 30
                ann.1 #4: users count 2
            > at 50
                ann.1 #5: kickout TokenExpired ""
                disconnect ann.1/1 SessionEnded
                close peer ann.1>cam
                event stream_close cam of ann Kicked number 1 stream_seq 2 since 0
                release stream cam
                bob.1 #2: streams DELETE Kicked cam(ann) stream_seq 2
                event room_logout ann TokenExpired user_seq 3
                release ann.1
                bob.1 #3: users DELETE ann
            > at 90
                bob.1 #4: token will expire in 30
                bob.1 #5: users count 1
                bob.1 #6: kickout TokenExpired ""
                disconnect bob.1/1 SessionEnded
                event room_logout bob TokenExpired user_seq 4
                release bob.1
                event room_close LastKicked
        "#]],
    );
}
