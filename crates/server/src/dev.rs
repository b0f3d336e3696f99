//! `--dev`: an app for one afternoon. Its secret is made at the start, printed, and gone at the
//! end.

use std::net::SocketAddr;

use odeum_types::{AppId, Redacted};

/// The one app.
pub(crate) const APP: AppId = AppId(1_234_567_890);

/// 32 hex characters.
pub(crate) fn throw_away_secret() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Says loudly what this is, and where to go.
pub(crate) fn announce(secret: &Redacted<String>, http: SocketAddr) {
    println!(
        "\n  Odeum runs in --dev: for this machine only, never for users.\n\n  \
         Try it      http://{http}/try\n  \
         App id      {APP}\n  \
         Secret      {}   (thrown away when the server ends)\n",
        secret.expose()
    );
}
