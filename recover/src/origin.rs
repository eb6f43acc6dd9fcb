//! Where the bytes of an address's object come from: a file, an image behind a URL, or a provider that keeps
//! points in time of it.
//!
//! One arm for each kind of object. Nothing is opened but what has no points; a provider is asked later, by
//! whoever chooses one.

use crate::address::{Object, Provider, Url};
use flr_provider::aws::lightsail::Lightsail;
use flr_provider::aws::{AwsCatalog, ClientSettings};
use flr_provider::config::{SourceType, Values};
use flr_provider::ecs::EcsCatalog;
use flr_provider::http::{Authorization, HttpOptions, HttpStore};
use flr_provider::nbd::{NbdOptions, NbdStore, export_uri};
use flr_provider::object::{ObjectCredentials, ObjectOptions, ObjectStoreImage};
use flr_provider::ontap::{Ontap, OntapSettings};
use flr_provider::point::{Catalog, Disk};
use flr_provider::remote::{self, ChunkStore, Chunked};
use flr_provider::{Error, Result};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;

/// What can be read, as addresses begin with it.
pub const READ: &[&str] = &[
    "file",
    "aws",
    "lightsail",
    "ecs",
    "ontap",
    "https",
    "s3",
    "gs",
    "az",
    "nbd",
];

/// Where an object's bytes come from.
#[derive(Debug)]
pub enum Origin {
    /// A file or device of this machine.
    File {
        /// Its path.
        path: PathBuf,
        /// Whether it is to be taken as raw bytes, whatever they look like.
        raw: bool,
    },
    /// One image or export of a server, as it is now.
    Disk(Disk),
    /// An object that has points in time.
    Catalog {
        /// Whom to ask.
        catalog: Arc<dyn Catalog>,
        /// The object's id or name, as the provider takes it.
        object: String,
    },
}

/// What an object's keys do not say.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Profile of the provider's own configuration.
    pub profile: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Address of the provider's interface.
    pub endpoint_url: Option<String>,
    /// Read what may change while it is read.
    pub live: bool,
    /// Talk to servers that are not of this machine in clear.
    pub insecure: bool,
    /// How bytes beyond a network are read.
    pub reading: remote::Settings,
    /// What the configuration says of the object's source, where it has one.
    pub source: Option<NamedSource>,
}

/// A source of the configuration.
#[derive(Clone, Debug)]
pub struct NamedSource {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: SourceType,
    /// What holds for it, with options and variables.
    pub values: Values,
}

/// Where the bytes of `object` come from. Blocks where a server is asked for its size.
///
/// # Errors
/// The object's keys make no sense, this version does not know its provider, or the server refuses.
pub fn origin(object: &Object, settings: &Settings) -> Result<Origin> {
    match object {
        Object::Local(name) => Ok(Origin::File {
            path: name.into(),
            raw: false,
        }),
        Object::Provider {
            provider: Provider::File,
            name,
            keys,
        } => file(name, keys),
        Object::Provider {
            provider,
            name,
            keys,
        } => {
            let settings = with_keys(*provider, settings, keys)?;
            provided(*provider, &text(name)?, &settings)
        }
        Object::Cloud { provider, id } => provided(*provider, id, settings),
        Object::Arn(arn) => by_arn(arn, settings),
        Object::Url(url) => by_url(url, settings),
        Object::Source { source, name } => match &settings.source {
            Some(named) => by_source(named, &text(name)?, settings),
            None => Err(Error::NoSuch {
                what: format!("there is no source {source}"),
                hint: Some("flr source ls".to_owned()),
            }),
        },
    }
}

fn file(name: &OsStr, keys: &[(String, String)]) -> Result<Origin> {
    let mut raw = false;
    for (key, value) in keys {
        match (key.as_str(), value.as_str()) {
            ("format", "raw") => raw = true,
            ("format", format) => {
                return Err(Error::Refused {
                    what: format!("format {format} is not read yet"),
                    hint: None,
                });
            }
            _ => return Err(no_key(Provider::File, key)),
        }
    }
    let path = name.into();
    Ok(Origin::File { path, raw })
}

fn no_key(provider: Provider, key: &str) -> Error {
    let hint = match provider {
        Provider::File => "its keys are format=raw",
        Provider::Ontap => "which cluster it is, a source of the configuration says",
        _ => "its keys are profile=NAME, region=NAME",
    };
    Error::Usage {
        what: format!("{}: has no key {key}", provider.name()),
        hint: Some(hint.to_owned()),
    }
}

/// Whom a provider's object is asked of, as far as it is said: two objects with the same are asked of the same
/// account in the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    provider: Provider,
    profile: Option<String>,
    region: Option<String>,
    endpoint_url: Option<String>,
    source: Option<String>,
}

