//! Has cargo look at `web/` as well: a page added there is embedded by the next build.

fn main() {
    println!("cargo::rerun-if-changed=web");
}
