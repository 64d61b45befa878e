use super::ExprError;

/// One word, number, text or sign of an expression, and where it starts (in characters).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) offset: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Number(serde_json::Number),
    Text(String),
    Word(String),
    Sign(&'static str),
    End,
}

/// What `{{` and `}}` mean outside of texts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Braces {
    /// In a condition: parentheses, so that `{{input.value}} > 10` compares a number.
    Parentheses,
    /// In a template: the first `}}` that closes nothing else ends the expression.
    End,
}

/// Signs, longest first.
const SIGNS: &[&str] = &[
    "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "(", ")", "[", "]", "{", "}", ".",
    ",", ":", "|",
];

/// Splits `text` from character `start` on. Returns the tokens, with an `End`, and where it stopped.
pub(super) fn split(
    text: &[char],
    start: usize,
    braces: Braces,
) -> Result<(Vec<Token>, usize), ExprError> {
    let mut tokens = Vec::new();
    let mut open: Vec<&'static str> = Vec::new();
    let mut at = start;
    loop {
        while text.get(at).is_some_and(|c| c.is_whitespace()) {
            at += 1;
        }
        let offset = at;
        let Some(&first) = text.get(at) else {
            if braces == Braces::End {
                return Err(ExprError::new("syntax", start, "`{{` is never closed by `}}`"));
            }
            tokens.push(Token { kind: Kind::End, offset });
            return Ok((tokens, at));
        };
        let two = |sign: &str| text[at..].iter().take(2).copied().eq(sign.chars());
        let kind = if first.is_ascii_digit() {
            number(text, &mut at)?
        } else if first == '"' || first == '\'' {
            quoted(text, &mut at)?
        } else if first.is_alphabetic() || first == '_' {
            word(text, &mut at)
        } else if two("{{") && braces == Braces::Parentheses {
            at += 2;
            open.push("{{");
            Kind::Sign("(")
        } else if two("}}") && open.last() == Some(&"{{") {
            at += 2;
            open.pop();
            Kind::Sign(")")
        } else if two("}}") && braces == Braces::End && open.is_empty() {
            tokens.push(Token { kind: Kind::End, offset });
            return Ok((tokens, at + 2));
        } else {
            sign(text, &mut at, &mut open)?
        };
        tokens.push(Token { kind, offset });
    }
}

fn sign(text: &[char], at: &mut usize, open: &mut Vec<&'static str>) -> Result<Kind, ExprError> {
    let rest = &text[*at..];
    let found = SIGNS.iter().find(|sign| {
        rest.len() >= sign.len() && { rest.iter().take(sign.len()).copied().eq(sign.chars()) }
    });
    let Some(sign) = found else {
        let message = format!("`{}` has no meaning here", rest[0]);
        let hint = match rest[0] {
            '=' => Some("`==` compares"),
            '&' => Some("say `and`"),
            '!' => Some("say `not`"),
            _ => None,
        };
        return Err(ExprError::new("syntax", *at, message).hint(hint.map(str::to_owned)));
    };
    match *sign {
        "(" | "[" | "{" => open.push(sign),
        ")" | "]" | "}" => drop(open.pop()),
        _ => {}
    }
    *at += sign.len();
    Ok(Kind::Sign(sign))
}

fn word(text: &[char], at: &mut usize) -> Kind {
    let start = *at;
    while text.get(*at).is_some_and(|c| c.is_alphanumeric() || *c == '_') {
        *at += 1;
    }
    Kind::Word(text[start..*at].iter().collect())
}

fn number(text: &[char], at: &mut usize) -> Result<Kind, ExprError> {
    let start = *at;
    let digits = |at: &mut usize| {
        while text.get(*at).is_some_and(char::is_ascii_digit) {
            *at += 1;
        }
    };
    digits(at);
    if text.get(*at) == Some(&'.') && text.get(*at + 1).is_some_and(char::is_ascii_digit) {
        *at += 1;
        digits(at);
    }
    if matches!(text.get(*at), Some('e' | 'E')) {
        let sign = usize::from(matches!(text.get(*at + 1), Some('+' | '-')));
        if text.get(*at + 1 + sign).is_some_and(char::is_ascii_digit) {
            *at += 1 + sign;
            digits(at);
        }
    }
    let written: String = text[start..*at].iter().collect();
    serde_json::from_str(&written)
        .map(Kind::Number)
        .map_err(|_| ExprError::new("syntax", start, format!("`{written}` is not a number")))
}

fn quoted(text: &[char], at: &mut usize) -> Result<Kind, ExprError> {
    let start = *at;
    let quote = text[start];
    let mut value = String::new();
    *at += 1;
    while let Some(&c) = text.get(*at) {
        *at += 1;
        match c {
            c if c == quote => return Ok(Kind::Text(value)),
            '\\' => value.push(escape(text, at)?),
            c => value.push(c),
        }
    }
    Err(ExprError::new("syntax", start, "this text is never closed"))
}

fn escape(text: &[char], at: &mut usize) -> Result<char, ExprError> {
    let start = *at - 1;
    let wrong = || ExprError::new("syntax", start, "this escape is not known");
    let &c = text.get(*at).ok_or_else(wrong)?;
    *at += 1;
    match c {
        'n' => Ok('\n'),
        't' => Ok('\t'),
        'r' => Ok('\r'),
        '\\' | '"' | '\'' | '/' => Ok(c),
        'u' => {
            let digits: String = text.get(*at..*at + 4).ok_or_else(wrong)?.iter().collect();
            *at += 4;
            let code = u32::from_str_radix(&digits, 16).map_err(|_| wrong())?;
            char::from_u32(code).ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}
