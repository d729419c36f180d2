import Corpus
import Engine
import Formats
import Foundation
import Tasks

/// The training loop: batches ahead, losses, clipping, updates, checkpoints, validations.
///
/// Every random number is a function of (seed, update), so a run repeats exactly and a resumed one goes on exactly.
public final class Trainer<Task: LearningTask> {
  private let task: Task
  private let configuration: RunConfiguration
  private let folder: RunFolder
  private let log: RunLog
  private let optimizer: Optimizer
  private let schedule: LearningRateSchedule
  private let validate: (_ step: Int) throws -> Validation
  private let seed: UInt64
  /// The update whose state was saved last.
  private var savedStep = -1
  /// As the reference's.
  private static var updatesBetweenRates: Int { 100 }

  public init(
    task: Task, configuration: RunConfiguration, folder: RunFolder, log: RunLog,
    validate: @escaping (_ step: Int) throws -> Validation
  ) {
    self.task = task
    self.configuration = configuration
    self.folder = folder
    self.log = log
    self.validate = validate
    seed = UInt64(configuration.seed)
    schedule = LearningRateSchedule(configuration)
    let decay = Float(configuration.weightDecay)
    let headFactor = configuration.family.scalesHeads ? Float(configuration.topLearningRateFactor) : 1
    optimizer = Optimizer(
      configuration.optimizer, store: task.store,
      betas: (Float(configuration.betas[0]), Float(configuration.betas[1])),
      weightDecay: { decaysWeight($0.name) ? decay : 0 },
      learningRateFactor: { isTaskHead($0.name) ? headFactor : 1 })
  }

  /// Trains to the last update.
  /// - Parameter resume: go on from the newest state in the folder, if there is one.
  /// - Throws: `DataError` for a loss that is not finite; `Interruption` once the state is saved.
  public func run(resume: Bool) throws {
    let events = try EventWriter(folder: folder.logs)
    var step = resume ? try restore() : 0
    let steps = configuration.trainSteps
    guard task.trainingLoader.itemCount > 0 else {
      throw DataError(
        "no item can be trained on", cure: "Check the training store, and that max_txt_len is not too small")
    }
    let (loader, parts) = (task.trainingLoader, configuration.accumulationSteps)
    let plan = BatchPlan(batchSize: configuration.trainBatchSize, batchesPerUpdate: parts, seed: seed)
    let (shape, backend) = (task.configuration, task.store.backend)
    let queue = Prefetch(step * parts..<steps * parts, depth: 8) { number in
      try loader.batch(number, of: plan).map { Task.prepare($0, for: shape, on: backend) }
    }
    log.info(
      "\(task.name): \(loader.summary); batches of \(configuration.trainBatchSize), \(parts) an update, \(steps) updates; \(task.store.backend.summary)"
    )
    let progress = ProgressReporter("Training", total: steps, unit: "updates", done: step)
    var rates = TrainingRates()
    // The validation that a run was stopped in comes first: its checkpoint is not there yet.
    if step > 0, isValidated(step), !FileManager.default.fileExists(atPath: folder.checkpointPath(step: step))
    {
      try validateAndSave(step, events)
    }
    while step < steps {
      let (source, losses, norm) = try update(step, queue)
      try requireUsableItems()
      step += 1
      rates.add(source, examples: parts * configuration.trainBatchSize, loss: Double(losses.total))
      record(losses, norm, step, events)
      let measured = rates.isMixed ? source : "loss"
      progress.advance(note: measured + String(format: " %.3f", losses.total))
      if step % Self.updatesBetweenRates == 0 || step == steps {
        for (name, rate) in rates.scalars { try events.scalar(name, rate, step: step) }
      }
      if step % configuration.saveSteps == 0 || step == steps || InterruptHandler.isInterrupted {
        try save(step)
      }
      if InterruptHandler.isInterrupted { try stop(step) }
      if isValidated(step) {
        if rates.isMixed { log.info(rates.table(title: "training, update \(step)").rendered()) }
        try validateAndSave(step, events)
      }
    }
    progress.finish()
  }

  /// A run that can use less than half of its items would learn something else than it was asked to.
  private func requireUsableItems() throws {
    let (all, skipped) = (task.trainingLoader.itemCount, task.trainingLoader.skippedCount)
    guard 2 * skipped > all else { return }
    throw DataError(
      "\(skipped) of \(all) training items cannot be used; the log names the first of them",
      file: folder.path, cure: "Make the stores from one corpus and for the task that is trained")
  }

  /// Whether a validation, and with it a checkpoint, follows an update.
  private func isValidated(_ step: Int) -> Bool {
    step % configuration.validSteps == 0 || step == configuration.trainSteps
  }

  private func stop(_ step: Int) throws {
    log.info("stopped after update \(step); go on with --resume")
    try InterruptHandler.check()
  }

