//! Finds libva by pkg-config, and makes the bindings from its headers.

#[cfg(not(feature = "link"))]
fn main() {}

#[cfg(feature = "link")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::env;
    use std::path::PathBuf;

    let out = PathBuf::from(env::var("OUT_DIR")?);
    // vaSyncBuffer is there since 1.9.
    let library = pkg_config::Config::new().atleast_version("1.9").probe("libva")?;
    let mut headers =
        vec!["#include <va/va.h>", "#include <va/va_drmcommon.h>", "#include <va/va_enc_h264.h>"];
    if cfg!(feature = "testdriver") {
        headers.push("#include <va/va_backend.h>");
    } else {
        pkg_config::probe_library("libva-drm")?;
    }
    let folders = library.include_paths.iter().map(|folder| format!("-I{}", folder.display()));
    bindgen::builder()
        .header_contents("all.h", &headers.join("\n"))
        .clang_args(folders)
        .allowlist_function("va[A-Z].*")
        .allowlist_type("VA.*|drm_state")
        .allowlist_var("VA_.*")
        .prepend_enum_name(false)
        .derive_default(true)
        .layout_tests(false)
        .generate()?
        .write_to_file(out.join("va.rs"))?;
    #[cfg(feature = "testdriver")]
    testdriver(&out, &library.include_paths)?;
    Ok(())
}

/// Compiles what libva wants in C: a shared object for it to open, and the display that it opens it for.
#[cfg(all(feature = "link", feature = "testdriver"))]
fn testdriver(
    out: &std::path::Path,
    includes: &[std::path::PathBuf],
) -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=src/testdriver");
    let mut build = cc::Build::new();
    build.includes(includes).warnings(true);
    let mut compiler = build.get_compiler().to_command();
    let object = out.join("pushbox_drv_video.so");
    compiler.args(["-shared", "-fPIC", "src/testdriver/driver.c", "-o"]).arg(&object);
    if !compiler.status()?.success() {
        return Err("the test driver does not compile".into());
    }
    build.file("src/testdriver/display.c").try_compile("testdisplay")?;
    println!("cargo::rustc-env=TESTDRIVER_FOLDER={}", out.display());
    Ok(())
}
