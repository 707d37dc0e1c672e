//! Incident categories of GB/T 20986-2023: a five-digit code, two digits of category and three
//! of subcategory.
//!
//! The ordinals follow the published order of the subcategories; only 01007 has been seen
//! printed as a code. The rest stay `verified = false` until Annex B has been read.

/// One subcategory of GB/T 20986-2023.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Category {
    /// Five digits, for example `02001`.
    pub code: &'static str,
    /// Name in the standard's own language.
    pub zh: &'static str,
    /// Name in English.
    pub en: &'static str,
    /// Whether the code itself has been seen in a public text.
    pub verified: bool,
}

/// The row with this code.
#[must_use]
pub fn find(code: &str) -> Option<&'static Category> {
    TABLE.iter().find(|row| row.code == code)
}

macro_rules! rows {
    ($($code:literal $zh:literal $en:literal),* $(,)?) => {
        &[$(Category { code: $code, zh: $zh, en: $en, verified: matches!($code.as_bytes(), b"01007") }),*]
    };
}

/// Every subcategory, by code.
pub const TABLE: &[Category] = rows![
    "01001" "计算机病毒" "computer virus",
    "01002" "网络蠕虫" "network worm",
    "01003" "特洛伊木马" "trojan horse",
    "01004" "僵尸网络" "botnet",
    "01005" "恶意代码内嵌网页" "malicious code embedded in web page",
    "01006" "恶意代码宿主站点" "malicious code hosting site",
    "01007" "勒索软件" "ransomware",
    "01008" "挖矿病毒" "cryptomining malware",
    "01009" "混合攻击程序" "blended attack program",
    "01010" "其他恶意程序" "other malicious program",
    "02001" "网络扫描探测" "network scanning and probing",
    "02002" "网络钓鱼" "phishing",
    "02003" "漏洞利用" "vulnerability exploitation",
    "02004" "后门利用" "backdoor exploitation",
    "02005" "后门植入" "backdoor implantation",
    "02006" "凭据攻击" "credential attack",
    "02007" "信号干扰" "signal interference",
    "02008" "拒绝服务" "denial of service",
    "02009" "网页篡改" "web page defacement",
    "02010" "暗链植入" "hidden link implantation",
    "02011" "域名劫持" "domain hijacking",
    "02012" "域名转嫁" "domain shifting",
    "02013" "DNS污染" "DNS poisoning",
    "02014" "WLAN劫持" "WLAN hijacking",
    "02015" "流量劫持" "traffic hijacking",
    "02016" "BGP劫持" "BGP hijacking",
    "02017" "广播欺诈" "broadcast fraud",
    "02018" "失陷主机" "compromised host",
    "02019" "供应链攻击" "supply chain attack",
    "02020" "APT" "advanced persistent threat",
    "02021" "其他网络攻击" "other cyberattack",
    "03001" "数据篡改" "data tampering",
    "03002" "数据假冒" "data counterfeiting",
    "03003" "数据泄露" "data leakage",
    "03004" "社会工程" "social engineering",
    "03005" "数据窃取" "data theft",
    "03006" "数据拦截" "data interception",
    "03007" "位置检测" "location detection",
    "03008" "数据投毒" "data poisoning",
    "03009" "数据滥用" "data abuse",
    "03010" "隐私侵犯" "privacy violation",
    "03011" "数据损失" "data loss",
    "03012" "其他数据安全" "other data security",
    "04001" "反动宣传" "subversive propaganda",
    "04002" "暴恐宣扬" "terrorism promotion",
    "04003" "色情传播" "pornography dissemination",
    "04004" "虚假信息传播" "false information dissemination",
    "04005" "权益侵害" "rights infringement",
    "04006" "信息滥发" "information spamming",
    "04007" "网络欺诈" "online fraud",
    "04008" "其他信息内容安全" "other information content security",
    "05001" "技术故障" "technical fault",
    "05002" "配套设施故障" "supporting facility fault",
    "05003" "物理损害" "physical damage",
    "05004" "辐射干扰" "radiation interference",
    "05005" "其他设备设施故障" "other equipment fault",
    "06001" "权限滥用" "privilege abuse",
    "06002" "权限伪造" "privilege forgery",
    "06003" "行为抵赖" "repudiation",
    "06004" "故意违规" "deliberate violation",
    "06005" "误操作" "misoperation",
    "06006" "人员可用性破坏" "disruption of staff availability",
    "06007" "资源未授权使用" "unauthorised use of resources",
    "06008" "其他违规操作" "other violation",
    "07001" "网络漏洞" "network vulnerability",
    "07002" "网络配置合规缺陷" "configuration non-compliance",
    "07003" "其他安全隐患" "other hidden danger",
    "08001" "访问异常" "abnormal access",
    "08002" "流量异常" "abnormal traffic",
    "08003" "其他异常行为" "other abnormal behaviour",
    "09001" "自然灾害" "natural disaster",
    "09002" "事故灾难" "accident",
    "09003" "公共卫生" "public health",
    "09004" "社会安全" "social security",
    "09005" "其他不可抗力" "other force majeure",
    "10000" "其他事件" "other incident",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_five_digits_sorted_and_unique() {
        assert!(TABLE.windows(2).all(|pair| matches!(pair, [a, b] if a.code < b.code)));
        assert!(TABLE.iter().all(|row| row.code.len() == 5 && row.code.bytes().all(|b| b.is_ascii_digit())));
        assert_eq!(find("02001").map(|row| row.zh), Some("网络扫描探测"));
        assert!(find("99999").is_none());
    }
}
