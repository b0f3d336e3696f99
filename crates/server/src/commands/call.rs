//! `odeum call`: one signed call of the Server API, of this server or of any other of the contract.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use odeum_proto::return_code::{Group, ReturnCode, TABLE};
use reqwest::Url;
use serde_json::{Value, json};

use crate::commands::Ending;
use crate::commands::identity::{Identity, IdentityArgs};
use crate::commands::sign::{Signed, parse_pair};
use crate::config::nearest;

/// Sign and send one call of the Server API, and print the reply.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  odeum call DescribeUserNum 'RoomId[]=lobby' --config odeum.toml
  odeum call DeleteStream RoomId=lobby UserId=backend StreamId=camera --config odeum.toml
  odeum call KickoutUser RoomId=lobby UserId=ann UserId=bob --post --config odeum.toml
  ODEUM_APP_ID=… ODEUM_SERVER_SECRET=… odeum call DescribeUsers RoomId=a UserId=b \\
      --url https://rtc-api.zego.im

A key that stands twice, or ends in [], is a list. Exit code: 0 for Code 0, 1 for another Code, 2
for a command line that cannot be used, 3 when there was no reply of the Server API.")]
pub(crate) struct CallArgs {
    /// The action, for example DeleteStream.
    action: String,
    /// Its parameters: Key=Value.
    #[arg(value_name = "KEY=VALUE", value_parser = parse_pair)]
    pairs: Vec<(String, String)>,
    #[command(flatten)]
    identity: IdentityArgs,
    /// The server; any of this contract. Default: the one of --config, or http://127.0.0.1:7880.
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
    /// Send the parameters as a JSON body of a POST instead of in the query.
    #[arg(long)]
    post: bool,
    /// Call the test environment.
    #[arg(long)]
    is_test: bool,
    /// How long a reply may take, seconds.
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    timeout: u64,
    /// Print the reply as it came.
    #[arg(long)]
    json: bool,
    /// Say which URL is called; the secret is not in it.
    #[arg(long, short)]
    verbose: bool,
    /// Take the certificate of the server whoever signed it: for one of one's own.
    #[arg(long)]
    insecure: bool,
}

/// Runs the command.
///
/// # Errors
/// A command line that cannot be used.
pub(crate) fn run(args: &CallArgs) -> anyhow::Result<Ending> {
    let identity = args.identity.find()?;
    let url = request_url(args, &identity)?;
    if args.verbose {
        eprintln!("{} {url}", if args.post { "POST" } else { "GET" });
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let text = match runtime.block_on(send(args, url)) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("odeum: {error:#}");
            return Ok(Ending::NotReached);
        }
    };
    let Ok(reply) = serde_json::from_str::<Value>(&text) else {
        eprintln!("odeum: this is no reply of the Server API:\n{text}");
        return Ok(Ending::NotReached);
    };
    let Some(code) = reply["Code"].as_u64() else {
        eprintln!("odeum: the reply has no Code:\n{reply:#}");
        return Ok(Ending::NotReached);
    };
    match args.json {
        true => println!("{text}"),
        false => println!("{}", painted(&reply, std::io::stdout().is_terminal())),
    }
    if code == 0 {
        return Ok(Ending::Good);
    }
    for line in explain(&args.action, code) {
        eprintln!("{line}");
    }
    Ok(Ending::Refused)
}

/// The signed URL: everything in the query, or with --post the parameters left to the body.
fn request_url(args: &CallArgs, identity: &Identity) -> anyhow::Result<Url> {
    let mut url = match (&args.url, &identity.config) {
        (Some(url), _) => url.clone(),
        (None, Some(config)) => {
            let scheme = if config.tls.is_some() { "https" } else { "http" };
            format!("{scheme}://{}/", config.listen).parse().context("listen")?
        }
        (None, None) => "http://127.0.0.1:7880/".parse().context("the default URL")?,
    };
    if !matches!(url.scheme(), "http" | "https") {
        bail!("--url {url} is neither http:// nor https://");
    }
    url.query_pairs_mut().append_pair("Action", &args.action);
    Signed::new(identity.app, identity.secret.expose(), None, None).add_to(&mut url);
    if args.is_test {
        url.query_pairs_mut().append_pair("IsTest", "true");
    }
    if !args.post {
        for (key, value) in &args.pairs {
            url.query_pairs_mut().append_pair(key, value);
        }
    }
    Ok(url)
}

