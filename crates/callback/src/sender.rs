//! The task that sends: attempts over HTTP, as the dispatcher says, and what came of them back to
//! the writer.

use std::collections::HashMap;
use std::sync::mpsc::Sender as StdSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use odeum_node::Clock;
use odeum_store::{CallbackNumber, CallbackState, Change, PendingCallback, Reader, StoreIdentity};
use odeum_types::UnixMillis;
use reqwest::header::{CONTENT_TYPE, HeaderName};
use rustc_hash::FxHashMap;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};
use tracing::{debug, info, warn};

use crate::body::{Sealed, seal, webhook_id};
use crate::dispatcher::{Attempt, Dispatcher, Outcome};
use crate::recorder::Recorded;
use crate::settings::{CurrentSettings, Settings};
use crate::statistics::{Counters, Waiting};
use crate::writer::ToWriter;

/// Bytes of an answer's body that are read, so that its connection can be used again.
const ANSWER_BYTES_MAX: usize = 4_096;

/// The longest text that is kept about an attempt, in characters.
const OUTCOME_CHARACTERS_MAX: usize = 200;

/// How often what waits is counted for the metrics.
const COUNT_EVERY: Duration = Duration::from_secs(1);

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const ODEUM_LATE: HeaderName = HeaderName::from_static("odeum-late");
const ODEUM_REPLAY: HeaderName = HeaderName::from_static("odeum-replay");

/// News for the sender.
pub(crate) enum ToSender {
    /// Callbacks that were stored just now, in order.
    Recorded(Vec<Recorded>),
    /// Callbacks that are to be sent again.
    Replayed(Vec<PendingCallback>),
    /// Callbacks that were given up.
    Dropped(Vec<CallbackNumber>),
    /// A reload.
    Settings(Arc<Settings>),
    /// No new attempts; the task ends when those under way have.
    Stop,
}

/// The sender's state.
pub(crate) struct Sender {
    /// What is tried when.
    pub(crate) dispatcher: Dispatcher,
    /// News.
    pub(crate) inbox: mpsc::UnboundedReceiver<ToSender>,
    /// Where secrets are.
    pub(crate) settings: CurrentSettings,
    /// The time; never runs backwards.
    pub(crate) clock: Clock,
    /// Bodies on their way to the first attempt.
    pub(crate) bodies: Bodies,
    /// Makes attempts.
    pub(crate) courier: Courier,
    /// To the writer.
    pub(crate) writer: StdSender<ToWriter>,
    /// What is counted.
    pub(crate) counters: Arc<Counters>,
}

/// What an attempt needs; clones share everything.
#[derive(Clone)]
pub(crate) struct Courier {
    /// Speaks HTTP; has the receivers' timeout and follows no redirect.
    pub(crate) client: reqwest::Client,
    /// Reads bodies that are not in memory. The lock is held for one look-up, on a thread that may
    /// block.
    pub(crate) reader: Arc<Mutex<Reader>>,
    /// Part of each callback's name.
    pub(crate) identity: StoreIdentity,
    /// The system's time, which receivers hold signatures against.
    pub(crate) wall_clock: fn() -> UnixMillis,
}

/// Bodies kept in memory, up to a bound of bytes; the store has all of them.
pub(crate) struct Bodies {
    /// By callback.
    kept: FxHashMap<CallbackNumber, Arc<str>>,
    /// Their bytes.
    bytes: usize,
    /// At most so many.
    bytes_max: usize,
}

impl Bodies {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { kept: FxHashMap::default(), bytes: 0, bytes_max }
    }

    fn keep(&mut self, number: CallbackNumber, body: Arc<str>) {
        if self.bytes + body.len() <= self.bytes_max {
            self.bytes += body.len();
            self.kept.insert(number, body);
        }
    }

    /// Takes a body out: a second attempt is rare and far enough away to read it then.
    fn take(&mut self, number: CallbackNumber) -> Option<Arc<str>> {
        let body = self.kept.remove(&number)?;
        self.bytes -= body.len();
        Some(body)
    }
}

