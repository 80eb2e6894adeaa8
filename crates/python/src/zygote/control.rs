//! What a server and its zygote say to each other: packets of JSON, one of which brings a socket.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::retry_on_intr;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::wire::Ended;

/// Bytes of the longest packet.
const LONGEST: usize = 1 << 10;

/// From the server. The number is the server's name for a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToZygote {
    /// Fork a worker, which gets the socket that comes with this.
    Fork(u64),
    /// End this worker.
    Kill(u64),
}

/// From the zygote, which runs nothing but code of this program, and so is believed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromZygote {
    /// First of all: ready to fork.
    Ready,
    /// First of all, for a reason: forking is not possible here.
    Unable(String),
    /// A worker was forked, with this process id.
    Forked(u64, i32),
    /// A worker has ended and been waited for, or could not be forked.
    Ended(u64, Ended),
}

/// Two connected sockets that keep packets apart.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// Sends a packet, with a descriptor or without.
pub(crate) fn send(
    socket: impl AsFd,
    message: &impl Serialize,
    descriptor: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let packet = serde_json::to_vec(message)?;
    let descriptors = descriptor.as_slice();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    retry_on_intr(|| {
        let packet = [IoSlice::new(&packet)];
        sendmsg(&socket, &packet, &mut ancillary, SendFlags::NOSIGNAL)
    })?;
    Ok(())
}

/// Receives a packet and what came with it; `None` when the other side is gone.
pub(crate) fn receive<T: DeserializeOwned>(
    socket: impl AsFd,
) -> io::Result<Option<(T, Option<OwnedFd>)>> {
    let mut packet = [0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = retry_on_intr(|| {
        let mut packet = [IoSliceMut::new(&mut packet)];
        recvmsg(
            &socket,
            &mut packet,
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )
    })?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let descriptor = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let message = serde_json::from_slice(&packet[..received.bytes])?;
    Ok(Some((message, descriptor)))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_packet_brings_its_socket_and_an_end_is_one() {
        let (ours, theirs) = pair().unwrap();
        let (mut near, far) = UnixStream::pair().unwrap();
        send(&ours, &ToZygote::Fork(7), Some(far.as_fd())).unwrap();
        send(&ours, &ToZygote::Kill(8), None).unwrap();
        drop((ours, far));
        let Some((ToZygote::Fork(7), Some(socket))) = receive(&theirs).unwrap() else {
            panic!("not what was sent");
        };
        UnixStream::from(socket).write_all(b"x").unwrap();
        let mut text = String::new();
        near.read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");
        let second = receive(&theirs).unwrap();
        assert!(matches!(second, Some((ToZygote::Kill(8), None))));
        assert!(receive::<ToZygote>(&theirs).unwrap().is_none());
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        let (ours, theirs) = pair().unwrap();
        send(&ours, &"Fork", None).unwrap();
        assert!(receive::<ToZygote>(&theirs).is_err());
    }
}
