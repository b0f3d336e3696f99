//! Messages and extra infos on their way to a room, from clients and from backends. They make no
//! events, so that they pass while events cannot be stored.

use std::sync::Arc;

use odeum_room::{
    BackendSender, BarrageError, BarrageId, BroadcastError, CommandSent, CommandTargets,
    ExtraInfoKey, ExtraInfoValue, MessageCategory, MessageId, MessageText, Room, SendCommandError,
    SetRoomExtraInfoError, SetStreamExtraInfoError,
};
use odeum_types::{AppId, RoomId, StreamId, UnixMillis};

use crate::error::CommandError;
use crate::handle::{NodeHandle, SessionRef};

impl NodeHandle {
    /// A client broadcasts a message.
    ///
    /// # Errors
    /// As [`NodeHandle::heartbeat`].
    pub async fn broadcast(
        &self,
        session: &SessionRef,
        text: MessageText,
    ) -> Result<Result<MessageId, BroadcastError>, CommandError> {
        let id = session.session;
        self.on_room(session, move |now, room, _| room.broadcast(now, id, text)).await
    }

    /// A client sends a barrage message.
    ///
    /// # Errors
    /// As [`NodeHandle::heartbeat`].
    pub async fn barrage(
        &self,
        session: &SessionRef,
        text: MessageText,
    ) -> Result<Result<BarrageId, BarrageError>, CommandError> {
        let id = session.session;
        self.on_room(session, move |now, room, _| room.barrage(now, id, text)).await
    }

    /// A client sends a custom command.
    ///
    /// # Errors
    /// As [`NodeHandle::heartbeat`].
    pub async fn send_command(
        &self,
        session: &SessionRef,
        targets: CommandTargets,
        text: MessageText,
    ) -> Result<Result<CommandSent, SendCommandError>, CommandError> {
        let id = session.session;
        self.on_room(session, move |now, room, _| room.send_command(now, id, targets, text)).await
    }

    /// A client sets its room's extra info.
    ///
    /// # Errors
    /// As [`NodeHandle::heartbeat`].
    pub async fn set_room_extra_info(
        &self,
        session: &SessionRef,
        key: ExtraInfoKey,
        value: ExtraInfoValue,
    ) -> Result<Result<(), SetRoomExtraInfoError>, CommandError> {
        let id = session.session;
        self.on_room(session, move |now, room, _| room.set_extra_info(now, id, key, value)).await
    }

    /// A client sets the extra info, at most 1,024 bytes, of a stream of its own.
    ///
    /// # Errors
    /// As [`NodeHandle::heartbeat`].
    pub async fn set_stream_extra_info(
        &self,
        session: &SessionRef,
        stream: StreamId,
        extra_info: Arc<str>,
    ) -> Result<Result<(), SetStreamExtraInfoError>, CommandError> {
        let id = session.session;
        self.on_room(session, move |now, room, _| {
            room.set_stream_extra_info(now, id, &stream, extra_info)
        })
        .await
    }

    /// A backend broadcasts a message.
    ///
    /// # Errors
    /// [`CommandError`]; never `EventsFull`.
    pub async fn broadcast_for_backend(
        &self,
        app: AppId,
        room: &RoomId,
        sender: BackendSender,
        text: MessageText,
    ) -> Result<MessageId, CommandError> {
        let send = move |now, room: &mut Room| room.broadcast_for_backend(now, sender, text);
        self.for_backend(app, room, send).await
    }

    /// A backend sends a barrage message.
    ///
    /// # Errors
    /// [`CommandError`]; never `EventsFull`.
    pub async fn barrage_for_backend(
        &self,
        app: AppId,
        room: &RoomId,
        sender: BackendSender,
        category: MessageCategory,
        text: MessageText,
    ) -> Result<BarrageId, CommandError> {
        let send =
            move |now, room: &mut Room| room.barrage_for_backend(now, sender, category, text);
        self.for_backend(app, room, send).await
    }

    /// A backend sends a custom command.
    ///
    /// # Errors
    /// [`CommandError`]; never `EventsFull`.
    pub async fn send_command_for_backend(
        &self,
        app: AppId,
        room: &RoomId,
        sender: BackendSender,
        targets: CommandTargets,
        text: MessageText,
    ) -> Result<CommandSent, CommandError> {
        let send = move |_, room: &mut Room| room.send_command_for_backend(sender, targets, text);
        self.for_backend(app, room, send).await
    }

    async fn for_backend<R: Send + 'static>(
        &self,
        app: AppId,
        room: &RoomId,
        send: impl FnOnce(UnixMillis, &mut Room) -> R + Send + 'static,
    ) -> Result<R, CommandError> {
        self.shared.admit_without_events()?;
        self.run_admitted((app, room.clone()), move |now, room, _| send(now, room)).await
    }
}
