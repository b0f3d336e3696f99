//! Why a request is refused: a status, a sentence, and the code that the SDK would have told.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use odeum_auth::client_code;
use odeum_node::{
    CommandError, IceRestartFailed, LoginFailed, OfferError, PlayFailed, PublishFailed,
};
use odeum_room::{PlayError, PublishError};
use serde::Serialize;

/// How long to wait before trying again, seconds, where trying again may help.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// Client codes (contract, client error codes) beside those about tokens.
const LOGIN_FORBIDDEN: u32 = 1_002_066;
const PUBLISH_STOPPED: u32 = 1_003_025;
const STREAM_EXISTS: u32 = 1_003_028;
const STREAM_UNKNOWN: u32 = 1_004_002;
const PLAY_INTERRUPTED: u32 = 1_004_020;
const PLAY_STOPPED: u32 = 1_004_025;

/// A request that is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: Option<u32>,
    detail: String,
}

/// The body of a refusal (RFC 9457).
#[derive(Serialize)]
struct Problem<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
    /// The client code of the contract, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u32>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, detail: impl ToString) -> Self {
        Self { status, code: None, detail: detail.to_string() }
    }

    pub(crate) fn with_code(self, code: u32) -> Self {
        Self { code: Some(code), ..self }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let problem = Problem {
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
        };
        let text = serde_json::to_string(&problem).unwrap_or_default();
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, kind, text).into_response();
        let headers = response.headers_mut();
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS);
            }
            _ => {}
        }
        response
    }
}

impl From<CommandError> for Refusal {
    fn from(error: CommandError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error)
    }
}

impl From<LoginFailed> for Refusal {
    fn from(failed: LoginFailed) -> Self {
        match failed {
            LoginFailed::Command(error) => error.into(),
            LoginFailed::Forbidden(_) => {
                Self::new(StatusCode::FORBIDDEN, failed).with_code(LOGIN_FORBIDDEN)
            }
            LoginFailed::NoApp(_) => Self::new(StatusCode::NOT_FOUND, failed),
            LoginFailed::Overtaken(_) => Self::new(StatusCode::CONFLICT, failed),
            LoginFailed::Room(_)
            | LoginFailed::TooManyRooms { .. }
            | LoginFailed::TooManyUsers { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, failed)
            }
        }
    }
}

impl From<PublishFailed> for Refusal {
    fn from(failed: PublishFailed) -> Self {
        match failed {
            PublishFailed::Command(error) => error.into(),
            PublishFailed::Offer(error) => error.into(),
            PublishFailed::Room(error) => match error {
                PublishError::StreamTaken(_) => {
                    Self::new(StatusCode::CONFLICT, error).with_code(STREAM_EXISTS)
                }
                PublishError::UserForbidden(_) | PublishError::StreamForbidden(_) => {
                    Self::new(StatusCode::FORBIDDEN, error).with_code(PUBLISH_STOPPED)
                }
                PublishError::NoSession(_) | PublishError::TooManyStreams { .. } => {
                    Self::new(StatusCode::CONFLICT, error)
                }
            },
        }
    }
}

impl From<PlayFailed> for Refusal {
    fn from(failed: PlayFailed) -> Self {
        match failed {
            PlayFailed::Command(error) => error.into(),
            PlayFailed::Offer(error) => error.into(),
            PlayFailed::Room(error) => match error {
                PlayError::NoStream(_) => {
                    Self::new(StatusCode::NOT_FOUND, error).with_code(STREAM_UNKNOWN)
                }
                PlayError::PublisherInterrupted(_) => {
                    Self::new(StatusCode::SERVICE_UNAVAILABLE, error).with_code(PLAY_INTERRUPTED)
                }
                PlayError::StreamForbidden(_) => {
                    Self::new(StatusCode::FORBIDDEN, error).with_code(PLAY_STOPPED)
                }
                PlayError::NoSession(_) | PlayError::TooManyPlays { .. } => {
                    Self::new(StatusCode::CONFLICT, error)
                }
            },
        }
    }
}

impl From<IceRestartFailed> for Refusal {
    fn from(failed: IceRestartFailed) -> Self {
        match failed {
            IceRestartFailed::Command(error) => error.into(),
            // The stream or the play has just ended, and the session ends with it.
            IceRestartFailed::NotPublishing(_)
            | IceRestartFailed::NotPlaying(_)
            | IceRestartFailed::NoTransport(_) => Self::new(StatusCode::NOT_FOUND, failed),
        }
    }
}

impl From<OfferError> for Refusal {
    fn from(error: OfferError) -> Self {
        let status = match error {
            OfferError::Sdp(_) => StatusCode::BAD_REQUEST,
            OfferError::NothingInCommon | OfferError::NothingTaken { .. } => {
                StatusCode::NOT_ACCEPTABLE
            }
            OfferError::PeersMax { .. } | OfferError::SubscribersMax { .. } => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            // The publisher went between the room's word and the media plane's.
            OfferError::NoPublisher { .. } => StatusCode::NOT_FOUND,
            OfferError::Panicked | OfferError::PeerExists { .. } => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Self::new(status, error)
    }
}

impl From<odeum_auth::TokenError> for Refusal {
    fn from(error: odeum_auth::TokenError) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, error).with_code(error.client_code())
    }
}

/// The token gives no right to publish this stream.
pub(crate) fn may_not_publish() -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, "the token does not allow to publish this stream")
        .with_code(client_code::PUBLISH_REFUSED)
}
