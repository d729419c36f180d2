import Formats

/// Moments as playlists.
public enum Playlist {
  /// Returns an extended M3U list; VLC begins and ends each entry at its moment.
  /// - Throws: `DataError` if no moment has a file.
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

  /// Returns an edit list of mpv, which plays the moments one after another as one film.
  ///
  /// Its starts are timestamps of the files, unlike the times that players show.
  /// - Throws: `DataError` if no moment has a file.
  public static func edl(_ moments: [FoundMoment]) throws -> String {
    let lines = moments.compactMap { moment -> String? in
      guard let file = playable(moment) else { return nil }
      let path = file.path
      // The length before a name allows any character in it.
      return
        "%\(path.utf8.count)%\(path),start=\(file.start + moment.start),length=\(moment.end - moment.start)"
    }
    try requireFiles(lines.isEmpty && !moments.isEmpty)
    return (["# mpv EDL v0"] + lines).joined(separator: "\n")
  }

  /// Returns a line about moments that a list cannot hold; nil if it holds all of them, or none.
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
