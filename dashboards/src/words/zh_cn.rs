//! Chinese words. Terms follow the product glossary (告警, 安全事件, 研判, 处置, 采集探针 and so on): the
//! same word for the same thing on every screen and in every report. Severity (告警等级) and the
//! level of an incident (事件分级) are kept apart.

use watchpost_model::alert::{Outcome, Severity, Triage};
use watchpost_model::asset::Liveness;
use watchpost_model::ledger::Stage;

use super::{CommandWords, KeyWords, Lang, ReportWords, Sentence, Text, Words};
use crate::format::as_float;

fn severity(severity: Severity) -> Text {
    match severity {
        Severity::Informational => "提示",
        Severity::Low => "低危",
        Severity::Medium => "中危",
        Severity::High => "高危",
        Severity::Critical => "严重",
    }
}

fn triage(triage: Triage) -> Text {
    match triage {
        Triage::New => "待处理",
        Triage::Investigating => "研判中",
        Triage::Handling => "处置中",
        Triage::Handled => "已处置",
        Triage::FalsePositive => "误报",
        Triage::Ignored => "已忽略",
        Triage::Closed => "已关闭",
    }
}

fn outcome(outcome: Outcome) -> Text {
    match outcome {
        Outcome::Unknown => "未知",
        Outcome::Attempt => "尝试",
        Outcome::Success => "成功",
        Outcome::Compromised => "失陷",
    }
}

fn liveness(liveness: Liveness) -> Text {
    match liveness {
        Liveness::Online => "在线",
        Liveness::Silent => "离线",
        Liveness::Never => "未上线",
        Liveness::Revoked => "已吊销",
    }
}

fn stage(stage: Stage) -> Text {
    match stage {
        Stage::Kernel => "内核抓包",
        Stage::Decode => "报文解码",
        Stage::Lines => "日志读取",
        Stage::Queue => "探针队列",
        Stage::Spool => "本地缓存",
        Stage::Wire => "网络上送",
        Stage::Journal => "汇聚存储",
        Stage::Detect => "规则检测",
    }
}

fn tactic(tag: &str) -> String {
    match tag.replace('-', "_").as_str() {
        "reconnaissance" => "侦察",
        "resource_development" => "资源准备",
        "initial_access" => "初始访问",
        "execution" => "执行",
        "persistence" => "持久化",
        "privilege_escalation" => "权限提升",
        "defense_evasion" | "stealth" | "defense_impairment" => "防御规避",
        "credential_access" => "凭据获取",
        "discovery" => "发现",
        "lateral_movement" => "横向移动",
        "collection" => "收集",
        "command_and_control" => "命令与控制",
        "exfiltration" => "数据外传",
        "impact" => "影响破坏",
        _ => tag,
    }
    .to_owned()
}

fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}秒"),
        60..3_600 => format!("{}分钟", seconds / 60),
        3_600..86_400 => format!("{}小时{}分", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}天{}小时", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

fn big(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..100_000_000 => format!("{:.1}万", as_float(n) / 1e4),
        _ => format!("{:.1}亿", as_float(n) / 1e8),
    }
}

fn sentence(s: &Sentence<'_>) -> String {
    let stages =
        if s.stages.is_empty() { String::new() } else { format!("涉及攻击阶段：{}；", s.stages) };
    format!(
        "{}至{}，攻击源{}对主机{}实施网络攻击，共触发告警{}条、涉及原始事件{}条；{stages}攻击结果：{}。",
        s.first,
        s.last,
        s.attacker,
        s.host,
        s.alerts,
        big(s.events),
        s.outcome
    )
}

