import Formats

/// Names of videos that are not found, though one that a person would take for it is there: of
/// another Unicode normalization, with the ending of a video's file or without it, with
/// ActivityNet's `v_` or without it, or in other case.
enum SimilarNames {
  /// Names that are looked for; messages tell one.
  private static let mostMissing = 1000

  /// What of the missing is there under another name, as a clause; nil where nothing is.
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

/// The names of videos' files.
enum VideoFileName {
  private static let extensions: Set<String> = [
    "mov", "avi", "mp4", "mpg", "mpeg", "m4v", "3gp", "3g2", "wmv", "mts", "m2ts", "mkv", "flv", "webm",
    "ogg", "ogv",
    "asf", "m2t", "mod", "divx", "vob", "qt",
  ]

  /// A video file's name without its extension; a dot may also belong to the name.
  static func stem(of video: String) -> String {
    guard let dot = video.utf8.lastIndex(of: UInt8(ascii: ".")) else { return video }
    let suffix = video[video.utf8.index(after: dot)...].lowercased()
    return suffix.isEmpty || extensions.contains(suffix) ? String(video[..<dot]) : video
  }
}
