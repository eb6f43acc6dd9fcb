//! `flr config`: what holds, and where it is said.

use super::Context;
use crate::args_config::{Config as Args, ConfigAction};
use crate::configuration;
use crate::exit::Exit;
use crate::output::{Outcome, fields};
use flr_provider::config::{
    Config, Key, Origin, Setting, Source, Value, access_word, duration_text,
};
use flr_recover::shown::is_hidden;
use serde_json::{Map, Value as Json, json};

/// Runs `config`.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Args) -> Outcome {
    let ConfigAction::Show { origin } = args.action;
    let config = configuration::load(ctx.global)?;
    show(ctx, &config, origin)
}

fn show(ctx: &mut Context<'_>, config: &Config, origin: bool) -> Outcome {
    let all = config.effective(None);
    for key in Key::ALL.into_iter().filter(|key| key.is_top()) {
        let default = || {
            Config::default_of(key).map(|value| Setting {
                value,
                origin: Origin::Default,
            })
        };
        if let Some(setting) = all.get(key).cloned().or_else(default) {
            line(ctx, None, key.name(), &setting, origin)?;
        }
    }
    for source in config.sources() {
        if !ctx.out.json {
            let head = format!("\n[source.{}]", quoted_name(&source.name));
            ctx.out.line(&head)?;
        }
        let kind = Setting {
            value: Value::Text(source.kind.name().to_owned()),
            origin: source.origin.clone(),
        };
        line(ctx, Some(source), "type", &kind, origin)?;
        // What is said for all is shown above.
        let effective = config.effective(Some(source));
        let own = effective
            .iter()
            .filter(|(key, _)| source.own.get(*key).is_some());
        for (key, setting) in own {
            line(ctx, Some(source), key.name(), setting, origin)?;
        }
    }
    Ok(Exit::Done)
}

/// A name as a key of TOML; names of sources need nothing but quotes.
fn quoted_name(name: &str) -> String {
    match name.contains('.') {
        true => format!("\"{name}\""),
        false => name.to_owned(),
    }
}

fn line(
    ctx: &mut Context<'_>,
    source: Option<&Source>,
    key: &str,
    setting: &Setting,
    origin: bool,
) -> Outcome<()> {
    ctx.tally.done();
    if ctx.out.json {
        let mut map = fields(json!({"key": key, "value": json_of(&setting.value)}));
        if let Some(source) = source {
            map.insert("source".into(), source.name.clone().into());
        }
        map.extend(origin_fields(&setting.origin));
        return ctx.out.message("status", &map);
    }
    let text = format!("{key} = {}", setting.value);
    let text = match origin {
        true => format!("{text:<40}  # {}", setting.origin),
        false => text,
    };
    ctx.out.line(&disarmed(&text))
}

/// The text with TOML's escapes for what a terminal would act on. Such characters stand in quotes, and
/// in the names of files behind a `#`.
fn disarmed(text: &str) -> String {
    let mut shown = String::new();
    for char in text.chars() {
        match is_hidden(char) {
            true => shown.push_str(&format!("\\U{:08X}", u32::from(char))),
            false => shown.push(char),
        }
    }
    shown
}

/// Where something is said, for programs.
pub(crate) fn origin_fields(origin: &Origin) -> Map<String, Json> {
    fields(match origin {
        Origin::Default => json!({"origin": "default"}),
        Origin::File { path, line } => {
            json!({"origin": "file", "file": path.to_string_lossy(), "line": line})
        }
        Origin::Variable(name) => json!({"origin": "environment", "variable": name}),
        Origin::Option(name) => json!({"origin": "option", "option": name}),
    })
}

/// A value for programs.
pub(crate) fn json_of(value: &Value) -> Json {
    match value {
        Value::Text(text) => text.clone().into(),
        Value::Path(path) => path.to_string_lossy().into(),
        Value::Access(mode) => access_word(*mode).into(),
        Value::Duration(duration) => duration_text(*duration).into(),
        Value::Dollars(dollars) => (*dollars).into(),
        Value::Bytes(bytes) => (*bytes).into(),
        Value::Tags(tags) => json!(tags),
    }
}
