//! Listening sockets that were there before this process: a service manager's, or those of the
//! process that it takes over from.
//!
//! A service manager hands them over as descriptors from 3 on (`LISTEN_FDS`, see
//! `sd_listen_fds(3)`). Then they are what is served on, in place of `--listen`.
//!
//! A predecessor sends them over a socket that it has made our standard input, in one message:
//!
//! ```text
//! predecessor                                      this process
//!   {"activated": …, "listeners": ["127.0.0.1:0"], …} + descriptors ─►  Reactor::new
//!   ◄────────────────────────────────────────────────────── "ready"     it listens
//! ```
//!
//! Each socket is named by the address in the options, so that port 0 finds its socket again, and a
//! changed configuration finds the sockets that it still has.

use super::ServeError;
use crate::config::{Options, SelfSigned};
use crate::secret::Secret;
use listenfd::ListenFd;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Marks a process whose standard input leads to its predecessor, and has the predecessor's number:
/// later processes inherit the variable too, but have another parent.
pub const PREDECESSOR: &str = "VIDEOSTREAM_PREDECESSOR";

/// What a process sends once it listens.
pub const READY: &[u8] = b"ready\n";

/// Sockets in one message: the kernel's own limit is 253.
const SOCKETS_MAX: usize = 64;

/// 64 addresses and what is around them are 3 KiB, a certificate for a dozen addresses is 2. One for
/// many hundreds is too much.
const MESSAGE_BYTES_MAX: usize = 16 << 10;

/// What was there before this process.
#[derive(Debug, Default)]
pub struct Inherited {
    /// By the address that the options name.
    sockets: Vec<(SocketAddr, TcpListener)>,
    /// Whether they are a service manager's.
    pub is_activated: bool,
    /// Made at random by a predecessor.
    random_publish_key: Option<Secret>,
    /// Made by it, too.
    self_signed: Option<SelfSigned>,
    predecessor: Option<UnixStream>,
}

/// What a process sends to the one that takes over.
#[derive(Debug, Serialize, Deserialize)]
pub struct HandOver {
    pub activated: bool,
    /// Beside the descriptors.
    pub listeners: Vec<SocketAddr>,
    pub random_publish_key: Option<String>,
    pub self_signed: Option<SelfSigned>,
}

impl Inherited {
    /// Takes what there is. To be called once, before anything else opens a descriptor.
    pub fn receive() -> Result<Inherited, ServeError> {
        let parent = std::os::unix::process::parent_id().to_string();
        if std::env::var(PREDECESSOR).is_ok_and(|pid| pid == parent) {
            return Inherited::from_predecessor().map_err(ServeError::Predecessor);
        }
        let mut descriptors = ListenFd::from_env();
        let mut sockets = Vec::new();
        for index in 0..descriptors.len() {
            let socket = descriptors.take_tcp_listener(index);
            if let Some(socket) = socket.map_err(ServeError::Activation)? {
                sockets.push((socket.local_addr()?, socket));
            }
        }
        Ok(Inherited {
            is_activated: !sockets.is_empty(),
            sockets,
            ..Inherited::default()
        })
    }

    fn from_predecessor() -> io::Result<Inherited> {
        let predecessor = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        let (said, descriptors) = HandOver::receive(&predecessor)?;
        let sockets = descriptors.into_iter().map(TcpListener::from);
        Ok(Inherited {
            sockets: said.listeners.into_iter().zip(sockets).collect(),
            is_activated: said.activated,
            random_publish_key: said.random_publish_key.map(Secret::new),
            self_signed: said.self_signed,
            predecessor: Some(predecessor),
        })
    }

    /// Sets the options that depend on the inherited sockets: who may publish depends on the
    /// addresses that we serve.
    pub fn apply(&self, options: &mut Options) {
        if self.is_activated {
            let addresses = self.sockets.iter().map(|&(address, _)| address);
            options.listen = Some(addresses.collect());
            options.is_activated = true;
        }
        options.handed_publish_key = self.random_publish_key.clone();
        options.handed_certificate = self.self_signed.clone();
    }

