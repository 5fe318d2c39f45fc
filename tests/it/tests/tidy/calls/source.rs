//! As much of Rust as it takes to see who calls whom: items, the types of parameters and fields, bodies as tokens.

use std::collections::BTreeMap;

/// A name, a number, a lifetime, `::`, `->`, `=>`, or a single other character; a text counts as `"`.
pub type Token = String;

/// A file without its comments and tests.
#[derive(Debug, Default)]
pub struct Source {
    pub imports: Vec<Import>,
    pub functions: Vec<Function>,
    /// The types and traits that it defines, with the named fields of structs.
    pub types: BTreeMap<String, BTreeMap<String, Vec<Token>>>,
    /// What a type stands in for: the other side of a `type` or `Deref`.
    pub stand_ins: Vec<(Vec<Token>, Vec<Token>)>,
}

/// A name that a `use` brings in.
#[derive(Debug)]
pub struct Import {
    pub is_public: bool,
    pub name: String,
    pub path: Vec<String>,
}

/// A function, or a method of `owner`.
#[derive(Debug, Default)]
pub struct Function {
    pub owner: Option<Vec<Token>>,
    pub name: String,
    pub parameters: Vec<(String, Vec<Token>)>,
    pub returns: Vec<Token>,
    pub body: Vec<Token>,
}

impl Source {
    pub fn parse(code: &str) -> Source {
        let mut source = Source::default();
        source.items(&tokens(code), None);
        source
    }

    fn items(&mut self, tokens: &[Token], owner: Option<&[Token]>) {
        let mut at = 0;
        let (mut is_public, mut is_test) = (false, false);
        while at < tokens.len() {
            let rest = &tokens[at..];
            let taken = match rest[0].as_str() {
                "#" => {
                    let end = rest.iter().position(|token| token == "[").map_or(1, |open| close(rest, open));
                    is_test |= rest[..end].iter().any(|token| token == "test");
                    at += end;
                    continue;
                }
                "pub" => {
                    is_public = true;
                    at += if is(rest, 1, "(") { close(rest, 1) } else { 1 };
                    continue;
                }
                "async" | "unsafe" | "default" => 1,
                "const" if is(rest, 1, "fn") || is(rest, 1, "async") || is(rest, 1, "unsafe") => 1,
                _ if is_test => item_end(rest),
                _ => self.item(rest, owner, is_public),
            };
            at += taken;
            (is_public, is_test) = (is_public && taken == 1, is_test && taken == 1);
        }
    }

    /// Takes in the item that begins here; returns how many tokens it has.
    fn item(&mut self, rest: &[Token], owner: Option<&[Token]>, is_public: bool) -> usize {
        let end = item_end(rest);
        match rest[0].as_str() {
            "use" => self.import(&rest[1..end - 1], &[], is_public),
            "fn" => self.functions.push(Function::parse(&rest[..end], owner)),
            "struct" | "enum" | "union" | "trait" => {
                let fields = if rest[0] == "struct" { fields(&rest[..end]) } else { BTreeMap::new() };
                self.types.insert(rest[1].clone(), fields);
                if rest[0] == "trait" {
                    self.items(inside(&rest[..end]), Some(&rest[1..2]));
                }
            }
            "type" => {
                let name = owner.map_or_else(|| rest[1..2].to_vec(), <[Token]>::to_vec);
                if let Some(is) = rest[..end].iter().position(|token| token == "=")
                    && (owner.is_none() || rest[1] == "Target")
                {
                    self.stand_ins.push((name, rest[is + 1..end - 1].to_vec()));
                    self.types.entry(rest[1].clone()).or_default();
                }
            }
            "impl" => self.items(inside(&rest[..end]), Some(&implemented(&rest[..end]))),
            "mod" => self.items(inside(&rest[..end]), None),
            _ => {}
        }
        end
    }

