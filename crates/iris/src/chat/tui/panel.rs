//! What is shown above everything else until it is closed.

use iris_client::{
    DeviceLabel, DeviceSummary, GroupSummary, Policy, ReceiptPage, Role, RosterItem, Seq, Settings, UserId,
};

use super::slash::COMMANDS;
use super::wrap::{one_line, printable};

/// Lines under a title.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) lines: Vec<String>,
    pub(super) scroll: usize,
}

impl Panel {
    fn new(title: impl Into<String>, lines: Vec<String>) -> Self {
        Self { title: title.into(), lines, scroll: 0 }
    }

    pub(super) fn help() -> Self {
        let keys = [
            "Enter  send            Alt-Enter  new line       Up, Down  what you wrote before",
            "Tab    the list, or complete a command or name",
            "Ctrl-N, Ctrl-P         next, previous conversation",
            "PgUp, PgDn             older, newer messages     Esc  back",
            "Ctrl-C                 leave",
            "",
        ];
        let command = |(name, takes, what): &(&str, &str, &str)| {
            let call = format!("/{name} {takes}");
            if what.is_empty() {
                format!("{:<24} the opposite of /{}", call.trim_end(), &name[2..])
            } else if call.len() <= 24 {
                format!("{:<24} {what}", call.trim_end())
            } else {
                format!("{}\n{:<24} {what}", call, "")
            }
        };
        let commands = COMMANDS
            .iter()
            .map(command)
            .flat_map(|text| text.split('\n').map(str::to_owned).collect::<Vec<_>>());
        Self::new("Help", keys.iter().map(|line| (*line).to_owned()).chain(commands).collect())
    }

    /// Who is in a group; the group itself goes first, if it is known.
    pub(super) fn roster(group: Option<&GroupSummary>, items: &[RosterItem], me: &UserId) -> Self {
        let mut lines = Vec::new();
        let mut title = "Members".to_owned();
        if let Some(group) = group {
            title = one_line(group.title.as_str());
            if !group.description.as_str().is_empty() {
                lines.extend(printable(group.description.as_str()).lines().map(str::to_owned));
                lines.push(String::new());
            }
            let allowed: Vec<&str> = Policy::NAMES
                .into_iter()
                .filter(|(bit, _)| group.policy.allows(*bit))
                .map(|(_, name)| name)
                .collect();
            if !allowed.is_empty() {
                lines.push(format!("policy: {}", allowed.join(", ")));
            }
            lines.push(format!("{} members, {} invited", group.members, group.invited));
            lines.push(String::new());
        }
        let rank = |item: &RosterItem| std::cmp::Reverse(item.role.map_or(0, Role::number));
        let mut sorted: Vec<&RosterItem> = items.iter().collect();
        sorted.sort_by_key(|item| (rank(item), item.user.clone()));
        lines.extend(sorted.into_iter().map(|item| {
            let role = match item.role {
                Some(Role::Member) => "",
                Some(role) => role.name(),
                None => "invited",
            };
            let you = if item.user == *me { " (you)" } else { "" };
            format!("{}{you}  {role}", item.user).trim_end().to_owned()
        }));
        Self::new(title, lines)
    }

    pub(super) fn devices(
        items: &[DeviceSummary],
        current: &str,
        at: impl Fn(&DeviceSummary) -> String,
    ) -> Self {
        let line = |item: &DeviceSummary| {
            let label = item
                .label
                .as_ref()
                .map_or(String::new(), |label: &DeviceLabel| format!(" “{}”", one_line(label.as_str())));
            let here = if item.device.as_str() == current { ", this one" } else { "" };
            let state = if item.online { "online".to_owned() } else { at(item) };
            format!("{}{label}  {state}{here}", item.device)
        };
        Self::new("Devices", items.iter().map(line).collect())
    }

    pub(super) fn settings(settings: Settings) -> Self {
        let switch = |on| if on { "on" } else { "off" };
        Self::new(
            "Settings",
            vec![
                format!(
                    "/set receipts {:<10} others see what you have read, and you what they have",
                    switch(settings.read_receipts)
                ),
                format!("/set lastseen {:<10} who sees when you are here", settings.last_seen.name()),
                format!(
                    "/set typing {:<12} others see that you write, and you that they do",
                    switch(settings.typing)
                ),
            ],
        )
    }

    pub(super) fn receipts(seq: Seq, page: &ReceiptPage) -> Self {
        let mut lines = vec![
            format!("{} of {} have it, {} read it", page.delivered, page.members, page.read),
            String::new(),
        ];
        lines.extend(page.by.iter().map(|(user, marks)| {
            let what = if marks.read >= seq { "read" } else { "delivered" };
            format!("{user}  {what}")
        }));
        Self::new("Your last message", lines)
    }
}
