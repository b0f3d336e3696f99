//! The grace of a listed stream whose media connection ended: what ends it, and what each end says.
//! Rulings 10, 11, 12, 18 and 20, and ADR 8.

use std::time::Duration;

use expect_test::expect;
use odeum_room::{DeleteStreamMode, RoomConfig};

use crate::script::{check, check_with};

#[test]
fn a_replacement_inside_the_grace_is_unseen_and_can_be_played() {
    check(
        "login ann
         login bob
         publish ann cam
         connected ann cam
         play bob cam
         connected bob cam
         lost ann cam
         lost bob cam
         streams
         snapshot ann
         play bob cam
         at 4
         publish ann cam
         at 5
         play bob cam
         connected ann cam
         connected bob cam
         at 60",
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
            > play bob cam
                from ann.1>cam
            > connected bob cam
                bob.1 #2: player cam Playing
            > lost ann cam
                close peer bob.1>cam
                bob.1 #3: player cam Ended(PublisherReplaced)
            > lost bob cam
            > streams
                1 cam of ann at 0
            > snapshot ann
                snapshot #2 of 2 users [bob] streams [] own [cam Interrupted] playing []
            > play bob cam
                refused: the publisher of stream cam is interrupted
            > at 4
            > publish ann cam
            > at 5
            > play bob cam
                from ann.1>cam
            > connected ann cam
                event stream_create cam of ann Again number 1 stream_seq 1 Some(Vp8)
                ann.1 #3: publisher cam Publishing
            > connected bob cam
                bob.1 #4: player cam Playing
            > at 60
                ann.1 #4: users count 2
        "#]],
    );
}

#[test]
fn when_the_grace_ends_the_stream_is_lost() {
    check(
        "login ann
         login bob
         publish ann cam
         connected ann cam
         play bob cam
         connected bob cam
         lost ann cam
         at 4
         streams
         at 5
         streams
         play bob cam
         publish ann cam
         connected ann cam",
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
            > play bob cam
                from ann.1>cam
            > connected bob cam
                bob.1 #2: player cam Playing
            > lost ann cam
                close peer bob.1>cam
                bob.1 #3: player cam Ended(PublisherReplaced)
            > at 4
            > streams
                1 cam of ann at 0
            > at 5
                event stream_close cam of ann MediaLost number 1 stream_seq 2 since 0
                release stream cam
                bob.1 #4: streams DELETE MediaLost cam(ann) stream_seq 2
                ann.1 #3: publisher cam Ended(MediaLost)
            > streams
            > play bob cam
                refused: nobody publishes stream cam in this room
            > publish ann cam
            > connected ann cam
                bob.1 #5: streams ADD cam(ann) stream_seq 3
                event stream_create cam of ann New number 2 stream_seq 3 Some(Vp8)
                ann.1 #4: publisher cam Publishing
        "#]],
    );
}

#[test]
fn a_publisher_that_stops_inside_the_grace_has_stopped() {
    check(
        "login ann
         login bob
         publish ann cam
         connected ann cam
         play bob cam
         connected bob cam
         lost ann cam
         at 4
         stop ann cam
         at 5
         stop ann cam",
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
            > play bob cam
                from ann.1>cam
            > connected bob cam
                bob.1 #2: player cam Playing
            > lost ann cam
                close peer bob.1>cam
                bob.1 #3: player cam Ended(PublisherReplaced)
            > at 4
            > stop ann cam
                event stream_close cam of ann Stopped number 1 stream_seq 2 since 0
                release stream cam
                bob.1 #4: streams DELETE Stopped cam(ann) stream_seq 2
            > at 5
            > stop ann cam
                refused: stream cam is not published by this session
        "#]],
    );
}