  /// One update; what its batches were drawn from, their mean losses and the norm of the gradients before clipping.
  private func update(
    _ step: Int, _ queue: Prefetch<Task.Input?>
  ) throws -> (source: String, losses: [LossPart], norm: Double) {
    let (store, backend) = (task.store, task.store.backend)
    var source = task.name
    var terms: [LossTerm] = []
    var random = RandomStream(seed: seed, step: UInt64(step), for: .loss)
    let parts = configuration.accumulationSteps
    for part in 0..<parts {
      guard let next = try queue.next(), let input = next else { continue }
      source = task.source(of: input)
      let tape = Tape.training(backend, seed: seed, step: UInt64(step), part: UInt32(part))
      terms += task.loss(tape, input, update: step, random: &random)
      tape.backward()
    }
    let squares = backend.makeSums()
    store.addGradientSquares(to: squares, at: 0)
    optimizer.step(
      learningRate: Float(schedule.rate(at: step + 1)),
      clipping: GradientClipping(sumOfSquares: squares, limit: configuration.gradientNorm))
    store.clearGradients()

    // The one place where an update waits for the device.
    let (read, sums) = (terms.read(on: backend), backend.numbers(of: [squares]))
    guard read.total.isFinite else { throw notFinite("loss", step) }
    let norm = sums[0].squareRoot()
    guard norm.isFinite else { throw notFinite("gradient", step) }
    var losses: [LossPart] = []
    for part in read {
      if let place = losses.firstIndex(where: { $0.name == part.name }) {
        losses[place].value += part.value
      } else {
        losses.append(part)
      }
    }
    return (source, losses.map { LossPart($0.name, $0.value / Float(parts), weight: $0.weight) }, norm)
  }

  private func notFinite(_ what: String, _ step: Int) -> DataError {
    let last = folder.savedCheckpoints().last.map { "; the last good checkpoint is \($0.path)" } ?? ""
    return DataError(
      "the \(what) of update \(step + 1) is not a finite number\(last)", file: folder.path,
      cure: "Lower --learning-rate, raise --warmup-steps or set --grad-norm, and check the features for NaN")
  }

  private func record(_ losses: [LossPart], _ norm: Double, _ step: Int, _ events: EventWriter) {
    do {
      try events.scalar("lr", schedule.rate(at: step), step: step)
      try events.scalar("grad_norm", norm, step: step)
      try events.scalar("loss/\(task.name)", Double(losses.total), step: step)
      for part in losses {
        try events.scalar("loss/\(task.lossPrefix)\(part.name)", Double(part.value), step: step)
      }
    } catch {
      log.warning("\(error)")
    }
  }

  /// A validation that does not end leaves the state, from which `--resume` begins it anew.
  private func validateAndSave(_ step: Int, _ events: EventWriter) throws {
    let validation: Validation
    do {
      validation = try validate(step)
    } catch {
      try save(step)
      if error is Interruption { try stop(step) }
      throw error
    }
    try task.store.save(
      to: folder.checkpointPath(step: step), metadata: ["format": "pt", "step": String(step)])
    for (name, value) in validation.scalars { try events.scalar(name, value, step: step) }
    try events.flush()
    if let table = validation.table { log.info("validation after update \(step)\n\(table.rendered())") }
    if let headline = validation.headline {
      try folder.record(
        RunFolder.Best(step: step, metric: headline.name, value: headline.value),
        higherIsBetter: headline.higherIsBetter)
    }
    if configuration.keptCheckpoints > 0 { folder.prune(keeping: configuration.keptCheckpoints) }
  }
}

// MARK: - Resuming

extension Trainer {
  private static var kinds: [String] { ["model", "exp_avg", "exp_avg_sq"] }

  private func save(_ step: Int) throws {
    guard step != savedStep else { return }
    let parameters = task.store.parameters
    let kinds = Self.kinds
    let tensors = kinds.flatMap { kind in
      parameters.map { (name: "\(kind).\($0.name)", type: ScalarType.float32, shape: $0.shape) }
    }
    var counters: [String: Int] = [:]
    for parameter in parameters { counters["updates.\(parameter.name)"] = parameter.updates }
    try folder.save(
      TrainingState(step: step, seed: configuration.seed, counters: counters), tensors: tensors
    ) { index in
      let parameter = parameters[index % parameters.count]
      let values =
        switch index / parameters.count {
        case 0: task.store.values(of: parameter)
        case 1: optimizer.moments(of: parameter).first
        default: optimizer.moments(of: parameter).second
        }
      return NDArray(floats: values, shape: parameter.shape).bytes
    }
    savedStep = step
  }

  /// Updates done by the state that was taken over; 0 where there is none.
  private func restore() throws -> Int {
    guard let saved = try folder.latestState(warn: log.warning) else { return 0 }
    guard saved.state.seed == configuration.seed else {
      throw DataError(
        "the run has the seed \(saved.state.seed), the command \(configuration.seed)", file: folder.path,
        cure: "Give the run's own seed")
    }
    for parameter in task.store.parameters {
      let arrays = try Self.kinds.map { kind in
        guard let array = try saved.tensors.array(named: "\(kind).\(parameter.name)"),
          array.shape == parameter.shape
        else {
          throw DataError(
            "the saved state lacks it or has it in another shape", file: folder.path,
            place: "parameter \"\(parameter.name)\"",
            cure: "Resume with the configuration the run was begun with")
        }
        return array.floats()
      }
      task.store.set(parameter, to: arrays[0])
      optimizer.restore(
        parameter, first: arrays[1], second: arrays[2],
        updates: saved.state.counters["updates.\(parameter.name)"])
    }
    log.info("going on after update \(saved.state.step)")
    savedStep = saved.state.step
    return saved.state.step
  }
}
