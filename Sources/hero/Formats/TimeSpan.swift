import Foundation

/// A span of time in a video.
public struct TimeSpan: Equatable, Sendable {
  /// The start in seconds from the video's start.
  public var start: Double
  /// The end in seconds from the video's start.
  public var end: Double

  /// - Parameters:
  ///   - start: seconds from the video's start.
  ///   - end: seconds from the video's start.
  public init(start: Double, end: Double) {
    self.start = start
    self.end = end
  }

  /// Returns whether a number can be a time in a video: finite, and small enough to count in
  /// frames.
  public static func isTime(_ seconds: Double) -> Bool { seconds.magnitude < 1e9 }

  /// Reads a span from a list of its start and end; nil unless 0 ≤ start ≤ end.
  public init?(_ field: MessagePack?) { self.init(field?.array?.map(\.double)) }

  /// Reads a span from a list of its start and end; nil unless 0 ≤ start ≤ end.
  public init?(_ field: JSON?) { self.init(field?.array?.map(\.double)) }

  /// The maximum length in bytes of a text that states a span.
  private static let longestText = 200

  /// Parses a span from a text "start-end"; nil if it is malformed, as "nan-nan" is.
  public init?(_ text: String) {
    guard text.utf8.count <= Self.longestText else { return nil }
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    self.init(parts.map { Double($0.trimmingCharacters(in: .whitespacesAndNewlines)) })
  }

  /// Returns whether a text means an unmarked span: empty, or "nan-nan" as in TVQA.
  public static func isUnmarked(_ text: String) -> Bool {
    text.utf8.count <= longestText
      && text.split(separator: "-").allSatisfy {
        let part = $0.trimmingCharacters(in: .whitespacesAndNewlines).lowercased()
        return part.isEmpty || part == "nan"
      }
  }

  private init?(_ pair: [Double?]?) {
    guard let pair, pair.count == 2, let start = pair[0], let end = pair[1], Self.isTime(start),
      Self.isTime(end), 0 <= start, start <= end
    else { return nil }
    self.init(start: start, end: end)
  }
}