#[test]
fn a_page_loaded_again_inside_the_grace_is_a_relogin() {
    check(
        "login ann
         login bob
         publish ann cam
         connected ann cam
         play bob cam
         connected bob cam
         lost ann cam
         drop ann
         at 4
         login ann
         publish ann cam
         connected ann cam
         at 60",
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
            > play bob cam
                from ann.1>cam
            > connected bob cam
                bob.1 #2: player cam Playing
            > lost ann cam
                close peer bob.1>cam
                bob.1 #3: player cam Ended(PublisherReplaced)
            > drop ann
            > at 4
            > login ann
                snapshot #0 of 2 users [bob] streams [] own [] playing []
                event stream_close cam of ann LoggedInElsewhere number 1 stream_seq 2 since 0
                release stream cam
                bob.1 #4: streams DELETE LoggedInElsewhere cam(ann) stream_seq 2
                event room_logout ann LoggedInElsewhere user_seq 3
                release ann.1
                event room_login ann Again user_seq 4
            > publish ann cam
            > connected ann cam
                bob.1 #5: streams ADD cam(ann) stream_seq 3
                event stream_create cam of ann New number 2 stream_seq 3 Some(Vp8)
                ann.2 #1: publisher cam Publishing
            > at 60
        "#]],
    );
}

#[test]
fn a_relogin_elsewhere_inside_the_grace_is_a_leave() {
    check(
        "login ann
         login bob
         publish ann cam
         connected ann cam
         play bob cam
         connected bob cam
         lost ann cam
         at 4
         @other login ann
         at 60",
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
            > play bob cam
                from ann.1>cam
            > connected bob cam
                bob.1 #2: player cam Playing
            > lost ann cam
                close peer bob.1>cam
                bob.1 #3: player cam Ended(PublisherReplaced)
            > at 4
            > @other login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                ann.1 #3: kickout LoggedInElsewhere ""
                disconnect ann.1/1 SessionEnded
                event stream_close cam of ann LoggedInElsewhere number 1 stream_seq 2 since 0
                release stream cam
                bob.1 #4: streams DELETE LoggedInElsewhere cam(ann) stream_seq 2
                event room_logout ann LoggedInElsewhere user_seq 3
                release ann.1
                bob.1 #5: users DELETE ann
                @other event room_create by ann
                @other event room_login ann First user_seq 1
            > at 60
                bob.1 #6: users count 1
        "#]],
    );
}

#[test]
fn a_logout_inside_the_grace_is_a_logout() {
    check(
        "login ann
         login bob
         publish ann cam
         connected ann cam
         play bob cam
         connected bob cam
         lost ann cam
         at 4
         logout ann
         at 60",
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
            > play bob cam
                from ann.1>cam
            > connected bob cam
                bob.1 #2: player cam Playing
            > lost ann cam
                close peer bob.1>cam
                bob.1 #3: player cam Ended(PublisherReplaced)
            > at 4
            > logout ann
                event stream_close cam of ann Stopped number 1 stream_seq 2 since 0
                release stream cam
                bob.1 #4: streams DELETE Stopped cam(ann) stream_seq 2
                event room_logout ann LoggedOut user_seq 3
                release ann.1
                bob.1 #5: users DELETE ann
            > at 60
                bob.1 #6: users count 1
        "#]],
    );
}

#[test]
fn a_kick_inside_the_grace_is_a_kick() {
    check(
        "login ann
         login bob
         publish ann cam
         connected ann cam
         play bob cam
         connected bob cam
         lost ann cam
         at 4
         kick ann
         at 60",
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
            > play bob cam
                from ann.1>cam
            > connected bob cam
                bob.1 #2: player cam Playing
            > lost ann cam
                close peer bob.1>cam
                bob.1 #3: player cam Ended(PublisherReplaced)
            > at 4
            > kick ann
                ann.1 #3: kickout Kicked ""
                disconnect ann.1/1 SessionEnded
                event stream_close cam of ann Kicked number 1 stream_seq 2 since 0
                release stream cam
                bob.1 #4: streams DELETE Kicked cam(ann) stream_seq 2
                event room_logout ann Kicked user_seq 3
                release ann.1
                bob.1 #5: users DELETE ann
            > at 60
                bob.1 #6: users count 1
        "#]],
    );
}

