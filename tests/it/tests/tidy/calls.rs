//! Which file of a crate calls which: by functions, and by methods of types whose `impl` may be spread over files.
//!
//! Imports say little where all files of a folder add methods to one type, so calls are what is looked at. Types are
//! followed as far as signatures, fields and `let` tell them; what is not known is no call. So an arrow is there, and one
//! that is not found may still be.

mod source;

use self::source::{Function, Source, Token, close, close_angle, is, split};
use super::files;
use std::collections::{BTreeMap, BTreeSet};

/// What a type is looked for in.
const WRAPPERS: [&str; 8] = ["Arc", "Box", "Held", "LazyLock", "MutexGuard", "Pin", "Rc", "Result"];
/// Methods that give back what they are called on, or nearly.
const TRANSPARENT: [&str; 6] = ["as_mut", "as_ref", "borrow", "clone", "expect", "unwrap"];
/// How often a name may lead to another before it is given up.
const MOST_STEPS: usize = 8;

/// Which files each file calls, and by what.
pub type Calls = BTreeMap<String, BTreeMap<String, String>>;

/// A type, by the file that defines it and its name.
type Type = (String, String);

/// What a path leads to: a module's file, or something in it with what follows on its name.
type Place = (String, Option<(String, Vec<String>)>);

struct Crate {
    name: String,
    files: BTreeMap<String, Source>,
    modules: BTreeMap<Vec<String>, String>,
    methods: BTreeMap<(Type, String), (String, Vec<Token>)>,
    functions: BTreeMap<(String, String), Vec<Token>>,
    fields: BTreeMap<(Type, String), (String, Vec<Token>)>,
    stand_ins: BTreeMap<Type, Type>,
}

/// The calls of a crate, by paths below its `src`.
pub fn of(folder: &str) -> Calls {
    let krate = Crate::read(folder);
    let mut calls = Calls::new();
    for (file, source) in &krate.files {
        let found = calls.entry(file.clone()).or_default();
        for function in &source.functions {
            Body { krate: &krate, file, function, types: BTreeMap::new(), found }.look_through();
        }
    }
    calls
}

/// The name of a file's module.
fn module(path: &str) -> Vec<String> {
    let mut names: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    match names.last().map(String::as_str) {
        Some("mod" | "lib") => drop(names.pop()),
        Some("main") => names = vec!["(main)".to_owned()],
        _ => {}
    }
    names
}

impl Crate {
    fn read(folder: &str) -> Crate {
        let root = format!("{folder}/src/");
        let is_test = |own: &str| own.split('/').any(|part| ["tests", "tests.rs", "concurrency.rs"].contains(&part));
        let read = files(&[&root[..root.len() - 1]], "rs").into_iter();
        let own = read.map(|(path, text)| (path.strip_prefix(&root).unwrap().to_owned(), text));
        let files: BTreeMap<String, Source> =
            own.filter(|(path, _)| !is_test(path)).map(|(path, text)| (path, Source::parse(&text))).collect();
        let manifest = std::fs::read_to_string(super::repository().join(folder).join("Cargo.toml")).unwrap();
        let name = manifest.lines().find_map(|line| line.strip_prefix("name = \"")).unwrap();
        let mut krate = Crate {
            name: name.trim_end_matches('"').replace('-', "_"),
            modules: files.keys().map(|path| (module(path), path.clone())).collect(),
            files,
            methods: BTreeMap::new(),
            functions: BTreeMap::new(),
            fields: BTreeMap::new(),
            stand_ins: BTreeMap::new(),
        };
        krate.index();
        krate
    }

    fn index(&mut self) {
        let (mut methods, mut functions) = (BTreeMap::new(), BTreeMap::new());
        let (mut fields, mut stand_ins) = (BTreeMap::new(), BTreeMap::new());
        for (file, source) in &self.files {
            for function in &source.functions {
                let returns = (file.clone(), function.returns.clone());
                match &function.owner {
                    None => drop(functions.insert((file.clone(), function.name.clone()), returns.1)),
                    Some(owner) => {
                        if let Some(owner) = self.type_of(file, owner, None) {
                            methods.insert((owner, function.name.clone()), returns);
                        }
                    }
                }
            }
            for (name, named) in &source.types {
                for (field, of) in named {
                    fields.insert(((file.clone(), name.clone()), field.clone()), (file.clone(), of.clone()));
                }
            }
            for (own, other) in &source.stand_ins {
                let types = [own, other].map(|of| self.type_of(file, of, None));
                if let [Some(own), Some(other)] = types {
                    stand_ins.insert(own, other);
                }
            }
        }
        (self.methods, self.functions, self.fields, self.stand_ins) = (methods, functions, fields, stand_ins);
    }

