import Formats

/// The captions of one clip, a line of TVC's files: `{"vid_name", "clip_id", "ts", "descs":
/// [{"desc"}]}`.
public struct CaptionRow: Sendable, Equatable {
  /// `vid_name`
  public var video: String
  /// `clip_id`
  public var clip: QueryID
  /// The start and end of the clip in seconds, as in the file; nil if it is the whole video.
  public var times: [Double]?
  /// `descs`, as written; annotations may have several.
  public var captions: [String]

  /// - Parameter times: start and end in seconds; nil for the whole video.
  public init(video: String, clip: QueryID, times: [Double]?, captions: [String]) {
    self.video = video
    self.clip = clip
    self.times = times
    self.captions = captions
  }

  /// Reads one line. A row without `descs`, as in hidden test splits, has no captions.
  public init(json row: JSON) throws {
    let clip = try QueryID(in: row, "clip_id")
    let video = row["vid_name"] ?? .null
    guard video.isNull || video.string != nil else {
      throw DataError("\"vid_name\" is \(video.kind), not text", place: "clip \(clip)")
    }
    self.init(video: video.string ?? "", clip: clip, times: nil, captions: [])
    if let ts = row["ts"], ts != .null {
      guard let span = TimeSpan(ts) else {
        throw DataError(
          "\"ts\" is \(ts.shown), not [start, end] in seconds", place: "clip \(clip)")
      }
      times = [span.start, span.end]
    }
    guard let descriptions = row["descs"], descriptions != .null else { return }
    guard let list = descriptions.array else {
      throw DataError("\"descs\" is \(descriptions.kind), not a list", place: "clip \(clip)")
    }
    captions = try list.map { description in
      guard let caption = description["desc"]?.string ?? description.string else {
        throw DataError("an entry of \"descs\" has no text \"desc\"", place: "clip \(clip)")
      }
      return caption
    }
  }

  /// The line's object, with its keys in TVC's order.
  public var json: JSON {
    var row: JSONObject = ["vid_name": .string(video), "clip_id": clip.json]
    if let times { row["ts"] = .array(times.map { .double($0) }) }
    row["descs"] = .array(captions.map { ["desc": .string($0)] })
    return .object(row)
  }

  /// Reads a file with one row a line, or with one list of rows.
  ///
  /// - Parameter onSkip: is called for each row that cannot be used, which is skipped; nil ends the
  ///   reading at the first.
  /// - Throws: `DataError` if the file cannot be read, or none of its rows.
  public static func read(
    path: String, onSkip: ((_ place: String, _ error: DataError) -> Void)? = nil
  ) throws -> [CaptionRow] {
    var rows: [CaptionRow] = []
    try JSONLines.read(path: path) { line, value in
      for row in value.array ?? [value] {
        do {
          rows.append(try CaptionRow(json: row))
        } catch let error as DataError {
          guard let onSkip else { throw error }
          onSkip("line \(line)", error)
        }
      }
    }
    guard !rows.isEmpty else {
      throw DataError("holds no captions", file: path, cure: "Give a file with one clip a line")
    }
    return rows
  }

  /// Writes TVC's result file, one row a line.
  public static func write(_ rows: [CaptionRow], to path: String) throws {
    let file = try AtomicFile(path: path)
    for row in rows { try file.write(row.json.encoded() + "\n") }
    try file.commit()
  }
}
