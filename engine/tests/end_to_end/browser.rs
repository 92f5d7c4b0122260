//! The page in a real browser: nothing is wider than the screen, no name lies on another, and there is something to see.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use scraper::{Html, Selector};
use serde_json::Value;
use tempfile::TempDir;

use crate::page::{report, reported};
use crate::required::{browser_or_skipped, done};

const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// Screens, in pixels: wide, and narrow as a telephone's.
const WIDE: (u32, u32) = (1_280, 1_600);
const NARROW: (u32, u32) = (500, 1_600);
/// The paper of the page, and its ink's colours in charts: those of the first two settings.
const PAPER: [u8; 3] = [255, 255, 255];
const COLORS: [[u8; 3]; 2] = [[0x00, 0x72, 0xB2], [0xD5, 0x5E, 0x00]];

/// Has the browser say what became of the page: its width, and of each chart the size, and names that lie on each other
/// or outside.
const MEASURE: &str = r#"<script>
const box = element => element.getBoundingClientRect();
const charts = [...document.querySelectorAll("svg")].map(svg => {
  const bounds = box(svg), names = [...svg.querySelectorAll("text")], wrong = [];
  names.forEach((name, at) => {
    const one = box(name);
    if (one.left < bounds.left - 1 || one.right > bounds.right + 1 || one.top < bounds.top - 1 || one.bottom > bounds.bottom + 1)
      wrong.push("outside: " + name.textContent.trim());
    names.slice(at + 1).forEach(other => {
      const two = box(other);
      const wide = Math.min(one.right, two.right) - Math.max(one.left, two.left);
      const high = Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top);
      if (wide > 1 && high > one.height / 3) wrong.push(name.textContent.trim() + " on " + other.textContent.trim());
    });
  });
  return { width: bounds.width, height: bounds.height, names: names.length, wrong };
});
const page = document.documentElement;
const measured = document.createElement("pre");
measured.id = "measured";
measured.textContent = JSON.stringify({ screen: page.clientWidth, page: page.scrollWidth, charts });
document.body.append(measured);
</script>"#;

/// A browser that runs here.
fn browser() -> Option<&'static str> {
    static FOUND: OnceLock<Result<&'static str, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let runs = |name: &&str| done(Command::new(name).arg("--version")).is_ok();
        let why = format!("none of {BROWSERS:?} is here: apt-get install chromium");
        BROWSERS.into_iter().find(runs).ok_or(why)
    });
    browser_or_skipped(found).then(|| *found.as_ref().unwrap())
}

/// The browser with a page and a screen, and a profile in `work`.
fn show(browser: &str, page: &Path, (width, height): (u32, u32), work: &Path) -> Command {
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]);
    command.arg(format!("--user-data-dir={}", work.join("profile").display()));
    command.arg(format!("--window-size={width},{height}")).arg(format!("file://{}", page.display()));
    command
}

/// A page of both runs, and the folder that it is in.
fn page() -> (TempDir, String) {
    let work = tempfile::tempdir().unwrap();
    let [slow, fast] = reported();
    let path = work.path().join("page.html");
    report(&[&slow, &fast], &path).expect(0);
    let text = fs::read_to_string(&path).unwrap();
    (work, text)
}

/// What the browser measures of `text` on a screen.
fn measured(browser: &str, text: &str, screen: (u32, u32), work: &Path) -> Value {
    let path = work.join("measured.html");
    fs::write(&path, text.replace("</body>", &format!("{MEASURE}</body>"))).unwrap();
    let output = show(browser, &path, screen, work).arg("--dump-dom").stdin(Stdio::null()).output().unwrap();
    let page = Html::parse_document(&String::from_utf8(output.stdout).unwrap());
    let told = page.select(&Selector::parse("#measured").unwrap()).next();
    let told = told.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(&told.text().collect::<String>()).unwrap()
}

