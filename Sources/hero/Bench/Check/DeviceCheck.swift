import Engine
import Formats
import Foundation
import Model

/// A comparison of a device with the CPU: every operation with its gradients, and model updates.
package struct DeviceCheck {
  /// The result of one comparison.
  package struct Row: Sendable {
    package let name: String
    /// The largest relative error among results and gradients: ‖device − CPU‖ / ‖CPU‖.
    package let error: Double
    package let tolerance: Double
    /// The seconds of one forward and backward pass, on the device and on the CPU.
    package let seconds: (device: Double, cpu: Double)

    package var passes: Bool { error <= tolerance }

    package var json: JSON {
      .object([
        "name": .string(name), "error": .double(error), "tolerance": .double(tolerance),
        "seconds": .double(seconds.device), "cpu_seconds": .double(seconds.cpu), "passes": .bool(passes),
      ])
    }
  }

  /// The amount of work in an operation.
  package enum Size: String, CaseIterable, Sendable {
    /// The sizes of a full-size model.
    case full
    /// Enough to reach every branch.
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

  /// The tolerance for reordered float32 sums, TF32's 10 mantissa bits or bfloat16's 7.
  var tolerance: Double {
    switch device.precision {
    case .fp32: 2e-4
    case .tf32: 5e-3
    case .bf16, .int8: 4e-2
    }
  }

  /// The tolerance for the losses of many updates, in which differences grow.
  var trainingTolerance: Double {
    switch device.precision {
    case .fp32: 1e-4
    case .tf32: 3e-2
    case .bf16, .int8: 1e-1
    }
  }

  /// Makes every comparison and passes each row to `report` when it is done.
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

  /// Returns ‖a − b‖ / ‖b‖, or infinity if a value is NaN or missing.
  func distance(_ a: [Float], _ b: [Float]) -> Double {
    guard a.count == b.count else { return .infinity }
    var (difference, size) = (0.0, 0.0)
    for (x, y) in zip(a, b) {
      // Equal infinities do not differ.
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