    /// Where a path leads from a file.
    fn place(&self, file: &str, path: &[String], steps: usize) -> Option<Place> {
        let (first, own) = (path.first()?, module(file));
        if steps > MOST_STEPS {
            return None;
        }
        match first.as_str() {
            "crate" => return self.within(&path[1..], steps),
            "self" => return self.within(&[&own[..], &path[1..]].concat(), steps),
            "super" => {
                let up = path.iter().take_while(|name| *name == "super").count();
                return self.within(&[&own[..own.len().checked_sub(up)?], &path[up..]].concat(), steps);
            }
            first if first == self.name => return self.within(&path[1..], steps),
            _ => {}
        }
        let source = &self.files[file];
        if self.defines(file, first) {
            return Some((file.to_owned(), Some((first.clone(), path[1..].to_vec()))));
        }
        let named = source.imports.iter().find(|import| import.name == *first && import.path != path[..1]);
        if let Some(import) = named {
            return self.place(file, &[&import.path[..], &path[1..]].concat(), steps + 1);
        }
        let below = [&own[..], path].concat();
        if self.modules.contains_key(&below[..=own.len()]) {
            return self.within(&below, steps);
        }
        let all = source.imports.iter().filter(|import| import.name == "*" && import.path[0] != *first);
        let mut found = all.filter_map(|import| {
            let path = [&import.path[..import.path.len() - 1], path].concat();
            self.place(file, &path, steps + 1).filter(|(_, item)| item.is_some())
        });
        found.next()
    }

    /// Where a path leads from the root of the crate.
    fn within(&self, path: &[String], steps: usize) -> Option<Place> {
        let known = (0..=path.len()).rev().find(|count| self.modules.contains_key(&path[..*count]))?;
        let file = &self.modules[&path[..known]];
        let Some(name) = path.get(known) else { return Some((file.clone(), None)) };
        if self.defines(file, name) {
            return Some((file.clone(), Some((name.clone(), path[known + 1..].to_vec()))));
        }
        let public = self.files[file].imports.iter().filter(|import| import.is_public);
        let mut found = public.filter_map(|import| {
            let path = match import.name.as_str() {
                "*" => [&import.path[..import.path.len() - 1], &path[known..]].concat(),
                own if own == name => [&import.path[..], &path[known + 1..]].concat(),
                _ => return None,
            };
            self.place(file, &path, steps + 1).filter(|(_, item)| item.is_some())
        });
        found.next()
    }

    fn defines(&self, file: &str, name: &str) -> bool {
        let source = &self.files[file];
        source.types.contains_key(name)
            || source.functions.iter().any(|function| function.owner.is_none() && function.name == name)
    }

    /// The type that tokens in a file name, `Self` being `own`.
    fn type_of(&self, file: &str, tokens: &[Token], own: Option<&Type>) -> Option<Type> {
        let skipped = |token: &&Token| {
            token.starts_with('\'') || ["&", "mut", "dyn", "impl", "*", "const"].contains(&token.as_str())
        };
        let tokens = &tokens[tokens.iter().take_while(skipped).count()..];
        let path = path_of(tokens);
        if path.is_empty() {
            return None;
        }
        let behind = path.len() * 2 - 1;
        if WRAPPERS.contains(&path.last()?.as_str()) && is(tokens, behind, "<") {
            let inner = split(&tokens[behind + 1..close_angle(tokens, behind) - 1]);
            return self.type_of(file, inner.into_iter().find(|part| !part[0].starts_with('\''))?, own);
        }
        if path[0] == "Self" {
            return own.cloned();
        }
        match self.place(file, &path, 0)? {
            (file, Some((name, _))) if self.files[&file].types.contains_key(&name) => Some((file, name)),
            _ => None,
        }
    }

    /// What `find` finds for a type, or for what that stands in for.
    fn through<T>(&self, of: &Type, find: impl Fn(&Type) -> Option<T>) -> Option<T> {
        let mut of = of;
        for _ in 0..MOST_STEPS {
            match find(of) {
                None => of = self.stand_ins.get(of)?,
                found => return found,
            }
        }
        None
    }

    /// The file of a method, and what it returns.
    fn method(&self, of: &Type, name: &str) -> Option<(String, Option<Type>)> {
        self.through(of, |of| {
            let (file, returns) = self.methods.get(&(of.clone(), name.to_owned()))?;
            Some((file.clone(), self.type_of(file, returns, Some(of))))
        })
    }

    fn field(&self, of: &Type, name: &str) -> Option<Type> {
        let field = self.through(of, |of| self.fields.get(&(of.clone(), name.to_owned())))?;
        self.type_of(&field.0, &field.1, None)
    }
}

/// The names at the beginning of tokens, with `::` between them.
fn path_of(tokens: &[Token]) -> Vec<String> {
    let is_name = |token: &Token| token.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let mut path = Vec::new();
    while let Some(name) = tokens.get(path.len() * 2).filter(|token| is_name(token)) {
        path.push(name.clone());
        if !is(tokens, path.len() * 2 - 1, "::") {
            break;
        }
    }
    path
}

