//! Requests that say something to others: messages, commands, extra infos.

use odeum_proto::signal::{self as wire, ClientMessage, Reply};

use super::{RequestError, Signalling};

impl Signalling {
    /// Says something to all others, reliably.
    ///
    /// # Errors
    /// As [`RequestError`] says.
    pub async fn broadcast(&self, room_id: &str, message: &str) -> Result<(), RequestError> {
        let message = self.send_message(room_id, message);
        self.done(message.request_id, ClientMessage::SendBroadcastMessage(message)).await
    }

    /// Says something to all others that may be lost.
    ///
    /// # Errors
    /// As [`RequestError`] says.
    pub async fn barrage(&self, room_id: &str, message: &str) -> Result<(), RequestError> {
        let message = self.send_message(room_id, message);
        self.done(message.request_id, ClientMessage::SendBarrageMessage(message)).await
    }

    /// Sends a command to these users, or to all when there are none; gives those who are not
    /// there.
    ///
    /// # Errors
    /// As [`RequestError`] says.
    pub async fn send_command(
        &self,
        room_id: &str,
        command: &str,
        to_user_ids: &[&str],
    ) -> Result<Vec<String>, RequestError> {
        let request_id = self.next_id();
        let message = ClientMessage::SendCustomCommand(wire::SendCustomCommand {
            request_id,
            room_id: room_id.to_owned(),
            command: command.to_owned(),
            to_user_ids: to_user_ids.iter().map(|user| (*user).to_owned()).collect(),
        });
        match self.request(request_id, &message).await? {
            Reply::CommandSent(sent) => Ok(sent.offline_user_ids),
            Reply::LoggedIn(_)
            | Reply::Resumed(_)
            | Reply::Answer(_)
            | Reply::IceRestarted(_)
            | Reply::Done { .. } => Err(RequestError::WrongReply),
        }
    }

    /// Sets the room's extra info.
    ///
    /// # Errors
    /// As [`RequestError`] says.
    pub async fn set_room_extra_info(
        &self,
        room_id: &str,
        key: &str,
        value: &str,
    ) -> Result<(), RequestError> {
        let request_id = self.next_id();
        let message = ClientMessage::SetRoomExtraInfo(wire::SetRoomExtraInfo {
            request_id,
            room_id: room_id.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
        });
        self.done(request_id, message).await
    }

    /// Sets the extra info of a stream that the session publishes.
    ///
    /// # Errors
    /// As [`RequestError`] says.
    pub async fn set_stream_extra_info(
        &self,
        room_id: &str,
        stream_id: &str,
        extra_info: &str,
    ) -> Result<(), RequestError> {
        let request_id = self.next_id();
        let message = ClientMessage::SetStreamExtraInfo(wire::SetStreamExtraInfo {
            request_id,
            room_id: room_id.to_owned(),
            stream_id: stream_id.to_owned(),
            extra_info: extra_info.to_owned(),
        });
        self.done(request_id, message).await
    }

    fn send_message(&self, room_id: &str, message: &str) -> wire::SendMessage {
        wire::SendMessage {
            request_id: self.next_id(),
            room_id: room_id.to_owned(),
            message: message.to_owned(),
        }
    }
}
