import Formats
import Foundation

/// Makes one index of an index and what was encoded for it beside it.
enum IndexMerging {
  /// Whether a merged index is searched faster: one that has codes of an older version, or so many
  /// small segments that one whose segments are full reads faster. One that fits into a single
  /// segment always has just one, so that a small library's index is the same in whichever order it
  /// grew.
  static func isWorthwhile(_ index: IndexFile) -> Bool {
    let (segments, bytes) = (index.segments.count, index.length)
    if index.oldFrames > 0 { return true }
    return segments > 1
      && (bytes <= IndexWriter.segmentBytes
        || segments > 8 && bytes / segments < IndexWriter.segmentBytes / 4)
  }

  /// Whether there is room beside an index for a merged one, whose codes may be larger. An index
  /// that stays as it is lacks nothing.
  static func hasRoom(_ index: IndexFile) -> Bool {
    let bytes = index.length + index.length / 4
    return (try? DiskSpace.require(bytes, in: folder(of: index), for: "the merged index")) != nil
  }

  private static func folder(of index: IndexFile) -> String {
    URL(fileURLWithPath: index.path).deletingLastPathComponent().path
  }

  /// A writer of what is encoded beside an index, and the videos that an earlier run left there.
  /// What cannot lie beside this model's videos goes.
  static func sideWriter(at path: String, head: IndexHead) throws -> (
    writer: IndexWriter, known: [Name: Int]
  ) {
    if let old = try? IndexFile(path: path), (try? old.head.requireAddable(head, file: path)) == nil {
      unlink(path)
    }
    let writer = try IndexWriter(path: path, head: head)
    return (writer, try places(in: IndexFile(path: path)))
  }

  private static func places(in index: IndexFile) throws -> [Name: Int] {
    var places: [Name: Int] = [:]
    for number in 0..<index.count { places[try index.name(of: number)] = number }
    return places
  }

  /// Puts a merged index into the place of `index`.
  /// - Parameters:
  ///   - side: what was encoded anew; it counts before what `index` has of the same videos.
  ///   - order: names of videos, those that come first. Others follow as they lie in `index`.
  ///   - removed: names of videos that are left out.
  ///   - refreshed: what is to be known of videos whose encoding stays.
  static func merge(
    _ index: IndexFile, _ side: IndexFile?, order: [String], without removed: Set<Name>,
    refreshed: [Name: IndexedVideo]
  ) throws {
    let path = "\(index.path).merging"
    let space = index.length + (side?.length ?? 0)
    try DiskSpace.require(space, in: folder(of: index), for: "the merged index")
    // What a killed run left.
    if (try? IndexFile(path: path)) != nil { unlink(path) }
    let writer = try IndexWriter(path: path, head: index.head)
    do {
      let (old, new) = (try places(in: index), try side.map(places) ?? [:])
      let first = Set(order.lazy.map { Name($0) })
      let rest = try (0..<index.count).map { try index.name(of: $0) }.filter { !first.contains($0) }
      for name in order + rest where !removed.contains(name) {
        if let side, let number = new[name] {
          try writer.copy(number, of: side, as: try refreshed[name] ?? side.video(number))
        } else if let number = old[name] {
          try writer.copy(number, of: index, as: try refreshed[name] ?? index.video(number))
        }
      }
      try writer.commit()
    } catch {
      unlink(path)
      throw error
    }
    guard rename(path, index.path) == 0 else { throw DataError.system("write", file: index.path) }
    OutputFolder.synchronize(folder(of: index))
  }
}
