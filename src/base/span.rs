//! Places in source files: what an error points at.

use std::ops::Range;
use std::sync::Arc;

/// A file that spans point into. Bytes, not text: a Dockerfile need not be UTF-8.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    name: String,
    bytes: Vec<u8>,
    line_starts: Vec<usize>,
}

impl SourceFile {
    /// Takes the file's name, as the user would write it, and its bytes.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Arc<Self> {
        let bytes = bytes.into();
        let mut line_starts = vec![0];
        line_starts.extend(bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i + 1));
        Arc::new(Self { name: name.into(), bytes, line_starts })
    }

    /// The name as the user would write it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Everything in the file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of lines; an empty file has one.
    pub fn line_count(&self) -> usize {
        self.line_starts.len()
    }

    /// The 1-based line that holds byte `offset`.
    pub fn line_of(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset).max(1)
    }

    /// The 1-based column of byte `offset`, counted in characters.
    pub fn column_of(&self, offset: usize) -> usize {
        let offset = offset.min(self.bytes.len());
        let start = self.line_starts[self.line_of(offset) - 1];
        String::from_utf8_lossy(&self.bytes[start..offset]).chars().count() + 1
    }

    /// The byte range of 1-based `line` without its line ending; empty past the end.
    pub fn line_range(&self, line: usize) -> Range<usize> {
        let Some(start) = line.checked_sub(1).and_then(|i| self.line_starts.get(i)).copied() else {
            return self.bytes.len()..self.bytes.len();
        };
        let mut end = self.line_starts.get(line).map_or(self.bytes.len(), |next| next - 1);
        if end > start && self.bytes[end - 1] == b'\r' {
            end -= 1;
        }
        start..end
    }
}

/// A range of bytes in a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    file: Arc<SourceFile>,
    range: Range<usize>,
}

impl Span {
    /// A span over `range`, cut to the file's length.
    pub fn new(file: &Arc<SourceFile>, range: Range<usize>) -> Self {
        let end = range.end.min(file.bytes.len());
        Self { file: Arc::clone(file), range: range.start.min(end)..end }
    }

    /// A span over whole lines, 1-based and inclusive.
    pub fn lines(file: &Arc<SourceFile>, first: usize, last: usize) -> Self {
        let (start, end) = (file.line_range(first).start, file.line_range(last.max(first)).end);
        Self::new(file, start..end)
    }

    /// The file it points into.
    pub fn file(&self) -> &Arc<SourceFile> {
        &self.file
    }

    /// The bytes it covers.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// 1-based line of its first byte.
    pub fn first_line(&self) -> usize {
        self.file.line_of(self.range.start)
    }

    /// 1-based line of its last byte.
    pub fn last_line(&self) -> usize {
        self.file.line_of(self.range.end.saturating_sub(1).max(self.range.start))
    }

    /// `FILE:LINE`, as compilers write it.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file.name, self.first_line())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns() {
        let file = SourceFile::new("Dockerfile", "FROM a\r\nRUN é b\n");
        assert_eq!(file.line_count(), 3);
        assert_eq!(file.line_range(1), 0..6);
        assert_eq!(file.line_of(8), 2);
        assert_eq!(file.column_of(file.line_range(2).end), 8);
        assert_eq!(Span::lines(&file, 2, 2).place(), "Dockerfile:2");
        assert_eq!(file.line_range(9), 17..17);
    }
}
