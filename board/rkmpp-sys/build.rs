//! Finds librockchip_mpp for feature `link`: in the folder that `ROCKCHIP_MPP_DIR` names, or by pkg-config.

use std::env;
use std::path::Path;
use std::process::Command;

const DIRECTORY: &str = "ROCKCHIP_MPP_DIR";

fn main() -> Result<(), String> {
    println!("cargo::rerun-if-env-changed={DIRECTORY}");
    if env::var_os("CARGO_FEATURE_LINK").is_none() {
        return Ok(());
    }
    match env::var_os(DIRECTORY) {
        Some(directory) => link_from(Path::new(&directory)),
        None => link_by_pkg_config(),
    }
}

/// Links the archive where there is one, with the C++ runtime that MPP needs, else the shared object.
fn link_from(directory: &Path) -> Result<(), String> {
    let has = |name| directory.join(name).exists();
    let kind = if has("librockchip_mpp.a") {
        // For musl programs are linked by Zig, whose libc++ is static.
        let is_musl = env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "musl");
        println!("cargo::rustc-link-lib=dylib={}", if is_musl { "c++" } else { "stdc++" });
        "static"
    } else if has("librockchip_mpp.so") {
        "dylib"
    } else {
        return Err(format!(
            "no librockchip_mpp.a or .so in {}, which {DIRECTORY} names",
            directory.display()
        ));
    };
    println!("cargo::rustc-link-search=native={}", directory.display());
    println!("cargo::rustc-link-lib={kind}=rockchip_mpp");
    Ok(())
}

fn link_by_pkg_config() -> Result<(), String> {
    let hint = format!("name the folder of librockchip_mpp in {DIRECTORY}");
    let pkg_config = env::var_os("PKG_CONFIG").unwrap_or_else(|| "pkg-config".into());
    let output = Command::new(pkg_config)
        .args(["--libs", "rockchip_mpp"])
        .output()
        .map_err(|error| format!("pkg-config does not run ({error}): {hint}"))?;
    if !output.status.success() {
        return Err(format!("pkg-config knows no rockchip_mpp: {hint}"));
    }
    for flag in String::from_utf8_lossy(&output.stdout).split_whitespace() {
        if let Some(folder) = flag.strip_prefix("-L") {
            println!("cargo::rustc-link-search=native={folder}");
        } else if let Some(library) = flag.strip_prefix("-l") {
            println!("cargo::rustc-link-lib={library}");
        }
    }
    Ok(())
}
