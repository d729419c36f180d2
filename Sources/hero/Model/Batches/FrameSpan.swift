/// First and last frame of a moment, counted from its video's start.
public struct FrameSpan: Equatable, Sendable {
  public var start: Int
  public var end: Int

  public init(start: Int, end: Int) {
    self.start = start
    self.end = end
  }

  /// A moment that nobody annotated.
  public static let unknown = FrameSpan(start: -1, end: -1)
}
