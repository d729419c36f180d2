/// Runs operations and, while training, remembers how to go back through them.
///
/// One tape is one forward pass (a training step has as many as batches to accumulate). Saved
/// tensors go back to the backend's pool as the backward pass moves past them.
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
  /// The lowest record that may read each parameter: once the backward pass is past it, the
  /// gradient is whole.
  private(set) var firstUses: [ObjectIdentifier: Int] = [:]
  /// The same in the order of the records.
  private var users: [(record: Int, parameter: Parameter)] = []
  /// Records whose way back is a collective of all ranks.
  private(set) var exchanges: [Int] = []

  private struct Record {
    /// Nil for a loss, where the backward pass starts.
    var output: Tensor?
    var backward: (Tensor?) -> Void
  }

  /// A tape that computes without remembering anything.
  public static func inference(_ backend: any Backend) -> Tape {
    Tape(
      backend: backend, isTraining: false, seed: 0, step: 0, part: 0, communicator: SoleCommunicator.shared)
  }

  /// A tape for one training step.
  /// - Parameters:
  ///   - step: the update's number; with the seed it fixes every dropout mask.
  ///   - part: which of the update's accumulated batches this is.
  ///   - communicator: the ranks that have a part of the step each; their dropout masks differ.
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
    if isTraining { for input in inputs { note(input) } }
    return Tensor(
      rows: rows, columns: columns,
      storage: backend.makeStorage(count: rows * columns, type: type ?? backend.precision.activations),
      needsGradient: isTraining && inputs.contains { $0?.needsGradient == true })
  }

  /// Remembers where an input's parameters are first read.
  func note(_ input: Tensor?) {
    guard let input, input.needsGradient else { return }
    for parameter in input.parameters {
      let key = ObjectIdentifier(parameter)
      guard firstUses[key] == nil else { continue }
      firstUses[key] = records.count
      users.append((records.count, parameter))
    }
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
    append(output) { if let dy = $0 { backward(dy) } }
  }

  private func append(_ output: Tensor?, _ backward: @escaping (Tensor?) -> Void) {
    records.append(Record(output: output, backward: backward))
  }

  /// Remembers a place where gradients begin.
  func recordLoss(_ backward: @escaping () -> Void) {
    guard isTraining else { return }
    append(nil) { _ in backward() }
  }

  /// The same of one where the ranks add something up on the way back.
  func recordExchange(_ backward: @escaping () -> Void) {
    guard isTraining else { return }
    exchanges.append(records.count)
    recordLoss(backward)
  }

  /// Gives the memory of a norm's result back, which nothing reads before the backward pass: that
  /// makes it again of the sum, bit for bit, when it comes to what read it. Other results stay.
  public func release(_ x: Tensor) {
    guard let remake = x.remake else { return }
    x.storage = Storage(count: 0, type: x.storage.type)
    append(nil) { [unowned self] _ in
      x.storage = backend.makeStorage(count: x.count, type: x.storage.type)
      remake()
    }
  }

  /// Where to leave the gradient of `tensor`; nil where none is needed.
  /// - Parameter indices: the only rows that it is other than zero in; nil for any.
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

  /// Adds a whole gradient to what `tensor` has; `mayKeep` hands the memory of `gradient` over.
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
  ///   - finished: called for every parameter that was read, once its gradient is whole.
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
    // What was read before the first record needs no gradient of it.
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
