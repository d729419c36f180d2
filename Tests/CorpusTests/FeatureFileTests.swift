import Formats
import Foundation
import TestSupport
import Testing

@testable import Corpus

/// Folders of features that hold more than `<vid>.npz` files.
@Suite struct FeatureFileTests {
  private let scratch: TemporaryFolder

  init() throws { scratch = try TemporaryFolder() }

  private func path(_ kind: String, _ file: String) throws -> String {
    let path = scratch.path("features/\(kind)_features/\(file)")
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    return path
  }

  private func write(_ kind: String, _ file: String, _ shape: [Int], array: String = "features") throws {
    let values = NDArray(floats: (0..<shape.reduce(1, *)).map(Float.init), shape: shape)
    let bytes =
      file.lowercased().hasSuffix("npy")
      ? try NPY.encode(values) : try NPZ.encode([(name: array, array: values)], compress: false)
    try Data(bytes).write(to: URL(fileURLWithPath: path(kind, file)))
  }

  private func both(_ name: String, rows: Int = 4, slowfast: Int? = nil) throws {
    try write("resnet", name, [rows, 2])
    try write("slowfast", name, [slowfast ?? rows, 3])
  }

  private func make() throws -> (report: VideoStoreReport, lines: [String], names: [String]) {
    var options = VideoStoreOptions(
      source: .folder(scratch.path("features")), output: scratch.path("db"), dataset: "x")
    options.threadCount = 2
    var lines: [String] = []
    let report = try VideoStoreBuilder(options).run(onSkip: { lines.append($0) })
    let list = try #require(try JSON.read(path: scratch.path("db/x/id2nframe.json")).object)
    return (report, lines, list.keys)
  }

  @Test func arraysAndEndingsInAnyCaseAreFeatures() throws {
    for file in ["one.npz", "two.NPZ", "three.npy", "four.NPY"] { try both(file) }
    let made = try make()
    #expect(made.names == ["four", "one", "three", "two"])
    #expect(made.lines.isEmpty)
  }

