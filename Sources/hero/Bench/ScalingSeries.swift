/// The cost of one kind of work as one of its sizes grows.
package struct ScalingSeries: Sendable {
  /// The size that grows.
  package enum Axis: String, Sendable, CaseIterable {
    case batch, length, threads, corpus

    /// The unit of the size.
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
    /// The seconds of one update, encoding or query.
    package var seconds: Double
    /// The operations of matrix products; 0 if not counted.
    package var operations: Int
    /// The peak memory until then, in bytes.
    package var memory: Int

    package init(value: Int, seconds: Double, operations: Int = 0, memory: Int = 0) {
      (self.value, self.seconds, self.operations, self.memory) = (value, seconds, operations, memory)
    }
  }

  package let axis: Axis
  /// The timed work, such as `update`.
  package let name: String
  /// The sizes that stay the same, such as `videos of 60 frames`.
  package let what: String
  package var points: [Point] = []
  /// The skipped measurements, each with its reason.
  package var remarks: [String] = []

  package init(axis: Axis, name: String, what: String) {
    (self.axis, self.name, self.what) = (axis, name, what)
  }
}
