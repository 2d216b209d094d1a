//! The programs that are run: built first, so that a fresh clone needs one command.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

/// This package, and the repository that it is in.
pub const HOME: &str = env!("CARGO_MANIFEST_DIR");
pub const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Where the programs are.
#[derive(Debug)]
pub struct Programs {
    /// Of this package.
    folder: PathBuf,
    /// This clone's: it is the load tester, and the server unless another is asked for.
    pub videostream: PathBuf,
}

/// Whether `cargo run` sets this variable, to describe the package of the program.
fn describes_a_package(variable: &OsStr) -> bool {
    let variable = variable.to_string_lossy();
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

impl Programs {
    /// Builds all of them as this program itself was built, with or without optimisation.
    pub fn build() -> anyhow::Result<Programs> {
        let own = env::current_exe()?;
        let folder = own.parent().context("a program is in a folder")?;
        for package in [ROOT, HOME] {
            let manifest = Path::new(package).join("Cargo.toml");
            let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
            cargo.args(["build", "--quiet", "--locked", "--bins", "--manifest-path"]);
            cargo.arg(&manifest);
            // Cargo builds `ring` anew when these variables change, and `cargo run` has set them.
            let variables = env::vars_os().map(|(name, _)| name);
            for name in variables.filter(|name| describes_a_package(name)) {
                cargo.env_remove(name);
            }
            if !cfg!(debug_assertions) {
                cargo.arg("--release");
            }
            let status = cargo.status().context("cargo")?;
            ensure!(status.success(), "{}: not built", manifest.display());
        }
        let videostream = match env::var_os("CARGO_TARGET_DIR") {
            Some(_) => folder.to_owned(),
            None => {
                let profile = folder.file_name().context("target/PROFILE")?;
                Path::new(ROOT).join("target").join(profile)
            }
        };
        Ok(Programs {
            folder: folder.to_owned(),
            videostream: videostream.join("videostream"),
        })
    }

    /// One of this package's.
    pub fn own(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}
