//! `lap image build`: `--output`, `--push`, `--load`, `--annotation`.

use std::path::PathBuf;

use clap::Args;

use crate::base::{Failure, Kind, Platform, Reference};
use crate::build::Output;
use crate::build::output::{Annotation, AnnotationLevel, Form, Push};
use crate::cli::image::keys::Keys;
use crate::cli::session::reference;
use crate::oci::compress::Compression;

/// What is made of the image.
#[derive(Args, Debug)]
pub struct OutputFlags {
    /// Push the image under its names (short for -o type=registry)
    #[arg(long)]
    push: bool,
    /// Keep the image in the store under its names, beside other outputs (short for -o type=image)
    #[arg(long)]
    load: bool,
    /// What to make of the image: type=image|registry|oci|docker|local|tar|cacheonly[,dest=PATH][,…]; may be repeated
    ///
    /// A plain path writes the image's files there, `-` writes them to standard output as a tar. Keys of image, registry,
    /// oci and docker: name=NAME, compression=gzip|zstd|uncompressed, compression-level=N, force-compression=BOOL,
    /// oci-mediatypes=BOOL, rewrite-timestamp=BOOL, annotation.KEY=VALUE, annotation-manifest-descriptor.KEY=VALUE. Of image
    /// and registry: push=BOOL, push-by-digest=BOOL, registry.insecure=BOOL. Of oci: tar=BOOL. Of local: platform-split=BOOL.
    #[arg(short, long, value_name = "OUTPUT")]
    output: Vec<String>,
    /// Words on the image, [manifest:|manifest-descriptor:]KEY=VALUE; may be repeated
    #[arg(long, value_name = "[LEVEL:]KEY=VALUE", value_parser = annotation)]
    annotation: Vec<Annotations>,
}

type Annotations = std::sync::Arc<[Annotation]>;

impl OutputFlags {
    /// Adds values of `--output` that other flags stand for.
    pub fn add(&mut self, outputs: Vec<String>) {
        self.output.extend(outputs);
    }

    /// The outputs of a build with these names, and the registries that may be spoken to without TLS.
    ///
    /// # Errors
    /// If a value cannot be read, does not apply here, or names are missing.
    pub fn outputs(&self, tags: &[Reference]) -> Result<(Vec<Output>, Vec<String>), Failure> {
        let (mut list, mut insecure) = (Vec::new(), Vec::new());
        for text in &self.output {
            let wrong = |why| usage(format!("read --output {text}"), why);
            let Parsed { output, is_insecure } = parse(text).map_err(wrong)?;
            let own = output.form().map(|form| form.names.as_slice()).unwrap_or_default();
            if !own.is_empty() && !tags.is_empty() {
                return Err(wrong("names are given with -t and with name=: use one of them".into()));
            }
            if is_insecure {
                let names = if own.is_empty() { tags } else { own };
                insecure.extend(names.iter().map(|name| name.registry().to_owned()));
            }
            list.push(output);
        }
        let pushes = |output: &Output| matches!(output, Output::Image { push: Some(_), .. });
        if self.push && !list.iter().any(pushes) {
            list.push(Output::Image { form: Form::default(), push: Some(Push::default()) });
        }
        if self.load {
            list.push(Output::Image { form: Form::default(), push: None });
        }
        let nameless = |output: &&Output| output.form().is_none_or(|form| form.names.is_empty());
        if tags.is_empty() && list.iter().filter(nameless).any(pushes) {
            return Err(usage("push the image", "it has no name".into())
                .hint("name it with -t REGISTRY/NAME:TAG, or with name= in the output"));
        }
        Ok((list, insecure))
    }

    /// `--annotation`.
    pub fn annotations(&self) -> Vec<Annotation> {
        self.annotation.iter().flat_map(|list| list.iter().cloned()).collect()
    }
}

fn usage(message: impl Into<String>, cause: String) -> Failure {
    Failure::new(Kind::Usage, message).because(cause)
}

/// One `--output`.
struct Parsed {
    output: Output,
    /// `registry.insecure=true`.
    is_insecure: bool,
}

/// Reads one value: a path, `-`, or `type=…,key=value,…`.
fn parse(text: &str) -> Result<Parsed, String> {
    let plain = |output| Ok(Parsed { output, is_insecure: false });
    match text {
        "" => return Err("it is empty".into()),
        "-" => return plain(Output::Tar { destination: None }),
        _ if !text.contains('=') => {
            return plain(Output::Local { destination: text.into(), platform_split: false });
        }
        _ => {}
    }
    let mut keys = Keys::read(text)?;
    let kind = keys.text("type").ok_or("it has no type=")?;
    let insecure =
        matches!(kind.as_str(), "image" | "registry") && keys.flag("registry.insecure")?.unwrap_or(false);
    let output = of_kind(&kind, &mut keys)?;
    keys.finish(&kind)?;
    Ok(Parsed { output, is_insecure: insecure })
}

