//! Extended attributes on their way between disk and archive.

use std::borrow::Cow;

/// The one attribute that layers made here carry (BuildKit and containerd: the same).
pub(super) const CAPABILITY: &str = "security.capability";

/// Version 2 of a file capability: 20 bytes. Version 3 has the user id of a namespace's root behind.
const V2_LENGTH: usize = 20;

/// What of an archive's attribute is written to disk: never what steers overlays or belongs to the host.
pub(super) fn to_disk<'a>(name: &[u8], value: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let host = [&b"trusted."[..], b"user.overlay.", b"security.selinux", b"security.ima", b"security.evm"];
    if host.iter().any(|prefix| name.starts_with(prefix)) {
        return None;
    }
    Some(if name == CAPABILITY.as_bytes() { portable(value) } else { Cow::Borrowed(value) })
}

/// A file capability without the namespace it was set in: version 3 would mean nothing elsewhere.
///
/// Linux: include/uapi/linux/capability.h, `VFS_CAP_REVISION_2` and `VFS_CAP_REVISION_3`.
pub(super) fn portable(value: &[u8]) -> Cow<'_, [u8]> {
    if value.len() == V2_LENGTH + 4 && value[3] == 3 {
        let mut v2 = value[..V2_LENGTH].to_vec();
        v2[3] = 2;
        return Cow::Owned(v2);
    }
    Cow::Borrowed(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_lose_their_namespace_and_overlays_their_marks() {
        let v2 = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut v3 = v2.to_vec();
        v3[3] = 3;
        v3.extend_from_slice(&1001u32.to_le_bytes());
        assert_eq!(portable(&v3), &v2[..]);
        assert_eq!(portable(&v2), &v2[..]);
        assert_eq!(to_disk(b"security.capability", &v3).unwrap(), &v2[..]);
        assert_eq!(to_disk(b"user.overlay.opaque", b"y"), None);
        assert_eq!(to_disk(b"trusted.overlay.opaque", b"y"), None);
        assert!(to_disk(b"user.mine", b"y").is_some());
    }
}
