//! What `watchpost rules` says to people.

use watchpost_rules::lint::{Fault, Need};

use super::Lang;

/// Texts about rules.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// Whether rule titles are shown in Chinese where they have one.
    pub lang: Lang,
    /// Loaded, rejected, blind.
    pub summary: fn(usize, usize, usize) -> String,
    /// Label: hash of the set.
    pub set: &'static str,
    /// Heading: rejected.
    pub rejected: &'static str,
    /// Heading: blind, by what would light them.
    pub blind: &'static str,
    /// Heading: duplicates.
    pub duplicates: &'static str,
    /// Heading: dead parts.
    pub dead: &'static str,
    /// Heading: slow.
    pub slow: &'static str,
    /// Heading: without category.
    pub uncategorised: &'static str,
    /// Heading: without technique.
    pub untagged: &'static str,
    /// So many more are not shown.
    pub more: fn(usize) -> String,
    /// Nothing was found.
    pub clean: &'static str,
    /// What is wrong.
    pub fault: fn(&Fault) -> String,
    /// What to do.
    pub hint: fn(&Fault) -> &'static str,
    /// Bytes looked at per event, about.
    pub cost: fn(u64) -> String,
    /// What would light a blind rule.
    pub need: fn(&Need) -> String,
    /// Coverage: columns tactic, technique, rules, correlations, blind.
    pub columns: [&'static str; 5],
    /// Coverage: no tactic or technique.
    pub none: &'static str,
    /// Coverage: rules, blind, untagged, techniques covered.
    pub covered: fn(usize, usize, usize, usize) -> String,
    /// A layer was written.
    pub layer: fn(&str) -> String,
    /// A pack was signed: file, number of files, key number, set hash.
    pub signed: fn(&str, usize, &str, &str) -> String,
    /// A pack holds: name, made, key number, number of rules, set hash.
    pub verified: fn(&str, &str, &str, usize, &str) -> String,
    /// A key was made: secret file, public file, public line.
    pub key_made: fn(&str, &str, &str) -> String,
}

/// Texts in a language.
#[must_use]
pub const fn words(lang: Lang) -> &'static Words {
    match lang {
        Lang::ZhCn => &ZH_CN,
        Lang::En => &EN,
    }
}

static EN: Words = Words {
    lang: Lang::En,
    summary: |loaded, rejected, blind| {
        format!("{loaded} rules loaded, {rejected} rejected, {blind} blind here")
    },
    set: "rule set",
    rejected: "Rejected",
    blind: "Blind here, and what would light them",
    duplicates: "Duplicates",
    dead: "Dead parts",
    slow: "Slow",
    uncategorised: "Without a category of GB/T 20986",
    untagged: "Without an ATT&CK technique",
    more: |more| format!("and {more} more (--all shows every one, --format json too)"),
    clean: "nothing to mend",
    fault: Fault::reason,
    hint: Fault::hint,
    cost: |bytes| format!("the rule looks at about {bytes} bytes per event"),
    need: ToString::to_string,
    columns: ["tactic", "technique", "rules", "correl.", "blind"],
    none: "(none)",
    covered: |rules, blind, untagged, techniques| {
        format!(
            "{rules} rules, {blind} blind here, {untagged} without tags; {techniques} techniques that some rule can see"
        )
    },
    layer: |file| format!("layer for the ATT&CK Navigator written to {file}"),
    signed: |file, files, key, set| format!("{file}: {files} files signed by key {key}\nrule set {set}"),
    verified: |name, made, key, rules, set| {
        format!("{name}, made {made}, signed by key {key}\n{rules} rules, rule set {set}")
    },
    key_made: |secret, public, line| {
        format!(
            "secret key in {secret}: keep it off the collectors\npublic key in {public}, for rules.trusted_keys:\n{line}"
        )
    },
};

static ZH_CN: Words = Words {
    lang: Lang::ZhCn,
    summary: |loaded, rejected, blind| {
        format!("已加载规则 {loaded} 条，拒绝 {rejected} 条，本平台看不到 {blind} 条")
    },
    set: "规则集",
    rejected: "被拒绝",
    blind: "盲规则，以及补上什么数据源才能看到",
    duplicates: "重复",
    dead: "无效部分",
    slow: "开销大",
    uncategorised: "缺少 GB/T 20986 事件分类",
    untagged: "缺少 ATT&CK 技术编号",
    more: |more| format!("另有 {more} 条（--all 或 --format json 可全部列出）"),
    clean: "没有需要修改的地方",
    fault: fault_zh,
    hint: hint_zh,
    cost: |bytes| format!("该规则每个事件约检查 {bytes} 字节"),
    need: need_zh,
    columns: ["战术", "技术", "规则", "关联", "盲"],
    none: "（无）",
    covered: |rules, blind, untagged, techniques| {
        format!("规则 {rules} 条，其中盲规则 {blind} 条、无标签 {untagged} 条；能看到的技术 {techniques} 项")
    },
    layer: |file| format!("ATT&CK Navigator 图层已写入 {file}"),
    signed: |file, files, key, set| format!("{file}：{files} 个文件，签名密钥 {key}\n规则集 {set}"),
    verified: |name, made, key, rules, set| {
        format!("{name}，制作于 {made}，签名密钥 {key}\n规则 {rules} 条，规则集 {set}")
    },
    key_made: |secret, public, line| {
        format!(
            "私钥已写入 {secret}：不要放在采集端上\n公钥已写入 {public}，请填入 rules.trusted_keys：\n{line}"
        )
    },
};

