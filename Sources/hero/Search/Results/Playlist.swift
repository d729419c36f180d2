import Formats

/// Moments as what players open.
public enum Playlist {
  /// An extended M3U list; VLC begins and ends each entry at its moment.
  /// - Throws: `DataError` where no moment has a file.
  public static func m3u(_ moments: [FoundMoment]) throws -> String {
    let lines = moments.flatMap { moment -> [String] in
      guard let file = playable(moment) else { return [] }
      let title = moment.subtitle.isEmpty ? moment.video.name : "\(moment.video.name): \(moment.subtitle)"
      return [
        "#EXTINF:\(Int((moment.end - moment.start).rounded(.up))),\(oneLine(title))",
        "#EXTVLCOPT:start-time=\(moment.start)", "#EXTVLCOPT:stop-time=\(moment.end)", file.path,
      ]
    }
    try requireFiles(lines.isEmpty && !moments.isEmpty)
    return (["#EXTM3U"] + lines).joined(separator: "\n")
  }

  /// An edit list of mpv: the moments one after another as if they were one film. Its starts are
  /// times of the files' own clocks, unlike those that players show.
  /// - Throws: `DataError` where no moment has a file.
  public static func edl(_ moments: [FoundMoment]) throws -> String {
    let lines = moments.compactMap { moment -> String? in
      guard let file = playable(moment) else { return nil }
      let path = file.path
      // The length before a name lets it hold any character.
      return
        "%\(path.utf8.count)%\(path),start=\(file.start + moment.start),length=\(moment.end - moment.start)"
    }
    try requireFiles(lines.isEmpty && !moments.isEmpty)
    return (["# mpv EDL v0"] + lines).joined(separator: "\n")
  }

  /// A line that tells of moments which a list cannot hold; nil where it holds all, or none.
  public static func leftOut(of moments: [FoundMoment]) -> String? {
    let others = moments.filter { playable($0) == nil }
    guard let first = others.first, others.count < moments.count else { return nil }
    return "\(others.count) moments are left out, the first of \(first.video.name): "
      + "the index names no file of their videos, or one with the end of a line in its name"
  }

  private static func playable(_ moment: FoundMoment) -> IndexedVideo.MediaFile? {
    moment.video.file.flatMap { $0.path.contains(where: \.isNewline) ? nil : $0 }
  }

  private static func requireFiles(_ isMissing: Bool) throws {
    guard isMissing else { return }
    throw DataError(
      "the index names no files to play", cure: "Make the index with --video-files, or from --videos")
  }

  private static func oneLine(_ text: String) -> String {
    text.split(whereSeparator: \.isNewline).joined(separator: " ")
  }
}
