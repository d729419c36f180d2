/// The addresses that the server answers, besides the page's own files.
///
/// `openapi.json` describes the parameters and the answer of each.
enum SiteAddress: String, CaseIterable {
  /// The properties of the index.
  case index = "/api/index"
  /// The best moments for a query.
  case search = "/api/search"
  /// The videos of the index.
  case videos = "/api/videos"
  /// The queries of a split with their answers.
  case split = "/api/split"
  /// A video's length, file and subtitles.
  case video = "/api/video/{number}"
  /// The fit of a query with a video, frame by frame.
  case align = "/api/align/{number}"
  /// The caption of a moment.
  case describe = "/api/describe/{number}"
  /// The right answer to a question about a video.
  case ask = "/api/ask/{number}"
  /// A video's file, by byte ranges.
  case media = "/media/{number}"
  /// A moment of a video as a separate file.
  case cut = "/cut/{number}"
  /// A picture of a video at a time.
  case thumbnail = "/thumbnail/{number}"
  /// A video's subtitles for a player.
  case subtitles = "/subtitles/{number}"
  /// The OpenAPI description of these addresses.
  case openAPI = "/openapi.json"

  /// Returns the address of a path and the text in place of its number; nil for an unknown path.
  static func of(_ path: String) -> (address: SiteAddress, number: String)? {
    if let address = SiteAddress(rawValue: path) { return (address, "") }
    guard let slash = path.lastIndex(of: "/"), path.index(after: slash) < path.endIndex,
      path[path.index(after: slash)] != "{",
      let address = SiteAddress(rawValue: path[...slash] + "{number}")
    else { return nil }
    return (address, String(path[path.index(after: slash)...]))
  }
}
