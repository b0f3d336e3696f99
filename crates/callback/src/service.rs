//! The running service: a thread that stores, a task that sends, and a handle for everybody else.

use std::sync::mpsc::Sender as StdSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use odeum_node::{Clock, Entry};
use odeum_store::{
    CallbackNumber, CallbackRow, PendingCallback, Reader, Selected, Selection, Store, StoreError,
    StoreIdentity, Which,
};
use odeum_types::{AppId, StreamId, UnixMillis};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::warn;

use crate::body::webhook_id;
use crate::dispatcher::Dispatcher;
use crate::recorder::Recorder;
use crate::recovery::{close_left_open, take_up};
use crate::sender::{Bodies, Courier, Sender, ToSender};
use crate::settings::{CurrentSettings, Limits, Settings};
use crate::statistics::{CallbackStatistics, Counters};
use crate::writer::{ToWriter, Writer};

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store.
    #[error("the store")]
    Store(#[from] StoreError),
    /// The HTTP client; without the system's certificates, for example.
    #[error("the HTTP client")]
    Client(#[from] reqwest::Error),
    /// No thread.
    #[error("no thread for the store")]
    Thread(#[from] std::io::Error),
}

/// Why an operator's wish was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// The store.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    /// The service has ended.
    #[error("the server is closing")]
    Closing,
}

/// What a replay has made wait again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// In the order of their numbers.
    pub callbacks: Vec<PendingCallback>,
    /// Whether more of the selection remain.
    pub more: bool,
}

/// What was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// In the order of their numbers.
    pub numbers: Vec<CallbackNumber>,
    /// Whether more of the selection remain.
    pub more: bool,
}

/// A handle of the running service; clones are handles of the same one.
#[derive(Clone)]
pub struct Callbacks(Arc<Shared>);

struct Shared {
    /// To the thread that stores.
    writer: StdSender<ToWriter>,
    /// To the task that sends.
    sender: mpsc::UnboundedSender<ToSender>,
    /// The settings in force.
    settings: CurrentSettings,
    /// For what a call waits for. The lock is held for one look-up, on a thread that may block.
    reader: Arc<Mutex<Reader>>,
    /// The same for the operator, whose look-ups may go through the whole history.
    operator: Arc<Mutex<Reader>>,
    /// The store's name.
    identity: StoreIdentity,
    /// What is counted.
    counters: Arc<Counters>,
    /// The sending task, until it is waited for.
    sending: Mutex<Option<JoinHandle<()>>>,
}

