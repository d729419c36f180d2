import Foundation
import TestSupport
import Testing

@testable import Formats

@Suite struct JSONTests {
  @Test func readsEveryKindOfValue() throws {
    let text = #" {"b": [1, -2, 0, -0.5, 1e3, 2.5E-2], "a": null, "t": true, "f": false, "s": "x"} "#
    let value = try JSON.parse(text)
    #expect(value["b"] == [1, -2, 0, -0.5, 1000.0, 0.025])
    #expect(value.object?.keys == ["b", "a", "t", "f", "s"])
    #expect(value["a"] == .null && value["t"] == true && value["f"] == false && value["s"] == "x")
  }

  @Test(arguments: [
    ("9223372036854775807", JSON.int(.max)), ("-9223372036854775808", .int(.min)),
    ("9223372036854775808", .double(9_223_372_036_854_775_808)),
    ("123456789012345678", .int(123456789012345678)),
    ("0.1", 0.1), ("1e400", .double(.infinity)), ("4.9406564584124654e-324", .double(.leastNonzeroMagnitude)),
    ("179769313486231570000000000000000000000e270", .double(.greatestFiniteMagnitude)),
    ("0.000000000000000000000000000000001", 1e-33), ("7205759403792793.5", 7205759403792793.5),
    ("1e-999999999999999999999", 0.0), ("Infinity", .double(.infinity)), ("-Infinity", .double(-.infinity)),
    ("3.14159265358979323846264338327950288", 3.141592653589793),
  ])
  func readsNumbersAsPythonDoes(_ text: String, _ number: JSON) throws {
    #expect(try JSON.parse(text) == number)
  }

  @Test func readsNotANumber() throws {
    #expect(try JSON.parse("[NaN]").array?.first?.double?.isNaN == true)
  }

