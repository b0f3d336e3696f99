//! Publishing, playing, the stream list and both modes of DeleteStream: rulings 9 to 12, 15, 16 and
//! 20.

use expect_test::expect;
use odeum_room::{DeleteStreamMode, RoomConfig};

use crate::script::{check, check_with};

fn notify() -> RoomConfig {
    RoomConfig { delete_stream: DeleteStreamMode::Notify, ..RoomConfig::default() }
}

#[test]
fn a_stream_is_in_the_list_once_its_media_is_connected() {
    check(
        "login ann
         login bob
         publish ann cam front
         streams
         snapshot ann
         play bob cam
         connected ann cam
         connected ann cam
         streams
         play bob cam
         connected bob cam
         stop ann cam
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
            > publish ann cam front
            > streams
            > snapshot ann
                snapshot #1 of 2 users [bob] streams [] own [cam Connecting] playing []
            > play bob cam
                refused: nobody publishes stream cam in this room
            > connected ann cam
                bob.1 #1: streams ADD cam(ann)[front] stream_seq 1
                event stream_create cam of ann New number 1 stream_seq 1 Some(Vp8)
                ann.1 #2: publisher cam Publishing
            > connected ann cam
            > streams
                1 cam of ann at 0
            > play bob cam
                from ann.1>cam
            > connected bob cam
                bob.1 #2: player cam Playing
            > stop ann cam
                close peer ann.1>cam
                close peer bob.1>cam
                bob.1 #3: player cam Ended(PublisherGone)
                event stream_close cam of ann Stopped number 1 stream_seq 2 since 0
                release stream cam
                bob.1 #4: streams DELETE Stopped cam(ann)[front] stream_seq 2
            > streams
        "#]],
    );
}

#[test]
fn a_publication_that_never_connects_leaves_no_notice() {
    check(
        "login ann
         login bob
         publish ann cam
         lost ann cam
         publish ann cam
         stop ann cam
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
            > lost ann cam
                release stream cam
                ann.1 #2: publisher cam Ended(MediaLost)
            > publish ann cam
            > stop ann cam
                close peer ann.1>cam
                release stream cam
            > stop ann cam
                refused: stream cam is not published by this session
        "#]],
    );
}

#[test]
fn a_publisher_lost_for_the_grace_is_told_and_its_stream_closes_with_type_4() {
    check(
        "login ann
         login bob
         publish ann cam
         connected ann cam
         play bob cam
         lost ann cam
         lost bob cam
         at 5",
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
            > lost ann cam
                close peer bob.1>cam
                bob.1 #2: player cam Ended(PublisherReplaced)
            > lost bob cam
            > at 5
                event stream_close cam of ann MediaLost number 1 stream_seq 2 since 0
                release stream cam
                bob.1 #3: streams DELETE MediaLost cam(ann) stream_seq 2
                ann.1 #3: publisher cam Ended(MediaLost)
        "#]],
    );
}

#[test]
fn a_lost_player_is_told_and_may_play_again() {
    check(
        "login ann
         publish ann cam
         connected ann cam
         login bob
         play bob cam
         lost bob cam
         play bob cam
         play bob cam
         unplay bob cam
         unplay bob cam",
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
            > play bob cam
                from ann.1>cam
            > lost bob cam
                bob.1 #1: player cam Ended(MediaLost)
            > play bob cam
                from ann.1>cam
            > play bob cam
                from ann.1>cam
                close peer bob.1>cam
            > unplay bob cam
                close peer bob.1>cam
            > unplay bob cam
                refused: stream cam is not played by this session
        "#]],
    );
}

#[test]
fn a_second_publication_by_the_publisher_replaces_its_transport_unseen() {
    check(
        "login ann
         login bob
         publish ann cam
         connected ann cam
         play bob cam
         connected bob cam
         publish ann cam
         streams
         play bob cam
         connected ann cam
         publish ann cam
         lost ann cam",
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
            > publish ann cam
                close peer bob.1>cam
                bob.1 #3: player cam Ended(PublisherReplaced)
                close peer ann.1>cam
            > streams
                1 cam of ann at 0
            > play bob cam
                from ann.1>cam
            > connected ann cam
                event stream_create cam of ann Again number 1 stream_seq 1 Some(Vp8)
                ann.1 #3: publisher cam Publishing
            > publish ann cam
                close peer bob.1>cam
                bob.1 #4: player cam Ended(PublisherReplaced)
                close peer ann.1>cam
            > lost ann cam
                event stream_close cam of ann MediaLost number 1 stream_seq 2 since 0
                release stream cam
                bob.1 #5: streams DELETE MediaLost cam(ann) stream_seq 2
                ann.1 #4: publisher cam Ended(MediaLost)
        "#]],
    );
}