fn of_kind(kind: &str, keys: &mut Keys) -> Result<Output, String> {
    match kind {
        "image" | "registry" => {
            let by_digest = keys.flag("push-by-digest")?.unwrap_or(false);
            let pushes = keys.flag("push")?.unwrap_or(kind == "registry" || by_digest);
            if by_digest && !pushes {
                return Err("push-by-digest=true does not go with push=false".into());
            }
            let push = pushes.then_some(Push { by_digest, adopt: false });
            Ok(Output::Image { form: form(keys)?, push })
        }
        "oci" => {
            let tar = keys.flag("tar")?.unwrap_or(true);
            let destination = destination(keys);
            if destination.is_none() && !tar {
                return Err("a folder cannot go to standard output: give dest=PATH".into());
            }
            Ok(Output::Oci { destination, tar, form: form(keys)? })
        }
        "docker" => {
            if keys.flag("tar")? == Some(false) {
                return Err("type=docker is one file; type=oci,tar=false is a folder".into());
            }
            Ok(Output::Docker { destination: destination(keys), form: form(keys)? })
        }
        "tar" => {
            if keys.flag("platform-split")? == Some(true) {
                return Err("a tar holds the files of one platform: it is not split".into());
            }
            Ok(Output::Tar { destination: destination(keys) })
        }
        "local" => {
            let platform_split = keys.flag("platform-split")?.unwrap_or(false);
            match keys.text("mode").as_deref() {
                None | Some("copy") => {}
                Some("delete") => {
                    return Err(
                        "mode=delete is not done: nothing that others wrote is deleted; remove the folder \
                                before the build"
                            .into(),
                    );
                }
                Some(other) => return Err(format!("mode `{other}` is none of copy, delete")),
            }
            let destination = destination(keys).ok_or("type=local needs dest=PATH")?;
            Ok(Output::Local { destination, platform_split })
        }
        "cacheonly" => Ok(Output::CacheOnly),
        other => Err(format!("`{other}` is none of image, registry, oci, docker, local, tar, cacheonly")),
    }
}

fn destination(keys: &mut Keys) -> Option<PathBuf> {
    keys.text("dest").filter(|dest| dest != "-").map(PathBuf::from)
}

/// The keys that say in which form an image leaves.
fn form(keys: &mut Keys) -> Result<Form, String> {
    let names = keys.text("name").unwrap_or_default();
    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
    let form = Form {
        names: names.map(reference).collect::<Result<_, _>>()?,
        compression: compression(keys)?,
        force_compression: keys.flag("force-compression")?.unwrap_or(false),
        docker_types: keys.flag("oci-mediatypes")? == Some(false),
        rewrite_timestamp: keys.flag("rewrite-timestamp")?.unwrap_or(false),
        annotations: annotations(keys)?,
    };
    if form.docker_types && matches!(form.compression, Compression::Zstd(_)) {
        return Err(
            "compression=zstd conflicts with oci-mediatypes=false: Docker's media types have no zstd".into(),
        );
    }
    let on_manifest = |words: &Annotation| words.level == AnnotationLevel::Manifest;
    if form.docker_types && !form.annotations.iter().all(on_manifest) {
        return Err("cannot export annotations with oci-mediatypes=false".into());
    }
    Ok(form)
}

fn compression(keys: &mut Keys) -> Result<Compression, String> {
    let kind = keys.text("compression");
    if kind.as_deref() == Some("estargz") {
        return Err(
            "compression=estargz is not written: it is of use only to lazy pullers of containerd, and makes \
                    layers larger for everybody else; gzip, zstd and uncompressed are"
                .into(),
        );
    }
    let text = match (kind, keys.text("compression-level")) {
        (None, None) => return Ok(Compression::default()),
        (kind, None) => kind.unwrap_or_default(),
        (kind, Some(level)) => format!("{}:{level}", kind.as_deref().unwrap_or("gzip")),
    };
    text.parse().map_err(|e: crate::oci::compress::InvalidCompression| e.to_string())
}

/// `annotation.KEY`, `annotation-LEVEL[PLATFORM].KEY`.
fn annotations(keys: &mut Keys) -> Result<Vec<Annotation>, String> {
    let mut list = Vec::new();
    for (name, value) in keys.beginning_with("annotation") {
        let rest = &name["annotation".len()..];
        let (place, key) = rest.split_once('.').ok_or_else(|| format!("`{name}` has no .KEY"))?;
        let (level, platform) = level(place.trim_start_matches('-'))?;
        if key.is_empty() {
            return Err(format!("`{name}` has no name after the dot"));
        }
        list.push(Annotation { level, platform, key: key.to_owned(), value });
    }
    Ok(list)
}

