import Engine

/// One named part of a loss: its value without the weight it has in the sum.
public struct LossPart: Equatable, Sendable {
  public var name: String
  public var value: Float
  public var weight: Float

  public init(_ name: String, _ value: Float, weight: Float = 1) {
    self.name = name
    self.value = value
    self.weight = weight
  }
}

extension [LossPart] {
  /// What training minimises.
  public var total: Float { reduce(0) { $0 + $1.weight * $1.value } }
}

/// Makes batches of a task's items. Used by loading threads.
public protocol BatchLoader: Sendable {
  associatedtype Batch: Sendable
  /// Items in all.
  var itemCount: Int { get }
  /// The batch of these items; nil where none of them can be used.
  /// - Parameter random: for masks and samples, the batch's own.
  func batch(of items: [Int], random: RandomStream) throws -> Batch?
}

/// What can be trained: a model with its losses and its data.
public protocol LearningTask: AnyObject, SendableMetatype {
  associatedtype Loader: BatchLoader
  /// The reference's name, e.g. `tvr`.
  var name: String { get }
  var store: ParameterStore { get }
  var trainingLoader: Loader { get }
  /// Computes a batch's loss on a training tape.
  /// - Parameters:
  ///   - update: counted from 0; some losses begin late.
  ///   - random: the update's own.
  func loss(_ tape: Tape, _ batch: Loader.Batch, update: Int, random: inout RandomStream) -> [LossPart]
}
