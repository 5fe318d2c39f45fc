//! Mapping templates of API Gateway, as far as template.yaml has them: `#set`, `#if` with `#else`, variables,
//! `$context`,
//! `$input.params`, `==` and `contains`. What is not understood is an error, as it would be a surprise on AWS.

use std::collections::BTreeMap;

/// What a template may ask of the request.
pub(crate) trait Asked {
    /// A variable of `$context`.
    fn context(&self, name: &str) -> Option<String>;
    /// A header, a query parameter or a path parameter.
    fn parameter(&self, name: &str) -> Option<String>;
}

/// What a template says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) text: String,
    /// Headers that it sets by `$context.responseOverride.header`.
    pub(crate) headers: BTreeMap<String, String>,
}

const OVERRIDE: &str = "context.responseOverride.header.";

/// Renders a template for a request.
pub(crate) fn render(template: &str, asked: &impl Asked) -> Result<Said, String> {
    let mut run = Run { rest: template, asked, variables: BTreeMap::new(), said: Said::default() };
    run.block(true)?;
    if run.rest.is_empty() { Ok(run.said) } else { Err(format!("a mapping template goes on with {}", run.rest)) }
}

struct Run<'t, A> {
    rest: &'t str,
    asked: &'t A,
    variables: BTreeMap<&'t str, String>,
    said: Said,
}

impl<'t, A: Asked> Run<'t, A> {
    /// Goes on to the end, or to an `#else` or `#end` that belongs to whoever asked. What does not count is passed
    /// over.
    fn block(&mut self, counts: bool) -> Result<(), String> {
        while let Some(at) = self.rest.find(['#', '$']) {
            let (text, rest) = self.rest.split_at(at);
            self.rest = rest;
            self.say(counts, text);
            if ["#else", "#{else}", "#end"].iter().any(|end| rest.starts_with(end)) {
                return Ok(());
            }
            if self.takes("#set(") {
                let name = self.name()?;
                self.expect(" = ")?;
                let value = self.expression()?;
                self.expect(")")?;
                self.set(counts, name, value);
            } else if self.takes("#if(") {
                let holds = self.expression()? == "true";
                self.expect(")")?;
                self.block(counts && holds)?;
                if self.takes("#else") || self.takes("#{else}") {
                    self.block(counts && !holds)?;
                }
                self.expect("#end")?;
            } else {
                let value = self.variable()?;
                self.say(counts, &value);
            }
        }
        let text = std::mem::take(&mut self.rest);
        self.say(counts, text);
        Ok(())
    }

    fn say(&mut self, counts: bool, text: &str) {
        if counts {
            self.said.text.push_str(text);
        }
    }

    fn set(&mut self, counts: bool, name: &'t str, value: String) {
        match name.strip_prefix(OVERRIDE) {
            _ if !counts => {}
            Some(header) => drop(self.said.headers.insert(header.to_owned(), value)),
            None => drop(self.variables.insert(name, value)),
        }
    }

    /// A value, or what compares two of them.
    fn expression(&mut self) -> Result<String, String> {
        let value = self.value()?;
        if self.takes(" == ") {
            return Ok((value == self.value()?).to_string());
        }
        Ok(value)
    }

    fn value(&mut self) -> Result<String, String> {
        if !self.takes("\"") {
            return self.variable();
        }
        let mut text = String::new();
        loop {
            let at = self.rest.find(['"', '$']).ok_or("a text in a mapping template has no end")?;
            text.push_str(&self.rest[..at]);
            self.rest = &self.rest[at..];
            if self.takes("\"") {
                return Ok(text);
            }
            text.push_str(&self.variable()?);
        }
    }

    fn variable(&mut self) -> Result<String, String> {
        let name = self.name()?;
        if name == "input.params" {
            self.expect("(")?;
            let quote = if self.rest.starts_with('\'') { "'" } else { "\"" };
            self.expect(quote)?;
            let (parameter, rest) = self.rest.split_once(quote).ok_or("a parameter's name has no end")?;
            self.rest = rest;
            self.expect(")")?;
            return Ok(self.asked.parameter(parameter).unwrap_or_default());
        }
        if let Some(name) = name.strip_suffix(".contains") {
            self.expect("(")?;
            let part = self.value()?;
            self.expect(")")?;
            return Ok(self.known(name)?.contains(&part).to_string());
        }
        self.known(name)
    }

    fn known(&self, name: &str) -> Result<String, String> {
        match name.strip_prefix("context.") {
            Some(variable) => Ok(self.asked.context(variable).unwrap_or_default()),
            None => self.variables.get(name).cloned().ok_or_else(|| format!("a mapping template has no ${name}")),
        }
    }

    /// A name behind a `$`. A dot at its end is not part of it.
    fn name(&mut self) -> Result<&'t str, String> {
        self.expect("$")?;
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let end = self.rest.find(|c| !is_of_name(c)).unwrap_or(self.rest.len());
        let name = self.rest[..end].trim_end_matches('.');
        self.rest = &self.rest[name.len()..];
        Ok(name)
    }

    fn takes(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, text: &str) -> Result<(), String> {
        if self.takes(text) { Ok(()) } else { Err(format!("a mapping template has no {text} before {}", self.rest)) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Request;

    impl Asked for Request {
        fn context(&self, name: &str) -> Option<String> {
            (name == "httpMethod").then(|| "OPTIONS".to_owned())
        }

        fn parameter(&self, name: &str) -> Option<String> {
            (name == "Origin").then(|| "https://a".to_owned())
        }
    }

    #[track_caller]
    fn assert_renders(template: &str, text: &str, headers: &[(&str, &str)]) {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(render(template, &Request), Ok(Said { text: text.to_owned(), headers }), "{template}");
    }

    #[test]
    fn what_the_template_has() {
        assert_renders(r#"{"m":"$context.httpMethod."}"#, r#"{"m":"OPTIONS."}"#, &[]);
        assert_renders(r#"#if($context.httpMethod == "OPTIONS")1#{else}2#end!"#, "1!", &[]);
        assert_renders(r#"#if($context.httpMethod == "GET")1#if("a" == "a")3#end#{else}2#end"#, "2", &[]);
        let choose = |known: &str| {
            format!(
                r##"#set($o = $input.params("Origin"))#set($all = ",{known},")#if($all.contains(",$o,"))#set($context.responseOverride.header.X-A = $o)#end."##
            )
        };
        assert_renders(&choose("https://b,https://a"), ".", &[("X-A", "https://a")]);
        assert_renders(&choose("https://a.evil"), ".", &[]);
        assert_renders(&choose(""), ".", &[]);
        assert_renders(r#"#set($context.responseOverride.header.Allow = "GET, PUT")"#, "", &[("Allow", "GET, PUT")]);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for template in
            ["$nothing", "#foreach($a in $b)#end", "#if(1)", "#set($a = 1)", "#end", "#if(\"a\" == \"a\")x", "\"#$"]
        {
            assert!(render(template, &Request).is_err(), "{template}");
        }
    }
}
