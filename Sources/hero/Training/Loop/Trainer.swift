import Corpus
import Engine
import Formats
import Foundation
import Tasks

/// The training loop: prefetched batches, losses, clipped updates, checkpoints and validations.
///
/// Every random number is a function of (seed, update). So a run repeats exactly, and a resumed run
/// continues exactly. Each rank takes its part of every batch, all ranks make the same updates, and
/// the first rank writes.
public final class Trainer {
  private let mixture: Mixture
  let store: ParameterStore
  let configuration: RunConfiguration
  let folder: RunFolder
  let log: RunLog
  let optimizer: Optimizer
  private let schedule: LearningRateSchedule
  private let validate: (_ step: Int) throws -> Validation
  private let seed: UInt64
  let communicator: any Communicator
  private let exchange: GradientExchange
  /// The number of the update whose state was saved last.
  var savedStep = -1
  /// The number of updates done before this process began; nil until it has looked.
  var begun: Int?
  /// The reference's interval between rates.
  private static var updatesBetweenRates: Int { 100 }

  /// - Parameters:
  ///   - mixture: the sources of batches; the trainer trains its parameters.
  ///   - folder: where checkpoints and states go; the first rank writes.
  ///   - communicator: sums the gradients of the ranks.
  ///   - validate: called on every rank after every `valid_steps` updates and at the end.
  public init(
    _ mixture: Mixture, configuration: RunConfiguration, folder: RunFolder, log: RunLog,
    communicator: any Communicator = SoleCommunicator.shared,
    validate: @escaping (_ step: Int) throws -> Validation
  ) {
    self.mixture = mixture
    store = mixture.store
    self.configuration = configuration
    self.folder = folder
    self.log = log
    self.validate = validate
    self.communicator = communicator
    exchange = GradientExchange(mixture.store, communicator: communicator)
    seed = UInt64(configuration.seed)
    schedule = LearningRateSchedule(configuration)
    let decay = Float(configuration.weightDecay)
    let headFactor = Float(configuration.headFactor)
    optimizer = Optimizer(
      configuration.optimizer, store: mixture.store,
      betas: (Float(configuration.betas[0]), Float(configuration.betas[1])),
      moments: configuration.momentsPrecision, seed: seed,
      weightDecay: { decaysWeight($0.name) ? decay : 0 },
      learningRateFactor: { isTaskHead($0.name) ? headFactor : 1 })
  }

  /// Checks whether a run can begin, before its folder is written.
  /// - Throws: `DataError` if there is no item to train on, or no disk space for what a run keeps.
  public func check() throws {
    guard mixture.itemCount > 0 || configuration.trainSteps == 0 else {
      throw DataError(
        "no item can be trained on", cure: "Check the training store, and that max_txt_len is not too small")
    }
    guard communicator.isFirst else { return }
    // The folder keeps two states while a third is written, and the last checkpoint beside the
    // best.
    try DiskSpace.require(
      3 * stateBytes + 2 * weightBytes, in: folder.path, for: "the run's states and checkpoints")
  }