/// What is wrong with a page as it was measured.
fn faults(measured: &Value) -> Vec<String> {
    let number = |value: &Value| value.as_f64().unwrap();
    let mut faults = Vec::new();
    if number(&measured["page"]) > number(&measured["screen"]) {
        faults.push(format!("the page is {} wide on {}", measured["page"], measured["screen"]));
    }
    for (at, chart) in measured["charts"].as_array().unwrap().iter().enumerate() {
        if number(&chart["width"]) < 200.0 || number(&chart["height"]) < 50.0 || number(&chart["names"]) < 4.0 {
            faults.push(format!("chart {at} is {} by {}", chart["width"], chart["height"]));
        }
        faults.extend(chart["wrong"].as_array().unwrap().iter().map(|wrong| format!("chart {at}: {wrong}")));
    }
    faults
}

#[test]
fn on_wide_and_narrow_screens_everything_has_its_place() {
    let Some(browser) = browser() else { return };
    let (work, text) = page();
    for screen in [WIDE, NARROW] {
        let measured = measured(browser, &text, screen, work.path());
        assert_eq!(faults(&measured), Vec::<String>::new(), "on {screen:?}");
        assert_eq!(measured["charts"].as_array().unwrap().len(), text.matches("<svg").count());
        assert!(measured["screen"].as_u64() <= Some(screen.0.into()), "{}", measured["screen"]);
    }
    // The judge judges: a page with such faults has them told.
    let wide = text.replace("<main>", "<main><div style=\"width:3000px\">wide</div>");
    let crossed = wide.replace("99 %", "nearly all of what there was to be measured");
    let told = faults(&measured(browser, &crossed, WIDE, work.path()));
    assert!(told.iter().any(|fault| fault.contains("wide on")) && told.len() > 1, "{told:?}");
}

#[test]
fn there_is_something_to_see_on_a_screen() {
    let Some(browser) = browser() else { return };
    let (work, _) = page();
    let (shot, page) = (work.path().join("shot.png"), work.path().join("page.html"));
    let mut command = show(browser, &page, WIDE, work.path());
    done(command.arg(format!("--screenshot={}", shot.display()))).unwrap();
    let (size, pixels) = pixels(&shot);
    assert_eq!(size, WIDE);
    let drawn = pixels.iter().filter(|pixel| **pixel != PAPER).count() as f64 / pixels.len() as f64;
    assert!((0.02..0.5).contains(&drawn), "{drawn} of the screen is not paper");
    let seen: BTreeSet<_> = pixels.into_iter().collect();
    for color in COLORS {
        assert!(seen.contains(&color), "nothing has the colour {color:02X?}");
    }
}

#[test]
fn it_can_be_printed() {
    let Some(browser) = browser() else { return };
    let (work, _) = page();
    let (print, page) = (work.path().join("print.pdf"), work.path().join("page.html"));
    let mut command = show(browser, &page, WIDE, work.path());
    done(command.arg("--no-pdf-header-footer").arg(format!("--print-to-pdf={}", print.display()))).unwrap();
    let pdf = fs::read(&print).unwrap();
    assert!(pdf.starts_with(b"%PDF"));
    let text = String::from_utf8_lossy(&pdf);
    let sheets = text.matches("/Type /Page\n").count() + text.matches("/Type /Page ").count();
    // Nine sections, of which four have charts; a sheet each would be a waste, all on two would be unreadable.
    assert!((3..=14).contains(&sheets), "{sheets} sheets");
}

/// Width, height and pixels of a picture.
fn pixels(path: &Path) -> ((u32, u32), Vec<[u8; 3]>) {
    let mut decoder = png::Decoder::new(BufReader::new(File::open(path).unwrap()));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut bytes).unwrap();
    let samples = frame.color_type.samples();
    let pixels = bytes[..frame.buffer_size()].chunks_exact(samples).map(|pixel| [pixel[0], pixel[1], pixel[2]]);
    ((frame.width, frame.height), pixels.collect())
}
