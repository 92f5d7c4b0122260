//! The registry, with the engine's own client and any other.

use k2_feed::avro::NORMALIZED_TRADE;
use k2_feed::broker::{ANY_LOOPBACK_PORT, EmbeddedRegistry};
use k2_feed::registry::{RegistryClient, RegistryError, value_subject};

#[test]
fn the_client_registers_once_and_is_refused_with_the_reason() {
    let registry = EmbeddedRegistry::start(ANY_LOOPBACK_PORT).unwrap();
    let client = RegistryClient::new(&registry.url()).unwrap();
    let subject = value_subject("market.crypto.trades.binance");
    let id = client.ensure(&subject, NORMALIZED_TRADE).unwrap();
    assert_eq!(client.ensure(&subject, NORMALIZED_TRADE).unwrap(), id);
    let elsewhere = value_subject("market.crypto.trades.kraken");
    assert_eq!(client.ensure(&elsewhere, NORMALIZED_TRADE).unwrap(), id);
    assert_eq!(client.schema_by_id(id).unwrap(), NORMALIZED_TRADE);

    let without_default = NORMALIZED_TRADE.replace("\"connection\"", "\"socket\"").replace(
        r#""name": "socket",
      "type": ["null", "string"],
      "default": null,"#,
        r#""name": "socket",
      "type": "string","#,
    );
    let error = client.ensure(&subject, &without_default).unwrap_err();
    assert!(matches!(error, RegistryError::Incompatible { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("'socket'") && text.contains("default value"), "{text}");
    assert!(text.contains(&subject) && text.contains("BACKWARD"), "{text}");

    let missing = client.schema_by_id(99).unwrap_err();
    assert!(matches!(missing, RegistryError::NotFound { .. }), "{missing}");
    let invalid = client.ensure(&subject, r#"{"type":"recrod"}"#).unwrap_err();
    assert!(matches!(invalid, RegistryError::InvalidSchema { .. }), "{invalid}");
}

#[test]
fn the_client_keeps_a_base_path_and_names_a_wrong_one() {
    let registry = EmbeddedRegistry::start(ANY_LOOPBACK_PORT).unwrap();
    for path in ["", "/", "/apis/ccompat/v7", "/apis/ccompat/v7/"] {
        let client = RegistryClient::new(&format!("{}{path}", registry.url())).unwrap();
        assert_eq!(client.ensure("a/b c%-value", NORMALIZED_TRADE).unwrap(), 1);
    }
    let client = RegistryClient::new(&format!("{}/registry", registry.url())).unwrap();
    let error = client.ensure("trades-value", NORMALIZED_TRADE).unwrap_err();
    assert!(matches!(error, RegistryError::NotFound { .. }), "{error}");
    assert!(error.to_string().contains("/registry/subjects/trades-value"), "{error}");
}

/// One request as any HTTP client makes it: status, content type, body.
fn http(method: &str, url: &str, body: &str) -> (u16, String, serde_json::Value) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .allow_non_standard_methods(true)
        .build()
        .into();
    let mut answer = match method {
        "GET" => agent.get(url).call(),
        "DELETE" => agent.delete(url).call(),
        "PUT" => agent.put(url).send(body),
        _ => agent.post(url).send(body),
    }
    .unwrap();
    let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
    let json = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    (answer.status().as_u16(), content_type, json)
}

#[test]
fn the_registry_answers_as_confluents_does() {
    use serde_json::json;
    let registry = EmbeddedRegistry::start(ANY_LOOPBACK_PORT).unwrap();
    let ask = |method: &str, path: &str, body: serde_json::Value| {
        let url = format!("{}{path}", registry.url());
        let (status, content_type, json) = http(method, &url, &body.to_string());
        assert_eq!(content_type, "application/vnd.schemaregistry.v1+json");
        (status, json)
    };
    let get = |path: &str| ask("GET", path, json!(null));
    let refused = |(status, json): (u16, serde_json::Value)| {
        assert!(json["message"].is_string(), "{json}");
        (status, json["error_code"].as_u64().unwrap())
    };
    let long = json!({ "schema": r#"{"type":"long"}"#, "schemaType": "AVRO" });
    let int = json!({ "schema": "\"int\"" });
    let string = json!({ "schema": "\"string\"" });

    assert_eq!(get("/subjects"), (200, json!([])));
    assert_eq!(get("/schemas/types"), (200, json!(["AVRO"])));
    assert_eq!(get("/config"), (200, json!({ "compatibilityLevel": "BACKWARD" })));
    assert_eq!(refused(get("/subjects/s/versions")), (404, 40401));
    assert_eq!(refused(ask("POST", "/subjects/s", int.clone())), (404, 40401));
    assert_eq!(refused(get("/schemas/ids/1")), (404, 40403));

    assert_eq!(ask("POST", "/subjects/s/versions", int.clone()), (200, json!({ "id": 1 })));
    assert_eq!(ask("POST", "/subjects/s/versions?normalize=true", int.clone()).1["id"], 1);
    assert_eq!(ask("POST", "/subjects/s/versions", long.clone()), (200, json!({ "id": 2 })));
    let latest = json!({ "subject": "s", "version": 2, "id": 2, "schema": r#"{"type":"long"}"# });
    assert_eq!(get("/subjects/s/versions/latest"), (200, latest.clone()));
    assert_eq!(get("/subjects/s/versions/2"), (200, latest.clone()));
    assert_eq!(ask("POST", "/subjects/s", long), (200, latest));
    assert_eq!(get("/subjects/s/versions"), (200, json!([1, 2])));
    assert_eq!(get("/subjects"), (200, json!(["s"])));
    assert_eq!(get("/schemas/ids/1?fetchMaxId=false"), (200, json!({ "schema": "\"int\"" })));
    assert_eq!(refused(get("/subjects/s/versions/3")), (404, 40402));
    assert_eq!(refused(get("/subjects/s/versions/0")), (422, 42202));

    let check = "/compatibility/subjects/s/versions/latest";
    assert_eq!(ask("POST", check, int.clone()), (200, json!({ "is_compatible": false })));
    let (_, verdict) = ask("POST", &format!("{check}?verbose=true"), string.clone());
    assert!(verdict["messages"][0].as_str().unwrap().contains("version 2"), "{verdict}");
    assert_eq!(refused(ask("POST", "/subjects/s", string.clone())), (404, 40403));
    assert_eq!(refused(ask("POST", "/subjects/s/versions", string.clone())), (409, 409));
    assert_eq!(refused(get("/config/s")), (404, 40408));
    let none = json!({ "compatibility": "NONE" });
    assert_eq!(ask("PUT", "/config/s", none.clone()), (200, none));
    assert_eq!(get("/config/s").1, json!({ "compatibilityLevel": "NONE" }));
    assert_eq!(ask("POST", "/subjects/s/versions", string), (200, json!({ "id": 3 })));
    let full = json!({ "compatibility": "full" });
    assert_eq!(ask("PUT", "/config", full).1, json!({ "compatibility": "FULL" }));
    assert_eq!(get("/config/t?defaultToGlobal=true").1["compatibilityLevel"], "FULL");
    assert_eq!(refused(ask("PUT", "/config", json!({ "compatibility": "SOME" }))), (422, 42203));

    for schema in ["{", "{\"type\":\"recrod\"}", "", "[]x"] {
        let body = json!({ "schema": schema });
        assert_eq!(refused(ask("POST", "/subjects/s/versions", body)), (422, 42201), "{schema}");
    }
    let proto = json!({ "schema": "\"int\"", "schemaType": "PROTOBUF" });
    assert_eq!(refused(ask("POST", "/subjects/s/versions", proto)), (422, 42201));
    let url = format!("{}/subjects/s/versions", registry.url());
    assert_eq!(http("POST", &url, "no JSON").0, 400);
    assert_eq!(http("POST", &url, &"x".repeat(2 * 1024 * 1024)).0, 413);
    assert_eq!(refused(ask("DELETE", "/subjects/s", json!(null))), (405, 405));
    assert_eq!(refused(get("/nothing/here")), (404, 404));
}

#[test]
fn a_stopped_registry_is_gone() {
    let registry = EmbeddedRegistry::start(ANY_LOOPBACK_PORT).unwrap();
    let client = RegistryClient::new(&registry.url()).unwrap();
    client.ensure("s", "\"int\"").unwrap();
    drop(registry);
    let error = client.ensure("s", "\"int\"").unwrap_err();
    assert!(matches!(error, RegistryError::Unreachable { .. }), "{error}");
}