#[test]
fn delete_stream_inside_the_grace_deletes_the_stream() {
    check(
        "login ann
         login bob
         publish ann cam
         connected ann cam
         play bob cam
         connected bob cam
         lost ann cam
         at 4
         delete cam
         delete cam
         at 60",
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
            > play bob cam
                from ann.1>cam
            > connected bob cam
                bob.1 #2: player cam Playing
            > lost ann cam
                close peer bob.1>cam
                bob.1 #3: player cam Ended(PublisherReplaced)
            > at 4
            > delete cam
                event stream_close cam of ann Deleted number 1 stream_seq 2 since 0
                release stream cam
                ann.1 #3: publisher cam Ended(Deleted)
                bob.1 #4: streams DELETE Deleted cam(ann) stream_seq 2
            > delete cam
                refused: the room has no stream cam
            > at 60
                ann.1 #4: users count 2
        "#]],
    );
}

#[test]
fn the_end_of_the_room_inside_the_grace_is_the_reason() {
    check(
        "login ann
         login bob
         publish ann cam
         connected ann cam
         play bob cam
         connected bob cam
         lost ann cam
         close with-callback
         at 60",
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
            > play bob cam
                from ann.1>cam
            > connected bob cam
                bob.1 #2: player cam Playing
            > lost ann cam
                close peer bob.1>cam
                bob.1 #3: player cam Ended(PublisherReplaced)
            > close with-callback
                ann.1 #3: kickout RoomClosed ""
                disconnect ann.1/1 SessionEnded
                bob.1 #4: kickout RoomClosed ""
                disconnect bob.1/1 SessionEnded
                event stream_close cam of ann RoomClosed number 1 stream_seq 2 since 0
                release stream cam
                event room_logout ann RoomClosed user_seq 3
                release ann.1
                event room_logout bob RoomClosed user_seq 4
                release bob.1
                event room_close Closed
            > at 60
        "#]],
    );
}

#[test]
fn each_loss_has_a_grace_of_its_own() {
    check(
        "login ann
         login bob
         publish ann cam
         connected ann cam
         play bob cam
         connected bob cam
         lost ann cam
         at 4
         publish ann cam
         connected ann cam
         lost ann cam
         at 8
         at 9",
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
            > play bob cam
                from ann.1>cam
            > connected bob cam
                bob.1 #2: player cam Playing
            > lost ann cam
                close peer bob.1>cam
                bob.1 #3: player cam Ended(PublisherReplaced)
            > at 4
            > publish ann cam
            > connected ann cam
                event stream_create cam of ann Again number 1 stream_seq 1 Some(Vp8)
                ann.1 #3: publisher cam Publishing
            > lost ann cam
            > at 8
            > at 9
                event stream_close cam of ann MediaLost number 1 stream_seq 2 since 0
                release stream cam
                bob.1 #4: streams DELETE MediaLost cam(ann) stream_seq 2
                ann.1 #4: publisher cam Ended(MediaLost)
        "#]],
    );
}

#[test]
fn a_replacement_that_does_not_connect_is_a_loss_at_once() {
    check(
        "login ann
         login bob
         publish ann cam
         connected ann cam
         play bob cam
         connected bob cam
         lost ann cam
         at 4
         publish ann cam
         at 19
         lost ann cam
         at 60",
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
            > play bob cam
                from ann.1>cam
            > connected bob cam
                bob.1 #2: player cam Playing
            > lost ann cam
                close peer bob.1>cam
                bob.1 #3: player cam Ended(PublisherReplaced)
            > at 4
            > publish ann cam
            > at 19
            > lost ann cam
                event stream_close cam of ann MediaLost number 1 stream_seq 2 since 0
                release stream cam
                bob.1 #4: streams DELETE MediaLost cam(ann) stream_seq 2
                ann.1 #3: publisher cam Ended(MediaLost)
            > at 60
                ann.1 #4: users count 2
        "#]],
    );
}

