//! Users and sessions: rulings 13, 16, 17, 18 and 24.

use expect_test::expect;
use odeum_room::RoomConfig;

use crate::script::{check, check_with};

#[test]
fn the_first_login_begins_the_room_and_the_last_logout_ends_it() {
    check(
        "login ann
         login bob
         logout ann
         logout bob
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
            > logout ann
                event room_logout ann LoggedOut user_seq 3
                release ann.1
                bob.1 #1: users DELETE ann
            > logout bob
                event room_logout bob LoggedOut user_seq 4
                release bob.1
                event room_close LastLeft
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
        "#]],
    );
}

#[test]
fn users_are_told_only_to_sessions_that_subscribed() {
    check(
        "login ann quiet
         login bob
         login cat
         logout cat",
        expect![[r#"
            > login ann quiet
                snapshot #0 of 1 users [-] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                event room_login bob First user_seq 2
            > login cat
                snapshot #0 of 3 users [ann bob] streams [] own [] playing []
                event room_login cat First user_seq 3
                bob.1 #1: users ADD cat
            > logout cat
                event room_logout cat LoggedOut user_seq 4
                release cat.1
                bob.1 #2: users DELETE cat
        "#]],
    );
}

#[test]
fn a_newcomer_gets_users_and_streams_of_others() {
    check(
        "login ann
         publish ann cam hello
         connected ann cam
         login bob
         login cat quiet",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > publish ann cam hello
            > connected ann cam
                event stream_create cam of ann New number 1 stream_seq 1 Some(Vp8)
                ann.1 #1: publisher cam Publishing
            > login bob
                snapshot #0 of 2 users [ann] streams [cam(ann)[hello]] own [] playing []
                event room_login bob First user_seq 2
                ann.1 #2: users ADD bob
            > login cat quiet
                snapshot #0 of 3 users [-] streams [cam(ann)[hello]] own [] playing []
                event room_login cat First user_seq 3
                ann.1 #3: users ADD cat
                bob.1 #1: users ADD cat
        "#]],
    );
}

#[test]
fn a_relogin_in_the_room_keeps_user_room_and_order_of_events() {
    check(
        "login ann
         login bob
         publish ann cam
         connected ann cam
         publish ann screen
         connected ann screen
         play bob cam
         connected bob cam
         play ann cam
         login ann
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
            > publish ann screen
            > connected ann screen
                bob.1 #2: streams ADD screen(ann) stream_seq 2
                event stream_create screen of ann New number 2 stream_seq 2 Some(Vp8)
                ann.1 #3: publisher screen Publishing
            > play bob cam
                from ann.1>cam
            > connected bob cam
                bob.1 #3: player cam Playing
            > play ann cam
                from ann.1>cam
            > login ann
                snapshot #0 of 2 users [bob] streams [] own [] playing []
                ann.1 #4: kickout LoggedInElsewhere ""
                disconnect ann.1/1 SessionEnded
                close peer ann.1>cam
                close peer ann.1>cam
                close peer bob.1>cam
                bob.1 #4: player cam Ended(PublisherGone)
                event stream_close cam of ann LoggedInElsewhere number 1 stream_seq 3 since 0
                release stream cam
                close peer ann.1>screen
                event stream_close screen of ann LoggedInElsewhere number 2 stream_seq 4 since 0
                release stream screen
                bob.1 #5: streams DELETE LoggedInElsewhere cam(ann) screen(ann) stream_seq 4
                event room_logout ann LoggedInElsewhere user_seq 3
                release ann.1
                event room_login ann Again user_seq 4
            > publish ann cam
            > connected ann cam
                bob.1 #6: streams ADD cam(ann) stream_seq 5
                event stream_create cam of ann New number 3 stream_seq 5 Some(Vp8)
                ann.2 #1: publisher cam Publishing
        "#]],
    );
}

#[test]
fn a_relogin_of_a_lonely_user_keeps_the_room_session() {
    check(
        "login ann
         login ann
         logout ann.1
         streams
         users ascending 9",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                ann.1 #1: kickout LoggedInElsewhere ""
                disconnect ann.1/1 SessionEnded
                event room_logout ann LoggedInElsewhere user_seq 2
                release ann.1
                event room_login ann Again user_seq 3
            > logout ann.1
                refused: session ann.1 is not in the room
            > streams
            > users ascending 9
                ann
        "#]],
    );
}

#[test]
fn a_login_to_another_room_is_an_ordinary_leave_there() {
    check(
        "login ann
         login bob
         publish ann cam
         connected ann cam
         @other login ann
         @other publish ann cam
         @other login bob",
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
            > @other login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                ann.1 #3: kickout LoggedInElsewhere ""
                disconnect ann.1/1 SessionEnded
                close peer ann.1>cam
                event stream_close cam of ann LoggedInElsewhere number 1 stream_seq 2 since 0
                release stream cam
                bob.1 #2: streams DELETE LoggedInElsewhere cam(ann) stream_seq 2
                event room_logout ann LoggedInElsewhere user_seq 3
                release ann.1
                bob.1 #3: users DELETE ann
                @other event room_create by ann
                @other event room_login ann First user_seq 1
            > @other publish ann cam
            > @other login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                bob.1 #4: kickout LoggedInElsewhere ""
                disconnect bob.1/1 SessionEnded
                event room_logout bob LoggedInElsewhere user_seq 4
                release bob.1
                event room_close LastLeft
                @other event room_login bob First user_seq 2
                @other ann.2 #1: users ADD bob
        "#]],
    );
}

#[test]
fn a_dropped_socket_is_not_seen_and_missed_notices_are_replayed() {
    check(
        "login ann
         login bob
         drop ann
         login cat
         publish bob cam
         connected bob cam
         resume ann from 1
         logout cat",
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
            > login cat
                snapshot #0 of 3 users [ann bob] streams [] own [] playing []
                event room_login cat First user_seq 3
                bob.1 #1: users ADD cat
            > publish bob cam
            > connected bob cam
                cat.1 #1: streams ADD cam(bob) stream_seq 1
                event stream_create cam of bob New number 1 stream_seq 1 Some(Vp8)
                bob.1 #2: publisher cam Publishing
            > resume ann from 1
                resumed
                ann.1 #2: users ADD cat
                ann.1 #3: streams ADD cam(bob) stream_seq 1
            > logout cat
                event room_logout cat LoggedOut user_seq 4
                release cat.1
                ann.1 #4: users DELETE cat
                bob.1 #3: users DELETE cat
        "#]],
    );
}

#[test]
fn a_resumption_takes_the_session_from_a_connection_that_still_stands() {
    check(
        "login ann
         resume ann from 0
         login bob
         drop ann
         logout bob",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > resume ann from 0
                resumed
                disconnect ann.1/1 Resumed
            > login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                event room_login bob First user_seq 2
                ann.1 #1: users ADD bob
            > drop ann
            > logout bob
                event room_logout bob LoggedOut user_seq 3
                release bob.1
        "#]],
    );
}

#[test]
fn a_late_end_of_a_replaced_connection_changes_nothing() {
    check(
        "login ann
         resume ann from 0
         drop ann/1
         login bob
         drop ann/2
         login cat",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > resume ann from 0
                resumed
                disconnect ann.1/1 Resumed
            > drop ann/1
            > login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                event room_login bob First user_seq 2
                ann.1 #1: users ADD bob
            > drop ann/2
            > login cat
                snapshot #0 of 3 users [ann bob] streams [] own [] playing []
                event room_login cat First user_seq 3
                bob.1 #1: users ADD cat
        "#]],
    );
}

#[test]
fn what_no_longer_fits_the_bound_comes_as_a_snapshot_and_the_numbers_go_on() {
    let config = RoomConfig { replay_messages_max: 2, ..RoomConfig::default() };
    check_with(
        config,
        "login ann
         login bob
         publish ann cam
         connected ann cam
         drop ann
         login cat
         publish bob screen
         connected bob screen
         delete cam
         resume ann from 2
         logout cat",
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
            > drop ann
            > login cat
                snapshot #0 of 3 users [ann bob] streams [cam(ann)] own [] playing []
                event room_login cat First user_seq 3
                bob.1 #2: users ADD cat
            > publish bob screen
            > connected bob screen
                cat.1 #1: streams ADD screen(bob) stream_seq 2
                event stream_create screen of bob New number 2 stream_seq 2 Some(Vp8)
                bob.1 #3: publisher screen Publishing
            > delete cam
                close peer ann.1>cam
                event stream_close cam of ann Deleted number 1 stream_seq 3 since 0
                release stream cam
                bob.1 #4: streams DELETE Deleted cam(ann) stream_seq 3
                cat.1 #2: streams DELETE Deleted cam(ann) stream_seq 3
            > resume ann from 2
                snapshot #5 of 3 users [bob cat] streams [screen(bob)] own [] playing []
            > logout cat
                event room_logout cat LoggedOut user_seq 4
                release cat.1
                ann.1 #6: users DELETE cat
                bob.1 #5: users DELETE cat
        "#]],
    );
}

#[test]
fn the_bound_in_bytes_drops_the_oldest_but_keeps_the_newest() {
    let config = RoomConfig { replay_bytes_max: 1, ..RoomConfig::default() };
    check_with(
        config,
        "login ann
         drop ann
         login bob
         login cat
         resume ann from 1
         resume ann from 0",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > drop ann
            > login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                event room_login bob First user_seq 2
            > login cat
                snapshot #0 of 3 users [ann bob] streams [] own [] playing []
                event room_login cat First user_seq 3
                bob.1 #1: users ADD cat
            > resume ann from 1
                resumed
                ann.1 #2: users ADD cat
            > resume ann from 0
                snapshot #2 of 3 users [bob cat] streams [] own [] playing []
                disconnect ann.1/2 Resumed
        "#]],
    );
}

#[test]
fn an_acknowledged_notice_is_forgotten() {
    check(
        "login ann
         login bob
         login cat
         heartbeat ann 2
         heartbeat ann 1
         drop ann
         resume ann from 1
         resume ann from 2",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                event room_login bob First user_seq 2
                ann.1 #1: users ADD bob
            > login cat
                snapshot #0 of 3 users [ann bob] streams [] own [] playing []
                event room_login cat First user_seq 3
                ann.1 #2: users ADD cat
                bob.1 #1: users ADD cat
            > heartbeat ann 2
            > heartbeat ann 1
            > drop ann
            > resume ann from 1
                snapshot #2 of 3 users [bob cat] streams [] own [] playing []
            > resume ann from 2
                resumed
                disconnect ann.1/2 Resumed
        "#]],
    );
}

#[test]
fn a_secret_is_renewed_and_the_one_before_is_good_until_the_client_is_heard() {
    check(
        "login ann
         resume ann from 0
         resume ann from 0 old-secret
         heartbeat ann 0
         resume ann from 0 first-secret
         resume ann from 0",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > resume ann from 0
                resumed
                disconnect ann.1/1 Resumed
            > resume ann from 0 old-secret
                resumed
                disconnect ann.1/2 Resumed
            > heartbeat ann 0
            > resume ann from 0 first-secret
                refused: session ann.1 has another secret
            > resume ann from 0
                resumed
                disconnect ann.1/3 Resumed
        "#]],
    );
}

#[test]
fn a_resumption_is_refused_with_a_reason() {
    check(
        "login ann
         login bob
         resume ann from 0 wrong-secret
         resume ann from 0 wrong-user
         resume ann from 2
         heartbeat ann 2
         logout ann
         resume ann from 0
         heartbeat ann 0
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
            > resume ann from 0 wrong-secret
                refused: session ann.1 has another secret
            > resume ann from 0 wrong-user
                refused: the user has no session ann.1 in the room
            > resume ann from 2
                refused: session ann.1 has had 1 notices, not 2
            > heartbeat ann 2
                refused: session ann.1 has had 1 notices, not 2
            > logout ann
                event room_logout ann LoggedOut user_seq 3
                release ann.1
                bob.1 #1: users DELETE ann
            > resume ann from 0
                refused: the user has no session ann.1 in the room
            > heartbeat ann 0
                refused: session ann.1 is not in the room
            > logout ann
                refused: session ann.1 is not in the room
        "#]],
    );
}

#[test]
fn a_full_room_refuses_newcomers_and_not_a_relogin() {
    let config = RoomConfig { users_max: 2, ..RoomConfig::default() };
    check_with(
        config,
        "login ann max=5
         login bob
         login cat
         login bob
         logout ann
         login cat",
        expect![[r#"
            > login ann max=5
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                event room_login bob First user_seq 2
                ann.1 #1: users ADD bob
            > login cat
                refused: the room has its 2 users
            > login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                bob.1 #1: kickout LoggedInElsewhere ""
                disconnect bob.1/1 SessionEnded
                event room_logout bob LoggedInElsewhere user_seq 3
                release bob.1
                event room_login bob Again user_seq 4
            > logout ann
                event room_logout ann LoggedOut user_seq 5
                release ann.1
                bob.2 #1: users DELETE ann
            > login cat
                snapshot #0 of 2 users [bob] streams [] own [] playing []
                event room_login cat First user_seq 6
                bob.2 #2: users ADD cat
        "#]],
    );
}

#[test]
fn the_first_login_sets_a_lower_cap_for_the_rooms_life() {
    check(
        "login ann max=1
         login bob max=9
         logout ann
         login bob max=0
         login ann",
        expect![[r#"
            > login ann max=1
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob max=9
                refused: the room has its 1 users
            > logout ann
                event room_logout ann LoggedOut user_seq 2
                release ann.1
                event room_close LastLeft
            > login bob max=0
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by bob
                event room_login bob First user_seq 1
            > login ann
                snapshot #0 of 2 users [bob] streams [] own [] playing []
                event room_login ann First user_seq 2
                bob.1 #1: users ADD ann
        "#]],
    );
}

#[test]
fn user_notices_stop_beyond_the_bound_and_the_difference_is_told_below_it() {
    let config = RoomConfig { user_notices_max: 3, ..RoomConfig::default() };
    check_with(
        config,
        "login ann
         login bob
         login cat
         login dan
         login eve
         snapshot eve
         logout bob
         logout ann
         login ann
         logout cat",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                event room_login bob First user_seq 2
                ann.1 #1: users ADD bob
            > login cat
                snapshot #0 of 3 users [ann bob] streams [] own [] playing []
                event room_login cat First user_seq 3
                ann.1 #2: users ADD cat
                bob.1 #1: users ADD cat
            > login dan
                snapshot #0 of 4 users [ann bob cat] streams [] own [] playing []
                event room_login dan First user_seq 4
            > login eve
                snapshot #0 of 5 users [ann bob cat] streams [] own [] playing []
                event room_login eve First user_seq 5
            > snapshot eve
                snapshot #0 of 5 users [ann bob cat] streams [] own [] playing []
            > logout bob
                event room_logout bob LoggedOut user_seq 6
                release bob.1
            > logout ann
                event room_logout ann LoggedOut user_seq 7
                release ann.1
                cat.1 #1: users DELETE ann bob
                dan.1 #1: users DELETE ann bob
                eve.1 #1: users DELETE ann bob
                dan.1 #2: users ADD eve
                eve.1 #2: users ADD dan
                cat.1 #2: users ADD dan eve
            > login ann
                snapshot #0 of 4 users [cat dan eve] streams [] own [] playing []
                event room_login ann First user_seq 8
            > logout cat
                event room_logout cat LoggedOut user_seq 9
                release cat.1
                dan.1 #3: users DELETE cat
                eve.1 #3: users DELETE cat
                ann.2 #1: users DELETE cat
                dan.1 #4: users ADD ann
                eve.1 #4: users ADD ann
        "#]],
    );
}

#[test]
fn the_count_goes_to_everyone_and_not_too_often_and_beyond_the_bound_alone() {
    let config = RoomConfig { user_notices_max: 2, ..RoomConfig::default() };
    check_with(
        config,
        "login ann
         login bob
         at 10
         login cat quiet
         at 20
         login dan
         at 29
         at 30
         at 80
         heartbeat ann 0
         heartbeat bob 0
         at 90
         logout dan
         at 95
         logout cat
         login cat quiet
         logout cat
         at 119
         at 120",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                event room_login bob First user_seq 2
                ann.1 #1: users ADD bob
            > at 10
            > login cat quiet
                snapshot #0 of 3 users [-] streams [] own [] playing []
                event room_login cat First user_seq 3
            > at 20
            > login dan
                snapshot #0 of 4 users [ann bob] streams [] own [] playing []
                event room_login dan First user_seq 4
            > at 29
            > at 30
                ann.1 #2: users count 4
                bob.1 #1: users count 4
                cat.1 #1: users count 4
            > at 80
            > heartbeat ann 0
            > heartbeat bob 0
            > at 90
            > logout dan
                event room_logout dan LoggedOut user_seq 5
                release dan.1
                ann.1 #3: users count 3
                bob.1 #2: users count 3
                cat.1 #2: users count 3
            > at 95
            > logout cat
                event room_logout cat LoggedOut user_seq 6
                release cat.1
            > login cat quiet
                snapshot #0 of 3 users [-] streams [] own [] playing []
                event room_login cat First user_seq 7
            > logout cat
                event room_logout cat LoggedOut user_seq 8
                release cat.2
            > at 119
            > at 120
                ann.1 #4: users count 2
                bob.1 #3: users count 2
        "#]],
    );
}

#[test]
fn the_user_list_is_paged_by_login_time_both_ways() {
    check(
        "login ann
         login bob
         login cat
         login dan
         login ann
         users ascending 3
         users descending 2
         users ascending 4
         @nowhere users ascending 1",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob
                snapshot #0 of 2 users [ann] streams [] own [] playing []
                event room_login bob First user_seq 2
                ann.1 #1: users ADD bob
            > login cat
                snapshot #0 of 3 users [ann bob] streams [] own [] playing []
                event room_login cat First user_seq 3
                ann.1 #2: users ADD cat
                bob.1 #1: users ADD cat
            > login dan
                snapshot #0 of 4 users [ann bob cat] streams [] own [] playing []
                event room_login dan First user_seq 4
                ann.1 #3: users ADD dan
                bob.1 #2: users ADD dan
                cat.1 #1: users ADD dan
            > login ann
                snapshot #0 of 4 users [bob cat dan] streams [] own [] playing []
                ann.1 #4: kickout LoggedInElsewhere ""
                disconnect ann.1/1 SessionEnded
                event room_logout ann LoggedInElsewhere user_seq 5
                release ann.1
                event room_login ann Again user_seq 6
            > users ascending 3
                bob cat dan
                ann
            > users descending 2
                ann dan
                cat bob
            > users ascending 4
                bob cat dan ann
            > @nowhere users ascending 1
        "#]],
    );
}
