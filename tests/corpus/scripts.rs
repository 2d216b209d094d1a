//! Inputs of `bus`, `connection` and `ring`.

/// Inputs of `bus`: events by chance.
pub fn bus_seeds() -> Vec<(String, Vec<u8>)> {
    let seeds = 0..48_u64;
    seeds
        .map(|seed| {
            let mut chance = fastrand::Rng::with_seed(seed);
            let bytes = std::iter::repeat_with(|| chance.u8(..)).take(2000);
            (format!("chance-{seed}"), bytes.collect())
        })
        .collect()
}

/// Inputs of `connection`: see `Step` there.
pub fn connection_seeds() -> Vec<(String, Vec<u8>)> {
    const READ: [u8; 2] = [12, 0];
    const WRITE: [u8; 2] = [13, 0];
    const LITTLE_ROOM: [u8; 2] = [10, 40];
    const ROOM: [u8; 2] = [11, 20];
    const MEDIA: [u8; 2] = [7, 20];
    const GROW: [u8; 2] = [14, 60];
    const PING: [u8; 2] = [1, 9];
    const TEXT: [u8; 2] = [3, 2];
    let close: &[u8] = &[5, 0, 0];
    let watch = [
        GROW,
        ROOM,
        WRITE,
        PING,
        READ,
        LITTLE_ROOM,
        WRITE,
        GROW,
        WRITE,
    ]
    .concat();
    let publish = [MEDIA, READ, PING, TEXT, READ, ROOM, WRITE, MEDIA, READ].concat();
    let fragments = [
        [9, 2],
        READ,
        PING,
        READ,
        [9, 0],
        [9, 128],
        READ,
        ROOM,
        WRITE,
    ]
    .concat();
    let changes = [
        [16, 0],
        WRITE,
        [16, 250],
        GROW,
        GROW,
        WRITE,
        [17, 255],
        GROW,
        WRITE,
    ]
    .concat();
    let slow = [
        [15, 200],
        LITTLE_ROOM,
        WRITE,
        [17, 255],
        [15, 200],
        ROOM,
        WRITE,
    ]
    .concat();
    let wrong = [&[0, 3, 0x81][..], b"\xff\xc3x", &READ].concat();
    let raw = [&[6, 8][..], &[0x89, 0x82, 1, 2, 3, 4, 5, 6], &READ].concat();
    let scripts = [
        ("watch", [&watch[..], &watch, close, &READ].concat()),
        ("publish", [&publish[..], &publish, close, &READ].concat()),
        ("fragments", [&fragments[..], &publish].concat()),
        ("changes", [&watch[..], &changes, &watch].concat()),
        ("slow", [&slow[..], &slow, &watch].concat()),
        ("wrong", [&watch[..], &wrong].concat()),
        ("raw", [&raw[..], &[19, 255], &READ].concat()),
        (
            "early",
            [&[0, 9][..], &[1, 9], &READ, &[19, 254], &READ, &WRITE].concat(),
        ),
        (
            "interrupted",
            [&[18, 3][..], &[18, 102], &[18, 220], &watch, &publish].concat(),
        ),
    ];
    let roles = scripts.iter().flat_map(|(name, script)| {
        (0..6).map(move |role| {
            let ring = [0, 200][usize::from(role % 2)];
            (
                format!("{name}-{role}"),
                [&[role, ring, 0][..], script].concat(),
            )
        })
    });
    let held_back = [2, 5].map(|role| {
        const MUCH: [u8; 2] = [7, 200];
        const WAIT: [u8; 2] = [17, 250];
        const TELL: [u8; 2] = [18, 250];
        let script = [
            WAIT, WAIT, WAIT, MUCH, READ, MUCH, READ, TELL, WAIT, READ, WAIT, READ,
        ];
        let name = format!("held-back-{role}");
        (
            name,
            [&[role, 3, 0][..], &script.concat(), &publish].concat(),
        )
    });
    let rest = [2, 200, 12, 0x89, 0x83, 1, 2, 3, 4, 5, 6, 7, 0x83, 0x80, 0];
    let with_rest = (
        "rest".to_owned(),
        [&rest[..], &READ, &ROOM, &WRITE].concat(),
    );
    let chunk = b"\x05\0\x0f4\r\n\x1aE\xdf\xa3\r\n0\r\n";
    let with_chunk = (
        "rest-of-a-body".to_owned(),
        [&chunk[..], &READ, &ROOM, &WRITE].concat(),
    );
    let others = [with_rest, with_chunk].into_iter().chain(held_back);
    roles.chain(others).collect()
}

