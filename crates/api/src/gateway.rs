//! The checks before every action, in the order of ruling 4: the first that fails is the answer.
//!
//! Each check is a small function of the request and what is known; the caller acts. Checks after
//! the signature stand in [`crate::answer`].

use std::sync::Arc;

use odeum_auth::{AppCredentials, Apps, Environment, Service};
use odeum_proto::return_code::{Group, ReturnCode, gateway, media_service, room};
use odeum_types::{AppId, UnixMillis};

use crate::query::{Fields, Once};
use crate::rate_limit::Column;
use crate::refusal::Refusal;
use crate::scalar::parse_flag;
use crate::{ACTIONS, Action, NOT_IN_THIS_VERSION};

/// How far a Timestamp may be off the server's clock, in seconds.
pub(crate) const TIMESTAMP_OFF_SECONDS_MAX: u64 = 600;

/// Longest SignatureNonce, in characters.
const NONCE_CHARACTERS_MAX: usize = 64;

/// Longest Action that is repeated in a message, in characters.
const ACTION_SHOWN_MAX: usize = 64;

/// A request whose sender knows the app's secret.
#[derive(Debug)]
pub(crate) struct Authentic<'a> {
    /// The app.
    pub(crate) app: AppId,
    /// What is known of it.
    pub(crate) credentials: Arc<AppCredentials>,
    /// The request's nonce.
    pub(crate) nonce: &'a str,
    /// When the request's Timestamp leaves the window.
    pub(crate) ends_at: UnixMillis,
}

/// Checks the app, the time and the signature.
///
/// # Errors
/// A [`Refusal`] with a gateway code: what the request lacks, or that it is not authentic.
pub(crate) fn authenticate<'a>(
    fields: &'a Fields,
    apps: &Apps,
    now: UnixMillis,
) -> Result<Authentic<'a>, Refusal> {
    let app = app_id(fields)?;
    let timestamp = timestamp(fields)?;
    let nonce = nonce(fields)?;
    let signature = signature(fields)?;
    signature_version(fields)?;
    let credentials = apps.get(app).ok_or_else(|| {
        Refusal::new(gateway::APP_UNKNOWN, format!("there is no app with AppId {app}"))
    })?;
    let ends_at = window_end(timestamp, now)?;
    if !credentials.check_signature(app, nonce, timestamp, signature) {
        return Err(Refusal::new(gateway::SIGNATURE_WRONG, "Signature is wrong"));
    }
    Ok(Authentic { app, credentials, nonce, ends_at })
}

/// Whether a refusal of [`authenticate`] may be somebody trying: it is counted and logged.
pub(crate) fn is_failed_authentication(refusal: &Refusal) -> bool {
    [gateway::APP_UNKNOWN, gateway::TIMESTAMP_OUTSIDE_WINDOW, gateway::SIGNATURE_WRONG]
        .contains(&refusal.code)
}

fn app_id(fields: &Fields) -> Result<AppId, Refusal> {
    let id = match fields.common("AppId") {
        Once::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        Once::Text(_) | Once::Missing | Once::Many => None,
    };
    id.map(AppId).ok_or_else(|| {
        Refusal::new(gateway::APP_ID_MALFORMED, "AppId is missing or not an unsigned 32-bit number")
    })
}

fn timestamp(fields: &Fields) -> Result<i64, Refusal> {
    let malformed =
        || Refusal::new(gateway::TIMESTAMP_MALFORMED, "Timestamp is not a whole number of seconds");
    match fields.common("Timestamp") {
        Once::Missing => Err(Refusal::new(gateway::TIMESTAMP_MISSING, "Timestamp is missing")),
        Once::Text(text) => text.parse().map_err(|_| malformed()),
        Once::Many => Err(malformed()),
    }
}

fn nonce(fields: &Fields) -> Result<&str, Refusal> {
    match fields.common("SignatureNonce") {
        Once::Text(text)
            if text.chars().count() <= NONCE_CHARACTERS_MAX && !text.contains(char::is_control) =>
        {
            Ok(text)
        }
        Once::Text(_) | Once::Missing | Once::Many => Err(Refusal::new(
            gateway::NONCE_MISSING,
            "SignatureNonce is missing or not 1 to 64 printable characters",
        )),
    }
}

