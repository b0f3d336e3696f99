//! `odeum callbacks`: what was sent to an app's receiver and what came of it; again, or not at all.
//! Asks the admin API of a running server.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use odeum_types::UnixMillis;
use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};

use crate::commands::Ending;
use crate::serve::load;
use crate::wall_clock;

/// A reply of the admin API comes within this time; a replay of many callbacks takes a while.
const REPLY_WITHIN: Duration = Duration::from_secs(30);

/// The longest text of an outcome in the table, in characters.
const OUTCOME_CHARACTERS_MAX: usize = 40;

/// See, repeat or give up callbacks of a running server.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  odeum callbacks list --room lobby --state failed
  odeum callbacks show 4711
  odeum callbacks replay 4711
  odeum callbacks replay --app-id 1234567890 --from 2h
  odeum callbacks drop --app-id 1234567890 --room lobby

The server needs [admin] token in its file. The command finds address and token in --config, or in
ODEUM_ADMIN and ODEUM_ADMIN_TOKEN.

Exit code: 0 when it was done, also to none; 1 when one was named by its number and was not
replayed or dropped; 2 when the command line cannot be used or the server refused.")]
pub(crate) struct CallbacksArgs {
    /// What to do.
    #[command(subcommand)]
    command: CallbacksCommand,
    /// Address of the admin listener.
    #[arg(long, global = true, env = "ODEUM_ADMIN", value_name = "URL")]
    admin: Option<Url>,
    /// The server's admin token; better given in the environment than where others can see it.
    #[arg(long, global = true, env = "ODEUM_ADMIN_TOKEN", hide_env_values = true)]
    admin_token: Option<String>,
    /// The server's configuration file: where to find address and token when they are not given.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the admin API's JSON as it came.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum CallbacksCommand {
    /// List callbacks, the newest first.
    List {
        #[command(flatten)]
        which: Which,
        /// How many at most, 1 to 1000.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Only those older than this number: the next page.
        #[arg(long, value_name = "NUMBER")]
        before: Option<u64>,
    },
    /// Show one callback with its body.
    Show {
        /// Its number in the list.
        number: u64,
    },
    /// Send callbacks again that have ended: one, those of a room, or those of a time.
    Replay {
        /// Its number in the list.
        number: Option<u64>,
        #[command(flatten)]
        which: Which,
    },
    /// Give up callbacks that wait: one, those of a room, or those of a time.
    Drop {
        /// Its number in the list.
        number: Option<u64>,
        #[command(flatten)]
        which: Which,
    },
}

/// Which callbacks; all that is given must hold.
#[derive(Debug, Args)]
struct Which {
    /// Of this app.
    #[arg(long)]
    app_id: Option<u32>,
    /// Of this room.
    #[arg(long)]
    room: Option<String>,
    /// Of this event, for example room_login.
    #[arg(long)]
    event: Option<String>,
    /// In this state: pending, late, delivered, failed or dropped.
    #[arg(long)]
    state: Option<String>,
    /// Of events since then: Unix seconds, or an age such as 90s, 15m, 2h, 3d.
    #[arg(long, value_parser = parse_time)]
    from: Option<UnixMillis>,
    /// Of events until then, in the same form.
    #[arg(long, value_parser = parse_time)]
    to: Option<UnixMillis>,
}

