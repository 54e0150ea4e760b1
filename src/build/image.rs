//! From an evaluated stage and the layers that were made to a finished image configuration. Pure.

use crate::base::DiffId;
use crate::build::step::Stage;
use crate::oci::{ImageConfig, created_at};
use crate::stages::RecordLayer;

/// The configuration of the image that `stage` ends in: `base` are the layers of its base image, `made` the ones on
/// top of it, in the order of the history entries that have a layer.
///
/// Entries without a layer show the time of the entry before them, or of the first new layer, as BuildKit's exporter
/// does; an image without new layers shows `epoch`.
pub fn finish(stage: &Stage, base: &[DiffId], made: &[RecordLayer], epoch: i64) -> ImageConfig {
    let mut image = stage.image.clone();
    let mut layers = made.iter();
    let mut time = made.first().map_or(epoch, |layer| layer.created);
    for entry in image.history.iter_mut().skip(stage.inherited_history) {
        if !entry.empty_layer
            && let Some(layer) = layers.next()
        {
            time = layer.created;
        }
        entry.created = Some(created_at(time));
    }
    image.created = Some(created_at(time));
    image.rootfs.diff_ids =
        base.iter().cloned().chain(made.iter().map(|layer| layer.diff_id.clone())).collect();
    image
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::step::Parent;
    use crate::oci::History;

    #[test]
    fn times_follow_the_layers() {
        let entry =
            |by: &str, empty| History { created_by: by.into(), empty_layer: empty, ..History::default() };
        let history = vec![
            History { created: Some("2020-01-01T00:00:00Z".into()), ..entry("base", false) },
            entry("ENV a=b", true),
            entry("RUN x", false),
            entry("CMD", true),
        ];
        let image = ImageConfig { history, ..ImageConfig::default() };
        let stage = Stage { image, result: Parent::Scratch, inherited_history: 1 };
        let made = [RecordLayer { diff_id: DiffId::of(b"made"), size: 4, created: 10 }];
        let done = finish(&stage, &[DiffId::of(b"base")], &made, 99);
        let times: Vec<_> = done.history.iter().map(|h| h.created.as_deref().unwrap()).collect();
        let ten = "1970-01-01T00:00:10Z";
        assert_eq!(times, ["2020-01-01T00:00:00Z", ten, ten, ten]);
        assert_eq!(done.created.as_deref(), Some(ten));
        assert_eq!(done.layers(), [DiffId::of(b"base"), DiffId::of(b"made")]);
    }
}
