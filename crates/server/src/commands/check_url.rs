//! `odeum check-url`: says exactly what is wrong with a signed URL, in the order in which the
//! gateway looks (ruling 4), and what it comes from.

use std::collections::BTreeMap;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use odeum_auth::server_api;
use odeum_types::AppId;
use reqwest::Url;

use crate::commands::Ending;
use crate::commands::identity::IdentityArgs;
use crate::wall_clock;

/// How far a Timestamp may be off, in seconds.
const OFF_S_MAX: u64 = 600;

/// Say what is wrong with a signed URL.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  odeum check-url 'https://rooms.example/?Action=DeleteStream&AppId=…' --config odeum.toml
  ODEUM_SERVER_SECRET=… odeum check-url 'AppId=12345&SignatureNonce=…&Timestamp=…&Signature=…'

Nothing is sent. Exit code: 0 when the gateway would take it, 1 when not.")]
pub(crate) struct CheckUrlArgs {
    /// The URL, or its query alone.
    url: String,
    #[command(flatten)]
    identity: IdentityArgs,
    /// The time to hold it against, Unix seconds; now when it is not given.
    #[arg(long, value_name = "SECONDS")]
    at: Option<u64>,
}

/// Runs the command.
///
/// # Errors
/// A URL that is none, or no secret.
pub(crate) fn run(args: &CheckUrlArgs) -> anyhow::Result<Ending> {
    let query = query_of(&args.url)?;
    let mut identity = args.identity.find().or_else(|error| {
        // The URL itself says which app.
        let asked = IdentityArgs {
            app_id: query.get("AppId").and_then(|texts| texts[0].parse().ok()),
            server_secret: args.identity.server_secret.clone(),
            config: args.identity.config.clone(),
        };
        asked.find().map_err(|_| error)
    })?;
    if let Some(id) = query.get("AppId").and_then(|texts| texts[0].parse().ok()) {
        identity.app = AppId(id);
    }
    let now_s = args.at.unwrap_or_else(|| wall_clock().seconds());
    match diagnose(&query, identity.secret.expose(), now_s) {
        Ok(lines) => {
            lines.iter().for_each(|line| println!("{line}"));
            Ok(Ending::Good)
        }
        Err(lines) => {
            lines.iter().for_each(|line| println!("{line}"));
            Ok(Ending::Refused)
        }
    }
}

type Query = BTreeMap<String, Vec<String>>;

fn query_of(text: &str) -> anyhow::Result<Query> {
    let url = match text.contains("://") {
        true => Url::parse(text).context("this is no URL")?,
        false => {
            let query = text.trim_start_matches(['/', '?']);
            Url::parse(&format!("http://query/?{query}")).context("this is no query")?
        }
    };
    let mut query = Query::new();
    for (key, value) in url.query_pairs() {
        query.entry(key.into_owned()).or_default().push(value.into_owned());
    }
    Ok(query)
}

/// What the gateway makes of it: good, or the first thing that is wrong with its causes.
fn diagnose(query: &Query, secret: &str, now_s: u64) -> Result<Vec<String>, Vec<String>> {
    let once = |name: &str| match query.get(name).map(Vec::as_slice) {
        None | Some([]) => Ok(None),
        Some([text]) if text.is_empty() => Ok(None),
        Some([text]) => Ok(Some(text.as_str())),
        Some(_) => Err(vec![format!("{name} is given more than once")]),
    };
    let wrong = |code: u32, text: String| vec![format!("{code}: {text}")];
    let app: AppId =
        once("AppId")?.and_then(|text| text.parse().ok()).map(AppId).ok_or_else(|| {
            wrong(100_000_001, "AppId is missing or not an unsigned 32-bit number".to_owned())
        })?;
    let timestamp =
        once("Timestamp")?.ok_or_else(|| wrong(100_000_002, "Timestamp is missing".to_owned()))?;
    let timestamp: i64 = timestamp.parse().map_err(|_| {
        wrong(100_000_003, format!("Timestamp {timestamp} is not a whole number of seconds"))
    })?;
    let nonce = once("SignatureNonce")?
        .filter(|text| text.chars().count() <= 64 && !text.contains(char::is_control))
        .ok_or_else(|| {
            let text = "SignatureNonce is missing or not 1 to 64 printable characters";
            wrong(100_000_008, text.to_owned())
        })?;
    let signature =
        once("Signature")?.ok_or_else(|| wrong(100_000_009, "Signature is missing".to_owned()))?;
    match once("SignatureVersion")? {
        Some("2.0") => {}
        None => {
            return Err(wrong(100_000_013, "SignatureVersion is missing; it is 2.0".to_owned()));
        }
        Some(other) => {
            return Err(wrong(100_000_014, format!("SignatureVersion is {other}, not 2.0")));
        }
    }
    check_age(timestamp, now_s).map_err(|text| wrong(100_000_004, text))?;
    if !server_api::check(app, nonce, secret.as_bytes(), timestamp, signature) {
        let mut lines = wrong(100_000_005, "Signature is wrong".to_owned());
        lines.extend(causes(app, nonce, secret, timestamp, signature));
        return Err(lines);
    }
    let action =
        once("Action")?.ok_or_else(|| wrong(100_000_006, "Action is missing".to_owned()))?;
    let mut good = vec![format!("the signature is good, made {}", age(timestamp, now_s))];
    if !odeum_api::action_names().any(|known| known == action) {
        good.push(format!("Action {action} is not one that this version has"));
    }
    Ok(good)
}

