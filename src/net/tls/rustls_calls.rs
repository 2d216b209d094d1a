//! rustls' unbuffered interface, with buffers that grow as it asks.

use super::bad;
use bytes::BytesMut;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError, WriteTraffic,
};
use std::io;

pub(super) type Encryptor<'a> = WriteTraffic<'a, ServerConnectionData>;

/// What encrypts. `incoming` is what rustls has seen already: it may keep places within it.
pub(super) fn encryptor<'a>(
    session: &'a mut UnbufferedServerConnection,
    incoming: &'a mut [u8],
) -> io::Result<Encryptor<'a>> {
    match session.process_tls_records(incoming).state.map_err(bad)? {
        ConnectionState::WriteTraffic(encryptor) => Ok(encryptor),
        // Both sides have sent their closing alert.
        _ => Err(io::ErrorKind::BrokenPipe.into()),
    }
}

/// Encrypts `plain` to `outgoing`, from `at` on. Returns how much it is there.
pub(super) fn seal(
    encryptor: &mut Encryptor,
    plain: &[u8],
    outgoing: &mut Vec<u8>,
    at: usize,
) -> io::Result<usize> {
    loop {
        match encryptor.encrypt(plain, &mut outgoing[at..]) {
            Ok(length) => return Ok(length),
            Err(EncryptError::InsufficientSize(InsufficientSizeError { required_size })) => {
                outgoing.resize(at + required_size, 0);
            }
            Err(error) => return Err(bad(error)),
        }
    }
}

/// Puts a message of the handshake behind what waits to be sent.
pub(super) fn encode(
    mut message: EncodeTlsData<'_, ServerConnectionData>,
    unsent: &mut BytesMut,
) -> io::Result<()> {
    let before = unsent.len();
    let mut length = 1024;
    loop {
        unsent.resize(before + length, 0);
        match message.encode(&mut unsent[before..]) {
            Ok(length) => {
                unsent.truncate(before + length);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => {
                length = required_size;
            }
            Err(error) => {
                unsent.truncate(before);
                return Err(bad(error));
            }
        }
    }
}
