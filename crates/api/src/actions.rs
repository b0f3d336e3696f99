//! One file per action, named as the contract names it: parameters, command, reply, codes, tests.

pub(crate) mod add_stream;
pub(crate) mod close_room;
pub(crate) mod delete_stream;
pub(crate) mod describe_simple_stream_list;
pub(crate) mod describe_user_list;
pub(crate) mod describe_user_num;
pub(crate) mod describe_users;
pub(crate) mod kickout_user;
