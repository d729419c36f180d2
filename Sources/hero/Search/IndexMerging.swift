import Formats
import Foundation

/// Merges an index with the videos that were encoded beside it.
enum IndexMerging {
  /// Returns whether merging makes an index faster to search.
  ///
  /// It does if codes have an older version, or if many segments are small. An index that fits into
  /// one segment is always merged into one. So a small index does not depend on the order of
  /// additions.
  static func isWorthwhile(_ index: IndexFile) -> Bool {
    let (segments, bytes) = (index.segments.count, index.length)
    if index.oldFrames > 0 { return true }
    return segments > 1
      && (bytes <= IndexWriter.segmentBytes
        || segments > 8 && bytes / segments < IndexWriter.segmentBytes / 4)
  }

  /// Returns whether the disk has room for a merged index, whose codes may be larger.
  ///
  /// Skipping the merge loses nothing but speed.
  static func hasRoom(_ index: IndexFile) -> Bool {
    let bytes = index.length + index.length / 4
    return (try? DiskSpace.require(bytes, in: folder(of: index), for: "the merged index")) != nil
  }

  private static func folder(of index: IndexFile) -> String {
    URL(fileURLWithPath: index.path).deletingLastPathComponent().path
  }

  /// Returns a writer for the side index, and the videos that an earlier run left there.
  ///
  /// Deletes a side index whose videos cannot be added to this model's.
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

  /// Replaces `index` by a merged index.
  /// - Parameters:
  ///   - side: the newly encoded videos, which replace the same videos of `index`.
  ///   - order: names of videos that come first. The others follow in the order of `index`.
  ///   - removed: names of videos to leave out.
  ///   - refreshed: new information about videos whose encoding stays.
  static func merge(
    _ index: IndexFile, _ side: IndexFile?, order: [String], without removed: Set<Name>,
    refreshed: [Name: IndexedVideo]
  ) throws {
    let path = "\(index.path).merging"
    let space = index.length + (side?.length ?? 0)
    try DiskSpace.require(space, in: folder(of: index), for: "the merged index")
    // A killed run may have left this file.
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
