//! `k2-feed report`: real short runs, and the page that is made of them, read as a browser does.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use scraper::{Html, Selector};
use serde_json::Value;
use tempfile::TempDir;

use crate::child::{Child, Ended, k2_feed};
use crate::world::{Broker, Exchange, alone, variables};

const SYMBOLS: &str = "BTCUSDT,ETHUSDT,SOLUSDT";
/// Trades in a second of each run.
const RATES: [&str; 2] = ["1000", "3000"];
const HOPS: usize = 7;

/// Folders to which runs at different rates were reported, made once.
pub(crate) fn reported() -> [PathBuf; 2] {
    static FOLDERS: OnceLock<TempDir> = OnceLock::new();
    let folders = FOLDERS.get_or_init(|| {
        let folders = tempfile::tempdir().unwrap();
        RATES.iter().for_each(|rate| run(&folders.path().join(rate), rate));
        folders
    });
    RATES.map(|rate| folders.path().join(rate))
}

/// A run of three seconds in which the exchange cuts once.
fn run(folder: &Path, rate: &str) {
    let _alone = alone();
    let (broker, exchange) = (Broker::start(), Exchange::start(&["--rate", rate, "--fault", "cut@1s"]));
    let mut command = k2_feed(&["run", "--for", "3s", "--report"]);
    command.arg(folder).current_dir(std::env::temp_dir()).envs(variables(&broker, &exchange.url, SYMBOLS));
    Child::start(command).ended().expect(0);
}

/// Runs `k2-feed report` to its end.
pub(crate) fn report(folders: &[&Path], out: &Path) -> Ended {
    let mut command = k2_feed(&["report"]);
    command.args(folders).arg("--out").arg(out);
    Child::start(command).ended()
}

/// The page of these folders.
fn page(folders: &[&Path]) -> (Html, Ended) {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("page.html");
    let ended = report(folders, &path).expect(0);
    let page = Html::parse_document(&fs::read_to_string(&path).unwrap());
    assert_eq!(page.errors, Vec::<String>::new(), "it is HTML without errors");
    (page, ended)
}

fn selector(text: &str) -> Selector {
    Selector::parse(text).unwrap()
}

fn count(page: &Html, text: &str) -> usize {
    page.select(&selector(text)).count()
}

fn text(page: &Html, of: &str) -> String {
    page.select(&selector(of)).flat_map(|element| element.text()).collect::<Vec<_>>().join(" ")
}

fn sections(page: &Html) -> Vec<&str> {
    page.select(&selector("section")).filter_map(|section| section.attr("id")).collect()
}

/// A browser must load nothing for it, nor run anything.
fn needs_nothing(page: &Html) {
    for wrong in ["script", "link", "img", "iframe", "object", "base", "[src]", "[onload]"] {
        assert_eq!(count(page, wrong), 0, "{wrong}");
    }
    let links: Vec<_> = page.select(&selector("[href]")).filter_map(|element| element.attr("href")).collect();
    assert!(!links.is_empty() && links.iter().all(|link| link.starts_with('#')), "{links:?}");
    for link in links {
        assert_eq!(count(page, link), 1, "{link} is on the page");
    }
    let style = text(page, "style");
    assert!(style.contains("@media print") && !style.contains("url(") && !style.contains("@import"), "{style}");
}

/// Every chart has something drawn in it, within its bounds, and text for those who do not see it.
fn charts(page: &Html, least: usize) {
    assert!(count(page, "svg") >= least, "{} charts", count(page, "svg"));
    for chart in page.select(&selector("div.chart")) {
        assert!(chart.attr("aria-label").is_some_and(|told| !told.is_empty()));
        let (lines, marks) = (selector("polyline, line"), selector("text"));
        assert!(chart.select(&lines).count() > 3 && chart.select(&marks).count() > 3, "{}", chart.html());
        let svg = chart.select(&selector("svg")).next().unwrap();
        let size = ["width", "height"].map(|name| svg.attr(name).unwrap().parse::<f64>().unwrap());
        for line in chart.select(&selector("polyline")) {
            let points = line.attr("points").unwrap().split_whitespace();
            for (x, y) in points.map(|point| point.split_once(',').unwrap()) {
                let place = [x, y].map(|place| place.parse::<f64>().unwrap());
                assert!(place[0] >= 0.0 && place[0] <= size[0] && place[1] >= 0.0 && place[1] <= size[1], "{place:?}");
            }
        }
    }
}

