//! Unpacked layers that can be mounted, read and compared.
