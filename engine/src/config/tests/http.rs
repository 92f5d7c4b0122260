//! Where a running engine is looked at.

use super::*;

const PLAIN: &str = "[[feed]]\nexchange = \"binance\"\nsymbols = [\"BTCUSDT\"]\n";

fn listen(file: &str, variable: Option<&str>) -> Option<SocketAddr> {
    let variables: Vec<_> = variable.map(|value| ("K2_HTTP_LISTEN", value)).into_iter().collect();
    load(&format!("{PLAIN}{file}"), &variables).unwrap().http.listen
}

#[test]
fn it_is_the_usual_address_another_or_none() {
    assert_eq!(listen("", None), Some("127.0.0.1:9090".parse().unwrap()));
    assert_eq!(listen("[http]\nlisten = \"[::]:80\"\n", None), Some("[::]:80".parse().unwrap()));
    assert_eq!(listen("[http]\nlisten = \"[::]:80\"\n", Some("off")), None);
    let wrong = load(&format!("{PLAIN}[http]\nlisten = \"9090\"\n"), &[]).unwrap_err();
    let words = wrong.join("\n");
    for part in ["http.listen = \"9090\"", "0.0.0.0:9090", "\"off\""] {
        assert!(words.contains(part), "{words}");
    }
}

#[test]
fn who_asks_from_the_same_machine_finds_it() {
    let at = |listen| Http::asked_at(listen).to_string();
    assert_eq!(at(None), "http://127.0.0.1:9090/");
    assert_eq!(at(Some("off")), "http://127.0.0.1:9090/");
    assert_eq!(at(Some("0.0.0.0:9191")), "http://127.0.0.1:9191/");
    assert_eq!(at(Some("[::]:9191")), "http://[::1]:9191/");
    assert_eq!(at(Some("10.0.0.1:80")), "http://10.0.0.1/", "the usual port of a URL is not written");
}