fn fault_zh(fault: &Fault) -> String {
    match fault {
        Fault::SameId { other } => format!("规则 id 已被 {other} 使用"),
        Fault::SameDetection { other, file } => format!("检测内容与 {other}（{file}）相同"),
        Fault::Unused { selection } => format!("条件从未使用选择项“{selection}”"),
        Fault::Contradiction { selection, one, other } => {
            format!("选择项“{selection}”永远不成立：{one} 与 {other} 互斥")
        }
        Fault::Clash { one, other } => format!("条件永远不成立：“{one}”与“{other}”互斥"),
        Fault::Swallowed { selection, filter } => {
            format!("条件永远不成立：只要“{selection}”成立，过滤项“{filter}”就成立")
        }
        Fault::Never => "条件永远不成立".into(),
        Fault::Subsumed { key, narrow, broad } => format!("“{key}”中的值“{narrow}”已被“{broad}”覆盖"),
        Fault::Repeated { key, value } => format!("“{key}”中的值“{value}”重复"),
        Fault::NoLiteral { key, regex } => {
            format!("“{key}”的正则“{regex}”没有至少 3 字节的固定文本，每个值都要搜索")
        }
        Fault::Leading { key, regex } => format!("“{key}”的正则“{regex}”以无界的 .* 开头"),
        Fault::Keywords { words } => format!("在每个事件的所有值中搜索 {words} 个关键字"),
        Fault::NoCategory => "没有 GB/T 20986 事件分类".into(),
        Fault::BadCategory { code } => format!("“{code}”不是 GB/T 20986 的分类代码"),
        Fault::NoTechnique => "没有 ATT&CK 技术编号".into(),
    }
}

fn hint_zh(fault: &Fault) -> &'static str {
    match fault {
        Fault::SameId { .. } => "换一个新的 id，或删除其中一条",
        Fault::SameDetection { .. } => "只保留一条",
        Fault::Unused { .. } => "在条件中使用它，或删除它",
        Fault::Contradiction { .. } => "拆成两个选择项并用 or 连接，或写成值列表",
        Fault::Clash { .. } => "改用 or 连接，或改正其中一项",
        Fault::Swallowed { .. } => "缩小过滤项的范围",
        Fault::Never => "检查 and、or、not",
        Fault::Subsumed { .. } | Fault::Repeated { .. } => "删除该值",
        Fault::NoLiteral { .. } => "改用 contains、startswith 或 endswith，或补充必然出现的文本",
        Fault::Leading { .. } => "删除它：正则本来就在任意位置查找",
        Fault::Keywords { .. } => "改为指定字段",
        Fault::NoCategory => "添加标签 gbt20986.代码（代码见 docs/rules.md）",
        Fault::BadCategory { .. } => "使用 docs/rules.md 中列出的代码",
        Fault::NoTechnique => "添加标签 attack.tNNNN",
    }
}

fn need_zh(need: &Need) -> String {
    match need {
        Need::Windows => "Windows 事件日志（detect --input evtx 或 JSON 导入）".into(),
        Need::SysmonLinux(category) => format!("Sysmon for Linux 事件（{category}），用 detect 导入"),
        Need::MacOs => "macOS 事件，以 JSON 用 detect 导入".into(),
        Need::Cloud(service) => format!("{service} 审计日志，以 JSON 用 detect 导入"),
        Need::Zeek(log) => format!("Zeek 的 {log} 日志，以 JSON 用 detect 导入"),
        Need::Device(maker) => format!("{maker} 设备日志，以 JSON 用 detect 导入"),
        Need::Application(name) => format!("{name} 日志，以 JSON 用 detect 导入"),
        Need::Fields(names) => format!("能提供字段 {} 的数据源", names.join("、")),
        Need::Members => "至少一条它所统计的、能看到数据的规则".into(),
        Need::Logsource(logsource) => format!("数据源 {logsource} 的事件，以 JSON 用 detect 导入"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_name_what_a_fault_is_about() {
        let fault = Fault::Subsumed { key: "Image".into(), narrow: "/bin/sh".into(), broad: "sh".into() };
        for lang in Lang::ALL {
            let said = (words(lang).fault)(&fault);
            assert!(said.contains("Image") && said.contains("/bin/sh"), "{said}");
        }
        assert_ne!(hint_zh(&fault), fault.hint());
        assert!(need_zh(&Need::Cloud("aws".into())).contains("aws"));
    }
}
