/// What some work costs as one thing about it grows.
public struct ScalingSeries: Sendable {
  /// What grows.
  public enum Axis: String, Sendable, CaseIterable {
    case batch, length, threads, corpus

    /// What its numbers count.
    public var unit: String {
      switch self {
      case .batch: "videos"
      case .length: "frames"
      case .threads: "threads"
      case .corpus: "clips"
      }
    }
  }

  public struct Point: Sendable {
    public var value: Int
    /// Of one piece of work: an update, an encoding, a query.
    public var seconds: Double
    /// Operations of products; 0 where they are not counted.
    public var operations: Int
    /// Bytes of memory held at most so far.
    public var memory: Int

    public init(value: Int, seconds: Double, operations: Int = 0, memory: Int = 0) {
      (self.value, self.seconds, self.operations, self.memory) = (value, seconds, operations, memory)
    }
  }

  public let axis: Axis
  /// What is timed.
  public let name: String
  /// Of what size all else is.
  public let what: String
  public var points: [Point] = []
  /// What was left out, and why.
  public var remarks: [String] = []

  public init(axis: Axis, name: String, what: String) {
    (self.axis, self.name, self.what) = (axis, name, what)
  }
}