/// `manifest[linux/amd64]`; nothing is the manifest.
fn level(text: &str) -> Result<(AnnotationLevel, Option<Platform>), String> {
    let (name, platform) = match text.split_once('[') {
        None => (text, None),
        Some((name, platform)) => {
            let platform =
                platform.strip_suffix(']').ok_or_else(|| format!("`{text}` has no closing bracket"))?;
            (name, Some(platform.parse().map_err(|e: crate::base::InvalidPlatform| e.to_string())?))
        }
    };
    let known = AnnotationLevel::ALL.iter().find(|(known, _)| *known == name);
    match (name, known) {
        ("", _) => Ok((AnnotationLevel::Manifest, platform)),
        (_, Some((_, level))) => Ok((*level, platform)),
        (other, None) => {
            let names: Vec<&str> = AnnotationLevel::ALL.iter().map(|(name, _)| *name).collect();
            Err(format!("unknown annotation type `{other}`: it is none of {}", names.join(", ")))
        }
    }
}

/// `[LEVEL[PLATFORM][,LEVEL…]:]KEY=VALUE`.
fn annotation(text: &str) -> Result<Annotations, String> {
    let (name, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    let (levels, key) = name.split_once(':').unwrap_or(("", name));
    if key.is_empty() {
        return Err("an annotation has a name".into());
    }
    let one = |place: &str| {
        let (level, platform) = level(place.trim())?;
        Ok(Annotation { level, platform, key: key.to_owned(), value: value.to_owned() })
    };
    let list: Result<Vec<Annotation>, String> = levels.split(',').map(one).collect();
    Ok(list?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(text: &str) -> Output {
        parse(text).map(|parsed| parsed.output).unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn places() {
        let local = Output::Local { destination: "out".into(), platform_split: false };
        assert_eq!(output("out"), local);
        assert_eq!(output("-"), Output::Tar { destination: None });
        assert_eq!(output("type=tar,dest=x.tar"), Output::Tar { destination: Some("x.tar".into()) });
        let Output::Oci { destination, tar, form } =
            output("type=oci,dest=x,tar=false,compression=zstd,compression-level=9")
        else {
            panic!()
        };
        assert_eq!((destination, tar), (Some("x".into()), false));
        assert_eq!(form.compression, "zstd:9".parse().unwrap());
        let Output::Image { form, push } = output("type=image,\"name=a.example/x:1,b.example/x\",push=true")
        else {
            panic!()
        };
        assert_eq!((form.names.len(), push), (2, Some(Push::default())));
    }

    #[test]
    fn forms() {
        let text = "type=registry,oci-mediatypes=false,force-compression,annotation.a=b,push-by-digest=true";
        let Output::Image { form, push } = output(text) else { panic!() };
        assert!(form.docker_types && form.force_compression);
        assert_eq!(form.annotations[0].key, "a");
        assert_eq!(push, Some(Push { by_digest: true, adopt: false }));
        let words = annotation("manifest,manifest-descriptor[linux/arm64]:org.example.x=a=b").unwrap();
        assert_eq!(words.len(), 2);
        assert_eq!((words[1].level, words[1].value.as_str()), (AnnotationLevel::ManifestDescriptor, "a=b"));
        assert_eq!(words[1].platform, Some("linux/arm64".parse().unwrap()));
        assert_eq!(annotation("a.b=c").unwrap()[0].level, AnnotationLevel::Manifest);
        for bad in ["a", "=x", "nope:a=b", "manifest[x/y/z/w]:a=b", "manifest[linux:a=b"] {
            assert!(annotation(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_does_not_apply_is_refused_with_a_reason() {
        for (text, words) in [
            ("", "empty"),
            ("type=x", "none of image"),
            ("dest=a", "no type="),
            ("type=local", "needs dest="),
            ("type=oci,dest=a,colour=red", "no key `colour`"),
            ("type=oci,tar=false", "standard output"),
            ("type=oci,dest=a,compression=estargz", "estargz"),
            ("type=registry,compression=zstd,oci-mediatypes=false", "conflicts"),
            ("type=image,unpack=true", "unpacked"),
            ("type=image,store=false", "type=cacheonly"),
            ("type=image,dangling-name-prefix=x", "found by its digest"),
            ("type=local,dest=a,mode=delete", "not done"),
            ("type=oci,dest=a,source-date-epoch=1", "--source-date-epoch"),
            ("type=image,push=maybe", "neither true nor false"),
            ("type=docker,dest=a,tar=false", "type=oci"),
            ("type=oci,dest=a,annotation-x.k=v", "unknown annotation type"),
            ("type=oci,dest=a,dest=b", "twice"),
        ] {
            let why = parse(text).err().unwrap_or_else(|| panic!("{text} was accepted"));
            assert!(why.contains(words), "{text}: {why}");
        }
        for fine in [
            "type=image,unpack=false,store=true",
            "type=oci,dest=a,oci-artifact=false,prefer-nondist-layers=false",
        ] {
            assert!(parse(fine).is_ok(), "{fine}");
        }
    }
}