impl Sender {
    /// Runs until it is stopped.
    pub(crate) async fn run(mut self) {
        let mut attempts: JoinSet<(Attempt, Outcome)> = JoinSet::new();
        let mut under_way: HashMap<Id, Attempt> = HashMap::new();
        let mut is_open = true;
        let mut count_at = tokio::time::interval(COUNT_EVERY);
        loop {
            if is_open {
                self.begin_attempts(&mut attempts, &mut under_way);
            } else if attempts.is_empty() {
                return;
            }
            let wait = self.dispatcher.poll_timeout().map(|at| at.since(self.clock.now()));
            let timeout = async {
                match wait.filter(|_| is_open) {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                news = self.inbox.recv() => match news {
                    Some(ToSender::Stop) | None => is_open = false,
                    Some(news) => self.handle(news),
                },
                Some(ended) = attempts.join_next_with_id() => {
                    let (attempt, outcome) = match ended {
                        Ok((id, ended)) => {
                            under_way.remove(&id);
                            ended
                        }
                        Err(broken) => {
                            let Some(attempt) = under_way.remove(&broken.id()) else { continue };
                            (attempt, Outcome::Failed("the attempt broke down".into()))
                        }
                    };
                    self.ended(&attempt, outcome);
                }
                () = timeout => {}
                _ = count_at.tick() => self.count(),
            }
        }
    }

    fn begin_attempts(
        &mut self,
        attempts: &mut JoinSet<(Attempt, Outcome)>,
        under_way: &mut HashMap<Id, Attempt>,
    ) {
        let now = self.clock.now();
        let mut changes = Vec::new();
        while let Some(attempt) = self.dispatcher.poll_attempt(now, &mut changes) {
            Counters::add(&self.counters.attempts, 1);
            let settings = self.settings.get();
            let secret = settings.apps.get(&attempt.app).map(|app| app.secret.clone());
            let body = self.bodies.take(attempt.number);
            let courier = self.courier.clone();
            let task = attempts.spawn({
                let attempt = attempt.clone();
                async move {
                    let outcome = match secret {
                        Some(secret) => courier.deliver(&attempt, body, secret.expose()).await,
                        None => Outcome::Failed("the app has no callback_secret any more".into()),
                    };
                    (attempt, outcome)
                }
            });
            under_way.insert(task.id(), attempt);
        }
        self.progress(changes);
    }

    fn handle(&mut self, news: ToSender) {
        let now = self.clock.now();
        let mut changes = Vec::new();
        match news {
            ToSender::Recorded(recorded) => {
                for Recorded { callback, body } in recorded {
                    self.bodies.keep(callback.number, body);
                    changes.append(&mut self.dispatcher.enqueue(now, callback));
                }
            }
            ToSender::Replayed(callbacks) => {
                for callback in callbacks {
                    changes.append(&mut self.dispatcher.enqueue(now, callback));
                }
            }
            ToSender::Dropped(numbers) => {
                changes = self.dispatcher.drop_callbacks(now, &numbers);
                for number in numbers {
                    self.bodies.take(number);
                }
            }
            ToSender::Settings(settings) => self.dispatcher.update_settings(settings),
            ToSender::Stop => {}
        }
        self.progress(changes);
    }

    fn ended(&mut self, attempt: &Attempt, outcome: Outcome) {
        let (app, number, event) = (attempt.app, attempt.number, attempt.event.as_str());
        match &outcome {
            Outcome::Delivered(text) => debug!(%app, %number, event, %text, "callback delivered"),
            Outcome::Failed(text) => {
                Counters::add(&self.counters.attempts_failed, 1);
                info!(%app, %number, event, %text, "callback not delivered");
            }
        }
        let changes = self.dispatcher.handle_outcome(self.clock.now(), attempt, outcome);
        self.progress(changes);
    }

    /// Hands what became of callbacks to the writer.
    fn progress(&mut self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        for change in &changes {
            let Change::Finished(finished) = change else { continue };
            self.bodies.take(finished.number);
            match finished.state {
                CallbackState::Delivered => Counters::add(&self.counters.delivered, 1),
                CallbackState::Failed => {
                    Counters::add(&self.counters.failed, 1);
                    warn!(number = %finished.number, "a callback was tried for the last time");
                }
                CallbackState::Dropped => {
                    Counters::add(&self.counters.dropped, 1);
                    warn!(number = %finished.number, why = %finished.outcome, "callback given up");
                }
                CallbackState::Pending | CallbackState::Late => {}
            }
        }
        // A writer that is gone leaves them as they were in the store: they are sent again.
        self.writer.send(ToWriter::Progress(changes)).unwrap_or_default();
    }

    fn count(&self) {
        self.counters.set_waiting(Waiting {
            backlog: self.dispatcher.backlog(),
            by_app: self.dispatcher.waiting_by_app().collect(),
            oldest: self.dispatcher.oldest(),
        });
    }
}

impl Courier {
    /// Makes one attempt.
    async fn deliver(&self, attempt: &Attempt, body: Option<Arc<str>>, secret: &str) -> Outcome {
        let body = match body {
            Some(body) => body,
            None => match self.read_body(attempt.number).await {
                Ok(body) => body,
                Err(reason) => return Outcome::Failed(reason),
            },
        };
        let id = webhook_id(&self.identity, attempt.number);
        let sealed = seal(attempt.event, &body, id, secret, (self.wall_clock)(), rand::random());
        match self.post(attempt, sealed).await {
            Ok(mut answer) => {
                let status = answer.status();
                let mut read = 0;
                while read < ANSWER_BYTES_MAX
                    && let Ok(Some(chunk)) = answer.chunk().await
                {
                    read += chunk.len();
                }
                if status.is_success() {
                    Outcome::Delivered(status.as_str().into())
                } else if status.is_redirection() {
                    Outcome::Failed(format!("{} is not followed", status.as_u16()).into())
                } else {
                    Outcome::Failed(status.as_str().into())
                }
            }
            Err(error) => Outcome::Failed(reason(&error)),
        }
    }

