//! `[http]`: where a running engine is looked at.

use std::net::SocketAddr;

use crate::config::error::Section;
use crate::config::{Http, file};

/// Instead of an address: nothing listens.
const OFF: &str = "off";

/// Fills in defaults and checks every value.
pub(super) fn resolve(given: &file::Http, section: &mut Section<'_>) -> Http {
    let Some(text) = given.listen.as_deref() else { return Http { listen: Some(Http::USUAL) } };
    match text.parse::<SocketAddr>() {
        _ if text == OFF => Http { listen: None },
        Ok(address) => Http { listen: Some(address) },
        Err(_) => {
            let what = format!("write an address with its port, such as {} or 0.0.0.0:9090, or {OFF:?}", Http::USUAL);
            section.wrong("listen", format!("{text:?}"), what);
            Http { listen: None }
        }
    }
}
