use super::*;
use std::io::Cursor;
use tungstenite::protocol::frame::FrameHeader;

#[test]
fn headers_are_read_as_tungstenite_reads_them() {
    for payload in [0, 1, 125, 126, 127, 128, 65_535, 65_536, u64::from(u32::MAX), u64::MAX >> 1] {
        let mut bytes = Vec::new();
        FrameHeader::default().format(payload, &mut bytes).unwrap();
        assert_eq!(lengths(bytes[1], &bytes), Some((bytes.len(), payload)));
        let (_, theirs) = FrameHeader::parse(&mut Cursor::new(&bytes)).unwrap().unwrap();
        assert_eq!(theirs, payload);
        for short in 2..bytes.len() {
            assert_eq!(lengths(bytes[1], &bytes[..short]), None, "{short} of {}", bytes.len());
        }
    }
    for code in 0..16 {
        match OpCode::from(code) {
            OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_)) => {
                assert_eq!(opcode(code), Err(Violation::Opcode(code)));
            }
            known => assert_eq!(opcode(code), Ok(known)),
        }
    }
}
