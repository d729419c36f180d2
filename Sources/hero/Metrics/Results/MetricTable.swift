import Foundation

/// Metrics in groups, in the order in which they are reported.
public struct MetricTable: Sendable, Equatable {
  /// One group, such as `VCMR` or `SVMR_by_type`, and its metrics, such as `0.5-r1`.
  public struct Group: Sendable, Equatable {
    public var name: String
    public var metrics: [(name: String, value: Double)]

    public static func == (a: Group, b: Group) -> Bool {
      a.name == b.name && a.metrics.elementsEqual(b.metrics) { $0.name == $1.name && $0.value == $1.value }
    }
  }

  public var groups: [Group] = []

  public init(groups: [Group] = []) {
    self.groups = groups
  }

  /// The value of one metric, or nil.
  public subscript(group: String, name: String) -> Double? {
    groups.first { $0.name == group }?.metrics.first { $0.name == name }?.value
  }

  /// The metrics by the reference's names, as it logs them: `valid_val_VCMR_nms_0.5/VCMR_0.5-r1`.
  ///
  /// - Parameters:
  ///   - prefix: comes before the group, such as `valid_val`.
  ///   - suffix: comes after it, such as `nms_0.5` for the metrics after non-maximum suppression.
  public func flattened(prefix: String, suffix: String? = nil) -> [(name: String, value: Double)] {
    groups.flatMap { group in
      let head = [prefix, group.name].joined(separator: "_") + (suffix.map { "_\($0)" } ?? "")
      return group.metrics.map { ("\(head)/\(group.name)_\($0.name)", $0.value) }
    }
  }

  /// A share as a percentage of two decimals, rounded as Python's `round` does: the nearest decimal to the
  /// binary number, an exact tie to the even digit.
  public static func percentage(_ share: Double) -> Double {
    let percent = share * 100
    let printed = String(format: "%.2f", percent)
    return Double(printed) ?? percent
  }
}
