//! Tells cargo which folders are embedded: `include_dir` does not notice new files by itself.

fn main() {
    for folder in ["python", "templates"] {
        if std::path::Path::new(folder).exists() {
            println!("cargo:rerun-if-changed={folder}");
        }
    }
}