impl Callbacks {
    /// Closes what a crash left open, takes up what waits, and starts on the current tokio runtime.
    /// Call it before rooms begin.
    /// `wall_clock` is the system's time for signatures; waiting goes by the monotonic clock, so
    /// that a system clock that is set back holds up nothing.
    ///
    /// # Errors
    /// [`StartError`], each variant as it says.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(
        mut store: Store,
        settings: Settings,
        limits: Limits,
        wall_clock: fn() -> UnixMillis,
    ) -> Result<Self, StartError> {
        let clock = Clock::start();
        let needs_closing = !close_left_open(&mut store, &settings, clock.now())?;
        let settings = CurrentSettings::new(settings);
        let reader = store.reader()?;
        let mut dispatcher = Dispatcher::new(limits.clone(), settings.get());
        let progress = take_up(&reader, &mut dispatcher, clock.now())?;
        let client = reqwest::Client::builder()
            .timeout(limits.receiver_timeout)
            .redirect(reqwest::redirect::Policy::none())
            // The operator's file says where callbacks go, and the environment does not.
            .no_proxy()
            .user_agent(concat!("odeum/", env!("CARGO_PKG_VERSION")))
            .pool_max_idle_per_host(limits.attempts_per_receiver_max)
            .build()?;
        let (to_writer, writer_inbox) = std::sync::mpsc::channel();
        let (to_sender, sender_inbox) = mpsc::unbounded_channel();
        let counters = Arc::new(Counters::default());
        let identity = store.identity().clone();
        let reader = Arc::new(Mutex::new(reader));
        let operator = Arc::new(Mutex::new(store.reader()?));
        let writer = Writer {
            store,
            recorder: Recorder::default(),
            needs_closing,
            settings: settings.clone(),
            limits: limits.clone(),
            clock,
            sender: to_sender.clone(),
            counters: Arc::clone(&counters),
            purge_at: clock.now(),
        };
        std::thread::Builder::new()
            .name("odeum-store".to_owned())
            .spawn(move || writer.run(&writer_inbox))?;
        let courier =
            Courier { client, reader: Arc::clone(&reader), identity: identity.clone(), wall_clock };
        let sender = Sender {
            dispatcher,
            inbox: sender_inbox,
            settings: settings.clone(),
            clock,
            bodies: Bodies::new(limits.bodies_bytes_max),
            courier,
            writer: to_writer.clone(),
            counters: Arc::clone(&counters),
        };
        to_writer.send(ToWriter::Progress(progress)).unwrap_or_default();
        let sending = Mutex::new(Some(tokio::spawn(sender.run())));
        let shared = Shared {
            writer: to_writer,
            sender: to_sender,
            settings,
            reader,
            operator,
            identity,
            counters,
            sending,
        };
        Ok(Self(Arc::new(shared)))
    }

    /// Takes something to store, in order, and acknowledges it when it is.
    ///
    /// # Errors
    /// [`ServiceError::Closing`]: the writer is gone and stores nothing more, nor will it.
    pub fn record(&self, entry: Entry) -> Result<(), ServiceError> {
        self.0.writer.send(ToWriter::Entry(entry)).map_err(|_| ServiceError::Closing)
    }

    /// Takes a reload's settings, for what happens from now on and for what waits.
    pub fn update_settings(&self, settings: Settings) {
        self.0.settings.replace(settings);
        // A sender that is gone sends nothing more.
        self.0.sender.send(ToSender::Settings(self.0.settings.get())).unwrap_or_default();
    }

    /// Selected callbacks, the newest first, those before `before`, at most `limit`.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn history(
        &self,
        selection: Selection,
        before: Option<CallbackNumber>,
        limit: u32,
    ) -> Result<Vec<CallbackRow>, ServiceError> {
        self.flush().await;
        read(&self.0.operator, move |reader| reader.history(&selection, before, limit)).await
    }

    /// One callback.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn callback(
        &self,
        number: CallbackNumber,
    ) -> Result<Option<CallbackRow>, ServiceError> {
        self.flush().await;
        read(&self.0.operator, move |reader| reader.callback(number)).await
    }

    /// Sends selected callbacks again that have ended, the oldest first, at most
    /// [`odeum_store::SELECTED_MAX`]. They keep their `webhook-id`.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn replay(&self, selection: Selection) -> Result<Replayed, ServiceError> {
        let Selected { numbers, more } = self.select(selection, Which::Ended).await?;
        let callbacks = self.ask(|reply| ToWriter::Replay { numbers, reply }).await?;
        Ok(Replayed { callbacks, more })
    }

    /// Gives up selected callbacks that wait, the oldest first, at most
    /// [`odeum_store::SELECTED_MAX`]. One that is on its way may still arrive.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn give_up(&self, selection: Selection) -> Result<Dropped, ServiceError> {
        let Selected { numbers, more } = self.select(selection, Which::Waiting).await?;
        let numbers = self.ask(|reply| ToWriter::Drop { numbers, reply }).await?;
        Ok(Dropped { numbers, more })
    }

    /// When the newest stream of this name came and, if it has closed, went; kept as long as the
    /// history.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn stream_times(
        &self,
        app: AppId,
        stream: StreamId,
    ) -> Result<Option<(UnixMillis, Option<UnixMillis>)>, ServiceError> {
        read(&self.0.reader, move |reader| reader.stream_times(app, &stream)).await
    }

    /// The header `webhook-id` of a callback.
    pub fn webhook_id(&self, number: CallbackNumber) -> String {
        webhook_id(&self.0.identity, number)
    }

    /// What is counted.
    pub fn statistics(&self) -> CallbackStatistics {
        self.0.counters.copy()
    }

    /// Ends the service: what was handed in is stored, attempts under way have until `deadline`,
    /// and what still waits is sent after the next start.
    pub async fn shutdown(&self, deadline: Duration) {
        self.flush().await;
        self.0.sender.send(ToSender::Stop).unwrap_or_default();
        let sending = self.0.sending.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut sending) = sending
            && tokio::time::timeout(deadline, &mut sending).await.is_err()
        {
            warn!("attempts that are under way are given up; they are made again");
            sending.abort();
        }
        let (reply, stopped) = oneshot::channel();
        if self.0.writer.send(ToWriter::Stop(reply)).is_ok() {
            // A writer that broke down has closed the store as well.
            stopped.await.unwrap_or_default();
        }
    }

    /// Waits until what was handed in before is stored, or could not be.
    async fn flush(&self) {
        let (reply, flushed) = oneshot::channel();
        if self.0.writer.send(ToWriter::Flush(reply)).is_ok() {
            flushed.await.unwrap_or_default();
        }
    }

    async fn ask<R>(
        &self,
        message: impl FnOnce(oneshot::Sender<Result<R, StoreError>>) -> ToWriter,
    ) -> Result<R, ServiceError> {
        let (reply, answer) = oneshot::channel();
        self.0.writer.send(message(reply)).map_err(|_| ServiceError::Closing)?;
        Ok(answer.await.map_err(|_| ServiceError::Closing)??)
    }

    /// Finds selected callbacks without holding up the writer.
    async fn select(&self, selection: Selection, which: Which) -> Result<Selected, ServiceError> {
        self.flush().await;
        read(&self.0.operator, move |reader| reader.select(&selection, which)).await
    }
}

async fn read<R: Send + 'static>(
    reader: &Arc<Mutex<Reader>>,
    look: impl FnOnce(&Reader) -> Result<R, StoreError> + Send + 'static,
) -> Result<R, ServiceError> {
    let reader = Arc::clone(reader);
    let read = tokio::task::spawn_blocking(move || {
        look(&reader.lock().unwrap_or_else(PoisonError::into_inner))
    });
    // A look-up ends early only when the runtime goes down.
    Ok(read.await.map_err(|_| ServiceError::Closing)??)
}
