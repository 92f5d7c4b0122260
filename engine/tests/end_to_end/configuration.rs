//! What the command says of a configuration, without connecting anything.

use std::path::Path;

use crate::child::{Child, Ended, k2_feed};

/// `k2-feed run` with these arguments and variables in `folder`.
fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut command = k2_feed(&[&["run"], arguments].concat());
    command.current_dir(folder).envs(variables.iter().copied());
    Child::start(command).ended()
}

#[test]
fn the_example_is_printed_and_holds() {
    let folder = tempfile::tempdir().unwrap();
    let example = run(folder.path(), &["--example-config"], &[]).expect(0).stdout;
    std::fs::write(folder.path().join("feed.toml"), &example).unwrap();
    let ended = run(folder.path(), &["--print-config"], &[]).expect(0);
    assert!(ended.stdout.starts_with("# From the defaults, feed.toml and the K2_* environment.\n"), "{}", ended.stdout);
    assert!(ended.stderr.is_empty(), "{}", ended.stderr);
}

#[test]
fn what_is_printed_prints_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    let (settings, elsewhere) = (folder.path().join("settings"), folder.path().join("elsewhere"));
    for folder in [&settings, &elsewhere] {
        std::fs::create_dir(folder).unwrap();
    }
    let certificate = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap().cert;
    std::fs::write(settings.join("root.pem"), certificate.pem()).unwrap();
    std::fs::write(settings.join("listed.yaml"), "instruments: {okx: {symbols: [BTC-USDT]}}").unwrap();
    std::fs::write(
        settings.join("feed.toml"),
        "[[feed]]\nexchange = \"okx\"\ninstruments = \"listed.yaml\"\n[tls]\nextra_ca = \"root.pem\"\n",
    )
    .unwrap();
    // Paths of the file are relative to the file, not to the working directory.
    let variables = [("K2_OKX_WS_URL", "wss://127.0.0.1:1/ws"), ("K2_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")];
    let arguments = ["--config", "settings/feed.toml", "--print-config"];
    let first = run(folder.path(), &arguments, &variables).expect(0).stdout;
    for part in [
        "# From the defaults, settings/feed.toml (--config) and the K2_* environment.",
        "  # settings/listed.yaml, named by settings/feed.toml:3\n",
        "  # K2_OKX_WS_URL\n",
        "  # K2_KAFKA_BOOTSTRAP_SERVERS\n",
        "  # settings/feed.toml:5",
        "#   BTC-USDT is BTC/USDT\n",
    ] {
        assert!(first.contains(part), "{part:?} is not in:\n{first}");
    }
    std::fs::write(elsewhere.join("feed.toml"), &first).unwrap();
    let second = run(&elsewhere, &["--print-config"], &[]).expect(0).stdout;
    let values = |text: &str| text.parse::<toml::Table>().unwrap();
    assert_eq!(values(&second), values(&first));
}

#[test]
fn an_instruments_file_of_the_environment_is_relative_to_the_working_directory() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("settings")).unwrap();
    std::fs::write(folder.path().join("settings/feed.toml"), "[[feed]]\nexchange = \"okx\"\n").unwrap();
    std::fs::write(folder.path().join("listed.yaml"), "instruments: {okx: {symbols: [ETH-USDT]}}").unwrap();
    let arguments = ["--config", "settings/feed.toml", "--print-config"];
    let shown = run(folder.path(), &arguments, &[("K2_INSTRUMENTS_FILE", "listed.yaml")]).expect(0).stdout;
    assert!(shown.contains("#   ETH-USDT is ETH/USDT\n"), "{shown}");
    assert!(shown.contains("  # listed.yaml, named by K2_INSTRUMENTS_FILE"), "{shown}");
}

#[test]
fn all_that_is_wrong_is_told_and_nothing_printed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("feed.toml"), "[kafka]\npartitions = 0\n[[feed]]\nexchange = \"okx\"\n").unwrap();
    let ended = run(folder.path(), &["--print-config"], &[]).expect(2);
    assert!(ended.stdout.is_empty(), "{}", ended.stdout);
    let ended = ended.says(&["error: feed.toml:3: feed okx: no symbols", "error: feed.toml:2: kafka.partitions = 0"]);
    assert_eq!(ended.stderr.lines().count(), 2, "{}", ended.stderr);
    // What only this machine can tell.
    let file = "[[feed]]\nexchange = \"okx\"\nsymbols = [\"BTC-USDT\"]\n[cores]\nfeed = [99999]\n[tls]\nextra_ca = \"none.pem\"\n";
    std::fs::write(folder.path().join("feed.toml"), file).unwrap();
    let ended = run(folder.path(), &["--print-config"], &[]).expect(2);
    assert!(ended.stdout.is_empty(), "{}", ended.stdout);
    ended.says(&[
        "error: feed.toml:5: cores.feed: CPU 99999 is not available here",
        "error: feed.toml:7: extra_ca = \"none.pem\"",
    ]);
    run(folder.path(), &["--print-config", "--example-config"], &[]).expect(2);
}

/// Both what is written wrongly and what makes no sense here.
#[test]
fn faults_that_cannot_be_are_wrong_usage() {
    let simulate = |arguments: &[&str]| Child::start(k2_feed(&[&["simulate"], arguments].concat())).ended();
    simulate(&["okx", "--fault", "cut@1s,shutdown@5s"])
        .expect(2)
        .says(&["error: the fault shutdown=10s@5s makes no sense here: okx v5 does not announce that it goes away"]);
    simulate(&["binance", "--fault", "cut@1s,stal=1s@5s"]).expect(2).says(&[
        "invalid value 'stal=1s@5s' for '--fault <FAULTS>'",
        "no fault is called \"stal\", did you mean \"stall\"? Known are: cut, cut-one, refuse,",
    ]);
}
