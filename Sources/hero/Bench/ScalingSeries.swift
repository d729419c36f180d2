/// What some work costs as one thing about it grows.
package struct ScalingSeries: Sendable {
  /// What grows.
  package enum Axis: String, Sendable, CaseIterable {
    case batch, length, threads, corpus

    /// What its numbers count.
    package var unit: String {
      switch self {
      case .batch: "videos"
      case .length: "frames"
      case .threads: "threads"
      case .corpus: "clips"
      }
    }
  }

  package struct Point: Sendable {
    package var value: Int
    /// Of one piece of work: an update, an encoding, a query.
    package var seconds: Double
    /// Operations of products; 0 where they are not counted.
    package var operations: Int
    /// Bytes of memory held at most so far.
    package var memory: Int

    package init(value: Int, seconds: Double, operations: Int = 0, memory: Int = 0) {
      (self.value, self.seconds, self.operations, self.memory) = (value, seconds, operations, memory)
    }
  }

  package let axis: Axis
  /// What is timed.
  package let name: String
  /// Of what size all else is.
  package let what: String
  package var points: [Point] = []
  /// What was left out, and why.
  package var remarks: [String] = []

  package init(axis: Axis, name: String, what: String) {
    (self.axis, self.name, self.what) = (axis, name, what)
  }
}
