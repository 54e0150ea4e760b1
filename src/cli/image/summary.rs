//! What a person wants to know of a finished build.

use crate::build::{Built, ExportedOutput, Layers};
use crate::ui;

/// Lines of a word and what it says; pushed and written forms have their own.
pub fn summary(built: &Built) -> String {
    let mut text = String::new();
    let mut line = |word: &str, what: String| text.push_str(&format!("{word:<8}{what}\n"));
    for tag in &built.tags {
        line("tag", tag.with_default_tag().familiar());
    }
    line("digest", built.published().to_string());
    line("image", built.id.to_string());
    line("layers", layers(built.inherited, built.own));
    for output in &built.outputs {
        if let ExportedOutput::Pushed(report) = output {
            let bytes = report.layers.iter().map(|layer| layer.descriptor.size).sum();
            line("pushed", format!("{} as its layers lie in the registry", ui::size(bytes)));
        }
    }
    line("steps", format!("{} made, {} cached", built.made, built.steps - built.made));
    text
}

/// The base image's layers are counted as its manifest has them, those made here as tars: each says what it is.
fn layers(inherited: Layers, own: Layers) -> String {
    let made = format!("{} made here ({} uncompressed)", own.count, ui::size(own.bytes));
    match inherited.count {
        0 => made,
        count => format!("{count} of the base image ({} in its registry), {made}", ui::size(inherited.bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_say_what_they_count() {
        let base = Layers { count: 2, bytes: 30_000_000 };
        let own = Layers { count: 1, bytes: 512 };
        assert_eq!(layers(Layers::default(), own), "1 made here (512B uncompressed)");
        assert_eq!(
            layers(base, own),
            "2 of the base image (30MB in its registry), 1 made here (512B uncompressed)"
        );
    }
}
