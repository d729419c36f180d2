/// What the server answers at, besides the page's own files. `openapi.json` says what each takes
/// and gives.
enum SiteAddress: String, CaseIterable {
  /// What is searched.
  case index = "/api/index"
  /// The best moments for a query.
  case search = "/api/search"
  /// The videos of the index.
  case videos = "/api/videos"
  /// The queries of a split with their answers.
  case split = "/api/split"
  /// A video's length, file and subtitles.
  case video = "/api/video/{number}"
  /// How a query fits a video, frame by frame.
  case align = "/api/align/{number}"
  /// A moment in words.
  case describe = "/api/describe/{number}"
  /// Which answer to a question about a video is right.
  case ask = "/api/ask/{number}"
  /// A video's file, by ranges.
  case media = "/media/{number}"
  /// A moment of a video as a file of its own.
  case cut = "/cut/{number}"
  /// A picture of a video at a time.
  case thumbnail = "/thumbnail/{number}"
  /// A video's subtitles for a player.
  case subtitles = "/subtitles/{number}"
  /// This list, as OpenAPI describes it.
  case openAPI = "/openapi.json"

  /// The address of a path and what stands in the place of its number; nil where there is none.
  static func of(_ path: String) -> (address: SiteAddress, number: String)? {
    if let address = SiteAddress(rawValue: path) { return (address, "") }
    guard let slash = path.lastIndex(of: "/"), path.index(after: slash) < path.endIndex,
      path[path.index(after: slash)] != "{",
      let address = SiteAddress(rawValue: path[...slash] + "{number}")
    else { return nil }
    return (address, String(path[path.index(after: slash)...]))
  }
}
