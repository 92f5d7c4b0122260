//! The protocols that the engine speaks: an exchange has one or two.

use std::fmt;

use url::Url;

use super::{Endpoint, Facts, History, Instrument, Subscription, Venue, subscription};
use crate::instruments::Pair;
use crate::nearest::nearest;

/// Something that is done for one protocol, with its code compiled in.
pub trait Visit {
    /// What comes of it.
    type Output;

    /// Does it for `V`.
    fn visit<V: Venue>(self) -> Self::Output;
}

/// Makes [`Protocol`] of the list of all venues. The first of an exchange is its default.
macro_rules! protocols {
    ($($(#[$doc:meta])* $name:ident => $venue:ty,)*) => {
        /// A protocol of an exchange.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Protocol {
            $($(#[$doc])* $name,)*
        }

        impl Protocol {
            /// All protocols. The first of an exchange is its default.
            pub const ALL: &[Protocol] = &[$(Protocol::$name,)*];

            /// What is to be known of it.
            pub fn facts(self) -> &'static Facts {
                match self {
                    $(Protocol::$name => &<$venue>::FACTS,)*
                }
            }

            /// The exchange's trades of the past, where it tells them.
            pub fn history(self) -> Option<History> {
                match self {
                    $(Protocol::$name => <$venue>::HISTORY,)*
                }
            }

            /// Does something with the protocol's own code.
            pub fn visit<T: Visit>(self, visitor: T) -> T::Output {
                match self {
                    $(Protocol::$name => visitor.visit::<$venue>(),)*
                }
            }
        }
    };
}

protocols! {
    /// Binance spot.
    BinanceSpot => super::binance::Binance,
    /// Binance USD-M futures.
    BinanceUsdm => super::binance_usdm::BinanceUsdm,
    /// Kraken's WebSocket API v2.
    KrakenV2 => super::kraken_v2::KrakenV2,
    /// Kraken's WebSocket API v1.
    KrakenV1 => super::kraken_v1::KrakenV1,
    /// Coinbase Advanced Trade.
    CoinbaseAdvanced => super::coinbase_advanced::CoinbaseAdvanced,
    /// Coinbase Exchange.
    CoinbaseExchange => super::coinbase_exchange::CoinbaseExchange,
    /// Bybit v5.
    Bybit => super::bybit::Bybit,
    /// OKX v5.
    Okx => super::okx::Okx,
}

impl Protocol {
    /// The exchange's name in configuration, topics and records.
    pub fn exchange(self) -> &'static str {
        self.facts().exchange
    }

    /// The protocol's name among those of its exchange.
    pub fn name(self) -> &'static str {
        self.facts().protocol
    }

    /// The protocol of `exchange` that is named, or else the one that the address `url` is of, or else the default.
    ///
    /// # Errors
    /// A sentence that names what is not known, and what was probably meant.
    pub fn find(exchange: &str, named: Option<&str>, url: Option<&Url>) -> Result<Protocol, String> {
        let exchanges = || unique(Protocol::ALL.iter().map(|protocol| protocol.exchange()));
        let protocols: Vec<_> = Protocol::ALL.iter().copied().filter(|other| other.exchange() == exchange).collect();
        let Some(default) = protocols.first().copied() else {
            return Err(unknown("exchange", exchange, &exchanges()));
        };
        match (named, url) {
            (Some(named), _) => protocols.iter().copied().find(|protocol| protocol.name() == named).ok_or_else(|| {
                let names: Vec<_> = protocols.iter().map(|protocol| protocol.name()).collect();
                unknown(&format!("{exchange}'s protocol"), named, &names)
            }),
            (None, Some(url)) => {
                Ok(protocols.into_iter().find(|protocol| (protocol.facts().serves)(url)).unwrap_or(default))
            }
            (None, None) => Ok(default),
        }
    }

    /// See [`Venue::instrument`].
    ///
    /// # Errors
    /// A sentence that names the symbol and the way out.
    pub fn instrument(self, symbol: &str, pair: Option<Pair<'_>>) -> Result<Instrument, String> {
        struct Named<'a>(&'a str, Option<Pair<'a>>);
        impl Visit for Named<'_> {
            type Output = Result<Instrument, String>;
            fn visit<V: Venue>(self) -> Self::Output {
                V::instrument(self.0, self.1)
            }
        }
        self.visit(Named(symbol, pair))
    }

    /// Spreads `instruments` over connections, as few as the exchange's limits allow.
    ///
    /// # Errors
    /// A sentence that names what is wrong with the address, and the way out.
    pub fn subscriptions(self, endpoint: &Endpoint, instruments: &[Instrument]) -> Result<Vec<Subscription>, String> {
        struct Spread<'a>(&'a Endpoint, &'a [Instrument]);
        impl Visit for Spread<'_> {
            type Output = Result<Vec<Subscription>, String>;
            fn visit<V: Venue>(self) -> Self::Output {
                subscription::spread::<V>(self.0, self.1)
            }
        }
        self.visit(Spread(endpoint, instruments))
    }
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut unique: Vec<&str> = Vec::new();
    names.for_each(|name| {
        if !unique.contains(&name) {
            unique.push(name);
        }
    });
    unique
}

fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let list = known.join(", ");
    match nearest(name, known.iter().copied()) {
        Some(nearest) => format!("{what} {name:?} is not known, did you mean {nearest:?}? Known are: {list}"),
        None => format!("{what} {name:?} is not known. Known are: {list}"),
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.exchange(), self.name())
    }
}
