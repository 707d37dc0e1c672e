//! What a drill says.

use super::Lang;
use crate::compose::drill::Kind;

/// Texts of a drill.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// Whether rule titles are shown in Chinese where they have one.
    pub chinese_titles: bool,
    /// Said before the traces are made.
    pub opening: &'static str,
    /// Name of a trace.
    pub trace: fn(Kind) -> &'static str,
    /// A trace whose alert arrived: trace, title of the alert, milliseconds.
    pub arrived: fn(&str, &str, u64) -> String,
    /// A trace whose alert did not arrive.
    pub missing: fn(&str) -> String,
    /// A trace that the capture of this host can not see: trace, capture rung.
    pub unseen: fn(&str, &str) -> String,
    /// How many alerts arrived, of how many traces.
    pub closing: fn(usize, usize) -> String,
}

/// Texts in a language.
#[must_use]
pub const fn words(lang: Lang) -> &'static Words {
    match lang {
        Lang::ZhCn => &ZH_CN,
        Lang::En => &EN,
    }
}

static ZH_CN: Words = Words {
    chinese_titles: true,
    opening: "应急演练：产生无害且带标记的攻击痕迹，等待告警……",
    trace: |kind| match kind {
        Kind::FailedLogins => "SSH 登录失败",
        Kind::PortSweep => "本机端口扫描",
        Kind::SuspiciousCommand => "可疑命令行",
        Kind::ListedDomain => "恶意域名解析",
    },
    arrived: |trace, title, millis| format!("  到达  {trace}：{title}（{millis} 毫秒）"),
    missing: |trace| format!("  未到  {trace}：规定时间内没有告警；请查看主机页的采集方式与盲区"),
    unseen: |trace, rung| format!("  不可见  {trace}：当前采集方式（{rung}）无法观测，不计入"),
    closing: |arrived, all| format!("演练告警到达 {arrived}/{all}"),
};

static EN: Words = Words {
    chinese_titles: false,
    opening: "Drill: making harmless, labelled traces of attacks and waiting for their alerts…",
    trace: |kind| match kind {
        Kind::FailedLogins => "failed SSH logins",
        Kind::PortSweep => "local port sweep",
        Kind::SuspiciousCommand => "suspicious command line",
        Kind::ListedDomain => "listed domain",
    },
    arrived: |trace, title, millis| format!("  arrived  {trace}: {title} ({millis} ms)"),
    missing: |trace| {
        format!("  missing  {trace}: no alert in time; see on the hosts tab what the agent can not see")
    },
    unseen: |trace, rung| format!("  unseen   {trace}: not visible with this capture ({rung}), not counted"),
    closing: |arrived, all| format!("{arrived} of {all} drill alerts arrived"),
};
