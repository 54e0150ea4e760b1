//! What one source file says: the paths it names, its functions, its unsafe code, what it leaves undocumented.

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, TraitItem, UseTree, Visibility};

use crate::modules::Source;

/// A path that is named somewhere.
#[derive(Debug)]
pub struct Named {
    /// With `self`, `super` and `crate` resolved: starts with `crate` or a crate's name.
    pub path: String,
    /// 1-based.
    pub line: usize,
    /// Whether in code for tests.
    pub test: bool,
}

/// A function with a body, or a declaration of one.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// 1-based line of its signature.
    pub line: usize,
    /// Lines from signature to closing brace.
    pub lines: usize,
    /// Parameters, `self` included.
    pub parameters: usize,
}

/// What one file says.
#[derive(Debug, Default)]
pub struct Facts {
    /// Paths, in order.
    pub named: Vec<Named>,
    /// Functions, in order.
    pub functions: Vec<Function>,
    /// Lines of `.unwrap()` outside tests.
    pub unwraps: Vec<usize>,
    /// Lines of `unsafe`.
    pub unsafes: Vec<usize>,
    /// Lines of `async` functions, blocks and closures outside tests.
    pub asyncs: Vec<usize>,
    /// Public items without a doc comment: line and name.
    pub undocumented: Vec<(usize, String)>,
    /// Inline modules: line and name.
    pub modules: Vec<(usize, String)>,
}

struct Reader {
    facts: Facts,
    module: Vec<String>,
    /// Nesting of items compiled for tests only.
    tests: usize,
    /// Nesting of trait implementations, whose items inherit their documentation, and of private inline modules,
    /// whose items nobody else sees.
    wordless: usize,
}

/// Reads one file.
pub fn read(source: &Source) -> Facts {
    let mut reader = Reader {
        facts: Facts::default(),
        module: source.module.clone(),
        tests: usize::from(source.test),
        wordless: 0,
    };
    reader.visit_file(&source.ast);
    reader.facts
}

/// The line where `node` begins.
pub fn line_of(node: &impl Spanned) -> usize {
    node.span().start().line
}

/// Whether the attributes make an item part of tests only.
pub fn is_test(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| {
        let named = attr.path().segments.last().is_some_and(|segment| segment.ident == "test");
        let configured = attr.path().is_ident("cfg")
            && attr.meta.require_list().is_ok_and(|list| {
                let words: Vec<String> = list.tokens.clone().into_iter().map(|t| t.to_string()).collect();
                words.iter().any(|w| w == "test") || words.iter().any(|w| w.contains("(test"))
            });
        named || configured
    })
}

fn item_attrs(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(i) => &i.attrs,
        Item::Enum(i) => &i.attrs,
        Item::ExternCrate(i) => &i.attrs,
        Item::Fn(i) => &i.attrs,
        Item::ForeignMod(i) => &i.attrs,
        Item::Impl(i) => &i.attrs,
        Item::Macro(i) => &i.attrs,
        Item::Mod(i) => &i.attrs,
        Item::Static(i) => &i.attrs,
        Item::Struct(i) => &i.attrs,
        Item::Trait(i) => &i.attrs,
        Item::Type(i) => &i.attrs,
        Item::Union(i) => &i.attrs,
        Item::Use(i) => &i.attrs,
        _ => &[],
    }
}

/// Visibility and name of items that need words of their own.
fn public_item(item: &Item) -> Option<(&Visibility, &syn::Ident)> {
    Some(match item {
        Item::Const(i) => (&i.vis, &i.ident),
        Item::Enum(i) => (&i.vis, &i.ident),
        Item::Fn(i) => (&i.vis, &i.sig.ident),
        Item::Mod(i) if i.content.is_some() => (&i.vis, &i.ident),
        Item::Static(i) => (&i.vis, &i.ident),
        Item::Struct(i) => (&i.vis, &i.ident),
        Item::Trait(i) => (&i.vis, &i.ident),
        Item::Type(i) => (&i.vis, &i.ident),
        _ => return None,
    })
}

fn documented(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| attr.path().is_ident("doc"))
}

impl Reader {
    fn name(&mut self, segments: &[String], line: usize) {
        if let Some(path) = resolve(&self.module, segments) {
            self.facts.named.push(Named { path, line, test: self.tests > 0 });
        }
    }

