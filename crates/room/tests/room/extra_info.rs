//! Extra infos of rooms and streams: who is told, what newcomers see, what is refused.

use expect_test::expect;
use odeum_room::RoomConfig;

use crate::script::{check, check_with};

#[test]
fn the_rooms_extra_info_is_told_to_everyone_and_shown_to_newcomers() {
    check(
        "login ann quiet
         login bob quiet
         room-info ann topic cats
         room-info bob topic dogs
         login cat quiet
         room-info bob topic",
        expect![[r#"
            > login ann quiet
                snapshot #0 of 1 users [-] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob quiet
                snapshot #0 of 2 users [-] streams [] own [] playing []
                event room_login bob First user_seq 2
            > room-info ann topic cats
                ann.1 #1: room extra info topic=cats by ann
                bob.1 #1: room extra info topic=cats by ann
            > room-info bob topic dogs
                ann.1 #2: room extra info topic=dogs by bob
                bob.1 #2: room extra info topic=dogs by bob
            > login cat quiet
                snapshot #0 of 3 users [-] streams [] own [] playing [] extra info topic=dogs by bob
                event room_login cat First user_seq 3
            > room-info bob topic
                ann.1 #3: room extra info topic= by bob
                bob.1 #3: room extra info topic= by bob
                cat.1 #1: room extra info topic= by bob
        "#]],
    );
}

#[test]
fn a_room_has_one_key_for_life() {
    check(
        "login ann quiet
         room-info ann topic cats
         room-info ann mood good
         logout ann
         login ann quiet
         room-info ann mood good",
        expect![[r#"
            > login ann quiet
                snapshot #0 of 1 users [-] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > room-info ann topic cats
                ann.1 #1: room extra info topic=cats by ann
            > room-info ann mood good
                refused: the room has its one key already
            > logout ann
                event room_logout ann LoggedOut user_seq 2
                release ann.1
                event room_close LastLeft
            > login ann quiet
                snapshot #0 of 1 users [-] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > room-info ann mood good
                ann.2 #1: room extra info mood=good by ann
        "#]],
    );
}

#[test]
fn the_rooms_extra_info_is_not_set_too_often() {
    check_with(
        RoomConfig { room_extra_infos_per_second_max: 1, ..RoomConfig::default() },
        "login ann quiet
         login bob quiet
         room-info ann topic cats
         room-info bob topic dogs
         at 1
         room-info bob topic dogs",
        expect![[r#"
            > login ann quiet
                snapshot #0 of 1 users [-] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob quiet
                snapshot #0 of 2 users [-] streams [] own [] playing []
                event room_login bob First user_seq 2
            > room-info ann topic cats
                ann.1 #1: room extra info topic=cats by ann
                bob.1 #1: room extra info topic=cats by ann
            > room-info bob topic dogs
                refused: a room's extra info may be set 1 times a second
            > at 1
            > room-info bob topic dogs
                ann.1 #2: room extra info topic=dogs by bob
                bob.1 #2: room extra info topic=dogs by bob
        "#]],
    );
}

#[test]
fn a_streams_extra_info_is_told_to_the_others_and_stays_with_the_stream() {
    check(
        "login ann quiet
         login bob quiet
         publish ann cam first
         stream-info ann cam before the media
         connected ann cam
         stream-info ann cam live
         publish ann cam again
         connected ann cam
         login cat quiet",
        expect![[r#"
            > login ann quiet
                snapshot #0 of 1 users [-] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob quiet
                snapshot #0 of 2 users [-] streams [] own [] playing []
                event room_login bob First user_seq 2
            > publish ann cam first
            > stream-info ann cam before the media
            > connected ann cam
                bob.1 #1: streams ADD cam(ann)[before the media] stream_seq 1
                event stream_create cam of ann New number 1 stream_seq 1 Some(Vp8)
                ann.1 #1: publisher cam Publishing
            > stream-info ann cam live
                bob.1 #2: stream extra info cam(ann)[live]
            > publish ann cam again
                close peer ann.1>cam
            > connected ann cam
                event stream_create cam of ann Again number 1 stream_seq 1 Some(Vp8)
                ann.1 #2: publisher cam Publishing
            > login cat quiet
                snapshot #0 of 3 users [-] streams [cam(ann)[live]] own [] playing []
                event room_login cat First user_seq 3
        "#]],
    );
}

#[test]
fn only_the_publisher_sets_a_streams_extra_info_and_not_too_often() {
    check_with(
        RoomConfig { stream_extra_infos_per_user_per_second_max: 1, ..RoomConfig::default() },
        "login ann quiet
         login bob quiet
         publish ann cam
         connected ann cam
         stream-info bob cam mine
         stream-info ann cam one
         stream-info ann cam two
         stop ann cam
         stream-info ann cam three",
        expect![[r#"
            > login ann quiet
                snapshot #0 of 1 users [-] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob quiet
                snapshot #0 of 2 users [-] streams [] own [] playing []
                event room_login bob First user_seq 2
            > publish ann cam
            > connected ann cam
                bob.1 #1: streams ADD cam(ann) stream_seq 1
                event stream_create cam of ann New number 1 stream_seq 1 Some(Vp8)
                ann.1 #1: publisher cam Publishing
            > stream-info bob cam mine
                refused: stream cam is not published by this session
            > stream-info ann cam one
                bob.1 #2: stream extra info cam(ann)[one]
            > stream-info ann cam two
                refused: one user may set 1 extra infos of streams a second
            > stop ann cam
                close peer ann.1>cam
                event stream_close cam of ann Stopped number 1 stream_seq 2 since 0
                release stream cam
                bob.1 #3: streams DELETE Stopped cam(ann)[one] stream_seq 2
            > stream-info ann cam three
                refused: stream cam is not published by this session
        "#]],
    );
}
