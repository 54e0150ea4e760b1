//! Any text as a template over some data: nothing panics or runs away.

#![no_main]

use std::sync::{Arc, LazyLock};

use lapstrake::template::{Closed, Functions, MissingKey, Session, Templates};
use lapstrake::yaml::{Value, json};
use libfuzzer_sys::fuzz_target;

static FUNCTIONS: LazyLock<Arc<Functions>> = LazyLock::new(|| {
    let mut functions = Functions::helm();
    // Slow by design: keys, certificates, passwords.
    functions.remove(&[
        "genCA", "genCAWithKey", "genPrivateKey", "genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert",
        "genSignedCertWithKey", "bcrypt", "htpasswd", "derivePassword", "until", "untilStep", "seq", "repeat",
    ]);
    Arc::new(functions)
});

fuzz_target!(|bytes: &[u8]| {
    let mut templates = Templates::new("gotpl", Arc::clone(&FUNCTIONS), MissingKey::Zero);
    if templates.parse("t", bytes).is_err() {
        return;
    }
    let data = include_bytes!("../../fixtures/compat/template/data.json");
    let data: Value = json::read(data).unwrap();
    let _ = templates.execute("t", &data, &mut Session::new(&Closed));
});
