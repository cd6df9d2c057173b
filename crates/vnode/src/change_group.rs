//! A change of a group: who may make it, and what comes of it.

use iris_types::limits::{GROUP_ROSTER_MAX, MEMBERSHIPS_MAX};
use iris_types::request::Sent;
use iris_types::{
    Change, ChangeGroup, ErrorCode, GroupChange, Marks, Policy, Role, Seq, Standing, Timestamp, UserId,
};

use crate::conversation::{Author, Conversation};
use crate::events::{Event, MessageEvent, Written};
use crate::forward::Recipient;
use crate::group::{Group, Member, Membership, Place};
use crate::rows::First;
use crate::send_message::{self, Lookups, append, body_hash, check_device, check_id, first_of, waits_for};
use crate::{Map, Stamp};

/// What becomes of a change.
#[derive(Debug)]
pub enum Decision {
    /// Commit; then the answer may leave.
    New(Changed),
    /// The first answer again, once the chunk `after` is committed.
    Duplicate { sent: Sent, after: Stamp },
    /// It is so already; the answer may leave once the chunk `after` is committed.
    Nothing { after: Stamp },
    /// Nothing changes; the refusal may leave once the chunk `after` is committed.
    Refused { code: ErrorCode, after: Stamp },
}

/// A change that was made.
#[derive(Debug)]
pub struct Changed {
    pub event: MessageEvent,
    pub sent: Sent,
    /// Rows of the group, to be committed in the same chunk.
    pub events: Vec<Event>,
    /// Who gets the change, each once. Their author's device gets it like all others.
    pub recipients: Vec<Recipient>,
}

/// A change that may be made: what it says, and who is what afterwards.
struct Plan {
    change: Change,
    places: Vec<(UserId, Place)>,
}

/// Decides a change.
pub fn decide(
    conversation: &mut Conversation,
    user: &UserId,
    request: &ChangeGroup,
    members_max: usize,
    lookups: Lookups,
    (now, stamp): (Timestamp, Stamp),
) -> Decision {
    let (author, hash) = (Author::Member(user.clone()), body_hash(&asked(&request.change).to_body()));
    if let Some((first, after)) = first_of(conversation, &author, request.id, lookups.first) {
        return match send_message::repeat(conversation, request.id, first, hash) {
            Ok(sent) => Decision::Duplicate { sent, after: waits_for(after) },
            Err(code) => Decision::Refused { code, after: waits_for(after) },
        };
    }
    let after = conversation.touched;
    let planned = check_id(request.id, now, lookups)
        .and_then(|()| check_device(lookups))
        .and_then(|()| conversation.group().ok_or(ErrorCode::NotMember))
        .and_then(|group| plan(group, user, &request.change, members_max));
    let plan = match planned {
        Ok(Some(plan)) => plan,
        Ok(None) => return Decision::Nothing { after },
        Err(code) => return Decision::Refused { code, after },
    };
    let Some(seq) = conversation.last.next() else {
        return Decision::Refused { code: ErrorCode::Unavailable, after };
    };
    let id = conversation.id;
    let Some(group) = conversation.group_mut() else {
        return Decision::Refused { code: ErrorCode::NotMember, after };
    };
    let mut recipients: Map<UserId, Recipient> = Map::default();
    for (user, _) in group.members() {
        recipients.insert(user.clone(), Recipient::member(user.clone()));
    }
    let mut events = Vec::new();
    match &plan.change {
        Change::Renamed(title) => group.facts.title = title.clone(),
        Change::Described(description) => group.facts.description = description.clone(),
        Change::Policy(policy) => group.facts.policy = *policy,
        _ => {}
    }
    if matches!(plan.change, Change::Renamed(_) | Change::Described(_) | Change::Policy(_)) {
        events.push(Event::Group { group: id, facts: group.facts.encode() });
    }
    for (user, place) in plan.places {
        let recipient = put_place(group, &user, place, seq);
        if let Some(member) = group.roster.get(&user) {
            events.push(Event::Member { group: id, user: user.clone(), member: member.encode() });
        }
        recipients.insert(user, recipient);
    }
    let mut recipients: Vec<Recipient> = recipients.into_values().collect();
    recipients.sort_unstable_by(|one, other| one.user.cmp(&other.user));
    let (first, written) = (First { seq, sent_at: now, hash }, Written::Group { author: user.clone() });
    let (event, sent) = append(conversation, written, request.id, &plan.change.to_body(), first, stamp);
    Decision::New(Changed { event, sent, events, recipients })
}