    /// The socket for this address, if there is one.
    pub fn take(&mut self, address: SocketAddr) -> Option<TcpListener> {
        let index = self.sockets.iter().position(|&(of, _)| of == address)?;
        // In their order: options that name the same port 0 find each its own.
        Some(self.sockets.remove(index).1)
    }

    /// The predecessor, which waits for our "ready".
    pub fn take_predecessor(&mut self) -> Option<UnixStream> {
        self.predecessor.take()
    }
}

/// Sends "ready" to the predecessor.
pub fn say_ready(mut predecessor: UnixStream) -> io::Result<()> {
    predecessor.write_all(READY)
}

impl HandOver {
    /// Sends it and the sockets, in one message.
    pub fn send(&self, to: &UnixStream, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
        let message = serde_json::to_vec(self)?;
        if sockets.len() > SOCKETS_MAX {
            return Err(io::Error::other(format!(
                "more than {SOCKETS_MAX} listeners"
            )));
        }
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(io::Error::other(format!(
                "a message of {} bytes, limit {MESSAGE_BYTES_MAX}",
                message.len()
            )));
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
        let mut descriptors = SendAncillaryBuffer::new(&mut space);
        descriptors.push(SendAncillaryMessage::ScmRights(sockets));
        let sent = sendmsg(
            to,
            &[IoSlice::new(&message)],
            &mut descriptors,
            SendFlags::NOSIGNAL,
        )?;
        if sent == message.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::WriteZero.into())
        }
    }

    fn receive(from: &UnixStream) -> io::Result<(HandOver, Vec<OwnedFd>)> {
        let mut message = vec![0; MESSAGE_BYTES_MAX];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(
            from,
            &mut [IoSliceMut::new(&mut message)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )?;
        let mut descriptors = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(more) = message {
                descriptors.extend(more);
            }
        }
        let said: HandOver = serde_json::from_slice(&message[..received.bytes])?;
        if said.listeners.len() != descriptors.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok((said, descriptors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener() -> (SocketAddr, TcpListener) {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        (socket.local_addr().unwrap(), socket)
    }

    #[test]
    fn sockets_arrive_together_with_their_message() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (addresses, sockets): (Vec<_>, Vec<_>) =
            [(); 3].map(|()| listener()).into_iter().unzip();
        let hand_over = HandOver {
            activated: false,
            listeners: addresses.clone(),
            random_publish_key: Some("k".into()),
            self_signed: None,
        };
        let descriptors: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
        hand_over.send(&ours, &descriptors).unwrap();
        drop(sockets);
        let (said, descriptors) = HandOver::receive(&theirs).unwrap();
        assert_eq!(said.random_publish_key.as_deref(), Some("k"));
        assert_eq!(said.listeners, addresses);
        for (address, descriptor) in addresses.into_iter().zip(descriptors) {
            let socket = TcpListener::from(descriptor);
            assert_eq!(socket.local_addr().unwrap(), address);
        }
    }

    #[test]
    fn sockets_with_the_same_requested_address_are_taken_in_order() {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let [(first, one), (second, two), (third, three)] = [(); 3].map(|()| listener());
        let mut inherited = Inherited {
            sockets: vec![(any, one), (any, two), (any, three)],
            ..Inherited::default()
        };
        assert!(inherited.take(first).is_none());
        let found = [(); 3].map(|()| inherited.take(any).unwrap().local_addr().unwrap());
        assert_eq!(found, [first, second, third]);
        assert!(inherited.take(any).is_none());
    }

    #[test]
    fn sockets_of_the_service_manager_replace_the_listen_option() {
        let (address, socket) = listener();
        let inherited = Inherited {
            sockets: vec![(address, socket)],
            is_activated: true,
            ..Inherited::default()
        };
        let mut options = Options::default();
        inherited.apply(&mut options);
        assert_eq!(options.listen, Some(vec![address]));
    }

    #[test]
    fn invalid_hand_over_is_refused() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(b"hello").unwrap();
        assert!(HandOver::receive(&theirs).is_err());
        // An address without its socket.
        let hand_over = HandOver {
            activated: false,
            listeners: vec!["127.0.0.1:80".parse().unwrap()],
            random_publish_key: None,
            self_signed: None,
        };
        hand_over.send(&ours, &[]).unwrap();
        assert!(HandOver::receive(&theirs).is_err());
    }
}
