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

/// Whether a character shows something in a line: no space, no control character, nothing that only turns or joins others.
///
/// Source: Unicode 16, general category Cf, as far as it is for all scripts.
fn is_seen(character: char) -> bool {
    let is_format = matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    );
    !(is_format || character.is_whitespace() || character.is_control())
}
