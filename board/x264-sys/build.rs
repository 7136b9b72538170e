//! Finds libx264 by pkg-config, and makes the bindings from its header: its structs differ from one build to the next.

#[cfg(not(feature = "link"))]
fn main() {}

#[cfg(feature = "link")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::env;
    use std::path::PathBuf;

    use bindgen::callbacks::{ItemInfo, ParseCallbacks};

    /// The library has its build's number in the name of one function, so that none is linked that it does not fit.
    #[derive(Debug)]
    struct WithoutBuild;

    impl ParseCallbacks for WithoutBuild {
        fn generated_name_override(&self, item: ItemInfo<'_>) -> Option<String> {
            item.name.starts_with("x264_encoder_open_").then(|| "x264_encoder_open".into())
        }
    }

    let library = pkg_config::probe_library("x264")?;
    let folders = library.include_paths.iter().map(|folder| format!("-I{}", folder.display()));
    bindgen::builder()
        .header_contents("all.h", "#include <stdint.h>\n#include <x264.h>\n")
        .clang_args(folders)
        .allowlist_function("x264_(param_default_preset|param_apply_profile|picture_init|encoder_.*)")
        .allowlist_type("nal_unit_type_e")
        .allowlist_var("X264_.*")
        .prepend_enum_name(false)
        .layout_tests(false)
        .parse_callbacks(Box::new(WithoutBuild))
        .generate()?
        .write_to_file(PathBuf::from(env::var("OUT_DIR")?).join("x264.rs"))?;
    Ok(())
}