#[test]
fn one_run_is_on_the_page_with_all_that_it_measured() {
    let [folder, _] = reported();
    let (page, ended) = page(&[&folder]);
    let expected = ["glance", "percentiles", "time", "breakdown", "accounting", "machine", "configuration"];
    assert_eq!(sections(&page), expected);
    needs_nothing(&page);
    charts(&page, 4);
    let report: Value = serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap();
    assert_eq!(count(&page, "#percentiles tbody th"), HOPS);
    let acked = report["accounting"]["records"]["raw"]["acked"].as_u64().unwrap();
    let acked = format!("{},{:03}", acked / 1_000, acked % 1_000);
    assert!(text(&page, "#accounting table").contains(&acked), "{acked}");
    assert!(text(&page, "#accounting").contains("It is complete"));
    assert!(text(&page, "#time figcaption").contains("reconnects: 1"));
    let kernel = report["machine"]["kernel"].as_str().unwrap();
    assert!(text(&page, "#machine").contains(kernel));
    assert!(text(&page, "#configuration pre").contains("k2-feed run --for 3s --report"));
    assert!(text(&page, "#configuration").contains("kafka.linger_us"));
    assert!(ended.stdout.contains("page.html: 1 run(s), 1 setting(s)"), "{}", ended.stdout);
}

#[test]
fn runs_at_different_rates_are_a_sweep() {
    let [slow, fast] = reported();
    let (page, ended) = page(&[&slow, &fast]);
    assert!(sections(&page).starts_with(&["glance", "sweep", "percentiles", "difference"]), "{:?}", sections(&page));
    needs_nothing(&page);
    charts(&page, 1 + HOPS + 2 + 2);
    assert_eq!(count(&page, "#difference tbody tr"), HOPS * 3);
    // Three seconds are no five blocks.
    assert!(text(&page, "#difference").contains("too short to say") && text(&page, "#difference").contains("seed 1"));
    assert!(ended.stdout.contains("2 run(s), 2 setting(s)"), "{}", ended.stdout);
}

#[test]
fn a_run_and_its_repeat_are_one_setting() {
    let [folder, _] = reported();
    let (page, _) = page(&[&folder, &folder]);
    assert!(!sections(&page).contains(&"difference") && !sections(&page).contains(&"sweep"));
    assert_eq!(count(&page, "#glance tbody tr"), 1);
    assert!(text(&page, "#time h3").contains("A1") && text(&page, "#time h3").contains("A2"));
}

#[test]
fn a_damaged_folder_is_named_and_the_page_before_stays() {
    let [sound, _] = reported();
    let work = tempfile::tempdir().unwrap();
    let (damaged, out) = (work.path().join("damaged"), work.path().join("page.html"));
    fs::create_dir(&damaged).unwrap();
    for name in ["report.json", "latency.hlog", "counts.jsonl"] {
        fs::copy(sound.join(name), damaged.join(name)).unwrap();
    }
    let log = fs::read_to_string(damaged.join("latency.hlog")).unwrap();
    let (cut, _) = log.rsplit_once(',').unwrap();
    fs::write(damaged.join("latency.hlog"), cut).unwrap();
    fs::write(&out, "the page before").unwrap();
    report(&[&sound, &damaged], &out).expect(1).says(&["damaged/latency.hlog, line "]);
    assert_eq!(fs::read_to_string(&out).unwrap(), "the page before");
    assert_eq!(fs::read_dir(work.path()).unwrap().count(), 2, "nothing half-written");
}

#[test]
fn what_is_no_report_is_wrong_usage() {
    let work = tempfile::tempdir().unwrap();
    let out = work.path().join("page.html");
    report(&[work.path()], &out).expect(2).says(&["no folder of a report: it has no report.json"]);
    report(&[&work.path().join("nowhere")], &out).expect(2).says(&["nowhere: no folder of a report"]);
    report(&[], &out).expect(2).says(&["<DIR>"]);
    assert!(!out.exists());
    let [sound, _] = reported();
    report(&[&sound], work.path()).expect(1).says(&["--out"]);
}
