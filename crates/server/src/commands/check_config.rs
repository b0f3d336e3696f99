//! `odeum check-config`: reads a configuration file as `odeum serve` does, and says what it would
//! do.

use std::path::PathBuf;

use clap::Args;

use crate::commands::Ending;
use crate::config::Config;
use crate::serve::load;
use crate::tls::Certificate;

/// Check a configuration file without starting anything.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  odeum check-config odeum.toml && systemctl reload odeum

Exit code: 0 when `odeum serve` would take the file, 2 when not.")]
pub(crate) struct CheckConfigArgs {
    /// The file.
    file: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// What `odeum serve` would refuse.
pub(crate) fn run(args: &CheckConfigArgs) -> anyhow::Result<Ending> {
    let config = load(&args.file)?;
    if let Some(tls) = &config.tls {
        Certificate::load(tls)?;
    }
    for line in describe(&config) {
        println!("{line}");
    }
    Ok(Ending::Good)
}

fn describe(config: &Config) -> Vec<String> {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let last_port = config.media.listen.port() + (config.media.workers - 1);
    let announced = match config.media.external_address {
        Some(address) => format!("announced as {address}"),
        None if config.media.listen.ip().is_unspecified() => {
            "announced as the addresses of this machine's interfaces".to_owned()
        }
        None => "announced as it is".to_owned(),
    };
    let admin = match config.admin.token {
        Some(_) => "with the admin API",
        None => "without the admin API: no token",
    };
    let mut lines = vec![
        format!("public     {scheme}://{}", config.listen),
        format!("media      udp {} to port {last_port}, {announced}", config.media.listen),
        format!("admin      http://{}, {admin}", config.admin.listen),
        format!("data       {}", config.data_dir.display()),
    ];
    for app in &config.apps {
        let callbacks = match (&app.callback_url, app.callback_urls.len()) {
            (Some(url), _) => format!("callbacks to {url}"),
            (None, 0) => "no callbacks".to_owned(),
            (None, events) => format!("callbacks of {events} events"),
        };
        lines.push(format!("app        {}, {:?}, {callbacks}", app.app_id, app.environment));
    }
    lines.extend(warnings(config).into_iter().map(|warning| format!("warning    {warning}")));
    lines
}

/// What is allowed and mostly not meant.
fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    if !config.admin.listen.ip().is_loopback() {
        warnings.push(format!(
            "admin.listen = {} is open beyond this machine, without TLS",
            config.admin.listen
        ));
    }
    if config.media.listen.ip().is_loopback() && !config.listen.ip().is_loopback() {
        warnings.push("media.listen is loopback: users elsewhere get no media".to_owned());
    }
    if config.behind_proxy && config.tls.is_some() {
        warnings
            .push("behind_proxy with [tls]: does the proxy speak TLS to this server?".to_owned());
    }
    for app in &config.apps {
        let plain = app.callback_url.iter().chain(app.callback_urls.values());
        for url in plain.filter(|url| url.starts_with("http://") && !url.contains("127.0.0.1")) {
            warnings.push(format!("app {}: {url} is not encrypted", app.app_id));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str =
        "[[apps]]\napp_id = 7\nserver_secret = \"0123456789abcdef0123456789abcdef\"\n";

    #[test]
    fn it_says_what_would_be_served_and_what_is_strange() {
        let head =
            "listen = \"0.0.0.0:80\"\nbehind_proxy = true\n[admin]\nlisten = \"0.0.0.0:1\"\n";
        let app = format!("{APP}callback_secret = \"s\"\ncallback_url = \"http://backend/\"\n");
        let config = Config::parse(&format!("{head}{app}")).unwrap();
        let text = describe(&config).join("\n");
        for words in ["http://0.0.0.0:80", "without the admin API", "callbacks to http://backend/"]
        {
            assert!(text.contains(words), "{text}");
        }
        assert_eq!(warnings(&config).len(), 3, "{text}");
        assert!(!text.contains("0123456789abcdef"), "secrets do not print");
    }
}
