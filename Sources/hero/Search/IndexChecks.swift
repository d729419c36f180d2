import Formats

/// What the numbers of an index must be for everybody who reads them: an index may come from
/// anywhere.
enum IndexChecks {
  /// Seconds between frames: from a thousandth to some hours.
  static let intervals = 1e-3...1e4

  /// - Throws: `DataError` for seconds between frames that no features have.
  static func require(frameInterval: Double, file: String) throws {
    guard intervals.contains(frameInterval) else {
      throw DataError(
        "its head says \(frameInterval) seconds between frames, where \(intervals.lowerBound) to "
          + "\(intervals.upperBound) make sense", file: file,
        cure: "Make the index again with 'hero index'")
    }
  }

  /// - Throws: `DataError` for a slot whose numbers cannot be counted on from.
  static func require(_ slot: IndexSlot, file: MappedFile) throws {
    guard slot.sequence < 1 << 62 else {
      throw DataError(
        "says that it was written \(slot.sequence) times", file: file.path,
        cure: "The file is damaged: copy it again, or make it again")
    }
  }

  /// - Parameter text: where the names of the entry's segment lie in the file.
  /// - Throws: `DataError` naming a video whose length is no time.
  static func require(_ entry: IndexEntry, in file: MappedFile, text: Int) throws {
    guard isDuration(entry.duration) else {
      let name = String(
        decoding: try file.bytes(at: text + entry.name.lowerBound, count: entry.name.count), as: UTF8.self)
      throw DataError(
        "lasts \(entry.duration) seconds, which is no length of a video", file: file.path,
        place: "video \"\(name)\"", cure: "Make the index again with 'hero index'")
    }
  }

  /// Whether a number can be the length of a video in seconds.
  static func isDuration(_ seconds: Double) -> Bool { seconds >= 0 && TimeSpan.isTime(seconds) }
}
