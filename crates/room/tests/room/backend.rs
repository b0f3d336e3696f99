//! What a backend does to a room: AddStream, kick, close, and the server's own end: rulings 13, 14,
//! 19, 20.

use expect_test::expect;
use odeum_room::RoomConfig;

use crate::script::{check, check_with};

#[test]
fn an_added_stream_makes_no_event_and_is_not_told_to_its_user() {
    check(
        "add cam by ann
         login ann
         login bob
         add cam by ann title
         streams
         snapshot ann
         snapshot bob
         add cam by ann other
         snapshot bob
         add cam by bob
         publish bob cam
         play bob cam
         delete cam
         delete cam",
        expect![[r#"
            > add cam by ann
                refused: no room
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                event room_login bob First user_seq 2
                ann.1 #1: users ADD bob
            > add cam by ann title
                bob.1 #1: streams ADD cam(ann)[title] stream_seq 1
            > streams
                1 cam of ann at 0
            > snapshot ann
                snapshot #1 of 2 users [bob] streams [] own [] playing []
            > snapshot bob
                snapshot #1 of 2 users [ann] streams [cam(ann)[title]] own [] playing []
            > add cam by ann other
            > snapshot bob
                snapshot #1 of 2 users [ann] streams [cam(ann)[other]] own [] playing []
            > add cam by bob
                refused: stream cam is taken
            > publish bob cam
                refused: stream cam is taken
            > play bob cam
                refused: nobody publishes stream cam in this room
            > delete cam
                release stream cam
                bob.1 #2: streams DELETE Deleted cam(ann)[other] stream_seq 2
            > delete cam
                refused: the room has no stream cam
        "#]],
    );
}

#[test]
fn an_added_stream_goes_when_its_user_leaves_and_only_then() {
    check(
        "login ann
         login bob
         add one by ann
         add two by ann
         add three by nobody
         login ann
         streams
         logout ann
         streams
         logout bob
         login bob
         add one by zed",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                event room_login bob First user_seq 2
                ann.1 #1: users ADD bob
            > add one by ann
                bob.1 #1: streams ADD one(ann) stream_seq 1
            > add two by ann
                bob.1 #2: streams ADD two(ann) stream_seq 2
            > add three by nobody
                ann.1 #2: streams ADD three(nobody) stream_seq 3
                bob.1 #3: streams ADD three(nobody) stream_seq 3
            > login ann
                snapshot #0 of 2 users [bob] streams [three(nobody)] own [] playing []
                ann.1 #3: kickout LoggedInElsewhere ""
                disconnect ann.1/1 SessionEnded
                event room_logout ann LoggedInElsewhere user_seq 3
                release ann.1
                event room_login ann Again user_seq 4
            > streams
                1 one of ann at 0
                2 two of ann at 0
                3 three of nobody at 0
            > logout ann
                release stream one
                release stream two
                bob.1 #4: streams DELETE Stopped one(ann) two(ann) stream_seq 5
                event room_logout ann LoggedOut user_seq 5
                release ann.2
                bob.1 #5: users DELETE ann
            > streams
                3 three of nobody at 0
            > logout bob
                event room_logout bob LoggedOut user_seq 6
                release bob.1
                release stream three
                event room_close LastLeft
            > login bob
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by bob
                event room_login bob First user_seq 1
            > add one by zed
                bob.2 #1: streams ADD one(zed) stream_seq 1
        "#]],
    );
}

#[test]
fn its_user_takes_an_added_stream_over_without_a_second_add() {
    check(
        "login ann
         login bob
         add cam by ann title
         publish ann cam
         connected ann cam
         streams
         add cam by ann
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
            > add cam by ann title
                bob.1 #1: streams ADD cam(ann)[title] stream_seq 1
            > publish ann cam
            > connected ann cam
                event stream_create cam of ann New number 1 stream_seq 1 Some(Vp8)
                ann.1 #2: publisher cam Publishing
            > streams
                1 cam of ann at 0
            > add cam by ann
                refused: stream cam is taken
            > stop ann cam
                close peer ann.1>cam
                event stream_close cam of ann Stopped number 1 stream_seq 2 since 0
                release stream cam
                bob.1 #2: streams DELETE Stopped cam(ann)[title] stream_seq 2
        "#]],
    );
}

#[test]
fn a_failed_takeover_leaves_the_added_stream_as_it_was() {
    check(
        "login ann
         login bob
         add cam by ann
         publish ann cam
         lost ann cam
         streams
         publish ann cam
         delete cam
         streams
         connected ann cam
         streams",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                event room_login bob First user_seq 2
                ann.1 #1: users ADD bob
            > add cam by ann
                bob.1 #1: streams ADD cam(ann) stream_seq 1
            > publish ann cam
            > lost ann cam
                ann.1 #2: publisher cam Ended(MediaLost)
            > streams
                1 cam of ann at 0
            > publish ann cam
            > delete cam
                bob.1 #2: streams DELETE Deleted cam(ann) stream_seq 2
            > streams
            > connected ann cam
                bob.1 #3: streams ADD cam(ann) stream_seq 3
                event stream_create cam of ann New number 2 stream_seq 3 Some(Vp8)
                ann.1 #3: publisher cam Publishing
            > streams
                2 cam of ann at 0
        "#]],
    );
}

#[test]
fn an_id_that_is_published_anywhere_cannot_be_added() {
    check(
        "login ann
         @other login bob
         publish ann cam
         add cam by ann
         @other add cam by zed
         @other add screen by zed
         publish ann screen",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > @other login bob
                snapshot #0 of 1 users [] streams [] own [] playing []
                @other event room_create by bob
                @other event room_login bob First user_seq 1
            > publish ann cam
            > add cam by ann
                refused: stream cam is taken
            > @other add cam by zed
                refused: stream cam is taken
            > @other add screen by zed
                @other bob.1 #1: streams ADD screen(zed) stream_seq 1
            > publish ann screen
                refused: stream screen is taken
        "#]],
    );
}

#[test]
fn added_streams_have_a_limit() {
    let config = RoomConfig { added_streams_max: 1, ..RoomConfig::default() };
    check_with(
        config,
        "login ann
         add one by zed
         add two by zed
         delete one
         add two by zed",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > add one by zed
                ann.1 #1: streams ADD one(zed) stream_seq 1
            > add two by zed
                refused: the room has its 1 added streams
            > delete one
                release stream one
                ann.1 #2: streams DELETE Deleted one(zed) stream_seq 2
            > add two by zed
                ann.1 #3: streams ADD two(zed) stream_seq 3
        "#]],
    );
}

#[test]
fn a_stream_that_was_taken_over_is_an_added_one_no_more() {
    let config = RoomConfig { added_streams_max: 1, ..RoomConfig::default() };
    check_with(
        config,
        "login ann
         login bob
         add one by ann
         publish ann one
         connected ann one
         add two by zed
         stop ann one
         publish bob one
         connected bob one
         logout ann
         streams",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                event room_login bob First user_seq 2
                ann.1 #1: users ADD bob
            > add one by ann
                bob.1 #1: streams ADD one(ann) stream_seq 1
            > publish ann one
            > connected ann one
                event stream_create one of ann New number 1 stream_seq 1 Some(Vp8)
                ann.1 #2: publisher one Publishing
            > add two by zed
                ann.1 #3: streams ADD two(zed) stream_seq 2
                bob.1 #2: streams ADD two(zed) stream_seq 2
            > stop ann one
                close peer ann.1>one
                event stream_close one of ann Stopped number 1 stream_seq 3 since 0
                release stream one
                bob.1 #3: streams DELETE Stopped one(ann) stream_seq 3
            > publish bob one
            > connected bob one
                ann.1 #4: streams ADD one(bob) stream_seq 4
                event stream_create one of bob New number 3 stream_seq 4 Some(Vp8)
                bob.1 #4: publisher one Publishing
            > logout ann
                event room_logout ann LoggedOut user_seq 3
                release ann.1
                bob.1 #5: users DELETE ann
            > streams
                2 two of zed at 0
                3 one of bob at 0
        "#]],
    );
}

#[test]
fn a_kick_ends_the_session_and_passes_over_who_is_not_there() {
    check(
        "login ann
         login bob
         publish ann cam
         connected ann cam
         play bob cam
         play ann cam
         kick nobody,ann go away
         kick ann
         kick bob
         login ann",
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
            > play ann cam
                from ann.1>cam
            > kick nobody,ann go away
                ann.1 #3: kickout Kicked "go away"
                disconnect ann.1/1 SessionEnded
                close peer ann.1>cam
                close peer ann.1>cam
                close peer bob.1>cam
                bob.1 #2: player cam Ended(PublisherGone)
                event stream_close cam of ann Kicked number 1 stream_seq 2 since 0
                release stream cam
                bob.1 #3: streams DELETE Kicked cam(ann) stream_seq 2
                event room_logout ann Kicked user_seq 3
                release ann.1
                bob.1 #4: users DELETE ann
            > kick ann
            > kick bob
                bob.1 #5: kickout Kicked ""
                disconnect bob.1/1 SessionEnded
                event room_logout bob Kicked user_seq 4
                release bob.1
                event room_close LastKicked
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
        "#]],
    );
}

#[test]
fn a_kicked_session_without_a_socket_is_simply_gone() {
    check(
        "login ann
         login bob
         drop ann
         kick ann
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
            > kick ann
                event room_logout ann Kicked user_seq 3
                release ann.1
                bob.1 #1: users DELETE ann
            > resume ann from 0
                refused: the user has no session ann.1 in the room
        "#]],
    );
}

#[test]
fn closing_a_room_tells_every_client_first_and_the_backend_only_when_asked() {
    let script = |callback: &str| {
        format!(
            "login ann
             login bob
             add extra by zed
             publish ann cam
             connected ann cam
             play bob cam
             close {callback} bye
             login ann"
        )
    };
    check(
        &script("without-callback"),
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                event room_login bob First user_seq 2
                ann.1 #1: users ADD bob
            > add extra by zed
                ann.1 #2: streams ADD extra(zed) stream_seq 1
                bob.1 #1: streams ADD extra(zed) stream_seq 1
            > publish ann cam
            > connected ann cam
                bob.1 #2: streams ADD cam(ann) stream_seq 2
                event stream_create cam of ann New number 2 stream_seq 2 Some(Vp8)
                ann.1 #3: publisher cam Publishing
            > play bob cam
                from ann.1>cam
            > close without-callback bye
                ann.1 #4: kickout RoomClosed "bye"
                disconnect ann.1/1 SessionEnded
                bob.1 #3: kickout RoomClosed "bye"
                disconnect bob.1/1 SessionEnded
                close peer ann.1>cam
                close peer bob.1>cam
                event stream_close cam of ann RoomClosed number 2 stream_seq 3 since 0
                release stream cam
                event room_logout ann RoomClosed user_seq 3
                release ann.1
                event room_logout bob RoomClosed user_seq 4
                release bob.1
                release stream extra
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
        "#]],
    );
    check(
        &script("with-callback"),
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                event room_login bob First user_seq 2
                ann.1 #1: users ADD bob
            > add extra by zed
                ann.1 #2: streams ADD extra(zed) stream_seq 1
                bob.1 #1: streams ADD extra(zed) stream_seq 1
            > publish ann cam
            > connected ann cam
                bob.1 #2: streams ADD cam(ann) stream_seq 2
                event stream_create cam of ann New number 2 stream_seq 2 Some(Vp8)
                ann.1 #3: publisher cam Publishing
            > play bob cam
                from ann.1>cam
            > close with-callback bye
                ann.1 #4: kickout RoomClosed "bye"
                disconnect ann.1/1 SessionEnded
                bob.1 #3: kickout RoomClosed "bye"
                disconnect bob.1/1 SessionEnded
                close peer ann.1>cam
                close peer bob.1>cam
                event stream_close cam of ann RoomClosed number 2 stream_seq 3 since 0
                release stream cam
                event room_logout ann RoomClosed user_seq 3
                release ann.1
                event room_logout bob RoomClosed user_seq 4
                release bob.1
                release stream extra
                event room_close Closed
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
        "#]],
    );
}

#[test]
fn the_servers_end_closes_sessions_streams_and_room_in_the_events() {
    check(
        "login ann
         login bob
         publish ann cam
         connected ann cam
         shutdown",
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
            > shutdown
                ann.1 #3: kickout ServerClosing ""
                disconnect ann.1/1 SessionEnded
                bob.1 #2: kickout ServerClosing ""
                disconnect bob.1/1 SessionEnded
                close peer ann.1>cam
                event stream_close cam of ann ServerClosing number 1 stream_seq 2 since 0
                release stream cam
                event room_logout ann ServerClosing user_seq 3
                release ann.1
                event room_logout bob ServerClosing user_seq 4
                release bob.1
                event room_close ServerClosing
        "#]],
    );
}
