//! What `--chmod` may say: octal numbers up to 7777, or symbolic lists as chmod(1) reads them.

/// Checks a mode without applying it.
///
/// # Errors
/// In words, if it is not a mode.
pub fn check(mode: &str) -> Result<(), String> {
    if mode.starts_with(|c: char| c.is_ascii_digit()) {
        let octal = mode.bytes().all(|b| matches!(b, b'0'..=b'7'));
        if octal && u32::from_str_radix(mode, 8).is_ok_and(|mode| mode <= 0o7777) {
            return Ok(());
        }
        return Err(format!(
            "invalid chmod parameter: '{mode}'. it should be octal string and between 0 and 07777"
        ));
    }
    match mode.split(',').all(is_clause) {
        true => Ok(()),
        false => {
            Err(format!("invalid chmod parameter: '{mode}'. a symbolic mode looks like u=rwX,go=rX or +x"))
        }
    }
}

/// `[ugoa]*` and then one or more of `[-+=][rwxXstugo]*`.
fn is_clause(clause: &str) -> bool {
    let actions = clause.trim_start_matches(['u', 'g', 'o', 'a']);
    actions.starts_with(['+', '-', '=']) && actions.bytes().all(|b| b"+-=rwxXstugo".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        for good in [
            "0",
            "755",
            "0644",
            "7777",
            "00000755",
            "u=rwX,go=rX",
            "+x",
            "a-w,u+s",
            "g=u",
            "o+t",
            "u=",
            "u+x-w",
            "=",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["", "8", "17777", "7x", "u", "x", "u+y", "-1", "u+x,", ",u+x", "u+x,,g+x", "u+a", "u x"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
