//! Where the services are.

use super::client::Service;
use crate::account::ClientSettings;
use crate::account::place::endpoint;
use crate::error::Result;

/// What an endpoint looks like.
const EXAMPLE: &str = "https://ecs.eu-central-1.aliyuncs.com";

/// Regions whose ECS answers elsewhere than at `ecs.REGION.aliyuncs.com`.
///
/// Source: the vendor's SDK of ECS for Python, 7.11.8.
const ELSEWHERE: &[(&str, &[&str])] = &[
    (
        "ecs-cn-hangzhou.aliyuncs.com",
        &[
            "cn-beijing-nu16-b01",
            "cn-fujian",
            "cn-haidian-cm12-c01",
            "cn-hangzhou",
            "cn-hangzhou-bj-b01",
            "cn-hangzhou-internal-prod-1",
            "cn-hangzhou-internal-test-1",
            "cn-hangzhou-internal-test-2",
            "cn-hangzhou-internal-test-3",
            "cn-hangzhou-test-306",
            "cn-shanghai-et15-b01",
            "cn-shanghai-et2-b01",
            "cn-shanghai-finance-1",
            "cn-shanghai-internal-test-1",
            "cn-shenzhen-finance-1",
            "cn-shenzhen-st4-d01",
            "cn-shenzhen-su18-b01",
            "cn-zhangbei-na61-b01",
        ],
    ),
    (
        "ecs.aliyuncs.com",
        &[
            "ap-northeast-2-pop",
            "cn-beijing-finance-pop",
            "cn-beijing-gov-1",
            "cn-hangzhou-finance",
            "cn-hongkong-finance-pop",
            "cn-north-2-gov-1",
            "cn-shanghai-inner",
            "cn-shenzhen-inner",
            "cn-wuhan",
            "cn-yushanfang",
            "cn-zhangbei",
            "rus-west-1-pop",
        ],
    ),
    (
        "ecs.cn-qingdao-nebula.aliyuncs.com",
        &[
            "cn-edge-1",
            "cn-huhehaote-nebula-1",
            "cn-zhengzhou-nebula-1",
        ],
    ),
    (
        "ecs.cn-zhangjiakou.aliyuncs.com",
        &["cn-zhangjiakou-na62-a01"],
    ),
    (
        "ecs.cn-shenzhen-cloudstone.aliyuncs.com",
        &["eu-west-1-oxs"],
    ),
];

/// Where the services are, as the user said; else where Alibaba Cloud has them.
#[derive(Clone, Debug, Default)]
pub(super) struct Endpoints {
    all: Option<String>,
    ecs: Option<String>,
    sts: Option<String>,
    hbr: Option<String>,
}

impl Endpoints {
    /// What the settings say, then `FLR_ECS_ENDPOINT`, `FLR_STS_ENDPOINT`, `FLR_HBR_ENDPOINT`.
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
        let all = checked("the endpoint", settings.endpoint_url.clone())?;
        if all.is_some() {
            return Ok(Self {
                all,
                ..Self::default()
            });
        }
        let of = |name: &str| checked(name, variable(name));
        Ok(Self {
            all: None,
            ecs: of("FLR_ECS_ENDPOINT")?,
            sts: of("FLR_STS_ENDPOINT")?,
            hbr: of("FLR_HBR_ENDPOINT")?,
        })
    }

    /// The address of a service in a region, without a slash at its end. The region is one that
    /// `is_region` accepts.
    pub(super) fn url(&self, service: Service, region: &str) -> String {
        let own = match service {
            Service::Ecs => &self.ecs,
            Service::Sts => &self.sts,
            Service::Hbr => &self.hbr,
        };
        if let Some(custom) = own.as_deref().or(self.all.as_deref()) {
            return custom.to_owned();
        }
        let elsewhere = || {
            let mut hosts = ELSEWHERE.iter();
            let (host, _) = hosts.find(|(_, regions)| regions.contains(&region))?;
            Some(format!("https://{host}"))
        };
        match service {
            Service::Ecs => elsewhere(),
            Service::Sts | Service::Hbr => None,
        }
        .unwrap_or_else(|| format!("https://{}.{region}.aliyuncs.com", service.name()))
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
    fn services_are_where_alibaba_has_them() {
        let none = endpoints(None, &[]).unwrap();
        for (service, region, url) in [
            (
                Service::Ecs,
                "eu-central-1",
                "https://ecs.eu-central-1.aliyuncs.com",
            ),
            (
                Service::Ecs,
                "cn-hangzhou",
                "https://ecs-cn-hangzhou.aliyuncs.com",
            ),
            (Service::Ecs, "cn-wuhan", "https://ecs.aliyuncs.com"),
            (
                Service::Hbr,
                "cn-hangzhou",
                "https://hbr.cn-hangzhou.aliyuncs.com",
            ),
            (
                Service::Sts,
                "cn-beijing",
                "https://sts.cn-beijing.aliyuncs.com",
            ),
        ] {
            assert_eq!(none.url(service, region), url);
        }
    }

    #[test]
    fn what_is_nearest_wins() {
        let variables = [
            ("FLR_ECS_ENDPOINT", "http://127.0.0.1:1/"),
            ("FLR_STS_ENDPOINT", "https://sts.example/p/"),
            ("FLR_HBR_ENDPOINT", ""),
        ];
        let from = endpoints(None, &variables).unwrap();
        assert_eq!(from.url(Service::Ecs, "r"), "http://127.0.0.1:1");
        assert_eq!(from.url(Service::Sts, "r"), "https://sts.example/p");
        assert_eq!(from.url(Service::Hbr, "r"), "https://hbr.r.aliyuncs.com");
        let from = endpoints(Some("http://[::1]:3"), &variables).unwrap();
        assert_eq!(from.url(Service::Hbr, "r"), "http://[::1]:3");
        assert_eq!(from.url(Service::Ecs, "r"), "http://[::1]:3");
    }

    #[test]
    fn no_plain_http_to_elsewhere() {
        for url in [
            "http://ecs.example",
            "http://100.100.100.200",
            "ftp://127.0.0.1",
            "https://user:secret@ecs.example",
            "https://ecs.example/?a=b",
            "ecs.example",
        ] {
            let error = endpoints(Some(url), &[]).unwrap_err();
            assert!(matches!(error, Error::Usage { .. }), "{url}");
            assert!(!error.to_string().contains("secret"), "{error}");
            endpoints(None, &[("FLR_HBR_ENDPOINT", url)]).unwrap_err();
        }
    }
}