    fn import(&mut self, tree: &[Token], before: &[String], is_public: bool) {
        for part in split(tree) {
            let names: Vec<&str> = part.iter().map(String::as_str).filter(|token| *token != "::").collect();
            if let Some(open) = part.iter().position(|token| token == "{") {
                let path = [before, &part[..open].iter().filter(|token| *token != "::").cloned().collect::<Vec<_>>()];
                self.import(&part[open + 1..part.len() - 1], &path.concat(), is_public);
                continue;
            }
            let (path, name) = match names[..] {
                [ref path @ .., "as", name] => (path, name),
                [.., "self"] => (&names[..names.len() - 1], before.last().map_or("self", String::as_str)),
                [.., name] => (&names[..], name),
                [] => continue,
            };
            let path = before.iter().cloned().chain(path.iter().map(|name| (*name).to_owned())).collect();
            self.imports.push(Import { is_public, name: name.to_owned(), path });
        }
    }
}

impl Function {
    /// Reads `fn name<…>(…) -> … { … }`.
    fn parse(tokens: &[Token], owner: Option<&[Token]>) -> Function {
        let name = tokens[1].clone();
        let open = if is(tokens, 2, "<") { close_angle(tokens, 2) } else { 2 };
        if !is(tokens, open, "(") {
            return Function { name, ..Function::default() };
        }
        let end = close(tokens, open);
        let parameter = |part: &[Token]| {
            let colon = part.iter().position(|token| token == ":")?;
            Some((part[..colon].last()?.clone(), part[colon + 1..].to_vec()))
        };
        let parameters = split(&tokens[open + 1..end - 1]).into_iter().filter_map(parameter).collect();
        let stop = |token: &Token| token == "{" || token == ";" || token == "where";
        let body = tokens[end..].iter().position(stop).map_or(tokens.len(), |at| end + at);
        let returns = if is(tokens, end, "->") { tokens[end + 1..body].to_vec() } else { Vec::new() };
        let body = inside(&tokens[end..]).to_vec();
        Function { owner: owner.map(<[Token]>::to_vec), name, parameters, returns, body }
    }
}

/// The type that an `impl` is for.
fn implemented(tokens: &[Token]) -> Vec<Token> {
    let begin = if is(tokens, 1, "<") { close_angle(tokens, 1) } else { 1 };
    let end = tokens.iter().position(|token| token == "{" || token == "where").unwrap_or(tokens.len());
    let head = &tokens[begin..end];
    // `for<'a>` is no type.
    let is_for = |at: &usize| head[*at] == "for" && !is(head, at + 1, "<");
    (0..head.len()).rfind(is_for).map_or(head, |at| &head[at + 1..]).to_vec()
}

/// The named fields of a struct.
fn fields(tokens: &[Token]) -> BTreeMap<String, Vec<Token>> {
    let Some(open) = tokens.iter().position(|token| token == "{" || token == "(") else { return BTreeMap::new() };
    if tokens[open] == "(" {
        return BTreeMap::new();
    }
    let field = |part: &[Token]| {
        let colon = part.iter().position(|token| token == ":")?;
        Some((part[..colon].last()?.clone(), part[colon + 1..].to_vec()))
    };
    split(&tokens[open + 1..tokens.len() - 1]).into_iter().filter_map(field).collect()
}

/// Where the item that begins here ends: after its `;`, or its outermost braces.
fn item_end(tokens: &[Token]) -> usize {
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].as_str() {
            ";" => return at + 1,
            "{" if tokens[0] != "use" && tokens[0] != "const" && tokens[0] != "static" => return close(tokens, at),
            "(" | "[" | "{" => at = close(tokens, at),
            _ => at += 1,
        }
    }
    tokens.len()
}

/// What stands in the first braces.
fn inside(tokens: &[Token]) -> &[Token] {
    match tokens.iter().position(|token| token == "{") {
        Some(open) => &tokens[open + 1..close(tokens, open) - 1],
        None => &[],
    }
}

