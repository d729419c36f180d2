import Formats

/// What a run needs, beside its tensors, to go on as if it had never stopped.
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

  public init(
    step: Int, seed: Int, randomCounters: [String: Int] = [:], positions: [String: Position] = [:],
    averages: [String: Double] = [:]
  ) {
    self.step = step
    self.seed = seed
    self.randomCounters = randomCounters
    self.positions = positions
    self.averages = averages
  }
}

extension TrainingState {
  private static let version = 1

  var json: JSON {
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

  /// - Throws: `DataError` without a file's name where the JSON is no state.
  init(json: JSON) throws {
    guard json["version"]?.int == Self.version else {
      throw DataError("the training state was written by another version of hero")
    }
    guard let step = json["step"]?.int, step >= 0, let seed = json["seed"]?.int,
      let randomCounters = Self.values(json["random_counters"], \.int),
      let averages = Self.values(json["averages"], \.double),
      let positions = Self.values(json["positions"], Position.init(json:))
    else { throw DataError("the training state is malformed") }
    self.init(
      step: step, seed: seed, randomCounters: randomCounters, positions: positions, averages: averages)
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

extension TrainingState.Position {
  fileprivate init?(json: JSON) {
    guard let epoch = json["epoch"]?.int, let item = json["item"]?.int, epoch >= 0, item >= 0 else {
      return nil
    }
    self.init(epoch: epoch, item: item)
  }
}
