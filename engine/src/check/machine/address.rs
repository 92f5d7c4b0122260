//! Whether the address of metrics, health and status can be had.

use std::io;
use std::net::{SocketAddr, TcpListener};

use crate::check::point::Point;
use crate::config::Http;

const POINT: &str = "http.listen";

/// Listens there for a moment.
pub(super) fn look(http: &Http) -> Point {
    match http.listen {
        Some(address) => judge(address, TcpListener::bind(address).map(drop)),
        None => Point::fine(POINT, "off: no metrics, health and status"),
    }
}

fn judge(address: SocketAddr, listened: io::Result<()>) -> Point {
    match listened {
        Ok(()) => Point::fine(POINT, format!("{address} is free")),
        Err(error) if Http::goes_without(address, &error) => {
            Point::doubtful(POINT, format!("{address} is taken: no metrics, health and status"))
                .advising(format!("{}, unless it is the engine itself that runs", Http::WAY_OUT))
        }
        Err(error) => Point::wrong(POINT, format!("{address}: {error}")).advising(Http::WAY_OUT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::point::Verdict;

    #[test]
    fn an_address_that_was_chosen_must_be_free() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let chosen = Http { listen: Some(taken.local_addr().unwrap()) };
        let point = look(&chosen);
        assert!(point.verdict == Verdict::Wrong && point.found.contains("in use"), "{point:?}");
        drop(taken);
        assert_eq!(look(&chosen).verdict, Verdict::Fine);
        assert_eq!(look(&Http { listen: None }).verdict, Verdict::Fine);
        let point = judge(Http::USUAL, Err(io::ErrorKind::AddrInUse.into()));
        assert!(point.verdict == Verdict::Doubtful && point.advice.is_some(), "{point:?}");
    }
}
