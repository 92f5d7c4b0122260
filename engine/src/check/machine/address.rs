//! Whether the address of metrics, health and status can be had.

use std::io::{self, ErrorKind};
use std::net::TcpListener;

use crate::check::point::Point;
use crate::config::Http;

const POINT: &str = "http.listen";

/// Listens there for a moment.
pub(super) fn look(http: &Http) -> Point {
    match http.listen {
        Some(address) => judge(http, TcpListener::bind(address).map(drop), &address.to_string()),
        None => Point::fine(POINT, "off: no metrics, health and status"),
    }
}

/// As `run` takes it: without the usual address it starts all the same.
fn judge(http: &Http, listened: io::Result<()>, address: &str) -> Point {
    match listened {
        Ok(()) => Point::fine(POINT, format!("{address} is free")),
        Err(error) if http.listen == Some(Http::USUAL) && error.kind() == ErrorKind::AddrInUse => {
            Point::doubtful(POINT, format!("{address} is taken: no metrics, health and status"))
                .advising("name another address, or \"off\" (K2_HTTP_LISTEN), unless it is the engine itself that runs")
        }
        Err(error) => Point::wrong(POINT, format!("{address}: {error}"))
            .advising("name another address, or \"off\" (K2_HTTP_LISTEN)"),
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
        let usual = Http { listen: Some(Http::USUAL) };
        let point = judge(&usual, Err(ErrorKind::AddrInUse.into()), "127.0.0.1:9090");
        assert!(point.verdict == Verdict::Doubtful && point.advice.is_some(), "{point:?}");
    }
}
