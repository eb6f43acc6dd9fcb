//! Where the services are.

use super::client::{ClientSettings, Service};
use crate::account::place::endpoint;
use crate::error::Result;

/// What an endpoint looks like.
const EXAMPLE: &str = "https://ebs.eu-west-1.amazonaws.com";

/// Where the services are, as the user said; else where AWS has them.
#[derive(Clone, Debug, Default)]
pub(super) struct Endpoints {
    all: Option<String>,
    ebs: Option<String>,
    ec2: Option<String>,
    lightsail: Option<String>,
    sts: Option<String>,
}

impl Endpoints {
    /// What the settings say, then `AWS_ENDPOINT_URL_*`, then `AWS_ENDPOINT_URL`.
    ///
    /// # Errors
    /// An address that must not be used.
    pub(super) fn new(
        settings: &ClientSettings,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let checked = |name: &str, url: Option<String>| match url.filter(|url| !url.is_empty()) {
            None => Ok(None),
            Some(url) => endpoint(name, &url, EXAMPLE).map(Some),
        };
        let setting = checked("the endpoint", settings.endpoint_url.clone())?;
        if setting.is_some() {
            return Ok(Self {
                all: setting,
                ..Self::default()
            });
        }
        let of = |name: &str| checked(name, variable(name));
        Ok(Self {
            all: of("AWS_ENDPOINT_URL")?,
            ebs: of("AWS_ENDPOINT_URL_EBS")?,
            ec2: of("AWS_ENDPOINT_URL_EC2")?,
            lightsail: of("AWS_ENDPOINT_URL_LIGHTSAIL")?,
            sts: of("AWS_ENDPOINT_URL_STS")?,
        })
    }

    /// The address of a service in a region, without a slash at its end. The region is one that
    /// [`is_region`] accepts.
    pub(super) fn url(&self, service: Service, region: &str) -> String {
        self.custom(service).map_or_else(
            || {
                let domain = match region.split('-').next() {
                    Some("cn") => "amazonaws.com.cn",
                    _ => "amazonaws.com",
                };
                format!("https://{}.{region}.{domain}", service.name())
            },
            str::to_owned,
        )
    }

    /// The address that somebody gave for a service.
    pub(super) fn custom(&self, service: Service) -> Option<&str> {
        let own = match service {
            Service::Ebs => &self.ebs,
            Service::Ec2 => &self.ec2,
            Service::Lightsail => &self.lightsail,
            Service::Sts => &self.sts,
        };
        own.as_deref().or(self.all.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn endpoints(setting: Option<&str>, variables: &[(&str, &str)]) -> Result<Endpoints> {
        let settings = ClientSettings {
            endpoint_url: setting.map(str::to_owned),
            ..ClientSettings::default()
        };
        Endpoints::new(&settings, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn services_are_where_aws_has_them() {
        let none = endpoints(None, &[]).unwrap();
        for (service, region, url) in [
            (
                Service::Ebs,
                "us-east-1",
                "https://ebs.us-east-1.amazonaws.com",
            ),
            (
                Service::Ec2,
                "us-gov-west-1",
                "https://ec2.us-gov-west-1.amazonaws.com",
            ),
            (
                Service::Lightsail,
                "eu-west-1",
                "https://lightsail.eu-west-1.amazonaws.com",
            ),
            (
                Service::Sts,
                "cn-north-1",
                "https://sts.cn-north-1.amazonaws.com.cn",
            ),
        ] {
            assert_eq!(none.url(service, region), url);
            assert_eq!(none.custom(service), None);
        }
    }

    #[test]
    fn what_is_nearest_wins() {
        let variables = [
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1/"),
            ("AWS_ENDPOINT_URL_EBS", "http://localhost:2"),
            ("AWS_ENDPOINT_URL_STS", "https://sts.example/p/"),
            ("AWS_ENDPOINT_URL_EC2", ""),
        ];
        let from = endpoints(None, &variables).unwrap();
        assert_eq!(from.url(Service::Ebs, "r"), "http://localhost:2");
        assert_eq!(from.url(Service::Ec2, "r"), "http://127.0.0.1:1");
        assert_eq!(from.url(Service::Sts, "r"), "https://sts.example/p");
        let from = endpoints(Some("http://[::1]:3"), &variables).unwrap();
        assert_eq!(from.url(Service::Ebs, "r"), "http://[::1]:3");
    }

    #[test]
    fn no_plain_http_to_elsewhere() {
        for url in [
            "http://ebs.example",
            "http://10.0.0.1",
            "http://127.0.0.1.example",
            "ftp://127.0.0.1",
            "file:///etc/passwd",
            "https://user:secret@ebs.example",
            "https://ebs.example/?a=b",
            "ebs.example",
        ] {
            let error = endpoints(Some(url), &[]).unwrap_err();
            assert!(matches!(error, Error::Usage { .. }), "{url}");
            assert!(!error.to_string().contains("secret"), "{error}");
            endpoints(None, &[("AWS_ENDPOINT_URL_STS", url)]).unwrap_err();
        }
    }
}