  /// Files that Windows and macOS leave in folders do not count as videos with lost features.
  @Test func filesOfSystemsAreNoVideos() throws {
    try both("good.npz")
    for name in ["Thumbs.db", "desktop.ini", "Icon\r"] {
      try Data("x".utf8).write(to: URL(fileURLWithPath: path("resnet", name)))
    }
    let made = try make()
    #expect(made.names == ["good"] && made.report.corrupted.isEmpty)
    #expect(
      made.lines.count == 3 && made.lines.allSatisfy { $0.hasSuffix("is no feature file and is passed over") }
    )
  }

  /// Unfinished downloads do not count as videos with lost features.
  @Test func unfinishedDownloadsAreNoVideos() throws {
    try both("good.npz")
    for name in ["next.npz.part", "other.npz.crdownload", "third.TMP", "good.npz.part"] {
      try Data("x".utf8).write(to: URL(fileURLWithPath: path("resnet", name)))
    }
    let made = try make()
    #expect(made.names == ["good"] && made.report.corrupted.isEmpty)
    #expect(
      made.lines.count == 4
        && made.lines.allSatisfy { $0.hasSuffix("is an unfinished download and is passed over") })
  }

  @Test func aPathForAShell() throws {
    let options = VideoStoreOptions(source: .folder("~/features"), output: scratch.path("db"), dataset: "x")
    let error = try #require(throws: DataError.self) { try VideoStoreBuilder(options).run(onSkip: { _ in }) }
    #expect(error.file == "~/features" && error.cure?.hasPrefix("Write the path out") == true, "\(error)")
  }

  @Test func whatIsNotTakenIsToldAndListed() throws {
    try both("good.npz")
    try Data("x".utf8).write(to: URL(fileURLWithPath: path("resnet", "text.txt")))
    try FileManager.default.createSymbolicLink(
      atPath: path("slowfast", "lost.npz"), withDestinationPath: "/nowhere/at/all")
    try write("resnet", "set/half.npz", [4, 2])
    let made = try make()
    #expect(made.names == ["good"])
    #expect(Set(made.report.corrupted) == ["text", "lost", "half"])
    for name in ["text", "lost", "half"] { #expect(made.lines.contains { $0.contains(name) }) }
  }

  @Test func spellingsStayApart() throws {
    try both(NameTests.composed + ".npz")
    try both(NameTests.decomposed + ".npz")
    let made = try make()
    #expect(made.names.count == 2)
    #expect(made.lines.contains { $0.contains("normalization only") })
  }

  @Test func theMajorityDecidesOnTheWidth() throws {
    try write("resnet", "a.npz", [4, 7])
    try write("slowfast", "a.npz", [4, 3])
    for name in ["b", "c", "d"] { try both(name + ".npz") }
    let made = try make()
    #expect(made.names == ["b", "c", "d"] && made.report.corrupted == ["a"])
    #expect(made.lines.contains { $0.contains("7 wide") })
  }

  @Test func anotherRateIsLeftOut() throws {
    try both("double.npz", rows: 20, slowfast: 10)
    try both("loose.npz", rows: 20, slowfast: 18)
    try both("told.npz", rows: 40, slowfast: 37)
    let made = try make()
    #expect(made.names == ["loose", "told"] && made.report.corrupted == ["double"])
    #expect(made.lines.contains { $0.contains("20 of resnet and 10 of slowfast") })
    #expect(made.lines.contains { $0.contains("\"told\"") } && !made.lines.contains { $0.contains("loose") })
  }

  @Test func shapesAndNamesThatCanOnlyMeanOneThing() throws {
    try both("plain.npz")
    try write("resnet", "pooled.npz", [4, 1, 2])
    try write("slowfast", "pooled.npz", [4, 3, 1, 1])
    try write("resnet", "one.npz", [2])
    try write("slowfast", "one.npz", [3], array: "arr_0")
    try write("resnet", "turned.npz", [2, 9])
    try write("slowfast", "turned.npz", [9, 3])
    let made = try make()
    #expect(made.names == ["one", "plain", "pooled"] && made.report.corrupted == ["turned"])
    #expect(made.lines.contains { $0.contains("arr_0") || $0.contains("one row") })
  }

  @Test func aBatchOfOneVideoIsTheVideo() throws {
    try both("plain.npz")
    try write("resnet", "batch.npz", [1, 4, 2])
    try write("slowfast", "batch.npy", [1, 4, 3])
    let made = try make()
    #expect(made.names == ["batch", "plain"] && made.lines.isEmpty && made.report.frames == 8)
  }

  @Test func everythingTurnedIsRefusedBeforeWorkBegins() throws {
    for (number, name) in ["a", "b", "c"].enumerated() {
      try write("resnet", name + ".npz", [7, 4 + number])
      try write("slowfast", name + ".npz", [7, 4 + number])
    }
    let error = try #require(throws: DataError.self) { try make() }
    #expect(error.problem.contains("every file of resnet has 7 rows") && error.cure != nil)
  }

  @Test func messagesEndOnce() throws {
    try both("good.npz")
    try write("resnet", "bad.npz", [4, 2, 5])
    try write("slowfast", "bad.npz", [4, 3])
    for line in try make().lines { #expect(!line.contains("..") && !line.hasSuffix("."), "\(line)") }
    try FileManager.default.removeItem(atPath: path("resnet", "good.npz"))
    let scratch = try TemporaryFolder()
    let source = VideoStoreOptions.Source.folder(self.scratch.path("features"))
    let options = VideoStoreOptions(source: source, output: scratch.path("db"), dataset: "x")
    let error = try #require(throws: DataError.self) { try VideoStoreBuilder(options).run() }
    #expect("\(error)".contains("none of its 2 videos") && !"\(error)".contains(".. "))
  }

  @Test func namesThatPartsSpellOtherwiseAreTold() throws {
    try both("good.npz")
    try write("resnet", "Clip.mp4.npz", [4, 2])
    try write("slowfast", "clip.npz", [4, 3])
    let made = try make()
    #expect(made.names == ["good"])
    #expect(made.lines.contains { $0.contains("\"Clip.mp4\" and \"clip\" look like one video, whose") })
  }

  /// A whole file whose compression libzip does not know is not called damaged.
  ///
  /// The test replaces LZMA, which some versions of libzip know, by an unknown method.
  @Test func otherCompressionIsNamed() throws {
    for name in ["good.npz", "bad.npz"] { try both(name) }
    let archive = """
      UEsDBD8AAgAOAAAAIQBM++8WXAAAAJAAAAAMAAAAZmVhdHVyZXMubnB5CQQFAF0AAIAAAEmThqTe04J5alsNIzg2\
      q52dTE3u423DHetnImbuHKRAuviZ10knJuIXLXlpMzluRyU2vPz8lQiX+BMuY/3EVB94NMQlD6sgjHzzA7Wr//5M\
      p4BQSwECPwM/AAIADgAAACEATPvvFlwAAACQAAAADAAAAAAAAAAAAAAAgAEAAAAAZmVhdHVyZXMubnB5UEsFBgAA\
      AAABAAEAOgAAAIYAAAAAAA==
      """
    var bytes = [UInt8](try #require(Data(base64Encoded: archive)))
    // The method stands in the entry's own header and in the archive's central directory.
    for place in [8, 144] {
      try #require(bytes[place] == 14)
      bytes[place] = 97
    }
    try Data(bytes).write(to: URL(fileURLWithPath: path("resnet", "bad.npz")))
    let made = try make()
    #expect(made.names == ["good"] && made.lines.count == 1)
    let line = try #require(made.lines.first)
    #expect(line.contains("Compression method not supported") && line.contains("Save it"))
    #expect(!line.contains("damaged"))
  }

  /// One clip under two names is stored as two videos, and a notice says so.
  @Test func aClipThatIsThereUnderTwoNamesIsTold() throws {
    for name in ["good", "clip", "clip.mp4"] { try both(name + ".npz") }
    let made = try make()
    #expect(made.names == ["clip", "clip.mp4", "good"])
    #expect(made.lines.count == 1)
    #expect(
      made.lines[0].contains("\"clip\" and \"clip.mp4\" look like one video; both are stored, as two"))
  }

  /// Links to a folder above are not followed, since each would list all files again.
  @Test func linksThatGoInCircles() throws {
    for name in ["a.npz", "b.npz"] { try both(name) }
    for kind in ["resnet", "slowfast"] {
      try FileManager.default.createSymbolicLink(atPath: path(kind, "loop"), withDestinationPath: "..")
      try FileManager.default.createSymbolicLink(atPath: path(kind, "system"), withDestinationPath: "/")
    }
    let made = try make()
    #expect(made.names == ["a", "b"])
    #expect(made.lines.count == 4, "\(made.lines)")
    #expect(made.lines.allSatisfy { $0.contains("is a link to a folder that it lies in") }, "\(made.lines)")
  }

  /// Rows of zeros are kept, since videos have black frames.
  ///
  /// A video with no other rows is reported.
  @Test func featuresThatAreZero() throws {
    try both("good.npz")
    try write("resnet", "zero.npz", [4, 2])
    let zeros = NDArray(floats: [Float](repeating: 0, count: 12), shape: [4, 3])
    let bytes = try NPZ.encode([(name: "features", array: zeros)], compress: false)
    try Data(bytes).write(to: URL(fileURLWithPath: path("slowfast", "zero.npz")))
    let made = try make()
    #expect(made.names == ["good", "zero"])
    #expect(
      made.lines == ["video \"zero\": its slowfast features are all 0, as where an extraction failed"],
      "\(made.lines)")
  }
}