/// Runs the command.
///
/// # Errors
/// An admin API that is not found, not reached or that refuses, with its own words.
pub(crate) fn run(args: &CallbacksArgs) -> anyhow::Result<Ending> {
    let admin = Admin::find(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(answer(&admin, args))
}

async fn answer(admin: &Admin, args: &CallbacksArgs) -> anyhow::Result<Ending> {
    let (reply, named) = match &args.command {
        CallbacksCommand::List { which, limit, before } => {
            let mut query = which.fields();
            query.push(("limit", json!(limit)));
            query.extend(before.map(|number| ("before", json!(number))));
            (admin.get("callbacks", &query).await?, None)
        }
        CallbacksCommand::Show { number } => {
            (admin.get(&format!("callbacks/{number}"), &[]).await?, None)
        }
        CallbacksCommand::Replay { number, which } => {
            (admin.post("callbacks/replay", &which.selection(*number)?).await?, *number)
        }
        CallbacksCommand::Drop { number, which } => {
            (admin.post("callbacks/drop", &which.selection(*number)?).await?, *number)
        }
    };
    let change = match &args.command {
        CallbacksCommand::List { .. } | CallbacksCommand::Show { .. } => None,
        CallbacksCommand::Replay { .. } => Some(Change::Replay),
        CallbacksCommand::Drop { .. } => Some(Change::Drop),
    };
    let idle = change.filter(|change| change.count(&reply) == 0).zip(named);
    if args.json || idle.is_none() {
        print!("{}", args.text(&reply));
    }
    let Some((change, number)) = idle else { return Ok(Ending::Good) };
    let callback = admin.find_one(number).await?;
    eprintln!("odeum: {}", change.why_not(number, callback.as_ref()));
    Ok(Ending::Refused)
}

/// What is done to callbacks.
#[derive(Clone, Copy)]
enum Change {
    Replay,
    Drop,
}

impl Change {
    /// How many it was done to.
    fn count(self, reply: &Value) -> u64 {
        let key = match self {
            Self::Replay => "replayed",
            Self::Drop => "dropped",
        };
        reply[key].as_u64().unwrap_or(0)
    }

    /// Why it was not done to the callback of this number, which is as the server shows it.
    fn why_not(self, number: u64, callback: Option<&Value>) -> String {
        let Some(callback) = callback else {
            return format!("there is no callback {number}: the history keeps some days");
        };
        let state = text(&callback["state"]);
        let waits = matches!(state.as_str(), "pending" | "late");
        match self {
            Self::Replay if waits => {
                format!("callback {number} is {state}: only one that has ended is sent again")
            }
            Self::Drop if !waits => {
                format!("callback {number} is {state}: only one that waits can be given up")
            }
            Self::Replay | Self::Drop => {
                let of = |key: &str| text(&callback[key]);
                let (app, room, event) = (of("app_id"), of("room_id"), of("event"));
                format!(
                    "callback {number} is {state}, a {event} of app {app}, room {room}: \
                     not what the other options say"
                )
            }
        }
    }
}

impl CallbacksArgs {
    /// What is printed of a reply.
    fn text(&self, reply: &Value) -> String {
        if self.json {
            return format!("{reply:#}\n");
        }
        match &self.command {
            CallbacksCommand::List { .. } => table(reply, wall_clock()),
            CallbacksCommand::Show { .. } => format!("{reply:#}\n"),
            CallbacksCommand::Replay { .. } => counted(reply, Change::Replay, "will be sent again"),
            CallbacksCommand::Drop { .. } => counted(reply, Change::Drop, "given up"),
        }
    }
}

impl Which {
    /// What is given, under the admin API's names.
    fn fields(&self) -> Vec<(&'static str, Value)> {
        let given = [
            ("app_id", self.app_id.map(Value::from)),
            ("room_id", self.room.clone().map(Value::from)),
            ("event", self.event.clone().map(Value::from)),
            ("state", self.state.clone().map(Value::from)),
            ("from_ms", self.from.map(|time| time.0.into())),
            ("to_ms", self.to.map(|time| time.0.into())),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// The body that names callbacks to change. All of them are never meant by leaving all out.
    fn selection(&self, number: Option<u64>) -> anyhow::Result<Value> {
        let mut fields = self.fields();
        fields.extend(number.map(|number| ("number", number.into())));
        if number.is_none() && self.room.is_none() && self.from.is_none() {
            bail!("name one callback by its number, a room by --room, or a time by --from");
        }
        Ok(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

/// The admin API of a server.
struct Admin {
    /// Its address, with the path `/admin/`.
    base: Url,
    /// Its token.
    token: String,
    /// Speaks HTTP.
    client: reqwest::Client,
}

impl Admin {
    fn find(args: &CallbacksArgs) -> anyhow::Result<Self> {
        let config = args.config.as_deref().map(load).transpose()?;
        let listen = config.as_ref().map(|config| format!("http://{}", config.admin.listen));
        let base = match (&args.admin, listen) {
            (Some(url), _) => url.clone(),
            (None, listen) => {
                listen.as_deref().unwrap_or("http://127.0.0.1:7882").parse().context("--admin")?
            }
        };
        let configured = config.and_then(|config| config.admin.token);
        let token = args.admin_token.clone();
        let token = token.or_else(|| configured.map(|token| token.expose().clone())).context(
            "no admin token: give --config with [admin] token in the file, or ODEUM_ADMIN_TOKEN",
        )?;
        let base = base.join("/admin/").context("--admin")?;
        let client = reqwest::Client::builder().timeout(REPLY_WITHIN).no_proxy().build()?;
        Ok(Self { base, token, client })
    }

    async fn get(&self, path: &str, query: &[(&str, Value)]) -> anyhow::Result<Value> {
        let mut url = self.base.join(path)?;
        for (name, value) in query {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            url.query_pairs_mut().append_pair(name, &text);
        }
        self.accepted(Method::GET, url, String::new()).await
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.accepted(Method::POST, self.base.join(path)?, body.to_string()).await
    }

    /// The callback of a number; none when there is none of it.
    async fn find_one(&self, number: u64) -> anyhow::Result<Option<Value>> {
        let url = self.base.join(&format!("callbacks/{number}"))?;
        match self.send(Method::GET, url, String::new()).await? {
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, reply) => self.accept(status, reply).map(Some),
        }
    }

    async fn accepted(&self, method: Method, url: Url, body: String) -> anyhow::Result<Value> {
        let (status, reply) = self.send(method, url, body).await?;
        self.accept(status, reply)
    }

    /// A reply's status, and its JSON if it is some.
    async fn send(
        &self,
        method: Method,
        url: Url,
        body: String,
    ) -> anyhow::Result<(StatusCode, Option<Value>)> {
        let request = self.client.request(method, url).bearer_auth(&self.token);
        let request = request.header("content-type", "application/json").body(body);
        let response = request.send().await.with_context(|| self.place())?;
        let status = response.status();
        let text = response.text().await.with_context(|| self.place())?;
        Ok((status, serde_json::from_str(&text).ok()))
    }

    fn accept(&self, status: StatusCode, reply: Option<Value>) -> anyhow::Result<Value> {
        match reply {
            Some(reply) if status.is_success() => Ok(reply),
            Some(reply) if reply["error"].is_string() => {
                bail!("{}", reply["error"].as_str().unwrap_or_default())
            }
            Some(_) | None => bail!("{} answered {status}: is it an Odeum server?", self.place()),
        }
    }

    fn place(&self) -> String {
        format!("the admin API at {}", self.base)
    }
}

/// Unix seconds, or an age before now.
fn parse_time(text: &str) -> Result<UnixMillis, String> {
    let wrong = || format!("`{text}` is neither Unix seconds nor an age such as 90s, 15m, 2h, 3d");
    if let Ok(seconds) = text.parse::<u64>() {
        return seconds.checked_mul(1_000).map(UnixMillis).ok_or_else(wrong);
    }
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let age_ms = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds * 1_000));
    let now = wall_clock();
    age_ms.map(|age_ms| UnixMillis(now.0.saturating_sub(age_ms))).ok_or_else(wrong)
}

fn table(reply: &Value, now: UnixMillis) -> String {
    let rows = reply["callbacks"].as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        return "no callbacks\n".to_owned();
    }
    let heads = ["NUMBER", "AGE", "APP", "ROOM", "EVENT", "STATE", "ATTEMPTS", "OUTCOME"];
    let mut cells: Vec<[String; 8]> = vec![heads.map(str::to_owned)];
    cells.extend(rows.iter().map(|row| {
        let outcome: String = text(&row["outcome"]).chars().take(OUTCOME_CHARACTERS_MAX).collect();
        [
            text(&row["number"]),
            age(now.0.saturating_sub(row["at_ms"].as_u64().unwrap_or(now.0)) / 1_000),
            text(&row["app_id"]),
            text(&row["room_id"]),
            text(&row["event"]),
            text(&row["state"]),
            text(&row["attempts"]),
            outcome,
        ]
    }));
    let mut lines = String::new();
    for row in &cells {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
            write!(line, "{cell:width$}  ").expect("a String takes everything");
        }
        lines.push_str(line.trim_end());
        lines.push('\n');
    }
    if let Some(next) = reply["next"].as_u64() {
        writeln!(lines, "more: --before {next}").expect("a String takes everything");
    }
    lines
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// An age in its largest unit.
fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn counted(reply: &Value, change: Change, done: &str) -> String {
    let count = change.count(reply);
    let more = match reply["more"].as_bool() {
        Some(true) => "; more remain: say it again",
        Some(false) | None => "",
    };
    format!("{count} callbacks {done}{more}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_unix_seconds_or_an_age() {
        assert_eq!(parse_time("1700000000"), Ok(UnixMillis(1_700_000_000_000)));
        let before = wall_clock().0 - 7_200_000;
        let parsed = parse_time("2h").unwrap().0;
        assert!((before..before + 60_000).contains(&parsed), "{parsed}");
        for wrong in ["", "h", "2w", "-1", "2 h", "99999999999999999999d", "18446744073709551615"] {
            assert!(parse_time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_table_lines_up_and_names_the_next_page() {
        let reply = json!({ "next": 4, "callbacks": [
            { "number": 12, "at_ms": 0, "app_id": 1, "room_id": "lobby", "event": "room_login",
              "state": "delivered", "attempts": 1, "outcome": "200" },
            { "number": 5, "at_ms": 3_600_000, "app_id": 1, "room_id": "a", "event": "room_create",
              "state": "pending", "attempts": 0, "outcome": null },
        ]});
        assert_eq!(
            table(&reply, UnixMillis(7_200_000)),
            "NUMBER  AGE  APP  ROOM   EVENT        STATE      ATTEMPTS  OUTCOME\n\
             12      2h   1    lobby  room_login   delivered  1         200\n\
             5       1h   1    a      room_create  pending    0         -\n\
             more: --before 4\n"
        );
        assert_eq!(table(&json!({ "callbacks": [] }), UnixMillis(0)), "no callbacks\n");
    }

    #[test]
    fn everything_is_never_meant_by_saying_nothing() {
        let nothing =
            Which { app_id: Some(1), room: None, event: None, state: None, from: None, to: None };
        assert!(nothing.selection(None).is_err());
        assert_eq!(nothing.selection(Some(3)).unwrap(), json!({ "app_id": 1, "number": 3 }));
    }

    #[test]
    fn a_callback_that_was_named_and_stayed_as_it_was_is_explained() {
        let callback = |state: &str| {
            let (room, event) = ("hall", "room_login");
            json!({ "state": state, "app_id": 7, "room_id": room, "event": event })
        };
        let why = |change: Change, state| change.why_not(4, Some(&callback(state)));
        for waits in ["pending", "late"] {
            let text = why(Change::Replay, waits);
            assert!(text.contains(waits) && text.contains("has ended"), "{text}");
            assert!(why(Change::Drop, waits).contains("a room_login of app 7, room hall"));
        }
        for ended in ["delivered", "failed", "dropped"] {
            let text = why(Change::Drop, ended);
            assert!(text.contains(ended) && text.contains("that waits"), "{text}");
            assert!(why(Change::Replay, ended).contains("a room_login of app 7, room hall"));
        }
        assert!(Change::Drop.why_not(4, None).contains("no callback 4"));
    }
}