async fn send(args: &CallArgs, url: Url) -> anyhow::Result<String> {
    let place = format!("{}://{}", url.scheme(), url.authority());
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(args.timeout))
        .tls_danger_accept_invalid_certs(args.insecure)
        .build()?;
    let request = match args.post {
        true => client
            .post(url)
            .header("content-type", "application/json")
            .body(body(&args.pairs).to_string()),
        false => client.get(url),
    };
    let answer = request.send().await.map_err(reqwest::Error::without_url);
    let answer = answer.with_context(|| format!("{place} was not reached"))?;
    let status = answer.status();
    let text = answer.text().await.map_err(reqwest::Error::without_url)?;
    if !status.is_success() {
        bail!("{place} answered HTTP {status}: {}", text.chars().take(200).collect::<String>());
    }
    Ok(text)
}

/// The parameters as a JSON object: numbers and truth values as such, where they look so.
fn body(pairs: &[(String, String)]) -> Value {
    let mut values: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    let mut lists: Vec<&str> = Vec::new();
    for (key, value) in pairs {
        let name = key.strip_suffix("[]").unwrap_or(key);
        if name.len() < key.len() {
            lists.push(name);
        }
        values.entry(name).or_default().push(scalar(value));
    }
    values
        .into_iter()
        .map(|(name, mut all)| {
            let is_list = all.len() > 1 || lists.contains(&name);
            let value = if is_list { Value::Array(all) } else { all.swap_remove(0) };
            (name.to_owned(), value)
        })
        .collect()
}

/// Ids are texts whatever they look like, and every server of the contract takes numbers as texts.
fn scalar(text: &str) -> Value {
    match text {
        "true" => json!(true),
        "false" => json!(false),
        other => json!(other),
    }
}

/// The reply over several lines; keys in colour on a terminal.
fn painted(reply: &Value, is_terminal: bool) -> String {
    let plain = format!("{reply:#}");
    if !is_terminal {
        return plain;
    }
    let paint = |line: &str| match line.split_once("\": ") {
        Some((key, value)) => {
            let quote = key.find('"').unwrap_or(0);
            let (indent, key) = key.split_at(quote);
            format!("{indent}\x1b[36m{key}\"\x1b[0m: {value}")
        }
        None => line.to_owned(),
    };
    plain.lines().map(paint).collect::<Vec<_>>().join("\n")
}

/// What a code means, and what else may be wrong.
fn explain(action: &str, code: u64) -> Vec<String> {
    let of_number =
        |code_: &&ReturnCode| u64::from(code_.number) == code && code_.group != Group::Client;
    let mut lines: Vec<String> = (TABLE.iter().filter(of_number))
        .map(|code| format!("{} ({}): {}", code.number, code.group.title(), code.meaning))
        .collect();
    if lines.is_empty() {
        lines.push(format!("{code}: not in the contract's table"));
    }
    let actions: Vec<String> = odeum_api::action_names().map(str::to_owned).collect();
    if !actions.iter().any(|known| known == action)
        && let Some(near) = nearest(action, &actions)
    {
        lines.push(format!("did you mean {near}?"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(texts: &[&str]) -> Vec<(String, String)> {
        texts.iter().map(|text| parse_pair(text).unwrap()).collect()
    }

    #[test]
    fn a_body_has_lists_where_keys_say_so() {
        assert_eq!(
            body(&pairs(&["RoomId=7", "UserId=a", "UserId=b", "Tag[]=x", "Flag=true"])),
            json!({ "RoomId": "7", "UserId": ["a", "b"], "Tag": ["x"], "Flag": true })
        );
    }

    #[test]
    fn a_code_is_explained_and_a_misspelled_action_named() {
        let lines = explain("DeletStream", 100_000_007);
        assert!(
            lines[0].contains("no such Action") && lines[1].contains("DeleteStream"),
            "{lines:?}"
        );
        assert!(explain("DeleteStream", 138)[0].contains("no such stream"));
        assert!(explain("DeleteStream", 77_777)[0].contains("not in the contract"));
    }

    #[test]
    fn colour_is_for_terminals_only() {
        let reply = json!({ "Code": 0, "Data": { "List": ["a: b"] } });
        assert_eq!(painted(&reply, false), format!("{reply:#}"));
        assert!(painted(&reply, true).contains("\x1b[36m\"Code\"\x1b[0m: 0"));
    }
}
