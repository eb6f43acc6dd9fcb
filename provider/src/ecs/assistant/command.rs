//! The command line of the plug-in for consistent snapshots.
//!
//! It is run by a shell, as root, inside of the instance. Nothing that a user or the provider has said gets
//! into it but letters, digits and a few marks that no shell takes for its own, nor the plug-in for the
//! end of a parameter.
//!
//! Source: "Create application-consistent snapshots" of the documentation of ECS.

use crate::ecs::api::disks::is_disk_id;
use crate::error::{Error, Result};

/// How long the plug-in holds writes back, in seconds: its own default.
const FREEZE_SECONDS: u64 = 30;

/// Longest path of a script.
const PATH_MAX: usize = 255;

/// Longest name of a role, and of a group.
const NAME_MAX: usize = 64;
const GROUP_NAME_MAX: usize = 128;

/// Disks that can be left out.
const EXCLUDED_MAX: usize = 128;

/// The system of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Filesystems are frozen; for applications there are scripts.
    Linux,
    /// Applications are told by the system's own service for it.
    Windows,
}

impl System {
    /// Of what ECS calls it.
    #[must_use]
    pub fn of(os_type: &str) -> Option<Self> {
        match os_type.to_ascii_lowercase().as_str() {
            "linux" => Some(Self::Linux),
            "windows" => Some(Self::Windows),
            _ => None,
        }
    }

    /// What Cloud Assistant calls a script of it.
    #[must_use]
    pub const fn script(self) -> &'static str {
        match self {
            Self::Linux => "RunShellScript",
            Self::Windows => "RunBatScript",
        }
    }
}

/// What the plug-in is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The instance's role, whose permissions the plug-in uses.
    pub role: String,
    /// A script in the instance that makes applications hold still, and one that lets them go on.
    pub scripts: Option<(String, String)>,
    /// Disks to leave out.
    pub excluded: Vec<String>,
    /// The group's name.
    pub name: Option<String>,
}

impl Wanted {
    /// The command line.
    ///
    /// # Errors
    /// Something in it is not of the form that it must have.
    pub fn line(&self, system: System) -> Result<String> {
        check_role(&self.role)?;
        check_excluded(&self.excluded)?;
        let (plugin, hold) = match system {
            System::Linux => ("app-snapshot-plugin", "-EnableFsFreeze=true"),
            System::Windows => ("app-snapshot-plugin-win", "-EnableWriters=true"),
        };
        let mut parameters = vec![
            format!("-RamRoleName=\"{}\"", self.role),
            hold.to_owned(),
            format!("-TimeoutInSeconds={FREEZE_SECONDS}"),
        ];
        match (&self.scripts, system) {
            (None, _) => {}
            (Some(_), System::Windows) => {
                return Err(usage(
                    "on Windows there are no scripts to name: applications are told by the system",
                    "leave out --pre and --post",
                ));
            }
            (Some((pre, post)), System::Linux) => {
                check_path("--pre", pre)?;
                check_path("--post", post)?;
                parameters.push(format!("-PreScriptPath=\"{pre}\""));
                parameters.push(format!("-PostScriptPath=\"{post}\""));
            }
        }
        if !self.excluded.is_empty() {
            let excluded = self.excluded.join(",");
            parameters.push(format!("-ExcludeDiskId=\"{excluded}\""));
        }
        if let Some(name) = &self.name {
            check_name(name)?;
            parameters.push(format!("-Name=\"{name}\""));
        }
        Ok(format!(
            "acs-plugin-manager --exec --plugin {plugin} --params={}",
            parameters.join(",")
        ))
    }
}

fn usage(what: impl Into<String>, hint: &str) -> Error {
    Error::Usage {
        what: what.into(),
        hint: Some(hint.to_owned()),
    }
}

fn is_plain(text: &str, marks: &str) -> bool {
    let fits = |it: char| it.is_ascii_alphanumeric() || marks.contains(it);
    text.chars().all(fits)
}

fn check_role(role: &str) -> Result<()> {
    match (1..=NAME_MAX).contains(&role.len()) && is_plain(role, ".-_@") {
        true => Ok(()),
        false => Err(usage(
            format!("expected the name of a role, not {role:?}"),
            "up to 64 letters, digits, dots and dashes",
        )),
    }
}

/// Refuses disks to be left out that are none.
pub(super) fn check_excluded(disks: &[String]) -> Result<()> {
    if disks.len() > EXCLUDED_MAX {
        let what = format!("expected at most {EXCLUDED_MAX} disks to leave out");
        return Err(usage(what, "take the snapshots of the others one by one"));
    }
    match disks.iter().find(|disk| !is_disk_id(disk)) {
        None => Ok(()),
        Some(wrong) => Err(usage(
            format!("expected the id of a disk with --exclude-disk, not {wrong:?}"),
            "d-… as `flr points --json` shows it",
        )),
    }
}

/// Refuses a name that ECS would not take for a group, or that a shell could take for more than a name.
pub(super) fn check_name(name: &str) -> Result<()> {
    let begins = |prefix: &str| name.to_ascii_lowercase().starts_with(prefix);
    let taken = begins("auto") || begins("http");
    let letter = name.starts_with(|it: char| it.is_ascii_alphabetic());
    let fits = (2..=GROUP_NAME_MAX).contains(&name.len()) && is_plain(name, "._-");
    match letter && fits && !taken {
        true => Ok(()),
        false => Err(usage(
            format!("{name:?} is no name for a group of snapshots"),
            "2 to 128 letters, digits, dots and dashes; it begins with a letter, not with auto or http",
        )),
    }
}

