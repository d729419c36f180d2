import Formats
import Foundation
import TestSupport
import Testing

@testable import Corpus

/// Names used as keys are equal only if their bytes are.
@Suite struct NameTests {
  static let composed = "caf\u{E9}"
  static let decomposed = "cafe\u{301}"

  @Test func namesAreTheirBytes() throws {
    #expect(Self.composed == Self.decomposed)
    #expect(Name(Self.composed) != Name(Self.decomposed))
    #expect(Set([Name(Self.composed), Name(Self.decomposed)]).count == 2)
    #expect(Name(Self.composed).normalized == Name(Self.decomposed).normalized)
    var table = IdentifierTable()
    #expect([Self.composed, Self.decomposed, Self.composed].map { table.insert($0) } == [0, 1, 0])
    let hint = try #require(
      Normalization.hint(missing: [Self.composed, "a"], among: ["b", Self.decomposed]))
    #expect(hint.hasPrefix("1 of these differ in Unicode normalization only"))
    #expect(Normalization.hint(missing: ["a"], among: ["b"]) == nil)
  }

  @Test func objectsKeepBothSpellings() throws {
    let text = "{\"\(Self.composed)\":1,\"\(Self.decomposed)\":2}"
    let object = try #require(try JSON.parse(text).object)
    #expect(object.count == 2)
    #expect(object[Self.composed]?.int == 1 && object[Self.decomposed]?.int == 2)
    #expect(JSON.object(object).encodedBytes() == Array(text.utf8))
  }

  @Test func videosOfOneNumberAreRefusedByName() throws {
    let scratch = try TemporaryFolder()
    let path = try scratch.file("d.json", #"{"val": {"a": [3, 0], "b": [4, 0]}, "test": {"a": [3, 0]}}"#)
    let error = try #require(throws: DataError.self) { try ListedVideo.splits(path: path) }
    #expect(error.problem.contains("\"a\"") && error.problem.contains("\"b\""))
    for pair in ["[-1, 0]", "[NaN, 0]", "[\"3\", 0]", "[3, -1]", "[3]"] {
      let bad = try scratch.file("bad.json", "{\"val\": {\"a\": \(pair)}}")
      #expect(throws: DataError.self, "\(pair)") { try ListedVideo.splits(path: bad) }
    }
  }

  @Test(arguments: ["9.0-3.0", "-3-5", "a-b", "3", "3-nan"])
  func spansThatAreNoneAreRefused(_ text: String) {
    #expect(TimeSpan(text) == nil)
    #expect(throws: BadRow.self) { try Moment.checkedOrNone(.string(text), name: "ts") }
  }

  @Test func spansAreAskedForInTheirForms() throws {
    #expect(TimeSpan("3.0-9.0") == TimeSpan(start: 3, end: 9))
    for value: JSON in ["3-9", "nan-nan", [3, 9], .null] {
      #expect(throws: Never.self) { try Moment.checkedOrNone(value, name: "ts") }
    }
    for value: JSON in [[9, 3], [-1, 3], [1], 3] {
      #expect(throws: BadRow.self) { try Moment.checkedOrNone(value, name: "ts") }
    }
  }

  /// A video is cut to the frames that the list gives, as in the reference.
  ///
  /// A count above the number of rows adds none.
  @Test(arguments: [(1, 1), (2, 2), (5, 2), (0, 2)])
  func framesAreCutToTheList(_ listed: Int, _ kept: Int) throws {
    let scratch = try TemporaryFolder()
    let value = try FeatureStoreTests.value(NDArray(floats: [1, 2, 3, 4], shape: [2, 2]))
    try FeatureStoreTests.makeStore(
      scratch.root, name: "resnet_slowfast_1.5", [("a", value)], frames: listed)
    #expect(try FeatureStore(path: scratch.root).features(of: "a").count == kept)
  }

  @Test func aListAndAStoreOfOtherVideosAreTold() throws {
    let scratch = try TemporaryFolder()
    let value = try FeatureStoreTests.value(NDArray(floats: [1, 2], shape: [1, 2]))
    try FeatureStoreTests.makeStore(scratch.root, name: "resnet_slowfast_1.5", [("a", value), ("b", value)])
    _ = try scratch.file("id2nframe.json", #"{"a": 1, "c": 1}"#)
    let store = try FeatureStore(path: scratch.root)
    #expect(store.contains("a") && !store.contains("b") && !store.contains("c"))
  }
}