pub(super) const WORDS: Words = Words {
    lang: Lang::ZhCn,
    product: "瞭望哨",
    incidents: "安全事件",
    hosts: "主机",
    tabs: ["总体态势", "告警", "安全事件", "主机", "检索"],
    severity,
    triage,
    outcome,
    liveness,
    stage,
    tactic,
    span,
    ago: |seconds| format!("{}前", span(seconds)),
    big,
    long_time: "%Y年%m月%d日%H时%M分",
    comma: "、",
    colon: "：",

    online: "已连接",
    connecting: "连接中",
    offline: |seconds| format!("已断开 {}", span(seconds)),
    frozen: "画面已冻结",
    filtered: "筛选",
    loading: "正在读取……",
    empty_alerts: "暂无告警。规则正在检测，新告警会立即出现在这里。",
    empty_incidents: "暂无安全事件。",
    empty_hosts: "尚无主机接入。请在汇聚中心生成令牌，并在主机上执行 watchpost-agent enroll。",
    no_match: "没有符合筛选条件的记录，按 Esc 取消筛选。",
    missed: |n| format!("刷新过慢，略过{n}条推送，已重新读取"),
    too_small: "窗口过小，至少需要 40 列 10 行",
    shown_of: |shown, all| format!("{shown}/{all}"),

    open_alerts: "未处置告警",
    last_day: "近24小时告警趋势",
    peak: |n| format!("单小时最多 {n}"),
    day_ago: "24小时前",
    now: "现在",
    platform: "平台运行",
    top_attackers: "攻击源排行",
    top_targets: "攻击目标排行",
    top_rules: "命中规则排行",
    hosts_online: "在线主机",
    hosts_silent: "离线主机",
    open_incidents: "未关闭安全事件",
    rate: "事件速率",
    events_stored: "已存事件",
    lost: "丢失",
    journal: "存储占用",
    rules: "检测规则",
    blind_rules: |n| format!("{n}条无数据源"),
    rule_set: "规则集",
    rule_file: "规则文件",
    rules_since: "规则生效",
    backlog: "待检测",
    uptime: "已运行",
    warnings: "运行提醒",

    col_severity: "等级",
    col_time: "时间",
    col_rule: "检测规则",
    col_parties: "攻击源 / 攻击目标",
    col_count: "次数",
    col_outcome: "结果",
    col_triage: "状态",
    col_host: "主机",
    col_attacker: "攻击源",
    col_stages: "攻击阶段",
    col_alerts: "告警",
    col_state: "状态",
    col_heard: "心跳",
    col_rung: "采集方式",
    col_cpu: "CPU",
    col_memory: "内存",
    col_cost: "探针开销",
    col_events: "事件数",
    col_dataset: "类型",
    col_summary: "内容",
    col_stage: "环节",
    col_passed: "通过",
    col_field: "字段",
    col_value: "实际值",
    col_wanted: "规则要求",
    col_attack: "攻击手法",
    col_category: "事件分类",

    alert: "告警详情",
    incident: "安全事件",
    who: "攻击源",
    whom: "攻击目标",
    how: "攻击手法",
    when: "时间",
    result: "攻击结果",
    rule: "检测规则",
    category: "事件分类",
    unverified: "代码待核",
    aligned: "参照 GB/T 20986-2023",
    host: "主机",
    handling: "处置状态",
    owner: "处置人",
    reason: "理由",
    grouped_by: "归并依据",
    in_incident: "所属安全事件",
    drill: "应急演练",
    drill_mark: "演练",
    times: |n| format!("{n}次"),
    user: "用户",
    process: "进程",
    unknown: "未知",
    no_technique: "规则未标注",
    why: "命中原因",
    advice: "处置建议",
    no_advice: "规则未给出处置建议。",
    raw_events: |n| format!("原始事件（{n}条）"),
    more_events: |n| format!("另有{n}条已计数，未留存引用"),
    cut: "（过长，此处截断）",
    completeness: "数据完整性",
    by_correlation: "（关联统计）",

    opened: "获知时间",
    lasted: "起止时间",
    stages: "攻击阶段",
    is_open: "未关闭",
    is_closed: "已关闭",
    timeline: "事件经过",
    known_for: |span| format!("自获知起已过{span}，较大及以上事件请核对报告时限"),

    addresses: "地址",
    system: "操作系统",
    version: "探针版本",
    blind: "无法观测",
    not_blind: "无盲区",
    agent_says: |said| format!("探针原文：{said}"),
    lost_at: |stages| format!("该主机自开始计数以来有数据丢失：{stages}"),
    collector_says: |said| format!("汇聚中心原文：{said}"),
    never_heard: "未知：尚未上报",
    ledger: "数据损耗台账",
    no_ledger: "探针尚未上报计数。",

    hunt: "日志检索",
    hunt_hint: "按 / 输入条件，例如 source.ip=192.0.2.* sshd；条件以空格分隔，须同时满足",
    hunting: "检索中……",
    nothing_found: "没有符合条件的原始事件。",
    event: "原始事件",

    ask_filter: "筛选",
    ask_hunt: "检索条件",
    ask_reason: |state| format!("转为「{state}」的理由"),
    reason_needed: "此状态必须填写理由",
    triaged: |state| format!("已转为「{state}」"),
    reported: |path| format!("报告已写入：{path}"),
    failed: |what| format!("操作失败：{what}"),
    busy: "请求过多，请稍候再试",

    help: "按键说明",
    keys: KeyWords {
        tab: "切换页面",
        walk: "上下移动",
        page: "翻页",
        ends: "首条 / 末条",
        open: "查看",
        back: "返回",
        filter: "筛选",
        only_open: "仅未处置 / 全部",
        sort: "按时间 / 按等级",
        freeze: "冻结",
        refresh: "重新读取",
        query: "输入检索条件",
        report: "生成报告",
        incident: "查看所属安全事件",
        help: "帮助",
        quit: "退出",
        clear: "清空输入",
        mark: "处置",
        triage: |state| format!("转为{state}"),
    },
    report: ReportWords {
        title: "网络攻击事件处置报告",
        number: "事件编号",
        made: "生成时间",
        unit: "单位",
        fill_in: "（由填报人补充）",
        addressee: "主送单位",
        summary: "事件概述",
        alerts: "告警清单",
        evidence: "证据：原始事件",
        completeness: "数据完整性说明",
        clock: "报告时限",
        clock_hint: "报告时限自获知之时起算。经人工研判为较大及以上的网络安全事件，应按《国家网络安全事件报告管理办法》\
            规定的时限报告；本平台只起草和计时，不代为报送。",
        signature: "填报人",
        reviewer: "审核人",
        date: "成文日期",
        notice: "本报告由瞭望哨自动汇总，须经人工核实后使用。严禁录入涉密信息。",
        zone: "本报告时间均为北京时间（UTC+8）。",
        sentence,
        shortened: "原始事件较多，此处只列出前若干条，其余可在平台检索。",
        no_evidence: "未留存原始事件。",
        completeness_unknown: "未获得该时段的数据完整性信息。",
        severity: "最高告警等级",
        level: "事件分级（由人工研判）",
        time_point: "时间",
    },
    command: CommandWords {
        watching: |address| format!("正在监视 {address}"),
        lost_link: |why| format!("与汇聚中心的连接中断：{why}"),
        incomplete: |why| format!("结果不完整：{why}"),
    },
};
