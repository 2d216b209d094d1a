//! Measures videostream, its peers and the floor under all of them on the same stream.
//!
//! ```text
//! compare ─► servers ─► programs        one core: a server
//!    │          └─────► process         the others: videostream load
//!    ├─► load ─────────────┘
//!    ├─► search           how many viewers one core holds
//!    └─► runs, table, chart, machine    what is told
//! constrained ─► servers under a limit, search, cell
//! ```
//!
//! The binaries `floor`, `tokio-tungstenite` and `fastwebsockets` are servers, and so are
//! `node-ws/` and Icecast, which `icecast.xml` sets up.

pub mod bridge;
pub mod cell;
pub mod chart;
pub mod limit;
pub mod load;
pub mod machine;
pub mod process;
pub mod programs;
pub mod relay;
pub mod runs;
pub mod search;
pub mod servers;
pub mod table;
