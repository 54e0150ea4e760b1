//! The image model: what is written is read back equal, and writing it again gives the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use lapstrake::base::{BlobDigest, DiffId, Platform};
use lapstrake::oci::{
    AnyManifest, Descriptor, Healthcheck, History, ImageConfig, Index, Manifest, RootFs, RuntimeConfig, media,
};
use proptest::prelude::*;

fn words() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(".{0,12}", 0..4)
}

fn set() -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set("[a-z0-9/]{1,8}", 0..3)
}

fn map() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop::collection::btree_map("[a-z.]{1,10}", ".{0,8}", 0..3)
}

fn healthcheck() -> impl Strategy<Value = Option<Healthcheck>> {
    prop::option::of((words(), any::<i64>(), 0i64..10).prop_map(|(test, interval, retries)| Healthcheck {
        test,
        interval,
        retries,
        ..Healthcheck::default()
    }))
}

fn runtime() -> impl Strategy<Value = RuntimeConfig> {
    let first = (".{0,8}", set(), words(), words(), words(), set());
    let second = ("[a-z/]{0,9}", map(), any::<bool>(), healthcheck(), words(), words());
    (first, second).prop_map(|((user, exposed_ports, env, entrypoint, cmd, volumes), second)| {
        let (working_dir, labels, args_escaped, healthcheck, on_build, shell) = second;
        let extra = BTreeMap::from([("StopTimeout".to_owned(), 7.into())]);
        RuntimeConfig {
            user,
            exposed_ports,
            env,
            entrypoint,
            cmd,
            volumes,
            working_dir,
            labels,
            args_escaped,
            healthcheck,
            on_build,
            shell,
            extra,
            ..RuntimeConfig::default()
        }
    })
}

fn history() -> impl Strategy<Value = History> {
    (prop::option::of("[0-9T:Z-]{1,20}"), ".{0,20}", any::<bool>()).prop_map(
        |(created, created_by, empty_layer)| History {
            created,
            created_by,
            empty_layer,
            ..History::default()
        },
    )
}

fn config() -> impl Strategy<Value = ImageConfig> {
    let layers = prop::collection::vec(any::<u8>().prop_map(|n| DiffId::of(&[n])), 0..4);
    (runtime(), layers, prop::collection::vec(history(), 0..4), ".{0,5}").prop_map(
        |(config, diff_ids, history, author)| ImageConfig {
            config,
            rootfs: RootFs { diff_ids, ..RootFs::default() },
            history,
            author,
            ..ImageConfig::new(&Platform::host())
        },
    )
}

fn descriptor() -> impl Strategy<Value = Descriptor> {
    (any::<u8>(), any::<u32>(), map(), words()).prop_map(|(seed, size, annotations, urls)| Descriptor {
        annotations,
        urls,
        ..Descriptor::new(media::OCI_LAYER_GZIP, BlobDigest::of(&[seed]), u64::from(size))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn configurations(config in config()) {
        let bytes = config.to_bytes();
        let read = ImageConfig::parse(&bytes).unwrap();
        prop_assert_eq!(&read, &config);
        prop_assert_eq!(read.to_bytes(), bytes);
    }

    #[test]
    fn manifests(layers in prop::collection::vec(descriptor(), 0..4), annotations in map(), index: bool) {
        let any = if index {
            AnyManifest::Index(Index { annotations, ..Index::new(layers) })
        } else {
            let config = Descriptor::of(media::OCI_CONFIG, b"{}");
            AnyManifest::Image(Manifest { annotations, ..Manifest::new(config, layers) })
        };
        let bytes = match &any {
            AnyManifest::Image(manifest) => manifest.to_bytes(),
            AnyManifest::Index(index) => index.to_bytes(),
        };
        prop_assert_eq!(AnyManifest::parse(None, &bytes).unwrap(), any.clone());
        prop_assert_eq!(AnyManifest::parse(Some(any.media_type()), &bytes).unwrap(), any);
    }

    #[test]
    fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>()) {
        let _ = AnyManifest::parse(None, &bytes);
        let _ = ImageConfig::parse(&bytes);
        let mut text = Manifest::new(Descriptor::of(media::OCI_CONFIG, b"{}"), Vec::new()).to_bytes();
        let at = at.index(text.len());
        text[at] = bytes.first().copied().unwrap_or(b'"');
        let _ = AnyManifest::parse(None, &text);
    }
}
