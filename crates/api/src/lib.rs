//! The Server API over HTTP: what a backend asks of rooms with signed requests to `/`.
//!
//! - [`router`] serves it; [`ApiState`] is what it needs.
//! - `gateway`: the checks before every action, in the contract's order; `replay`: a request acts
//!   once; `rate_limit`: how often; `answer`: the way through all of them.
//! - `actions`: one file per action: its parameters, its command, its reply, its codes.
//! - `ACTIONS`, in this file: the table of all actions.
//!
//! The invariant: an action runs only for a request that is authentic, in time, inside its app's
//! limits and not answered before; and every reply to a request that reached the gateway is HTTP
//! 200 with a `Code` of the table in `odeum_proto::return_code`.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use odeum_api::{ApiState, router};
//! use odeum_auth::Apps;
//! use odeum_node::NodeHandle;
//!
//! async fn serve(node: NodeHandle, apps: Apps) -> std::io::Result<()> {
//!     let clock = node.clone();
//!     let state = ApiState::new(node, apps, Arc::new(move || clock.now()));
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:7880").await?;
//!     axum::serve(listener, router(state)).await
//! }
//! ```

mod actions;
mod answer;
mod call;
mod failures;
mod gateway;
mod http;
mod parameters;
mod query;
mod rate_limit;
mod refusal;
mod replay;
mod request_id;
mod statistics;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use odeum_auth::Apps;
use odeum_node::NodeHandle;
use odeum_proto::return_code::Group;
use odeum_types::UnixMillis;

use call::{Answer, Call};
use failures::FailureLog;
use rate_limit::{Limits, RateLimiter, RoomLimit};
use refusal::Refusal;
use replay::NonceStore;
use request_id::RequestIds;
pub use statistics::ApiStatistics;

/// The Server API at `/`. A `ConnectInfo<SocketAddr>` among a request's extensions tells failed
/// authentications of different sources apart; without it they count as one source.
pub fn router(state: ApiState) -> Router {
    Router::new().route("/", any(http::serve)).with_state(state)
}

/// Tells the time: the system's in the server, a test's own in tests.
pub type Clock = Arc<dyn Fn() -> UnixMillis + Send + Sync>;

/// What the Server API works with. Clones share everything.
#[derive(Clone)]
pub struct ApiState(Arc<Shared>);

struct Shared {
    /// The rooms.
    node: NodeHandle,
    /// The apps; a reload replaces them behind this handle.
    apps: Apps,
    /// The time.
    clock: Clock,
    /// Numbers requests.
    request_ids: RequestIds,
    /// Requests that were answered.
    nonces: Arc<NonceStore>,
    /// Requests that were counted.
    limiter: RateLimiter,
    /// Which failures were logged.
    failures: FailureLog,
    /// What happened so far.
    counters: statistics::Counters,
}

impl ApiState {
    /// A Server API over the rooms of `node` for the apps of `apps`.
    pub fn new(node: NodeHandle, apps: Apps, clock: Clock) -> Self {
        Self(Arc::new(Shared {
            node,
            apps,
            clock,
            request_ids: RequestIds::new(rand::random()),
            nonces: Arc::default(),
            limiter: RateLimiter::default(),
            failures: FailureLog::default(),
            counters: statistics::Counters::default(),
        }))
    }

    /// What happened so far, for metrics.
    pub fn statistics(&self) -> ApiStatistics {
        self.0.counters.snapshot()
    }
}

/// An action: all that stands about it outside its own file.
#[derive(Debug)]
pub(crate) struct Action {
    /// The contract's name.
    pub(crate) name: &'static str,
    /// Whose codes it answers with, and which service it belongs to.
    pub(crate) group: Group,
    /// How often it may be called.
    pub(crate) limits: Limits,
    /// Answers it.
    pub(crate) run: Run,
}

/// Answers a call.
pub(crate) type Run = fn(Call) -> Running;

/// An answer on its way.
pub(crate) type Running = Pin<Box<dyn Future<Output = Result<Answer, Refusal>> + Send>>;

