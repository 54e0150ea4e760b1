//! What a command has for standard output, as pieces: rendered texts are large and are not copied once more for it.

use crate::chart::{Rendered, trim_end, trim_start};

/// Bytes for standard output, in pieces.
#[derive(Clone, Debug, Default)]
pub struct Output(Vec<Rendered>);

impl Output {
    /// Adds a piece.
    pub fn push(&mut self, piece: impl Into<Rendered>) {
        self.0.push(piece.into());
    }

    /// Adds a document below the comment that says where it comes from.
    pub(super) fn document(&mut self, path: &str, content: Rendered) {
        self.push(format!("---\n# Source: {path}\n"));
        self.push(content);
        self.push("\n");
    }

    /// Adds all that another output has.
    pub(super) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Takes off what Go's `strings.TrimSpace` does.
    pub(super) fn trim(&mut self) {
        while let Some(last) = self.0.pop() {
            let left = last.trimmed_end(trim_end);
            if !left.is_empty() {
                self.0.push(left);
                break;
            }
        }
        let blank = self.0.iter().take_while(|piece| trim_start(piece.as_bytes()).is_empty()).count();
        self.0.drain(..blank);
        if let Some(first) = self.0.first_mut() {
            *first = first.trimmed_start(trim_start);
        }
    }

    /// The pieces in order.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Rendered::as_bytes)
    }

    /// All bytes in one.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.pieces().collect::<Vec<_>>().concat()
    }
}

impl<T: Into<Rendered>> From<T> for Output {
    fn from(all: T) -> Self {
        Self(vec![all.into()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trimming_goes_over_pieces() {
        for (pieces, left) in [
            (&["  ", "\u{a0}a ", " b", " \n", "", "\u{2028}\n"][..], "a  b"),
            (&[" ", "\n"], ""),
            (&[], ""),
            (&["a"], "a"),
        ] {
            let mut output = Output::default();
            pieces.iter().for_each(|piece| output.push(*piece));
            output.trim();
            assert_eq!(String::from_utf8(output.to_bytes()).unwrap(), left);
        }
        let mut output = Output::from("x");
        output.document("c/a.yaml", "b: 1".into());
        output.append("y".into());
        assert_eq!(output.to_bytes(), b"x---\n# Source: c/a.yaml\nb: 1\ny");
    }
}
