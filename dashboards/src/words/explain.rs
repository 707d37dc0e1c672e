//! What `watchpost rules explain` says to people.

use watchpost_rules::explain::{Hint, Place};

use super::Lang;

/// Texts of an explanation.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// The language.
    pub lang: Lang,
    /// The rule fires.
    pub fires: &'static str,
    /// It does not.
    pub quiet: &'static str,
    /// The event, counted from 1.
    pub event: fn(usize) -> String,
    /// Marks of what holds and what does not, of one width.
    pub marks: [&'static str; 2],
    /// The logsource fits: wanted, event's.
    pub fits: fn(&str) -> String,
    /// It does not: wanted, event's.
    pub differs: fn(&str, &str) -> String,
    /// The event has no logsource that is known.
    pub no_logsource: &'static str,
    /// All of these.
    pub all: &'static str,
    /// One of these.
    pub any: &'static str,
    /// Not this.
    pub not: &'static str,
    /// So many of these, of which so many hold.
    pub of: fn(usize, usize, usize) -> String,
    /// A selection that a filter rule brought.
    pub filter: &'static str,
    /// Label: wanted, one of several.
    pub wanted: &'static str,
    /// Label: wanted, all of several.
    pub wanted_all: &'static str,
    /// Label: what the event has in this field.
    pub had: fn(&str) -> String,
    /// The event lacks this field; the rule calls it otherwise.
    pub missing: fn(&str, &str) -> String,
    /// So many further values.
    pub more: fn(usize) -> String,
    /// The wanted values that the event satisfies.
    pub met: fn(&str) -> String,
    /// Of values that are all wanted, those that it does not satisfy.
    pub unmet: fn(&str) -> String,
    /// What may be the matter.
    pub hint: fn(&Hint) -> String,
    /// It is only counted by correlations.
    pub silent: &'static str,
    /// Label: counts.
    pub counts: &'static str,
    /// What a correlation counts: kind, fields, bounds.
    pub counting: fn(&str, &str, &str) -> String,
    /// Within so many seconds, by these groups.
    pub window: fn(u64, &str) -> String,
    /// No group.
    pub ungrouped: &'static str,
    /// Members that are correlations themselves.
    pub chained: fn(&str) -> String,
    /// No counted rule fires on the event.
    pub nothing: &'static str,
    /// The event lacks a field that groups.
    pub lacks: fn(&str) -> String,
    /// The count so far, and what is wanted.
    pub so_far: fn(u64, &str) -> String,
    /// Waiting for these rules.
    pub waiting: fn(&str) -> String,
    /// The correlation speaks here.
    pub speaks: &'static str,
    /// The condition still holds, and it has spoken.
    pub spoken: &'static str,
    /// Between items.
    pub comma: &'static str,
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
    fires: "fires",
    quiet: "does not fire",
    event: |number| format!("event {number}"),
    marks: ["[yes]", "[ no]"],
    fits: |wanted| format!("logsource {wanted}"),
    differs: |wanted, event| format!("logsource: wanted {wanted}, the event is {event}"),
    no_logsource: "of none that is known",
    all: "all of",
    any: "one of",
    not: "not",
    of: |least, found, all| format!("{least} of {all} ({found} hold)"),
    filter: " (from a filter rule)",
    wanted: "wanted",
    wanted_all: "wanted all",
    had: |field| format!("{field} is"),
    missing: |field, name| {
        if name.is_empty() {
            format!("the event has no {field}")
        } else {
            format!("the event has no {field} ({name})")
        }
    },
    more: |more| format!("and {more} more"),
    met: |values| format!("satisfies {values}"),
    unmet: |values| format!("lacks {values}"),
    hint: ToString::to_string,
    silent: "it is only counted by correlations and raises no alert of its own",
    counts: "counts",
    counting: |kind, of, wanted| {
        let of = if of.is_empty() { String::new() } else { format!(" of {of}") };
        let wanted = if wanted.is_empty() { String::new() } else { format!(", wanted {wanted}") };
        format!("{kind}{of}{wanted}")
    },
    window: |seconds, by| format!("within {seconds} s, by {by}"),
    ungrouped: "no group",
    chained: |names| format!("counts other correlations, which are not followed here: {names}"),
    nothing: "no rule that it counts fires on it",
    lacks: |field| format!("not counted: the event has no {field}"),
    so_far: |count, wanted| {
        format!(
            "count {count}{}",
            if wanted.is_empty() { String::new() } else { format!(", wanted {wanted}") }
        )
    },
    waiting: |names| format!("waits for {names}"),
    speaks: "the correlation fires here",
    spoken: "the condition holds; it has already fired for this window",
    comma: ", ",
};

