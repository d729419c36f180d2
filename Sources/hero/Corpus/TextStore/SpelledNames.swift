import Formats

/// Ids and videos of an annotation beyond ASCII, of which two may look the same.
struct SpelledNames {
  private var ids: [String] = []
  private var videos = Set<Name>()

  mutating func add(_ id: String, _ video: String?) {
    if !id.utf8.allSatisfy({ $0 < 0x80 }) { ids.append(id) }
    if let video, !video.utf8.allSatisfy({ $0 < 0x80 }) { videos.insert(Name(video)) }
  }

  /// A line for ids, and one for videos, that differ in their Unicode normalization only.
  func notes(in file: String) -> [String] {
    [ids, videos.map(\.text).sortedByBytes()].compactMap { Normalization.note(among: $0, in: file) }
  }
}
