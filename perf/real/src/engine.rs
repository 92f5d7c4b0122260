//! The engine, as a program of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// Builds the engine, as those packages were built that ask for it, the first of them this process; says where it is. What
/// else they are is beside it.
///
/// # Errors
/// If cargo did not start this process, or cannot build the engine.
pub fn build(packages: &[&str]) -> anyhow::Result<PathBuf> {
    let cargo =
        std::env::var_os("CARGO").context("start this with cargo run, which builds the engine, or name --engine")?;
    let mut command = Command::new(cargo);
    // Alone each would be built with other features of what they share, and that built again.
    command.args(["build", "--package", "k2-feed"]);
    for package in packages {
        command.args(["--package", package]);
    }
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let status = command.current_dir(env!("CARGO_MANIFEST_DIR")).status().context("cargo does not start")?;
    if !status.success() {
        bail!("the engine cannot be built");
    }
    Ok(std::env::current_exe()?.with_file_name("k2-feed"))
}

/// The engine's program without settings of the environment, which would go over those of its file.
pub fn command(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("K2_")) {
        command.env_remove(name);
    }
    command
}
