import TestSupport
import Testing

@testable import Formats

@Suite struct MessagePackTests {
  static let samples: [(MessagePack, [UInt8])] = [
    (.nil, [0xC0]), (.bool(true), [0xC3]), (.int(127), [0x7F]), (.int(128), [0xCC, 0x80]),
    (.int(256), [0xCD, 1, 0]), (.int(65536), [0xCE, 0, 1, 0, 0]),
    (.int(1 << 32), [0xCF, 0, 0, 0, 1, 0, 0, 0, 0]),
    (.uint(.max), [0xCF] + [UInt8](repeating: 0xFF, count: 8)), (.int(-32), [0xE0]),
    (.int(-33), [0xD0, 0xDF]),
    (.int(-129), [0xD1, 0xFF, 0x7F]), (.int(-32769), [0xD2, 0xFF, 0xFF, 0x7F, 0xFF]),
    (.int(.min), [0xD3, 0x80, 0, 0, 0, 0, 0, 0, 0]), (.float(1.5), [0xCA, 0x3F, 0xC0, 0, 0]),
    (.double(1.5), [0xCB, 0x3F, 0xF8, 0, 0, 0, 0, 0, 0]), (.string("é"), [0xA2, 0xC3, 0xA9]),
    (.binary([1, 2]), [0xC4, 2, 1, 2]), (.array([.int(1), .nil]), [0x92, 1, 0xC0]),
    (.map([(.string("a"), .int(1))]), [0x81, 0xA1, 0x61, 1]), (.ext(5, [1, 2, 3]), [0xC7, 3, 5, 1, 2, 3]),
    (.ext(-1, [9]), [0xD4, 0xFF, 9]),
  ]

  @Test(arguments: samples)
  func encodesAndDecodesByTheBook(_ value: MessagePack, _ bytes: [UInt8]) throws {
    #expect(value.encode() == bytes)
    #expect(try MessagePack.decode(bytes) == value)
  }

  @Test(arguments: [0, 15, 16, 31, 32, 255, 256, 65535, 65536])
  func everyLengthComesBack(_ count: Int) throws {
    for value in [
      MessagePack.string(String(repeating: "x", count: count)), .binary([UInt8](repeating: 7, count: count)),
      .array([MessagePack](repeating: .int(1), count: count)), .ext(1, [UInt8](repeating: 7, count: count)),
      .map((0..<count).map { (.int($0), .nil) }),
    ] {
      #expect(try MessagePack.decode(value.encode()) == value)
    }
  }

  @Test func oldStringsThatAreBytesAreGivenAsBytes() throws {
    let value = try MessagePack.decode([0xDA, 0, 2, 0xFF, 0xFE])
    #expect(value == .binary([0xFF, 0xFE]) && value.bytes == [0xFF, 0xFE] && value.string == nil)
    #expect(try MessagePack.decode([0x81, 0xC4, 1, 0x61, 1])["a"] == .int(1))
  }

  @Test(arguments: [
    [], [0xC1], [0xDD, 0xFF, 0xFF, 0xFF, 0xFF], [0xDF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0],
    [0xC6, 0xFF, 0xFF, 0xFF, 0xFF, 1],
    [1, 2], [UInt8](repeating: 0x91, count: 100_000), [UInt8](repeating: 0x81, count: 100_000),
  ])
  func refusesWhatIsMalformed(_ bytes: [UInt8]) {
    #expect(throws: DataError.self) { try MessagePack.decode(bytes) }
  }

  @Test func truncationsAndFlippedBitsNeverTrap() throws {
    let bytes = MessagePack.array(Self.samples.map(\.0)).encode()
    for length in 0..<bytes.count {
      #expect(throws: DataError.self) { try MessagePack.decode(Array(bytes[..<length])) }
    }
    for bit in 0..<bytes.count * 8 {
      var flipped = bytes
      flipped[bit / 8] ^= 1 << (bit % 8)
      _ = try? MessagePack.decode(flipped)
    }
  }
}

extension MessagePack: Equatable {
  /// Compares by content; NaN differs from itself.
  public static func == (left: MessagePack, right: MessagePack) -> Bool {
    switch (left, right) {
    case (.nil, .nil): true
    case (.bool(let a), .bool(let b)): a == b
    case (.int(let a), .int(let b)): a == b
    case (.uint(let a), .uint(let b)): a == b
    case (.float(let a), .float(let b)): a == b
    case (.double(let a), .double(let b)): a == b
    case (.string(let a), .string(let b)): a == b
    case (.binary(let a), .binary(let b)): a == b
    case (.array(let a), .array(let b)): a == b
    case (.map(let a), .map(let b)): a.elementsEqual(b) { $0.key == $1.key && $0.value == $1.value }
    case (.ext(let type, let a), .ext(let other, let b)): type == other && a == b
    default: false
    }
  }
}