#[test]
fn a_stream_id_has_one_publisher_in_the_app() {
    check(
        "login ann
         login bob
         @other login cat
         publish ann cam
         publish bob cam
         publish cat cam
         stop ann cam
         publish cat cam
         publish bob cam",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                event room_login bob First user_seq 2
                ann.1 #1: users ADD bob
            > @other login cat
                snapshot #0 of 1 users [] streams [] own [] playing []
                @other event room_create by cat
                @other event room_login cat First user_seq 1
            > publish ann cam
            > publish bob cam
                refused: stream cam is taken
            > publish cat cam
                refused: stream cam is taken
            > stop ann cam
                close peer ann.1>cam
                release stream cam
            > publish cat cam
            > publish bob cam
                refused: stream cam is taken
        "#]],
    );
}

#[test]
fn streams_and_plays_of_one_user_have_limits() {
    let config =
        RoomConfig { streams_per_user_max: 1, plays_per_user_max: 1, ..RoomConfig::default() };
    check_with(
        config,
        "login ann
         login bob
         publish ann one
         publish ann two
         publish ann one
         connected ann one
         publish bob two
         connected bob two
         login cat
         play cat one
         play cat two
         play cat one",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                event room_login bob First user_seq 2
                ann.1 #1: users ADD bob
            > publish ann one
            > publish ann two
                refused: the user publishes its 1 streams
            > publish ann one
                close peer ann.1>one
            > connected ann one
                bob.1 #1: streams ADD one(ann) stream_seq 1
                event stream_create one of ann New number 1 stream_seq 1 Some(Vp8)
                ann.1 #2: publisher one Publishing
            > publish bob two
            > connected bob two
                ann.1 #3: streams ADD two(bob) stream_seq 2
                event stream_create two of bob New number 2 stream_seq 2 Some(Vp8)
                bob.1 #2: publisher two Publishing
            > login cat
                snapshot #0 of 3 users [ann bob] streams [one(ann) two(bob)] own [] playing []
                event room_login cat First user_seq 3
                ann.1 #4: users ADD cat
                bob.1 #3: users ADD cat
            > play cat one
                from ann.1>one
            > play cat two
                refused: the user plays its 1 streams
            > play cat one
                from ann.1>one
                close peer cat.1>one
        "#]],
    );
}

#[test]
fn delete_stream_tells_everyone_but_the_publisher_and_ends_the_media() {
    check(
        "login ann
         login bob
         login cat quiet
         publish ann cam
         connected ann cam
         publish bob other
         connected bob other
         play bob cam
         connected bob cam
         play cat cam
         play cat other
         connected cat other
         delete cam
         streams
         users ascending 9
         delete cam
         publish ann cam
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
            > login cat quiet
                snapshot #0 of 3 users [-] streams [] own [] playing []
                event room_login cat First user_seq 3
                ann.1 #2: users ADD cat
                bob.1 #1: users ADD cat
            > publish ann cam
            > connected ann cam
                bob.1 #2: streams ADD cam(ann) stream_seq 1
                cat.1 #1: streams ADD cam(ann) stream_seq 1
                event stream_create cam of ann New number 1 stream_seq 1 Some(Vp8)
                ann.1 #3: publisher cam Publishing
            > publish bob other
            > connected bob other
                ann.1 #4: streams ADD other(bob) stream_seq 2
                cat.1 #2: streams ADD other(bob) stream_seq 2
                event stream_create other of bob New number 2 stream_seq 2 Some(Vp8)
                bob.1 #3: publisher other Publishing
            > play bob cam
                from ann.1>cam
            > connected bob cam
                bob.1 #4: player cam Playing
            > play cat cam
                from ann.1>cam
            > play cat other
                from bob.1>other
            > connected cat other
                cat.1 #3: player other Playing
            > delete cam
                close peer ann.1>cam
                close peer bob.1>cam
                bob.1 #5: player cam Ended(Deleted)
                close peer cat.1>cam
                cat.1 #4: player cam Ended(Deleted)
                event stream_close cam of ann Deleted number 1 stream_seq 3 since 0
                release stream cam
                ann.1 #5: publisher cam Ended(Deleted)
                bob.1 #6: streams DELETE Deleted cam(ann) stream_seq 3
                cat.1 #5: streams DELETE Deleted cam(ann) stream_seq 3
            > streams
                2 other of bob at 0
            > users ascending 9
                ann bob cat
            > delete cam
                refused: the room has no stream cam
            > publish ann cam
            > connected ann cam
                bob.1 #7: streams ADD cam(ann) stream_seq 4
                cat.1 #6: streams ADD cam(ann) stream_seq 4
                event stream_create cam of ann New number 3 stream_seq 4 Some(Vp8)
                ann.1 #6: publisher cam Publishing
            > streams
                2 other of bob at 0
                3 cam of ann at 0
        "#]],
    );
}

