import Foundation
import TestSupport
import Testing

@testable import Formats

@Suite struct PickleTests {
  @Test(arguments: 0...5) func plainValuesReadInEveryProtocol(_ version: Int) throws {
    let value = try Pickle.read(path: Fixtures.path("Formats/plain.\(version).pkl"))
    #expect(
      value["integers"] == .list([1, -2, 300, 70000, 1 << 40, Int.min].map(PickleValue.int)))
    #expect(value["constants"] == .tuple([.double(1.5), .none, .bool(true), .bool(false)]))
    #expect(value["text"] == .string("héllo\n🎬"))
    #expect(value["bytes"] == .bytes([0, 0xff, 0x7a]))
    #expect(value["set"] == .set([.string("x")]))
    #expect(
      value["nested"]
        == .list([.list([]), .tuple([]), .dictionary([]), .tuple([1, 2, 3, 4].map(PickleValue.int))]))
    #expect(value["ordered"] == .dictionary([.init(key: .string("k"), value: .int(1))]))
    #expect(value["shared"] == .list([.list([.int(1)]), .list([.int(1)])]))
  }

  @Test(arguments: 0...5) func numpyValuesReadInEveryProtocol(_ version: Int) throws {
    let value = try Pickle.read(path: Fixtures.path("Formats/arrays.\(version).pkl"))
    #expect(value["f4"] == .array(NDArray(floats: [0, 1, 2, 3, 4, 5], shape: [2, 3])))
    #expect(value["fortran"] == .array(NDArray(int64s: [0, 1, 2, 3, 4, 5], shape: [2, 3])))
    guard case .array(let big)? = value["big"] else { Issue.record("no array"); return }
    #expect(try big.int64s() == [0, 1, 2])
    #expect(value["float"] == .double(1.25))
    #expect(value["int"] == .int(-7))
    #expect(value["bool"] == .bool(true))
  }

  @Test(
    arguments: [
      "cos\nsystem\n(S'true'\ntR.",
      "\u{80}\u{04}\u{8c}\u{05}posix\u{8c}\u{06}system\u{93}\u{8c}\u{04}true\u{85}R.",
      "(S'true'\nios\nsystem\n.", "c__builtin__\neval\n(S'1'\ntR.", "cbuiltins\ngetattr\n(tR.",
      "ctorch\nload\n(tR.", "cnumpy\nload\n(tR.", "cnumpy.core.multiarray\nfromfile\n(tR.",
    ])
  func whateverAsksForCodeIsRefusedByName(_ text: String) throws {
    let bytes = text.unicodeScalars.map { UInt8($0.value) }
    let error = try #require(throws: DataError.self) { try Pickle.decode(bytes, file: "model.pt") }
    #expect(error.problem.contains("asks for"))
    #expect(error.place?.hasPrefix("byte ") == true)
    #expect(error.file == "model.pt")
    #expect(error.cure != nil)
  }

  @Test func theRefusalNamesWhatIsAskedForAndWhere() throws {
    let error = try #require(throws: DataError.self) {
      try Pickle.decode(Array("(cos\nsystem\nS'x'\no.".utf8))
    }
    #expect(error.description.contains("os.system"))
    #expect(error.place == "byte 1")
  }

  @Test(
    arguments: [
      // Nothing, no STOP, an empty stack, an unset memo, no mark, an odd dictionary, an unknown
      // opcode.
      "", "N", ".", "h\u{7}.", "t.", "(Nd.", "\u{ff}.", "(e.", "NN\u{85}s.", "]]e.", "0.", "2.", "g-1\n.",
      "I99999999999999999999\n.", "Fx\n.", "S'x\n.", "V\\u12\n.", "X\u{ff}\u{ff}\u{ff}\u{7f}abc.",
      "T\u{ff}\u{ff}\u{ff}\u{ff}.", "\u{8b}\u{ff}\u{ff}\u{ff}\u{ff}.", "\u{80}\u{09}N.", "\u{82}\u{01}.",
      "\u{97}.",
      "\u{8e}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}.", "Pabc\n.", "NR.", "N)R.", "]N)\u{92}.",
      // A list that contains itself, and a call on its own result.
      "]q\u{0}h\u{0}a.",
    ])
  func nonsenseIsRefused(_ text: String) {
    let bytes = text.unicodeScalars.map { UInt8($0.value) }
    #expect(throws: DataError.self) { try Pickle.decode(bytes) }
  }

  @Test func depthAndSizeAreBounded() {
    let deep = [UInt8](repeating: 0x5d, count: 1_000_000) + [UInt8](repeating: 0x61, count: 999_999) + [0x2e]
    #expect(throws: DataError.self) { try Pickle.decode(deep) }
    let tuples = [0x4e] + [UInt8](repeating: 0x85, count: 1_000_000) + [0x2e]
    #expect(throws: DataError.self) { try Pickle.decode(tuples) }
    // Each level holds the one below ten times: 10^40 values if unfolded.
    var laughs: [UInt8] = Array("]q".utf8) + [0]
    for level in UInt8(1)...40 {
      laughs += Array("](".utf8)
      for _ in 0..<10 { laughs += [0x68, level - 1] }
      laughs += Array("eq".utf8) + [level]
    }
    #expect(throws: DataError.self) { try Pickle.decode(laughs + [0x2e]) }
  }

  @Test(arguments: ["plain", "arrays"], 0...5)
  func damageIsRefusedOrSurvived(_ name: String, _ version: Int) throws {
    let bytes = try Fixtures.bytes("Formats/\(name).\(version).pkl")
    for cut in Damage.truncations(bytes) { #expect(throws: DataError.self) { try Pickle.decode(cut) } }
    for flip in Damage.flips(bytes) {
      do { _ = try Pickle.decode(flip) } catch { #expect(error is DataError) }
    }
  }
}

/// Written pickles are read back unchanged.
@Suite struct PickleWritingTests {
  @Test func everyKindOfValue() throws {
    let value: JSON = [
      "text é": [1.5, -0.0, .double(.infinity), 1e-300], "numbers": [0, -1, .int(.max), .int(.min)],
      "constants": [nil, true, false], "empty": [[:], []], "": "",
    ]
    let read = try Pickle.decode(value.pickled)
    #expect(read["text é"] == .list([1.5, -0.0, .infinity, 1e-300].map(PickleValue.double)))
    #expect(read["numbers"] == .list([0, -1, .max, .min].map(PickleValue.int)))
    #expect(read["constants"] == .list([.none, .bool(true), .bool(false)]))
    #expect(read["empty"] == .list([.dictionary([]), .list([])]))
    #expect(read[""] == .string("") && read.entries?.count == 5)
  }
}
