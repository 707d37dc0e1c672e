//! What a foreign event is, read off its channel, provider and number: Windows event logs,
//! Sysmon on Windows and Sysmon for Linux. Sources: Sigma's taxonomy appendix, the channels of
//! the Windows logs, Sysmon's manual.

use serde_json::Value as Json;

use super::OwnedLogsource;
use super::foreign::slot;

/// The logsources a foreign event answers to; none where nothing tells.
#[must_use]
pub fn infer(json: &Json) -> Vec<OwnedLogsource> {
    let channel = text(json, "Channel").unwrap_or_default().to_ascii_lowercase();
    let provider = text(json, "Provider_Name").or_else(|| text(json, "SourceName")).unwrap_or_default();
    let provider = provider.to_ascii_lowercase();
    let code: u32 = text(json, "EventID").and_then(|code| code.parse().ok()).unwrap_or(0);
    if channel.starts_with("linux-sysmon") || provider == "linux-sysmon" {
        return sorted("linux", &["sysmon"], sysmon(code));
    }
    if channel.is_empty() && provider.is_empty() {
        return Vec::new();
    }
    let services = services(&channel, &provider);
    sorted("windows", &services, categories(&channel, &provider, code))
}

fn text(json: &Json, name: &str) -> Option<String> {
    slot(json, name).values.first().filter(|had| !had.is_null()).map(|had| had.text().to_owned())
}

fn sorted(product: &str, services: &[&str], categories: &[&str]) -> Vec<OwnedLogsource> {
    let product = Some(product.to_owned());
    let plain = OwnedLogsource { product: product.clone(), ..OwnedLogsource::default() };
    let mut out = Vec::with_capacity(1 + services.len() + categories.len());
    out.extend(
        services
            .iter()
            .map(|service| OwnedLogsource { service: Some((*service).to_owned()), ..plain.clone() }),
    );
    out.extend(categories.iter().map(|category| OwnedLogsource {
        category: Some((*category).to_owned()),
        service: services.first().map(|service| (*service).to_owned()),
        product: product.clone(),
    }));
    if out.is_empty() {
        out.push(plain);
    }
    out
}

fn categories(channel: &str, provider: &str, code: u32) -> &'static [&'static str] {
    if channel == "microsoft-windows-sysmon/operational" || provider == "microsoft-windows-sysmon" {
        return sysmon(code);
    }
    match (channel, code) {
        ("security", 4688) => &["process_creation"],
        ("windows powershell", 400) => &["ps_classic_start"],
        ("windows powershell", 600) => &["ps_classic_provider_start"],
        ("windows powershell", 800) => &["ps_classic_script"],
        ("microsoft-windows-powershell/operational" | "powershellcore/operational", 4103) => &["ps_module"],
        ("microsoft-windows-powershell/operational" | "powershellcore/operational", 4104) => &["ps_script"],
        _ => &[],
    }
}

const fn sysmon(code: u32) -> &'static [&'static str] {
    match code {
        1 => &["process_creation"],
        2 => &["file_change"],
        3 => &["network_connection"],
        4 | 16 => &["sysmon_status"],
        5 => &["process_termination"],
        6 => &["driver_load"],
        7 => &["image_load"],
        8 => &["create_remote_thread"],
        9 => &["raw_access_thread"],
        10 => &["process_access"],
        11 => &["file_event"],
        12 => &["registry_event", "registry_add", "registry_delete"],
        13 => &["registry_event", "registry_set"],
        14 => &["registry_event", "registry_rename"],
        15 => &["create_stream_hash"],
        17 | 18 => &["pipe_created"],
        19..=21 => &["wmi_event"],
        22 => &["dns_query"],
        23 | 26 => &["file_delete"],
        24 => &["clipboard_capture"],
        25 => &["process_tampering"],
        27 => &["file_block_executable"],
        28 => &["file_block_shredding"],
        29 => &["file_executable_detected"],
        255 => &["sysmon_error"],
        _ => &[],
    }
}

fn services(channel: &str, provider: &str) -> Vec<&'static str> {
    let mut services: Vec<_> =
        SERVICES.iter().filter(|(of, _)| *of == channel).map(|(_, service)| *service).collect();
    if services.is_empty() && provider == "microsoft-windows-sysmon" {
        services.push("sysmon");
    }
    services
}

