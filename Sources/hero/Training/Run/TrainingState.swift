import Formats
import Foundation

/// All that a run needs to go on as if it had never stopped, as plain data.
///
/// Saved as `ckpt/state_step_N.safetensors`: the tensors, named `group/name`, and the rest as JSON in the file's
/// metadata, so that one rename makes the whole state valid or leaves the one before.
public struct TrainingState: Equatable, Sendable {
  /// Where a data loader is.
  public struct Position: Equatable, Sendable {
    /// Passes over the data that are complete.
    public var epoch: Int
    /// Items of this pass that are done.
    public var item: Int

    public init(epoch: Int, item: Int) {
      self.epoch = epoch
      self.item = item
    }
  }

  /// Updates done.
  public var step: Int
  /// The seed of the run's random numbers.
  public var seed: Int
  /// How far each counter-based stream of random numbers has come, by name.
  public var randomCounters: [String: Int]
  /// Where each data loader is, by name.
  public var positions: [String: Position]
  /// Running averages, such as of losses, by name.
  public var averages: [String: Double]
  /// Tensors by group (`model`, `exp_avg`, `exp_avg_sq`) and parameter.
  public var tensors: [String: [String: NDArray]]

  public init(
    step: Int, seed: Int, randomCounters: [String: Int] = [:], positions: [String: Position] = [:],
    averages: [String: Double] = [:], tensors: [String: [String: NDArray]]
  ) {
    self.step = step
    self.seed = seed
    self.randomCounters = randomCounters
    self.positions = positions
    self.averages = averages
    self.tensors = tensors
  }

  private static let metadataKey = "hero_state"
  private static let version = 1

  /// - Throws: `DataError`; what stood at the path still stands then.
  public func write(path: String) throws {
    let named = tensors.sorted { $0.key < $1.key }.flatMap { group, members in
      members.sorted { $0.key < $1.key }.map { ("\(group)/\($0.key)", $0.value) }
    }
    try Safetensors.write(
      path: path, tensors: named, metadata: [Self.metadataKey: scalars.encoded(style: .compact)])
  }

  private var scalars: JSON {
    var object: JSONObject = ["version": .int(Self.version), "step": .int(step), "seed": .int(seed)]
    object["random_counters"] = Self.json(randomCounters) { .int($0) }
    object["positions"] = Self.json(positions) { ["epoch": .int($0.epoch), "item": .int($0.item)] }
    object["averages"] = Self.json(averages) { .double($0) }
    return .object(object)
  }

  private static func json<Value>(_ values: [String: Value], _ encode: (Value) -> JSON) -> JSON {
    var object = JSONObject()
    for (name, value) in values.sorted(by: { $0.key < $1.key }) { object[name] = encode(value) }
    return .object(object)
  }

  /// - Throws: `DataError` where the file is damaged or is no such state.
  public init(path: String) throws {
    let (named, metadata) = try Safetensors.read(path: path)
    func wrong(_ problem: String) -> DataError {
      DataError(problem, file: path, cure: "Delete the file to go on from the state before it")
    }
    guard let text = metadata[Self.metadataKey] else { throw wrong("holds no training state") }
    let json = try JSON.parse(Array(text.utf8), file: path)
    guard json["version"]?.int == Self.version else { throw wrong("was written by another version of hero") }
    guard let step = json["step"]?.int, step >= 0, let seed = json["seed"]?.int else {
      throw wrong("lacks the step or the seed")
    }
    var tensors: [String: [String: NDArray]] = [:]
    for (name, array) in named {
      let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
      guard parts.count == 2 else { throw wrong("has a tensor of no group, \"\(name)\"") }
      tensors[parts[0], default: [:]][parts[1]] = array
    }
    self.init(
      step: step, seed: seed,
      randomCounters: try Self.values(json["random_counters"]) { $0.int }
        ?? { throw wrong("has no random counters") }(),
      positions: try Self.values(json["positions"]) { position in
        guard let epoch = position["epoch"]?.int, let item = position["item"]?.int, epoch >= 0, item >= 0
        else {
          return nil
        }
        return Position(epoch: epoch, item: item)
      } ?? { throw wrong("has no data positions") }(),
      averages: try Self.values(json["averages"]) { $0.double } ?? { throw wrong("has no averages") }(),
      tensors: tensors)
  }

  /// nil where it is not an object of such values.
  private static func values<Value>(_ json: JSON?, _ decode: (JSON) -> Value?) -> [String: Value]? {
    guard let object = json?.object else { return nil }
    var values: [String: Value] = [:]
    for (name, item) in object {
      guard let value = decode(item) else { return nil }
      values[name] = value
    }
    return values
  }
}

extension RunFolder {
  /// How many states are kept: one more than needed, in case the last is damaged.
  private static let statesKept = 2

  /// The states of the run, oldest first.
  func savedStates() -> [(step: Int, path: String)] {
    entries(checkpoints).compactMap { name in
      guard let match = name.wholeMatch(of: /state_step_([0-9]+)\.safetensors/), let step = Int(match.1)
      else {
        return nil
      }
      return (step, "\(checkpoints)/\(name)")
    }.sorted { $0.step < $1.step }
  }

  /// Saves the state of an update, then drops all but the last two.
  ///
  /// - Throws: `DataError`; the earlier states still stand then.
  public func save(_ state: TrainingState) throws {
    try state.write(path: "\(checkpoints)/state_step_\(state.step).safetensors")
    // States past this one belong to a run that was resumed from before them.
    let states = savedStates()
    let others = states.filter { $0.step != state.step }
    let kept = others.filter { $0.step < state.step }.suffix(Self.statesKept - 1).map(\.step)
    for other in others where !kept.contains(other.step) {
      try? FileManager.default.removeItem(atPath: other.path)
    }
  }

  /// The newest state that can be read, or nil where the run has saved none.
  ///
  /// - Parameter warn: takes what is wrong with newer ones.
  /// - Throws: `DataError` where there are states and none can be read.
  public func latestState(warn: (String) -> Void) throws -> TrainingState? {
    var failure: (any Error)?
    for (_, path) in savedStates().reversed() {
      do {
        return try TrainingState(path: path)
      } catch {
        warn("\(error)")
        failure = error
      }
    }
    if let failure { throw failure }
    return nil
  }
}
