//! `odeum check-config`: reads a configuration file as `odeum serve` does, and says what it would
//! do.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use odeum_auth::Environment;
use odeum_node::announced_addresses;
use reqwest::Url;

use crate::commands::Ending;
use crate::config::Config;
use crate::serve::{load, node_config};
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
    for line in describe(&config)? {
        println!("{line}");
    }
    Ok(Ending::Good)
}

fn describe(config: &Config) -> anyhow::Result<Vec<String>> {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let last_port = config.media.listen.port() + (config.media.workers - 1);
    let (udp, tcp) = announced_addresses(&node_config(config).media).context("media")?;
    let admin = match config.admin.token {
        Some(_) => "with the admin API",
        None => "without the admin API: no token",
    };
    let mut lines = vec![
        format!("public     {scheme}://{}", config.listen),
        format!("media      udp {} to port {last_port}", config.media.listen),
        format!("           announced as {}", listed(&udp)),
        match config.media.tcp_listen {
            Some(listen) => {
                let last_port = listen.port() + (config.media.workers - 1);
                let announced = listed(&tcp);
                format!("           tcp {listen} to port {last_port}, announced as {announced}")
            }
            None => "           no tcp: clients that no udp gets through get no media".to_owned(),
        },
        match &config.media.stun_server {
            Some(server) => format!("           and as {server} sees this machine (STUN)"),
            None => "           no STUN server is asked".to_owned(),
        },
        match &config.turn {
            Some(turn) => {
                let tls = turn.tls_listen.map(|listen| format!(", tls {listen}"));
                let (listen, host) = (turn.listen, &turn.host);
                format!("turn       udp and tcp {listen}{} as {host}", tls.unwrap_or_default())
            }
            None => "turn       no relay of this server's own".to_owned(),
        },
        format!("admin      http://{}, {admin}", config.admin.listen),
        format!("data       {}", config.data_dir.display()),
    ];
    for app in &config.apps {
        let callbacks = match &app.callback_url {
            Some(url) => format!("callbacks to {url}"),
            None if app.callback_urls.values().any(|url| !url.is_empty()) => {
                "callbacks of these events alone".to_owned()
            }
            None => "no callbacks".to_owned(),
        };
        let environment = spelling(app.environment);
        lines.push(format!("app        {}, {environment}, {callbacks}", app.app_id));
        lines.extend(app.callback_urls.iter().map(|(event, url)| match url.as_str() {
            "" => format!("           {event} off"),
            url => format!("           {event} to {url}"),
        }));
    }
    lines.extend(warnings(config).into_iter().map(|warning| format!("warning    {warning}")));
    Ok(lines)
}

fn listed(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// As the configuration file has it.
fn spelling(environment: Environment) -> &'static str {
    match environment {
        Environment::Production => "production",
        Environment::Test => "test",
        Environment::Any => "any",
    }
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
        for url in plain.filter(|url| goes_out_plain(url)) {
            warnings.push(format!("app {}: {url} is not encrypted", app.app_id));
        }
    }
    warnings
}

