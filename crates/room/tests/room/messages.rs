//! Messages and commands: who gets them, who does not, how often, and what a lost connection does.

use expect_test::expect;
use odeum_room::RoomConfig;

use crate::script::{check, check_with};

#[test]
fn a_broadcast_reaches_all_others_whether_they_want_to_hear_of_users_or_not() {
    check(
        "login ann quiet
         login bob quiet
         login cat
         broadcast ann hello
         broadcast cat hello too",
        expect![[r#"
            > login ann quiet
                snapshot #0 of 1 users [-] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob quiet
                snapshot #0 of 2 users [-] streams [] own [] playing []
                event room_login bob First user_seq 2
            > login cat
                snapshot #0 of 3 users [ann bob] streams [] own [] playing []
                event room_login cat First user_seq 3
            > broadcast ann hello
                bob.1 #1: broadcast 1 of ann(ANN): hello
                cat.1 #1: broadcast 1 of ann(ANN): hello
            > broadcast cat hello too
                ann.1 #1: broadcast 2 of cat(CAT): hello too
                bob.1 #2: broadcast 2 of cat(CAT): hello too
        "#]],
    );
}

#[test]
fn barrage_is_sent_without_a_number_and_not_kept_for_the_absent() {
    check(
        "login ann quiet
         login bob quiet
         login cat quiet
         drop bob
         barrage ann hello
         resume bob from 0",
        expect![[r#"
            > login ann quiet
                snapshot #0 of 1 users [-] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob quiet
                snapshot #0 of 2 users [-] streams [] own [] playing []
                event room_login bob First user_seq 2
            > login cat quiet
                snapshot #0 of 3 users [-] streams [] own [] playing []
                event room_login cat First user_seq 3
            > drop bob
            > barrage ann hello
                cat.1 unnumbered: barrage 2_1000000_1 of ann(ANN): hello
            > resume bob from 0
                resumed
        "#]],
    );
}

#[test]
fn a_command_reaches_whom_it_names_once_and_says_who_is_not_there() {
    check(
        "login ann quiet
         login bob quiet
         login cat quiet
         command ann bob,eve,bob,ann,dan look
         command ann all look
         command ann eve look",
        expect![[r#"
            > login ann quiet
                snapshot #0 of 1 users [-] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob quiet
                snapshot #0 of 2 users [-] streams [] own [] playing []
                event room_login bob First user_seq 2
            > login cat quiet
                snapshot #0 of 3 users [-] streams [] own [] playing []
                event room_login cat First user_seq 3
            > command ann bob,eve,bob,ann,dan look
                reached 1 offline ["eve", "dan"]
                bob.1 #1: command of ann(ANN): look
            > command ann all look
                reached 2 offline []
                bob.1 #2: command of ann(ANN): look
                cat.1 #1: command of ann(ANN): look
            > command ann eve look
                reached 0 offline ["eve"]
        "#]],
    );
}

#[test]
fn a_backend_speaks_for_somebody_who_need_not_be_there_and_not_to_that_user() {
    check(
        "login ann quiet
         login bob quiet
         api broadcast robot hello
         api broadcast robot=Robby hello
         api broadcast ann hello
         api barrage ann hello
         api command ann all look
         api command robot ann,eve look",
        expect![[r#"
            > login ann quiet
                snapshot #0 of 1 users [-] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob quiet
                snapshot #0 of 2 users [-] streams [] own [] playing []
                event room_login bob First user_seq 2
            > api broadcast robot hello
                ann.1 #1: broadcast 1 of robot(): hello
                bob.1 #1: broadcast 1 of robot(): hello
            > api broadcast robot=Robby hello
                ann.1 #2: broadcast 2 of robot(Robby): hello
                bob.1 #2: broadcast 2 of robot(Robby): hello
            > api broadcast ann hello
                bob.1 #3: broadcast 3 of ann(ANN): hello
            > api barrage ann hello
                bob.1 unnumbered: barrage 1_1000000_4 of ann(ANN): hello
            > api command ann all look
                reached 1 offline []
                bob.1 #4: command of ann(ANN): look
            > api command robot ann,eve look
                reached 1 offline ["eve"]
                ann.1 #3: command of robot(): look
        "#]],
    );
}

#[test]
fn one_user_broadcasts_twice_and_a_room_ten_times_a_second() {
    check_with(
        RoomConfig { broadcasts_per_second_max: 3, ..RoomConfig::default() },
        "login ann quiet
         login bob quiet
         broadcast ann 1
         broadcast ann 2
         broadcast ann 3
         broadcast bob 1
         broadcast bob 2
         api broadcast ann 4
         at 1
         broadcast ann 5",
        expect![[r#"
            > login ann quiet
                snapshot #0 of 1 users [-] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob quiet
                snapshot #0 of 2 users [-] streams [] own [] playing []
                event room_login bob First user_seq 2
            > broadcast ann 1
                bob.1 #1: broadcast 1 of ann(ANN): 1
            > broadcast ann 2
                bob.1 #2: broadcast 2 of ann(ANN): 2
            > broadcast ann 3
                refused: one user may broadcast 2 messages a second
            > broadcast bob 1
                ann.1 #1: broadcast 3 of bob(BOB): 1
            > broadcast bob 2
                refused: a room's users may broadcast 3 messages a second
            > api broadcast ann 4
                bob.1 #3: broadcast 4 of ann(ANN): 4
            > at 1
            > broadcast ann 5
                bob.1 #4: broadcast 5 of ann(ANN): 5
        "#]],
    );
}

#[test]
fn barrage_and_commands_have_limits_of_their_own_and_the_backend_has_none() {
    check_with(
        RoomConfig {
            barrages_per_second_max: 1,
            commands_per_second_max: 2,
            wide_commands_per_second_max: 1,
            command_targets_max: 2,
            ..RoomConfig::default()
        },
        "login ann quiet
         login bob quiet
         barrage ann 1
         barrage bob 2
         command ann bob 1
         command bob ann 2
         command ann bob 3
         command ann all 4
         command ann bob,eve 5
         command ann bob,eve,dan 6
         api barrage robot 7
         api command robot bob 8",
        expect![[r#"
            > login ann quiet
                snapshot #0 of 1 users [-] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob quiet
                snapshot #0 of 2 users [-] streams [] own [] playing []
                event room_login bob First user_seq 2
            > barrage ann 1
                bob.1 unnumbered: barrage 2_1000000_1 of ann(ANN): 1
            > barrage bob 2
                refused: a room's users may send 1 barrage messages a second
            > command ann bob 1
                reached 1 offline []
                bob.1 #1: command of ann(ANN): 1
            > command bob ann 2
                reached 1 offline []
                ann.1 #1: command of bob(BOB): 2
            > command ann bob 3
                refused: a room's users may send 2 such commands a second
            > command ann all 4
                reached 1 offline []
                bob.1 #2: command of ann(ANN): 4
            > command ann bob,eve 5
                refused: a room's users may send 1 such commands a second
            > command ann bob,eve,dan 6
                refused: a command may name 2 users
            > api barrage robot 7
                ann.1 unnumbered: barrage 1_1000000_2 of robot(): 7
                bob.1 unnumbered: barrage 1_1000000_2 of robot(): 7
            > api command robot bob 8
                reached 1 offline []
                bob.1 #3: command of robot(): 8
        "#]],
    );
}

#[test]
fn a_message_that_was_missed_is_replayed_with_the_rest() {
    check(
        "login ann quiet
         login bob quiet
         drop bob
         broadcast ann hello
         command ann bob look
         resume bob from 0",
        expect![[r#"
            > login ann quiet
                snapshot #0 of 1 users [-] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob quiet
                snapshot #0 of 2 users [-] streams [] own [] playing []
                event room_login bob First user_seq 2
            > drop bob
            > broadcast ann hello
            > command ann bob look
                reached 1 offline []
            > resume bob from 0
                resumed
                bob.1 #1: broadcast 1 of ann(ANN): hello
                bob.1 #2: command of ann(ANN): look
        "#]],
    );
}

#[test]
fn messages_missed_beyond_the_replay_come_beside_the_snapshot() {
    check_with(
        RoomConfig { replay_messages_max: 2, ..RoomConfig::default() },
        "login ann
         login bob
         drop ann
         broadcast bob one
         login cat
         command bob ann two
         login dan
         resume ann from 1
         drop ann
         resume ann from 5",
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
            > broadcast bob one
            > login cat
                snapshot #0 of 3 users [ann bob] streams [] own [] playing []
                event room_login cat First user_seq 3
                bob.1 #1: users ADD cat
            > command bob ann two
                reached 1 offline []
            > login dan
                snapshot #0 of 4 users [ann bob cat] streams [] own [] playing []
                event room_login dan First user_seq 4
                bob.1 #2: users ADD dan
                cat.1 #1: users ADD dan
            > resume ann from 1
                snapshot #5 of 4 users [bob cat dan] streams [] own [] playing []
                missed #2: broadcast 1 of bob(BOB): one
                missed #4: command of bob(BOB): two
            > drop ann
            > resume ann from 5
                resumed
        "#]],
    );
}

#[test]
fn messages_missed_beyond_every_bound_are_counted() {
    check_with(
        RoomConfig { replay_messages_max: 1, missed_messages_max: 2, ..RoomConfig::default() },
        "login ann quiet
         login bob quiet
         drop ann
         api broadcast bob one
         api broadcast bob two
         api broadcast bob three
         api broadcast bob four
         api broadcast bob five
         resume ann from 0
         drop ann
         resume ann from 1
         heartbeat ann 5
         drop ann
         api broadcast bob six
         api broadcast bob seven
         resume ann from 5",
        expect![[r#"
            > login ann quiet
                snapshot #0 of 1 users [-] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob quiet
                snapshot #0 of 2 users [-] streams [] own [] playing []
                event room_login bob First user_seq 2
            > drop ann
            > api broadcast bob one
            > api broadcast bob two
            > api broadcast bob three
            > api broadcast bob four
            > api broadcast bob five
            > resume ann from 0
                snapshot #5 of 2 users [-] streams [] own [] playing []
                missed #3: broadcast 3 of bob(BOB): three
                missed #4: broadcast 4 of bob(BOB): four
                missed #5: broadcast 5 of bob(BOB): five
                lost 2
            > drop ann
            > resume ann from 1
                snapshot #5 of 2 users [-] streams [] own [] playing []
                missed #3: broadcast 3 of bob(BOB): three
                missed #4: broadcast 4 of bob(BOB): four
                missed #5: broadcast 5 of bob(BOB): five
                lost 1
            > heartbeat ann 5
            > drop ann
            > api broadcast bob six
            > api broadcast bob seven
            > resume ann from 5
                snapshot #7 of 2 users [-] streams [] own [] playing []
                missed #6: broadcast 6 of bob(BOB): six
                missed #7: broadcast 7 of bob(BOB): seven
        "#]],
    );
}

#[test]
fn a_session_that_has_ended_says_nothing() {
    check(
        "login ann quiet
         login bob quiet
         login ann quiet
         broadcast ann.1 hello
         barrage ann.1 hello
         command ann.1 all look
         room-info ann.1 k v
         stream-info ann.1 cam x",
        expect![[r#"
            > login ann quiet
                snapshot #0 of 1 users [-] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > login bob quiet
                snapshot #0 of 2 users [-] streams [] own [] playing []
                event room_login bob First user_seq 2
            > login ann quiet
                snapshot #0 of 2 users [-] streams [] own [] playing []
                ann.1 #1: kickout LoggedInElsewhere ""
                disconnect ann.1/1 SessionEnded
                event room_logout ann LoggedInElsewhere user_seq 3
                release ann.1
                event room_login ann Again user_seq 4
            > broadcast ann.1 hello
                refused: session ann.1 is not in the room
            > barrage ann.1 hello
                refused: session ann.1 is not in the room
            > command ann.1 all look
                refused: session ann.1 is not in the room
            > room-info ann.1 k v
                refused: session ann.1 is not in the room
            > stream-info ann.1 cam x
                refused: session ann.1 is not in the room
        "#]],
    );
}
