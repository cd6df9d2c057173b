//! Commands behind `/`: what there is, how it is read, how it is completed.

use iris_client::{
    Audience, DeviceId, DeviceLabel, Flags, GroupChange, GroupDescription, GroupTitle, NewGroup, Policy,
    Role, SettingsChange, UserId,
};

/// Every command: its name, what it takes, and what it does.
pub(super) const COMMANDS: [(&str, &str, &str); 32] = [
    ("to", "USER", "write to somebody"),
    ("open", "NAME", "open a conversation of the list"),
    ("next", "", "open the next conversation with something unread"),
    ("receipts", "", "who has your last message, and who has read it"),
    ("resend", "", "try again what was not sent"),
    ("mute", "", "no bell for this conversation"),
    ("unmute", "", ""),
    ("pin", "", "keep it on top"),
    ("unpin", "", ""),
    ("archive", "", "put it away"),
    ("unarchive", "", ""),
    ("archived", "", "show what is put away, or hide it again"),
    ("block", "", "take no more messages of this person; nobody is told"),
    ("unblock", "", ""),
    ("group", "TITLE: USER USER ...", "make a group and invite people"),
    ("members", "", "who is in this group, and what it is about"),
    ("invite", "USER", "invite somebody to this group"),
    ("add", "USER", "add somebody, if the group's policy lets you"),
    ("remove", "USER", "put somebody out"),
    ("accept", "", "accept the invitation to this group"),
    ("leave", "", "leave this group, or decline"),
    ("title", "TITLE", "rename this group"),
    ("describe", "TEXT", "say what this group is about"),
    ("role", "USER member|admin|owner", "owner hands the group over"),
    ("policy", "NAME NAME ...", "what the group allows; without names nothing special"),
    ("settings", "", "what others may know of you"),
    ("set", "receipts|typing on|off, lastseen everybody|contacts|nobody", "change that"),
    ("devices", "", "your devices"),
    ("rename", "DEVICE LABEL", "what people see of one of them"),
    ("revoke", "DEVICE", "end one of them, for ever"),
    ("help", "", "this"),
    ("quit", "", "leave; what is not sent yet waits for you"),
];

/// A command that was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Slash {
    To(UserId),
    Open(String),
    Next,
    Receipts,
    Resend,
    Flag { mask: Flags, on: bool },
    Archived,
    Block(bool),
    NewGroup(NewGroup),
    Members,
    Change(GroupChange),
    Settings,
    Set(SettingsChange),
    Devices,
    RenameDevice(DeviceId, DeviceLabel),
    RevokeDevice(DeviceId),
    Help,
    Quit,
}

/// Reads what stands behind the `/`.
///
/// # Errors
/// What is wrong, as a sentence for whoever typed it.
pub(super) fn parse(text: &str) -> Result<Slash, String> {
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    match name {
        "to" => user(rest).map(Slash::To),
        "open" if rest.is_empty() => Err(usage(name)),
        "open" => Ok(Slash::Open(rest.to_owned())),
        "next" => Ok(Slash::Next),
        "receipts" => Ok(Slash::Receipts),
        "resend" => Ok(Slash::Resend),
        "mute" | "unmute" => Ok(Slash::Flag { mask: Flags::MUTED, on: name == "mute" }),
        "pin" | "unpin" => Ok(Slash::Flag { mask: Flags::PINNED, on: name == "pin" }),
        "archive" | "unarchive" => Ok(Slash::Flag { mask: Flags::ARCHIVED, on: name == "archive" }),
        "archived" => Ok(Slash::Archived),
        "block" | "unblock" => Ok(Slash::Block(name == "block")),
        "group" => new_group(rest).map(Slash::NewGroup),
        "members" => Ok(Slash::Members),
        "settings" => Ok(Slash::Settings),
        "set" => setting(rest).map(Slash::Set),
        "devices" => Ok(Slash::Devices),
        "rename" => {
            let (device, label) = rest.split_once(char::is_whitespace).ok_or_else(|| usage(name))?;
            let label = DeviceLabel::new(label.trim()).map_err(|error| error.to_string())?;
            Ok(Slash::RenameDevice(DeviceId::new(device).map_err(|error| error.to_string())?, label))
        }
        "revoke" => {
            DeviceId::new(rest).map(Slash::RevokeDevice).map_err(|error| format!("{error}; {}", usage(name)))
        }
        "help" => Ok(Slash::Help),
        "quit" => Ok(Slash::Quit),
        _ => change(name, rest).map(Slash::Change),
    }
}

fn change(name: &str, rest: &str) -> Result<GroupChange, String> {
    Ok(match name {
        "invite" => GroupChange::Invite(user(rest)?),
        "add" => GroupChange::Add(user(rest)?),
        "remove" => GroupChange::Remove(user(rest)?),
        "accept" => GroupChange::Accept,
        "leave" => GroupChange::Leave,
        "title" => GroupChange::Rename(title(rest)?),
        "describe" => GroupChange::Describe(GroupDescription::new(rest).map_err(|error| error.to_string())?),
        "role" => {
            let (name_of, role) = rest.split_once(char::is_whitespace).ok_or_else(|| usage(name))?;
            let role = Role::from_name(role.trim()).ok_or_else(|| usage(name))?;
            GroupChange::SetRole(user(name_of)?, role)
        }
        "policy" => {
            let policy = rest.split_whitespace().try_fold(Policy::default(), |policy, word| {
                let known = Policy::NAMES.into_iter().find(|(_, name)| *name == word);
                known.map(|(bit, _)| policy.with(bit)).ok_or_else(|| {
                    let all: Vec<&str> = Policy::NAMES.iter().map(|(_, name)| *name).collect();
                    format!("A policy is made of {}.", all.join(", "))
                })
            });
            GroupChange::SetPolicy(policy?)
        }
        _ => return Err(format!("There is no /{name}; /help shows what there is.")),
    })
}

