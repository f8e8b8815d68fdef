//! Speaking HTTP to a server, as a client that gives nothing away: where it may send, what goes along, and one request.
//!
//! The only place that reaches the network and that knows `ureq`. Nothing here decides what is sent or whether it is tried
//! again. What the user keeps secret is in [`Headers`] alone: they are never shown, and taken out of whatever a server says.

mod address;
mod client;
mod headers;

pub use address::Address;
pub use client::{Answer, Client, Unreached};
pub use headers::Headers;
