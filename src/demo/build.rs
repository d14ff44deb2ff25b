//! The build script: compiles the program of the example image as a static binary and leaves it
//! where `include_bytes!` finds it; and lists the files of the example packages for `include!`.
//!
//! Where no static C library is installed, or for a target other than Linux, the program is empty
//! and `quickstart` says that it cannot run containers.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=src/demo");
    println!("cargo::rerun-if-changed=charts-examples");
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(folder.join("examples.rs"), examples()).expect("OUT_DIR is writable");
    let out = folder.join("demo");
    let target = env::var("TARGET").expect("cargo sets TARGET");
    if target.contains("linux") {
        // a fixed address, as Go's tools have: 70,000 relocations fewer, 1.5 ms of each start
        println!("cargo::rustc-link-arg-bin=wharf=-no-pie");
    }
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

/// An array of the example packages: each with its name and its files, a path and a text each.
fn examples() -> String {
    let root = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let root = PathBuf::from(root).join("charts-examples");
    let mut code = String::from("[");
    for package in entries(&root) {
        let name = package.file_name().expect("an entry of a folder").to_string_lossy();
        write!(code, "({name:?}, &[").expect("memory");
        files(&package, "", &mut code);
        code.push_str("]),");
    }
    code.push(']');
    code
}

fn files(folder: &Path, below: &str, code: &mut String) {
    for path in entries(folder) {
        let name = path.file_name().expect("an entry of a folder").to_string_lossy();
        let relative = format!("{below}{name}");
        if path.is_dir() {
            files(&path, &format!("{relative}/"), code);
        } else {
            let path = path.to_str().expect("the source lies at a path of UTF-8");
            write!(code, "({relative:?}, include_str!({path:?})),").expect("memory");
        }
    }
}

/// What a folder holds, in the order of the names.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the examples are part of the source");
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
