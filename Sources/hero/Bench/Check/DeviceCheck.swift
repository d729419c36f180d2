import Engine
import Formats
import Foundation
import Model

/// Holds a device against the CPU: every operation with its gradients, and updates of a model.
package struct DeviceCheck {
  /// One thing that was compared.
  package struct Row: Sendable {
    package let name: String
    /// The norm of the difference, relative to that of the CPU's answer: the largest of the results
    /// and gradients.
    package let error: Double
    package let tolerance: Double
    /// Once through, forwards and backwards, on the device and on the CPU.
    package let seconds: (device: Double, cpu: Double)

    package var passes: Bool { error <= tolerance }

    package var json: JSON {
      .object([
        "name": .string(name), "error": .double(error), "tolerance": .double(tolerance),
        "seconds": .double(seconds.device), "cpu_seconds": .double(seconds.cpu), "passes": .bool(passes),
      ])
    }
  }

  /// How much work an operation is given.
  package enum Size: String, CaseIterable, Sendable {
    /// As in a full-size model.
    case full
    /// Enough to meet every branch.
    case small

    var rows: Int { self == .full ? 2000 : 40 }
    var width: Int { self == .full ? 768 : 32 }
    var heads: Int { self == .full ? 12 : 2 }
    var columns: Int { self == .full ? 5000 : 50 }
  }

  let device: any Backend
  let cpu: any Backend
  let size: Size

  package init(device: any Backend, cpu: any Backend, size: Size = .full) {
    (self.device, self.cpu, self.size) = (device, cpu, size)
  }

  /// What float32 sums in another order, TF32's 10 bits and bfloat16's 7 come to.
  var tolerance: Double {
    switch device.precision {
    case .fp32: 2e-4
    case .tf32: 5e-3
    case .bf16, .int8: 4e-2
    }
  }

  /// The same for the losses of many updates, in which differences grow.
  var trainingTolerance: Double {
    switch device.precision {
    case .fp32: 1e-4
    case .tf32: 3e-2
    case .bf16, .int8: 1e-1
    }
  }

  /// Everything; `report` hears of each row as it is done.
  package func run(updates: Int = 50, report: (Row) -> Void = { _ in }) -> [Row] {
    var rows: [Row] = []
    func add(_ row: Row) {
      rows.append(row)
      report(row)
    }
    for operation in operations { add(check(operation)) }
    for kind in OptimizerKind.allCases { add(check(kind)) }
    add(checkTraining(updates: updates))
    if device.link != nil { add(checkLink()) }
    return rows
  }

  /// ‖a − b‖ / ‖b‖; infinite where something is no number or missing.
  func distance(_ a: [Float], _ b: [Float]) -> Double {
    guard a.count == b.count else { return .infinity }
    var (difference, size) = (0.0, 0.0)
    for (x, y) in zip(a, b) {
      // Infinities that are equal do not differ.
      if x != y { difference += Double(x - y) * Double(x - y) }
      if y.isFinite { size += Double(y) * Double(y) }
    }
    let ratio = difference.squareRoot() / max(size.squareRoot(), 1e-6)
    return ratio.isNaN ? .infinity : ratio
  }

  func row(
    _ name: String, within tolerance: Double, _ run: (any Backend) -> (answers: [[Float]], seconds: Double)
  ) -> Row {
    let (answer, expected) = (run(device), run(cpu))
    let isWhole = answer.answers.count == expected.answers.count
    let error = zip(answer.answers, expected.answers).reduce(0) { max($0, distance($1.0, $1.1)) }
    return Row(
      name: name, error: isWhole ? error : .infinity, tolerance: tolerance,
      seconds: (answer.seconds, expected.seconds))
  }

  func seconds(on backend: any Backend, _ work: () -> Void) -> Double {
    backend.synchronize()
    let start = DispatchTime.now().uptimeNanoseconds
    work()
    backend.synchronize()
    return Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
  }
}
