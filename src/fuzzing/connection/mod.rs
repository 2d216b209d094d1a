//! A whole connection of a viewer or a publisher, mostly a WebSocket, to the hub that serves.
//!
//! ```text
//! script ─► Step ─► Stage { Hub<ServerEnd>, Line } ─► bytes ─► verdict
//!                     └─ what the peer sent ─► frames::read_client ──┘
//! ```
//!
//! - `script`: what an input says; `stage`: the hub, the peer, and the time.
//! - `verdict`: whether that is as promised; `order`: whether media came in theirs.

mod order;
mod script;
mod stage;
mod verdict;

use arbitrary::{Arbitrary, Result, Unstructured};
use script::{Role, Step};
use stage::Stage;

/// Whatever a peer sends and whenever its socket takes or brings how much, it is answered as RFC
/// 6455 says; the frames that come out are whole, media and control frames each in their order;
/// and what a viewer has is a valid stream.
///
/// The input is a script: a byte for the role, a byte for the ring, what comes with the request (a
/// byte for its length, and its bytes), then steps.
pub fn connection(input: &[u8]) {
    // Only a script that is over ends early.
    let _ = act(&mut Unstructured::new(input));
}

fn act(script: &mut Unstructured) -> Result<()> {
    let role = Role::arbitrary(script)?;
    let ring: u8 = script.arbitrary()?;
    let length = usize::from(script.arbitrary::<u8>()? % 32).min(script.len());
    let mut stage = Stage::new(role, ring, script.bytes(length)?);
    while !script.is_empty() {
        stage.step(Step::arbitrary(script)?);
    }
    stage.finish();
    Ok(())
}
