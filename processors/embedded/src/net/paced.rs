//! Reading and writing with an eye on the clock: who stands still in the middle is not waited for without end.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::places::Place;

/// Reads some bytes into the buffer; 0 at the end.
///
/// # Errors
/// None came in time, or what the system says.
pub(crate) async fn read_some(
    input: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    within: Duration,
    place: &Place,
) -> io::Result<usize> {
    let read = timeout(within, input.read_buf(buffer)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    place.moved(read);
    Ok(read)
}

/// Writes everything.
///
/// # Errors
/// Nothing was taken for `within`, or what the system says.
pub(crate) async fn write_all(
    output: &mut (impl AsyncWrite + Unpin),
    mut bytes: &[u8],
    within: Duration,
    place: &Place,
) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = timeout(within, output.write(bytes)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        place.moved(written);
        bytes = &bytes[written..];
    }
    Ok(())
}
