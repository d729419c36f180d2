/// First and last frame of a moment, counted from its video's start.
public struct FrameSpan: Equatable, Sendable {
  /// The first frame, from 0; −1 where unknown.
  public var start: Int
  /// The last frame, which is part of the moment; −1 where unknown.
  public var end: Int

  /// - Parameters:
  ///   - start: the first frame.
  ///   - end: the last frame.
  public init(start: Int, end: Int) {
    self.start = start
    self.end = end
  }

  /// A moment without an annotation.
  public static let unknown = FrameSpan(start: -1, end: -1)
}
