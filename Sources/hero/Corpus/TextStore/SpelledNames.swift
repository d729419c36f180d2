import Formats

/// The ids and video names of an annotation that are not ASCII, two of which may look the same.
struct SpelledNames {
  private var ids: [String] = []
  private var videos = Set<Name>()

  mutating func add(_ id: String, _ video: String?) {
    if !id.utf8.allSatisfy({ $0 < 0x80 }) { ids.append(id) }
    if let video, !video.utf8.allSatisfy({ $0 < 0x80 }) { videos.insert(Name(video)) }
  }

  /// Returns a line for ids, and one for videos, that differ only in their Unicode normalization.
  func notes(in file: String) -> [String] {
    [ids, videos.map(\.text).sortedByBytes()].compactMap { Normalization.note(among: $0, in: file) }
  }
}
