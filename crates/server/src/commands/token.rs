//! `odeum token`: makes a client's token; the try-it page makes its own here too.

use clap::Args;
use odeum_auth::token::{MakeTokenError, NewToken, Seal};
use odeum_types::{AppId, UnixMillis};

use crate::commands::Ending;
use crate::commands::identity::IdentityArgs;
use crate::wall_clock;

/// Make a client token (version 04, GCM) for a user.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  odeum token --config odeum.toml --user-id ann
  odeum token --config odeum.toml --user-id ann --lifetime-s 600 \\
      --payload '{\"room_id\":\"lobby\",\"privilege\":{\"1\":1,\"2\":0},\"stream_id_list\":null}'

Without a payload the token is good for login and publishing in every room.")]
pub(crate) struct TokenArgs {
    #[command(flatten)]
    identity: IdentityArgs,
    /// The user who will log in.
    #[arg(long)]
    user_id: String,
    /// Seconds that the token is good for.
    #[arg(long, default_value_t = 3600)]
    lifetime_s: u32,
    /// Rights as the contract's JSON payload; empty is login and publish everywhere.
    #[arg(long, default_value = "")]
    payload: String,
}

/// Runs the command.
///
/// # Errors
/// What the asked token lacks.
pub(crate) fn run(args: &TokenArgs) -> anyhow::Result<Ending> {
    let identity = args.identity.find()?;
    let asked = AskedToken {
        app: identity.app,
        user: &args.user_id,
        lifetime_s: args.lifetime_s,
        payload: &args.payload,
    };
    println!("{}", make(&asked, identity.secret.expose(), wall_clock())?);
    Ok(Ending::Good)
}

/// What a token shall say.
pub(crate) struct AskedToken<'a> {
    /// The app.
    pub(crate) app: AppId,
    /// Who will log in.
    pub(crate) user: &'a str,
    /// Seconds that it is good for.
    pub(crate) lifetime_s: u32,
    /// Empty, or the contract's JSON text of rights.
    pub(crate) payload: &'a str,
}

/// A version 04 token in GCM form, with fresh random numbers.
///
/// # Errors
/// What the asked token lacks.
pub(crate) fn make(
    asked: &AskedToken<'_>,
    secret: &str,
    now: UnixMillis,
) -> Result<String, MakeTokenError> {
    let token = NewToken {
        app: asked.app,
        user: asked.user,
        lifetime_seconds: i64::from(asked.lifetime_s),
        payload: asked.payload,
    };
    token.seal(secret, now, rand::random(), Seal::Gcm { nonce: rand::random() })
}
