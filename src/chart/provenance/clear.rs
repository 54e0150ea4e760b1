//! Clear-signed text: readable text with a signature behind it (`RFC 9580: 7`).

const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";

/// Text and the armored signature behind it.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// The text: lines end with a line feed and carry no blanks at their end.
    pub text: String,
    /// The signature with its armor.
    pub signature: String,
}

fn trimmed(line: &str) -> &str {
    line.trim_end_matches([' ', '\t', '\r'])
}

/// The bytes of a text that are signed: lines without blanks at their end, joined by CRLF.
pub fn signed(text: &str) -> String {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.split('\n').map(trimmed).collect::<Vec<_>>().join("\r\n")
}

/// A text and its signature as one.
pub fn write(text: &str, signature: &str) -> String {
    let mut out = format!("{BEGIN}\nHash: SHA512\n\n");
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        if line.starts_with('-') {
            out.push_str("- ");
        }
        out.push_str(line);
        out.push('\n');
    }
    out.push_str(signature);
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

/// Takes text and signature apart. What stands before and behind is passed over, as Helm does.
pub fn read(bytes: &[u8]) -> Option<Message> {
    let all = std::str::from_utf8(bytes).ok()?;
    let mut lines = all.split('\n').map(trimmed);
    lines.by_ref().find(|line| *line == BEGIN)?;
    for header in lines.by_ref().take_while(|line| !line.is_empty()) {
        // Any other header could carry text that somebody takes for signed.
        header.strip_prefix("Hash:")?;
    }
    let mut text = String::new();
    for line in lines.by_ref() {
        if line == SIGNATURE {
            let mut signature = format!("{SIGNATURE}\n");
            for line in lines.by_ref() {
                signature.push_str(line);
                signature.push('\n');
                if line == "-----END PGP SIGNATURE-----" {
                    return Some(Message { text, signature });
                }
            }
            return None;
        }
        match line.strip_prefix("- ") {
            Some(line) => text.push_str(line),
            None if line.starts_with('-') => return None,
            None => text.push_str(line),
        }
        text.push('\n');
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARMOR: &str = "-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n";

    #[test]
    fn what_is_written_is_read() {
        let text = "a: 1\n- b\n-----x\n\nend\n";
        let message = read(write(text, ARMOR).as_bytes()).unwrap();
        assert_eq!((message.text.as_str(), message.signature.as_str()), (text, ARMOR));
        assert_eq!(signed("a \t\nb\r\n"), "a\r\nb");
    }

    #[test]
    fn what_could_mislead_is_refused() {
        let good = write("a\n", ARMOR);
        assert!(read(format!("before\n{good}after\n").as_bytes()).is_some());
        assert!(read(good.replace("Hash: SHA512", "Comment: a: 2").as_bytes()).is_none());
        assert!(read(good.replace("\na\n", "\n-a\n").as_bytes()).is_none());
        assert!(read(good.replace("-----END PGP SIGNATURE-----", "").as_bytes()).is_none());
        assert!(read(b"\xff").is_none() && read(b"").is_none());
    }
}