/// Whether what is sent to `url` leaves this machine without TLS.
fn goes_out_plain(url: &str) -> bool {
    // The configuration's check lets no other text through than URLs, and empty ones: off.
    let Ok(url) = Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_here =
        host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback());
    url.scheme() == "http" && !is_here
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
        let text = describe(&config).unwrap().join("\n");
        for words in ["http://0.0.0.0:80", "without the admin API", "callbacks to http://backend/"]
        {
            assert!(text.contains(words), "{text}");
        }
        assert_eq!(warnings(&config).len(), 3, "{text}");
        assert!(!text.contains("0123456789abcdef"), "secrets do not print");
    }

    #[test]
    fn it_shows_which_events_go_elsewhere_or_are_off() {
        let described = |lines: &str| {
            let app = format!("{APP}callback_secret = \"s\"\n{lines}");
            let lines = describe(&Config::parse(&app).unwrap()).unwrap().into_iter();
            lines.skip_while(|line| !line.starts_with("app")).collect::<Vec<_>>()
        };
        let elsewhere = "stream_create = \"https://streams/\"";
        assert_eq!(
            described(&format!(
                "callback_url = \"https://all/\"\n\
                 callback_urls = {{ {elsewhere}, room_create = \"\" }}\n"
            )),
            [
                "app        7, production, callbacks to https://all/",
                "           room_create off",
                "           stream_create to https://streams/",
            ]
        );
        let alone = described(&format!("callback_urls = {{ {elsewhere} }}\n"));
        assert_eq!(alone[0], "app        7, production, callbacks of these events alone");
        assert_eq!(alone[1], "           stream_create to https://streams/");
        let none = described("callback_urls = { room_create = \"\" }\n");
        assert_eq!(none[0], "app        7, production, no callbacks");
    }

    #[test]
    fn it_shows_what_clients_are_told_of_and_refuses_what_cannot_be() {
        let described = |media: &str| {
            let config = Config::parse(&format!("{APP}[media]\n{media}")).unwrap();
            describe(&config).map(|lines| lines.join("\n")).map_err(|error| format!("{error:#}"))
        };
        let media = "listen = \"[::]:7881\"\ntcp_listen = \"[::]:443\"\n\
                     external_addresses = [\"203.0.113.7\", \"2001:db8::7\"]\n\
                     stun_server = \"stun.example:3478\"\n";
        let text = described(media).unwrap();
        for words in [
            "announced as 203.0.113.7:7881, [2001:db8::7]:7881",
            "announced as 203.0.113.7:443, [2001:db8::7]:443",
            "and as stun.example:3478 sees this machine",
        ] {
            assert!(text.contains(words), "{text}");
        }
        let lo = described("listen = \"0.0.0.0:1\"\ninterfaces = [\"lo\"]\n").unwrap();
        assert!(lo.contains("announced as 127.0.0.1:1"), "{lo}");
        let refusal = described("interfaces = [\"no-such-0\"]\n").unwrap_err();
        assert!(refusal.starts_with("media: interfaces: there is no interface `no-such-0`"));
        let refusal = described("external_addresses = [\"2001:db8::7\"]\n").unwrap_err();
        assert!(refusal.contains("2001:db8::7 is IPv6"), "{refusal}");
    }

    #[test]
    fn an_environment_is_spelled_as_in_the_file() {
        for word in ["production", "test", "any"] {
            let config = Config::parse(&format!("{APP}environment = \"{word}\"\n")).unwrap();
            assert_eq!(spelling(config.apps[0].environment), word);
            let text = describe(&config).unwrap().join("\n");
            assert!(text.contains(&format!("app        7, {word}, ")), "{text}");
        }
    }

    #[test]
    fn only_plain_http_to_another_machine_is_warned_of() {
        for (url, warns) in [
            ("http://localhost:8080/", false),
            ("http://LOCALHOST/", false),
            ("http://127.0.0.1/", false),
            ("http://127.8.9.10:81/hook", false),
            ("http://[::1]:9/", false),
            ("https://backend.example/", false),
            ("http://backend.example/", true),
            ("HTTP://backend.example/", true),
            ("http://evil-127.0.0.1.example/", true),
            ("http://backend.example/127.0.0.1", true),
            ("http://127.0.0.1@backend.example/", true),
            ("http://localhost.example/", true),
            ("http://10.0.0.1/", true),
            ("http://[2001:db8::1]/", true),
        ] {
            let lines = format!("{APP}callback_secret = \"s\"\ncallback_url = \"{url}\"\n");
            let warnings = warnings(&Config::parse(&lines).unwrap());
            assert_eq!(warnings.iter().any(|text| text.contains(url)), warns, "{url} {warnings:?}");
        }
    }
}