/// Inputs of `ring`: see `Step` there.
pub fn ring_seeds() -> Vec<(String, Vec<u8>)> {
    const COME: [u8; 2] = [14, 1];
    const KEYFRAME: [u8; 2] = [4, 100];
    const DELTA: [u8; 2] = [0, 50];
    const JOIN: [u8; 2] = [8, 0];
    const READ: [u8; 2] = [9, 0];
    const READ_ALL: [u8; 2] = [11, 0];
    const LATER: [u8; 2] = [6, 20];
    const WAIT: [u8; 2] = [7, 250];
    const SILENT: [u8; 2] = [14, 3];
    const SOUND: [u8; 2] = [17, 0];
    const TICK: [u8; 2] = [18, 0];
    // Blocks whose flags lie.
    const UNMARKED: [u8; 2] = [4, 6];
    const MARKED: [u8; 2] = [0, 6];
    let gop = [KEYFRAME, DELTA, LATER, DELTA, DELTA].concat();
    let scripts = [
        (
            "watch",
            [&COME[..], &gop, &JOIN, &READ, &READ, &gop, &READ_ALL].concat(),
        ),
        (
            "late",
            [
                &JOIN[..],
                &COME,
                &gop,
                &READ,
                &READ,
                &READ,
                &WAIT,
                &gop,
                &READ_ALL,
            ]
            .concat(),
        ),
        (
            "back",
            [
                &COME[..],
                &gop,
                &JOIN,
                &READ,
                &READ,
                &[12, 0],
                &READ_ALL,
                &[12, 0],
            ]
            .concat(),
        ),
        (
            "gone",
            [
                &COME[..],
                &gop,
                &JOIN,
                &READ_ALL,
                &[13, 0],
                &JOIN,
                &[14, 0],
                &gop,
            ]
            .concat(),
        ),
        (
            "anew",
            [
                &COME[..],
                &gop,
                &JOIN,
                &READ,
                &[15, 12],
                &gop,
                &[15, 13],
                &gop,
            ]
            .concat(),
        ),
        (
            "lies",
            [
                &COME[..],
                &UNMARKED,
                &MARKED,
                &JOIN,
                &READ_ALL,
                &UNMARKED,
                &MARKED,
            ]
            .concat(),
        ),
        (
            "wild",
            [
                &COME[..],
                &gop,
                &JOIN,
                &[16, 3],
                &gop,
                &[16, 0],
                &gop,
                &READ_ALL,
                &[16, 5],
                &SOUND,
                &gop,
                &[16, 4],
                &gop,
            ]
            .concat(),
        ),
        (
            "silent",
            [
                &SILENT[..],
                &gop,
                &JOIN,
                &TICK,
                &READ_ALL,
                &WAIT,
                &TICK,
                &READ_ALL,
                &SOUND,
                &gop,
                &READ_ALL,
                &[15, 15],
                &gop,
                &WAIT,
                &gop,
            ]
            .concat(),
        ),
        (
            "segments",
            [
                &COME[..],
                &gop,
                &WAIT,
                &gop,
                &gop,
                &WAIT,
                &gop,
                &[15, 5],
                &DELTA,
                &[13, 0],
                &COME,
                &gop,
                &WAIT,
                &gop,
                &[15, 13],
                &gop,
            ]
            .concat(),
        ),
        (
            "forgotten",
            [&COME[..], &gop, &JOIN, &READ, &[15, 5], &READ, &gop].concat(),
        ),
    ];
    let limits = scripts.iter().flat_map(|(name, script)| {
        [[255, 255, 255], [40, 9, 60], [4, 0, 0]].map(|limits| {
            let name = format!("{name}-{}", limits[0]);
            (name, [&limits[..], script, &READ_ALL, &[9, 1]].concat())
        })
    });
    limits.collect()
}
