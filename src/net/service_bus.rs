//! The bus as the loop sees it: there with `--nats`, in a build that has the cargo feature `nats`.

#[cfg(feature = "nats")]
use super::bus::{Bus, Came};
use super::socket::TcpSocket;
use crate::config;
use crate::hub::Hub;
use mio::Waker;
use std::io;
use std::sync::Arc;

/// `None` without `--nats`.
#[derive(Debug)]
pub struct ServiceBus(#[cfg(feature = "nats")] Option<Bus>);

#[cfg(not(feature = "nats"))]
impl ServiceBus {
    /// The configuration has refused the option.
    pub fn start(_: Option<&config::Nodes>, _: &Arc<Waker>) -> io::Result<ServiceBus> {
        Ok(ServiceBus())
    }

    pub fn take_news(&self, _: &mut Hub<TcpSocket>) {}

    pub fn send(&self, _: &mut Hub<TcpSocket>) {}

    pub fn finish(&mut self, _: &mut Hub<TcpSocket>) {}
}

#[cfg(feature = "nats")]
impl ServiceBus {
    pub fn start(options: Option<&config::Nodes>, waker: &Arc<Waker>) -> io::Result<ServiceBus> {
        let start = |options| Bus::start(options, waker.clone());
        Ok(ServiceBus(options.map(start).transpose()?))
    }

    /// Before the hub's turn: what has come.
    pub fn take_news(&self, hub: &mut Hub<TcpSocket>) {
        let Some(bus) = &self.0 else {
            return;
        };
        bus.begin_turn();
        hub.set_bus_room(bus.room(), bus.take_dropped());
        while let Some(came) = bus.poll() {
            match came {
                Came::Connected(max_payload) => hub.bus_connected(max_payload),
                Came::Disconnected => hub.bus_disconnected(),
                Came::Message(message) => hub.bus_came(message),
            }
        }
    }

    /// After it: what is to go out.
    pub fn send(&self, hub: &mut Hub<TcpSocket>) {
        if let Some(bus) = &self.0 {
            hub.poll_bus()
                .into_iter()
                .for_each(|action| bus.send(action));
        }
    }

    /// Tells the other nodes that this node leaves.
    pub fn finish(&mut self, hub: &mut Hub<TcpSocket>) {
        self.send(hub);
        if let Some(bus) = &mut self.0 {
            bus.finish();
        }
    }
}