/// Whom `object` would be asked of. `None`: nobody is asked, or that cannot be told from its address.
#[must_use]
pub fn asked(object: &Object, settings: &Settings) -> Option<Asked> {
    let (provider, settings) = match object {
        Object::Cloud { provider, .. } => (*provider, settings.clone()),
        Object::Provider { provider, keys, .. } => {
            (*provider, with_keys(*provider, settings, keys).ok()?)
        }
        // The settings have what the source says.
        Object::Source { .. } => {
            let provider = match settings.source.as_ref()?.kind {
                SourceType::Aws => Provider::Aws,
                SourceType::Lightsail => Provider::Lightsail,
                SourceType::Ecs => Provider::Ecs,
                SourceType::Ontap => Provider::Ontap,
                SourceType::Https | SourceType::Nbd | SourceType::S3 | SourceType::File => {
                    return None;
                }
            };
            (provider, settings.clone())
        }
        Object::Local(_) | Object::Arn(_) | Object::Url(_) => return None,
    };
    Some(Asked {
        provider,
        profile: settings.profile,
        region: settings.region,
        endpoint_url: settings.endpoint_url,
        source: settings.source.map(|source| source.name),
    })
}

/// The settings, with what the address itself says: that is nearest to what is meant.
fn with_keys(
    provider: Provider,
    settings: &Settings,
    keys: &[(String, String)],
) -> Result<Settings> {
    let mut settings = settings.clone();
    for (key, value) in keys {
        let place = match key.as_str() {
            _ if provider == Provider::Ontap => return Err(no_key(provider, key)),
            "profile" => &mut settings.profile,
            "region" => &mut settings.region,
            _ => return Err(no_key(provider, key)),
        };
        *place = Some(value.clone());
    }
    Ok(settings)
}

/// The name as text, which names of providers are.
fn text(name: &OsStr) -> Result<String> {
    let text = name.to_str().map(str::to_owned);
    text.ok_or_else(|| Error::Usage {
        what: "expected UTF-8 in the name of an object".to_owned(),
        hint: None,
    })
}

fn by_arn(arn: &str, settings: &Settings) -> Result<Origin> {
    let mut settings = settings.clone();
    let mut fields = arn.splitn(6, ':').skip(2);
    let (service, region) = (fields.next(), fields.next());
    if let Some(region) = region.filter(|region| !region.is_empty()) {
        settings.region = Some(region.to_owned());
    }
    match service {
        Some("ec2") => provided(Provider::Aws, arn, &settings),
        Some("lightsail") => provided(Provider::Lightsail, arn, &settings),
        _ => Err(Error::Usage {
            what: format!("{arn}: expected an ARN of EC2 or Lightsail"),
            hint: Some("arn:aws:ec2:REGION::snapshot/snap-…".to_owned()),
        }),
    }
}

fn by_url(url: &Url, settings: &Settings) -> Result<Origin> {
    match url.scheme.as_str() {
        "s3" | "gs" | "az" => bucket(&url.to_string(), settings),
        "nbd" | "nbds" | "nbd+unix" | "nbds+unix" => export(&url.to_string(), settings),
        "https" | "http" => image(&url.to_string(), settings),
        scheme => Err(not_yet(scheme)),
    }
}

fn provided(provider: Provider, name: &str, settings: &Settings) -> Result<Origin> {
    match provider {
        Provider::S3 => bucket(&format!("s3://{name}"), settings),
        Provider::Nbd => export(&format!("nbd://{name}"), settings),
        Provider::Aws => {
            let catalog = AwsCatalog::new(&client_settings(settings), of_ebs(settings))?;
            Ok(points(Arc::new(catalog), name))
        }
        Provider::Lightsail => {
            let catalog = Lightsail::new(&client_settings(settings), of_ebs(settings))?;
            Ok(points(Arc::new(catalog), name))
        }
        Provider::Ontap => {
            let source = settings.source.as_ref();
            let source = source.filter(|source| source.kind == SourceType::Ontap);
            let Some(NamedSource {
                name: of, values, ..
            }) = source
            else {
                return Err(no_cluster(name));
            };
            let cluster = OntapSettings::of_source(of, values)?;
            let catalog = Ontap::new(&cluster, settings.reading.clone())?;
            Ok(points(Arc::new(catalog), name))
        }
        Provider::Ecs => {
            let catalog = EcsCatalog::new(&client_settings(settings))?;
            Ok(points(Arc::new(catalog), name))
        }
        provider => Err(not_yet(provider.name())),
    }
}

