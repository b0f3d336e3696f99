//! `odeum verify-callback`: whether a callback that arrived is from the server, by both of its
//! signatures.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use odeum_auth::{callback, webhook};
use serde_json::Value;

use crate::commands::Ending;
use crate::serve::load;
use crate::wall_clock;

/// How old a callback may be before its age is remarked, in seconds.
const AGE_S_REMARKED: u64 = 300;

/// Check the signatures of a callback that arrived.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  odeum verify-callback --config odeum.toml --app-id 12345 body.json
  ODEUM_CALLBACK_SECRET=… odeum verify-callback --webhook-id msg_… --webhook-timestamp 1700000000 \\
      --webhook-signature v1,… < body.json

The body's own signature covers its timestamp and nonce alone; that of the headers covers the whole
body, byte by byte, so give the body exactly as it arrived. Exit code: 0 good, 1 not.")]
pub(crate) struct VerifyCallbackArgs {
    /// The body as it arrived; standard input when it is not given, or -.
    body: Option<PathBuf>,
    /// The app's callback_secret; better in the environment than where others can see it.
    #[arg(long, env = "ODEUM_CALLBACK_SECRET", hide_env_values = true, value_name = "SECRET")]
    callback_secret: Option<String>,
    /// A server's configuration file: where the secret is found when it is not given.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Which app of the file.
    #[arg(long, value_name = "NUMBER")]
    app_id: Option<u32>,
    /// The header webhook-id.
    #[arg(long, requires = "webhook_signature")]
    webhook_id: Option<String>,
    /// The header webhook-timestamp.
    #[arg(long, requires = "webhook_id")]
    webhook_timestamp: Option<String>,
    /// The header webhook-signature.
    #[arg(long, requires = "webhook_timestamp")]
    webhook_signature: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// No body, no secret.
pub(crate) fn run(args: &VerifyCallbackArgs) -> anyhow::Result<Ending> {
    let secret = secret(args)?;
    let bytes = match args.body.as_deref().filter(|path| path.as_os_str() != "-") {
        Some(path) => std::fs::read(path).with_context(|| path.display().to_string())?,
        None => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).context("standard input")?;
            bytes
        }
    };
    let headers = match (&args.webhook_id, &args.webhook_timestamp, &args.webhook_signature) {
        (Some(id), Some(timestamp), Some(signature)) => Some(Headers { id, timestamp, signature }),
        _ => None,
    };
    let findings = verify(&bytes, secret.as_bytes(), headers, wall_clock().seconds());
    let is_good = findings.iter().all(|finding| finding.is_good);
    for finding in findings {
        println!("{} {}", if finding.is_good { "ok  " } else { "BAD " }, finding.text);
    }
    Ok(if is_good { Ending::Good } else { Ending::Refused })
}

fn secret(args: &VerifyCallbackArgs) -> anyhow::Result<String> {
    if let Some(secret) = &args.callback_secret {
        return Ok(secret.clone());
    }
    let Some(file) = &args.config else {
        bail!("no secret: give ODEUM_CALLBACK_SECRET or --config");
    };
    let config = load(file)?;
    let app = match (args.app_id, &config.apps[..]) {
        (Some(id), apps) => apps.iter().find(|app| app.app_id == id),
        (None, [app]) => Some(app),
        (None, _) => bail!("the file has several apps, say which: --app-id"),
    };
    let app = app.context("the file has no such app")?;
    app.callback_secret
        .clone()
        .with_context(|| format!("app {} has no callback_secret", app.app_id))
}

/// The headers of a callback.
#[derive(Clone, Copy)]
struct Headers<'a> {
    id: &'a str,
    timestamp: &'a str,
    signature: &'a str,
}

struct Finding {
    is_good: bool,
    text: String,
}

fn finding(is_good: bool, text: impl Into<String>) -> Finding {
    Finding { is_good, text: text.into() }
}

