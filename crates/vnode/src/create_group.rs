//! Somebody makes a group.

use bytes::BufMut;
use iris_types::{Change, CreateGroup, ErrorCode, Marks, Policy, Role, Standing, Timestamp, UserId};
use sha2::{Digest, Sha256};

use crate::Stamp;
use crate::change_group::{Changed, Decision};
use crate::conversation::{Author, Conversation, Members};
use crate::events::{Event, Written};
use crate::forward::Recipient;
use crate::group::{Facts, Group, Member, Membership, Place, Sent};
use crate::rows::First;
use crate::send_message::{self, Lookups, append, check_device, check_id, first_of, waits_for};

/// Decides a creation at the vnode of the group that the request names.
pub fn decide(
    conversation: &mut Conversation,
    creator: &UserId,
    create: &CreateGroup,
    members_max: usize,
    lookups: Lookups,
    (now, stamp): (Timestamp, Stamp),
) -> Decision {
    let hash = request_hash(create);
    let author = Author::Member(creator.clone());
    if let Some((first, after)) = first_of(conversation, &author, create.id, lookups.first) {
        return match send_message::repeat(conversation, create.id, first, hash) {
            Ok(sent) => Decision::Duplicate { sent, after: waits_for(after) },
            Err(code) => Decision::Refused { code, after: waits_for(after) },
        };
    }
    let checked = check_id(create.id, now, lookups).and_then(|()| check_device(lookups)).and_then(|()| {
        let is_new = matches!(conversation.members, Members::Nobody);
        // The group's name is derived from the request's: it was made so long ago that the request is forgotten.
        if is_new { Ok(()) } else { Err(ErrorCode::IdTooOld) }
    });
    let mut others: Vec<&UserId> = create.members.iter().filter(|user| *user != creator).collect();
    others.sort_unstable();
    others.dedup();
    let checked = checked
        .and_then(|()| if others.len() + 1 > members_max { Err(ErrorCode::GroupFull) } else { Ok(()) });
    if let Err(code) = checked {
        return Decision::Refused { code, after: conversation.touched };
    }
    // Not always 1: an operator may have cut off all of a group but what its members hold.
    let Some(seq) = conversation.last.next() else {
        return Decision::Refused { code: ErrorCode::Unavailable, after: conversation.touched };
    };
    let place = initial_place(create.policy);
    let facts = Facts {
        title: create.title.clone(),
        description: create.description.clone(),
        policy: create.policy,
        created_at: now,
    };
    let mut group = Group::new(facts);
    let mut recipients = Vec::with_capacity(others.len() + 1);
    let mut events = vec![Event::Group { group: conversation.id, facts: group.facts.encode() }];
    let everybody = [(creator, Place::Joined(Role::Owner))];
    for (user, place) in everybody.into_iter().chain(others.into_iter().map(|user| (user, place))) {
        let memberships = match place {
            Place::Joined(_) => vec![Membership { first: seq, last: None }],
            Place::Invited | Place::Gone => Vec::new(),
        };
        let marks = Marks { delivered: seq, read: seq };
        let member = Member { place, since: seq, marks, memberships, sent: Sent::default() };
        events.push(Event::Member { group: conversation.id, user: user.clone(), member: member.encode() });
        let standing = if place == Place::Invited { Standing::Invited } else { Standing::Member };
        recipients.push(Recipient { standing, begins: true, ..Recipient::member(user.clone()) });
        group.put(user.clone(), member);
    }
    conversation.members = Members::Group(Box::new(group));
    let body = Change::Created(create.title.clone()).to_body();
    let first = First { seq, sent_at: now, hash };
    let written = Written::Group { author: creator.clone() };
    let (event, sent) = append(conversation, written, create.id, &body, first, stamp);
    Decision::New(Changed { event, sent, events, recipients })
}

/// How those whom the creator names come in.
fn initial_place(policy: Policy) -> Place {
    let adds = policy.allows(Policy::ADMINS_ADD) || policy.allows(Policy::MEMBERS_ADD);
    if adds { Place::Joined(Role::Member) } else { Place::Invited }
}

/// As [`send_message::body_hash`], over all of the request but its id.
fn request_hash(create: &CreateGroup) -> [u8; 16] {
    let mut bytes = Vec::new();
    bytes.put_u8(create.policy.bits());
    for text in [create.title.as_bytes(), create.description.as_bytes()] {
        bytes.put_u16(u16::try_from(text.len()).unwrap_or(u16::MAX));
        bytes.put_slice(text);
    }
    for member in &create.members {
        crate::codec::put_name(&mut bytes, member.as_bytes());
    }
    let mut short = [0; 16];
    short.copy_from_slice(&<[u8; 32]>::from(Sha256::digest(&bytes))[..16]);
    short
}
