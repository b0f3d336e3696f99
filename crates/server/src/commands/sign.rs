//! `odeum sign`: the signature of a Server API request, its query, or its whole URL.

use clap::{Args, ValueEnum};
use odeum_auth::server_api;
use odeum_types::AppId;
use reqwest::Url;

use crate::commands::Ending;
use crate::commands::identity::IdentityArgs;
use crate::wall_clock;

/// Make the signature of a Server API request.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ODEUM_SERVER_SECRET=… odeum sign --app-id 12345
  odeum sign --config odeum.toml --print url Action=DescribeUserNum 'RoomId[]=lobby'
  odeum sign --app-id 12345 --nonce 4fd24687296dd9f3 --timestamp 1615186943

A signature is the MD5 of AppId, SignatureNonce, ServerSecret and Timestamp, joined, in hexadecimal.
It is good for 10 minutes, and for one request: the server remembers nonces.")]
pub(crate) struct SignArgs {
    #[command(flatten)]
    identity: IdentityArgs,
    /// The nonce; random when it is not given.
    #[arg(long)]
    nonce: Option<String>,
    /// Unix seconds; now when it is not given.
    #[arg(long)]
    timestamp: Option<i64>,
    /// What to print.
    #[arg(long, value_enum, default_value_t = Print::Query)]
    print: Print,
    /// The server, for --print url.
    #[arg(long, default_value = "http://127.0.0.1:7880", value_name = "URL")]
    url: Url,
    /// More of the query: Key=Value.
    #[arg(value_name = "KEY=VALUE", value_parser = parse_pair)]
    pairs: Vec<(String, String)>,
}

/// What to print.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Print {
    /// The signature alone.
    Signature,
    /// The common parameters of a query, with what else is given.
    Query,
    /// The whole URL.
    Url,
}

/// Runs the command.
///
/// # Errors
/// A secret or app that is missing.
pub(crate) fn run(args: &SignArgs) -> anyhow::Result<Ending> {
    let identity = args.identity.find()?;
    let signed =
        Signed::new(identity.app, identity.secret.expose(), args.nonce.clone(), args.timestamp);
    match args.print {
        Print::Signature => println!("{}", signed.signature),
        Print::Query | Print::Url => {
            let mut url = args.url.clone();
            signed.add_to(&mut url);
            for (key, value) in &args.pairs {
                url.query_pairs_mut().append_pair(key, value);
            }
            match args.print {
                Print::Url => println!("{url}"),
                Print::Query | Print::Signature => println!("{}", url.query().unwrap_or_default()),
            }
        }
    }
    Ok(Ending::Good)
}

/// `Key=Value`.
pub(crate) fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        Some(_) | None => Err(format!("`{text}` is not Key=Value")),
    }
}

/// The common parameters of one request.
pub(crate) struct Signed {
    app: AppId,
    nonce: String,
    timestamp: i64,
    /// What they are signed with.
    pub(crate) signature: String,
}

impl Signed {
    /// Signs one request; nonce and time are new ones unless they are given.
    pub(crate) fn new(
        app: AppId,
        secret: &str,
        nonce: Option<String>,
        timestamp: Option<i64>,
    ) -> Self {
        let nonce = nonce.unwrap_or_else(|| format!("{:016x}", rand::random::<u64>()));
        let now = i64::try_from(wall_clock().seconds()).unwrap_or(i64::MAX);
        let timestamp = timestamp.unwrap_or(now);
        let signature = server_api::make(app, &nonce, secret.as_bytes(), timestamp);
        Self { app, nonce, timestamp, signature }
    }

    /// Puts them into a query.
    pub(crate) fn add_to(&self, url: &mut Url) {
        url.query_pairs_mut()
            .append_pair("AppId", &self.app.to_string())
            .append_pair("SignatureNonce", &self.nonce)
            .append_pair("Timestamp", &self.timestamp.to_string())
            .append_pair("Signature", &self.signature)
            .append_pair("SignatureVersion", "2.0");
    }
}