    async fn post(&self, attempt: &Attempt, sealed: Sealed) -> reqwest::Result<reqwest::Response> {
        let mut request = self
            .client
            .post(&*attempt.url)
            .header(CONTENT_TYPE, "application/json")
            .header(WEBHOOK_ID, sealed.id)
            .header(WEBHOOK_TIMESTAMP, sealed.timestamp)
            .header(WEBHOOK_SIGNATURE, sealed.signature);
        if attempt.is_late {
            request = request.header(ODEUM_LATE, "1");
        }
        if attempt.round > odeum_store::Round::FIRST {
            request = request.header(ODEUM_REPLAY, "1");
        }
        request.body(sealed.body).send().await
    }

    async fn read_body(&self, number: CallbackNumber) -> Result<Arc<str>, Arc<str>> {
        let reader = Arc::clone(&self.reader);
        let read = tokio::task::spawn_blocking(move || {
            reader.lock().unwrap_or_else(PoisonError::into_inner).body(number)
        });
        match read.await {
            Ok(Ok(Some(body))) => Ok(body.into()),
            Ok(Ok(None)) => Err("the store has it no more".into()),
            Ok(Err(error)) => Err(format!("the store: {error}").into()),
            Err(_) => Err("the store could not be read".into()),
        }
    }
}

/// What went wrong, in a few words and without the URL.
fn reason(error: &reqwest::Error) -> Arc<str> {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    // The innermost cause says it best: "Connection refused", not "error sending request".
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string().chars().take(OUTCOME_CHARACTERS_MAX).collect::<String>().into()
}
