//! `flr source`: names for providers, accounts and servers.

use super::Context;
use super::config::{json_of, origin_fields};
use crate::args_config::{Source as Args, SourceAction};
use crate::configuration::{self, env, provider_failure};
use crate::exit::Exit;
use crate::output::{Failure, Outcome, fields};
use crate::table;
use flr_provider::account::ClientSettings;
use flr_provider::config::edit::{self, NewSource};
use flr_provider::config::{Key, Source, SourceType, Value, Values};
use flr_provider::error::Error;
use flr_provider::remote::block_on;
use flr_provider::{aws, ecs};
use flr_recover::address::{Object, is_source_name};
use flr_recover::origin::{self, NamedSource, Origin};
use flr_recover::shown::for_terminal;
use serde_json::{Map, json};
use std::ffi::OsStr;
use std::path::Path;

/// Runs `source`.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Args) -> Outcome {
    match &args.action {
        SourceAction::Add {
            name,
            kind,
            settings,
        } => add(ctx, name, kind, settings),
        SourceAction::Ls => list(ctx),
        SourceAction::Test { name, object } => test(ctx, name, object.as_deref()),
        SourceAction::Rm { name } => remove(ctx, name),
    }
}

fn add(ctx: &mut Context<'_>, name: &str, kind: &str, settings: &[String]) -> Outcome {
    let failed = |error: Error| provider_failure(&error);
    let mut new = NewSource::new(name, kind, is_source_name).map_err(failed)?;
    for (key, text) in configuration::options(ctx.global) {
        new.set(key.name(), &text).map_err(failed)?;
    }
    for setting in settings {
        let Some((key, value)) = setting.split_once('=') else {
            // It is not repeated: it may be a secret at the wrong place.
            let what = "expected KEY=VALUE behind the name of the source";
            return Err(Failure::new(Exit::Usage, what)
                .hint("flr source add prod --type aws region=eu-west-1")
                .into());
        };
        new.set(key, value).map_err(failed)?;
    }
    let file = new.add(&env, is_source_name).map_err(failed)?;
    written(ctx, name, "added", &file)
}

fn remove(ctx: &mut Context<'_>, name: &str) -> Outcome {
    let file =
        edit::remove(name, &env, is_source_name).map_err(|error| provider_failure(&error))?;
    written(ctx, name, "removed", &file)
}

fn written(ctx: &mut Context<'_>, name: &str, what: &str, file: &Path) -> Outcome {
    ctx.tally.done();
    let file = file.to_string_lossy();
    if ctx.out.json {
        let map = fields(json!({"source": name, "action": what, "file": file}));
        ctx.out.message("status", &map)?;
    } else {
        let file = for_terminal(file.as_bytes());
        ctx.out.line(&format!("{what} {name} in {file}"))?;
    }
    Ok(Exit::Done)
}

fn list(ctx: &mut Context<'_>) -> Outcome {
    let config = configuration::load(ctx.global)?;
    let mut rows = vec![["SOURCE", "TYPE", "WHERE"].map(str::to_owned)];
    for source in config.sources() {
        ctx.tally.done();
        if ctx.out.json {
            let own = source.own.iter();
            let own: Map<_, _> = own
                .map(|(key, setting)| (key.name().to_owned(), json_of(&setting.value)))
                .collect();
            let mut map = fields(json!({
                "source": source.name, "type": source.kind.name(), "settings": own,
            }));
            map.extend(origin_fields(&source.origin));
            ctx.out.message("status", &map)?;
            continue;
        }
        rows.push([
            source.name.clone(),
            source.kind.name().to_owned(),
            for_terminal(whereabouts(source).as_bytes()),
        ]);
    }
    if rows.len() > 1 {
        // No column of numbers.
        table::print(ctx, &rows, usize::MAX)?;
    }
    Ok(Exit::Done)
}

/// What tells sources of a type from each other.
fn whereabouts(source: &Source) -> String {
    let keys = [
        Key::Endpoint,
        Key::Url,
        Key::Bucket,
        Key::Path,
        Key::Svm,
        Key::Profile,
        Key::Region,
    ];
    let said = keys.iter().filter_map(|key| {
        let setting = source.own.get(*key)?;
        Some(match &setting.value {
            Value::Text(text) => text.clone(),
            Value::Path(path) => path.to_string_lossy().into_owned(),
            other => other.to_string(),
        })
    });
    let said: Vec<_> = said.collect();
    match said.is_empty() {
        true => "-".to_owned(),
        false => said.join(" "),
    }
}

