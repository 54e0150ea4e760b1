//! Tar archives block by block, so that each field can hold what no tool would write.

/// A header with the right checksum.
pub fn head(name: &str, kind: u8, size: u64) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..108].copy_from_slice(b"0000644\0");
    block[108..116].copy_from_slice(b"0000000\0");
    block[116..124].copy_from_slice(b"0000000\0");
    block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    block[136..148].copy_from_slice(b"00000000000\0");
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    sealed(block)
}

/// The same header with other bytes at `at`, its checksum put right.
pub fn with(mut block: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    block[at..at + bytes.len()].copy_from_slice(bytes);
    sealed(block)
}

fn sealed(mut block: Vec<u8>) -> Vec<u8> {
    block[148..156].fill(b' ');
    let sum: u32 = block[..512].iter().map(|&b| u32::from(b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// A header and what follows it, filled up to whole blocks.
pub fn entry(head: Vec<u8>, content: &[u8]) -> Vec<u8> {
    let mut bytes = head;
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// A file.
pub fn file(name: &str, content: &[u8]) -> Vec<u8> {
    entry(head(name, b'0', content.len() as u64), content)
}

/// A directory.
pub fn directory(name: &str) -> Vec<u8> {
    with(head(name, b'5', 0), 100, b"0000755\0")
}

/// A symbolic link.
pub fn symlink(name: &str, target: &str) -> Vec<u8> {
    with(head(name, b'2', 0), 157, target.as_bytes())
}

/// A hard link.
pub fn hardlink(name: &str, target: &str) -> Vec<u8> {
    with(head(name, b'1', 0), 157, target.as_bytes())
}

/// A PAX header, `x` for the next entry or `g` for all that follow.
pub fn pax(kind: u8, records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut data = Vec::new();
    for (key, value) in records {
        let bare = key.len() + value.len() + 3;
        let mut length = bare + bare.to_string().len();
        // The length counts its own digits.
        length = bare + length.to_string().len();
        data.extend_from_slice(format!("{length} {key}=").as_bytes());
        data.extend_from_slice(value);
        data.push(b'\n');
    }
    entry(head("PaxHeaders", kind, data.len() as u64), &data)
}

/// GNU's long name (`L`) or long link target (`K`) of the next entry.
pub fn long(kind: u8, text: &[u8]) -> Vec<u8> {
    entry(head("././@LongLink", kind, text.len() as u64), text)
}

/// The parts as one archive.
pub fn archive(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = parts.concat();
    bytes.extend_from_slice(&[0; 1024]);
    bytes
}
