//! Rules and running streams: what is cut and given back, what is forbidden, who may not publish
//! (ruling 22).

use expect_test::expect;

use crate::script::check;

#[test]
fn a_stream_rule_cuts_a_running_stream_at_once_and_gives_it_back_when_it_ends() {
    check(
        "login ann
         publish ann cam
         connected ann cam
         rule cuts audio of cam for 30
         rule cuts audio of cam for 40
         rule cuts both of cam for 20
         at 19
         at 20
         rule cuts video of cam for 50
         rule gives back cam
         at 90",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > publish ann cam
            > connected ann cam
                event stream_create cam of ann New number 1 stream_seq 1 Some(Vp8)
                ann.1 #1: publisher cam Publishing
            > rule cuts audio of cam for 30
                cut Some(Audio) of ann.1>cam
            > rule cuts audio of cam for 40
            > rule cuts both of cam for 20
                cut Some(Both) of ann.1>cam
            > at 19
            > at 20
                cut None of ann.1>cam
            > rule cuts video of cam for 50
                cut Some(Video) of ann.1>cam
            > rule gives back cam
                cut None of ann.1>cam
            > at 90
        "#]],
    );
}

#[test]
fn a_stream_under_a_rule_begins_cut_also_with_another_transport() {
    check(
        "login ann
         rule cuts video of cam for 30
         publish ann cam
         connected ann cam
         publish ann cam
         at 30
         stop ann cam
         publish ann cam",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > rule cuts video of cam for 30
            > publish ann cam
                begins with Video cut
            > connected ann cam
                event stream_create cam of ann New number 1 stream_seq 1 Some(Vp8)
                ann.1 #1: publisher cam Publishing
            > publish ann cam
                begins with Video cut
                close peer ann.1>cam
            > at 30
                cut None of ann.1>cam
            > stop ann cam
                close peer ann.1>cam
                event stream_close cam of ann Stopped number 1 stream_seq 2 since 0
                release stream cam
            > publish ann cam
        "#]],
    );
}

#[test]
fn a_publication_that_ends_takes_its_cut_with_it() {
    check(
        "login ann
         publish ann cam
         rule cuts audio of cam for 30
         stop ann cam
         at 31",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > publish ann cam
            > rule cuts audio of cam for 30
                cut Some(Audio) of ann.1>cam
            > stop ann cam
                close peer ann.1>cam
                release stream cam
            > at 31
        "#]],
    );
}

#[test]
fn a_forbidden_stream_ends_for_everyone_and_cannot_come_back_before_it_is_resumed() {
    check(
        "login ann
         login bob
         publish ann cam
         connected ann cam
         play bob cam
         connected bob cam
         rule forbids cam
         publish ann cam
         play bob cam
         rule resumes cam
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
            > rule forbids cam
                close peer ann.1>cam
                close peer bob.1>cam
                bob.1 #3: player cam Ended(Forbidden)
                event stream_close cam of ann Forbidden number 1 stream_seq 2 since 0
                release stream cam
                bob.1 #4: streams DELETE Deleted cam(ann) stream_seq 2
                ann.1 #3: publisher cam Ended(Forbidden)
            > publish ann cam
                refused: stream cam is forbidden
            > play bob cam
                refused: stream cam is forbidden
            > rule resumes cam
            > publish ann cam
            > connected ann cam
                bob.1 #5: streams ADD cam(ann) stream_seq 3
                event stream_create cam of ann New number 2 stream_seq 3 Some(Vp8)
                ann.1 #4: publisher cam Publishing
        "#]],
    );
}

#[test]
fn a_user_who_may_not_publish_goes_on_with_what_runs() {
    check(
        "login ann
         publish ann cam
         connected ann cam
         rule bans ann for 30
         publish ann desk
         publish ann cam
         at 30
         publish ann desk",
        expect![[r#"
            > login ann
                snapshot #0 of 1 users [] streams [] own [] playing []
                event room_create by ann
                event room_login ann First user_seq 1
            > publish ann cam
            > connected ann cam
                event stream_create cam of ann New number 1 stream_seq 1 Some(Vp8)
                ann.1 #1: publisher cam Publishing
            > rule bans ann for 30
            > publish ann desk
                refused: user ann may not publish here
            > publish ann cam
                refused: user ann may not publish here
            > at 30
            > publish ann desk
        "#]],
    );
}
