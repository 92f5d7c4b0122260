//! The engine before the change.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// Where revisions are checked out and built; what is there is used again.
const FOLDER: &str = "target/gate-base";

/// Builds the engine of `revision`; that of this tree is `here`. Dependencies are built once for both: it is built beside
/// this program, where the other revision's engine then stands in the place of this one's.
pub(crate) fn engine(revision: Option<&str>, here: &Path) -> anyhow::Result<PathBuf> {
    let revision = match revision {
        Some(revision) => git(&["rev-parse", "--verify", &format!("{revision}^{{commit}}")])?,
        None => usual()?,
    };
    if is_same(&revision)? {
        eprintln!("the engine is that of {revision}: it is compared with itself");
        return Ok(here.to_path_buf());
    }
    let root = PathBuf::from(git(&["rev-parse", "--show-toplevel"])?).join(FOLDER);
    let (tree, built) = (root.join("tree"), root.join(format!("k2-feed-{revision}")));
    if built.exists() {
        return Ok(built);
    }
    eprintln!("building {revision}");
    // Of a build before this one.
    let _ = git(&["worktree", "remove", "--force", &tree.display().to_string()]);
    git(&["worktree", "add", "--force", "--detach", &tree.display().to_string(), &revision])?;
    let cargo = std::env::var_os("CARGO").context("start this with cargo run, which builds, or name --before")?;
    let mut command = Command::new(cargo);
    let target =
        std::env::current_exe()?.parent().and_then(Path::parent).context("this is in no folder")?.to_path_buf();
    command.args(["build", "--release", "--package", "k2-feed"]).env("CARGO_TARGET_DIR", &target);
    if !command.current_dir(&tree).status()?.success() {
        bail!("{revision} cannot be built");
    }
    std::fs::copy(target.join("release/k2-feed"), &built)?;
    git(&["worktree", "remove", "--force", &tree.display().to_string()])?;
    Ok(built)
}

/// Where this branch left main, or, on main, the commit before; this one where no other is known, as in a shallow clone.
fn usual() -> anyhow::Result<String> {
    let head = git(&["rev-parse", "HEAD"])?;
    let left = git(&["merge-base", "HEAD", "origin/main"]).ok().filter(|left| *left != head);
    Ok(left.or_else(|| git(&["rev-parse", "--verify", "HEAD~1"]).ok()).unwrap_or(head))
}

/// Whether nothing that the engine is made of has changed since.
fn is_same(revision: &str) -> anyhow::Result<bool> {
    let root = git(&["rev-parse", "--show-toplevel"])?;
    let mut command = Command::new("git");
    command.args(["diff", "--quiet", revision, "--", "engine/src", "engine/ring/src", "schemas", "Cargo.lock"]);
    Ok(command.current_dir(root).status().context("git does not start")?.success())
}

fn git(args: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git").args(args).output().context("git does not start")?;
    if !output.status.success() {
        bail!("git {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
}