/// Nothing says where the cluster is, nor as whom it is asked.
fn no_cluster(name: &str) -> Error {
    Error::Usage {
        what: format!("ontap:{name}: no source of type ontap says which cluster this is"),
        hint: Some(
            "flr source add filer --type ontap endpoint=https://CLUSTER svm=SVM username=USER \
             password_command=…; of several name one: filer:VOLUME/LUN"
                .to_owned(),
        ),
    }
}

fn points(catalog: Arc<dyn Catalog>, object: &str) -> Origin {
    Origin::Catalog {
        catalog,
        object: object.to_owned(),
    }
}

/// How blocks of EBS are read.
fn of_ebs(settings: &Settings) -> remote::Settings {
    remote::Settings {
        // What a snapshot may be asked for in a second, before others share it.
        rate: Some(EBS_RATE),
        ..settings.reading.clone()
    }
}

/// Calls per second to begin with, and the quota of one snapshot, which no account can raise.
const EBS_RATE: remote::Rate = remote::Rate {
    start: 100,
    max: 1000,
};

fn client_settings(settings: &Settings) -> ClientSettings {
    ClientSettings {
        profile: settings.profile.clone(),
        region: settings.region.clone(),
        endpoint_url: settings.endpoint_url.clone(),
    }
}

/// An object of a source: what its type takes, with what the source says.
fn by_source(source: &NamedSource, name: &str, settings: &Settings) -> Result<Origin> {
    let values = &source.values;
    let settings = Settings {
        profile: values.profile().map(str::to_owned),
        region: values.region().map(str::to_owned),
        endpoint_url: values.endpoint().map(str::to_owned),
        ..settings.clone()
    };
    let beneath = |base: Option<&str>| match base {
        Some(base) => format!("{}/{name}", base.trim_end_matches('/')),
        None => name.to_owned(),
    };
    match source.kind {
        SourceType::Aws => provided(Provider::Aws, name, &settings),
        SourceType::Lightsail => provided(Provider::Lightsail, name, &settings),
        SourceType::Ecs => provided(Provider::Ecs, name, &settings),
        SourceType::Ontap => provided(Provider::Ontap, name, &settings),
        SourceType::Https => image(&beneath(values.url()), &settings),
        SourceType::Nbd => match values.url() {
            Some(server) => export(&export_uri(server, name)?, &settings),
            None => provided(Provider::Nbd, name, &settings),
        },
        SourceType::S3 => bucket(&format!("s3://{}", beneath(values.bucket())), &settings),
        SourceType::File => Ok(Origin::File {
            path: values
                .path()
                .map_or_else(|| name.into(), |base| base.join(name)),
            raw: false,
        }),
    }
}

/// The source of remote bytes.
fn chunked(store: Arc<dyn ChunkStore>, may_be_container: bool, settings: &Settings) -> Origin {
    Origin::Disk(Disk {
        source: Chunked::new(store, &settings.reading),
        may_be_container,
    })
}

fn image(url: &str, settings: &Settings) -> Result<Origin> {
    let options = HttpOptions {
        live: settings.live,
        authorization: authorization(settings)?,
    };
    Ok(chunked(HttpStore::open(url, &options)?, true, settings))
}

/// What the configuration has for a server that wants to know who asks.
fn authorization(settings: &Settings) -> Result<Option<Authorization>> {
    let Some(source) = &settings.source else {
        return Ok(None);
    };
    let Some(password) = source.values.password()? else {
        return Ok(None);
    };
    let made = match source.values.username() {
        Some(user) => Authorization::basic(user, password.expose())?,
        None => Authorization::bearer(password.expose())?,
    };
    Ok(Some(made))
}

fn bucket(url: &str, settings: &Settings) -> Result<Origin> {
    let options = ObjectOptions {
        endpoint: settings.endpoint_url.clone(),
        region: settings.region.clone(),
        credentials: match &settings.profile {
            Some(profile) => ObjectCredentials::Profile(profile.clone()),
            None => ObjectCredentials::Default,
        },
        live: settings.live,
    };
    Ok(chunked(
        ObjectStoreImage::open(url, &options)?,
        true,
        settings,
    ))
}

fn export(uri: &str, settings: &Settings) -> Result<Origin> {
    let options = NbdOptions {
        live: settings.live,
        insecure: settings.insecure,
        ..NbdOptions::default()
    };
    // What a guest wrote on its disk is no container, whatever it looks like.
    Ok(chunked(NbdStore::open(uri, &options)?, false, settings))
}

fn not_yet(provider: &str) -> Error {
    Error::Refused {
        what: format!("the provider {provider} is not part of this version yet"),
        hint: Some("flr version lists what can be read".to_owned()),
    }
}