#[test]
fn delete_stream_of_what_the_list_does_not_have_is_refused() {
    check(
        "delete cam
         login ann
         delete cam
         publish ann cam
         delete cam
         connected ann cam",
        expect![[r#"
            > delete cam
                refused: no room
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > delete cam
                refused: the room has no stream cam
            > publish ann cam
            > delete cam
                refused: the room has no stream cam
            > connected ann cam
                event stream_create cam of ann New number 1 stream_seq 1 Some(Vp8)
                ann.1 #1: publisher cam Publishing
        "#]],
    );
}

#[test]
fn delete_stream_while_the_transport_is_being_replaced_deletes_the_stream() {
    check(
        "login ann
         login bob
         publish ann cam
         connected ann cam
         publish ann cam
         delete cam
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
            > publish ann cam
                close peer ann.1>cam
            > delete cam
                close peer ann.1>cam
                event stream_close cam of ann Deleted number 1 stream_seq 2 since 0
                release stream cam
                ann.1 #3: publisher cam Ended(Deleted)
                bob.1 #2: streams DELETE Deleted cam(ann) stream_seq 2
            > connected ann cam
        "#]],
    );
}

#[test]
fn in_mode_notify_the_media_goes_on_until_the_publisher_stops() {
    check_with(
        notify(),
        "login ann
         login bob
         publish ann cam
         connected ann cam
         play bob cam
         connected bob cam
         delete cam
         streams
         delete cam
         login cat
         play cat cam
         connected cat cam
         publish cat cam
         add cam by zed
         stop ann cam
         publish cat cam
         connected cat cam",
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
            > delete cam
                event stream_close cam of ann Deleted number 1 stream_seq 2 since 0
                bob.1 #3: streams DELETE Deleted cam(ann) stream_seq 2
            > streams
            > delete cam
                refused: the room has no stream cam
            > login cat
                snapshot #0 of 3 users [ann bob] streams [] own [] playing []
                event room_login cat First user_seq 3
                ann.1 #3: users ADD cat
                bob.1 #4: users ADD cat
            > play cat cam
                from ann.1>cam
            > connected cat cam
                cat.1 #1: player cam Playing
            > publish cat cam
                refused: stream cam is taken
            > add cam by zed
                refused: stream cam is taken
            > stop ann cam
                close peer ann.1>cam
                close peer bob.1>cam
                bob.1 #5: player cam Ended(PublisherGone)
                close peer cat.1>cam
                cat.1 #2: player cam Ended(PublisherGone)
                release stream cam
            > publish cat cam
            > connected cat cam
                ann.1 #4: streams ADD cam(cat) stream_seq 3
                bob.1 #6: streams ADD cam(cat) stream_seq 3
                event stream_create cam of cat New number 2 stream_seq 3 Some(Vp8)
                cat.1 #3: publisher cam Publishing
        "#]],
    );
}

#[test]
fn in_mode_notify_a_deleted_publisher_leaves_without_a_second_notice() {
    check_with(
        notify(),
        "login ann
         login bob
         publish ann cam
         connected ann cam
         delete cam
         publish ann cam
         connected ann cam
         lost ann cam
         publish ann cam
         connected ann cam
         delete cam
         logout ann",
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
            > publish ann cam
                close peer ann.1>cam
            > connected ann cam
                ann.1 #3: publisher cam Publishing
            > lost ann cam
                release stream cam
                ann.1 #4: publisher cam Ended(MediaLost)
            > publish ann cam
            > connected ann cam
                bob.1 #3: streams ADD cam(ann) stream_seq 3
                event stream_create cam of ann New number 2 stream_seq 3 Some(Vp8)
                ann.1 #5: publisher cam Publishing
            > delete cam
                event stream_close cam of ann Deleted number 2 stream_seq 4 since 0
                bob.1 #4: streams DELETE Deleted cam(ann) stream_seq 4
            > logout ann
                close peer ann.1>cam
                release stream cam
                event room_logout ann LoggedOut user_seq 3
                release ann.1
                bob.1 #5: users DELETE ann
        "#]],
    );
}