fn check_path(option: &str, path: &str) -> Result<()> {
    let parts = || path.split('/').skip(1);
    // A dash at its beginning could be the next parameter.
    let is_part = |part: &str| !part.is_empty() && !part.starts_with('-') && part != "..";
    let fits = path.starts_with('/') && path.len() <= PATH_MAX && is_plain(path, "/._-+");
    match fits && parts().all(is_part) {
        true => Ok(()),
        false => Err(usage(
            format!("{option}: expected the whole path of a script in the instance, not {path:?}"),
            "such as /root/prescript.sh; letters, digits, dots and dashes only",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            role: "AppSnapshotRole".into(),
            scripts: Some(("/tmp/prescript.sh".into(), "/tmp/postscript.sh".into())),
            excluded: vec!["d-bp1".into(), "d-bp2".into()],
            name: Some("before-upgrade".into()),
        }
    }

    /// In the form of the documentation.
    #[test]
    fn the_line_is_that_of_the_documentation() {
        assert_eq!(
            wanted().line(System::Linux).unwrap(),
            "acs-plugin-manager --exec --plugin app-snapshot-plugin \
             --params=-RamRoleName=\"AppSnapshotRole\",-EnableFsFreeze=true,-TimeoutInSeconds=30,\
             -PreScriptPath=\"/tmp/prescript.sh\",-PostScriptPath=\"/tmp/postscript.sh\",\
             -ExcludeDiskId=\"d-bp1,d-bp2\",-Name=\"before-upgrade\""
        );
        let windows = Wanted {
            scripts: None,
            excluded: Vec::new(),
            name: None,
            ..wanted()
        };
        assert_eq!(
            windows.line(System::Windows).unwrap(),
            "acs-plugin-manager --exec --plugin app-snapshot-plugin-win \
             --params=-RamRoleName=\"AppSnapshotRole\",-EnableWriters=true,-TimeoutInSeconds=30"
        );
        assert!(wanted().line(System::Windows).is_err());
        assert_eq!(System::of("Windows"), Some(System::Windows));
        assert_eq!(System::of("linux"), Some(System::Linux));
        assert_eq!(System::of("plan9"), None);
    }

    /// What a shell, or the plug-in, takes for more than a part of a word.
    const INJECTIONS: &[&str] = &[
        "/tmp/x\";reboot;\"",
        "/tmp/x;reboot",
        "/tmp/$(reboot)",
        "/tmp/`reboot`",
        "/tmp/x\nreboot",
        "/tmp/x\rreboot",
        "/tmp/x|reboot",
        "/tmp/x&reboot",
        "/tmp/x>/etc/passwd",
        "/tmp/x y",
        "/tmp/x\ty",
        "/tmp/x'y",
        "/tmp/x\"y",
        "/tmp/x\\y",
        "/tmp/x,-Name=y",
        "/tmp/x,y",
        "/tmp/*",
        "/tmp/?",
        "/tmp/[a]",
        "/tmp/{a,b}",
        "/tmp/~",
        "/tmp/%PATH%",
        "/tmp/^x",
        "/tmp/!x",
        "/tmp/#x",
        "/tmp/x=y",
        "/tmp/{{ACS::RegionId}}",
        "/tmp/\u{e9}",
        "/tmp/\u{202e}x",
        "/tmp/\0",
        "/tmp/-rf",
        "/tmp/../x",
        "/tmp//x",
        "/tmp/",
        "/",
        "",
        "x.sh",
        "-x",
        "C:\\x.bat",
    ];

    #[test]
    fn nothing_of_a_user_gets_to_the_shell_but_plain_words() {
        for text in INJECTIONS {
            let text = (*text).to_owned();
            let plain = || "/tmp/x.sh".to_owned();
            for scripts in [(text.clone(), plain()), (plain(), text.clone())] {
                let scripts = Some(scripts);
                let wanted = Wanted {
                    scripts,
                    ..wanted()
                };
                assert!(wanted.line(System::Linux).is_err(), "path {text:?}");
            }
            let role = Wanted {
                role: text.clone(),
                ..wanted()
            };
            let disk = Wanted {
                excluded: vec!["d-bp1".into(), text.clone()],
                ..wanted()
            };
            let name = Wanted {
                name: Some(text.clone()),
                ..wanted()
            };
            if text != "x.sh" {
                assert!(name.line(System::Linux).is_err(), "name {text:?}");
                if text != "-x" {
                    assert!(role.line(System::Linux).is_err(), "role {text:?}");
                }
            }
            assert!(disk.line(System::Linux).is_err(), "disk {text:?}");
        }
        let long = format!("/{}", "x".repeat(PATH_MAX));
        let scripts = Some((long.clone(), long));
        let wanted = Wanted {
            scripts,
            ..wanted()
        };
        assert!(wanted.line(System::Linux).is_err());
    }

    #[test]
    fn names_that_ecs_does_not_take() {
        for name in ["auto-1", "http-1", "1st", "a", "", &"a".repeat(129)] {
            assert!(check_name(name).is_err(), "{name}");
        }
        check_name("nightly.2026-11-18_a").unwrap();
    }
}