/// What the request asks for, as far as it says so itself: what its retries are compared by.
fn asked(change: &GroupChange) -> Change {
    match change {
        GroupChange::Invite(user) => Change::Invited(user.clone()),
        GroupChange::Add(user) => Change::Added(user.clone()),
        GroupChange::Remove(user) => Change::Removed(user.clone()),
        GroupChange::Accept => Change::Joined,
        GroupChange::Leave => Change::Left(None),
        GroupChange::Rename(title) => Change::Renamed(title.clone()),
        GroupChange::Describe(description) => Change::Described(description.clone()),
        GroupChange::SetRole(user, role) => Change::Role(*role, user.clone()),
        GroupChange::SetPolicy(policy) => Change::Policy(*policy),
    }
}

/// `None`: it is so already.
fn plan(
    group: &Group,
    user: &UserId,
    change: &GroupChange,
    members_max: usize,
) -> Result<Option<Plan>, ErrorCode> {
    let place = group.place(user);
    let role = match (place, change) {
        (Place::Joined(role), _) => role,
        (Place::Invited, GroupChange::Accept) => return accept(group, user).map(Some),
        (Place::Invited, GroupChange::Leave) => {
            return Ok(Some(Plan { change: Change::Left(None), places: vec![(user.clone(), Place::Gone)] }));
        }
        // Whoever left twice has left.
        (Place::Gone, GroupChange::Leave) if group.roster.contains_key(user) => return Ok(None),
        (Place::Invited | Place::Gone, _) => return Err(ErrorCode::NotMember),
    };
    let places = match change {
        GroupChange::Accept => return Ok(None),
        GroupChange::Remove(other) if other == user => return Ok(Some(leave(group, user, role))),
        GroupChange::Leave => return Ok(Some(leave(group, user, role))),
        GroupChange::Invite(other) => invite(group, role, other, members_max)?,
        GroupChange::Add(other) => add(group, role, other, members_max)?,
        GroupChange::Remove(other) => remove(group, role, other)?,
        GroupChange::SetRole(other, new) => set_role(group, (user, role), other, *new)?,
        GroupChange::Rename(_) | GroupChange::Describe(_) | GroupChange::SetPolicy(_) => {
            set_facts(group, role, change)?
        }
    };
    Ok(places.map(|places| Plan { change: asked(change), places }))
}

/// Who is what afterwards; `None`: it is so already.
type Places = Option<Vec<(UserId, Place)>>;

fn invite(group: &Group, role: Role, other: &UserId, members_max: usize) -> Result<Places, ErrorCode> {
    check(invites(role, group.facts.policy))?;
    if group.place(other) != Place::Gone {
        return Ok(None);
    }
    check_room(group, other, members_max)?;
    Ok(Some(vec![(other.clone(), Place::Invited)]))
}

fn add(group: &Group, role: Role, other: &UserId, members_max: usize) -> Result<Places, ErrorCode> {
    check(adds(role, group.facts.policy))?;
    match group.place(other) {
        Place::Joined(_) => return Ok(None),
        Place::Gone => check_room(group, other, members_max)?,
        Place::Invited => check_memberships(group, other)?,
    }
    Ok(Some(vec![(other.clone(), Place::Joined(Role::Member))]))
}

fn remove(group: &Group, role: Role, other: &UserId) -> Result<Places, ErrorCode> {
    match group.place(other) {
        Place::Gone if group.roster.contains_key(other) => return Ok(None),
        Place::Gone => return Err(ErrorCode::UnknownMember),
        // An invitation is taken back by who may invite.
        Place::Invited => check(invites(role, group.facts.policy))?,
        Place::Joined(theirs) => check(role >= Role::Admin && role > theirs)?,
    }
    Ok(Some(vec![(other.clone(), Place::Gone)]))
}

fn leave(group: &Group, user: &UserId, role: Role) -> Plan {
    let heir = if role == Role::Owner { group.heir(user) } else { None };
    let mut places = vec![(user.clone(), Place::Gone)];
    places.extend(heir.clone().map(|heir| (heir, Place::Joined(Role::Owner))));
    Plan { change: Change::Left(heir), places }
}

