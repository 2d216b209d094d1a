//! Makes what the binary serves of `web/`: see `build/web/mod.rs`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[path = "build/web/mod.rs"]
mod web;

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=web");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=build.rs");
    let from_cargo = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let (Some(root), Some(out)) = (from_cargo("CARGO_MANIFEST_DIR"), from_cargo("OUT_DIR")) else {
        println!("cargo::error=cargo runs this");
        return ExitCode::FAILURE;
    };
    match web::build(Path::new(&root.join("web")), &out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            println!("cargo::error={fault}");
            ExitCode::FAILURE
        }
    }
}