    fn uses(&mut self, tree: &UseTree, prefix: &mut Vec<String>) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.uses(&path.tree, prefix);
                prefix.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.uses(tree, prefix)),
            UseTree::Glob(_) => self.name(prefix, line_of(tree)),
            UseTree::Name(syn::UseName { ident, .. }) | UseTree::Rename(syn::UseRename { ident, .. }) => {
                let mut path = prefix.clone();
                if ident != "self" || path.is_empty() {
                    path.push(ident.to_string());
                }
                self.name(&path, line_of(ident));
            }
        }
    }

    /// Macro arguments are tokens, not syntax: paths, `.unwrap()`, `unsafe` and `async` are found by their shape.
    fn tokens(&mut self, tokens: TokenStream) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(tree) = trees.get(at) {
            match tree {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(ident) => {
                    let line = ident.span().start().line;
                    if ident == "unsafe" {
                        self.facts.unsafes.push(line);
                    } else if ident == "async" && self.tests == 0 {
                        self.facts.asyncs.push(line);
                    } else if ident == "unwrap" && self.tests == 0 && at > 0 && is_punct(&trees[at - 1], '.')
                    {
                        self.facts.unwraps.push(line);
                    }
                    let mut path = vec![ident.to_string()];
                    while let Some(TokenTree::Ident(next)) = trees
                        .get(at + 3)
                        .filter(|_| is_punct(&trees[at + 1], ':') && is_punct(&trees[at + 2], ':'))
                    {
                        path.push(next.to_string());
                        at += 3;
                    }
                    if path.len() > 1 {
                        self.name(&path, line);
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }

    fn function(&mut self, sig: &syn::Signature, end: usize) {
        let line = line_of(sig);
        if sig.asyncness.is_some() && self.tests == 0 {
            self.facts.asyncs.push(line);
        }
        if let Some(token) = &sig.unsafety {
            self.facts.unsafes.push(line_of(token));
        }
        let (name, parameters) = (sig.ident.to_string(), sig.inputs.len());
        self.facts.functions.push(Function { name, line, lines: end.max(line) - line + 1, parameters });
    }

    fn within<T>(&mut self, test: bool, run: impl FnOnce(&mut Self) -> T) -> T {
        self.tests += usize::from(test);
        let value = run(self);
        self.tests -= usize::from(test);
        value
    }
}

fn is_punct(tree: &TokenTree, wanted: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// The absolute form of a path named inside `module`; `None` for names that cannot leave the module.
fn resolve(module: &[String], segments: &[String]) -> Option<String> {
    let first = segments.first()?.as_str();
    if !matches!(first, "crate" | "self" | "super" | "lapstrake") {
        return Some(segments.join("::"));
    }
    let mut absolute: Vec<String> =
        if matches!(first, "self" | "super") { module.to_vec() } else { Vec::new() };
    for (position, segment) in segments.iter().enumerate() {
        match segment.as_str() {
            "crate" | "self" => {}
            "lapstrake" if position == 0 => {}
            "super" => {
                absolute.pop();
            }
            other => absolute.push(other.to_owned()),
        }
    }
    (!absolute.is_empty()).then(|| format!("crate::{}", absolute.join("::")))
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        let test = is_test(item_attrs(item));
        if let Some((Visibility::Public(_), ident)) = public_item(item)
            && !test
            && self.tests + self.wordless == 0
            && !documented(item_attrs(item))
        {
            self.facts.undocumented.push((line_of(ident), ident.to_string()));
        }
        self.within(test, |reader| visit::visit_item(reader, item));
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.facts.modules.push((line_of(&item.ident), item.ident.to_string()));
        let private = usize::from(matches!(item.vis, Visibility::Inherited));
        self.module.push(item.ident.to_string());
        self.wordless += private;
        visit::visit_item_mod(self, item);
        self.wordless -= private;
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.uses(&item.tree, &mut Vec::new());
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, item.block.span().end().line);
        visit::visit_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if let Some(token) = &item.unsafety {
            self.facts.unsafes.push(line_of(token));
        }
        let inherited = usize::from(item.trait_.is_some());
        self.wordless += inherited;
        visit::visit_item_impl(self, item);
        self.wordless -= inherited;
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let (attrs, public): (&[Attribute], _) = match item {
            ImplItem::Fn(i) => (&i.attrs, Some((&i.vis, &i.sig.ident))),
            ImplItem::Const(i) => (&i.attrs, Some((&i.vis, &i.ident))),
            _ => (&[], None),
        };
        let test = is_test(attrs);
        if let Some((Visibility::Public(_), ident)) = public
            && !test
            && self.tests + self.wordless == 0
            && !documented(attrs)
        {
            self.facts.undocumented.push((line_of(ident), ident.to_string()));
        }
        self.within(test, |reader| visit::visit_impl_item(reader, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, item.block.span().end().line);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        if let TraitItem::Fn(method) = item {
            self.function(&method.sig, method.span().end().line);
            if !documented(&method.attrs) && self.tests + self.wordless == 0 {
                let ident = &method.sig.ident;
                self.facts.undocumented.push((line_of(ident), ident.to_string()));
            }
        }
        visit::visit_trait_item(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if segments.len() > 1 {
            self.name(&segments, line_of(path));
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if call.method == "unwrap" && call.args.is_empty() && self.tests == 0 {
            self.facts.unwraps.push(line_of(&call.method));
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_unsafe(&mut self, block: &'ast syn::ExprUnsafe) {
        self.facts.unsafes.push(line_of(&block.unsafe_token));
        visit::visit_expr_unsafe(self, block);
    }

    fn visit_item_foreign_mod(&mut self, block: &'ast syn::ItemForeignMod) {
        if let Some(token) = &block.unsafety {
            self.facts.unsafes.push(line_of(token));
        }
        visit::visit_item_foreign_mod(self, block);
    }

    fn visit_expr_async(&mut self, block: &'ast syn::ExprAsync) {
        if self.tests == 0 {
            self.facts.asyncs.push(line_of(&block.async_token));
        }
        visit::visit_expr_async(self, block);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}
