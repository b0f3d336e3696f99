//! Embeds the browser SDK. `make build` builds it first; a plain `cargo build` without Node gets a
//! module that says so when it is imported, and `/healthz` names the SDK as missing.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let sdk = Path::new("../../sdk/dist/odeum.js");
    println!("cargo:rerun-if-changed={}", sdk.display());
    let out_dir = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let target = Path::new(&out_dir).join("odeum.js");
    if sdk.exists() {
        fs::copy(sdk, target)?;
        println!("cargo:rustc-env=ODEUM_SDK=built");
    } else {
        let message = "this server was built without the browser SDK; run `make build`";
        fs::write(target, format!("throw new Error({message:?});\n"))?;
        println!("cargo:rustc-env=ODEUM_SDK=missing");
    }
    Ok(())
}
