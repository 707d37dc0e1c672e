//! What would have to be collected for a blind rule to see.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::taxonomy::OwnedLogsource;

/// A source of events that we do not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// Windows event logs (also Sysmon's): imported as EVTX or JSON.
    Windows,
    /// Sysmon for Linux's events of this category.
    SysmonLinux(String),
    /// The audit trail of macOS.
    MacOs,
    /// The audit log of this cloud service.
    Cloud(String),
    /// Zeek's log of this name.
    Zeek(String),
    /// Logs of this maker's network devices.
    Device(String),
    /// Logs of this application or runtime.
    Application(String),
    /// Events of a logsource that is collected, with these fields as well.
    Fields(Vec<String>),
    /// Any of the rules that a correlation counts.
    Members,
    /// Something that answers to this logsource.
    Logsource(String),
}

/// Products whose rules read a cloud service's audit log.
const CLOUD: [&str; 16] = [
    "aws",
    "azure",
    "bitbucket",
    "cisco_duo",
    "gcp",
    "github",
    "google_cloud",
    "google_workspace",
    "gworkspace",
    "kubernetes",
    "m365",
    "microsoft365portal",
    "okta",
    "onelogin",
    "onedrive",
    "sharepoint",
];

/// Makers of network devices.
const DEVICES: [&str; 10] = [
    "checkpoint",
    "cisco",
    "f5",
    "fortigate",
    "fortinet",
    "fortios",
    "huawei",
    "juniper",
    "paloalto",
    "sophos",
];

/// Categories of Sysmon for Linux that our own sensors do not make.
const SYSMON: [&str; 7] = [
    "file_access",
    "file_delete",
    "file_rename",
    "process_access",
    "process_termination",
    "raw_access_thread",
    "create_remote_thread",
];

impl Need {
    /// What a rule of this logsource needs, where no event of ours has it.
    #[must_use]
    pub fn of(logsource: &OwnedLogsource) -> Self {
        let part = |part: &Option<String>| part.as_deref().unwrap_or_default().to_ascii_lowercase();
        let (category, product, service) =
            (part(&logsource.category), part(&logsource.product), part(&logsource.service));
        match product.as_str() {
            "windows" => Self::Windows,
            "macos" => Self::MacOs,
            "zeek" => Self::Zeek(service),
            cloud if CLOUD.contains(&cloud) => Self::Cloud(product),
            maker if DEVICES.contains(&maker) => Self::Device(product),
            "linux" if SYSMON.contains(&category.as_str()) => Self::SysmonLinux(category),
            "linux" | ""
                if category == "application" || category == "database" || category == "antivirus" =>
            {
                Self::Application(if service.is_empty() { category } else { service })
            }
            "linux" | "watchpost" | "" => Self::Logsource(logsource.to_string()),
            _ => Self::Application(product),
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Windows => write!(f, "Windows event logs, through detect --input evtx or as JSON"),
            Self::SysmonLinux(category) => write!(f, "Sysmon for Linux ({category}), through detect"),
            Self::MacOs => write!(f, "macOS events, through detect as JSON"),
            Self::Cloud(service) => write!(f, "the audit log of {service}, through detect as JSON"),
            Self::Zeek(log) => write!(f, "Zeek's {log} log, through detect as JSON"),
            Self::Device(maker) => write!(f, "logs of {maker} devices, through detect as JSON"),
            Self::Application(name) => write!(f, "logs of {name}, through detect as JSON"),
            Self::Fields(names) => write!(f, "a source that fills {}", names.join(", ")),
            Self::Members => write!(f, "a rule that it counts and that can see"),
            Self::Logsource(logsource) => {
                write!(f, "events of the logsource {logsource}, through detect as JSON")
            }
        }
    }
}

impl Serialize for Need {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
