//! The Server API's replies, in the contract's spelling and order of keys.
//!
//! Requests have no shapes here: they are texts in a query or values in a JSON body, and become
//! domain types at the edge, in one file per action.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `Message` of a call that succeeded.
pub const SUCCESS: &str = "success";

/// The role of every user: audience in the contract's numbering (ruling 21).
pub const USER_ROLE: u32 = 2;

/// A reply. The keys stand in this order (ruling 3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Reply<D> {
    /// 0, or a return code.
    pub code: u32,
    /// `success`, or a sentence that names what is at fault.
    pub message: String,
    /// Decimal digits, unique; on every log line of the request.
    pub request_id: String,
    /// The action's payload, on success, if it has one.
    #[serde(skip_serializing_if = "Option::is_none", default = "Option::default")]
    pub data: Option<D>,
}

/// `Data` of an action that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoData {}

/// `Data` of SendBroadcastMessage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct BroadcastSent {
    /// Unique in the room's life.
    pub message_id: u64,
}

/// `Data` of SendBarrageMessage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct BarrageSent {
    /// Unique in the room's life: category, Unix milliseconds and a number, joined by `_`.
    pub message_id: String,
}

/// `Data` of SendCustomCommand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct CommandSent {
    /// Targets who did not get it.
    pub fail_users: Vec<FailedUser>,
}

/// A target who did not get a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct FailedUser {
    /// Who.
    pub uid: String,
    /// Why, as a return code: 50003, not in the room.
    pub code: u32,
}

/// `Data` of DescribeSimpleStreamList.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SimpleStreamList {
    /// The room's streams, oldest first.
    pub stream_list: Vec<SimpleStream>,
}

/// A stream of a room's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SimpleStream {
    /// Its id.
    pub stream_id: String,
    /// Who publishes it, or for whom it was added.
    pub user_id: String,
    /// That user's name.
    pub user_name: String,
    /// When it came into the list, Unix milliseconds.
    pub create_time: u64,
    /// Its number in the room, from 1.
    pub stream_number_id: u32,
}

/// `Data` of DescribeUserList.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct UserList {
    /// What to ask with for the next page; empty at the end.
    pub marker: String,
    /// One page of the room's users.
    pub user_list: Vec<ListedUser>,
}

/// A user of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ListedUser {
    /// Its id.
    pub user_id: String,
    /// Its name; may be empty.
    pub user_name: String,
    /// [`USER_ROLE`].
    pub user_role: u32,
}

/// `Data` of DescribeUserNum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct UserCounts {
    /// One per room asked for, in that order.
    pub user_count_list: Vec<UserCount>,
}

/// How many users a room has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct UserCount {
    /// The room.
    pub room_id: String,
    /// Its users; 0 for a room that does not exist.
    pub user_count: u32,
    /// Users in it that clients do not see: none in this version.
    pub admin_user_count: u32,
}

/// `Data` of DescribeUsers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct UserStatuses {
    /// One per user asked for, in that order.
    pub user_status_list: Vec<UserStatus>,
}

/// Whether a user is in the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct UserStatus {
    /// The user.
    pub user_id: String,
    /// 1 in the room, 0 not.
    pub status: u32,
    /// When it logged in, Unix milliseconds; 0 when it is not there.
    pub login_time: u64,
    /// [`USER_ROLE`].
    pub user_role: u32,
}

/// `Data` of an action that has it and nothing in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoFields {}

/// `Data` of SetForbidUserRule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct RuleExpiry {
    /// When the rule ends, Unix seconds.
    pub expire_time: u64,
}

/// `Data` of DescribeForbidUserRules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ForbidUserRules {
    /// The rules of the kind asked for.
    pub rule_list: Vec<ForbidUserRule>,
}

/// A user rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ForbidUserRule {
    /// 1 by IP, 2 by room, 3 by user, 4 by room and user.
    pub rule_type: u32,
    /// The address; empty for the other kinds.
    #[serde(rename = "IP")]
    pub ip: String,
    /// The room; empty for kinds without one.
    pub room_id: String,
    /// The user; empty for kinds without one.
    pub user_id: String,
    /// 1 log in, 2 publish.
    pub disabled_privilege_list: Vec<u32>,
    /// When it ends, Unix seconds.
    pub expire_time: u64,
}

/// `Data` of DescribeForbidStreamRules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ForbidStreamRules {
    /// The room asked for.
    pub room_id: String,
    /// One per stream asked for, in that order.
    pub forbid_stream_rule_list: Vec<ForbidStreamRule>,
}

/// A stream rule; all zero for a stream without one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ForbidStreamRule {
    /// The stream.
    pub stream_id: String,
    /// 1 when audio is cut.
    pub disable_audio: u32,
    /// 1 when video is cut.
    pub disable_video: u32,
    /// When it was set, Unix seconds.
    pub create_time: u64,
    /// When it ends, Unix seconds (ruling 22).
    pub effective_time: u64,
}

impl ForbidStreamRule {
    /// The row of a stream without a rule.
    pub fn none(stream_id: String) -> Self {
        Self { stream_id, disable_audio: 0, disable_video: 0, create_time: 0, effective_time: 0 }
    }
}

/// `Data` of DescribeRTCStreamState; its keys are the contract's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StreamState {
    /// When it came, Unix seconds.
    pub create_time: String,
    /// When it closed, Unix seconds; empty while it is live.
    pub close_time: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_in_the_order_of_the_contract() {
        let reply = Reply {
            code: 0,
            message: SUCCESS.to_owned(),
            request_id: "7".to_owned(),
            data: Some(SimpleStreamList { stream_list: vec![] }),
        };
        assert_eq!(
            serde_json::to_string(&reply).unwrap(),
            r#"{"Code":0,"Message":"success","RequestId":"7","Data":{"StreamList":[]}}"#
        );
    }

    #[test]
    fn a_refusal_has_no_data() {
        let reply = Reply::<NoData> {
            code: 104,
            message: "there is no room r".to_owned(),
            request_id: "8".to_owned(),
            data: None,
        };
        assert_eq!(
            serde_json::to_string(&reply).unwrap(),
            r#"{"Code":104,"Message":"there is no room r","RequestId":"8"}"#
        );
    }
}
