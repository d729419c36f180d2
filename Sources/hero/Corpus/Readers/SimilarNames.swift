import Formats

/// A search for missing names of videos that are present in another spelling.
///
/// The spellings differ in Unicode normalization, in the extension of a video file, in
/// ActivityNet's prefix `v_` or in case.
enum SimilarNames {
  /// The most missing names to search for; a message shows one of them.
  private static let mostMissing = 1000

  /// Returns a clause about a missing name that is present in another spelling, or nil.
  static func hint(missing: [String], among known: some Sequence<String>) -> String? {
    if let hint = Normalization.hint(missing: missing, among: known) { return hint }
    var wanted: [Name: String] = [:]
    for name in missing.prefix(mostMissing) { wanted[key(name)] = name }
    guard !wanted.isEmpty else { return nil }
    for name in known {
      guard let own = wanted[key(name)], !own.hasSameBytes(as: name) else { continue }
      return "\(own.spelled) is perhaps \(name.spelled) there; write names alike in both"
    }
    return nil
  }

  private static func key(_ name: String) -> Name {
    let plain = VideoFileName.stem(of: name).lowercased()
    return Name(plain.hasPrefix("v_") ? String(plain.dropFirst(2)) : plain)
  }
}

/// The names of video files.
enum VideoFileName {
  private static let extensions: Set<String> = [
    "mov", "avi", "mp4", "mpg", "mpeg", "m4v", "3gp", "3g2", "wmv", "mts", "m2ts", "mkv", "flv", "webm",
    "ogg", "ogv",
    "asf", "m2t", "mod", "divx", "vob", "qt",
  ]

  /// Returns a video file's name without its extension; any other dot belongs to the name.
  static func stem(of video: String) -> String {
    guard let dot = video.utf8.lastIndex(of: UInt8(ascii: ".")) else { return video }
    let suffix = video[video.utf8.index(after: dot)...].lowercased()
    return suffix.isEmpty || extensions.contains(suffix) ? String(video[..<dot]) : video
  }
}
