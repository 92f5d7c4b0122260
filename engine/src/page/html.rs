//! The page: what comes after what.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::difference::{RESAMPLES, SEED};
use super::read::Run;
use super::setting::{Setting, is_sweep};
use super::{breakdown, percentiles, sweep, tables, timeline, told};

/// All of a page's style.
const STYLE: &str = include_str!("style.css");

/// A whole page that needs nothing from elsewhere: what stands above it beside the title, and what is in it.
pub fn document(title: &str, above: &Markup, main: &Markup) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { h1 { (title) } (above) }
                main { (main) }
            }
        }
    };
    markup.into_string()
}

/// A part of the page with a heading of its own.
struct Section {
    id: &'static str,
    title: &'static str,
    content: Markup,
}

/// Renders the page of these settings.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn page(settings: &[Setting]) -> anyhow::Result<String> {
    let sections = sections(settings)?;
    let nav = html! { nav { @for section in &sections { a href=(format!("#{}", section.id)) { (section.title) } } } };
    let main = html! {
        @for Section { id, title, content } in &sections { section id=(id) { h2 { (title) } (content) } }
    };
    Ok(document("k2-feed report", &nav, &main))
}

fn sections(settings: &[Setting]) -> anyhow::Result<Vec<Section>> {
    let runs = told::runs(settings);
    let mut sections = Vec::new();
    let mut add = |id, title, content| sections.push(Section { id, title, content });
    add("glance", "At a glance", glance(settings));
    if is_sweep(settings) {
        add("sweep", "Throughput and latency", sweep::sweep(settings)?);
    }
    add("percentiles", "Percentiles", percentiles(settings)?);
    if settings.len() > 1 {
        add("difference", "Difference", differences(settings));
    }
    add("time", "Over time", over_time(settings)?);
    add("breakdown", "Where the time goes", html! { (breakdown::means(settings)?) (breakdown::spread(settings)?) });
    add("accounting", "Accounting", accounting(&runs));
    add("machine", "Machine", told::machines(&runs));
    add("configuration", "Configuration", configuration(&runs));
    Ok(sections)
}

fn glance(settings: &[Setting]) -> Markup {
    html! {
        (tables::glance(settings))
        @if settings.iter().any(|setting| setting.runs.len() > 1) {
            p.note { "Runs with the same command, configuration (but for names of topics), machine and version, at rates no further apart than a tenth, are repeats of one setting." }
        }
        p.note { "total is the time from a frame's bytes in the receive buffer to the broker's acknowledgement of its record." }
    }
}

fn differences(settings: &[Setting]) -> Markup {
    let (first, others) = settings.split_at(1);
    html! {
        p.note {
            "Ratio of each quantile to that of " (first[0].name) ". Its noise: both settings' seconds (of long runs, several together) were drawn anew " (RESAMPLES)
            " times, in blocks of consecutive ones, of repeats first the runs (block bootstrap, seed " (SEED)
            "); 95 % of the ratios lie in the interval. Where it holds 1, equal settings could look so: within noise."
        }
        @if settings.iter().any(|setting| setting.runs.len() == 1) {
            p.note { "A setting that ran once tells nothing of how its runs differ from each other: a neighbour that was busy during one of them is a difference, too. Repeats tell." }
        }
        @for (place, other) in others.iter().enumerate() { (tables::difference(&first[0], other, place + 1, SEED)) }
    }
}

fn percentiles(settings: &[Setting]) -> anyhow::Result<Markup> {
    let curves = match settings {
        [one] => percentiles::all_hops(one)?,
        several => percentiles::each_hop(several)?,
    };
    Ok(html! {
        p.note { "So many of all times were no longer. A curve ends at a dot where fewer than one value lies beyond: there it would be the longest again. recv is from the kernel's time stamp, in demos, too." }
        (curves)
        (tables::hops(settings))
    })
}

fn over_time(settings: &[Setting]) -> anyhow::Result<Markup> {
    let runs = told::runs(settings);
    let range = timeline::range(runs.iter().map(|(_, run)| *run));
    let mut charts = Vec::new();
    for (name, run) in &runs {
        let chart = timeline::timeline(run, range)?;
        charts.push(html! {
            @if runs.len() > 1 { h3 { (name) " " span.path { (run.folder.display()) } } }
            (chart)
        });
    }
    Ok(html! { @for chart in &charts { div.kept { (chart) } } })
}

fn accounting(runs: &[(String, &Run)]) -> Markup {
    html! {
        @for (name, run) in runs { div.kept { (told::accounting(name, run)) } }
        h3 { "Other counts" }
        (told::counts(runs))
        @if let Some(twins) = told::twins(runs) { h3 { "Connections with the same symbols" } (twins) }
        @if let Some(verified) = told::verified(runs) { h3 { "What the demo's verifier found" } (verified) }
    }
}

fn configuration(runs: &[(String, &Run)]) -> Markup {
    html! {
        p { "To repeat it, with the keys below in feed.toml or the environment:" }
        pre { @for (name, run) in runs {
            @if runs.len() > 1 { span.muted { (name) "  " } }
            (told::command(run)) "\n"
        } }
        (told::configurations(runs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::setting::settings;
    use crate::page::testing::run;

    #[test]
    fn a_run_that_measured_nothing_has_a_page() {
        for trades in [&[][..], &[0], &[0, 1, 0]] {
            let page = page(&settings(vec![run(trades)])).unwrap();
            assert!(page.ends_with("</html>") && !page.contains("NaN") && !page.contains("inf"), "{page}");
        }
    }

    #[test]
    fn what_others_wrote_is_text() {
        let mut run = run(&[10; 3]);
        run.folder = "<script>alert(1)</script>".into();
        run.form.machine.cpu = "\"><img src=x>".into();
        let page = page(&settings(vec![run])).unwrap();
        assert!(!page.contains("<script>") && !page.contains("<img"), "{page}");
        assert!(page.contains("&lt;script&gt;"));
    }

    #[test]
    fn the_same_runs_make_the_same_page() {
        let render = || page(&settings(vec![run(&[1_000; 12]), run(&[2_000; 12])])).unwrap();
        assert_eq!(render(), render());
    }
}