#[test]
fn a_heartbeat_timeout_at_the_same_moment_is_the_reason() {
    let config = RoomConfig { heartbeat_timeout: Duration::from_secs(5), ..RoomConfig::default() };
    check_with(
        config,
        "login ann
         publish ann cam
         connected ann cam
         login bob
         lost ann cam
         at 4
         heartbeat bob 0
         at 5",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > publish ann cam
            > connected ann cam
                event stream_create cam of ann New number 1 stream_seq 1 Some(Vp8)
                ann.1 #1: publisher cam Publishing
            > login bob
                snapshot #0 of 2 users [ann] streams [cam(ann)] own [] playing []
                event room_login bob First user_seq 2
                ann.1 #2: users ADD bob
            > lost ann cam
            > at 4
            > heartbeat bob 0
            > at 5
                ann.1 #3: kickout HeartbeatTimeout ""
                disconnect ann.1/1 SessionEnded
                event stream_close cam of ann HeartbeatTimeout number 1 stream_seq 2 since 0
                release stream cam
                bob.1 #1: streams DELETE HeartbeatTimeout cam(ann) stream_seq 2
                event room_logout ann HeartbeatTimeout user_seq 3
                release ann.1
                bob.1 #2: users DELETE ann
        "#]],
    );
}

#[test]
fn in_mode_notify_a_deleted_stream_has_no_grace() {
    let config = RoomConfig { delete_stream: DeleteStreamMode::Notify, ..RoomConfig::default() };
    check_with(
        config,
        "login ann
         login bob
         publish ann cam
         connected ann cam
         delete cam
         lost ann cam
         at 60",
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
            > delete cam
                event stream_close cam of ann Deleted number 1 stream_seq 2 since 0
                bob.1 #2: streams DELETE Deleted cam(ann) stream_seq 2
            > lost ann cam
                release stream cam
                ann.1 #3: publisher cam Ended(MediaLost)
            > at 60
                ann.1 #4: users count 2
        "#]],
    );
}

#[test]
fn in_mode_notify_a_stream_deleted_inside_the_grace_ends_without_a_second_notice() {
    let config = RoomConfig { delete_stream: DeleteStreamMode::Notify, ..RoomConfig::default() };
    check_with(
        config,
        "login ann
         login bob
         publish ann cam
         connected ann cam
         lost ann cam
         at 1
         delete cam
         at 2
         publish ann cam
         connected ann cam
         play bob cam
         stop ann cam
         publish ann cam
         connected ann cam
         lost ann cam
         delete cam
         play bob cam
         at 7",
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
            > lost ann cam
            > at 1
            > delete cam
                event stream_close cam of ann Deleted number 1 stream_seq 2 since 0
                bob.1 #2: streams DELETE Deleted cam(ann) stream_seq 2
            > at 2
            > publish ann cam
            > connected ann cam
                ann.1 #3: publisher cam Publishing
            > play bob cam
                from ann.1>cam
            > stop ann cam
                close peer ann.1>cam
                close peer bob.1>cam
                bob.1 #3: player cam Ended(PublisherGone)
                release stream cam
            > publish ann cam
            > connected ann cam
                bob.1 #4: streams ADD cam(ann) stream_seq 3
                event stream_create cam of ann New number 2 stream_seq 3 Some(Vp8)
                ann.1 #4: publisher cam Publishing
            > lost ann cam
            > delete cam
                event stream_close cam of ann Deleted number 2 stream_seq 4 since 2
                bob.1 #5: streams DELETE Deleted cam(ann) stream_seq 4
            > play bob cam
                refused: the publisher of stream cam is interrupted
            > at 7
                release stream cam
                ann.1 #5: publisher cam Ended(MediaLost)
        "#]],
    );
}

#[test]
fn without_a_grace_the_stream_is_lost_with_its_transport() {
    let config = RoomConfig { media_grace: Duration::ZERO, ..RoomConfig::default() };
    check_with(
        config,
        "login ann
         login bob
         publish ann cam
         connected ann cam
         lost ann cam
         at 0",
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
            > lost ann cam
            > at 0
                event stream_close cam of ann MediaLost number 1 stream_seq 2 since 0
                release stream cam
                bob.1 #2: streams DELETE MediaLost cam(ann) stream_seq 2
                ann.1 #3: publisher cam Ended(MediaLost)
        "#]],
    );
}
