//! `k2-feed health`: whether a running engine is well, for whoever restarts it.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use url::Url;

use crate::config::Http;
use crate::http::client::{Client, parse_url};
use crate::http::{LIVE, READY};
use crate::outcome::Outcome;

/// Ask a running engine whether it is well: exit code 0 if it is, 1 with the reasons if not.
///
/// Well is one whose cores make progress (/livez); with --ready, one that also has its subscriptions, a broker and its schema
/// (/readyz).
#[derive(Debug, Args)]
pub struct HealthArgs {
    /// Where the engine listens (http.listen): by default as K2_HTTP_LISTEN says here.
    #[arg(long, default_value_t = Http::here(), value_parser = parse_url)]
    pub url: Url,
    /// Ask whether it is ready, too.
    #[arg(long)]
    pub ready: bool,
}

/// Asks, and prints the answer.
///
/// # Errors
/// If there is none.
pub fn run(args: &HealthArgs) -> anyhow::Result<ExitCode> {
    let path = if args.ready { READY } else { LIVE };
    let client = Client::new(&args.url);
    let (status, words) = client.get(path).with_context(|| {
        let url = client.url(path);
        format!("{url} does not answer: the engine does not run, or listens elsewhere (http.listen, K2_HTTP_LISTEN)")
    })?;
    print!("{words}");
    Ok(if status == 200 { Outcome::Complete } else { Outcome::Lost }.into())
}
