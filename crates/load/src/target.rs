//! Who is measured: how publishers and players get their answers, and whose CPU time counts.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, bail};
use odeum_client::{ConnectOptions, LoginOptions, RequestError, Signalling};
use odeum_types::AppId;

use crate::args::{OwnServerArgs, TargetArgs};
use crate::process::Measured;
use crate::server::{APP, SECRET, Server, ServerOptions, token_of};
use crate::shape::StreamPlan;

/// How often a stream is asked for that is about to enter its room.
const PLAY_ATTEMPTS_MAX: u32 = 100;
/// From one of these to the next.
const PLAY_AGAIN_IN: Duration = Duration::from_millis(20);

/// A server, and how it is spoken to.
pub(crate) enum Target {
    /// Odeum by its signalling, a session for each user.
    Signalling(SignallingTarget),
    /// Any server by WHIP and WHEP, a request for each stream.
    Http(HttpTarget),
}

/// Odeum by its signalling.
pub(crate) struct SignallingTarget {
    /// The server, if it was started here; ends when dropped.
    server: Option<Server>,
    /// Its signalling.
    url: String,
    /// Makes tokens.
    identity: Identity,
    /// A session of each room and user.
    sessions: HashMap<(String, String), Signalling>,
    /// The process, if it is on this machine and known.
    measured: Option<Measured>,
}

/// Any server.
pub(crate) struct HttpTarget {
    /// Where to publish.
    whip: String,
    /// Where to play.
    whep: String,
    /// What is shown.
    bearer: Bearer,
    /// Makes the requests.
    client: reqwest::Client,
    /// What to delete in the end.
    resources: Vec<(reqwest::Url, Option<String>)>,
    /// The process, if it is on this machine and known.
    measured: Option<Measured>,
}

/// An app with its secret.
#[derive(Clone)]
struct Identity {
    /// The app.
    app: AppId,
    /// Its secret.
    secret: String,
}

/// What a WHIP or WHEP server is shown.
enum Bearer {
    /// Nothing.
    None,
    /// The same by everybody.
    Fixed(String),
    /// A token04 of each user.
    OfUser(Identity),
}

impl Target {
    /// What the arguments mean: a server that runs, or one of this binary that is started.
    ///
    /// # Errors
    /// A secret is missing; the server does not start.
    pub(crate) fn new(args: &TargetArgs, own: &OwnServerArgs) -> anyhow::Result<Self> {
        let identity = match (args.app_id, &args.server_secret) {
            (Some(app), Some(secret)) => Some(Identity { app: AppId(app), secret: secret.clone() }),
            _ => None,
        };
        let measured = args.pid.map(|pid| Measured::new(pid, None));
        if let (Some(whip), Some(whep)) = (&args.whip, &args.whep) {
            let bearer = match (&args.bearer, identity) {
                (Some(fixed), _) => Bearer::Fixed(fixed.clone()),
                (None, Some(identity)) => Bearer::OfUser(identity),
                (None, None) => Bearer::None,
            };
            let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build()?;
            let (whip, whep) = (whip.clone(), whep.clone());
            let resources = Vec::new();
            return Ok(Self::Http(HttpTarget { whip, whep, bearer, client, resources, measured }));
        }
        let sessions = HashMap::new();
        if let Some(url) = &args.signal_url {
            let identity = identity.context("no secret: give ODEUM_SERVER_SECRET")?;
            let (server, url) = (None, url.clone());
            let target = SignallingTarget { server, url, identity, sessions, measured };
            return Ok(Self::Signalling(target));
        }
        Self::started(&ServerOptions {
            workers: own.workers,
            room_peers_per_worker: own.room_peers_per_worker,
            linger_ms: own.linger_ms,
            ..ServerOptions::default()
        })
    }

