//! A relay on tokio-tungstenite, with its defaults.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use videostream_compare::relay::{self, Air, is_publisher};

fn main() -> anyhow::Result<()> {
    relay::run(serve)
}

async fn serve(socket: TcpStream, air: Arc<Air>) -> anyhow::Result<()> {
    let mut publishes = false;
    #[expect(clippy::result_large_err, reason = "the library's own type")]
    let look = |request: &Request, response: Response| {
        publishes = is_publisher(request.uri().path());
        Ok(response)
    };
    let (mut writer, mut reader) = accept_hdr_async(socket, look).await?.split();
    if publishes {
        while let Some(Ok(message)) = reader.next().await {
            if let Message::Binary(bytes) = message {
                air.publish(bytes);
            }
        }
        air.end();
        return Ok(());
    }
    let mut seat = air.join();
    let write = async {
        while let Some(bytes) = seat.next().await {
            writer.send(Message::Binary(bytes)).await?;
        }
        anyhow::Ok(())
    };
    // Also answers pings.
    let read = async { while let Some(Ok(_)) = reader.next().await {} };
    tokio::select! {
        written = write => written,
        () = read => Ok(()),
    }
}
