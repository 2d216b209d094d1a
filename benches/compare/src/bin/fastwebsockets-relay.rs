//! A relay on fastwebsockets and hyper, with their defaults.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use fastwebsockets::{FragmentCollectorRead, Frame, OpCode, Payload, WebSocketError};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use videostream_compare::relay::{self, Air, is_publisher};

fn main() -> anyhow::Result<()> {
    relay::run(serve)
}

async fn serve(socket: TcpStream, air: Arc<Air>) -> anyhow::Result<()> {
    let service = service_fn(|request| answer(request, air.clone()));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
    Ok(connection.with_upgrades().await?)
}

async fn answer(
    mut request: Request<Incoming>,
    air: Arc<Air>,
) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let publishes = is_publisher(request.uri().path());
    let (response, socket) = upgrade(&mut request)?;
    tokio::spawn(relay(socket, publishes, air));
    Ok(response)
}

async fn relay(socket: UpgradeFut, publishes: bool, air: Arc<Air>) -> anyhow::Result<()> {
    let (reader, mut writer) = socket.await?.split(tokio::io::split);
    let mut reader = FragmentCollectorRead::new(reader);
    // Pings are not answered: nobody sends any here.
    let mut say_nothing = |_| async { Ok::<(), Infallible>(()) };
    if publishes {
        while let Ok(frame) = reader.read_frame(&mut say_nothing).await {
            match frame.opcode {
                OpCode::Binary => air.publish(Vec::from(frame.payload).into()),
                OpCode::Close => break,
                _ => {}
            }
        }
        air.end();
        return Ok(());
    }
    let mut seat = air.join();
    let write = async {
        while let Some(bytes) = seat.next().await {
            let frame = Frame::binary(Payload::Borrowed(&bytes));
            writer.write_frame(frame).await?;
        }
        anyhow::Ok(())
    };
    let read = async {
        while let Ok(frame) = reader.read_frame(&mut say_nothing).await {
            if frame.opcode == OpCode::Close {
                break;
            }
        }
    };
    tokio::select! {
        written = write => written,
        () = read => Ok(()),
    }
}