static ZH_CN: Words = Words {
    lang: Lang::ZhCn,
    fires: "命中",
    quiet: "未命中",
    event: |number| format!("事件 {number}"),
    marks: ["[是]", "[否]"],
    fits: |wanted| format!("数据源 {wanted}"),
    differs: |wanted, event| format!("数据源不符：要求 {wanted}，事件为 {event}"),
    no_logsource: "未知数据源",
    all: "全部满足",
    any: "满足其一",
    not: "不得满足",
    of: |least, found, all| format!("{all} 项中至少 {least} 项（现有 {found} 项成立）"),
    filter: "（来自过滤规则）",
    wanted: "要求",
    wanted_all: "要求全部",
    had: |field| format!("{field} 为"),
    missing: |field, name| {
        if name.is_empty() {
            format!("事件没有字段 {field}")
        } else {
            format!("事件没有字段 {field}（{name}）")
        }
    },
    more: |more| format!("另有 {more} 个"),
    met: |values| format!("符合 {values}"),
    unmet: |values| format!("不符 {values}"),
    hint: hint_zh,
    silent: "该规则只供关联规则统计，自身不产生告警",
    counts: "统计",
    counting: |kind, of, wanted| {
        let of = if of.is_empty() { String::new() } else { format!("（{of}）") };
        let wanted = if wanted.is_empty() { String::new() } else { format!("，要求 {wanted}") };
        format!("{kind}{of}{wanted}")
    },
    window: |seconds, by| format!("{seconds} 秒内，分组字段 {by}"),
    ungrouped: "不分组",
    chained: |names| format!("它还统计其他关联规则，此处不跟踪：{names}"),
    nothing: "它所统计的规则均未命中",
    lacks: |field| format!("未计入：事件没有字段 {field}"),
    so_far: |count, wanted| {
        let wanted = if wanted.is_empty() { String::new() } else { format!("，要求 {wanted}") };
        format!("当前计数 {count}{wanted}")
    },
    waiting: |names| format!("尚缺 {names}"),
    speaks: "关联规则在此命中",
    spoken: "条件仍然成立；本窗口内已经命中过",
    comma: "、",
};

fn hint_zh(hint: &Hint) -> String {
    match hint {
        Hint::NamedOtherwise { field, value } => format!("事件有相近的字段 {field}：{value}"),
        Hint::Elsewhere { wanted, field, value } => format!("{wanted} 出现在字段 {field} 中：{value}"),
        Hint::Case { wanted } => format!("与 {wanted} 只有大小写不同"),
        Hint::Place { wanted, place } => {
            let place = match place {
                Place::Whole => "不等于它",
                Place::Begin => "不在开头",
                Place::End => "不在结尾",
            };
            format!("值中含有 {wanted}，但{place}")
        }
        Hint::Near { wanted, edits } => format!("最接近的是 {wanted}，相差 {edits} 个字符"),
        Hint::Lacks { text } => format!("匹配必须含有 {text}，而该值没有"),
        Hint::NotAnAddress => "该值不是 IP 地址".into(),
        Hint::NotANumber => "该值不是数字".into(),
        Hint::OtherField { field, value: Some(value) } => format!("{field} 为 {value}"),
        Hint::OtherField { field, value: None } => format!("事件也没有字段 {field}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_names_the_same_things_in_both_languages() {
        let hint =
            Hint::Elsewhere { wanted: "curl".into(), field: "process.name".into(), value: "/x/curl".into() };
        for lang in Lang::ALL {
            let said = (words(lang).hint)(&hint);
            for part in ["curl", "process.name", "/x/curl"] {
                assert!(said.contains(part), "{said}");
            }
        }
    }
}
