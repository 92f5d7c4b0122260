//! Binance's messages, which its markets share.

use crate::trade::{Side, Trade, TradeId};
use crate::venue::field::{self, decimal, object, price, required, sequence_number, text};
use crate::venue::json::{Fields, Value};
use crate::venue::time::whole;
use crate::venue::{About, Control, Frame, Reject, Symbols};

/// The fields that make a trade, wherever they stood; the rest is passed over.
#[derive(Default)]
pub(in crate::venue) struct Message<'tape, 'frame> {
    data: Option<Value<'tape, 'frame>>,
    event: Option<Value<'tape, 'frame>>,
    pub(in crate::venue) symbol: Option<Value<'tape, 'frame>>,
    pub(in crate::venue) id: Option<Value<'tape, 'frame>>,
    price: Option<Value<'tape, 'frame>>,
    quantity: Option<Value<'tape, 'frame>>,
    time: Option<Value<'tape, 'frame>>,
    buyer_is_maker: Option<Value<'tape, 'frame>>,
    pub(in crate::venue) kind: Option<Value<'tape, 'frame>>,
    pub(in crate::venue) buyer_order: Option<Value<'tape, 'frame>>,
    /// Or the id of an aggregate.
    pub(in crate::venue) seller_order: Option<Value<'tape, 'frame>>,
}

impl<'tape, 'frame> Message<'tape, 'frame> {
    /// The message at the top level, or the one in a combined stream's envelope.
    #[inline]
    pub(in crate::venue) fn unwrap(root: Value<'tape, 'frame>) -> Result<(Value<'tape, 'frame>, Self), Reject> {
        let message = Message::read(object("frame", root)?);
        match message.data {
            Some(data) => Ok((data, Message::read(object("data", data)?))),
            None => Ok((root, message)),
        }
    }

    #[inline]
    fn read(fields: Fields<'tape, 'frame>) -> Self {
        let mut message = Message::default();
        for (key, value) in fields {
            match key.as_bytes() {
                b"e" => message.event = Some(value),
                b"s" => message.symbol = Some(value),
                b"t" => message.id = Some(value),
                b"p" => message.price = Some(value),
                b"q" => message.quantity = Some(value),
                b"T" => message.time = Some(value),
                b"m" => message.buyer_is_maker = Some(value),
                b"X" => message.kind = Some(value),
                // Spot's orders are not sent since June 2024, and in older recordings.
                b"b" => message.buyer_order = Some(value),
                b"a" => message.seller_order = Some(value),
                b"data" => message.data = Some(value),
                _ => {}
            }
        }
        message
    }

    #[inline]
    pub(in crate::venue) fn event(&self) -> Option<&'frame str> {
        self.event.and_then(Value::text)
    }

    /// The trade whose number is `id`, found in `id_field`.
    #[inline]
    pub(in crate::venue) fn trade(
        &self,
        id_field: &'static str,
        id: Option<Value<'_, 'frame>>,
        symbols: &Symbols,
        time_unit_ns: i64,
    ) -> Result<Trade<'frame>, Reject> {
        let (id, number) = sequence_number(id_field, id)?;
        let exchange_time_ns = whole("T", self.time, time_unit_ns)?;
        let buyer_is_maker = required("m", self.buyer_is_maker, Value::boolean, "true or false")?;
        Ok(Trade {
            instrument: symbols.find("s", text("s", self.symbol)?)?,
            id: TradeId::Number(id),
            price: price("p", self.price)?,
            quantity: decimal("q", self.quantity)?,
            side: if buyer_is_maker { Side::Sell } else { Side::Buy },
            exchange_time_ns,
            sequence: Some(number),
            is_buyer_maker: Some(buyer_is_maker),
            buyer_order_id: None,
            seller_order_id: None,
        })
    }
}

/// The fields of an answer to a request, which come rarely.
#[derive(Default)]
pub(in crate::venue) struct Answer<'tape, 'frame> {
    request: Option<Value<'tape, 'frame>>,
    result: bool,
    code: Option<Value<'tape, 'frame>>,
    words: Option<Value<'tape, 'frame>>,
    error: Option<Value<'tape, 'frame>>,
}

impl<'tape, 'frame> Answer<'tape, 'frame> {
    /// A frame that is no trade: an answer to a request, or nothing we know.
    #[cold]
    pub(in crate::venue) fn of(
        body: Value<'tape, 'frame>,
        message: &Message<'tape, 'frame>,
    ) -> Result<Frame<'frame>, Reject> {
        let answer = Answer::read(object("frame", body)?);
        let id = answer.request.and_then(Value::unsigned);
        // An error stands at the top level or in a field of its own, whose own fields are not looked into further.
        let (code, words) = match answer.error {
            Some(error) => {
                let error = Answer::read(object("error", error)?);
                (Some(error.code.ok_or_else(|| Reject::missing("code"))?), error.words)
            }
            None => (answer.code, answer.words),
        };
        let about = id.map_or(About::Oldest, About::Request);
        if let Some(code) = code {
            let code = required("code", Some(code), Value::number, "a number")?;
            let words = field::words(words);
            return Ok(Frame::Control(Control::Refused { about, code, words }));
        }
        match (answer.result, id) {
            (true, Some(_)) => Ok(Frame::Control(Control::Acknowledged(about))),
            _ => Err(match message.event {
                Some(event) => Reject::mistyped("e", event, "the event \"trade\""),
                None => Reject::missing("e"),
            }),
        }
    }

    fn read(fields: Fields<'tape, 'frame>) -> Self {
        let mut answer = Answer::default();
        for (key, value) in fields {
            match key {
                "id" => answer.request = Some(value),
                "result" => answer.result = true,
                "code" => answer.code = Some(value),
                "msg" => answer.words = Some(value),
                "error" => answer.error = Some(value),
                _ => {}
            }
        }
        answer
    }
}