fn verify(bytes: &[u8], secret: &[u8], headers: Option<Headers<'_>>, now_s: u64) -> Vec<Finding> {
    let mut findings = Vec::new();
    let body: Value = match serde_json::from_slice(bytes) {
        Ok(body @ Value::Object(_)) => body,
        Ok(_) => return vec![finding(false, "the body is no JSON object")],
        Err(error) => return vec![finding(false, format!("the body is no JSON: {error}"))],
    };
    // The contract spells these in two ways.
    let field = |names: [&str; 2]| {
        let value = names.iter().map(|name| &body[*name]).find(|value| !value.is_null());
        match value {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        }
    };
    let timestamp = field(["timestamp", "Timestamp"]);
    let parts = (timestamp.clone(), field(["nonce", "Nonce"]), field(["signature", "Signature"]));
    findings.push(match parts {
        (Some(timestamp), Some(nonce), Some(signature)) => {
            match callback::check(secret, &timestamp, &nonce, &signature) {
                true => finding(true, "signature of the body (SHA-1 of secret, timestamp, nonce)"),
                false => finding(
                    false,
                    "signature of the body: it is not of this secret, timestamp and nonce. They \
                     are sorted as texts, then joined",
                ),
            }
        }
        (None, _, _) => finding(false, "the body has no timestamp"),
        (_, None, _) => finding(false, "the body has no nonce"),
        (_, _, None) => finding(false, "the body has no signature"),
    });
    if let Some(headers) = headers {
        let Headers { id, timestamp: time, signature } = headers;
        findings.push(match webhook::check(secret, id, time, bytes, signature) {
            true => finding(true, "signature of the headers (Standard Webhooks, HMAC-SHA256)"),
            false if !signature.contains("v1,") => {
                finding(false, "signature of the headers: it has no part that begins with v1,")
            }
            false => finding(
                false,
                "signature of the headers: the secret, the id, the time or a byte of the body is \
                 another one. Was the body parsed and written again?",
            ),
        });
        let same = timestamp.as_deref() == Some(time);
        if !same {
            findings.push(finding(false, "the header's timestamp is not the body's"));
        }
    }
    let sent_s = timestamp.and_then(|text| text.parse::<u64>().ok());
    if let Some(age) = sent_s.map(|sent| now_s.abs_diff(sent)).filter(|age| *age > AGE_S_REMARKED) {
        findings.push(finding(true, format!("it is {age} s old: a receiver may refuse it")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"secret";

    fn body(quote: &str) -> String {
        format!(
            "{{\"timestamp\":{quote}1470820198{quote},\"nonce\":\"123412\",\
             \"signature\":\"5bd59fd62953a8059fb7eaba95720f66d19e4517\",\"event\":\"x\"}}"
        )
    }

    fn verdict(body: &str, secret: &[u8], headers: Option<Headers<'_>>) -> (bool, String) {
        let findings = verify(body.as_bytes(), secret, headers, 1_470_820_199);
        let texts: Vec<String> = findings.iter().map(|finding| finding.text.clone()).collect();
        (findings.iter().all(|finding| finding.is_good), texts.join("\n"))
    }

    #[test]
    fn the_contracts_sample_is_good_with_the_time_as_number_and_as_text() {
        assert!(verdict(&body(""), SECRET, None).0);
        assert!(verdict(&body("\""), SECRET, None).0);
        let (is_good, text) = verdict(&body(""), b"other", None);
        assert!(!is_good && text.contains("sorted"), "{text}");
    }

    #[test]
    fn headers_cover_every_byte() {
        let body = body("");
        let signature = webhook::make(SECRET, "msg_1", "1470820198", body.as_bytes());
        let headers = Headers { id: "msg_1", timestamp: "1470820198", signature: &signature };
        assert!(verdict(&body, SECRET, Some(headers)).0);
        let (is_good, text) = verdict(&format!("{body} "), SECRET, Some(headers));
        assert!(!is_good && text.contains("byte"), "{text}");
        let other_time = Headers { timestamp: "1470820199", ..headers };
        assert!(!verdict(&body, SECRET, Some(other_time)).0);
        let no_version = Headers { signature: "abc", ..headers };
        assert!(verdict(&body, SECRET, Some(no_version)).1.contains("v1,"));
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, word) in [
            ("", "no JSON"),
            ("[]", "object"),
            ("{}", "timestamp"),
            (r#"{"timestamp":1}"#, "nonce"),
            (r#"{"timestamp":1,"nonce":"2"}"#, "signature"),
        ] {
            let (is_good, found) = verdict(text, SECRET, None);
            assert!(!is_good && found.contains(word), "{text}: {found}");
        }
    }
}
