//! The user's devices, asked over a connection that may break, and the end of a device that is revoked.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used)]

mod world;

use iris_client_core::{ClientEvent, QueryNumber};
use iris_protocol::Versions;
use iris_types::{DeviceId, DeviceLabel, DeviceSummary, ErrorCode, Refusal, Timestamp};
use world::{START, World, message};

fn device(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

fn label(text: &str) -> DeviceLabel {
    DeviceLabel::new(text).unwrap()
}

/// Alice's laptop is connected; she has a phone, too.
fn connected(versions: Versions) -> (World, usize) {
    let mut world = World::new(versions);
    let alice = world.add_with("alice", "laptop", versions);
    let summary = |name| DeviceSummary {
        device: device(name),
        label: None,
        registered_at: Timestamp(START),
        last_login: Timestamp(START),
        online: name == "laptop",
    };
    world.server.devices = ["laptop", "phone"].map(summary).into();
    world.settle();
    (world, alice)
}

/// What a question was answered with: labels by device, done, or a refusal.
fn answers(world: &World, at: usize, number: QueryNumber) -> Vec<String> {
    let told = |event: &ClientEvent| match event {
        ClientEvent::Devices { query, items } if *query == number => {
            let line = |item: &DeviceSummary| {
                format!("{} {}", item.device, item.label.as_ref().map_or("-", DeviceLabel::as_str))
            };
            Some(items.iter().map(line).collect::<Vec<_>>().join(", "))
        }
        ClientEvent::Done { query } if *query == number => Some("done".to_owned()),
        ClientEvent::QueryFailed { query, refusal } if *query == number => Some(refusal.to_string()),
        _ => None,
    };
    world.devices[at].events.iter().filter_map(told).collect()
}

#[test]
fn each_question_about_devices_has_one_answer_in_every_version() {
    for versions in [Versions::ONLY_1, Versions::ALL] {
        let (mut world, alice) = connected(versions);
        let core = &mut world.devices[alice].core;
        let asked = [
            core.devices().unwrap(),
            core.rename_device(device("phone"), label("Büro")).unwrap(),
            core.devices().unwrap(),
            core.revoke_device(device("phone")).unwrap(),
            core.revoke_device(device("phone")).unwrap(),
            core.rename_device(device("phone"), label("x")).unwrap(),
            core.devices().unwrap(),
        ];
        world.settle();
        let told = asked.map(|number| answers(&world, alice, number).join("; "));
        let before = "laptop -, phone -";
        let expected = [before, "done", "laptop -, phone Büro", "done", "done", "unknown_device", "laptop -"];
        assert_eq!(told, expected);
    }
}

#[test]
fn questions_about_devices_survive_lost_connections_and_refusals() {
    for cut in (0..400).step_by(10) {
        let (mut world, alice) = connected(Versions::ALL);
        world.server.refuse_reads.extend([ErrorCode::Busy, ErrorCode::Unavailable].map(Refusal::from));
        let core = &mut world.devices[alice].core;
        let rename = core.rename_device(device("laptop"), label("Desk")).unwrap();
        let revoke = core.revoke_device(device("phone")).unwrap();
        let list = core.devices().unwrap();
        world.cut_after = Some(world.carried + cut);
        world.settle();
        assert_eq!(
            [rename, revoke].map(|number| answers(&world, alice, number)),
            [["done"], ["done"]],
            "{cut}"
        );
        assert_eq!(answers(&world, alice, list).len(), 1, "{cut}");
        assert_eq!(world.server.devices.len(), 1);
        assert_eq!(world.server.devices[0].label, Some(label("Desk")));
    }
}

#[test]
fn a_device_that_revokes_itself_hears_so_and_stops_for_good() {
    let (mut world, alice) = connected(Versions::ALL);
    let number = world.devices[alice].core.revoke_device(device("laptop")).unwrap();
    world.drain();
    world.server_says(alice, |connection| connection.close(ErrorCode::DeviceRevoked));
    world.run_until(|world| world.devices[0].core.is_stopped());
    world.drain();
    assert_eq!(answers(&world, alice, number), ["done"]);
    let stopped = ClientEvent::Stopped(ErrorCode::DeviceRevoked.into());
    assert_eq!(world.devices[alice].events.last(), Some(&stopped));
    assert_eq!((world.devices[alice].connections, world.devices[alice].core.deadline()), (1, None));
    // What it wrote meanwhile is kept, and so is what it was refused at a later start.
    world.send(alice, message("bob", "never"));
    world.drain();
    assert_eq!(world.devices[alice].core.unsettled(), 1);
    world.restart(alice);
    world.refuse_logins.push_back(ErrorCode::DeviceRevoked.into());
    world.run_until(|world| world.devices[0].core.is_stopped());
    world.drain();
    assert_eq!(world.devices[alice].count(|event| *event == stopped), 2);
    assert_eq!(world.devices[alice].core.unsettled(), 1);
}