/// Every action of this version.
pub(crate) const ACTIONS: &[Action] = &[
    Action {
        name: "AddStream",
        group: Group::Room,
        limits: per_second(10, Some(1)),
        run: |call| Box::pin(actions::add_stream::answer(call)),
    },
    Action {
        name: "CloseRoom",
        group: Group::Room,
        limits: per_second(1, Some(1)),
        run: |call| Box::pin(actions::close_room::answer(call)),
    },
    Action {
        name: "DeleteStream",
        group: Group::Room,
        limits: per_second(10, Some(1)),
        run: |call| Box::pin(actions::delete_stream::answer(call)),
    },
    Action {
        name: "DescribeSimpleStreamList",
        group: Group::Room,
        limits: and_per_room(per_second(50, None), 1, Duration::from_secs(10)),
        run: |call| Box::pin(actions::describe_simple_stream_list::answer(call)),
    },
    Action {
        name: "DescribeUserList",
        group: Group::Room,
        limits: and_per_room(per_second(200, None), 1, Duration::from_secs(1)),
        run: |call| Box::pin(actions::describe_user_list::answer(call)),
    },
    Action {
        name: "DescribeUserNum",
        group: Group::Room,
        limits: per_second(10, Some(1)),
        run: |call| Box::pin(actions::describe_user_num::answer(call)),
    },
    Action {
        name: "DescribeUsers",
        group: Group::Room,
        limits: per_second(10, None),
        run: |call| Box::pin(actions::describe_users::answer(call)),
    },
    Action {
        name: "KickoutUser",
        group: Group::Room,
        limits: per_second(50, None),
        run: |call| Box::pin(actions::kickout_user::answer(call)),
    },
];

/// The names of the actions that this version answers.
pub fn action_names() -> impl Iterator<Item = &'static str> {
    ACTIONS.iter().map(|action| action.name)
}

/// Actions of the contract that this version does not have; they are refused by name.
pub(crate) const NOT_IN_THIS_VERSION: &[&str] = &[
    "SendBarrageMessage",
    "SendBroadcastMessage",
    "SendCustomCommand",
    "DelForbidUserRule",
    "DescribeForbidUserRules",
    "SetForbidUserRule",
    "DelForbidStreamRule",
    "DescribeForbidStreamRules",
    "SetForbidStreamRule",
    "GetMixTaskInfo",
    "StartAutoMix",
    "StartCloudTranscode",
    "StartMix",
    "StopAutoMix",
    "StopCloudTranscode",
    "StopMix",
    "ClearCDNTransferRule",
    "CreatCDNTransferRule",
    "DeleteCDNTransferRule",
    "DescribeRTCStreamState",
    "ForbidCDNLiveStream",
    "ForbidRTCStream",
    "ForbidRTCStreams",
    "QueryForbidCDNLiveStream",
    "ResumeCDNLiveStream",
    "ResumeRTCStream",
    "ResumeRTCStreams",
    "RTMPDispatchV2",
    "DeleteMedia",
    "DescribeMediaTask",
    "MediaThumbnails",
    "MergeMedia",
    "SearchMedia",
    "StartCDNRecord",
    "TranscodeMedia",
    "StopCDNRecord",
    "GenerateIdentifyToken",
    "StartCensorAudioV2",
    "StartCensorVideoV2",
    "StopCensorAudioV2",
    "StopCensorVideoV2",
    "SetSceneTemplate",
    "DescribeRecordStatus",
    "DescribeTasks",
    "PauseRecord",
    "ResumeRecord",
    "StartRecord",
    "StopRecord",
    "TakeSnapshot",
    "UpdateLayout",
    "UpdateWhiteboard",
];

const fn per_second(per_second: u32, per_second_test: Option<u32>) -> Limits {
    Limits { per_second, per_second_test, per_room: None }
}

const fn and_per_room(limits: Limits, count: u32, window: Duration) -> Limits {
    Limits { per_room: Some(RoomLimit { count, window }), ..limits }
}