fn signature(fields: &Fields) -> Result<&str, Refusal> {
    match fields.common("Signature") {
        Once::Text(text) => Ok(text),
        Once::Missing | Once::Many => Err(Refusal::new(
            gateway::SIGNATURE_MISSING,
            "Signature is missing or given more than once",
        )),
    }
}

fn signature_version(fields: &Fields) -> Result<(), Refusal> {
    match fields.common("SignatureVersion") {
        Once::Text("2.0") => Ok(()),
        Once::Missing => {
            Err(Refusal::new(gateway::SIGNATURE_VERSION_MISSING, "SignatureVersion is missing"))
        }
        Once::Text(_) | Once::Many => {
            Err(Refusal::new(gateway::SIGNATURE_VERSION_UNKNOWN, "SignatureVersion is not 2.0"))
        }
    }
}

/// The moment after which a request of this time is refused. Milliseconds lie far outside.
fn window_end(timestamp: i64, now: UnixMillis) -> Result<UnixMillis, Refusal> {
    let seconds = u64::try_from(timestamp).ok();
    let seconds = seconds.filter(|at| at.abs_diff(now.seconds()) <= TIMESTAMP_OFF_SECONDS_MAX);
    let seconds = seconds.ok_or_else(|| {
        let message = format!(
            "Timestamp is more than {TIMESTAMP_OFF_SECONDS_MAX} seconds off the server's clock"
        );
        Refusal::new(gateway::TIMESTAMP_OUTSIDE_WINDOW, message)
    })?;
    // The whole of the last second counts.
    Ok(UnixMillis((seconds + TIMESTAMP_OFF_SECONDS_MAX) * 1000 + 999))
}

/// The action that the request names.
///
/// # Errors
/// Code 100000006 without one, 100000007 for one that is not there.
pub(crate) fn action(fields: &Fields) -> Result<&'static Action, Refusal> {
    let name = match fields.common("Action") {
        Once::Text(name) => name,
        Once::Missing => return Err(Refusal::new(gateway::ACTION_MISSING, "Action is missing")),
        Once::Many => {
            let message = "Action is given more than once";
            return Err(Refusal::new(gateway::ACTION_UNKNOWN, message));
        }
    };
    if let Some(action) = ACTIONS.iter().find(|action| action.name == name) {
        return Ok(action);
    }
    let message = if NOT_IN_THIS_VERSION.contains(&name) {
        format!("Action {name} is not available in this version")
    } else {
        let shown: String = name.chars().take(ACTION_SHOWN_MAX).collect();
        format!("there is no Action {shown:?}")
    };
    Err(Refusal::new(gateway::ACTION_UNKNOWN, message))
}

/// The rate column that the request falls under (ruling 6).
///
/// # Errors
/// When IsTest is neither true nor false: code 2, in the media service 30004. 100000016 when the
/// app does not have that environment.
pub(crate) fn environment(
    fields: &Fields,
    own: Environment,
    group: Group,
) -> Result<Column, Refusal> {
    let asked = match fields.common("IsTest") {
        Once::Missing => None,
        Once::Text(text) => Some(parse_flag(text)),
        Once::Many => Some(None),
    };
    let asked = match asked {
        None => None,
        Some(Some(true)) => Some(Column::Test),
        Some(Some(false)) => Some(Column::Production),
        Some(None) => {
            return Err(Refusal::new(is_test_code(group), "IsTest is neither true nor false"));
        }
    };
    match (own, asked) {
        (Environment::Production | Environment::Any, None) => Ok(Column::Production),
        (Environment::Test, None) => Ok(Column::Test),
        (Environment::Any, Some(column)) => Ok(column),
        (Environment::Production, Some(Column::Production)) => Ok(Column::Production),
        (Environment::Test, Some(Column::Test)) => Ok(Column::Test),
        (Environment::Production, Some(Column::Test)) => {
            Err(Refusal::new(gateway::WRONG_ENVIRONMENT, "the app has no test environment"))
        }
        (Environment::Test, Some(Column::Production)) => {
            Err(Refusal::new(gateway::WRONG_ENVIRONMENT, "the app has no production environment"))
        }
    }
}

/// The code for an IsTest that says nothing.
pub(crate) fn is_test_code(group: Group) -> ReturnCode {
    match group {
        Group::MediaService => media_service::IS_TEST_BAD,
        Group::Gateway
        | Group::Room
        | Group::MediaFile
        | Group::Mix
        | Group::Moderation
        | Group::Recording
        | Group::Scene
        | Group::Client => room::PARAMETER_BAD,
    }
}