/// A function that is looked through.
struct Body<'a> {
    krate: &'a Crate,
    file: &'a str,
    function: &'a Function,
    types: BTreeMap<String, Option<Type>>,
    found: &'a mut BTreeMap<String, String>,
}

impl Body<'_> {
    fn look_through(&mut self) {
        let (krate, file, function) = (self.krate, self.file, self.function);
        let own = function.owner.as_ref().and_then(|owner| krate.type_of(file, owner, None));
        for (name, of) in &function.parameters {
            self.types.insert(name.clone(), krate.type_of(file, of, own.as_ref()));
        }
        self.types.insert("self".to_owned(), own.clone());
        self.types.insert("Self".to_owned(), own.clone());
        let body = &function.body;
        let mut at = 0;
        while at < body.len() {
            let continues = at > 0 && (body[at - 1] == "." || body[at - 1] == "::");
            if body[at] == "let" {
                let name = at + 1 + usize::from(is(body, at + 1, "mut"));
                if is(body, name + 1, "=") {
                    let of = self.value(name + 2, own.as_ref());
                    self.types.insert(body[name].clone(), of);
                } else if is(body, name + 1, ":") {
                    let of = krate.type_of(file, &body[name + 2..], own.as_ref());
                    self.types.insert(body[name].clone(), of);
                }
            } else if !continues {
                self.value(at, own.as_ref());
            }
            at += 1;
        }
    }

    /// Follows the value that begins at a place, and notes what it calls; returns its type.
    fn value(&mut self, at: usize, own: Option<&Type>) -> Option<Type> {
        let body = &self.function.body;
        let at = at + body[at..].iter().take_while(|token| ["&", "*", "mut"].contains(&token.as_str())).count();
        let path = path_of(&body[at..]);
        let mut end = at + path.len().checked_mul(2)?.checked_sub(1)?;
        if let [name] = &path[..]
            && let Some(of) = self.types.get(name).cloned()
            && !is(body, end, "(")
        {
            return self.chain(end, of);
        }
        // A turbofish.
        if is(body, end, "::") && is(body, end + 1, "<") {
            end = close_angle(body, end + 1);
        }
        let of = is(body, end, "(").then(|| self.call(&path, own)).flatten();
        self.chain(if is(body, end, "(") { close(body, end) } else { end }, of)
    }

    /// Notes the call of a path; returns what it gives back.
    fn call(&mut self, path: &[String], own: Option<&Type>) -> Option<Type> {
        let (krate, file) = (self.krate, self.file);
        let (of, rest) = match path.first()?.as_str() {
            "Self" => (own?.clone(), path[1..].to_vec()),
            _ => match krate.place(file, path, 0)? {
                (file, Some((name, rest))) => ((file, name), rest),
                _ => return None,
            },
        };
        if let [name] = &rest[..] {
            let Some((defined, returns)) = krate.method(&of, name) else { return Some(of) };
            self.note(&defined, &format!("{}::{name}", of.1));
            return returns;
        }
        let returns = krate.functions.get(&of)?;
        self.note(&of.0, &of.1);
        krate.type_of(&of.0, returns, None)
    }

    /// Follows the fields and methods behind a value of this type.
    fn chain(&mut self, mut at: usize, of: Option<Type>) -> Option<Type> {
        let (krate, body) = (self.krate, &self.function.body);
        let mut of = of;
        loop {
            if is(body, at, "?") {
                at += 1;
                continue;
            }
            let name = body.get(at + 1).filter(|_| is(body, at, "."))?;
            at += 2;
            let call = if is(body, at, "::") && is(body, at + 1, "<") { close_angle(body, at + 1) } else { at };
            let known = of.as_ref();
            if !is(body, call, "(") {
                of = if name == "await" { of } else { known.and_then(|of| krate.field(of, name)) };
            } else {
                at = close(body, call);
                match known.and_then(|of| krate.method(of, name)) {
                    Some((file, returns)) => {
                        self.note(&file, name);
                        of = returns;
                    }
                    None if TRANSPARENT.contains(&name.as_str()) => {}
                    None => of = None,
                }
            }
            if !is(body, at, ".") && !is(body, at, "?") {
                return of;
            }
        }
    }

    fn note(&mut self, file: &str, what: &str) {
        if file != self.file {
            self.found.entry(file.to_owned()).or_insert_with(|| what.to_owned());
        }
    }
}

/// A circle that begins and ends with a file, if there is one.
pub fn circle(calls: &Calls, from: &str) -> Option<Vec<String>> {
    let (mut open, mut seen) = (vec![vec![from.to_owned()]], BTreeSet::new());
    while let Some(way) = open.pop() {
        for (next, method) in &calls[way.last().unwrap()] {
            let longer = [way.clone(), vec![format!("`{method}`"), next.clone()]].concat();
            if next == from {
                return Some(longer);
            }
            if seen.insert(next) {
                open.push(longer);
            }
        }
    }
    None
}