/// The place behind the bracket that closes the one at `open`.
pub fn close(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// The same of `<`.
pub fn close_angle(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.as_str() {
            "<" => depth += 1,
            ">" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// What stands between the commas.
pub fn split(tokens: &[Token]) -> Vec<&[Token]> {
    let (mut parts, mut begin, mut depth) = (Vec::new(), 0, 0);
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "(" | "[" | "{" | "<" => depth += 1,
            ")" | "]" | "}" | ">" => depth -= 1,
            "," if depth == 0 => {
                parts.push(&tokens[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[begin..]);
    parts.retain(|part| !part.is_empty());
    parts
}

pub fn is(tokens: &[Token], at: usize, what: &str) -> bool {
    tokens.get(at).is_some_and(|token| token == what)
}

fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let (token, taken) = match first {
            _ if rest.starts_with("//") => ("", rest.find('\n').unwrap_or(rest.len())),
            _ if first.is_whitespace() => ("", first.len_utf8()),
            '"' => ("\"", text_end(rest)),
            'r' if rest.starts_with("r\"") || rest.starts_with("r#\"") => ("\"", raw_end(rest)),
            '\'' => quoted(rest),
            _ if is_name(first) => {
                let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
                (&rest[..end], end)
            }
            _ if ["::", "->", "=>"].iter().any(|pair| rest.starts_with(pair)) => (&rest[..2], 2),
            _ => (&rest[..first.len_utf8()], first.len_utf8()),
        };
        if !token.is_empty() {
            tokens.push(token.to_owned());
        }
        rest = &rest[taken..];
    }
    tokens
}

/// A lifetime, or a character.
fn quoted(rest: &str) -> (&str, usize) {
    let mut chars = rest.char_indices().skip(1);
    let (_, first) = chars.next().unwrap_or((0, ' '));
    match chars.next() {
        Some((end, '\'')) if first != '\\' => ("\"", end + 1),
        _ if first == '\\' => ("\"", rest[3..].find('\'').map_or(rest.len(), |end| end + 4)),
        _ => {
            let end = rest[1..].find(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(rest.len(), |end| end + 1);
            (&rest[..end], end)
        }
    }
}

fn text_end(rest: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !is_escaped => return at + 1,
            _ => is_escaped = c == '\\' && !is_escaped,
        }
    }
    rest.len()
}

fn raw_end(rest: &str) -> usize {
    let marks = rest[1..].chars().take_while(|c| *c == '#').count();
    let end = format!("\"{}", "#".repeat(marks));
    let begin = marks + 2;
    rest[begin..].find(&end).map_or(rest.len(), |at| begin + at + end.len())
}

#[test]
fn items_are_found() {
    let source = Source::parse(
        r#"
        use crate::{a::{B, self}, c as d};
        pub(crate) struct S<'a> { #[x] pub held: &'a Vec<B>, n: u8 }
        impl<'a, T: Fn() -> u8> std::fmt::Debug for S<'a> { async fn go<F>(&self, b: &mut B) -> Option<S> where F: X { b.f("}") } }
        #[cfg(test)]
        mod tests { fn not_this() {} }
        const fn last() {}
        "#,
    );
    let names = |import: &Import| (import.name.clone(), import.path.join("::"));
    let imports: Vec<_> = source.imports.iter().map(names).collect();
    let expected = [("B", "crate::a::B"), ("a", "crate::a"), ("d", "crate::c")];
    assert_eq!(imports, expected.map(|(name, path)| (name.to_owned(), path.to_owned())));
    assert_eq!(source.types["S"]["held"], ["&", "'a", "Vec", "<", "B", ">"]);
    let [go, last] = &source.functions[..] else { panic!("{:?}", source.functions) };
    assert_eq!((go.name.as_str(), go.owner.as_deref().unwrap()[0].as_str()), ("go", "S"));
    assert_eq!((go.parameters[0].1.concat(), go.returns.concat()), ("&mutB".to_owned(), "Option<S>".to_owned()));
    assert_eq!(go.body.concat(), "b.f(\")");
    assert_eq!(last.name, "last");
}