fn new_group(rest: &str) -> Result<NewGroup, String> {
    let (name, members) = rest.split_once(':').unwrap_or((rest, ""));
    Ok(NewGroup {
        title: title(name.trim())?,
        description: GroupDescription::new("").map_err(|error| error.to_string())?,
        policy: Policy::default(),
        members: members.split_whitespace().map(user).collect::<Result<_, _>>()?,
    })
}

fn setting(rest: &str) -> Result<SettingsChange, String> {
    let mut change = SettingsChange::default();
    let mut words = rest.split_whitespace();
    let (name, value) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let switch = match value {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    };
    match (name, switch, Audience::from_name(value)) {
        ("receipts", Some(on), _) => change.read_receipts = Some(on),
        ("typing", Some(on), _) => change.typing = Some(on),
        ("lastseen", _, Some(audience)) => change.last_seen = Some(audience),
        _ => return Err(usage("set")),
    }
    Ok(change)
}

fn user(name: &str) -> Result<UserId, String> {
    UserId::new(name).map_err(|error| format!("Which user? {error}"))
}

fn title(text: &str) -> Result<GroupTitle, String> {
    GroupTitle::new(text).map_err(|error| format!("What title? {error}"))
}

fn usage(name: &str) -> String {
    let takes = COMMANDS.iter().find(|(known, ..)| *known == name).map_or("", |(_, takes, _)| takes);
    format!("/{name} {takes}")
}

/// What Tab makes of a text: the command, or the last word as one of `names`, as far as it is certain; and all that
/// it may be.
pub(super) fn complete<'a>(
    text: &str,
    names: impl Iterator<Item = &'a str>,
) -> Option<(String, Vec<String>)> {
    let (head, word, candidates): (_, _, Vec<String>) = match text.rfind(char::is_whitespace) {
        None => {
            let word = text.strip_prefix('/')?;
            let known = COMMANDS.iter().map(|(name, ..)| (*name).to_owned());
            ("/", word, known.collect())
        }
        Some(at) => {
            let at = at + text.get(at..)?.chars().next()?.len_utf8();
            (text.get(..at)?, text.get(at..)?, names.map(str::to_owned).collect())
        }
    };
    let mut fitting: Vec<String> =
        candidates.into_iter().filter(|candidate| candidate.starts_with(word)).collect();
    fitting.sort();
    fitting.dedup();
    let first = fitting.first()?;
    let common = fitting.iter().fold(first.as_str(), |common, other| shared(common, other));
    let space = if fitting.len() == 1 { " " } else { "" };
    Some((format!("{head}{common}{space}"), fitting))
}

/// The beginning that two names share.
fn shared<'a>(one: &'a str, other: &str) -> &'a str {
    let end = one.char_indices().zip(other.chars()).find(|((_, a), b)| a != b).map(|((at, _), _)| at);
    let end = end.unwrap_or_else(|| one.len().min(other.len()));
    one.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_command_is_read_or_says_what_it_takes() {
        for (name, takes, _) in COMMANDS.iter() {
            let bare = parse(name);
            let may_be_bare = takes.is_empty() || matches!(*name, "describe" | "policy");
            assert_eq!(bare.is_ok(), may_be_bare, "{name}: {bare:?}");
        }
        let bob = || UserId::new("bob").unwrap();
        assert_eq!(parse("to  bob "), Ok(Slash::To(bob())));
        assert_eq!(parse("role bob admin"), Ok(Slash::Change(GroupChange::SetRole(bob(), Role::Admin))));
        let policy = Policy::ADMINS_ADD.with(Policy::OPEN_HISTORY);
        let set = parse("policy admins_add open_history");
        assert_eq!(set, Ok(Slash::Change(GroupChange::SetPolicy(policy))));
        match parse("group Tea time: bob carol") {
            Ok(Slash::NewGroup(group)) => {
                assert_eq!((group.title.as_str(), group.members.len()), ("Tea time", 2));
            }
            other => panic!("{other:?}"),
        }
        let typing = SettingsChange { typing: Some(false), ..SettingsChange::default() };
        assert_eq!(parse("set typing off"), Ok(Slash::Set(typing)));
        for wrong in [
            "",
            "sing",
            "to b b",
            "role bob king",
            "group : bob",
            "set typing maybe",
            "policy anarchy",
            "revoke",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn tab_completes_commands_and_names_as_far_as_they_are_certain() {
        let names = || ["bob", "bonnie", "carol"].into_iter();
        let complete = |text: &str| complete(text, names()).map(|(text, all)| (text, all.len()));
        assert_eq!(complete("/he"), Some(("/help ".to_owned(), 1)));
        assert_eq!(complete("/arch"), Some(("/archive".to_owned(), 2)));
        assert_eq!(complete("/invite b"), Some(("/invite bo".to_owned(), 2)));
        assert_eq!(complete("/invite c"), Some(("/invite carol ".to_owned(), 1)));
        assert_eq!(complete("hello ca"), Some(("hello carol ".to_owned(), 1)));
        assert_eq!(complete("/xyz"), None);
        assert_eq!(complete("hello"), None);
    }
}
