/// A stretch of a video.
public struct TimeSpan: Equatable, Sendable {
  /// Seconds from the video's start.
  public var start: Double
  /// Seconds from the video's start.
  public var end: Double

  public init(start: Double, end: Double) {
    self.start = start
    self.end = end
  }

  /// Whether a number can be a time in a video: finite, and small enough to be counted in frames.
  public static func isTime(_ seconds: Double) -> Bool { seconds.magnitude < 1e9 }

  /// The span that two times are, or nil.
  public init?(_ field: MessagePack?) {
    guard let pair = field?.array, pair.count == 2, let start = pair[0].double, let end = pair[1].double,
      Self.isTime(start), Self.isTime(end)
    else { return nil }
    self.init(start: start, end: end)
  }

  /// The span that two times are, or nil.
  public init?(_ field: JSON?) {
    guard let pair = field?.array, pair.count == 2, let start = pair[0].double, let end = pair[1].double,
      Self.isTime(start), Self.isTime(end)
    else { return nil }
    self.init(start: start, end: end)
  }

  /// The span of a text "start-end"; nil if it does not parse, as "nan-nan" does not.
  public init?(_ text: String) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2,
      let start = Double(parts[0].trimmingASCIISpace), let end = Double(parts[1].trimmingASCIISpace),
      Self.isTime(start), Self.isTime(end)
    else { return nil }
    self.init(start: start, end: end)
  }
}

extension Substring {
  fileprivate var trimmingASCIISpace: String {
    var text = self
    while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
    while let last = text.last, last == " " || last == "\t" || last == "\n" { text.removeLast() }
    return String(text)
  }
}