    /// A server of this binary.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn started(options: &ServerOptions<'_>) -> anyhow::Result<Self> {
        let server = Server::start(options)?;
        Ok(Self::Signalling(SignallingTarget {
            url: server.signal_url(),
            identity: Identity { app: APP, secret: SECRET.to_owned() },
            sessions: HashMap::new(),
            measured: Some(server.measured),
            server: Some(server),
        }))
    }

    /// A counter of the server that was started here, over all its workers.
    ///
    /// # Errors
    /// There is no such counter, or none was started here.
    pub(crate) fn counter(&self, name: &str) -> anyhow::Result<u64> {
        match self {
            Self::Signalling(SignallingTarget { server: Some(server), .. }) => {
                server.metric_sum(name)
            }
            Self::Signalling(_) | Self::Http(_) => bail!("the server was not started here"),
        }
    }

    /// Whose CPU time counts.
    pub(crate) fn measured(&self) -> Option<&Measured> {
        match self {
            Self::Signalling(target) => target.measured.as_ref(),
            Self::Http(target) => target.measured.as_ref(),
        }
    }

    /// Whether the server was started here and has a core of its own.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self, Self::Signalling(SignallingTarget { server: Some(_), .. }))
    }

    /// What it is called in results.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Signalling(SignallingTarget { server: Some(_), .. }) => "odeum, started here",
            Self::Signalling(target) => &target.url,
            Self::Http(target) => &target.whip,
        }
    }

    /// Logs a user in, where there is such a thing and it is not done.
    pub(crate) async fn log_in(
        &self,
        room: &str,
        user: &str,
    ) -> anyhow::Result<Option<Signalling>> {
        match self {
            Self::Signalling(target) if !target.sessions.contains_key(&key(room, user)) => {
                Ok(Some(target.identity.log_in(&target.url, room, user).await?))
            }
            Self::Signalling(_) | Self::Http(_) => Ok(None),
        }
    }

    /// Keeps a session that was logged in.
    pub(crate) fn keep(&mut self, room: &str, user: &str, session: Option<Signalling>) {
        if let (Self::Signalling(target), Some(session)) = (self, session) {
            target.sessions.insert(key(room, user), session);
        }
    }

    /// Publishes a stream; the answer to `offer`, and what is to be ended later.
    pub(crate) async fn publish(&self, plan: &StreamPlan, offer: &str) -> anyhow::Result<Opened> {
        match self {
            Self::Signalling(target) => {
                let session = target.session(&plan.room, &plan.user)?;
                let answer = session.publish(&plan.room, &plan.stream, "", offer).await?;
                Ok(Opened { answer, resource: None })
            }
            Self::Http(target) => target.post(&target.whip, plan, &plan.user, offer).await,
        }
    }

    /// Plays a stream, which enters its room a moment after its publisher is connected.
    pub(crate) async fn play(
        &self,
        plan: &StreamPlan,
        user: &str,
        offer: &str,
    ) -> anyhow::Result<Opened> {
        match self {
            Self::Signalling(target) => {
                let session = target.session(&plan.room, user)?;
                for _ in 1..PLAY_ATTEMPTS_MAX {
                    match session.play(&plan.room, &plan.stream, offer).await {
                        Err(RequestError::Refused { .. }) => {
                            tokio::time::sleep(PLAY_AGAIN_IN).await
                        }
                        answer => return Ok(Opened { answer: answer?, resource: None }),
                    }
                }
                let answer = session.play(&plan.room, &plan.stream, offer).await?;
                Ok(Opened { answer, resource: None })
            }
            Self::Http(target) => target.post(&target.whep, plan, user, offer).await,
        }
    }

    /// Has a user stop to play a stream, if it does; by signalling alone.
    ///
    /// # Errors
    /// The user is not logged in, or the connection is closed.
    pub(crate) async fn stop_playing(&self, plan: &StreamPlan, user: &str) -> anyhow::Result<()> {
        let Self::Signalling(target) = self else { bail!("WHEP ends by its resource") };
        match target.session(&plan.room, user)?.unplay(&plan.room, &plan.stream).await {
            // It did not, or its transport has ended by itself.
            Ok(()) | Err(RequestError::Refused { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Remembers what is to be ended.
    pub(crate) fn opened(&mut self, resource: Option<(reqwest::Url, Option<String>)>) {
        if let Self::Http(target) = self {
            target.resources.extend(resource);
        }
    }

    /// Ends what was begun at a server that goes on.
    pub(crate) async fn end(&mut self) {
        let Self::Http(target) = self else { return };
        for (url, bearer) in target.resources.drain(..) {
            let mut request = target.client.delete(url);
            if let Some(bearer) = bearer {
                request = request.bearer_auth(bearer);
            }
            // A server that is gone, or has forgotten it, has ended it too.
            let _gone = request.send().await;
        }
    }
}

/// What a server answered.
pub(crate) struct Opened {
    /// SDP.
    pub(crate) answer: String,
    /// What to delete in the end, and as whom.
    pub(crate) resource: Option<(reqwest::Url, Option<String>)>,
}

impl SignallingTarget {
    fn session(&self, room: &str, user: &str) -> anyhow::Result<&Signalling> {
        self.sessions.get(&key(room, user)).with_context(|| format!("{user} is not in {room}"))
    }
}

impl Identity {
    async fn log_in(&self, url: &str, room: &str, user: &str) -> anyhow::Result<Signalling> {
        // Nobody listens to the room here; the connection goes on without.
        let (session, _events) = Signalling::connect(&ConnectOptions::new(url)).await?;
        let token = token_of(self.app, &self.secret, user)?;
        let mut options = LoginOptions::new(self.app.0, room, user, token);
        options.user_update = false;
        session.login(options).await?;
        Ok(session)
    }
}

impl HttpTarget {
    async fn post(
        &self,
        template: &str,
        plan: &StreamPlan,
        user: &str,
        offer: &str,
    ) -> anyhow::Result<Opened> {
        let url = template.replace("{room}", &plan.room).replace("{stream}", &plan.stream);
        let bearer = match &self.bearer {
            Bearer::None => None,
            Bearer::Fixed(token) => Some(token.clone()),
            Bearer::OfUser(Identity { app, secret }) => Some(token_of(*app, secret, user)?),
        };
        let mut attempt = 1;
        loop {
            let mut request = self.client.post(&url).header("Content-Type", "application/sdp");
            if let Some(bearer) = &bearer {
                request = request.bearer_auth(bearer);
            }
            let reply = request.body(offer.to_owned()).send().await.context(url.clone())?;
            let status = reply.status();
            let location = reply.headers().get("Location").and_then(|value| value.to_str().ok());
            let resource = location.and_then(|location| reply.url().join(location).ok());
            let body = reply.text().await?;
            if status.as_u16() == 201 {
                let resource = resource.map(|url| (url, bearer));
                return Ok(Opened { answer: body, resource });
            }
            // The stream is about to come; that its publisher is connected it hears a moment later.
            let may_come = matches!(status.as_u16(), 404 | 409 | 425 | 503);
            if !may_come || attempt == PLAY_ATTEMPTS_MAX {
                bail!("{url} answers {status}: {}", body.trim());
            }
            attempt += 1;
            tokio::time::sleep(PLAY_AGAIN_IN).await;
        }
    }
}

fn key(room: &str, user: &str) -> (String, String) {
    (room.to_owned(), user.to_owned())
}
