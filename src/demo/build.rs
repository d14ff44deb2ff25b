//! The build script: compiles the program of the example image as a static binary and leaves it
//! where `include_bytes!` finds it.
//!
//! Where no static C library is installed, or for a target other than Linux, the program is empty
//! and `quickstart` says that it cannot run containers.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=src/demo");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("demo");
    let target = env::var("TARGET").expect("cargo sets TARGET");
    if !(target.contains("linux") && compile(&out, &target)) {
        fs::write(&out, []).expect("OUT_DIR is writable");
    }
}

fn compile(out: &PathBuf, target: &str) -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    Command::new(rustc)
        .args(["--edition=2024", "--crate-name=demo", "--crate-type=bin", "src/demo/main.rs"])
        .args(["--target", target, "-o"])
        .arg(out)
        .args(["-Ctarget-feature=+crt-static", "-Crelocation-model=static", "-Copt-level=s"])
        .args(["-Cpanic=abort", "-Cstrip=symbols", "-Clto=fat", "-Ccodegen-units=1"])
        .current_dir(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
