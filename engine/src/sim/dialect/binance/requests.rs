//! What a Binance client asks on its connection, and the answers.

use serde_json::{Value, json};

use super::{COMBINED, traded_symbol};
use crate::sim::dialect::Session;

/// "alphanumeric strings; max length 36".
const ID_CHARACTERS: usize = 36;
/// "A single connection can listen to a maximum of 1024 streams."
const STREAMS_PER_CONNECTION: usize = 1024;

/// Takes a client's message and returns the reply. Streams of symbols that are `rejected` are refused like names that
/// are none: the exchange itself refuses no other (assumed).
pub(super) fn answer(session: &mut Session, text: &str, rejected: &[String]) -> String {
    let request = match serde_json::from_str::<Value>(text) {
        Ok(request) => request,
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            let message = format!("Invalid JSON: expected value at line {line} column {column}");
            return ErrorReply { code: 3, message }.text(None);
        }
    };
    let id = match request.get("id") {
        Some(id) if is_request_id(id) => id,
        _ => return invalid("request ID must be an unsigned integer").text(None),
    };
    match carry_out(session, &request, text.len(), rejected) {
        Ok(result) => json!({ "result": result, "id": id }).to_string(),
        Err(error) => error.text(Some(id)),
    }
}

/// An error in the server's words. Without a request's id it has the form on the page, otherwise the form with
/// `error` and `id` that is reported. Both are in use, so a client has to know both.
#[derive(Debug)]
pub(super) struct ErrorReply {
    code: u8,
    pub(super) message: String,
}

impl ErrorReply {
    fn text(self, id: Option<&Value>) -> String {
        let error = json!({ "code": self.code, "msg": self.message });
        match id {
            Some(id) => json!({ "error": error, "id": id }).to_string(),
            None => error.to_string(),
        }
    }
}

fn invalid(what: impl std::fmt::Display) -> ErrorReply {
    ErrorReply { code: 2, message: format!("Invalid request: {what}") }
}

fn carry_out(session: &mut Session, request: &Value, length: usize, rejected: &[String]) -> Result<Value, ErrorReply> {
    let method = request.get("method").and_then(Value::as_str);
    let method = method.ok_or_else(|| invalid(format_args!("missing field `method` at line 1 column {length}")))?;
    match method {
        "SUBSCRIBE" => {
            let names = stream_names(request)?;
            let is_rejected = |name: &String| traded_symbol(name).is_some_and(|symbol| rejected.contains(&symbol));
            if names.iter().any(is_rejected) {
                return Err(invalid("invalid stream"));
            }
            subscribe(session, &names).map(|()| Value::Null)
        }
        "UNSUBSCRIBE" => {
            let names = stream_names(request)?;
            session.streams.retain(|stream| !names.contains(stream));
            Ok(Value::Null)
        }
        "LIST_SUBSCRIPTIONS" if request.get("params").is_some() => Err(invalid("too many parameters")),
        "LIST_SUBSCRIPTIONS" => Ok(json!(session.streams)),
        "SET_PROPERTY" => set_property(session, request),
        "GET_PROPERTY" => match property(request)? {
            "combined" => Ok(Value::Bool(session.shape.0 & COMBINED != 0)),
            _ => Err(ErrorReply { code: 0, message: "Unknown property".to_owned() }),
        },
        other => Err(invalid(format_args!(
            "unknown variant `{other}`, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, \
             `SET_PROPERTY`, `GET_PROPERTY` at line 1 column {length}"
        ))),
    }
}

fn set_property(session: &mut Session, request: &Value) -> Result<Value, ErrorReply> {
    if property(request)? != "combined" {
        return Err(ErrorReply { code: 0, message: "Unknown property".to_owned() });
    }
    let wanted = request.get("params").and_then(|params| params.get(1)).and_then(Value::as_bool);
    match wanted {
        Some(true) => session.shape.0 |= COMBINED,
        Some(false) => session.shape.0 &= !COMBINED,
        None => {
            return Err(ErrorReply { code: 1, message: "Invalid value type: expected Boolean".to_owned() });
        }
    }
    Ok(Value::Null)
}

fn property(request: &Value) -> Result<&str, ErrorReply> {
    let name = request.get("params").and_then(|params| params.get(0)).and_then(Value::as_str);
    name.ok_or_else(|| invalid("property name must be a string"))
}

/// "64-bit signed integer; alphanumeric strings; max length 36; null".
fn is_request_id(id: &Value) -> bool {
    match id {
        Value::Null => true,
        Value::Number(number) => number.is_i64(),
        Value::String(text) => {
            text.chars().count() <= ID_CHARACTERS && text.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
        }
        _ => false,
    }
}

