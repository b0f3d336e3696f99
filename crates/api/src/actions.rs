//! One file per action, named as the contract names it: parameters, command, reply, codes, tests.

pub(crate) mod add_stream;
pub(crate) mod close_room;
pub(crate) mod del_forbid_stream_rule;
pub(crate) mod del_forbid_user_rule;
pub(crate) mod delete_stream;
pub(crate) mod describe_forbid_stream_rules;
pub(crate) mod describe_forbid_user_rules;
pub(crate) mod describe_rtc_stream_state;
pub(crate) mod describe_simple_stream_list;
pub(crate) mod describe_user_list;
pub(crate) mod describe_user_num;
pub(crate) mod describe_users;
pub(crate) mod forbid_rtc_stream;
pub(crate) mod forbid_rtc_streams;
pub(crate) mod kickout_user;
pub(crate) mod resume_rtc_stream;
pub(crate) mod resume_rtc_streams;
pub(crate) mod send_barrage_message;
pub(crate) mod send_broadcast_message;
pub(crate) mod send_custom_command;
pub(crate) mod set_forbid_stream_rule;
pub(crate) mod set_forbid_user_rule;