/// The code for too many calls of an action for the AppId (ruling 7).
pub(crate) fn rate_limit_code(group: Group) -> ReturnCode {
    match group {
        Group::MediaService => media_service::RATE_LIMIT,
        Group::Gateway
        | Group::Room
        | Group::MediaFile
        | Group::Mix
        | Group::Moderation
        | Group::Recording
        | Group::Scene
        | Group::Client => room::APP_RATE_LIMIT,
    }
}

/// Whether the app may call actions of this group.
///
/// # Errors
/// Code 100000017.
pub(crate) fn service(credentials: &AppCredentials, action: &Action) -> Result<(), Refusal> {
    let service = match action.group {
        Group::Gateway | Group::Room | Group::Scene | Group::Client => Service::Room,
        Group::MediaService => Service::Media,
        Group::Mix => Service::Mix,
        Group::MediaFile | Group::Recording => Service::Record,
        Group::Moderation => Service::Moderation,
    };
    if credentials.services.contains(service) {
        return Ok(());
    }
    let message = format!("the app may not call {}: its service is not enabled", action.name);
    Err(Refusal::new(gateway::SERVICE_NOT_ENABLED, message))
}

#[cfg(test)]
mod tests {
    use odeum_auth::{ServerSecret, Services, server_api};

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn apps() -> Apps {
        let secret = ServerSecret::parse(SECRET).unwrap();
        Apps::new([(AppId(7), AppCredentials::new(vec![secret]).unwrap())])
    }

    fn check(query: &str) -> u32 {
        match authenticate(&Fields::parse(query, None), &apps(), NOW) {
            Ok(authentic) => {
                assert_eq!(authentic.app, AppId(7));
                0
            }
            Err(refusal) => {
                assert!(!refusal.message.contains(SECRET), "{}", refusal.message);
                refusal.code.number
            }
        }
    }

    fn signed(timestamp: i64, nonce: &str) -> String {
        let signature = server_api::make(AppId(7), nonce, SECRET.as_bytes(), timestamp);
        format!(
            "AppId=7&Timestamp={timestamp}&SignatureNonce={nonce}&Signature={signature}\
             &SignatureVersion=2.0"
        )
    }

    #[test]
    fn faults_are_told_one_by_one_in_their_order() {
        let right = server_api::make(AppId(7), "n", SECRET.as_bytes(), 1_700_000_000);
        let mut fields = vec![
            ("AppId", "-7".to_owned()),
            ("Timestamp", String::new()),
            ("SignatureNonce", "n".repeat(65)),
            ("Signature", String::new()),
            ("SignatureVersion", String::new()),
        ];
        let mend = [
            (100000001, "AppId", "4294967296"),
            (100000001, "AppId", ""),
            (100000001, "AppId", "+7"),
            (100000001, "AppId", "8"),
            (100000002, "Timestamp", "now"),
            (100000003, "Timestamp", "1700000000.5"),
            (100000003, "Timestamp", "1700000000000"),
            (100000008, "SignatureNonce", ""),
            (100000008, "SignatureNonce", "%0a"),
            (100000008, "SignatureNonce", "n"),
            (100000009, "Signature", "wrong"),
            (100000013, "SignatureVersion", "1.0"),
            (100000014, "SignatureVersion", "2.0"),
            (100000010, "AppId", "7"),
            (100000004, "Timestamp", "1700000000"),
            (100000005, "Signature", &right),
        ];
        let query = |fields: &[(&str, String)]| {
            let parts = fields.iter().map(|(name, value)| format!("{name}={value}"));
            parts.collect::<Vec<_>>().join("&")
        };
        for (code, name, value) in mend {
            assert_eq!(check(&query(&fields)), code, "{}", query(&fields));
            let field = fields.iter_mut().find(|(field, _)| *field == name).unwrap();
            field.1 = value.to_owned();
        }
        assert_eq!(check(&query(&fields)), 0);
        assert_eq!(check(""), 100000001);
    }

    #[test]
    fn the_time_may_be_600_seconds_off_either_way() {
        for off in [-600, 600, 0] {
            assert_eq!(check(&signed(1_700_000_000 + off, "n")), 0);
        }
        for timestamp in [1_700_000_601, 1_699_999_399, 1_700_000_000_000, -1, 0, i64::MIN] {
            assert_eq!(check(&signed(timestamp, "n")), 100000004, "{timestamp}");
        }
    }

