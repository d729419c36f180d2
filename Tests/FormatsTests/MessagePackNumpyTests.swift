import TestSupport
import Testing

@testable import Formats

@Suite struct MessagePackNumpyTests {
  @Test func arraysEncodeAsPythonsPackageDoes() throws {
    let bytes = try Fixtures.bytes("Formats/arrays.msgpack")
    let value = try MessagePack.decode(bytes)
    let features = try MessagePackNumpy.decode(#require(value["features"]))
    #expect(features == NDArray(floats: [0, 1, 2, 3, 4, 5], shape: [2, 3]))
    #expect(try MessagePackNumpy.encode(features) == value["features"])
    let scalar = try MessagePackNumpy.decode(#require(value["scalar"]))
    #expect(scalar.shape == [])
    #expect(scalar.floats() == [0.5])
  }

  @Test func keysMayBeTextAndTypesBytes() throws {
    let value = MessagePack.map([
      (.string("nd"), .bool(true)), (.string("type"), .binary(Array(">f2".utf8))),
      (.string("kind"), .string("")),
      (.string("shape"), .array([.int(1), .int(1)])), (.string("data"), .binary([0x3e, 0x00])),
    ])
    #expect(try MessagePackNumpy.decode(value).floats() == [1.5])
  }

  @Test func whatIsNoArrayIsRefused() {
    func map(_ kind: String, _ type: MessagePack, _ shape: MessagePack, _ data: MessagePack) -> MessagePack {
      .map([
        (.string("nd"), .bool(true)), (.string("type"), type), (.string("kind"), .string(kind)),
        (.string("shape"), shape), (.string("data"), data),
      ])
    }
    let one = MessagePack.array([.int(1)])
    let four = MessagePack.binary([0, 0, 0, 0])
    for value: MessagePack in [
      .nil, .map([]), map("O", .string("|O"), one, four), map("V", .array([]), one, four),
      map("", .string("<c8"), one, four), map("", .int(3), one, four), map("", .string("<f4"), .nil, four),
      map("", .string("<f4"), .array([.int(-1)]), four),
      map("", .string("<f4"), .array([.int(.max), .int(9)]), four),
      map("", .string("<f4"), .array([.int(2)]), four), map("", .string("<f4"), one, .int(1)),
    ] {
      #expect(throws: DataError.self) { try MessagePackNumpy.decode(value) }
    }
  }
}
