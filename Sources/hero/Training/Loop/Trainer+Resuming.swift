import Corpus
import Engine
import Formats
import Foundation
import Tasks

/// The states of a run: what it saves, and what it restores when it resumes.
extension Trainer {
  private static var kinds: [String] { ["model", "exp_avg", "exp_avg_sq"] }

  var weightBytes: Int { 4 * store.parameters.reduce(0) { $0 + $1.count } }
  var stateBytes: Int { Self.kinds.count * weightBytes }

  func save(_ step: Int) throws {
    guard step != savedStep, communicator.isFirst else { return }
    try DiskSpace.require(stateBytes, in: folder.checkpoints, for: "the state after update \(step)")
    let parameters = store.parameters
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
        case 0: store.values(of: parameter)
        case 1: optimizer.moments(of: parameter).first
        default: optimizer.moments(of: parameter).second
        }
      return NDArray(floats: values, shape: parameter.shape).bytes
    }
    savedStep = step
  }

  /// Restores the newest state, if there is one, before anything is written; does so once.
  /// - Returns: the number of updates done.
  /// - Throws: `DataError` for a state that is damaged or belongs to another model.
  func begin(resume: Bool) throws -> Int {
    if let begun { return begun }
    let step = try taken(resume: resume)
    begun = step
    return step
  }

  /// Restores the state on the first rank and broadcasts its weights and moments to all ranks.
  /// - Returns: the number of updates done.
  private func taken(resume: Bool) throws -> Int {
    var step = resume && communicator.isFirst ? try restore() : 0
    guard communicator.size > 1 else { return step }
    let parameters = store.parameters
    let counts = communicator.broadcast([Double(step)] + parameters.map { Double($0.updates ?? -1) })
    step = Int(counts[0])
    communicator.broadcast(store.values, on: store.backend)
    guard step > 0 else { return 0 }
    communicator.broadcast(optimizer.first, on: store.backend)
    communicator.broadcast(optimizer.second, on: store.backend)
    for (parameter, count) in zip(parameters, counts.dropFirst()) {
      optimizer.restore(parameter, updates: count < 0 ? nil : Int(count))
    }
    return step
  }

  /// Restores the newest state and returns its number of updates; 0 if there is none.
  private func restore() throws -> Int {
    guard let saved = try folder.latestState(warn: log.warning) else { return 0 }
    guard saved.state.seed == configuration.seed else {
      throw DataError(
        "the run has the seed \(saved.state.seed), the command \(configuration.seed)", file: folder.path,
        cure: "Give the run's own seed")
    }
    guard saved.state.step <= configuration.trainSteps else {
      throw DataError(
        "the run has done \(saved.state.step) updates, the command asks for \(configuration.trainSteps)",
        file: folder.path, cure: "Raise --num-train-steps, or use the run's checkpoints as they are")
    }
    for parameter in store.parameters {
      let updates = saved.state.counters["updates.\(parameter.name)"]
      let arrays = try Self.kinds.map { kind in
        guard let array = try saved.tensors.array(named: "\(kind).\(parameter.name)"),
          array.shape == parameter.shape, array.type.isFloatingPoint
        else {
          throw DataError(
            "the saved state lacks it or has it in another shape or type", file: folder.path,
            place: "parameter \"\(parameter.name)\"",
            cure: "Resume with the configuration the run was begun with")
        }
        try array.requireFinite(file: saved.tensors.path, parameter: "\(kind).\(parameter.name)")
        return array.floats()
      }
      let (first, second) = (arrays[1], arrays[2])
      guard !second.contains(where: { $0 < 0 }), updates != nil || (first + second).allSatisfy({ $0 == 0 })
      else {
        throw DataError(
          updates == nil ? "has moments of no update" : "has a mean of squares below 0",
          file: saved.tensors.path, place: "parameter \"\(parameter.name)\"",
          cure: "The state is damaged: delete the file to go on from the state before it")
      }
      store.set(parameter, to: arrays[0])
      optimizer.restore(
        parameter, first: first, second: second, updates: updates)
    }
    tellForeign(saved.tensors)
    log.info("going on after update \(saved.state.step)")
    savedStep = saved.state.step
    return saved.state.step
  }

  /// Warns of parameters in a state that the model lacks: those of a task that is not trained.
  private func tellForeign(_ tensors: SafetensorsFile) {
    let known = Set(store.parameters.lazy.map { Name("model.\($0.name)") })
    let foreign = tensors.entries.filter { $0.name.hasPrefix("model.") && !known.contains(Name($0.name)) }
    guard let first = foreign.first else { return }
    log.warning(
      "\(tensors.path): the model has no place for \(foreign.count) of its parameters, such as "
        + "\"\(first.name.dropFirst(6))\"; they are left out")
  }
}
