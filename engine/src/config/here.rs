//! What only this machine can tell of a configuration: CPUs, certificates, folders. Nothing is made or connected.

use std::path::Path;

use nix::unistd::{AccessFlags, access};

use super::error::{Errors, Section};
use super::{Cores, State, file};
use crate::cores::{CpuSet, check};
use crate::net::tls;

/// Checks the values that depend on the machine; `available` are its CPUs.
pub(super) fn check_all(given: &file::File, cores: &Cores, state: &State, available: &CpuSet, errors: &mut Errors) {
    check_cores(cores, available, &mut Section::new("cores", &given.origins, errors));
    if let Err(error) = tls::client_config(given.tls.extra_ca.as_deref(), false) {
        Section::new("tls", &given.origins, errors).said(&["extra_ca"], error);
    }
    if let Some((dir, fault)) = state.dir.as_deref().and_then(|dir| Some((dir, unusable(dir)?))) {
        Section::new("state", &given.origins, errors).wrong("dir", format!("{:?}", dir.display().to_string()), fault);
    }
}

/// Empty lists are told without the machine.
fn check_cores(cores: &Cores, available: &CpuSet, section: &mut Section<'_>) {
    let named = [("feed", cores.feed.cpus()), ("producer", cores.producer.cpus())];
    let housekeeping = ("housekeeping", cores.housekeeping.as_deref().unwrap_or_default());
    for (key, cpus) in named.into_iter().chain([housekeeping]).filter(|(_, cpus)| !cpus.is_empty()) {
        if let Err(error) = check(key, cpus, available) {
            section.said(&[key], error);
        }
    }
}

/// Why a folder can neither be written nor made. Only [`crate::state`], which makes it, can tell for sure.
pub(crate) fn unusable(dir: &Path) -> Option<String> {
    let way_out = "name a folder that this user may write (K2_STATE_DIR)";
    let absolute = std::path::absolute(dir).ok()?;
    let there = absolute.ancestors().find(|path| path.symlink_metadata().is_ok())?;
    if !there.is_dir() {
        return Some(format!("{:?} is no folder: {way_out}", there.display().to_string()));
    }
    let error = access(there, AccessFlags::W_OK | AccessFlags::X_OK).err()?;
    let what = if there == absolute { "it cannot be written" } else { "it cannot be made" };
    Some(format!("{what}: {}: {way_out}", error.desc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_can_be_had_are_told_from_others_without_making_them() {
        let above = tempfile::tempdir().unwrap();
        let file = above.path().join("file");
        std::fs::write(&file, "").unwrap();
        for good in [above.path().to_path_buf(), above.path().join("a/b")] {
            assert_eq!(unusable(&good), None, "{good:?}");
        }
        assert!(!above.path().join("a").exists());
        for bad in [file.clone(), file.join("state")] {
            let error = unusable(&bad).unwrap();
            assert_eq!(error, format!("{file:?} is no folder: name a folder that this user may write (K2_STATE_DIR)"));
        }
    }
}