/// Channel, lower case, and Sigma's service.
const SERVICES: &[(&str, &str)] = &[
    ("application", "application"),
    ("security", "security"),
    ("system", "system"),
    ("windows powershell", "powershell-classic"),
    ("dns server", "dns-server"),
    ("directory service", "ldap"),
    ("active directory web services", "adws"),
    ("microsoft-windows-ldap-client/debug", "ldap"),
    ("microsoft-windows-sysmon/operational", "sysmon"),
    ("microsoft-windows-powershell/operational", "powershell"),
    ("powershellcore/operational", "powershell"),
    ("microsoft-iis-configuration/operational", "iis-configuration"),
    ("microsoft-servicebus-client", "microsoft-servicebus-client"),
    ("microsoft-servicebus-client/admin", "microsoft-servicebus-client"),
    ("microsoft-servicebus-client/operational", "microsoft-servicebus-client"),
    ("microsoft-windows-applocker/exe and dll", "applocker"),
    ("microsoft-windows-applocker/msi and script", "applocker"),
    ("microsoft-windows-applocker/packaged app-deployment", "applocker"),
    ("microsoft-windows-applocker/packaged app-execution", "applocker"),
    ("microsoft-windows-appmodel-runtime/admin", "appmodel-runtime"),
    ("microsoft-windows-appxdeploymentserver/operational", "appxdeployment-server"),
    ("microsoft-windows-appxpackaging/operational", "appxpackaging-om"),
    ("microsoft-windows-bits-client/operational", "bits-client"),
    ("microsoft-windows-capi2/operational", "capi2"),
    (
        "microsoft-windows-certificateservicesclient-lifecycle-system/operational",
        "certificateservicesclient-lifecycle-system",
    ),
    ("microsoft-windows-codeintegrity/operational", "codeintegrity-operational"),
    ("microsoft-windows-diagnosis-scripted/operational", "diagnosis-scripted"),
    ("microsoft-windows-dhcp-server/operational", "dhcp"),
    ("microsoft-windows-dns client events/operational", "dns-client"),
    ("microsoft-windows-dns-server/analytical", "dns-server-analytic"),
    ("microsoft-windows-dns-server/audit", "dns-server-audit"),
    ("microsoft-windows-dnsserver/audit", "dns-server-audit"),
    ("microsoft-windows-driverframeworks-usermode/operational", "driver-framework"),
    ("microsoft-windows-hyper-v-worker", "hyper-v-worker"),
    ("microsoft-windows-kernel-event-tracing", "kernel-event-tracing"),
    ("microsoft-windows-kernel-shimengine/operational", "kernel-shimengine"),
    ("microsoft-windows-kernel-shimengine/diagnostic", "kernel-shimengine"),
    ("microsoft-windows-lsa/operational", "lsa-server"),
    ("msexchange management", "msexchange-management"),
    ("microsoft-windows-ntfs/operational", "ntfs"),
    ("microsoft-windows-ntlm/operational", "ntlm"),
    ("openssh/operational", "openssh"),
    ("microsoft-windows-printservice/admin", "printservice-admin"),
    ("microsoft-windows-printservice/operational", "printservice-operational"),
    ("microsoft-windows-security-mitigations/kernel mode", "security-mitigations"),
    ("microsoft-windows-security-mitigations/user mode", "security-mitigations"),
    ("microsoft-windows-shell-core/operational", "shell-core"),
    ("microsoft-windows-smbclient/connectivity", "smbclient-connectivity"),
    ("microsoft-windows-smbclient/security", "smbclient-security"),
    ("microsoft-windows-smbserver/connectivity", "smbserver-connectivity"),
    ("microsoft-windows-taskscheduler/operational", "taskscheduler"),
    (
        "microsoft-windows-terminalservices-localsessionmanager/operational",
        "terminalservices-localsessionmanager",
    ),
    ("microsoft-windows-vhdmp/operational", "vhdmp"),
    ("microsoft-windows-windows defender/operational", "windefend"),
    ("microsoft-windows-windows firewall with advanced security/firewall", "firewall-as"),
    ("microsoft-windows-wmi-activity/operational", "wmi"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(event: &Json) -> String {
        infer(event).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn channel_and_number_tell_what_an_event_is() {
        let sysmon = "Microsoft-Windows-Sysmon/Operational";
        assert_eq!(
            said(&json!({"Channel": sysmon, "EventID": 22})),
            "product=windows,service=sysmon category=dns_query,product=windows,service=sysmon"
        );
        assert_eq!(
            said(&json!({"Channel": "Security", "EventID": "4688"})),
            "product=windows,service=security category=process_creation,product=windows,service=security"
        );
        assert_eq!(said(&json!({"Channel": "Nobody/Knows"})), "product=windows");
        assert!(
            said(&json!({"Channel": "Linux-Sysmon/Operational", "EventID": 1})).contains("product=linux")
        );
        assert_eq!(said(&json!({"message": "x"})), "");
    }
}