fn check_age(timestamp: i64, now_s: u64) -> Result<(), String> {
    let off = i128::from(timestamp) - i128::from(now_s);
    if off.unsigned_abs() <= u128::from(OFF_S_MAX) {
        return Ok(());
    }
    let as_seconds = i128::from(timestamp) / 1_000 - i128::from(now_s);
    if as_seconds.unsigned_abs() <= 86_400 {
        return Err(format!("Timestamp {timestamp} is in milliseconds; it must be seconds"));
    }
    Err(format!(
        "Timestamp {timestamp} is {}, more than {OFF_S_MAX} s off this machine's clock",
        age(timestamp, now_s)
    ))
}

fn age(timestamp: i64, now_s: u64) -> String {
    let age = i128::from(now_s) - i128::from(timestamp);
    match age {
        0.. => format!("{age} s ago"),
        _ => format!("{} s ahead", -age),
    }
}

/// What a wrong signature may come from: each guess is tried.
fn causes(app: AppId, nonce: &str, secret: &str, timestamp: i64, given: &str) -> Vec<String> {
    let is = |nonce: &str, secret: &str, timestamp: i64| {
        server_api::check(app, nonce, secret.as_bytes(), timestamp, given)
    };
    let mut found = Vec::new();
    if given.len() != 32 || !given.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        found.push(format!(
            "it has {} characters; a signature is 32 hexadecimal ones",
            given.chars().count()
        ));
        let right = server_api::make(app, nonce, secret.as_bytes(), timestamp);
        let bytes: Vec<u8> = (0..right.len())
            .step_by(2)
            .filter_map(|at| u8::from_str_radix(&right[at..at + 2], 16).ok())
            .collect();
        if STANDARD.encode(bytes) == given.replace(' ', "+") {
            found.push("it is the right MD5, in base64: write it in hexadecimal".to_owned());
        }
    }
    for (other, what) in [
        (secret.to_lowercase(), "the secret in lower case"),
        (secret.to_uppercase(), "the secret in upper case"),
        (format!("{secret}\n"), "the secret with a line's end behind it"),
        (format!("{secret} "), "the secret with a space behind it"),
        (String::new(), "an empty secret"),
    ] {
        if other != secret && is(nonce, &other, timestamp) {
            found.push(format!("it was made with {what}"));
        }
    }
    if timestamp.checked_mul(1_000).is_some_and(|millis| is(nonce, secret, millis)) {
        found.push("it was made with the time in milliseconds".to_owned());
    }
    for (other, what) in [
        (nonce.to_lowercase(), "in lower case"),
        (nonce.to_uppercase(), "in upper case"),
        (nonce.replace(' ', "+"), "before it was url-encoded: a + became a space"),
    ] {
        if other != nonce && is(&other, secret, timestamp) {
            found.push(format!("it was made with the nonce {what}"));
        }
    }
    let (app, time) = (app.to_string(), timestamp.to_string());
    for (order, what) in [
        ([app.as_str(), secret, nonce, time.as_str()], "AppId, secret, nonce, time"),
        ([app.as_str(), nonce, time.as_str(), secret], "AppId, nonce, time, secret"),
        ([nonce, app.as_str(), secret, time.as_str()], "nonce, AppId, secret, time"),
        ([app.as_str(), time.as_str(), nonce, secret], "AppId, time, nonce, secret"),
        ([secret, app.as_str(), nonce, time.as_str()], "secret, AppId, nonce, time"),
    ] {
        if server_api::digest(&order).eq_ignore_ascii_case(given) {
            found.push(format!("it was joined as {what}; the order is AppId, nonce, secret, time"));
        }
    }
    if found.is_empty() {
        found.push("none of the usual slips: is it the secret of this AppId?".to_owned());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const NOW: u64 = 1_700_000_000;

    fn query(signature: &str) -> String {
        format!(
            "Action=DeleteStream&AppId=7&SignatureNonce=Nonce1&Timestamp={NOW}\
             &Signature={signature}&SignatureVersion=2.0"
        )
    }

    fn verdict(text: &str) -> Result<Vec<String>, Vec<String>> {
        diagnose(&query_of(text).unwrap(), SECRET, NOW + 5)
    }

    #[track_caller]
    fn check(text: &str, words: &[&str]) {
        let lines = verdict(text).expect_err("something is wrong with it").join("\n");
        assert!(words.iter().all(|word| lines.contains(word)), "{lines}");
    }

    fn made(nonce: &str, secret: &str, timestamp: i64) -> String {
        query(&server_api::make(AppId(7), nonce, secret.as_bytes(), timestamp))
    }

    #[test]
    fn a_good_one_is_good_as_a_url_and_as_a_query() {
        let good = made("Nonce1", SECRET, NOW as i64);
        assert_eq!(verdict(&good).unwrap(), ["the signature is good, made 5 s ago"]);
        assert!(verdict(&format!("https://rooms.example/?{good}")).is_ok());
        let strange = verdict(&good.replace("DeleteStream", "Dance")).unwrap();
        assert!(strange[1].contains("Dance"));
    }

    #[test]
    fn the_gateways_first_refusal_is_named() {
        let good = made("Nonce1", SECRET, NOW as i64);
        let without = |name: &str| {
            let parts: Vec<&str> = good.split('&').filter(|part| !part.starts_with(name)).collect();
            parts.join("&")
        };
        check(&without("AppId="), &["100000001"]);
        check(&without("Timestamp="), &["100000002"]);
        check(&good.replace(&NOW.to_string(), "soon"), &["100000003"]);
        check(&without("SignatureNonce="), &["100000008"]);
        check(&without("Signature="), &["100000009"]);
        check(&without("SignatureVersion="), &["100000013"]);
        check(&good.replace("2.0", "1.0"), &["100000014", "1.0"]);
        check(
            &good.replace(&NOW.to_string(), &(NOW - 700).to_string()),
            &["100000004", "705 s ago"],
        );
        check(&good.replace(&NOW.to_string(), &format!("{NOW}000")), &["milliseconds"]);
        check(&without("Action="), &["100000006"]);
        check(&format!("{good}&AppId=8"), &["AppId", "more than once"]);
    }

    #[test]
    fn a_wrong_signature_is_traced_to_its_slip() {
        let now = NOW as i64;
        for (text, word) in [
            (made("Nonce1", &SECRET.to_uppercase(), now), "upper case"),
            (made("Nonce1", &format!("{SECRET}\n"), now), "line's end"),
            (made("nonce1", SECRET, now), "nonce in lower case"),
            (made("Nonce1", SECRET, now * 1_000), "milliseconds"),
            (query("abc"), "32 hexadecimal"),
            (made("Nonce1", "another secret of the same length", now), "secret of this AppId"),
            (query(&server_api::digest(&["7", SECRET, "Nonce1", &NOW.to_string()])), "joined as"),
        ] {
            check(&text, &["100000005", word]);
        }
    }

    #[test]
    fn base64_is_recognised() {
        let right = server_api::make(AppId(7), "Nonce1", SECRET.as_bytes(), NOW as i64);
        let bytes: Vec<u8> = (0..32)
            .step_by(2)
            .map(|at| u8::from_str_radix(&right[at..at + 2], 16).unwrap())
            .collect();
        let encoded = STANDARD.encode(bytes).replace('+', "%2B").replace('=', "%3D");
        check(&query(&encoded), &["base64"]);
    }
}