  /// Trains to the last update.
  /// - Parameter resume: whether to continue from the newest state in the folder, if there is one.
  /// - Throws: `DataError` for a loss that is not finite; `Interruption` once the state is saved.
  public func run(resume: Bool) throws {
    var step = try begin(resume: resume)
    let events = communicator.isFirst ? try EventWriter(folder: folder.logs) : nil
    let steps = configuration.trainSteps
    let parts = configuration.accumulationSteps
    let plan = BatchPlan(
      batchSize: configuration.trainBatchSize, batchesPerUpdate: parts, seed: seed, rank: communicator.rank,
      of: communicator.size)
    let queue = Prefetch(step * parts..<steps * parts, depth: 8, make: mixture.reading(plan))
    let together = communicator.size > 1 ? " on each of \(communicator.summary)" : ""
    log.info(
      "\(mixture.name): \(mixture.summary); batches of \(configuration.trainBatchSize)\(together), \(parts) an update, \(steps) updates; \(store.backend.summary)"
    )
    let progress = ProgressReporter("Training", total: steps, unit: "updates", done: step)
    var rates = TrainingRates()
    // If the run stopped during validation, validate first: that step has no checkpoint yet. A run
    // without updates does nothing else.
    let isThere = FileManager.default.fileExists(atPath: folder.checkpointPath(step: step))
    if step > 0 || steps == 0, isValidated(step), communicator.broadcast([isThere ? 1 : 0]) == [0] {
      try validateAndSave(step, events)
    }
    func finish(_ update: Update) throws -> Int32? {
      let (losses, norm, signal) = try results(of: update)
      let (source, done) = (mixture.entries[update.source].source, update.step + 1)
      rates.add(
        source.name, examples: parts * mixture.batchSize(of: update.source, in: plan) * communicator.size,
        loss: Double(losses.total))
      record(losses, of: source, norm, done, events)
      let measured = rates.isMixed ? source.name : "loss"
      progress.advance(note: measured + String(format: " %.3f", losses.total))
      if done % Self.updatesBetweenRates == 0 || done == steps {
        for (name, rate) in rates.scalars + exchangeScalars() { try events?.scalar(name, rate, step: done) }
      }
      return signal
    }
    // If a read has to wait for the device, queue the next update before reading the last one.
    let readsLate = store.backend.stepsBetweenReads > 1
    var earlier: Update?
    while step < steps {
      let asked = try update(step, queue)
      try requireUsableItems()
      step += 1
      var signal: Int32?
      if let earlier { signal = try finish(earlier) }
      earlier = asked
      let isSaved = step % configuration.saveSteps == 0 || step == steps
      if !readsLate || isSaved || isValidated(step) || signal != nil {
        signal = try finish(asked) ?? signal
        earlier = nil
      }
      if isSaved || signal != nil {
        try save(step)
      }
      if let signal { try stop(step, signal) }
      if isValidated(step) {
        if rates.isMixed { log.info(rates.table(title: "training, update \(step)").rendered()) }
        try validateAndSave(step, events)
      }
    }
    progress.finish()
    if let hidden = exchange.timing.hidden {
      let timing = exchange.timing
      log.info(
        String(
          format:
            "gradients: %.1f MB an update, under way for %.3f s, %.0f %% of it behind the backward pass",
          Double(timing.bytes) / Double(timing.updates) * 1e-6, timing.underway / Double(timing.updates),
          100 * hidden))
    }
  }

  /// Returns the mean seconds of an update's gradient exchange, and the share that the backward
  /// pass hides.
  private func exchangeScalars() -> [(name: String, value: Double)] {
    let timing = exchange.timing
    guard let hidden = timing.hidden else { return [] }
    return [
      ("perf/exchange_s", timing.underway / Double(timing.updates)), ("perf/exchange_hidden", hidden),
    ]
  }

  /// Refuses to go on if more than half of the items cannot be used.
  ///
  /// Such a run would not learn what it was asked to learn.
  private func requireUsableItems() throws {
    let (all, skipped) = (mixture.itemCount, mixture.skippedCount)
    guard 2 * skipped > all else { return }
    throw DataError(
      "\(skipped) of \(all) training items cannot be used; the log names the first of them",
      file: folder.path, cure: "Make the stores from one corpus and for the task that is trained")
  }

  /// Returns whether a validation follows an update, and with it a checkpoint.
  private func isValidated(_ step: Int) -> Bool {
    step % configuration.validSteps == 0 || step == configuration.trainSteps
  }

  private func stop(_ step: Int, _ signal: Int32) throws {
    log.info("stopped after update \(step); go on with --resume")
    throw Interruption(signal: signal)
  }

  /// An update that is queued on the device.
  private struct Update {
    /// The number of the update, counted from 0.
    let step: Int
    /// The index of the source of its batches.
    let source: Int
    let terms: [LossTerm]
    /// The values of the terms, then the sum of the squared gradients.
    let reading: any Reading
  }

