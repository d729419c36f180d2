import Dispatch
import Engine
import Model

/// Updates of a randomly initialized model: forward, backward, clipping, AdamW.
struct BenchUpdate {
  let model: PretrainingModel
  let exchange: GradientExchange
  private let optimizer: Optimizer
  private let communicator: any Communicator

  init(
    _ shape: ModelConfiguration, backend: any Backend, communicator: any Communicator,
    moments: MomentsPrecision = .fp32
  ) {
    model = PretrainingModel(shape, backend: backend)
    model.store.initialize(seed: 1)
    optimizer = Optimizer(
      .adamw, store: model.store, betas: (0.9, 0.98), moments: moments, weightDecay: { _ in 0.01 })
    exchange = GradientExchange(model.store, communicator: communicator)
    self.communicator = communicator
  }

  /// Makes one update and returns when the device has finished it.
  /// - Returns: the seconds until the host has queued all of it.
  @discardableResult func callAsFunction(
    _ step: UInt64, _ loss: (PretrainingModel, Tape, inout RandomStream) -> Void
  ) -> Double {
    let backend = model.store.backend
    let start = DispatchTime.now().uptimeNanoseconds
    let tape = Tape.training(backend, seed: 1, step: step, communicator: communicator)
    var random = RandomStream(seed: 1, step: step, stream: 2)
    loss(model, tape, &random)
    exchange.backward(tape)
    _ = optimizer.step(learningRate: 1e-4, gradientNorm: 1)
    let queued = Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
    backend.synchronize()
    return queued
  }
}
