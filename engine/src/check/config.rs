//! The configuration: all that `run --print-config` finds wrong.

use std::path::Path;

use super::point::{Group, Point};
use crate::config::{self, Config, ConfigErrors, Explained};
use crate::cores::CpuSet;
use crate::run;

const NAME: &str = "configuration";

/// Reads the configuration as `run` does. What is wrong with it is told; the configuration is there for the other groups
/// if only this machine is not as it wants.
pub(super) fn load(given: Option<&Path>) -> (Group, Option<Config>) {
    let file = run::file(given);
    let variables: Vec<_> = config::environment_variables().collect();
    let here = match CpuSet::available() {
        Ok(available) => Explained::load_here(file, variables.clone(), &available),
        Err(_) => Explained::load(file, variables.clone()),
    };
    let (points, config) = match here {
        Ok(explained) => (vec![Point::fine(NAME, summary(file, &explained.config))], Some(explained.config)),
        Err(ConfigErrors(errors)) => {
            let points = errors.into_iter().map(|error| Point::wrong(NAME, error)).collect();
            (points, Config::load(file, variables).ok())
        }
    };
    (Group { name: "config", points }, config)
}

fn summary(file: Option<&Path>, config: &Config) -> String {
    let from = file.map_or("defaults and environment".into(), |file| file.display().to_string());
    let symbols: usize = config.feeds.iter().map(|feed| feed.instruments().count()).sum();
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let all = [count(config.feeds.len(), "feed"), count(symbols, "symbol"), count(config.connections(), "connection")];
    format!("{from}: {}", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_summed_up() {
        let text = "[[feed]]\nexchange = \"binance\"\nsymbols = [\"BTCUSDT\", \"ETHUSDT\"]\nconnections = 2\n";
        let config = Config::parse("feed.toml", text).unwrap();
        assert_eq!(summary(Some(Path::new("feed.toml")), &config), "feed.toml: 1 feed, 2 symbols, 2 connections");
        assert!(summary(None, &config).starts_with("defaults and environment: "));
    }
}