    #[test]
    fn any_printable_nonce_and_either_case_of_hex_will_do() {
        assert_eq!(check(&signed(1_700_000_000, "15215528852396")), 0);
        assert_eq!(check(&signed(1_700_000_000, &"n".repeat(64))), 0);
        let signature = server_api::make(AppId(7), "n", SECRET.as_bytes(), 1_700_000_000);
        let query = signed(1_700_000_000, "n").replace(&signature, &signature.to_uppercase());
        assert_eq!(check(&query), 0);
    }

    #[test]
    fn a_name_given_twice_is_refused_with_its_own_code() {
        let query = signed(1_700_000_000, "n");
        for (part, code) in [
            ("AppId=7", 100000001),
            ("Timestamp=1", 100000003),
            ("SignatureNonce=n", 100000008),
            ("Signature=a", 100000009),
            ("SignatureVersion=2.0", 100000014),
        ] {
            assert_eq!(check(&format!("{query}&{part}")), code, "{part}");
        }
    }

    #[test]
    fn the_contracts_sample_request_passes_in_its_time() {
        let query = "Action=DescribeUserNum&RoomId%5B%5D=room1&RoomId%5B%5D=room2&AppId=123456789\
            &SignatureNonce=0011223344556677&Timestamp=1700000000\
            &Signature=682874319c084e10cc1acae6a1028310&SignatureVersion=2.0&IsTest=false";
        let fields = Fields::parse(query, None);
        let secret = ServerSecret::parse(SECRET).unwrap();
        let apps = Apps::new([(AppId(123456789), AppCredentials::new(vec![secret]).unwrap())]);
        for (seconds, passes) in [
            (1_699_999_399, false),
            (1_699_999_400, true),
            (1_700_000_600, true),
            (1_700_000_601, false),
        ] {
            let now = UnixMillis(seconds * 1000);
            assert_eq!(authenticate(&fields, &apps, now).is_ok(), passes, "{seconds}");
        }
        assert_eq!(action(&fields).unwrap().name, "DescribeUserNum");
    }

    #[test]
    fn an_action_is_missing_unknown_or_not_in_this_version() {
        let check = |query: &str| {
            let refusal = action(&Fields::parse(query, None)).err().unwrap();
            (refusal.code.number, refusal.message)
        };
        assert_eq!(check("").0, 100000006);
        assert_eq!(check("Action=").0, 100000006);
        assert_eq!(check("Action=deletestream").0, 100000007);
        assert_eq!(check("Action=AddStream&Action=AddStream").0, 100000007);
        let (code, message) = check("Action=StartMix");
        assert_eq!(code, 100000007);
        assert!(message.contains("StartMix") && message.contains("version"), "{message}");
        assert_eq!(ACTIONS.len() + NOT_IN_THIS_VERSION.len(), 59, "the contract has 59 actions");
    }

    #[test]
    fn is_test_must_fit_the_app() {
        use Environment::{Any, Production, Test};
        let production = Ok(Column::Production);
        let test = Ok(Column::Test);
        for (own, query, expected) in [
            (Production, "", production),
            (Production, "IsTest=False", production),
            (Production, "IsTest=true", Err(100000016)),
            (Test, "", test),
            (Test, "IsTest=TRUE", test),
            (Test, "IsTest=false", Err(100000016)),
            (Any, "", production),
            (Any, "IsTest=", production),
            (Any, "IsTest=true", test),
            (Any, "IsTest=false", production),
            (Any, "IsTest=1", Err(2)),
            (Production, "IsTest=no", Err(2)),
            (Any, "IsTest=true&IsTest=true", Err(2)),
        ] {
            let column = environment(&Fields::parse(query, None), own, Group::Room);
            let column = column.map_err(|refusal| refusal.code.number);
            assert_eq!(column, expected, "{own:?} {query}");
        }
    }

    #[test]
    fn a_service_that_is_not_enabled_refuses_its_actions() {
        let mut app = AppCredentials::new(vec![ServerSecret::parse(SECRET).unwrap()]).unwrap();
        let action = action(&Fields::parse("Action=DeleteStream", None)).unwrap();
        assert_eq!(service(&app, action), Ok(()));
        app.services = Services::only(&[Service::Mix]);
        assert_eq!(service(&app, action).unwrap_err().code.number, 100000017);
    }
}
