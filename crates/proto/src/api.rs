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