fn set_role(
    group: &Group,
    (user, role): (&UserId, Role),
    other: &UserId,
    new: Role,
) -> Result<Places, ErrorCode> {
    check(role == Role::Owner)?;
    let theirs = group.role(other).ok_or(ErrorCode::UnknownMember)?;
    if theirs == new {
        return Ok(None);
    }
    // There is always one owner: it is handed over, never laid down.
    check(theirs != Role::Owner)?;
    let mut places = vec![(other.clone(), Place::Joined(new))];
    if new == Role::Owner {
        places.push((user.clone(), Place::Joined(Role::Admin)));
    }
    Ok(Some(places))
}

fn set_facts(group: &Group, role: Role, change: &GroupChange) -> Result<Places, ErrorCode> {
    let facts = &group.facts;
    let is_so = match change {
        GroupChange::SetPolicy(new) => {
            check(role >= Role::Admin)?;
            facts.policy == *new
        }
        change => {
            check(describes(role, facts.policy))?;
            matches!(change, GroupChange::Rename(title) if facts.title == *title)
                || matches!(change, GroupChange::Describe(text) if facts.description == *text)
        }
    };
    Ok((!is_so).then(Vec::new))
}

fn accept(group: &Group, user: &UserId) -> Result<Plan, ErrorCode> {
    check_memberships(group, user)?;
    // Whoever comes when all have left owns the group: nobody else could ever change it.
    let role = if group.joined == 0 { Role::Owner } else { Role::Member };
    Ok(Plan { change: Change::Joined, places: vec![(user.clone(), Place::Joined(role))] })
}

const fn check(is_allowed: bool) -> Result<(), ErrorCode> {
    if is_allowed { Ok(()) } else { Err(ErrorCode::NotAllowed) }
}

fn invites(role: Role, policy: Policy) -> bool {
    role >= Role::Admin || policy.allows(Policy::MEMBERS_INVITE)
}

fn adds(role: Role, policy: Policy) -> bool {
    policy.allows(Policy::MEMBERS_ADD) || role >= Role::Admin && policy.allows(Policy::ADMINS_ADD)
}

fn describes(role: Role, policy: Policy) -> bool {
    role >= Role::Admin || policy.allows(Policy::MEMBERS_DESCRIBE)
}

/// Whether one more may come in, or be invited.
fn check_room(group: &Group, user: &UserId, members_max: usize) -> Result<(), ErrorCode> {
    let is_full = group.joined + group.invited >= members_max;
    let is_new = !group.roster.contains_key(user);
    if is_full || is_new && group.roster.len() >= GROUP_ROSTER_MAX {
        return Err(ErrorCode::GroupFull);
    }
    check_memberships(group, user)
}

/// Whether one more time in the group can be remembered. Where everything is shown, one stands for all.
fn check_memberships(group: &Group, user: &UserId) -> Result<(), ErrorCode> {
    let times = group.roster.get(user).map_or(0, |member| member.memberships.len());
    let is_open = group.facts.policy.allows(Policy::OPEN_HISTORY);
    if is_open || times < MEMBERSHIPS_MAX { Ok(()) } else { Err(ErrorCode::GroupFull) }
}

/// Gives somebody a place with the change `seq`; returns how they get it.
fn put_place(group: &mut Group, user: &UserId, place: Place, seq: Seq) -> Recipient {
    let mut member = group.roster.get(user).cloned().unwrap_or_else(Member::stranger);
    let (was, open) = (member.place, group.facts.policy.allows(Policy::OPEN_HISTORY));
    let mut recipient = Recipient::member(user.clone());
    member.place = place;
    match (was, place) {
        (Place::Joined(_), Place::Joined(_)) => {}
        (_, Place::Joined(_)) => {
            recipient.begins = true;
            member.since = seq;
            member.marks = member.marks.merged(Marks { delivered: seq, read: Seq(seq.0.saturating_sub(1)) });
            if open {
                member.memberships.clear();
            }
            member.memberships.push(Membership { first: if open { Seq(1) } else { seq }, last: None });
        }
        (_, Place::Invited) => {
            (recipient.begins, recipient.standing) = (true, Standing::Invited);
            member.since = seq;
        }
        (_, Place::Gone) => {
            recipient.standing = Standing::Gone;
            // What was said since the invitation was never shown, so it does not count as unread.
            recipient.begins = was == Place::Invited;
            member.since = seq;
            if let Some(membership) = member.memberships.last_mut().filter(|one| one.last.is_none()) {
                membership.last = Some(seq);
            }
        }
    }
    group.put(user.clone(), member);
    recipient
}
