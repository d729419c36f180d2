import Formats

/// Checks of an index's numbers for all its readers, as an index may come from anywhere.
enum IndexChecks {
  /// The valid seconds between frames: from a millisecond to some hours.
  static let intervals = 1e-3...1e4

  /// Checks the seconds between frames.
  ///
  /// - Throws: `DataError` for an interval that no features have.
  static func require(frameInterval: Double, file: String) throws {
    guard intervals.contains(frameInterval) else {
      throw DataError(
        "its head says \(frameInterval) seconds between frames, where \(intervals.lowerBound) to "
          + "\(intervals.upperBound) make sense", file: file,
        cure: "Make the index again with 'hero index'")
    }
  }

  /// Checks the sequence number of a slot.
  ///
  /// - Throws: `DataError` for a number so large that it might overflow.
  static func require(_ slot: IndexSlot, file: MappedFile) throws {
    guard slot.sequence < 1 << 62 else {
      throw DataError(
        "says that it was written \(slot.sequence) times", file: file.path,
        cure: "The file is damaged: copy it again, or make it again")
    }
  }

  /// Checks the duration of an entry.
  ///
  /// - Parameter text: the offset in the file of the names of the entry's segment.
  /// - Throws: `DataError` naming a video whose duration is invalid.
  static func require(_ entry: IndexEntry, in file: MappedFile, text: Int) throws {
    guard isDuration(entry.duration) else {
      let name = String(
        decoding: try file.bytes(at: text + entry.name.lowerBound, count: entry.name.count), as: UTF8.self)
      throw DataError(
        "lasts \(entry.duration) seconds, which is no length of a video", file: file.path,
        place: "video \"\(name)\"", cure: "Make the index again with 'hero index'")
    }
  }

  /// Returns whether a number can be the duration of a video in seconds.
  static func isDuration(_ seconds: Double) -> Bool { seconds >= 0 && TimeSpan.isTime(seconds) }
}