fn stream_names(request: &Value) -> Result<Vec<String>, ErrorReply> {
    let names = request.get("params").and_then(Value::as_array);
    let names = names.ok_or_else(|| invalid("missing field `params`"))?;
    let names: Option<Vec<String>> = names.iter().map(|name| name.as_str().map(str::to_owned)).collect();
    names.ok_or_else(|| invalid("invalid stream"))
}

/// Adds all or none. A stream of a symbol that does not exist is acknowledged like any other and stays silent, one
/// that is no stream's name at all is refused (both reported).
pub(super) fn subscribe(session: &mut Session, names: &[String]) -> Result<(), ErrorReply> {
    if names.iter().any(|name| !is_stream(name)) {
        return Err(invalid("invalid stream"));
    }
    let mut streams = session.streams.clone();
    for name in names {
        if !streams.contains(name) {
            streams.push(name.clone());
        }
    }
    if streams.len() > STREAMS_PER_CONNECTION {
        return Err(ErrorReply { code: 4, message: "Too many subscriptions".to_owned() });
    }
    session.streams = streams;
    Ok(())
}

/// `<symbol>@<channel>`, or `!<channel>` for the whole market.
fn is_stream(name: &str) -> bool {
    let well_formed = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || "@_!+:".contains(c));
    match name.split_once('@') {
        Some((symbol, channel)) => well_formed(symbol) && well_formed(channel),
        None => name.starts_with('!') && well_formed(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::protocol::Protocol;

    fn answered(session: &mut Session, text: &str) -> Value {
        serde_json::from_str(&answer(session, text, &[])).unwrap()
    }

    #[test]
    fn requests_change_the_session_and_are_acknowledged() {
        let mut session = Session::new(Protocol::BinanceSpot);
        let ack =
            answer(&mut session, r#"{"method":"SUBSCRIBE","params":["btcusdt@trade","a@depth@100ms"],"id":1}"#, &[]);
        assert_eq!(ack, r#"{"result":null,"id":1}"#);
        assert_eq!(
            answered(&mut session, r#"{"method":"LIST_SUBSCRIPTIONS","id":"x-1"}"#),
            json!({"result": ["btcusdt@trade", "a@depth@100ms"], "id": "x-1"})
        );
        answered(&mut session, r#"{"method":"UNSUBSCRIBE","params":["btcusdt@trade"],"id":null}"#);
        assert_eq!(session.streams, ["a@depth@100ms"]);
        answered(&mut session, r#"{"method":"SET_PROPERTY","params":["combined",true],"id":3}"#);
        assert_eq!(
            answered(&mut session, r#"{"method":"GET_PROPERTY","params":["combined"],"id":4}"#),
            json!({"result": true, "id": 4})
        );
    }

    #[test]
    fn errors_are_in_the_servers_words() {
        let mut session = Session::new(Protocol::BinanceSpot);
        let mut message = |text: &str| {
            let reply = answered(&mut session, text);
            let error = reply.get("error").unwrap_or(&reply);
            (error["code"].as_u64().unwrap(), error["msg"].as_str().unwrap().to_owned())
        };
        assert_eq!(message("nonsense"), (3, "Invalid JSON: expected value at line 1 column 2".into()));
        assert_eq!(
            message(r#"{"method":"SUBSCRIBE","params":["a@trade"]}"#).1,
            "Invalid request: request ID must be an unsigned integer"
        );
        assert!(
            message(r#"{"method":"SUBSCRIPE","id":1}"#)
                .1
                .starts_with("Invalid request: unknown variant `SUBSCRIPE`, expected one of `SUBSCRIBE`")
        );
        assert_eq!(message(r#"{"params":[],"id":1}"#).1, "Invalid request: missing field `method` at line 1 column 20");
        assert_eq!(
            message(r#"{"method":"SUBSCRIBE","params":["not a stream"],"id":1}"#),
            (2, "Invalid request: invalid stream".into())
        );
        assert_eq!(
            message(r#"{"method":"SET_PROPERTY","params":["combined",1],"id":1}"#),
            (1, "Invalid value type: expected Boolean".into())
        );
        assert_eq!(message(r#"{"method":"GET_PROPERTY","params":["other"],"id":1}"#), (0, "Unknown property".into()));
    }

    #[test]
    fn the_1025th_stream_is_refused_and_none_of_its_request_is_added() {
        let names: Vec<String> = (0..1024).map(|n| format!("s{n}@trade")).collect();
        let mut session = Session::new(Protocol::BinanceSpot);
        subscribe(&mut session, &names).unwrap();
        let reply = answered(&mut session, r#"{"method":"SUBSCRIBE","params":["one@trade","more@trade"],"id":19}"#);
        assert_eq!(reply, json!({"error": {"code": 4, "msg": "Too many subscriptions"}, "id": 19}));
        assert_eq!(session.streams.len(), 1024);
        subscribe(&mut session, &names[..2]).unwrap();
    }
}