  /// Queues one update and waits for nothing.
  private func update(_ step: Int, _ queue: Prefetch<Mixture.Batch>) throws -> Update {
    let backend = store.backend
    var source = 0
    var terms: [LossTerm] = []
    var random = RandomStream(seed: seed, step: UInt64(step), for: .loss)
    let parts = configuration.accumulationSteps
    for part in 0..<parts {
      guard let batch = try queue.next() else { preconditionFailure("no batch for part \(part)") }
      source = batch.source
      let share = BatchShare(mixture.counts(of: batch), among: communicator)
      var tape: Tape?
      if !share.isEmpty {
        let recording = Tape.training(
          backend, seed: seed, step: UInt64(step), part: UInt32(part), communicator: communicator)
        terms += mixture.loss(recording, batch, among: share, update: step, random: &random)
        tape = recording
      }
      if part == parts - 1 { exchange.backward(tape) } else { tape?.backward() }
    }
    let squares = optimizer.step(
      learningRate: Float(schedule.rate(at: step + 1)), gradientNorm: configuration.gradientNorm)
    return Update(
      step: step, source: source, terms: terms,
      reading: backend.reading(terms.compactMap(\.value) + [squares]))
  }

  /// Waits for an update, but not for anything queued after it.
  /// - Returns: the mean losses of its batches, the gradient norm before clipping, and the signal
  ///   that any rank received.
  private func results(
    of update: Update
  ) throws -> (losses: [LossPart<Float>], norm: Double, signal: Int32?) {
    let read = update.reading.numbers()
    var losses: [LossPart<Float>] = []
    for part in update.terms.read(read.dropLast()) {
      if let place = losses.firstIndex(where: { $0.name == part.name }) {
        losses[place].value += part.value
      } else {
        losses.append(part)
      }
    }
    let signal = combine(&losses)
    guard losses.total.isFinite else { throw notFinite("loss", update.step) }
    let norm = read[read.count - 1].squareRoot()
    guard norm.isFinite else { throw notFinite("gradient", update.step) }
    let parts = Float(configuration.accumulationSteps)
    return (losses.map { $0.with($0.value / parts) }, norm, signal)
  }

  /// Sums the losses over the ranks, and returns the signal that any rank received.
  ///
  /// So all ranks stop after the same update.
  private func combine(_ losses: inout [LossPart<Float>]) -> Int32? {
    let own = InterruptHandler.signalReceived
    guard communicator.size > 1 else { return own }
    let signals: [Int32] = [SIGINT, SIGTERM, SIGHUP]
    let all = communicator.sum(losses.map { Double($0.value) } + signals.map { $0 == own ? 1 : 0 })
    for place in losses.indices { losses[place].value = Float(all[place]) }
    return zip(signals, all[losses.count...]).first { $0.1 > 0 }?.0
  }

  private func notFinite(_ what: String, _ step: Int) -> DataError {
    let last = folder.savedCheckpoints().last.map { "; the last good checkpoint is \($0.path)" } ?? ""
    return DataError(
      "the \(what) of update \(step + 1) is not a finite number\(last)", file: folder.path,
      cure: "Lower --learning-rate, raise --warmup-steps or set --grad-norm, and check the features for NaN")
  }

  private func record(
    _ losses: [LossPart<Float>], of source: any Source, _ norm: Double, _ step: Int, _ events: EventWriter?
  ) {
    guard let events else { return }
    do {
      try events.scalar("lr", schedule.rate(at: step), step: step)
      try events.scalar("grad_norm", norm, step: step)
      try events.scalar("loss/\(mixture.name)", Double(losses.total), step: step)
      for part in losses {
        try events.scalar("loss/\(source.label(of: part))", Double(part.value), step: step)
      }
    } catch {
      log.warning("\(error)")
    }
  }

  /// Validates and saves a checkpoint.
  ///
  /// A validation that fails or is interrupted leaves the state, from which `--resume` repeats it.
  private func validateAndSave(_ step: Int, _ events: EventWriter?) throws {
    let validation: Validation
    do {
      validation = try validate(step)
    } catch {
      try save(step)
      if let interruption = error as? Interruption { try stop(step, interruption.signal) }
      throw error
    }
    guard let events else { return }
    try store.save(
      to: folder.checkpointPath(step: step), metadata: ["format": "pt", "step": String(step)])
    for (name, value) in validation.scalars { try events.scalar(name, value, step: step) }
    try events.flush()
    for table in validation.tables { log.info("validation after update \(step)\n\(table.rendered())") }
    if let headline = validation.headline {
      try folder.record(
        RunFolder.Best(step: step, metric: headline.name, value: headline.value),
        higherIsBetter: headline.higherIsBetter)
    }
    if configuration.keptCheckpoints > 0 { folder.prune(keeping: configuration.keptCheckpoints) }
  }
}
