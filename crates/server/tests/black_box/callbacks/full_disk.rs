//! A full disk (ruling 27): calls succeed while memory lasts, then are refused before anything
//! changes, media and heartbeats go on, and with room on the disk again nothing was lost.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::receiver::{Receiver, histories, is_whole};
use super::{call, login, to};
use crate::process::{PATIENCE, Server, data_folder};

/// A small disk of its own, gone with the value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where nothing may be mounted, which is said.
    fn mount(path: &Path) -> Option<Self> {
        std::fs::create_dir_all(path).expect("the folder can be made");
        let disk = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(path)
            .output()
            .expect("mount is there");
        if disk.status.success() {
            return Some(Self(path.to_owned()));
        }
        println!("skipped: no disk of its own: {}", String::from_utf8_lossy(&disk.stderr));
        None
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        use std::io::Write;
        let mut filler = std::fs::File::create(self.0.join("filler")).expect("the disk is there");
        for size in [65_536, 4_096, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("it was filled");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the server may still have files open.
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

/// An empty small disk in the place of a test's data; `None` where nothing may be mounted.
fn data_on_small_disk(name: &str) -> Option<SmallDisk> {
    let folder = data_folder(name);
    if folder.exists() {
        // What an earlier run has left mounted, if anything.
        drop(Command::new("umount").arg("-l").arg(&folder).status());
        std::fs::remove_dir_all(&folder).expect("the folder can be written");
    }
    SmallDisk::mount(&folder)
}

fn wait_for(what: &str, server: &Server, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}: {}", server.report());
    }
}

#[test]
fn a_full_disk_is_borne_then_refused_and_nothing_is_lost() {
    let name = "full-disk";
    let Some(disk) = data_on_small_disk(name) else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let receiver = runtime.block_on(Receiver::start());
    let spill = "calls_per_second = { AddStream = 1000 }\n[callbacks]\nspill_bytes_max = 20000\n";
    let server = Server::restart_with(name, &format!("{}{spill}", to(receiver.address)));
    let url = server.signal_url();
    let ann = runtime.block_on(login(&url, "hall", "ann")).expect("a good login");

    disk.fill();
    // Logins and logouts still succeed: their events are held in memory.
    let mut visits = 0;
    let refused = loop {
        let room = format!("room-{visits}");
        match runtime.block_on(login(&url, &room, "bob")) {
            Ok(bob) => runtime.block_on(bob.logout(&room)).expect("who is in may leave"),
            Err(refused) => break refused,
        }
        visits += 1;
        assert!(visits < 10_000, "the spill never fills");
    };
    assert!(visits > 3, "some visits fit into the spill, not {visits}");
    assert!(server.metric("odeum_store_spilled_entries") > 0);
    assert!(server.metric("odeum_store_commits_failed_total") > 0);
    assert!(format!("{refused:?}").contains("1100999"), "an internal failure: {refused:?}");
    // Refused before anything changes, with the codes of the ruling.
    let add = "Action=AddStream&RoomId=hall&UserId=backend&StreamId=camera";
    assert_eq!(call(server.http, add)["Code"], 124);
    assert_eq!(call(server.http, "Action=KickoutUser&RoomId=hall&UserId[]=ann")["Code"], 1);
    let users = call(server.http, "Action=DescribeUserNum&RoomId[]=hall");
    assert_eq!(users["Data"]["UserCountList"][0]["UserCount"], 1, "reading goes on");
    runtime.block_on(ann.heartbeat("hall", 0)).expect("who is in goes on");

    disk.make_room();
    wait_for("the spill is stored", &server, || server.metric("odeum_store_spilled_entries") == 0);
    runtime.block_on(ann.logout("hall")).expect("calls succeed again");
    let whole = |rooms: &std::collections::BTreeMap<String, Vec<serde_json::Value>>| {
        rooms.len() == visits + 1
            && rooms.iter().all(|(room, history)| {
                is_whole(history).unwrap_or_else(|wrong| panic!("{room}: {wrong}"))
            })
    };
    wait_for("every event arrives", &server, || whole(&histories(&receiver.arrived())));
    assert_eq!(receiver.count(), visits * 4 + 4, "each once");
    server.assert_no_panic();
    // The next start finds a store that is sound.
    drop(server);
    let server = Server::restart_with(name, &to(receiver.address));
    assert_eq!(server.metric("odeum_store_commits_failed_total"), 0);
}

#[test]
fn a_start_after_a_crash_on_a_full_disk_closes_what_was_open_once_there_is_room() {
    let name = "full-disk-at-start";
    let Some(disk) = data_on_small_disk(name) else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let receiver = runtime.block_on(Receiver::start());
    let mut server = Server::restart_with(name, &to(receiver.address));
    let _ann = runtime.block_on(login(&server.signal_url(), "hall", "ann")).expect("a good login");
    // Each once: what is not known to be delivered is sent again after the start.
    let events = || -> Vec<String> {
        let mut known = std::collections::BTreeSet::new();
        let arrived = receiver.arrived().into_iter().filter(|one| known.insert(one.id.clone()));
        arrived.map(|one| one.body["event"].as_str().unwrap_or("").to_owned()).collect()
    };
    wait_for("two events arrive", &server, || events().len() == 2);
    server.kill();
    disk.fill();
    drop(server);

    let server = Server::restart_with(name, &to(receiver.address));
    let bob = runtime.block_on(login(&server.signal_url(), "hall", "bob")).expect("a good login");
    runtime.block_on(bob.logout("hall")).expect("who is in may leave");
    assert!(server.metric("odeum_store_spilled_entries") > 0);
    assert_eq!(events().len(), 2, "nothing is sent that is not stored");

    disk.make_room();
    wait_for("every event arrives", &server, || events().len() == 8);
    let visit = ["room_create", "room_login", "room_logout", "room_close"];
    assert_eq!(
        events(),
        [visit, visit].concat(),
        "the old room is closed before the new one begins"
    );
    server.assert_no_panic();
}
