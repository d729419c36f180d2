/// Runs operations and, while training, remembers how to go back through them.
///
/// One tape is one forward pass (a training step has as many as batches to accumulate). Saved tensors go back to the
/// backend's pool as the backward pass moves past them.
public final class Tape {
  public let backend: any Backend
  /// Whether gradients will be asked for; dropout happens only then.
  public let isTraining: Bool
  private let seed: UInt64
  private let step: UInt64
  private var dropouts: UInt32
  private var records: [Record] = []

  private struct Record {
    /// Nil for a loss, where the backward pass starts.
    var output: Tensor?
    var backward: (Tensor?) -> Void
  }

  /// A tape that computes without remembering anything.
  public static func inference(_ backend: any Backend) -> Tape {
    Tape(backend: backend, isTraining: false, seed: 0, step: 0, part: 0)
  }

  /// A tape for one training step.
  /// - Parameters:
  ///   - step: the update's number; with the seed it fixes every dropout mask.
  ///   - part: which of the update's accumulated batches this is.
  public static func training(_ backend: any Backend, seed: UInt64, step: UInt64, part: UInt32 = 0) -> Tape {
    Tape(backend: backend, isTraining: true, seed: seed, step: step, part: part)
  }

  private init(backend: any Backend, isTraining: Bool, seed: UInt64, step: UInt64, part: UInt32) {
    self.backend = backend
    self.isTraining = isTraining
    self.seed = seed
    self.step = step
    dropouts = part << 16
  }

  /// The next use of dropout, or nil where nothing is dropped.
  func dropout(_ probability: Float) -> Dropout? {
    guard isTraining, probability > 0 else { return nil }
    dropouts += 1
    return Dropout(
      seed: seed, step: UInt32(truncatingIfNeeded: step), stream: dropouts,
      probability: min(probability, 0.9999))
  }

  /// A fresh tensor for an operation's result, which needs a gradient if any input does.
  /// - Parameter type: of its elements; by default what the device's precision keeps results in.
  func output(rows: Int, columns: Int, from inputs: [Tensor?], type: ElementType? = nil) -> Tensor {
    Tensor(
      rows: rows, columns: columns,
      storage: backend.makeStorage(count: rows * columns, type: type ?? backend.precision.activations),
      needsGradient: isTraining && inputs.contains { $0?.needsGradient == true })
  }

  /// Room for something of the same shape and type.
  func makeTensor(like tensor: Tensor) -> Tensor {
    Tensor(
      rows: tensor.rows, columns: tensor.columns,
      storage: backend.makeStorage(count: tensor.count, type: tensor.storage.type))
  }

  /// Remembers how an output's gradient reaches the inputs.
  func record(_ output: Tensor, _ backward: @escaping (_ dy: Tensor) -> Void) {
    guard output.needsGradient else { return }
    records.append(Record(output: output) { if let dy = $0 { backward(dy) } })
  }

  /// Remembers a place where gradients begin.
  func recordLoss(_ backward: @escaping () -> Void) {
    guard isTraining else { return }
    records.append(Record(output: nil) { _ in backward() })
  }

  /// Where to leave the gradient of `tensor`; nil if nobody wants it.
  func target(_ tensor: Tensor?) -> GradientTarget? {
    guard let tensor, tensor.needsGradient else { return nil }
    if let first = tensor.parameters.first {
      return first.store.target(for: tensor.parameters, rows: tensor.rows, columns: tensor.columns)
    }
    if let gradient = tensor.gradient { return GradientTarget(tensor: gradient, accumulate: true) }
    let gradient = makeTensor(like: tensor)
    tensor.gradient = gradient
    return GradientTarget(tensor: gradient, accumulate: false)
  }

  /// Adds a whole gradient to what `tensor` has; `mayKeep` hands the memory of `gradient` over.
  func accumulate(_ gradient: Tensor, to tensor: Tensor, mayKeep: Bool) {
    guard tensor.needsGradient else { return }
    if mayKeep, tensor.parameters.isEmpty, tensor.gradient == nil {
      tensor.gradient = gradient
      return
    }
    guard let target = target(tensor) else { return }
    if target.accumulate {
      backend.add(gradient, to: target.tensor)
    } else {
      backend.copy(gradient, to: target.tensor)
    }
  }

  /// Carries the losses' gradients back to the parameters and empties the tape.
  public func backward() {
    while let record = records.popLast() {
      if let output = record.output {
        guard let dy = output.gradient else { continue }
        output.gradient = nil
        record.backward(dy)
      } else {
        record.backward(nil)
      }
    }
  }
}
