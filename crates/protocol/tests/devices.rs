//! Both machines together: the user's devices listed, renamed, revoked.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod scripted;

use std::sync::Arc;

use iris_protocol::Versions;
use iris_protocol::client::ClientEvent;
use iris_protocol::server::ServerConfig;
use iris_types::request::{Answer, RenameDevice, RequestId, RevokeDevice};
use iris_types::{DeviceId, DeviceLabel, ErrorCode};
use scripted::Pair;

fn ready(versions: Versions) -> Pair {
    let mut pair = Pair::new(versions, &Arc::new(ServerConfig::default()));
    pair.settle();
    pair.events.clear();
    pair
}

fn closed(pair: &Pair) -> Option<(ErrorCode, bool)> {
    match pair.events.last() {
        Some(ClientEvent::Closed { refusal, by_server }) => Some((refusal.code, *by_server)),
        _ => None,
    }
}

#[test]
fn devices_are_listed_renamed_and_revoked_in_both_versions() {
    for versions in [Versions::ONLY_1, Versions::ONLY_2] {
        let mut pair = ready(versions);
        let (phone, laptop) = (device("phone"), device("laptop"));
        let label = DeviceLabel::new("Büro").unwrap();
        let rename = |device: &DeviceId| RenameDevice { device: device.clone(), label: label.clone() };
        pair.client.rename_device(RequestId(1), &rename(&laptop));
        pair.client.list_devices(RequestId(2));
        pair.client.revoke_device(RequestId(3), &RevokeDevice { device: laptop.clone() });
        pair.client.rename_device(RequestId(4), &rename(&laptop));
        pair.client.list_devices(RequestId(5));
        pair.settle();
        let [
            ClientEvent::Done { request: RequestId(1) },
            ClientEvent::Devices { request: RequestId(2), items },
            ClientEvent::Done { request: RequestId(3) },
            ClientEvent::Refused { request: RequestId(4), refusal, .. },
            ClientEvent::Devices { request: RequestId(5), items: rest },
        ] = pair.events.as_slice()
        else {
            panic!("{:?}", pair.events)
        };
        assert_eq!(items.iter().map(|one| &one.device).collect::<Vec<_>>(), [&phone, &laptop]);
        assert_eq!(items.iter().map(|one| one.label.as_ref()).collect::<Vec<_>>(), [None, Some(&label)]);
        assert_eq!(items.iter().map(|one| one.online).collect::<Vec<_>>(), [true, false]);
        assert_eq!((rest.len(), refusal.code), (1, ErrorCode::UnknownDevice));
        // While an answer is missing the client makes sure that somebody is there.
        let before = pair.client.deadline();
        pair.client.list_devices(RequestId(6));
        assert!(pair.client.deadline() < before);
    }
}

#[test]
fn an_answer_about_devices_that_nobody_asked_for_is_wrong() {
    for (asked, told) in [(false, Answer::Done), (true, Answer::Devices(Vec::new()))] {
        let mut pair = ready(Versions::ALL);
        if asked {
            pair.client.revoke_device(RequestId(1), &RevokeDevice { device: device("phone") });
            pair.client.transmit(&mut Vec::new());
        }
        pair.server.answer(RequestId(1), told);
        pair.settle();
        assert_eq!(closed(&pair), Some((ErrorCode::WrongState, false)));
    }
}

#[test]
fn a_device_that_revokes_itself_is_answered_and_then_closed() {
    let mut pair = ready(Versions::ALL);
    pair.client.revoke_device(RequestId(1), &RevokeDevice { device: device("phone") });
    pair.client_flight();
    pair.server.close(ErrorCode::DeviceRevoked);
    pair.settle();
    assert_eq!(pair.events.first(), Some(&ClientEvent::Done { request: RequestId(1) }));
    assert_eq!(closed(&pair), Some((ErrorCode::DeviceRevoked, true)));
}

fn device(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}
