//! Embeds the web build anew when it changes. A missing one is fine: the binary then has a page that says how to make it.

fn main() {
    println!("cargo::rerun-if-changed=../web/dist");
    println!("cargo::rerun-if-changed=../docs/errors");
}
