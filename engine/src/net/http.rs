//! What all HTTP clients share.

use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;

/// A client's settings: any status is an answer, and a redirect is not followed, since an API does not move. Requests are
/// rare, and the other side may have closed by the next, so no connection is kept.
pub fn config() -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        .user_agent(concat!("k2-feed/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_connections(0)
}

/// The beginning of a foreign text on one line, so that an HTML page does not fill the terminal: so many characters.
pub fn excerpt(text: &str, chars: usize) -> String {
    let mut words = String::new();
    for word in text.split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
        if let Some((cut, _)) = words.char_indices().nth(chars) {
            words.truncate(cut);
            words.push('…');
            break;
        }
    }
    if words.is_empty() { "(empty)".to_owned() } else { words }
}
