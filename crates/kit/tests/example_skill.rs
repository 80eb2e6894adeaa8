//! The skills that the conformance example serves: they can be read, and have all that the suite's skill scenarios look
//! for.

use pymcp_kit::{Server, Skills};

#[test]
fn the_example_is_served_whole() {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/conformance/skills"
    );
    let skills = Skills::read_folder(folder).unwrap();
    let taught = |entry: &pymcp_kit::model::Skill| entry.uri == "skill://write-a-tool/SKILL.md";
    assert!(skills.entries().iter().any(taught));
    let root = skills.directory("skill://write-a-tool").unwrap();
    let kinds: Vec<_> = root["resources"].as_array().unwrap().iter().collect();
    assert!(
        kinds
            .iter()
            .any(|child| child["mimeType"] == "inode/directory"),
        "{root}"
    );
    let server = skills
        .resources()
        .fold(Server::builder("example", "0"), |server, file| {
            server.resource(file)
        })
        .build()
        .unwrap();
    assert!(server.registry().resources().count() >= 3);
}
