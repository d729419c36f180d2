import Formats
import Foundation

/// The store that is being written, and the files beside it.
final class VideoStoreOutput {
  private let folder: OutputFolder
  private let store: LMDBWriter
  /// The file of frame counts, which appears only with the complete store; nil if there is one
  /// already.
  private let counts: JSONObjectFile?
  /// The frame counts in an existing `id2nframe.json`, which another store of the same videos has.
  private let existingCounts: [Name: Int]
  private let countsPath: String
  private let corruptedPath: String
  private var report: VideoStoreReport
  /// The most bytes of a key in LMDB.
  private static let longestKey = 511

  private let parts: [String]
  private let widths: FeatureWidths
  private var firstProblem: String?

  init(folder: OutputFolder, datasetFolder: String, parts: [String], widths: FeatureWidths) throws {
    self.folder = folder
    (self.parts, self.widths) = (parts, widths)
    // Readers take a file that exists already.
    countsPath =
      FrameCountFile.names(store: folder.path).map { "\(datasetFolder)/\($0)" }
      .first { FileManager.default.fileExists(atPath: $0) } ?? "\(datasetFolder)/\(FrameCountFile.plain)"
    corruptedPath = datasetFolder + "/corrupted.json"
    report = VideoStoreReport(path: folder.path)
    store = try LMDBWriter(path: folder.partial)
    if FileManager.default.fileExists(atPath: countsPath) {
      existingCounts = try IdentifierTable.frameCounts(
        path: countsPath, limit: .max, cure: "Move the file away")
      counts = nil
    } else {
      existingCounts = [:]
      counts = try JSONObjectFile(path: countsPath)
    }
  }

  /// Adds a video's entries.
  /// - Throws: `UnreadableVideo` if its width differs from that of the others, or its name is no
  ///   key. `DataError` if it cannot be written, or if an existing `id2nframe.json` has another
  ///   count.
  func put(_ video: FeatureEncoder.Encoded, video name: String) throws {
    for (part, (width, most)) in zip(parts, zip(video.widths, widths.majority)) {
      guard let most, width != most else { continue }
      let turned = video.entries.reduce(0) { $0 + $1.frames } == most
      throw UnreadableVideo(
        "its \(part) frames are \(width) wide, those of most videos \(most)"
          + (turned ? "; its rows and columns look exchanged" : ""))
    }
    if report.entries > 0, video.width != report.width {
      throw UnreadableVideo("its frames are \(video.width) wide, those before \(report.width)")
    }
    if let key = video.entries.map(\.key).first(where: { !(1...Self.longestKey).contains($0.utf8.count) }) {
      throw UnreadableVideo("a name must have 1 to \(Self.longestKey) bytes, this one has \(key.utf8.count)")
    }
    report.width = video.width
    for entry in video.entries {
      try store.put(entry.key, entry.value)
      if let counts {
        try counts.append(entry.key, .int(entry.frames))
      } else if existingCounts[entry.key] != entry.frames {
        let known = existingCounts[entry.key].map { "\($0) frames" } ?? "nothing"
        throw DataError(
          "it says \(known) where the features have \(entry.frames)", file: countsPath,
          place: "video \"\(entry.key)\"", cure: "Give another dataset or output, or move what is there away")
      }
      report.entries += 1
      report.frames += entry.frames
    }
  }

  /// Records a video that is skipped.
  func skip(_ name: String, because reason: String? = nil) {
    firstProblem = firstProblem ?? reason
    report.corrupted.append(name)
  }

  /// Moves everything to its final name, the store last.
  func finish(source: String) throws -> VideoStoreReport {
    guard report.entries > 0 else {
      throw DataError(
        "none of its \(report.corrupted.count) videos can be read"
          + (firstProblem.map { "; the first: \($0)" } ?? ""), file: source,
        cure: "Check that the feature files are whole, with an array “features” in each")
    }
    try store.finish()
    if let counts {
      try counts.finish()
    } else if existingCounts.count > report.entries {
      let missing = existingCounts.count - report.entries
      report.notes.append(
        "\(countsPath) was there and is kept; it also lists \(missing) that are not in this store")
    }
    try writeCorrupted()
    try folder.commit()
    return report
  }

  /// Adds the skipped videos to `corrupted.json`, which may hold those of another store of the
  /// dataset.
  private func writeCorrupted() throws {
    guard !report.corrupted.isEmpty else { return }
    var names: [JSON] = []
    if FileManager.default.fileExists(atPath: corruptedPath) {
      guard let list = try JSON.read(path: corruptedPath).array else {
        throw DataError("is no list of names", file: corruptedPath, cure: "Move the file away")
      }
      names = list
    }
    let known = Set(names.compactMap { $0.string.map { Name($0) } })
    names += report.corrupted.filter { !known.contains($0) }.map(JSON.string)
    try AtomicFile.write(JSON.array(names).encoded(style: .python), to: corruptedPath)
  }
}
