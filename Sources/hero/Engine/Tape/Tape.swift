/// A forward pass that runs operations and, in training, records how to go back through them.
///
/// A training step has a tape for each accumulated batch. Saved tensors return to the backend's
/// pool as the backward pass moves past them.
public final class Tape {
  /// The device that runs the operations.
  public let backend: any Backend
  /// Whether a backward pass follows; dropout happens only then.
  public let isTraining: Bool
  private let seed: UInt64
  private let step: UInt64
  private var dropouts: UInt32
  private var records: [Record] = []
  /// The processes that share the work of a training step.
  public let communicator: any Communicator
  /// The lowest record that may read each parameter; once the backward pass is past it, the
  /// gradient is complete.
  private(set) var firstUses: [ObjectIdentifier: Int] = [:]
  /// The parameters with their lowest records, in the order of the records.
  private var users: [(record: Int, parameter: Parameter)] = []
  /// The numbers of the records whose backward pass is a collective of all ranks.
  private(set) var exchanges: [Int] = []

  private struct Record {
    /// Nil for a loss, where the backward pass starts.
    var output: Tensor?
    var backward: (Tensor?) -> Void
  }

  /// Makes a tape that computes without recording anything.
  public static func inference(_ backend: any Backend) -> Tape {
    Tape(
      backend: backend, isTraining: false, seed: 0, step: 0, part: 0, communicator: SoleCommunicator.shared)
  }

  /// Makes a tape for one batch of a training step.
  /// - Parameters:
  ///   - step: the update's number; with the seed it fixes every dropout mask.
  ///   - part: the number of this batch among those that the update accumulates.
  ///   - communicator: the ranks that share the step; their dropout masks differ.
  public static func training(
    _ backend: any Backend, seed: UInt64, step: UInt64, part: UInt32 = 0,
    communicator: any Communicator = SoleCommunicator.shared
  ) -> Tape {
    precondition(backend.precision.trains)
    return Tape(
      backend: backend, isTraining: true, seed: seed, step: step, part: part, communicator: communicator)
  }

  private init(
    backend: any Backend, isTraining: Bool, seed: UInt64, step: UInt64, part: UInt32,
    communicator: any Communicator
  ) {
    self.backend = backend
    self.isTraining = isTraining
    self.seed = RandomStream.seed(seed, of: communicator.rank)
    self.step = step
    self.communicator = communicator
    dropouts = part << 16
  }

  /// Returns the next use of dropout, or nil if nothing is dropped.
  func dropout(_ probability: Float) -> Dropout? {
    guard isTraining, probability > 0 else { return nil }
    dropouts += 1
    return Dropout(
      seed: seed, step: UInt32(truncatingIfNeeded: step), stream: dropouts,
      probability: min(probability, 0.9999))
  }

  /// Allocates a tensor for an operation's result, which needs a gradient if any input does.
  /// - Parameter type: the type of its elements; by default the device's type of activations.
  func output(rows: Int, columns: Int, from inputs: [Tensor?], type: ElementType? = nil) -> Tensor {
    if isTraining { for input in inputs { note(input) } }
    return Tensor(
      rows: rows, columns: columns,
      storage: backend.makeStorage(count: rows * columns, type: type ?? backend.precision.activations),
      needsGradient: isTraining && inputs.contains { $0?.needsGradient == true })
  }

  /// Records where an input's parameters are first read.
  func note(_ input: Tensor?) {
    guard let input, input.needsGradient else { return }
    for parameter in input.parameters {
      let key = ObjectIdentifier(parameter)
      guard firstUses[key] == nil else { continue }
      firstUses[key] = records.count
      users.append((records.count, parameter))
    }
  }

  /// Allocates a tensor of the same shape and type.
  func makeTensor(like tensor: Tensor) -> Tensor {
    Tensor(
      rows: tensor.rows, columns: tensor.columns,
      storage: backend.makeStorage(count: tensor.count, type: tensor.storage.type))
  }

  /// Records how an output's gradient reaches the inputs.
  func record(_ output: Tensor, _ backward: @escaping (_ dy: Tensor) -> Void) {
    guard output.needsGradient else { return }
    append(output) { if let dy = $0 { backward(dy) } }
  }

  private func append(_ output: Tensor?, _ backward: @escaping (Tensor?) -> Void) {
    records.append(Record(output: output, backward: backward))
  }

  /// Records a place where gradients begin.
  func recordLoss(_ backward: @escaping () -> Void) {
    guard isTraining else { return }
    append(nil) { _ in backward() }
  }

  /// Records such a place where the ranks sum something in the backward pass.
  func recordExchange(_ backward: @escaping () -> Void) {
    guard isTraining else { return }
    exchanges.append(records.count)
    recordLoss(backward)
  }

  /// Frees the memory of a norm's result, which nothing reads before the backward pass; other
  /// results stay.
  ///
  /// The backward pass recomputes the result from the sum, bit for bit, before anything reads it.
  public func release(_ x: Tensor) {
    guard let remake = x.remake else { return }
    x.storage = Storage(count: 0, type: x.storage.type)
    append(nil) { [unowned self] _ in
      x.storage = backend.makeStorage(count: x.count, type: x.storage.type)
      remake()
    }
  }

  /// Returns the place for the gradient of `tensor`; nil if it needs none.
  /// - Parameter indices: the only rows that may be nonzero in the gradient; nil for all.
  func target(_ tensor: Tensor?, at indices: Indices? = nil) -> GradientTarget? {
    guard let tensor, tensor.needsGradient else { return nil }
    if let first = tensor.parameters.first {
      return first.store.target(
        for: tensor.parameters, rows: tensor.rows, columns: tensor.columns, at: indices)
    }
    if let gradient = tensor.gradient { return GradientTarget(tensor: gradient, accumulate: true) }
    let gradient = makeTensor(like: tensor)
    tensor.gradient = gradient
    return GradientTarget(tensor: gradient, accumulate: false)
  }

  /// Adds a whole gradient to that of `tensor`, which may take over its memory if `mayKeep` is
  /// true.
  func accumulate(_ gradient: Tensor, to tensor: Tensor, mayKeep: Bool) {
    guard tensor.needsGradient else { return }
    if mayKeep, tensor.parameters.isEmpty, tensor.gradient == nil {
      tensor.gradient = gradient
      return
    }
    guard let target = target(tensor) else { return }
    if target.accumulate {
      backend.run(Add(gradient, to: target.tensor))
    } else {
      backend.run(Copy(gradient, to: target.tensor))
    }
  }

  /// Carries the losses' gradients back to the parameters and empties the tape.
  /// - Parameters:
  ///   - exchanged: called for every collective that was begun on the way.
  ///   - finished: called for every parameter that was read, once its gradient is complete.
  public func backward(exchanged: () -> Void = {}, finished: (Parameter) -> Void = { _ in }) {
    while let record = records.popLast() {
      run(record)
      if exchanges.last == records.count {
        exchanges.removeLast()
        exchanged()
      }
      while let last = users.last, last.record >= records.count {
        users.removeLast()
        finished(last.parameter)
      }
    }
    // Parameters that were read without any record get no gradient from this tape.
    while let last = users.popLast() { finished(last.parameter) }
    firstUses = [:]
  }

  private func run(_ record: Record) {
    guard let output = record.output else { return record.backward(nil) }
    guard let dy = output.gradient else { return }
    output.gradient = nil
    record.backward(dy)
  }
}