fn test(ctx: &mut Context<'_>, name: &str, object: Option<&str>) -> Outcome {
    let config = configuration::load(ctx.global)?;
    let source = config
        .named(name)
        .map_err(|error| provider_failure(&error))?;
    let values = config.effective(Some(source));
    let found = match source.kind {
        SourceType::Aws | SourceType::Ecs => account(source.kind, &values),
        SourceType::File => folder(&values, object),
        SourceType::Nbd | SourceType::Https | SourceType::S3 => {
            image(ctx, source, &values, object)?
        }
        SourceType::Lightsail | SourceType::Ontap => Err(Error::Refused {
            what: format!(
                "a source of type {} cannot be tested yet",
                source.kind.name()
            ),
            hint: Some("it is not part of this version".to_owned()),
        }),
    };
    let found = found.map_err(|error| {
        let mut failure = provider_failure(&error);
        failure.message = format!("{name}: {}", failure.message);
        failure
    })?;
    ctx.tally.done();
    if ctx.out.json {
        let mut map = fields(json!({"source": name, "type": source.kind.name()}));
        map.extend(found.fields);
        ctx.out.message("status", &map)?;
    } else {
        ctx.out
            .line(&format!("{name}: {}", for_terminal(found.text.as_bytes())))?;
    }
    Ok(Exit::Done)
}

/// What a test has found.
struct Found {
    text: String,
    fields: Map<String, serde_json::Value>,
}

fn account(kind: SourceType, values: &Values) -> Result<Found, Error> {
    let settings = ClientSettings {
        profile: values.profile().map(str::to_owned),
        region: values.region().map(str::to_owned),
        endpoint_url: values.endpoint().map(str::to_owned),
    };
    let doing = "ask whose credentials these are";
    let (account, region) = match kind {
        SourceType::Ecs => {
            let client = ecs::Client::new(&settings)?;
            let account = block_on(client.account());
            let account = account.map_err(|fault| ecs::fault::error(doing, fault))?;
            (account, client.region().to_owned())
        }
        _ => {
            let client = aws::Client::new(&settings)?;
            let account = block_on(client.account());
            let account = account.map_err(|fault| Error::remote(doing, fault))?;
            (account, client.region().to_owned())
        }
    };
    Ok(Found {
        text: format!("account {account}, region {region}"),
        fields: fields(json!({"account": account, "region": region})),
    })
}

fn folder(values: &Values, object: Option<&str>) -> Result<Found, Error> {
    let folder = values.path().unwrap_or(Path::new("/"));
    let path = object.map_or(folder.to_owned(), |object| {
        folder.join(object.trim_start_matches('/'))
    });
    let metadata = std::fs::metadata(&path).map_err(|_| Error::NotFound { path: path.clone() })?;
    let shown = path.to_string_lossy().into_owned();
    let mut map = fields(json!({"path": shown}));
    let text = match metadata.is_dir() {
        true => format!("the folder {shown} is there"),
        false => {
            map.insert("size".into(), metadata.len().into());
            format!("{shown} has {} bytes", metadata.len())
        }
    };
    Ok(Found { text, fields: map })
}

/// Opens an image or an export for its size.
fn image(
    ctx: &Context<'_>,
    source: &Source,
    values: &Values,
    object: Option<&str>,
) -> Outcome<Result<Found, Error>> {
    let base = match (values.bucket(), values.url()) {
        (Some(bucket), _) => format!("s3://{bucket}"),
        (None, Some(url)) => url.trim_end_matches('/').to_owned(),
        (None, None) => String::new(),
    };
    let url = match (object, source.kind) {
        (Some(object), _) => format!("{base}/{}", object.trim_start_matches('/')),
        // A server of NBD has an export without a name.
        (None, SourceType::Nbd) => base,
        (None, kind) => {
            let what = format!(
                "a source of type {} is tested with an object of it",
                kind.name()
            );
            let hint = format!("flr source test {} OBJECT", source.name);
            return Err(Failure::new(Exit::Usage, what).hint(hint).into());
        }
    };
    let parsed = Object::parse(OsStr::new(&url), &[]);
    let parsed = parsed.map_err(|error| Failure::new(Exit::Usage, format!("{url}: {error}")))?;
    let mut settings = ctx.remote.origin_settings(&parsed)?;
    settings.profile = values.profile().map(str::to_owned);
    settings.region = values.region().map(str::to_owned);
    settings.endpoint_url = values.endpoint().map(str::to_owned);
    settings.source = Some(NamedSource {
        kind: source.kind,
        values: values.clone(),
    });
    let opened = origin::origin(&parsed, &settings);
    Ok(opened.and_then(|origin| match origin {
        Origin::Disk(disk) => {
            let size = disk.source.size();
            Ok(Found {
                text: format!("{url} has {size} bytes"),
                fields: fields(json!({"address": url, "size": size})),
            })
        }
        Origin::File { .. } | Origin::Catalog { .. } => Err(Error::Usage {
            what: format!("{url} is no image on a server"),
            hint: None,
        }),
    }))
}