  @Test func unescapesStrings() throws {
    #expect(
      try JSON.parse(#""a\"\\\/\b\f\n\r\tA\u00e9\ud83d\ude00é😀""#) == "a\"\\/\u{8}\u{c}\n\r\tAé😀é😀")
    #expect(try JSON.parse(#""\ud83d""#) == "\u{FFFD}")
    #expect(try JSON.parse(#""\ude00\ud83d\u0041""#) == "\u{FFFD}\u{FFFD}A")
    #expect(try JSON.parse("\u{FEFF}[1]") == [1])
  }

  @Test(arguments: [
    "", " ", "{", "[", "[1,", "[1,]", "{\"a\"", "{\"a\":", "{\"a\":1,", "{\"a\":1,}", "{a:1}", "tru", "nul",
    "01", "-", "1.", ".5", "1e", "+1", "--1", "\"", "\"\\", "\"\\u12", "\"\\x\"", "\"\u{1}\"", "[1] 2",
    "NaNa",
    "'a'",
  ])
  func refusesWhatIsMalformed(_ text: String) {
    #expect(throws: DataError.self) { try JSON.parse(text) }
  }

  @Test func refusesInvalidUTF8AndNamesTheLine() throws {
    #expect(throws: DataError.self) { try JSON.parse([0x22, 0xFF, 0x22]) }
    #expect(throws: DataError.self) { try JSON.parse([0x22, 0xED, 0xA0, 0x80, 0x22]) }
    let error = try #require(throws: DataError.self) { try JSON.parse("[1,\n2,\n!]", file: "f.json") }
    #expect(error.file == "f.json" && error.place == "line 3")
  }

  @Test func refusesDeepNestingButNotTheDeepestAllowed() throws {
    let allowed = String(repeating: "[", count: 512) + String(repeating: "]", count: 512)
    #expect(throws: Never.self) { try JSON.parse(allowed) }
    #expect(throws: DataError.self) { try JSON.parse(String(repeating: "[", count: 1_000_000)) }
    #expect(throws: DataError.self) { try JSON.parse(String(repeating: "{\"a\":", count: 1_000_000)) }
  }

  @Test(arguments: [JSON.Style.compact, .python, .pretty])
  func truncationsAndFlippedBitsNeverTrap(_ style: JSON.Style) throws {
    let value: JSON = ["ids": [1, -2.5, 1e100], "text": "é😀\u{1}\"", "none": nil, "deep": [["a": [true]]]]
    let bytes = value.encodedBytes(style: style)
    #expect(try JSON.parse(bytes) == value)
    for length in 0..<bytes.count {
      #expect(throws: DataError.self) { try JSON.parse(Array(bytes[..<length])) }
    }
    for bit in 0..<bytes.count * 8 {
      var flipped = bytes
      flipped[bit / 8] ^= 1 << (bit % 8)
      _ = try? JSON.parse(flipped)
    }
  }

  @Test func writesAsPythonDoes() {
    let value: JSON = ["a": [1, 2.0, "é\n\u{7F}😀\"\\"], "b": [:], "c": [], "d": .double(.nan)]
    #expect(
      value.encoded(style: .python)
        == #"{"a": [1, 2.0, "\u00e9\n\u007f\ud83d\ude00\"\\"], "b": {}, "c": [], "d": null}"#)
    #expect(
      value.encoded() == "{\"a\":[1,2.0,\"é\\n\u{7F}😀\\\"\\\\\"],\"b\":{},\"c\":[],\"d\":null}")
    #expect(
      (["a": [1, ["b": "x"]], "c": []] as JSON).encoded(style: .pretty)
        == "{\n    \"a\": [\n        1,\n        {\n            \"b\": \"x\"\n        }\n    ],\n    \"c\": []\n}"
    )
  }

  @Test(
    arguments: [
      (0.0, "0.0"), (-0.0, "-0.0"), (1, "1.0"), (0.1, "0.1"), (1e-4, "0.0001"), (1e-5, "1e-05"),
      (1.5e-7, "1.5e-07"), (1e15, "1000000000000000.0"), (9_999_999_999_999_998, "9999999999999998.0"),
      (1e16, "1e+16"), (1.2345e16, "1.2345e+16"), (1e22, "1e+22"), (1e100, "1e+100"),
      (.leastNonzeroMagnitude, "5e-324"),
      (29.68, "29.68"), (-123456.789, "-123456.789"), (1.7976931348623157e308, "1.7976931348623157e+308"),
      (100, "100.0"),
    ] as [(Double, String)])
  func writesFloatsAsPythonDoes(_ value: Double, _ text: String) {
    #expect(PythonNumber.repr(value) == text)
  }

  @Test func linesStreamAndErrorsNameThem() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("rows.jsonl")
    try Data("{\"a\": 1}\n\n{\"a\": 2}\r\n{\"a\": 3}".utf8).write(to: URL(fileURLWithPath: path))
    var rows: [Int] = []
    var numbers: [Int] = []
    try JSONLines.read(path: path) { line, value in
      numbers.append(line)
      rows.append(try #require(value["a"]?.int))
    }
    #expect(rows == [1, 2, 3] && numbers == [1, 3, 4])
    try Data("{\"a\": 1}\n{\"a\": }\n".utf8).write(to: URL(fileURLWithPath: path))
    let error = try #require(throws: DataError.self) { try JSONLines.read(path: path) { _, _ in } }
    #expect(error.place == "line 2" && error.file == path)
    #expect(throws: DataError.self) { try JSONLines.read(path: folder.path("none")) { _, _ in } }
    #expect(throws: DataError.self) { try JSON.read(path: folder.root) }
  }

  @Test func linesLongerThanTheBufferStayWhole() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("long.jsonl")
    let long = String(repeating: "x", count: 3_000_000)
    let text = (0..<3).map { "[\($0), \"\(long)\"]\n" }.joined()
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    var count = 0
    try JSONLines.read(path: path) { line, value in
      #expect(value == [.int(line - 1), .string(long)])
      count += 1
    }
    #expect(count == 3)
  }

  /// A million members are read one by one; looking back over what was read would not end.
  @Test(.timeLimit(.minutes(30))) func aMillionMembersAreRead() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("id2len.json")
    let members = (0..<1_000_000).map { "\"\($0)\": \($0 % 50)" }.joined(separator: ", ")
    try Data("{\(members)}".utf8).write(to: URL(fileURLWithPath: path))
    var sum = 0
    try JSON.readMembers(path: path) { _, value in sum += value.int ?? 0 }
    #expect(sum == 1_000_000 / 50 * (49 * 50 / 2))
  }

  @Test
  func sideFilesOfTheReferenceAreWrittenBackToTheByte() throws {
    let root = SharedData.golden.appendingPathComponent("db")
    let names = try #require(FileManager.default.enumerator(atPath: root.path)).compactMap { $0 as? String }
    for name in names where name.hasSuffix(".json") {
      let path = root.appendingPathComponent(name).path
      let text = String(decoding: try FileBytes.read(path: path), as: UTF8.self)
      let style: JSON.Style = name.hasSuffix("meta.json") ? .pretty : .python
      #expect(try JSON.read(path: path).encoded(style: style) == text, "\(name)")
    }
    #expect(names.contains { $0.hasSuffix("meta.json") })
  }

  /// What others write that is no JSON is named.
  @Test(arguments: [
    ("{'a': 1}", "single"), (#"{"a": 'b'}"#, "single"), (#"{"a": True}"#, "true"), (#"{"a": None}"#, "null"),
    (#"{"a": [False]}"#, "false"), ("{// note\n}", "comments"), (#"{"a": 1, # note"#, "comments"),
    ("{\"a\": 1 // note\n}", "comments"), (#"{"a": /* b */ 1}"#, "comments"),
    ("{a: 1}", "a key in double quotes"),
    ("task: tvr", "expected a value"),
  ])
  func whatOthersWriteIsNamed(_ text: String, _ said: String) throws {
    let error = try #require(throws: DataError.self) { try JSON.parse(text) }
    #expect(error.problem.contains(said), "\(error)")
  }

  /// The last value of a repeated key counts.
  ///
  /// The first such key of a file is reported, if its values differ.
  @Test func repeatedKeysAreToldOnce() throws {
    let (folder, notices) = (try TemporaryFolder(), NoticeLog.shared)
    let whole = try folder.file("a.json", "{\"a\": 1,\n \"b\": {\"c\": 1, \"c\": [2], \"d\": 1, \"d\": 2}}")
    #expect(try JSON.read(path: whole).encoded() == #"{"a":1,"b":{"c":[2],"d":2}}"#)
    #expect(notices.about(whole) == ["\(whole), line 2: \"c\" is given twice; a list counts, not 1"])
    let lines = try folder.file("b.jsonl", "{\"a\": 1}\n{\"a\": 1, \"a\": 2}\n{\"e\": 1, \"e\": 2}\n")
    var rows: [String] = []
    try JSONLines.read(path: lines) { rows.append($1.encoded()) }
    #expect(rows == [#"{"a":1}"#, #"{"a":2}"#, #"{"e":2}"#])
    #expect(notices.about(lines) == ["\(lines), line 2: \"a\" is given twice; 2 counts, not 1"])
    let members = try folder.file("c.json", "{\"a\": 1, \"e\u{301}\": 2, \"\u{e9}\": 3, \"a\": 4}")
    var keys: [String] = []
    try JSON.readMembers(path: members) { key, _ in keys.append(key) }
    #expect(keys.count == 4)
    #expect(notices.about(members) == ["\(members), line 1: \"a\" is given twice; the last value counts"])
    let same = try folder.file("d.json", #"{"a": 1, "a": 1}"#)
    #expect(try JSON.read(path: same)["a"] == 1 && notices.about(same).isEmpty)
  }
}
