//! The Server API over HTTP: what a backend asks of rooms with signed requests to `/`.
//!
//! - [`router`] serves it; [`ApiState`] is what it needs.
//! - `gateway`: the checks before every action, in the contract's order; `replay`: a request acts
//!   once; `rate_limit`: how often; `answer`: the way through all of them.
//! - `actions`: one file per action: its declaration, its command, its reply, its codes; `ACTIONS`,
//!   in this file, is the table of all.
//! - `openapi`: the same declarations as OpenAPI documents, served beside `/`.
//! - `parameter`, `parameters`: what an action declares that it reads, and the reading.
//!
//! The invariant: an action runs only for a request that is authentic, in time, inside its app's
//! limits and not answered before; and every reply to a request that reached the gateway is HTTP
//! 200 with a `Code` of the table in `odeum_proto::return_code`.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use odeum_api::{ApiState, StreamHistory, router};
//! use odeum_auth::Apps;
//! use odeum_node::NodeHandle;
//!
//! async fn serve(node: NodeHandle, apps: Apps) -> std::io::Result<()> {
//!     let clock = node.clone();
//!     let state = ApiState::new(
//!         node,
//!         apps,
//!         Arc::new(move || clock.now()),
//!         StreamHistory::none(),
//!     );
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
mod openapi;
mod parameter;
mod parameters;
mod query;
mod rate_limit;
mod refusal;
mod replay;
mod request_id;
mod scalar;
mod statistics;
mod stream_control;
mod stream_history;
mod user_rule;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get};
use odeum_auth::Apps;
use odeum_node::NodeHandle;
use odeum_proto::return_code::{Group, ReturnCode};
use odeum_types::UnixMillis;
use schemars::{JsonSchema, Schema};

use call::{Answer, Call};
use failures::FailureLog;
use parameter::Parameter;
use rate_limit::{Limits, RateLimiter};
use refusal::Refusal;
use replay::NonceStore;
use request_id::RequestIds;
pub use statistics::ApiStatistics;
pub use stream_history::StreamHistory;

/// The Server API at `/`. A `ConnectInfo<SocketAddr>` among a request's extensions tells failed
/// authentications of different sources apart; without it they count as one source.
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/", any(http::serve))
        .with_state(state)
        .route("/openapi.json", get(openapi::serve_index))
        .route("/openapi/{file}", get(openapi::serve_action))
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
    /// Streams that have closed.
    stream_history: StreamHistory,
    /// What happened so far.
    counters: statistics::Counters,
}

impl ApiState {
    /// A Server API over the rooms of `node` for the apps of `apps`; `stream_history` knows the
    /// streams that have closed.
    pub fn new(node: NodeHandle, apps: Apps, clock: Clock, stream_history: StreamHistory) -> Self {
        Self(Arc::new(Shared {
            node,
            apps,
            clock,
            request_ids: RequestIds::new(rand::random()),
            nonces: Arc::default(),
            limiter: RateLimiter::default(),
            failures: FailureLog::default(),
            stream_history,
            counters: statistics::Counters::default(),
        }))
    }

    /// What happened so far, for metrics.
    pub fn statistics(&self) -> ApiStatistics {
        self.0.counters.snapshot()
    }
}

/// An action as its own file declares it.
#[derive(Debug)]
pub(crate) struct Action {
    /// The contract's name.
    pub(crate) name: &'static str,
    /// Whose codes it answers with, and which service it belongs to.
    pub(crate) group: Group,
    /// How often it may be called.
    pub(crate) limits: Limits,
    /// What it does, as a sentence.
    pub(crate) summary: &'static str,
    /// What it reads.
    pub(crate) parameters: &'static [Parameter],
    /// The shape of its `Data`, if it has any.
    pub(crate) data: Option<fn() -> Schema>,
    /// Its own codes, beside those of the gateway, of its parameters and of its rate limit.
    pub(crate) codes: &'static [ReturnCode],
    /// Answers it.
    pub(crate) run: Run,
}

/// Answers a call.
pub(crate) type Run = fn(Call) -> Running;

/// An answer on its way.
pub(crate) type Running = Pin<Box<dyn Future<Output = Result<Answer, Refusal>> + Send>>;

/// Every action of this version.
pub(crate) static ACTIONS: &[Action] = &[
    actions::add_stream::ACTION,
    actions::close_room::ACTION,
    actions::del_forbid_stream_rule::ACTION,
    actions::del_forbid_user_rule::ACTION,
    actions::delete_stream::ACTION,
    actions::describe_forbid_stream_rules::ACTION,
    actions::describe_forbid_user_rules::ACTION,
    actions::describe_rtc_stream_state::ACTION,
    actions::describe_simple_stream_list::ACTION,
    actions::describe_user_list::ACTION,
    actions::describe_user_num::ACTION,
    actions::describe_users::ACTION,
    actions::forbid_rtc_stream::ACTION,
    actions::forbid_rtc_streams::ACTION,
    actions::kickout_user::ACTION,
    actions::resume_rtc_stream::ACTION,
    actions::resume_rtc_streams::ACTION,
    actions::send_barrage_message::ACTION,
    actions::send_broadcast_message::ACTION,
    actions::send_custom_command::ACTION,
    actions::set_forbid_stream_rule::ACTION,
    actions::set_forbid_user_rule::ACTION,
];

/// The names of the actions that this version answers.
pub fn action_names() -> impl Iterator<Item = &'static str> {
    ACTIONS.iter().map(|action| action.name)
}

/// The JSON Schema of an action's `Data`.
pub(crate) fn schema<T: JsonSchema>() -> Schema {
    schemars::generate::SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<T>()
}

#[cfg(test)]
impl Action {
    /// The action's parameters in a request of app 7 in production.
    pub(crate) fn parameters<'a>(
        &self,
        fields: &'a query::Fields,
    ) -> Result<parameters::Parameters<'a>, Refusal> {
        let app = odeum_types::AppId(7);
        parameters::Parameters::new(fields, self.parameters, app, rate_limit::Column::Production)
    }
}

/// Actions of the contract that this version does not have; they are refused by name.
pub(crate) const NOT_IN_THIS_VERSION: &[&str] = &[
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
    "ForbidCDNLiveStream",
    "QueryForbidCDNLiveStream",
    "ResumeCDNLiveStream",
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
